"""What a benchmark on real data is held to: figures with their bounds, printed as a table, kept in a file as JSON."""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from crl_core.cli.table import text_table


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A measured number, and what it may be; without a bound it is told only."""

    name: str
    value: float
    most: float | None = None
    least: float | None = None
    form: str = ".2f"

    @property
    def within(self) -> bool:
        """Whether it keeps to its bounds; a value that is not finite keeps to none."""
        if self.most is None and self.least is None:
            return True
        low, high = (default if bound is None else bound for bound, default in
                     ((self.least, -math.inf), (self.most, math.inf)))  # fmt: skip
        return math.isfinite(self.value) and low <= self.value <= high

    @property
    def bounds(self) -> str:
        found = [f"{sign} {bound:{self.form}}" for sign, bound in (("≥", self.least), ("≤", self.most))
                 if bound is not None]  # fmt: skip
        return ", ".join(found)

    def __str__(self) -> str:
        return f"{self.name} {self.value:{self.form}}" + (f" ({self.bounds})" if self.bounds else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """what: that is measured.  of: on how much of the data."""

    id: str
    what: str
    of: str
    figures: tuple[Figure, ...]

    @property
    def holds(self) -> bool:
        return all(figure.within for figure in self.figures)

    @property
    def cells(self) -> tuple[str, str, str, str]:
        """Id, what is measured, the figures with their bounds, and whether all keep to them."""
        bounded = any(figure.bounds for figure in self.figures)
        return (
            self.id,
            f"{self.what} ({self.of})",
            "; ".join(str(figure) for figure in self.figures),
            "–" if not bounded else "holds" if self.holds else "missed",
        )


Measure = Callable[[argparse.Namespace], Target]
HEADINGS = ("", "what", "measured (bound)", "")


class NotHere(ValueError):
    """The data are not where they were looked for."""


def file_in(folder: str | None, name: str, what: str) -> Path:
    """A file somewhere below `--data FOLDER`. Raises NotHere with one sentence."""
    if folder is None:
        raise NotHere(f"{what} do not come with the program; name the folder that holds {name} with --data FOLDER.")
    found = sorted(Path(folder).rglob(name)) if Path(folder).is_dir() else []
    if not found:
        raise NotHere(f"{what} are not here: no file {name} in the folder {folder}; name another with --data FOLDER.")
    return found[0]


def run(doc: str, measures: Mapping[str, Measure], arguments: list[str] | None = None) -> int:
    """The command of a benchmark: measure, print each row as soon as it is there, and keep it in `--json FILE`.

    doc:     the module's; its first line is the command's help.
    Returns: the exit status: 2 with one sentence where the data are not here.
    """
    parser = argparse.ArgumentParser(description=doc.splitlines()[0])
    parser.add_argument("--data", metavar="FOLDER", help="where the files of IHDP and Jobs are")
    parser.add_argument("--tables", metavar="FOLDER", help="where the packages of example tables are; else installed")
    parser.add_argument("--only", nargs="+", choices=measures, default=list(measures), metavar="ID")
    parser.add_argument("--quick", action="store_true", help="few rows of few data: does it run?")
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep the figures there, beside those it has")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)  # several wait for each other wherever something else runs
    for name in options.only:
        try:
            target = measures[name](options)
        except ValueError as error:  # the data are not here, or not what they should be
            print(f"{name}: {error}", file=sys.stderr)
            return 2
        print(text_table(HEADINGS, [target.cells]), flush=True)
        if options.json is not None:
            keep(options.json, [target])
    return 0


def keep(file: Path, targets: Iterable[Target]) -> None:
    """Write rows into the file; of those that it has, others stay."""
    known: dict[str, Any] = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    known |= {target.id: asdict(target) for target in targets}
    file.write_text(json.dumps(dict(sorted(known.items())), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def kept(file: Path) -> list[Target]:
    """The rows of a file, by the number in their id."""

    def order(target: Target) -> tuple[int, str]:
        return int("".join(sign for sign in target.id if sign.isdigit())), target.id

    content = json.loads(file.read_text(encoding="utf-8"))
    rows = [Target(**row | {"figures": tuple(Figure(**figure) for figure in row["figures"])})
            for row in content.values()]  # fmt: skip
    return sorted(rows, key=order)


def markdown(targets: Iterable[Target]) -> str:
    """The README's table."""
    lines = ["| | what | measured (bound) | |", "|---|---|---|---|"]
    return "\n".join([*lines, *("| " + " | ".join(target.cells) + " |" for target in targets)])
