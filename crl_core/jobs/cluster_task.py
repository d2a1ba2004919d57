"""What a worker of a cluster does: train a run, into the folder that it shares with who asked, or into a bundle.

Shared:  a folder is shared where the worker sees the file that the driver laid there, and seals with the same key; else
         the run is trained in a temporary folder and its bundle, which is safe to import, is handed back.
Told:    everything that can go wrong is an answer with a sentence; nothing is raised.
"""

from __future__ import annotations

import platform
import socket
import tempfile
import threading
from collections.abc import Callable, Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from crl_core.config import RECIPE_VERSION
from crl_core.jobs.executors import Job, carry_out_job
from crl_core.runs import keyed
from crl_core.runs.bundle import export_bytes
from crl_core.runs.kept_tables import KeptTables
from crl_core.runs.sealing import StoreError
from crl_core.runs.store import RunStore

_MATTER = ("torch", "numpy", "scikit-learn")


def versions() -> dict[str, str]:
    """`_versions`, whose search through installed packages is made once a process."""
    return dict(_versions())


@cache
def _versions() -> dict[str, str]:
    """What must be the same at both ends for one key to mean one result: Python, the recipe, what computes."""
    found = {"Python": ".".join(platform.python_version_tuple()[:2]), "recipe": str(RECIPE_VERSION)}
    for name in _MATTER:
        try:
            found[name] = version(name).split("+")[0]
        except PackageNotFoundError:
            found[name] = "missing"
    return found


def difference(here: Mapping[str, str], there: Mapping[str, str], where: str) -> str:
    """Why a worker cannot take part, in a sentence; "" where it can."""
    if there.get("torch") == "missing":
        return f"The worker {where} has no torch; install requirements.txt there."
    other = [f"{name} {there.get(name, '?')} (here {own})" for name, own in here.items() if there.get(name) != own]
    if not other:
        return ""
    return f"The worker {where} has {', '.join(other)}; install the same versions there, or its results are others."


def carry_out(
    content: Mapping[str, Any],
    store: tuple[str, str, int],
    token: tuple[str, str],
    asked: Mapping[str, str],
    should_stop: Callable[[], bool],
) -> dict[str, Any]:
    """Carry out a job. Answers {"ending", "reason"}, and "bundle" where no folder is shared.

    content: of `Job.to_dict`.  store: root, baked and quota of the driver's.  token: name and digest of the file that
    the driver laid into its root.  asked: `versions` of the driver.  should_stop: asked from a thread of its own.
    """
    where = socket.gethostname()
    if problem := difference(asked, versions(), where):
        return {"ending": "failed", "reason": problem}
    try:
        job = Job.from_dict(content)
        if _shared(Path(store[0]), token):
            own = _store(*store)
            KeptTables(own).serve_rows()
            return _done(job, own, should_stop)
        with tempfile.TemporaryDirectory(prefix="crl-run-") as folder:
            own = RunStore(folder, baked=Path(folder) / "none")
            answer = _done(job, own, should_stop)
            if answer["ending"] in ("trained", "stored"):
                answer["bundle"] = export_bytes(own, job.key)
            return answer
    except (StoreError, OSError, ValueError) as error:
        return {"ending": "failed", "reason": f"On the worker {where}: {error}"}


@cache
def _store(root: str, baked: str, quota_bytes: int) -> RunStore:
    """One for all runs of a process: it remembers how much room there was."""
    return RunStore(root, baked, quota_bytes)


def _done(job: Job, store: RunStore, should_stop: Callable[[], bool]) -> dict[str, Any]:
    over = threading.Event()

    def listen() -> None:
        while not over.wait(0.5):
            if should_stop():
                store.locks.ask_to_stop(job.key, job.attempt)
                return

    threading.Thread(target=listen, name="crl stop", daemon=True).start()
    try:
        outcome = carry_out_job(job, store)
    finally:
        over.set()
    return {"ending": outcome.ending, "reason": outcome.reason}


def _shared(root: Path, token: tuple[str, str]) -> bool:
    name, digest = token
    try:
        return keyed.digest_of((root / name).read_bytes()) == digest
    except (OSError, StoreError):
        return False
