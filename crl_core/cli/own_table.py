"""The command `table`: a table of one's own, read and looked at before anything is trained on it."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from crl_core.cli.output import path_given, put, warn
from crl_core.cli.table import text_table
from crl_core.data.tables.columns import Raw, Role, TableRefused
from crl_core.data.tables.guess import guessed_roles
from crl_core.data.tables.reading import MOST_BYTES, read_table
from crl_core.data.tables.source import TableSource, table_source
from crl_core.data.user_files import folded, place
from crl_core.world.table_checks import Look, look_at

_SINGLE: tuple[Role, ...] = ("outcome", "treatment", "environment", "mu0", "mu1")


def add_table_command(command: Callable[..., Any]) -> None:
    """Add it with `command(name, what does it, text)`, which returns a parser."""
    parser = command("table", _table, "look at a table of your own: what it holds, and what it can tell")
    parser.add_argument("file", type=path_given, metavar="FILE", help="a CSV or Parquet file with a line of names")
    for role, help in (
        ("outcome", "the column that the treatment may change"),
        ("treatment", "the column that says who was treated"),
        ("environment", "the column that says where a row comes from"),
        ("mu0", "the true mean outcome untreated, where it is known"),
        ("mu1", "the true mean outcome treated, where it is known"),
    ):
        parser.add_argument(f"--{role}", metavar="COLUMN", help=help)
    parser.add_argument("--treated", default="", metavar="VALUE", help="the treatment's value that means treated")
    parser.add_argument("--covariates", nargs="+", metavar="COLUMN", help="default: all that are not left out")
    parser.add_argument("--ignore", nargs="+", default=[], metavar="COLUMN", help="columns that have no part")
    parser.add_argument("--categories", nargs="+", default=[], metavar="COLUMN", help="numbers that name a category")


def _table(options: argparse.Namespace) -> int:
    raw = read_table(_content(options.file))
    roles = _roles(raw, options)
    source = table_source(
        raw,
        roles,
        treated=options.treated,
        label=Path(options.file).name,
        categories=frozenset(_named(raw, name) for name in options.categories),
    )
    look = look_at(source, raw)
    put(options.json, content_of(source, raw, roles, look), lambda: _readable(source, raw, look))
    warn(item.sentence for item in look.findings if item.weight != "note")
    return 0


def _content(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(MOST_BYTES + 1)
    except OSError as error:
        raise ValueError(f"{path}{place(path)} cannot be read: {error.strerror or error}.") from None


def _roles(raw: Raw, options: argparse.Namespace) -> dict[str, Role]:
    """What was said of each column; what was not said is guessed, but never an outcome or a treatment."""
    apart: Mapping[str, Role] = {"id": "id", "ignore": "ignore"}
    roles = {name: apart.get(role, "covariate") for name, role in guessed_roles(raw).items()}
    if options.covariates is not None:
        chosen = {_named(raw, name) for name in options.covariates}
        roles = {name: "covariate" if name in chosen else "ignore" for name in roles}
    given: list[tuple[Role, str | None]] = [("ignore", name) for name in options.ignore]
    given += [(role, getattr(options, role)) for role in _SINGLE]
    for role, name in given:
        if name is not None:
            roles[_named(raw, name)] = role
    return roles


def _named(raw: Raw, name: str) -> str:
    """A column by the name that a person typed."""
    alike = [column for column in raw.columns if folded(column) == folded(name)]
    if name in raw.columns or not alike:
        alike = [name] if name in raw.columns else []
    if len(alike) != 1:
        some = ", ".join(list(raw.columns)[:12]) + (", …" if len(raw.columns) > 12 else "")
        raise TableRefused(f"the table has no column {name[:40]}; its columns are {some}.")
    return alike[0]


def content_of(source: TableSource, raw: Raw, roles: dict[str, Role], look: Look) -> dict[str, Any]:
    """The JSON of `table --json`."""
    return {
        "columns": [{"name": name, "role": role} for name, role in roles.items()],
        "inputs": list(source.features),
        "arms": list(source.arms),
        "rows": {
            "used": source.n_rows,
            "held_out": source.n_held_out,
            "left_out": raw.n_rows - source.n_rows,
            "why": dict(look.left_out),
        },
        "environments": {
            name: {"treated": int(treated), "untreated": int(untreated)}
            for name, (untreated, treated) in zip(source.env_names, look.arms, strict=True)
        },
        "overlap": {"outside": look.outside, "auc": look.auc},
        "naive": look.naive,
        "least_squares": look.least_squares,
        "warnings": [item.sentence for item in look.findings],
    }


def _readable(source: TableSource, raw: Raw, look: Look) -> str:
    untreated, treated = source.arms
    out = [f"{n} ({why})" for why, n in look.left_out.items()]
    lines = [
        f"{source.label}: {source.n_rows} of {raw.n_rows} rows can be used"
        + (f"; left out: {', '.join(out)}." if out else "."),
        f"{len(source.covariates)} covariates become {len(source.features)} inputs. Treated means "
        f"{source.named('treatment')} = {treated}, untreated {untreated}.",
        "",
        text_table(
            (source.named("environment") or "", "untreated", "treated"),
            [(name, str(n[0]), str(n[1])) for name, n in zip(source.env_names, look.arms, strict=True)],
        ),
        "",
        f"Average effect on {source.named('outcome')}: {look.naive:.4g} by the difference in means, "
        f"{look.least_squares:.4g} by least squares per arm.",
        f"Overlap: {100 * look.outside:.0f} % of the rows are hardly ever given the other treatment "
        f"(AUC {look.auc:.2f}; 0.5 in a randomised trial).",
    ]
    return "\n".join([*lines, *(item.sentence for item in look.findings if item.weight == "note")])
