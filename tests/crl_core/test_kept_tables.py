"""Tables kept beside the runs of a store: every bit comes back, nobody else reads them, and forgetting takes all."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from crl_core import RunConfig, train
from crl_core.cli.program import main
from crl_core.config.table import table_config
from crl_core.config.text import altered
from crl_core.data.tables import source as tables
from crl_core.data.tables.columns import Raw, TableRefused, content_hash
from crl_core.data.tables.making import table_source
from crl_core.data.tables.private import PrivateRows, private_rows
from crl_core.data.tables.source import TableMissing, TableSource, find_with, load_again
from crl_core.jobs.executors import Job, LocalProcess
from crl_core.measures.evidence import gather
from crl_core.results import RunResult
from crl_core.runs.kept_tables import PUBLIC, KeptTables
from crl_core.runs.library import Library
from crl_core.runs.records import plain
from crl_core.runs.sealing import StoreError
from crl_core.runs.store import RunStore
from tests.crl_core.made_up import store_in
from tests.crl_core.test_own_tables import ROLES, frame, read


@pytest.fixture(autouse=True)
def nothing_loaded() -> Iterator[None]:
    yield
    find_with(None)
    for content in list(tables._LOADED):
        tables.forget(content)


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    return store_in(tmp_path)


@pytest.fixture
def raw() -> Raw:
    table = frame()
    table["sex"] = table["sex"].where(table.index % 7 > 0, None)
    return read(table)


def columns_of(raw: Raw) -> dict[str, np.ndarray]:
    return {name: values for name, values in raw.columns.items() if name != "id"}


def small(source: TableSource | PrivateRows) -> RunConfig:
    config = table_config(source, np.array([[60, 60], [60, 60]]), lams=(0.0, 1.0), replicates=2, steps=20)
    return altered(config, hidden=8, latent_dim=4, device="cpu")


def test_every_cell_comes_back_with_its_bits_and_its_kind(raw: Raw, store: RunStore) -> None:
    odd = np.array([-0.0, 5e-324, 1e15, np.nan, -np.nan, 0.1, 1.0, -1.0] * 50)
    odd.view(np.uint64)[3] |= 7  # another NaN
    raw.columns["age"][:] = odd
    raw.columns["sex"][:4] = ["", "naïve\u00e9 λ 🙂", "(missing)", None]
    raw.columns["seen"][1] = np.datetime64("NaT")
    raw.columns["seen"][2] = np.datetime64("0099-12-31")
    columns = columns_of(raw)
    source = table_source(raw, ROLES, label="trial.csv")
    kept = KeptTables(store)
    kept.keep(source, columns)
    found = kept.columns(source.content)
    assert found is not None
    assert list(found) == list(columns)
    for name, values in columns.items():
        assert found[name].dtype == values.dtype
        assert found[name].tobytes() == values.tobytes() if values.dtype.kind != "O" else (found[name] == values).all()


def test_who_has_pandas_can_read_the_file_and_nobody_else_on_the_machine(raw: Raw, store: RunStore) -> None:
    source = table_source(raw, ROLES, label="trial.csv")
    KeptTables(store).keep(source, columns_of(raw))
    (file,) = (store.root / "tables").iterdir()
    assert stat.S_IMODE(os.stat(file).st_mode) == 0o600
    assert stat.S_IMODE(os.stat(file.parent).st_mode) == 0o700
    home = pd.read_parquet(file)
    np.testing.assert_array_equal(home["age"], raw.columns["age"])
    assert "id" not in home.columns


def test_rows_are_found_by_content_in_a_process_that_has_not_loaded_them_and_never_on_a_public_server(
    raw: Raw, store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = table_source(raw, ROLES, label="trial.csv")
    expected = source.rows(0)
    kept = KeptTables(store)
    kept.keep(source, columns_of(raw))
    tables.forget(source.content)
    with pytest.raises(TableMissing, match="load its file again"):
        source.rows(0)
    kept.serve_rows()
    for came, was in zip(source.rows(0), expected, strict=True):
        for item in fields(was):
            np.testing.assert_array_equal(getattr(came, item.name), getattr(was, item.name))
    assert tables._LOADED == {}  # they are read when they are needed, not held for ever
    for value, public in (("1", True), ("yes", True), ("0", False), ("no", False), ("", False)):
        monkeypatch.setenv(PUBLIC, value)
        kept.serve_rows()
        if public:
            with pytest.raises(TableMissing):
                source.rows(0)
        else:
            assert len(source.rows(0)[0]) == 320


@pytest.mark.parametrize("damage", ["cut", "changed", "other"])
def test_a_file_that_holds_something_else_is_not_taken(damage: str, raw: Raw, store: RunStore) -> None:
    source = table_source(raw, ROLES, label="trial.csv")
    kept = KeptTables(store)
    columns = columns_of(raw)
    kept.keep(source, columns)
    (file,) = (store.root / "tables").iterdir()
    content = file.read_bytes()
    if damage == "cut":
        file.write_bytes(content[: len(content) // 2])
    elif damage == "changed":
        file.write_bytes(content.replace(b"north", b"n0rth"))
    else:
        kept.keep(source, columns | {"age": columns["age"] + 1})
    assert kept.columns(source.content) is None
    for name in ("../../elsewhere", "a" * 63, "A" * 64):
        assert not kept.has(name)
        assert kept.columns(name) is None
        with pytest.raises(StoreError, match="64 hexadecimal digits"):
            kept.keep(replace(source, content=name), columns)


@pytest.mark.parametrize("lie", ["names", "order", "kinds", "rows", "truth"])
def test_a_strangers_run_that_says_other_things_of_kept_rows_gets_none_of_them(
    lie: str, raw: Raw, store: RunStore
) -> None:
    source = table_source(raw, ROLES, label="trial.csv")
    kept = KeptTables(store)
    kept.keep(source, columns_of(raw))
    tables.forget(source.content)
    kept.serve_rows()
    columns = source.columns
    told = {
        "names": replace(source, columns=tuple(replace(column, name=f"{column.name}?") for column in columns)),
        "order": replace(source, columns=columns[::-1]),
        "kinds": replace(source, columns=tuple(replace(c, kind="number") if c.name == "sex" else c for c in columns)),
        "rows": replace(source, n_rows=source.n_rows - 1),
        "truth": replace(
            source,
            columns=tuple(replace(c, role={"site": "mu0", "sex": "mu1"}.get(c.name, c.role)) for c in columns),  # type: ignore[arg-type]
        ),
    }
    with pytest.raises(TableMissing, match="load its file again"):
        told[lie].rows(0)
    assert len(source.rows(0)[0]) == 320


@pytest.fixture(scope="module")
def result() -> RunResult:
    """Of a private table."""
    source = table_source(read(frame()), ROLES, label="trial.csv")
    return train(small(private_rows(source)))


def test_a_private_run_that_is_taken_in_is_the_run_that_training_the_kept_table_gives(
    result: RunResult, store: RunStore
) -> None:
    raw = read(frame())
    source = table_source(raw, ROLES, label="trial.csv")
    old = store.save(result)
    store.add(old, "evidence", gather(result))
    kept = KeptTables(store)
    kept.keep(source, columns_of(raw))
    new = kept.take_in(old, source)
    assert new == small(source).key
    assert not store.has(old)
    assert [run.key for run in Library(store).runs()] == [new] == kept.runs_of(source.content)
    stored, again = plain(store.load(new)), plain(train(small(source)))
    for name in ("factual_mse", "mmd2", "validation_mse"):
        np.testing.assert_allclose(stored[name], again[name], rtol=1e-6)
    assert store.load(new).config == small(source)
    assert store.part(new, "evidence") is not None
    assert store.missing_parts(new) == ("projection",)
    assert kept.take_in(old, source) is None


def test_the_worker_and_the_command_line_find_a_kept_tables_rows(
    raw: Raw, store: RunStore, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    source = table_source(raw, ROLES, label="trial.csv")
    config = small(source)
    KeptTables(store).keep(source, columns_of(raw))
    tables.forget(source.content)
    executor = LocalProcess(store)
    try:
        outcome = executor.start(Job(key=config.key, config=config)).result(timeout=300)
    finally:
        executor.close()
    assert (outcome.ending, outcome.reason) == ("trained", None)
    monkeypatch.setenv("CRL_CACHE", str(store.root))
    assert main(["export", config.key, "--lam", "1", "--format", "torch-export", "--out", str(tmp_path / "m.pt2")]) == 0


def test_forgetting_deletes_rows_and_runs_of_this_content_whatever_their_roles_and_leaves_others(
    result: RunResult, store: RunStore
) -> None:
    raw = read(frame())
    source = table_source(raw, ROLES, label="trial.csv")
    turned = table_source(raw, ROLES, treated="0", label="trial.csv")
    other = table_source(raw, ROLES | {"sex": "ignore"}, label="trial.csv")
    assert source.content == turned.content != other.content
    kept = KeptTables(store)
    for each in (source, other):
        kept.keep(each, {column.name: raw.columns[column.name] for column in each.columns})
    keys = {}
    for each in (source, turned):
        private = store.save(result)
        keys[each.arms] = kept.take_in(private, each)
    assert sorted(kept.runs_of(source.content)) == sorted(keys.values())  # type: ignore[type-var]
    store.delete(str(keys[turned.arms]))
    assert kept.forget(source.content) == [keys[source.arms]]
    assert store.trashed() == []
    assert [table.source for table in kept.all()] == [other]
    left = b"".join(file.read_bytes() for file in store.root.rglob("*") if file.is_file() and file.suffix != ".parquet")
    assert source.content.encode() not in left
    assert kept.forget(source.content) == []


def test_a_file_is_loaded_again_only_if_it_is_the_one_that_was_trained_on(raw: Raw) -> None:
    source = table_source(raw, ROLES, label="trial.csv")
    tables.forget(source.content)
    changed = frame()
    changed.loc[5, "y"] += 1
    for table, words in (
        (changed, "is not the one that the run was trained on"),
        (frame().iloc[::-1], "is not the one"),
        (frame().drop(columns="sex"), "has no column sex"),
    ):
        with pytest.raises(TableRefused, match=words):
            load_again(source, read(table))
    more = read(frame().assign(more=1.0))
    more.columns["sex"][:] = raw.columns["sex"]
    load_again(source, more)
    assert len(source.rows(0)[0]) == 320
    assert content_hash(columns_of(raw)) == source.content
