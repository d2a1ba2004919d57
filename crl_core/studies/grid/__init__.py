"""A study: a grid of runs that a file describes, carried out wherever there is an executor, and its table."""
