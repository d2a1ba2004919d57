"""The commands `study plan|run|status|table|list|show`: a grid of runs that a file describes."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from crl_core.cli.output import PROGRAM, check_target, path_given, put, tell
from crl_core.cli.table import text_table
from crl_core.cli.workers import add_worker_options, asked_for, size
from crl_core.config.numbers import number, option
from crl_core.jobs.cost import duration
from crl_core.jobs.local_pool import LocalPool, cores
from crl_core.runs.sealing import write_atomically
from crl_core.runs.store import RunStore
from crl_core.studies.grid import drive
from crl_core.studies.grid.folder import Status, StudyFolder, parquet, writing
from crl_core.studies.grid.rows import Cell, averages, read_table
from crl_core.studies.grid.study_file import Study, read_study, shipped

_SHOWN = 8  # failed or impossible runs that are listed
FAILED, INTERRUPTED = 1, 130


def add_study_file_commands(command: Callable[..., Any]) -> None:
    """Add them with `command(name, what does it, text)`, which returns a parser."""
    which = f"a study.toml, or one of {', '.join(shipped())}"

    def with_study(name: str, does: Callable[[argparse.Namespace], int], text: str) -> argparse.ArgumentParser:
        parser: argparse.ArgumentParser = command(name, does, text)
        parser.add_argument("study", type=path_given, metavar="STUDY", help=which)
        return parser

    every_core = f"one a core, {cores()}"
    plan = with_study("plan", _plan, "what a study is made of, what is stored already, what the rest will cost")
    add_worker_options(plan, every_core)
    run = with_study("run", _run, "carry out a study, or go on with it where it was left")
    add_worker_options(run, every_core)
    run.add_argument(
        "--retries",
        type=option(unit="retries", whole=True),
        default=drive.RETRIES,
        metavar="N",
        help=f"of a run that failed, before it is given up; default {drive.RETRIES}",
    )
    run.add_argument("--out", type=path_given, metavar="FILE", help="also write the table, .csv or .parquet")
    with_study("status", _status, "how far a study is, on whatever machine it runs")
    found = with_study("table", _table, "the table of a study, or means along its axes")
    found.add_argument("--pivot", metavar="ROWS[,COLUMNS]", help="axes; means over all others, with 95 %% intervals")
    found.add_argument("--metric", metavar="NAME", help="of the means; default the first of the study")
    found.add_argument(
        "--at", metavar="RULE|λ", help="of the means: a rule of the study, or a λ; default its first rule, or 1"
    )
    found.add_argument("--out", type=path_given, metavar="FILE", help="write the table, .csv or .parquet")
    with_study("show", _show, "print a study's file")
    command("list", _list, "the studies that come with the program, and those that were begun here")


def _plan(options: argparse.Namespace) -> int:
    store = RunStore()
    study = read_study(options.study, store)
    found = drive.cost(study, store)
    slots, where = size(options, store)
    content = {
        "id": study.id,
        "title": study.title,
        "runs": found.runs,
        "stored": len(found.stored),
        "seconds": found.rest_s,
        "at_once": slots,
        "impossible": [{"which": which, "why": why} for which, why in study.impossible],
        "axes": list(study.columns),
    }
    put(options.json, content, lambda: _planned(study, found, slots, where))
    return 0


def _planned(study: Study, found: drive.Cost, slots: int, where: str) -> str:
    lines = [f"{study.title} ({study.id})", *([study.asks] if study.asks else [])]
    lines.append(f"{_runs(found.runs)}, {len(found.stored)} stored already; axes: {', '.join(study.columns) or 'none'}")
    left = found.runs - len(found.stored)
    if left:
        about = f"about {duration(found.rest_s)} of training" if found.rest_s else "no time"
        lines.append(f"to train: {_runs(left)}, {about}; {where}: about {duration(found.rest_s / slots)}")
    lines += _some("cannot be", [f"{which}: {why}" for which, why in study.impossible])
    return "\n".join(lines)


def _run(options: argparse.Namespace) -> int:
    store = RunStore()
    _check_out(options.out)
    study = read_study(options.study, store)
    for which, why in study.impossible[:_SHOWN]:
        tell(f"{PROGRAM}: left out, since it cannot be: {which}: {why}")
    if len(study.impossible) > _SHOWN:
        tell(f"{PROGRAM}: and {len(study.impossible) - _SHOWN} more that cannot be")
    with writing(store, options.out) if options.out else nullcontext():
        executor = asked_for(options, store) or LocalPool(store)
        try:
            ended = drive.carry_out(study, store, executor, retries=options.retries, on_event=_Told(study))
        except KeyboardInterrupt:
            tell(f"{PROGRAM}: cancelled; what is stored stays, and the same command goes on.")
            return INTERRUPTED
        finally:
            executor.close()
        folder = StudyFolder(store, study.id)
        if options.out:
            _write_table(folder, options.out)
    put(options.json, _content(ended), lambda: _said(ended))
    if ended.stopped:
        tell(f"{PROGRAM}: {ended.stopped}")
    return FAILED if ended.failed or not ended.ended else 0


class _Told:
    """A line on standard error for each run that ended, and for each that is tried again."""

    def __init__(self, study: Study) -> None:
        self._at = {point.key: ", ".join(map(str, point.at)) for point in study.points}
        self._runs, self._ended = len(study.runs), 0

    def __call__(self, what: str, entry: Mapping[str, Any]) -> None:
        key = entry.get("run", "")
        name = f"{key} ({self._at[key]})" if self._at.get(key) else key
        if what == "resumed":
            self._ended = entry["done"]
        elif what == "done":
            self._ended += 1
            tell(f"{self._ended} of {self._runs}: {name} {entry['ending']}")
        elif what == "failed":
            self._ended += 1
            tell(f"{self._ended} of {self._runs}: {name} failed: {entry['reason']}")
        elif what == "retry":
            tell(f"{name} is tried again: {entry['reason']}")


def _status(options: argparse.Namespace) -> int:
    status = _folder(options).status()
    put(options.json, _content(status), lambda: _said(status))
    return 0


def _table(options: argparse.Namespace) -> int:
    folder = _folder(options)
    _check_out(options.out)
    text = folder.table_text()
    if not text:
        raise ValueError(f"the study {folder.path.name} has no table yet; run it first.")
    if options.out:
        with writing(RunStore(), options.out):
            _write_table(folder, options.out)
    if options.pivot is None:
        frame = read_table(text)
        put(options.json, {"rows": frame.to_dict(orient="records")}, lambda: text.rstrip("\n"))
        return 0
    by, metric, pick = _asked(options, text)
    cells = averages(read_table(text), by, metric, pick)
    content = {"by": by, "metric": metric, "at": pick, "cells": [_cell_content(cell) for cell in cells]}
    put(options.json, content, lambda: _pivot(cells, by, metric, pick))
    return 0


def _asked(options: argparse.Namespace, text: str) -> tuple[list[str], str, str | float]:
    """Axes, metric and λ of the means. Raises ValueError."""
    columns = text.partition("\n")[0].split(",")
    at = columns.index("lam")
    axes, metrics = columns[1:at], [n for n in columns[at + 3 :] if not n.startswith("picked_")]
    rules = [name.removeprefix("picked_") for name in columns if name.startswith("picked_")]
    by = [name.strip() for name in options.pivot.split(",") if name.strip()]
    if not 1 <= len(by) <= 2 or (unknown := [name for name in by if name not in axes]) or len(set(by)) < len(by):
        which = unknown[0] if 1 <= len(by) <= 2 and unknown else options.pivot
        raise ValueError(f"--pivot {which}: give one or two axes of the study, {', '.join(axes) or 'which has none'}.")
    metric = options.metric or metrics[0]
    if metric not in metrics:
        raise ValueError(f"--metric {metric}: the study measures {', '.join(metrics)}.")
    if options.at is None:
        return by, metric, rules[0] if rules else 1.0
    if options.at in rules:
        return by, metric, options.at
    try:
        return by, metric, float(number(options.at))
    except ValueError:
        known = f"a rule of the study ({', '.join(rules)})" if rules else "a λ (the study has no rule)"
        raise ValueError(f"--at {options.at}: give {known}, or a number.") from None


def _pivot(cells: list[Cell], by: list[str], metric: str, pick: str | float) -> str:
    where = f"at the λ that {pick} picks" if isinstance(pick, str) else f"at λ = {pick:g}"
    ending = f"{metric} {where}: mean and 95 % interval over all else (Student's t); n: models."
    if len(by) == 1:
        lines = [[str(cell.at[0]), _mean(cell), str(cell.n)] for cell in cells]
        return "\n".join([text_table([by[0], metric, "n"], lines), "", ending])
    rows, columns = (list(dict.fromkeys(cell.at[k] for cell in cells)) for k in (0, 1))
    of = {cell.at: cell for cell in cells}
    lines = [[str(row), *(_mean(of[row, c]) if (row, c) in of else "" for c in columns)] for row in rows]
    return "\n".join([text_table([f"{by[0]} \\ {by[1]}", *map(str, columns)], lines), "", ending])


def _mean(cell: Cell) -> str:
    interval = f" [{cell.low:.3g}, {cell.high:.3g}]" if math.isfinite(cell.low) else ""
    broken = f", {cell.broken} broken" if cell.broken else ""
    return f"{cell.mean:.3g}{interval}{broken}" if cell.n else f"–{broken}"


def _cell_content(cell: Cell) -> dict[str, Any]:
    return {
        "at": list(cell.at),
        "mean": cell.mean,
        "low": cell.low,
        "high": cell.high,
        "n": cell.n,
        "broken": cell.broken,
    }


def _show(options: argparse.Namespace) -> int:
    path = shipped().get(options.study)
    text = path.read_text(encoding="utf-8") if path is not None else _folder(options).text()
    put(options.json, {"study": text}, lambda: text.rstrip("\n"))
    return 0


def _list(options: argparse.Namespace) -> int:
    store = RunStore()
    begun = [folder.status() for folder in StudyFolder.all(store)]
    content = {"shipped": list(shipped()), "begun": [_content(status) for status in begun]}
    lines = [[s.id, f"{len(s.done)} of {len(s.keys)}", "under way" if s.driven else "", s.title] for s in begun]

    def readable() -> str:
        here = text_table(["study", "done", "", "title"], lines) if lines else "None was begun here."
        return f"Come with the program: {', '.join(shipped())}\n\n{here}"

    put(options.json, content, readable)
    return 0


# -- in common ---------------------------------------------------------------------------------------------------------


def _folder(options: argparse.Namespace) -> StudyFolder:
    """The folder of the study that was named: by its id, or by its file. Raises ValueError or StoreError."""
    store = RunStore()
    for folder in StudyFolder.all(store):
        if folder.path.name == options.study:
            return folder
    path = shipped().get(options.study, Path(options.study))
    if path.is_file():
        text = path.read_text(encoding="utf-8", errors="replace")
        found = StudyFolder.of_text(store, text)  # at once; a changed comment is the same study all the same
        return found or StudyFolder(store, read_study(options.study, store).id)
    begun = ", ".join(folder.path.name for folder in StudyFolder.all(store)) or "none"
    raise ValueError(f"there is no study {options.study}; begun here: {begun}. Give its file, or one of these.")


def _check_out(target: str | None) -> None:
    check_target(target, "--out")
    if target is not None and not target.endswith((".csv", ".parquet")):
        raise ValueError(f"--out {target}: the table is written as .csv or .parquet; give one of these endings.")


def _write_table(folder: StudyFolder, target: str) -> None:
    text = folder.table_text()
    try:
        write_atomically(Path(target), parquet(text) if target.endswith(".parquet") else text.encode())
    except OSError as error:
        raise ValueError(f"--out {target}: {error.strerror or error}; give another file.") from None


def _content(status: Status) -> dict[str, Any]:
    return {
        "id": status.id,
        "title": status.title,
        "runs": len(status.keys),
        "done": len(status.done),
        "failed": [{"run": key, "reason": reason} for key, reason in status.failed.items()],
        "under_way": list(status.under_way),
        "rest_s": status.rest_s,
        "stopped": status.stopped,
        "table": str(status.folder / "table.csv"),
    }


def _said(status: Status) -> str:
    lines = [f"{status.title} ({status.id})", f"{len(status.done)} of {_runs(len(status.keys))} done"]
    if status.driven:
        left = f", about {duration(status.rest_s)} of training left" if status.rest_s else ""
        lines.append(f"under way: {', '.join(status.under_way) or 'none'}{left}")
    elif status.stopped and not status.ended:
        lines.append(f"stopped: {status.stopped}")
    elif not status.ended:
        lines.append(f"not under way; go on: {PROGRAM} study run STUDY")
    lines += _some("failed", [f"{key}: {reason}" for key, reason in status.failed.items()])
    lines.append(f"table: {status.folder / 'table.csv'}")
    return "\n".join(lines)


def _some(what: str, lines: list[str]) -> list[str]:
    more = [f"  and {len(lines) - _SHOWN} more"] if len(lines) > _SHOWN else []
    return [f"{len(lines)} {what}:", *(f"  {line}" for line in lines[:_SHOWN]), *more] if lines else []


def _runs(n: int) -> str:
    return f"{n} run{'' if n == 1 else 's'}"
