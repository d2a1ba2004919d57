"""Two thousand drawn files are tables or sentences, and drawn tables are judged or refused in one."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, Phase, event, given, settings
from hypothesis import strategies as st

from crl_core.data.tables import source as tables
from crl_core.data.tables.columns import Raw, TableRefused
from crl_core.data.tables.guess import guessed_roles
from crl_core.data.tables.making import table_source
from crl_core.data.tables.source import TableSource
from crl_core.data.tables.summary import held
from crl_core.world.table_checks import look_at
from crl_core.world.table_verdict import table_verdict
from tests.crl_core.test_table_reading import _CELL, parquet, read_or_told

N = 160
BOUNDED: Any = {  # in time: what fails is shown as it was drawn
    "deadline": None,
    "suppress_health_check": list(HealthCheck),
    "phases": (Phase.explicit, Phase.reuse, Phase.generate),
}
_NAME = st.one_of(st.text(max_size=8), st.sampled_from(["y", "t", "site", "id", "<b>", "a" * 120, "\u202e", "Y", "é"]))
_KINDS = st.sampled_from(
    [
        pa.float32(), pa.int8(), pa.uint64(), pa.bool_(), pa.string(), pa.large_string(), pa.binary(), pa.date32(),
        pa.timestamp("ns", "UTC"), pa.time32("s"), pa.duration("ms"), pa.decimal128(20, 3), pa.null(),
        pa.list_(pa.int32()), pa.struct([("a", pa.int8())]), pa.dictionary(pa.int8(), pa.string()), pa.float16(),
    ]
)  # fmt: skip


@st.composite
def csv_files(draw: st.DrawFn) -> bytes:
    names = draw(st.lists(_NAME, min_size=1, max_size=5))
    rows = draw(st.lists(st.lists(_CELL, min_size=1, max_size=5), max_size=8))
    mark = draw(st.sampled_from(",;\t|"))
    end = draw(st.sampled_from(["\n", "\r\n", "\r"]))
    encoding = draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-32", "latin-1"]))
    content = end.join(mark.join(row) for row in [names, *rows]).encode(encoding, errors="ignore")
    cut = draw(st.integers(0, len(content)))
    return content[:cut] if draw(st.booleans()) and draw(st.booleans()) else content


@st.composite
def parquet_files(draw: st.DrawFn) -> bytes:
    names = draw(st.lists(_NAME, min_size=1, max_size=4))
    n = draw(st.integers(0, 6))
    arrays = []
    for kind in [draw(_KINDS) for _ in names]:
        cells: list[Any] = draw(st.lists(st.one_of(st.none(), st.integers(0, 100)), min_size=n, max_size=n))
        if pa.types.is_nested(kind):
            arrays.append(pa.array([None] * n, kind))
        elif pa.types.is_dictionary(kind):
            arrays.append(
                pa.array([None if cell is None else str(cell) for cell in cells], pa.string()).dictionary_encode()
            )
        elif pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_binary(kind):
            arrays.append(
                pa.array([None if cell is None else str(cell).encode() for cell in cells], pa.binary()).cast(kind)
            )
        elif pa.types.is_null(kind):
            arrays.append(pa.nulls(n))
        elif pa.types.is_boolean(kind):
            arrays.append(pa.array([None if cell is None else cell % 2 == 0 for cell in cells]))
        else:
            arrays.append(pa.array([None if cell is None else cell for cell in cells], pa.int32()).cast(
                pa.int64() if pa.types.is_temporal(kind) and kind.bit_width == 64 else pa.int32()
            ).cast(kind))  # fmt: skip
    content = parquet(pa.Table.from_arrays(arrays, names=names))
    place = draw(st.integers(0, len(content) - 1))
    return content if draw(st.booleans()) else content[:place] + draw(st.binary(max_size=3)) + content[place + 1 :]


@pytest.mark.slow
@settings(max_examples=2000, **BOUNDED)
@given(st.one_of(csv_files(), parquet_files()))
def test_two_thousand_files_are_tables_or_sentences(content: bytes) -> None:
    found = read_or_told(content)
    if isinstance(found, Raw):
        assert {values.dtype.kind for values in found.columns.values()} <= set("fOM")
        assert {len(values) for values in found.columns.values()} == {found.n_rows}
        assert [item.name for item in held(found)] == list(guessed_roles(found)) == list(found.columns)


KINDS = ("normal", "tiny", "large", "flag", "constant", "text", "levels", "date", "step", "heavy")


def column(kind: str, gaps: float, rng: np.random.Generator) -> np.ndarray:
    """A column of a table, of any kind that there is, with a share of gaps."""
    values: np.ndarray = {
        "normal": lambda: rng.normal(size=N),
        "tiny": lambda: rng.normal(size=N) * 1e-200,
        "large": lambda: rng.normal(size=N) * 1e14,
        "flag": lambda: rng.integers(0, 2, N).astype(float),
        "constant": lambda: np.full(N, 7.0),
        "text": lambda: np.array([f"{i} words" for i in range(N)], dtype=object),
        "levels": lambda: rng.choice(["1", "b", "(other)", "(missing)", "=1+1"], N).astype(object),
        "date": lambda: np.datetime64("1850-01-01") + rng.integers(0, 90_000, N).astype("timedelta64[D]"),
        "step": lambda: np.arange(N) + 1.0,
        "heavy": lambda: rng.standard_cauchy(N) ** 3,
    }[kind]()  # fmt: skip
    gone = rng.random(N) < gaps
    return pd.Series(values).astype(object).where(~gone, None).to_numpy() if gone.any() else values


@settings(max_examples=80, **BOUNDED)
@given(
    y=st.sampled_from(["normal", "tiny", "large", "flag", "heavy", "step", "date"]),
    t=st.sampled_from(["flag", "levels", "flag", "constant"]),
    site=st.sampled_from(["flag", "levels", "text"]),
    covariates=st.lists(
        st.tuples(st.sampled_from(KINDS), st.sampled_from([0.0, 0.1, 0.95, 1.0])), min_size=1, max_size=4
    ),
    copied=st.booleans(),
    seed=st.integers(0, 2**16),
)
def test_any_table_is_judged_or_refused_in_one_sentence(
    y: str, t: str, site: str, covariates: list[tuple[str, float]], copied: bool, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    table = pd.DataFrame({"y": column(y, 0.05, rng), "t": column(t, 0, rng), "site": column(site, 0, rng)})
    for i, (kind, gaps) in enumerate(covariates):
        table[f"c{i}"] = column(kind, gaps, rng)
    if copied:
        table["later"] = table["t"]
    raw = read_or_told(table.to_csv(index=False).encode())
    assert isinstance(raw, Raw)
    roles = guessed_roles(raw) | {"y": "outcome", "t": "treatment", "c0": "covariate"}
    try:
        source = table_source(raw, roles, label="drawn", treated="1")
    except TableRefused as refused:
        said = str(refused)
    else:
        said = judged(source, raw)
    assert all(re.fullmatch(r"[^\n]+[.?]", sentence) and "nan" not in sentence.split() for sentence in said.split("\n"))
    event("judged" if "\n" in said else "refused")


def judged(source: TableSource, raw: Raw) -> str:
    """All that is said of a table, a sentence or two a line."""
    try:
        look = look_at(source, raw)
    finally:
        tables.forget(source.content)
    assert ((look.propensity >= 0) & (look.propensity <= 1)).all()
    assert np.isfinite([look.naive, look.least_squares, *look.differences.values()]).all()
    verdict = table_verdict(source, look, measured_before=False)
    return "\n".join([verdict.sentence, *(a.says for a in verdict.answers), *(item.sentence for item in look.findings)])
