"""A person's file becomes columns of one form, whatever wrote it; what cannot be read is told in one sentence."""

from __future__ import annotations

import io
import re
import zipfile

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crl_core.data.tables import reading
from crl_core.data.tables.columns import Raw, TableRefused
from crl_core.data.tables.reading import read_table

CSV = "id,age,site,treated,y,seen\n1,40,north,true,1.5,1899-12-31\n2,,south,false,-2,2001-01-02\n3,61.5,,true,3e-1,\n"


def parquet(frame: pd.DataFrame | pa.Table) -> bytes:
    file = io.BytesIO()
    pq.write_table(frame if isinstance(frame, pa.Table) else pa.Table.from_pandas(frame, preserve_index=False), file)
    return file.getvalue()


def same(one: Raw, other: Raw) -> None:
    assert list(one.columns) == list(other.columns)
    for name, values in one.columns.items():
        assert values.dtype == other.columns[name].dtype, name
        np.testing.assert_array_equal(values, other.columns[name], name)


def test_a_csv_and_its_parquet_give_the_same_columns() -> None:
    found = read_table(CSV.encode())
    frame = pd.DataFrame(
        {
            "id": [1, 2, 3],
            "age": [40, None, 61.5],
            "site": pd.Categorical(["north", "south", None]),
            "treated": [True, False, True],
            "y": np.array([1.5, -2, 0.3], dtype=np.float64),
            "seen": pa.array([-25568, 11324, None], type=pa.date32()).to_pandas(),
        }
    )
    same(found, read_table(parquet(frame)))
    assert found.columns["seen"][0] == np.datetime64("1899-12-31")  # before 1900, and before 1970
    assert found.columns["site"].tolist() == ["north", "south", None]
    assert found.columns["treated"].tolist() == ["true", "false", "true"]
    assert found.notes == ()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_csv_is_read_in_any_unicode_encoding_and_line_end(encoding: str, end: str) -> None:
    same(read_table(CSV.replace("\n", end).encode(encoding)), read_table(CSV.encode()))


@pytest.mark.parametrize(
    ("written", "values"),
    [
        ("a;b\n0,5;1\n1,25;2\n", [0.5, 1.25]),  # a decimal comma, cells parted by ;
        ("a\tb\n1.234,5\t1\n2,0\t2\n", [1234.5, 2.0]),
        ('a,b\n"0,5",1\n"1,25",2\n', [0.5, 1.25]),
        ('a,b\n"1,234,567",1\n"1,234.5",2\n', [1234567.0, 1234.5]),
        ('a,b\n"1,234",1\n12345,2\n', [1234.0, 12345.0]),
        ("a;b\n1.234.567,8;1\n7;2\n", [1234567.8, 7.0]),
        ("a;b;c\n1,234;0,5;x\n2,000;1,5;y\n", [1.234, 2.0]),  # the other column says what the comma is
        ("a;b\n1.234;0,5\n12.000;1,5\n", [1234.0, 12000.0]),  # and so does a point part thousands here
        ("a;b\n1.234;0,5\n12.5;1,5\n", [1.234, 12.5]),  # which parts decimals where nothing else can be meant
        ("a|b\n 1 |1\n 2.5|2\n", [1.0, 2.5]),
        ("a,b\n#DIV/0!,1\n7,2\n", [np.nan, 7.0]),
        ("a,b\ninf,1\n7,2\n", [np.nan, 7.0]),
        ("a,b\nNA,1\nnull,2\n", [np.nan, np.nan]),
    ],
)
def test_numbers_are_read_as_people_write_them(written: str, values: list[float]) -> None:
    found = read_table(written.encode()).columns["a"]
    assert found.dtype == np.float64
    np.testing.assert_array_equal(found, values)


def test_none_is_a_value_and_an_empty_cell_is_not() -> None:
    assert read_table(b"dose,b\nnone,1\n,2\nhigh,3\n").columns["dose"].tolist() == ["none", None, "high"]


def test_what_is_read_otherwise_than_written_is_said_without_quoting_a_cell() -> None:
    rows = "".join(f"{i},{i}\n" for i in range(10))
    found = read_table(f"a,b\n{rows}secret-7,inf\n#REF!,3\n".encode())
    assert found.columns["a"].dtype == object
    said = " ".join(found.notes)
    assert "in 1 row (such as 11)" in said
    assert "1 cells hold an error of Excel" in said
    assert "1 cells hold an infinite number" in said
    assert "secret" not in said


