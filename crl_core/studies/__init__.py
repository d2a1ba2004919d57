"""Questions asked over many runs, each with its claims."""
