"""Lessons: what is asked before it is seen, as data (`*.toml`, one file a lesson; `lesson.py` explains the fields)."""
