"""A file that a person has, CSV or Parquet, as columns of numbers, dates and text.

One form: a CSV and the Parquet of the same table give equal columns. What a cell holds decides, not how a program typed
          it: true and false are text, whole numbers are floats, a date is a day.
Missing:  NaN, NaT or None, for an empty cell, the usual words ("NA", "null", …), an Excel error, an infinite number.
Privacy:  no message quotes a cell; it says where the cell is.
"""

from __future__ import annotations

import csv
import io
import re
import unicodedata
import warnings
from dataclasses import dataclass, field
from itertools import islice
from typing import Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from crl_core.data.tables.columns import Raw, TableRefused
from crl_core.data.user_files import decode

MOST_BYTES, MOST_ROWS, MOST_COLUMNS = 200_000_000, 200_000, 1_000
MOST_NAME = 100  # characters
EXCEL_ERRORS = ("#N/A", "#DIV/0!", "#VALUE!", "#REF!", "#NAME?", "#NUM!", "#NULL!", "#N/A N/A", "#NA")
MISSING = ("", "NA", "N/A", "n/a", "NaN", "nan", "null", "NULL", "None", "<NA>", "NaT", ".", "?", "-", "--")
_MARKS = ",;\t|"
_HEAD = 1_000_000  # characters in which the first two lines end
_CLOCK = r"[T ]\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:?\d{2})?"
_DATES = (  # every cell of a column by one of them: a year first, or a day first with points
    rf"^(?P<y>\d{{4}})[-/](?P<m>\d{{1,2}})[-/](?P<d>\d{{1,2}})(?:{_CLOCK})?$",
    r"^(?P<d>\d{1,2})\.(?P<m>\d{1,2})\.(?P<y>\d{4})$",
)
_PLAIN = r"^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$"
_COMMA = r"^[+-]?\d*,\d+(?:[eE][+-]?\d+)?$"
_GROUPED = r"^[+-]?\d{1,3}(?:,\d{3})+$"  # 1,000, which a comma may also part from its decimals
_WITH_COMMAS = r"^[+-]?(?:\d+|\d{1,3}(?:\.\d{3})+)(?:,\d+)?(?:[eE][+-]?\d+)?$|^[+-]?,\d+$"
_BOTH = {  # both marks, or one more than once: these are read one way only
    ".": r"^[+-]?\d{1,3}(?:(?:,\d{3}){2,}|(?:,\d{3})+\.\d+)$",
    ",": r"^[+-]?\d{1,3}(?:(?:\.\d{3}){2,}|(?:\.\d{3})+,\d+)$",
}


@dataclass(slots=True)
class _Notes:
    """What reading meets by the way, gathered over columns."""

    excel: int = 0
    infinite: int = 0
    mixed: list[str] = field(default_factory=list)

    def told(self) -> list[str]:
        found = list(self.mixed)
        if self.excel:
            found.append(f"{self.excel} cells hold an error of Excel (#N/A, #DIV/0! or the like) and count as missing.")
        if self.infinite:
            found.append(f"{self.infinite} cells hold an infinite number and count as missing.")
        return found


def read_table(content: bytes) -> Raw:
    """The columns of a file. Raises TableRefused with one sentence."""
    if len(content) > MOST_BYTES:
        raise TableRefused(f"the file has {len(content) / 1e6:.0f} MB; give at most {MOST_BYTES / 1e6:.0f} MB.")
    if content.startswith(b"PAR1"):
        return _parquet(content)
    for start, what in (
        (b"PK\x03\x04", "a zip archive or an Excel workbook"),
        (b"\xd0\xcf\x11\xe0", "an Excel workbook of the old kind"),
        (b"\x1f\x8b", "a compressed file (gzip)"),
    ):
        if content.startswith(start):
            raise TableRefused(f"the file is {what}, whatever its name says; save the table as CSV or Parquet.")
    try:
        text = decode(content)
    except ValueError:
        raise TableRefused(
            "the file is neither Parquet nor text in UTF-8 or UTF-16; save it as CSV in UTF-8."
        ) from None
    if "\0" in text:
        raise TableRefused("the file holds bytes that no text has; save the table as CSV or Parquet.")
    return _csv(text)