def test_names_of_rows_as_r_and_pandas_write_them_are_a_column() -> None:
    for written in (",x,y\n1,2,3\n2,3,4\n", "x,y\n1,2,3\n2,3,4\n"):
        assert list(read_table(written.encode()).columns) == ["row", "x", "y"]


def workbook() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("xl/workbook.xml", "<x/>")
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "the file is empty"),
        (b"\n \n", "the file is empty"),
        (b"a,b\n", "column names and no rows"),
        (b"a\n1\n2\n", "the file has one column"),
        (b"a,b,a\n1,2,3\n", "columns 1 and 3 are both called a"),
        ("é,b,e\u0301\n1,2,3\n".encode(), "columns 1 and 3 are both called é"),
        (b"1,2\n3,4\n", "the first line holds numbers only"),
        (b"a,b\n1,2\n1,2,3\n1,2\n", "line 3 has 3 cells and the first line names 2 columns"),
        (b"a,b<i>\n1,2\n", "the name of column 2"),
        ("a,b\n1,grün\n".encode("latin-1"), "neither Parquet nor text in UTF-8"),
        (b"a,b\n1,\0\n", "holds bytes that no text has"),
        (workbook(), "a zip archive or an Excel workbook"),
        (b"\x1f\x8b\x08\x00abc", "a compressed file"),
        (b"PAR1 and no more", "the Parquet file cannot be read"),
        (b"a;b\n1,000;x\n2,000;y\n", "a has numbers such as that of row 1 whose comma"),
        (",".join(f"c{i}" for i in range(5000)).encode() + b"\n" + b"1," * 4999 + b"1\n", "5,000 columns"),
    ],
)
def test_what_is_no_table_is_told_in_one_sentence(content: bytes, said: str) -> None:
    with pytest.raises(TableRefused) as refused:
        read_table(content)
    assert said in str(refused.value)
    assert str(refused.value).endswith(".")


def test_nested_parquet_and_too_many_rows_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    nested = pa.table({"a": [1, 2], "tags": [["x"], ["y", "z"]]})
    with pytest.raises(TableRefused, match="tags holds lists"):
        read_table(parquet(nested))
    monkeypatch.setattr(reading, "MOST_ROWS", 3)
    for content in (b"a,b\n" + b"1,2\n" * 9, parquet(pa.table({"a": range(9), "b": range(9)}))):
        with pytest.raises(TableRefused, match="more than 3 rows"):
            read_table(content)


_CELL = st.one_of(
    st.text(max_size=6),
    st.floats().map(str),
    st.integers().map(str),
    st.sampled_from(["", "NA", "#REF!", "1,5", "1,000", "=1+1", "2020-02-31", "31.12.1850", '"', "true", "\u202e"]),
)


def read_or_told(content: bytes) -> Raw | str:
    """A table of one row or more, or one sentence; anything else fails."""
    try:
        found: Raw | str = read_table(content)
    except TableRefused as refused:
        found = str(refused)
    assert found.n_rows > 0 if isinstance(found, Raw) else re.fullmatch(r"[^\n]+\.", found)
    return found


@settings(max_examples=400, deadline=None)
@given(
    rows=st.lists(st.lists(_CELL, min_size=1, max_size=4), max_size=6),
    mark=st.sampled_from(",;\t|"),
    encoding=st.sampled_from(["utf-8", "utf-16", "latin-1"]),
)
def test_any_file_is_a_table_or_a_sentence(rows: list[list[str]], mark: str, encoding: str) -> None:
    content = "\n".join(mark.join(row) for row in rows).encode(encoding, errors="ignore")
    found = read_or_told(content)
    if isinstance(found, Raw):
        assert {values.dtype.kind for values in found.columns.values()} <= set("fOM")
        assert all(not np.isinf(values).any() for values in found.columns.values() if values.dtype.kind == "f")


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=80), st.sampled_from([b"", b"PAR1", b"a,b\n", b"PK"]))
def test_any_bytes_are_a_table_or_a_sentence(content: bytes, start: bytes) -> None:
    read_or_told(start + content)
