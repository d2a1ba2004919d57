"""Rows as a table has them, by the names of its columns: what the served model was trained on says how they become
inputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import numpy as np

from crl_core.data.tables.columns import MISSING, OTHER, Column, encoded, is_missing
from crl_core.data.tables.signals import sample_places
from crl_core.data.tables.source import TableSource

Cell = str | float | None


class BadCell(ValueError):
    """A sentence that names the column and the row, and repeats no cell."""


def covariates_of(metadata: Mapping[str, Any]) -> tuple[Column, ...]:
    """The columns that a model of a table is asked with; () of a model whose inputs have no other form.

    metadata: of a model file.
    """
    table = metadata.get("config", {}).get("table")
    if not isinstance(table, Mapping) or table.get("kind") != "table":
        return ()
    return TableSource.from_dict(table).covariates


def examples_of(columns: Sequence[Column]) -> list[dict[str, Cell]]:
    """A row that has everything, and one that has what it must: a signal's samples, nothing else."""
    whole = example_of(columns)
    return [whole, {column.name: whole[column.name] for column in columns if column.signal}]


def example_of(columns: Sequence[Column]) -> dict[str, Cell]:
    """A row that works: medians, first levels, earliest days."""
    found: dict[str, Cell] = {}
    for column in columns:
        if column.kind == "category":
            found[column.name] = next((level for level in column.levels if level not in (OTHER, MISSING)), None)
        else:
            number = float(f"{column.fill:.4g}") if column.signal else round(column.fill, 3)  # a trace has any unit
            found[column.name] = column.start if column.kind == "date" else number
    return found


def inputs_of(columns: Sequence[Column], rows: Sequence[Mapping[str, Cell]]) -> tuple[np.ndarray, list[str]]:
    """The inputs of rows, [n, d] float32, and what was filled in, a sentence a column.

    A cell that is absent, null or empty is missing, and is filled as in training; a level that training did not see
    counts as `OTHER`. A signal has all its samples. Raises BadCell.
    """
    names = {column.name for column in columns}
    for place, row in enumerate(rows):
        if unknown := sorted(set(row) - names):
            raise BadCell(
                f"rows.{place} has {len(unknown)} columns that the model does not know; it knows "
                f"{', '.join(sorted(names))}."
            )
    parts, notes = [], []
    for column in columns:
        values = _values(column, [row.get(column.name) for row in rows])
        if column.signal and (gaps := is_missing(values)).any():
            raise BadCell(
                f"rows.{int(gaps.argmax())} has no {column.name}, a sample of its signal; send all samples, or leave "
                "the row out."
            )
        parts.append(encoded(column, values))
        notes += _notes(column, values)
    x = np.concatenate(parts, axis=1)
    if samples := list(sample_places(columns)):
        flat = np.ptp(x[:, samples], axis=1) == 0
        if flat.any():
            raise BadCell(
                f"rows.{int(flat.argmax())} has one value in all samples of its signal, as of an electrode that is "
                "off; leave the row out."
            )
    return x.astype(np.float32), notes


def _values(column: Column, cells: Sequence[Cell]) -> np.ndarray:
    """The cells of a column as a table is read."""
    found = [None if cell is None or (isinstance(cell, str) and not cell.strip()) else cell for cell in cells]
    if column.kind == "category":
        return np.array([None if cell is None else _text(cell) for cell in found], dtype=object)
    try:
        if column.kind == "date":
            days = [np.datetime64("NaT") if cell is None else _day(cell) for cell in found]
            return np.array(days, dtype="datetime64[D]")
        return np.array([np.nan if cell is None else float(cell) for cell in found])
    except ValueError:
        what = "a day such as 2024-05-31" if column.kind == "date" else "a number, with a decimal point"
        raise BadCell(
            f"a cell of {column.name} cannot be read; it takes {what}, or null where it is missing."
        ) from None


def _text(cell: str | float) -> str:
    return cell.strip() if isinstance(cell, str) else f"{cell:.15g}"


def _day(cell: str | float) -> np.datetime64:
    return np.datetime64(date.fromisoformat(str(cell).strip()[:10]), "D")


def _notes(column: Column, values: np.ndarray) -> list[str]:
    """What was not as it is in training."""
    if column.kind == "category":
        gone = int(sum(value is None for value in values))
        known = {*column.levels, *(level.strip("“”") for level in column.levels)} - {OTHER, MISSING}
        strange = int(sum(value is not None and value not in known for value in values))
        found = [(strange, f"a value of {column.name} that training did not see, which counts as {OTHER}")]
        return [_counted(n, what) for n, what in [*found, (gone, f"no {column.name}")] if n]
    gone = int((np.isnat(values) if column.kind == "date" else np.isnan(values)).sum())
    return [_counted(gone, f"no {column.name}, which is taken for the median of training")] if gone else []


def _counted(n: int, what: str) -> str:
    return f"{n} row{'' if n == 1 else 's'} with {what}."
