"""What a container lets a program have, read from both versions of Linux control groups."""

from __future__ import annotations

from pathlib import Path

import pytest

from crl_core import preset
from crl_core.jobs import machine
from crl_core.jobs.cost import SMALL_EPOCHS, smaller, work


def write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        path = folder / name.replace("__", "/").replace("_dot_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def test_limits_of_a_container_of_version_2_are_found(tmp_path: Path) -> None:
    folder = write(tmp_path, cpu_dot_max="50000 100000\n", memory_dot_max="734003200\n")
    assert machine.cores(folder) == 0.5
    assert machine.memory_bytes(folder) == 734003200


def test_limits_of_a_container_of_version_1_are_found(tmp_path: Path) -> None:
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text("100000\n")
    (tmp_path / "cpu" / "cpu.cfs_period_us").write_text("100000\n")
    (tmp_path / "memory").mkdir()
    (tmp_path / "memory" / "memory.limit_in_bytes").write_text("734003200\n")
    assert machine.cores(tmp_path) == 1.0
    assert machine.memory_bytes(tmp_path) == 734003200


def test_without_limits_it_is_what_the_machine_has(tmp_path: Path) -> None:
    nothing = machine.cores(tmp_path / "nowhere"), machine.memory_bytes(tmp_path / "nowhere")
    open_ended = write(tmp_path, cpu_dot_max="max 100000\n", memory_dot_max="max\n")
    assert (machine.cores(open_ended), machine.memory_bytes(open_ended)) == nothing
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text("-1\n")
    assert machine.cores(tmp_path) == nothing[0] >= 1


@pytest.mark.parametrize(
    ("cores", "memory", "says"),
    [
        (8.0, 16e9, None),
        (1.0, 16e9, "1 processor core"),
        (0.5, 7e8, "0.5 processor cores and 700 MB of memory"),
        (2.0, 1e9, "1000 MB of memory"),
    ],
)
def test_a_small_machine_is_told_by_what_it_lacks(
    cores: float, memory: float, says: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "cores", lambda: cores)
    monkeypatch.setattr(machine, "memory_bytes", lambda: memory)
    assert machine.why_small() == says


def test_a_small_run_costs_a_fraction_and_keeps_world_and_lams() -> None:
    config = preset("hospital")
    small = smaller(config)
    assert (small.scenario, small.training.lams) == (config.scenario, config.training.lams)
    assert (small.training.replicates, small.training.epochs) == (1, SMALL_EPOCHS)
    assert work(small) < work(config) / 5
    assert smaller(small) == small
