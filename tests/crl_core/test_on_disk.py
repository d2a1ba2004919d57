"""Many rows of a world lie in files without a name: they train as in memory, and take none."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from crl_core import RunConfig, Scenario, Training, train
from crl_core.data import on_disk
from crl_core.data.on_disk import empty_on_disk, rows_on_disk
from crl_core.data.scm import sample
from crl_core.metrics import EPOCH_NAMES

WORLD = Scenario(n_samples=600, propensity=(1.0, 0.0), offset=(2.0, -2.0), heterogeneity=0.5)
TINY = Training(lams=(0.0, 1.0), replicates=2, epochs=2, batch_size=64, hidden=8, latent_dim=4, device="cpu")
# The largest memory of its own, in MB, of a process that trains on so many replicates of 150,000 rows; in small
# batches, since the kernels of large ones take more than the rows do, wherever these lie.
MEMORY = """
import sys, threading, time
from crl_core import RunConfig, Scenario, Training, train
from crl_core.data import on_disk
on_disk.IN_MEMORY = int(sys.argv[2])
def own():
    return next(int(line.split()[1]) / 1024 for line in open("/proc/self/status") if line.startswith("RssAnon"))
most = [0]
def look():
    while True:
        most[0] = max(most[0], own())
        time.sleep(0.005)
training = Training(lams=(0.0,), replicates=int(sys.argv[1]), epochs=1, batch_size=128, hidden=4, latent_dim=2)
threading.Thread(target=look, daemon=True).start()
train(RunConfig(scenario=Scenario(n_samples=150_000), training=training))
print(most[0])
"""


@pytest.mark.parametrize("kept", [{}, {"validation": 0.2}, {"validation": 0.2, "resample": "bootstrap"}])
@pytest.mark.parametrize("penalty", ["mmd", "contrastive"])
def test_a_run_is_the_same_wherever_its_rows_lie(
    monkeypatch: pytest.MonkeyPatch, kept: dict[str, object], penalty: str
) -> None:
    config = RunConfig(
        scenario=WORLD,
        training=replace(TINY, penalty=penalty, matching="oracle", **kept),  # type: ignore[arg-type]
    )
    in_memory = train(config)
    made: list[tuple[int, ...]] = []

    def noted(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:  # type: ignore[type-arg]
        made.append(shape)
        return empty_on_disk(shape, dtype)

    monkeypatch.setattr(on_disk, "IN_MEMORY", 100)
    monkeypatch.setattr(on_disk, "empty_on_disk", noted)
    lying = train(config)
    assert (480, config.dim_x) in made
    for name in EPOCH_NAMES:
        if getattr(in_memory, name, None) is not None:
            np.testing.assert_array_equal(getattr(lying, name), getattr(in_memory, name), err_msg=name)
    for name, values in in_memory.weights.items():
        np.testing.assert_array_equal(lying.weights[name], values, err_msg=name)


def test_rows_on_the_disk_are_those_in_memory_and_their_files_have_no_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    data, index = sample(WORLD, 0), np.arange(0, 600, 7)
    found, wanted = rows_on_disk(data, index), data.rows(index)
    for name in ("x", "t", "env", "y", "y0", "y1", "z", "s"):
        np.testing.assert_array_equal(getattr(found, name), getattr(wanted, name), err_msg=name)
    assert found.unit is None
    maps = Path("/proc/self/maps").read_text()
    assert str(tmp_path) in maps  # they do lie there
    assert list(tmp_path.iterdir()) == []
    del found
    assert str(tmp_path) not in Path("/proc/self/maps").read_text()


def test_without_room_on_the_disk_rows_stay_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int, offset: int, size: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", full)
    found = empty_on_disk((5, 3), np.dtype(np.float32))
    assert found.shape == (5, 3)
    assert found.dtype == np.float32
    assert found.flags.owndata


@pytest.mark.slow
def test_more_replicates_of_many_rows_take_less_than_half_of_what_they_would_in_memory() -> None:
    def most(replicates: int, in_memory: int) -> float:
        arguments = [sys.executable, "-c", MEMORY, str(replicates), str(in_memory)]
        done = subprocess.run(arguments, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=True)
        return float(done.stdout)

    one, six, six_in_memory = most(1, 100_000), most(6, 100_000), most(6, 10_000_000)
    assert six - one < (six_in_memory - one) / 2
