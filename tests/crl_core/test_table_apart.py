"""A file that is read in a process of its own gives the same columns, and takes nothing with it where it is bad."""

from __future__ import annotations

import io
import re
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crl_core.data.tables.apart import read_apart
from crl_core.data.tables.columns import Raw, TableRefused
from crl_core.data.tables.reading import read_table
from tests.crl_core.test_table_reading import CSV, parquet, same


def test_numbers_dates_texts_gaps_and_notes_arrive_as_they_were_read() -> None:
    content = CSV.encode() + b"4,inf,#REF!,true,2,\n"
    found, expected = read_apart(content), read_table(content)
    same(found, expected)
    assert found.notes == expected.notes != ()
    found.columns["age"][0] = 1  # as columns of one's own
    wide = parquet(pa.table({"a": [1, None], "day": pa.array([-40000, None], pa.date32()), "none": pa.nulls(2)}))
    same(read_apart(wide), read_table(wide))


_CELL = st.one_of(
    st.text(max_size=5),
    st.floats().map(str),
    st.sampled_from(["", "NA", "#N/A", "2001-02-03", "1899-12-31", "true", "inf", "7", "None"]),
)


@settings(max_examples=8, deadline=None)
@given(
    st.lists(st.lists(_CELL, min_size=3, max_size=3), min_size=1, max_size=5), st.sampled_from(["utf-8", "utf-16-le"])
)
def test_any_csv_is_read_as_here_or_refused_in_the_same_words(rows: list[list[str]], encoding: str) -> None:
    content = "\n".join(["a,b,c", *(",".join(row) for row in rows)]).encode(encoding, errors="ignore")
    try:
        expected: Raw | str = read_table(content)
    except TableRefused as refused:
        expected = str(refused)
    if isinstance(expected, str):
        with pytest.raises(TableRefused, match=f"^{re.escape(expected)}$"):
            read_apart(content)
    else:
        found = read_apart(content)
        same(found, expected)
        assert found.notes == expected.notes


def bomb() -> bytes:
    """A megabyte that says: 200,000 cells of a million letters each."""
    n = 200_000
    letters = pa.DictionaryArray.from_arrays(pa.array(np.zeros(n, np.int32)), pa.array(["x" * 1_000_000]))
    file = io.BytesIO()
    pq.write_table(pa.table({"a": letters, "b": np.arange(n)}), file)
    return file.getvalue()


@pytest.mark.skipif(sys.platform != "linux", reason="no limit of memory is set elsewhere")
def test_a_file_that_would_fill_the_memory_is_refused_with_its_size_and_what_fits() -> None:
    content = bomb()
    assert len(content) < 2e6
    with pytest.raises(TableRefused, match=r"of 1\.\d+ MB takes more than the 1\.5 GB .* 100,000 rows of 200 columns"):
        read_apart(content)


def test_a_file_that_takes_too_long_is_refused() -> None:
    with pytest.raises(TableRefused, match=r"was not read in 0\.01 s; 100,000 rows"):
        read_apart(CSV.encode(), limit_s=0.01)


def test_a_reader_that_is_killed_costs_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    victim = tmp_path / "python"
    victim.write_text("#!/bin/sh\nkill -9 $$\n")
    victim.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(victim))
    with pytest.raises(TableRefused, match=r"stopped its reader \(exit status -9\)") as refused:
        read_apart(b"a,b\n" + b"1,2\n" * 100_000)
    assert str(refused.value).endswith(".")
    monkeypatch.setattr(sys, "executable", str(tmp_path / "none"))
    with pytest.raises(TableRefused, match="no process could be started"):
        read_apart(CSV.encode())
