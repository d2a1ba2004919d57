"""People's own tables: read, looked at, and made a source of rows."""