# -- CSV ---------------------------------------------------------------------------------------------------------------


def _csv(text: str) -> Raw:
    if not text.strip():
        raise TableRefused("the file is empty; it needs a line of column names and a line for each row.")
    mark = _separator(text)
    try:
        heads = list(islice(csv.reader(text[:_HEAD].splitlines(keepends=True), delimiter=mark), 2))
    except csv.Error as error:
        raise TableRefused(f"the first lines cannot be read ({error}); save the table as CSV again.") from None
    head = heads[0]
    _check_size(len(head), text.count("\n"))
    if len(heads) == 2 and len(heads[1]) == len(head) + 1:
        head = ["", *head]  # R writes the names of rows so, without a name of their own
    names = _names(head)
    if all(re.fullmatch(_PLAIN, name) for name in names):
        raise TableRefused("the first line holds numbers only; it must name the columns.")

    frame = _frame(text, mark, names)
    if len(frame) == 0:
        raise TableRefused("the file has column names and no rows; give at least one row.")
    _check_size(len(names), len(frame))
    notes = _Notes(excel=_count(text, EXCEL_ERRORS, mark))
    decimal = _decimal_of(frame, mark)
    if decimal == ",":
        frame = _frame(text, mark, names, "str")  # a point does not part decimals then, in no column
    columns = {name: _typed(name, frame[name], decimal, notes) for name in names}
    return Raw(columns=columns, notes=tuple(notes.told()))


def _frame(text: str, mark: str, names: list[str], kind: Literal["str"] | None = None) -> pd.DataFrame:
    """The rows below the first line; every cell as text, or each column as pandas takes it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)  # cells without a name would be dropped
            return pd.read_csv(
                io.BytesIO(text.encode()), sep=mark, header=0, names=names, index_col=False, low_memory=False,
                keep_default_na=False, na_values=[*MISSING, *EXCEL_ERRORS], nrows=MOST_ROWS + 1, dtype=kind,
            )  # fmt: skip
    except pd.errors.ParserError as error:
        if "out of memory" in str(error):
            raise MemoryError from None
        raise TableRefused(_ragged(str(error))) from None
    except pd.errors.ParserWarning:
        raise TableRefused(
            f"some lines have more cells than the {len(names)} that the first line names; put text that holds the "
            "separating mark in quotation marks."
        ) from None
    except (ValueError, OverflowError) as error:
        raise TableRefused(f"the table cannot be read ({type(error).__name__}); save it as CSV again.") from None


def _separator(text: str) -> str:
    """The mark that parts most cells of the first line, outside quotes."""
    line = re.sub(r'"[^"]*"', "", next(line for line in text.split("\n") if line.strip()))
    counts = {mark: line.count(mark) for mark in _MARKS}
    best = max(counts, key=lambda mark: counts[mark])
    if not counts[best]:
        raise TableRefused("the file has one column; it needs an outcome, a treatment and a covariate at least.")
    return best


def _check_size(n_columns: int, n_rows: int) -> None:
    if n_columns > MOST_COLUMNS:
        raise TableRefused(f"the table has {n_columns:,} columns; give at most {MOST_COLUMNS:,}.")
    if n_rows > MOST_ROWS + 1:
        raise TableRefused(f"the table has more than {MOST_ROWS:,} rows; give a sample of them.")


def _names(head: list[str]) -> list[str]:
    """The columns' names, composed (NFC), without spaces at the ends. One that is empty is called by its place."""
    names: list[str] = []
    for place, written in enumerate(head, start=1):
        name = " ".join(unicodedata.normalize("NFC", str(written)).split())
        name = name or ("row" if place == 1 and "row" not in head else f"column {place}")
        if not name.isprintable() or "<" in name or len(name) > MOST_NAME:
            raise TableRefused(
                f"the name of column {place} has more than {MOST_NAME} characters, a < or one that cannot be printed; "
                "rename it."
            )
        if name in names:
            raise TableRefused(
                f"columns {names.index(name) + 1} and {place} are both called {name}; give each a name of its own."
            )
        names.append(name)
    if len(names) < 2:
        raise TableRefused("the file has one column; it needs an outcome, a treatment and a covariate at least.")
    return names


