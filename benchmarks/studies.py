"""What a study costs beside its runs: `python -m benchmarks.studies [--runs 200] [--rounds 1] [--json FILE]`

Workers:   the same tiny runs with one local worker on one core and with two on two, and with one Dask worker and with
           two, in turn; each has one thread. (One worker with two threads is slower than with one: they wait.)
Overhead:  seconds a run that the engine adds (queue, store, table), one worker against the same calls in a loop.
Planning:  a study of 10,000 runs, from its file to a list of configs with keys and cost.
Status:    how far a study of 10,000 runs is, when all of them are done.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from crl_core.jobs.cluster import DaskCluster, NoScheduler
from crl_core.jobs.executors import Executor
from crl_core.jobs.local_pool import LocalPool
from crl_core.runs.store import RunStore
from crl_core.studies.grid import drive
from crl_core.studies.grid.folder import StudyFolder
from crl_core.studies.grid.study_file import Study, study_of

ROOT = Path(__file__).parents[1]
TINY = """
seeds = {runs}
[base]
set = {{ n_samples = 1000, epochs = 10, replicates = 1, lams = [0, 1, 10] }}
"""
LARGE = """
penalties = ["mmd", "coral"]
seeds = 50
[axes]
n_samples = { from = 500, to = 50000, points = 10, scale = "log" }
sigma2 = { from = 0.1, to = 2, points = 10 }
"""


def timed(act: Callable[[], object]) -> float:
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


def fresh(folder: Path) -> RunStore:
    return RunStore(Path(tempfile.mkdtemp(dir=folder)), baked=folder / "none", quota_bytes=10**12)


def carried_out(store: RunStore, study: Study, executor: Executor) -> float:
    """Seconds of a study on an executor whose workers are there."""
    try:
        took = timed(lambda: drive.carry_out(study, store, executor))
    finally:
        executor.close()
    assert len(StudyFolder(store, study.id).status().done) == len(study.runs)
    return took


@contextmanager
def on_cores(n: int) -> Iterator[None]:
    """This process and those that it starts have `n` of its cores."""
    all_of_them = os.sched_getaffinity(0)
    os.sched_setaffinity(0, set(sorted(all_of_them)[:n]))
    try:
        yield
    finally:
        os.sched_setaffinity(0, all_of_them)


def local(store: RunStore, n: int) -> LocalPool:
    """A pool whose workers have loaded torch; a thread each."""
    pool = LocalPool(store, n)
    warm = study_of(TINY.format(runs=2 * n).replace("n_samples = 1000", "n_samples = 200"), store, "warm")
    drive.carry_out(warm, store, pool)
    return pool


@contextmanager
def cluster(folder: Path, n: int) -> Iterator[str]:
    """The address of a scheduler with `n` workers of one thread."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{probe.getsockname()[1]}"
    env = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "env": env, "cwd": ROOT}
    port = address.rpartition(":")[2]
    scheduler = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", port]
    worker = [sys.executable, "-m", "distributed.cli.dask_worker", address, "--nthreads", "1", "--no-nanny"]
    processes = [subprocess.Popen([*scheduler, "--no-dashboard"], **quiet)]
    processes += [
        subprocess.Popen([*worker, "--no-dashboard", "--local-directory", str(folder / f"dask-{k}")], **quiet)
        for k in range(n)
    ]
    try:
        yield address
    finally:
        for process in processes:
            process.kill()
            process.wait()


def dask(store: RunStore, address: str, n: int) -> DaskCluster:
    """The cluster, once its workers are there and have loaded torch."""
    while True:
        try:
            found = DaskCluster(store, address)
            if found.threads == n:
                break
            found.close()
        except NoScheduler:
            pass
        time.sleep(0.5)
    warm = study_of(TINY.format(runs=2 * n).replace("n_samples = 1000", "n_samples = 200"), store, "warm")
    drive.carry_out(warm, store, found)
    return found


def in_a_loop(store: RunStore, study: Study) -> float:
    """The same runs, in a worker's process and without the engine."""
    code = (
        "import sys, time\nfrom pathlib import Path\nfrom crl_core.jobs.train_and_store import train_and_store\n"
        "from crl_core.runs.store import RunStore\nfrom crl_core.studies.grid.study_file import study_of\n"
        "from crl_core.training.path import warm_up\nwarm_up()\n"
        f"store = RunStore({str(store.root)!r}, baked={str(store.baked)!r}, quota_bytes=10**12)\n"
        f"study = study_of({study.text!r}, store)\nbegan = time.perf_counter()\n"
        "for config, _ in study.runs.values():\n    train_and_store(config, store, with_parts=False)\n"
        "print(time.perf_counter() - began)"
    )
    env = os.environ | {"OMP_NUM_THREADS": "1"}
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=env, cwd=ROOT)
    return float(found.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    rounds: list[dict[str, float]] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for _ in range(options.rounds):
            found: dict[str, float] = {}
            for n in (1, 2):
                store = fresh(folder)
                study = study_of(TINY.format(runs=options.runs), store, "tiny")
                with on_cores(n):
                    found[f"local {n}"] = carried_out(store, study, local(store, n))
            store = fresh(folder)
            with on_cores(1):
                found["loop"] = in_a_loop(store, study_of(TINY.format(runs=options.runs), store, "tiny"))
            for n in (1, 2):
                store = fresh(folder)
                study = study_of(TINY.format(runs=options.runs), store, "tiny")
                with cluster(folder, n) as address:
                    found[f"dask {n}"] = carried_out(store, study, dask(store, address, n))
            rounds.append(found)
            print({name: round(value, 2) for name, value in found.items()}, flush=True)

        store = fresh(folder)
        large: list[Study] = []
        planning = timed(lambda: large.append(study_of(LARGE, store, "large")))
        planning += timed(lambda: drive.cost(large[0], store))
        own = StudyFolder(store, large[0].id)
        with own.driving(large[0], dict.fromkeys(large[0].runs, 1.0)):
            lines = [json.dumps({"at": 0, "what": what, "run": key, "ending": "trained", "seconds": 1.0})
                     for key in large[0].runs for what in ("begun", "done")]  # fmt: skip
            with (own.path / "log.jsonl").open("a") as log:
                log.write("\n".join(lines) + "\n")
        (status,) = [timed(lambda: own.status())]
        assert len(own.status().done) == len(large[0].runs) == 10_000

    def middle(value: Callable[[dict[str, float]], float]) -> float:
        return statistics.median(value(each) for each in rounds)

    result = {
        "runs": options.runs,
        "local_2_over_1": middle(lambda r: r["local 1"] / r["local 2"]),
        "dask_2_over_1": middle(lambda r: r["dask 1"] / r["dask 2"]),
        "overhead_ms_a_run": middle(lambda r: 1000 * (r["local 1"] - r["loop"]) / options.runs),
        "seconds_a_run": middle(lambda r: r["loop"] / options.runs),
        "planning_10000_s": planning,
        "status_10000_s": status,
        "rounds": rounds,
    }
    print(json.dumps({key: value for key, value in result.items() if key != "rounds"}, indent=1))
    if options.json is not None:
        options.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
