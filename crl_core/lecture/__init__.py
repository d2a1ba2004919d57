"""Lecture mode: the λ scrubber as data, script and style, for the page and for the handout."""