def _ragged(error: str) -> str:
    found = re.search(r"Expected (\d+) fields in line (\d+), saw (\d+)", error)
    if found is None:
        return "the table cannot be read: a quotation mark is opened and never closed, it seems; save it as CSV again."
    return (
        f"line {found[2]} has {found[3]} cells and the first line names {found[1]} columns; put text that holds the "
        "separating mark in quotation marks."
    )


def _count(text: str, words: tuple[str, ...], mark: str) -> int:
    """How many cells are one of `words`."""
    if "#" not in text:
        return 0
    cell = rf'(?:^|(?<=[{re.escape(mark)}\n]))"?(?:{"|".join(map(re.escape, words))})"?(?=[{re.escape(mark)}\n]|$)'
    return len(re.findall(cell, text))


def _decimal_of(frame: pd.DataFrame, mark: str) -> str:
    """The file's decimal mark: a comma where some cell can be read in no other way, and cells are not parted by it."""
    texts = [frame[name].dropna().astype(str).str.strip() for name in frame if _is_text(frame[name])]
    commas = [bool((cells.str.match(_COMMA) & ~cells.str.match(_GROUPED)).any()) for cells in texts]
    return "," if mark != "," and any(commas) else "."


def _is_text(cells: pd.Series) -> bool:
    return not (pd.api.types.is_numeric_dtype(cells) or pd.api.types.is_datetime64_any_dtype(cells))


def _typed(name: str, cells: pd.Series, decimal: str, notes: _Notes) -> np.ndarray:
    """A column in its one form."""
    if pd.api.types.is_bool_dtype(cells):
        return _text(cells.map({True: "true", False: "false"}))
    if not _is_text(cells):
        return _finite(cells.to_numpy(dtype=np.float64, na_value=np.nan), notes)
    tidy = cells.astype("str").str.strip().replace(list(MISSING), None)
    known = tidy.dropna()
    if not len(known):
        return np.full(len(cells), np.nan)
    there = tidy.notna().to_numpy()
    if (numbers := _numbers(name, known, decimal)) is not None:
        values = np.full(len(cells), np.nan)
        values[there] = numbers
        return _finite(values, notes)
    if (days := _dates(known)) is not None:
        dates = np.full(len(cells), np.datetime64("NaT", "D"))
        dates[there] = days
        return dates
    if set(known.str.lower().unique()) <= {"true", "false"}:
        tidy = tidy.str.lower()  # as a program writes them
    numeric = known.str.match(_PLAIN)
    if 0.5 < numeric.mean() < 1:
        where = ", ".join(str(row + 1) for row in np.flatnonzero(there)[~numeric.to_numpy()][:3])
        odd = int((~numeric).sum())
        notes.mixed.append(
            f"{name} holds numbers and, in {odd} {'row' if odd == 1 else 'rows'} (such as {where}), something else: "
            "it is read as text."
        )
    return _text(tidy)


def _finite(values: np.ndarray, notes: _Notes) -> np.ndarray:
    infinite = np.isinf(values)
    notes.infinite += int(infinite.sum())
    return np.where(infinite, np.nan, values) + 0.0


def _text(cells: pd.Series) -> np.ndarray:
    return np.array([None if value is None or value != value else str(value) for value in cells], dtype=object)


