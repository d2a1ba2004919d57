"""What a private table's run leaves behind: numbers of its networks, under a key that nobody can guess, and no word."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

import numpy as np
import pytest

from crl_core import RunConfig
from crl_core.config.table import table_config
from crl_core.config.text import altered
from crl_core.data.tables.columns import Raw
from crl_core.data.tables.making import table_source
from crl_core.data.tables.private import PrivateRows, forget_rows, hand_over, private_rows, take_over
from crl_core.data.tables.source import TableMissing, TableSource
from crl_core.jobs.executors import Job, LocalProcess
from crl_core.jobs.manager import JobManager
from crl_core.runs.library import Library
from tests.crl_core.made_up import store_in, wait_until

CANARY, CANARY_NUMBER = "Canary-of-Saint-Vith", 73.15926535897
ROLES = {"blood": "outcome", "given": "treatment", "ward": "environment", CANARY: "covariate", "drug": "covariate"}


def table() -> TableSource:
    rng = np.random.default_rng(0)
    n = 240
    x = rng.normal(size=n)
    x[7] = CANARY_NUMBER
    columns = {
        "blood": x + rng.normal(size=n),
        "given": (rng.random(n) < 0.5).astype(float),
        "ward": np.array([f"{CANARY}-north", f"{CANARY}-south"] * (n // 2), dtype=object),
        CANARY: x,
        "drug": np.array([f"{CANARY} pills", f"{CANARY} drops", "none"] * (n // 3), dtype=object),
    }
    return table_source(Raw(columns=columns), ROLES, label=f"{CANARY}.csv")  # type: ignore[arg-type]


def small(source: PrivateRows) -> RunConfig:
    config = table_config(source, np.array([[60, 60], [60, 60]]), lams=(0.0, 1.0), replicates=2, steps=20)
    return altered(config, hidden=8, latent_dim=4, device="cpu")


def test_each_loading_has_a_key_of_its_own_and_the_config_holds_no_word_of_the_table() -> None:
    source = table()
    first, second = small(private_rows(source)), small(private_rows(source))
    assert first.key != second.key
    assert CANARY not in first.to_json()
    assert RunConfig.from_json(first.to_json()) == first
    assert first.source.env_names == source.env_names
    assert first.source.features == source.features
    np.testing.assert_array_equal(first.source.rows(0)[0].x, source.rows(0)[0].x)


def test_after_the_end_of_its_session_a_run_says_that_its_table_is_gone() -> None:
    rows = private_rows(table())
    forget_rows(rows.token)
    assert rows.label == "your table"
    assert rows.env_names == ("environment 1", "environment 2")
    with pytest.raises(TableMissing, match="load it again"):
        rows.rows(0)


def test_rows_go_to_another_process_in_a_file_that_only_this_user_reads_and_that_is_gone_once_read() -> None:
    rows = private_rows(table())
    train, held_out = rows.rows(0)
    file = hand_over(rows)
    assert file is not None
    assert stat.S_IMODE(os.stat(file).st_mode) == 0o600
    assert CANARY.encode() not in file.read_bytes()
    forget_rows(rows.token)
    take_over(rows, file)
    assert not file.exists()
    for came, was in zip(rows.rows(0), (train, held_out), strict=True):
        np.testing.assert_array_equal(came.x, was.x)
        np.testing.assert_array_equal(came.y, was.y)
    forget_rows(rows.token)
    assert hand_over(rows) is None


@pytest.mark.parametrize(
    ("changed", "value"), [("token", "short"), ("n_rows", 0), ("n_held_out", 240), ("n_envs", 11), ("effects", 1)]
)
def test_a_garbled_config_of_private_rows_is_refused(changed: str, value: object) -> None:
    content = small(private_rows(table())).to_dict()
    content["table"][changed] = value
    with pytest.raises(ValueError, match="train the table again"):
        RunConfig.from_dict(content)


def everything_in(*folders: Path) -> bytes:
    """All bytes of all files."""
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    return b"\n".join(path.read_bytes() for path in files)


def test_a_trained_private_table_leaves_no_value_and_no_name_on_disk_and_is_in_no_list(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    store = store_in(tmp_path / "cache")
    source = table()
    config = small(private_rows(source))
    manager = JobManager(store, LocalProcess(store))
    try:
        manager.submit(config, lam_in_view=1.0)
        wait_until(lambda: not manager.state(config.key).active)
        state = manager.state(config.key)
        assert (state.phase, state.reason) == ("completed", None)
    finally:
        manager.close()
    result = store.load(config.key)
    assert result.config == config
    assert np.isfinite(result.factual_mse).all()
    left = everything_in(tmp_path)
    for secret in (CANARY, "Canary", "blood", "pills", f"{CANARY_NUMBER}"):
        assert secret.encode() not in left
    for kind in (np.float64, np.float32):
        assert kind(CANARY_NUMBER).tobytes() not in left
    assert store.keys() == []
    assert Library(store).runs() == []
    store.discard(config.key)
    assert not store.has(config.key)
    assert not [path for path in tmp_path.rglob("*") if config.key in path.name and "lock" not in str(path)]


def test_a_private_run_whose_session_ended_before_its_turn_fails_in_a_sentence(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    rows = private_rows(table())
    config = small(rows)
    forget_rows(rows.token)
    executor = LocalProcess(store)
    try:
        outcome = executor.start(Job(key=config.key, config=config)).result(timeout=120)
    finally:
        executor.close()
    assert outcome.ending == "failed"
    assert "load it again" in (outcome.reason or "")
