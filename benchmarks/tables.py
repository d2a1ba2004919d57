"""Tables between marks in a Markdown file, made anew from what was measured."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path

Tables = Mapping[str, Callable[[], str]]


def filled(text: str, tables: Tables) -> str:
    """The text with every table made anew that stands between <!-- NAME:start --> and <!-- NAME:end -->."""
    for name, table in tables.items():
        block = f"<!-- {name}:start -->\n{table()}\n<!-- {name}:end -->"
        text = re.sub(rf"<!-- {name}:start -->.*?<!-- {name}:end -->", lambda _, b=block: b, text, flags=re.S)  # type: ignore[misc]
    return text


def fill(file: Path, tables: Tables, *, check: bool) -> int:
    """Write the tables into the file; with `check` write nothing, and return 1 if one is not what it would be."""
    text = file.read_text(encoding="utf-8")
    if check:
        return int(filled(text, tables) != text)
    file.write_text(filled(text, tables), encoding="utf-8")
    return 0