def _numbers(name: str, known: pd.Series, decimal: str) -> np.ndarray | None:
    """The column as numbers, or None. Raises TableRefused where it can be read as two."""
    if decimal == "." and known.str.match(_PLAIN).all():
        return known.astype(float).to_numpy()
    if known.str.match(rf"{_PLAIN}|{_GROUPED}").all() and decimal == ".":
        single = known.str.match(r"^[+-]?\d{1,3},\d{3}$")
        sure = known.str.match(_BOTH["."]) | known.str.match(r"^[+-]?\d{4,}")
        if single.any() and not sure.any():
            row = int(np.flatnonzero(single.to_numpy())[0]) + 1
            raise TableRefused(
                f"{name} has numbers such as that of row {row} whose comma may part thousands or decimals; write "
                "decimals with a point, or thousands without a comma."
            )
        return known.str.replace(",", "").astype(float).to_numpy()
    if decimal == "," and known.str.match(_WITH_COMMAS).all():
        return known.str.replace(".", "").str.replace(",", ".").astype(float).to_numpy()
    for mark, group in ((".", ","), (",", ".")):
        shape = rf"{_PLAIN}|{_BOTH[mark]}" if mark == "." else rf"^[+-]?\d+$|{_COMMA}|{_BOTH[mark]}"
        if known.str.match(shape).all():
            return known.str.replace(group, "").str.replace(mark, ".").astype(float).to_numpy()
    return None


def _dates(known: pd.Series) -> np.ndarray | None:
    """The column as days, or None. Any year from 1 on; months and days that are none make it text."""
    for pattern in _DATES:
        if not known.str.match(pattern).all():
            continue
        parts = known.astype(object).str.extract(pattern).astype(int)
        iso = [f"{y:04d}-{m:02d}-{d:02d}" for y, m, d in parts[["y", "m", "d"]].itertuples(index=False)]
        try:
            return np.array(iso, dtype="datetime64[D]")
        except ValueError:
            return None
    return None


# -- Parquet -----------------------------------------------------------------------------------------------------------


def _parquet(content: bytes) -> Raw:
    try:
        file = pq.ParquetFile(io.BytesIO(content))
        schema = file.schema_arrow
        _check_size(len(schema), file.metadata.num_rows)
        names = _names(list(schema.names))
        for name, kind in zip(names, schema.types, strict=True):
            if pa.types.is_nested(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
                raise TableRefused(f"{name} holds lists, records or bytes; leave it out, or make it plain columns.")
        table = file.read()
    except (TableRefused, MemoryError):
        raise
    except Exception as error:  # a damaged file fails in many ways, and all of them mean this
        raise TableRefused(
            f"the Parquet file cannot be read ({type(error).__name__}); write it again, without a password."
        ) from None
    if table.num_rows == 0:
        raise TableRefused("the file has column names and no rows; give at least one row.")
    notes = _Notes()
    columns = {name: _of_arrow(name, table.column(i), notes) for i, name in enumerate(names)}
    return Raw(columns=columns, notes=tuple(notes.told()))


def _of_arrow(name: str, column: pa.ChunkedArray, notes: _Notes) -> np.ndarray:
    kind = column.type
    if pa.types.is_dictionary(kind):
        return _of_arrow(name, column.cast(kind.value_type), notes)
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        return np.asarray(column.cast(pa.date32(), safe=False).to_numpy(), dtype="datetime64[D]")
    if pa.types.is_boolean(kind):
        return np.array([None if value is None else str(value).lower() for value in column.to_pylist()], dtype=object)
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return _finite(np.array(column.cast(pa.float64(), safe=False).to_numpy(), dtype=np.float64), notes)
    if pa.types.is_null(kind):
        return np.full(len(column), np.nan)
    cells = pd.Series(column.cast(pa.string()).to_pylist(), dtype="str").replace(list(EXCEL_ERRORS), None)
    return _typed(name, cells, ".", notes)
