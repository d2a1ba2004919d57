"""Examples in place of a file: listed, written as CSV, or handed to the command `table` with their roles."""

from __future__ import annotations

import argparse
import csv
import io
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from crl_core.cli.output import check_target, path_given, put, write_text
from crl_core.cli.table import text_table
from crl_core.data.tables.columns import Raw, Role, texts
from crl_core.data.tables.examples import EXAMPLES, is_here, load_example


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TableGiven:
    """A table, and what came with it: roles by column, what means treated ("" where nobody said), categories."""

    label: str
    raw: Raw
    roles: Mapping[str, Role]
    treated: str = ""
    categories: frozenset[str] = frozenset()


def add_example_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--examples", action="store_true", help="list the examples, and how to get each")
    parser.add_argument("--example", metavar="NAME", help="an example in place of FILE, with its roles")
    parser.add_argument(
        "--folder", type=path_given, metavar="DIR", help="where the example's package was downloaded or unpacked to"
    )
    parser.add_argument("--write", type=path_given, metavar="FILE", help="only write the example as CSV")


def example_given(options: argparse.Namespace) -> TableGiven | None:
    """The example that was asked for; None where a file was. Raises ValueError where both were, or neither."""
    if options.example is None and options.file is None:
        raise ValueError("no table is given; name a FILE or an --example (--examples lists them).")
    if options.example is not None and options.file is not None:
        raise ValueError("a FILE and an --example are given; give one of them.")
    if options.example is None:
        if options.folder is not None:
            raise ValueError("--folder says where an example is; give an --example with it.")
        return None
    raw, roles, treated, categories = load_example(options.example, options.folder)
    return TableGiven(label=options.example, raw=raw, roles=roles, treated=treated, categories=categories)


def examples_asked_for(options: argparse.Namespace) -> int:
    """Do what `--examples` or `--write` says; returns the exit status."""
    if options.examples:
        if options.file is not None or options.example is not None or options.write is not None:
            raise ValueError("--examples lists the examples and takes no table; leave the table out.")
        put(options.json, examples_content(options.folder), lambda: _readable(options.folder))
        return 0
    check_target(options.write, "--write")
    given = example_given(options)
    if given is None:
        raise ValueError("--write writes an example as CSV; give an --example in place of the FILE.")
    written = {"example": given.label, "rows": given.raw.n_rows, "file": options.write}
    write_text(options.write, raw_csv(given.raw), "--write")
    put(options.json, written, lambda: f"{given.label}: {given.raw.n_rows} rows, written to {options.write}.")
    return 0


def examples_content(folder: str | None) -> list[dict[str, Any]]:
    """The JSON of `table --examples --json`. here: whether it can be loaded now."""
    return [
        {
            "name": example.name,
            "title": example.title,
            "what": example.what,
            "known": example.known,
            "licence": example.licence,
            "ships": example.ships,
            "here": is_here(example.name, folder),
            "get": example.get,
            "roles": dict(example.roles),
            "treated": example.treated,
            "categories": sorted(example.categories),
        }
        for example in EXAMPLES.values()
    ]


def _readable(folder: str | None) -> str:
    found = examples_content(folder)
    lines = [(one["name"], "yes" if one["here"] else "no", one["licence"], one["get"]) for one in found]
    about = [
        "\n".join([f"{one['name']}: {one['title']}", *(_indented(text) for text in (one["what"], one["known"]))])
        for one in found
    ]
    how = "Then: table --example NAME --folder FOLDER. What is installed, or ships with the program, needs no folder."
    return "\n\n".join([text_table(("example", "here", "licence", "how to get it"), lines), how, *about])


def _indented(text: str) -> str:
    return textwrap.fill(text, 100, initial_indent="  ", subsequent_indent="  ", break_on_hyphens=False)


def raw_csv(raw: Raw) -> str:
    """The columns as CSV, from which `read_table` reads the same columns."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(raw.columns)
    writer.writerows(zip(*(texts(cells) for cells in raw.columns.values()), strict=True))
    return file.getvalue()
