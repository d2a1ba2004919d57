"""A study on the workers of a real Dask scheduler: whatever dies, the same command ends with every run trained once."""

from __future__ import annotations

import errno
import os
import random
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from crl_core.jobs.cluster import DaskCluster, NoScheduler
from crl_core.jobs.cluster_task import carry_out, difference, versions
from crl_core.jobs.executors import Job
from crl_core.jobs.local_pool import LocalPool
from crl_core.runs import keyed
from crl_core.runs.bundle import import_run
from crl_core.runs.store import RunStore
from crl_core.studies.grid import drive
from crl_core.studies.grid.folder import StudyFolder
from crl_core.studies.grid.study_file import Study, study_of
from tests.crl_core.made_up import assert_same, endless_config, store_in, tiny_config, wait_until
from tests.crl_core.test_study_runs import table, trainings

ROOT = Path(__file__).parents[2]


class Cluster:
    """A scheduler and workers as processes of their own, which can be killed and started again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.processes: list[subprocess.Popen[bytes]] = []

    @property
    def address(self) -> str:
        return f"tcp://127.0.0.1:{self.port}"

    def _run(self, *arguments: str, **env: str) -> subprocess.Popen[bytes]:
        folder = self.folder / f"process-{len(self.processes)}"
        folder.mkdir(parents=True)
        with open(folder / "log", "wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", *arguments, "--no-dashboard"],
                cwd=ROOT,
                env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)} | env,
                stdout=log,
                stderr=log,
            )
        self.processes.append(process)
        return process

    def scheduler(self) -> subprocess.Popen[bytes]:
        process = self._run("distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", str(self.port))
        wait_until(lambda: self._listens(), 60)
        return process

    def _listens(self) -> bool:
        with socket.socket() as probe:
            probe.settimeout(1)
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def worker(self, *more: str, **env: str) -> subprocess.Popen[bytes]:
        own = str(self.folder / f"worker-{len(self.processes)}")
        arguments = ("--nthreads", "1", "--no-nanny", "--local-directory", own, *more)
        return self._run("distributed.cli.dask_worker", self.address, *arguments, **env)

    def await_workers(self, n: int, store: RunStore) -> None:
        def there() -> bool:
            with suppress(NoScheduler):
                cluster = DaskCluster(store, self.address)
                threads = cluster.threads
                cluster.close()
                return threads >= n
            return False

        wait_until(there, 90)

    def close(self) -> None:
        for process in self.processes:
            process.kill()
        for process in self.processes:
            process.wait()


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    found = Cluster(tmp_path / "cluster")
    yield found
    found.close()


RUNS = int(os.environ.get("CRL_STUDY_RUNS", "24"))


def kill_study(store: RunStore) -> Study:
    return study_of(
        f"""
        seeds = {RUNS // 2}
        penalties = ["mmd", "coral"]
        own_grids = false
        [base]
        set = {{ n_samples = 200, epochs = 30, replicates = 1, hidden = 4, latent_dim = 2, lams = [0, 1] }}
        """,
        store,
        "many",
    )


@pytest.mark.slow
def test_worker_scheduler_and_driver_are_killed_and_the_same_command_ends_with_each_run_trained_once(
    cluster: Cluster, tmp_path: Path
) -> None:
    store = RunStore(tmp_path / "cache")
    study = kill_study(store)
    file = tmp_path / "many.toml"
    file.write_text(study.text)
    moments, folder = random.Random(7), StudyFolder(store, study.id)

    def drive_on() -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "crl_core", "study", "run", str(file), "--scheduler", cluster.address]
        return subprocess.Popen(command, cwd=ROOT, env=os.environ | {"CRL_CACHE": str(store.root)})

    def done() -> int:
        return len(folder.status().done) if (folder.path / "plan.json").exists() else 0

    def at(share: float, process: subprocess.Popen[bytes]) -> None:
        """Wait until so many runs are done, and a moment more; the driver must still be at it."""
        wait_until(lambda: done() >= RUNS * share or process.poll() is not None)
        assert process.poll() is None, "it ended before it could be disturbed"
        time.sleep(moments.uniform(0, 0.3))

    scheduler, first, _ = cluster.scheduler(), cluster.worker(), cluster.worker()
    cluster.await_workers(2, store)
    driver = drive_on()
    at(0.1, driver)
    first.kill()  # its run goes to the other worker
    at(0.25, driver)
    scheduler.kill()
    assert driver.wait(120) == 1  # it says so, and ends
    assert "is gone; start it and its workers" in folder.status().stopped
    assert RUNS / 4 <= done() < RUNS
    scheduler.wait()
    cluster.scheduler()
    cluster.worker()
    cluster.worker()
    cluster.await_workers(2, store)
    driver = drive_on()
    at(0.6, driver)
    driver.kill()
    driver.wait()
    assert done() < RUNS
    assert drive_on().wait(300) == 0
    assert done() == RUNS
    assert trainings(store) == Counter({point.key: 1 for point in study.points})

    undisturbed, pool = store_in(tmp_path / "undisturbed"), None
    try:
        pool = LocalPool(undisturbed, 2)  # a thread each, as the workers have
        drive.carry_out(study, undisturbed, pool)
    finally:
        if pool is not None:
            pool.close()
    assert table(store, study) == table(undisturbed, study)


@pytest.mark.slow
def test_a_worker_without_the_folder_hands_its_runs_back_and_one_of_another_version_is_refused(
    cluster: Cluster, tmp_path: Path
) -> None:
    store = RunStore(tmp_path / "cache")
    cluster.scheduler()
    other = str(tmp_path / "theirs.key")  # a store of another key is as good as none
    stranger = cluster.worker("--name", "stranger", CRL_SEAL_KEY=other, CRL_CACHE=str(tmp_path / "elsewhere"))
    cluster.await_workers(1, store)
    executor = DaskCluster(store, cluster.address)
    configs = [tiny_config(seed) for seed in range(2)]
    try:
        outcomes = [executor.start(Job(key=c.key, config=c, parts=frozenset({"evidence"}))) for c in configs]
        assert [outcome.result(120).ending for outcome in outcomes] == ["trained", "trained"]
        for config in configs:
            summary = store.summary(config.key)
            assert summary is not None
            assert summary.imported is not None
            assert summary.parts == ("evidence",)
            alone = store_in(tmp_path / "alone")
            pool = LocalPool(alone, 2)
            pool.start(Job(key=config.key, config=config)).result(120)
            pool.close()
            assert_same(replace(store.load(config.key), seconds=0.0), replace(alone.load(config.key), seconds=0.0))
        assert not list(store.root.glob("runs/*.tmp*"))

        # cancelling reaches a worker that shares nothing with who asks
        endless = endless_config()
        outcome = executor.start(Job(key=endless.key, config=endless))
        time.sleep(3)
        executor.stop(endless.key)
        assert outcome.result(60).ending in ("cancelled", "failed")
        again = executor.start(Job(key=tiny_config(5).key, config=tiny_config(5)))
        assert again.result(120).ending == "trained"  # the worker is free again
    finally:
        executor.close()
    assert not list(store.root.glob(".cluster-*"))
    stranger.kill()
    stranger.wait()

    preload = tmp_path / "older.py"
    preload.write_text('import platform\nplatform.python_version_tuple = lambda: ("3", "8", "0")\n')
    cluster.worker("--preload", str(preload))

    def refused(why: Callable[[str], bool]) -> bool:
        try:
            DaskCluster(store, cluster.address).close()
        except NoScheduler as error:
            return why(str(error))
        return False

    wait_until(
        lambda: refused(lambda said: "has Python 3.8 (here 3." in said and "install the same versions" in said), 60
    )


def asked(folder: Path) -> tuple[Any, ...]:
    """What a driver hands to a worker, but for the job: its store, its token, its versions."""
    (folder / "token").parent.mkdir(parents=True, exist_ok=True)
    (folder / "token").write_bytes(b"token")
    return (str(folder), str(folder / "none"), 10**9), ("token", keyed.digest_of(b"token")), versions()


def test_a_worker_writes_into_a_folder_that_it_shares_and_else_hands_back_a_bundle(tmp_path: Path) -> None:
    job = Job(key=tiny_config().key, config=tiny_config()).to_dict()
    store, token, own = asked(tmp_path / "shared")
    answer = carry_out(job, store, token, own, lambda: False)
    assert answer == {"ending": "trained", "reason": None}
    shared = RunStore(tmp_path / "shared", baked=tmp_path / "none")
    assert shared.has(tiny_config().key)
    answer = carry_out(job, store, ("token", "of another key"), own, lambda: False)
    other = store_in(tmp_path / "other")
    import_run(other, answer.pop("bundle"))
    assert answer == {"ending": "trained", "reason": None}
    one, two = (replace(where.load(tiny_config().key), seconds=0.0) for where in (shared, other))
    assert_same(one, two)


def test_whatever_goes_wrong_on_a_worker_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    job = Job(key=tiny_config().key, config=tiny_config()).to_dict()
    store, token, own = asked(tmp_path / "shared")
    assert carry_out(job, store, token, own | {"numpy": "1.0"}, lambda: False)["reason"].endswith("are others.")
    assert carry_out(job | {"config": {"nothing": 1}}, store, token, own, lambda: False)["ending"] == "failed"

    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("crl_core.runs.sealing.os.replace", full)
    answer = carry_out(job, store, token, own, lambda: False)
    assert answer["ending"] == "failed"
    assert "the disk is full" in answer["reason"]


def test_a_run_that_was_given_up_stops_on_the_worker(tmp_path: Path) -> None:
    config = endless_config()
    answer = carry_out(Job(key=config.key, config=config).to_dict(), *asked(tmp_path / "shared"), lambda: True)
    assert answer == {"ending": "cancelled", "reason": None}


def test_what_differs_between_driver_and_worker_is_named() -> None:
    here = versions()
    assert difference(here, here, "w") == ""
    assert difference(here, here | {"torch": "missing"}, "w") == (
        "The worker w has no torch; install requirements.txt there."
    )
    said = difference(here, here | {"numpy": "1.0", "recipe": "0"}, "w")
    assert f"numpy 1.0 (here {here['numpy']})" in said
    assert "recipe 0" in said
    assert set(here) == {"Python", "recipe", "torch", "numpy", "scikit-learn"}
    assert "missing" not in here.values()


def test_a_token_is_known_by_the_key_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = keyed.digest_of(b"token")
    monkeypatch.setenv(keyed.VARIABLE, str(tmp_path / "other.key"))
    assert keyed.digest_of(b"token") != own
