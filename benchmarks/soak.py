"""An hour of mixed use: `python -m benchmarks.soak [--minutes 60]`

Visitors go from page to page; some train small runs and cancel some; meanwhile runs are exported, imported, deleted,
restored and checked in the same store. Printed every tenth of the time: the server's memory, descriptors and threads,
what was done so far; at the end failures, and processes that outlive the server.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import time
from collections import Counter
from dataclasses import dataclass, field

import psutil

from benchmarks.sessions import Served, Visitor, run, served
from benchmarks.visitors import PAGES, WORLDS
from crl_core.runs.bundle import AlreadyStored, export_run, import_run
from crl_core.runs.sealing import StoreError
from crl_core.runs.store import RunStore

VISITORS, TRAINERS = 8, 2
TINY = "preset=hospital&epochs=4&samples=500&replicates=1&set=training.lams%3D0%2C1&seed="


@dataclass
class Found:
    """What a soak has seen. samples: (minutes, MB, descriptors, threads)."""

    samples: list[tuple[float, float, int, int]] = field(default_factory=list)
    done: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    orphans: list[int] = field(default_factory=list)


async def looks(port: int, rng: random.Random, until: float, found: Found) -> None:
    while time.monotonic() < until:
        visitor = Visitor(port, f"preset={rng.choice(WORLDS)}", rng.choice(PAGES))
        await visitor.open()
        for _ in range(rng.randint(3, 12)):
            await visitor.until("")
            found.done["views"] += 1
            if visitor.exceptions:
                found.failures.append(f"{visitor.page}: {visitor.exceptions.pop()}")
            await asyncio.sleep(rng.uniform(0.5, 3))
            visitor.page, visitor.link = rng.choice(PAGES), f"preset={rng.choice(WORLDS)}"
            await visitor.rerun()
        await visitor.until("")
        await visitor.socket.close()


async def trains(port: int, rng: random.Random, until: float, found: Found) -> None:
    while time.monotonic() < until:
        visitor = Visitor(port, f"{TINY}{rng.randint(0, 40)}", "train")
        await visitor.sees()
        if any(id.endswith("job.train") for id in visitor.ids):
            await visitor.sees(**{"job.train": ("trigger_value", True)})
            found.done["trainings asked for"] += 1
            if rng.random() < 0.3 and any(id.endswith("job.cancel") for id in visitor.ids):
                await visitor.sees(**{"job.cancel": ("trigger_value", True)})
                found.done["cancelled"] += 1
        await visitor.rest(rng.uniform(2, 6))
        await visitor.socket.close()


async def keeps(store: RunStore, rng: random.Random, until: float, found: Found) -> None:
    """Export, import, delete, restore, check."""
    file = store.root.parent / "soak.zip"
    while time.monotonic() < until:
        await asyncio.sleep(rng.uniform(0.5, 2))
        own = [run.key for run in store.summaries() if not run.baked]
        act = rng.choice(("export", "delete", "restore", "check", "import"))
        try:
            if act == "check":
                for damage in await asyncio.to_thread(store.verify):
                    found.failures.append(str(damage))
            elif act == "restore" and (away := store.trashed()):
                store.restore(rng.choice(away))
            elif act == "export" and own:
                await asyncio.to_thread(export_run, store, rng.choice(own), file)
            elif act == "import" and file.exists():
                await asyncio.to_thread(import_run, store, file)
            elif act == "delete" and own:
                store.delete(rng.choice(own))
            else:
                continue
            found.done[act] += 1
        except (StoreError, AlreadyStored):  # another was quicker; that is said, and nothing is lost
            found.done["refused in a sentence"] += 1


async def watches(server: Served, minutes: float, found: Found, say: bool) -> None:
    begun = time.monotonic()
    for _ in range(10):
        await asyncio.sleep(6 * minutes)
        passed = (time.monotonic() - begun) / 60
        found.samples.append((passed, server.memory_mb(), server.descriptors(), server.threads()))
        if say:
            memory, files, threads = found.samples[-1][1:]
            line = f"{passed:6.1f} min {memory:6.0f} MB {files:5d} files {threads:3d} threads"
            print(f"{line}  {dict(found.done)}", flush=True)


async def use(server: Served, minutes: float, visitors: int, found: Found, say: bool) -> None:
    until, rng = time.monotonic() + 60 * minutes, random.Random(0)
    store = RunStore(server.cache)
    tasks = [looks(server.port, random.Random(at), until, found) for at in range(visitors)]
    tasks += [trains(server.port, random.Random(100 + at), until, found) for at in range(TRAINERS)]
    await asyncio.gather(*tasks, keeps(store, rng, until, found), watches(server, minutes, found, say))


def soak(minutes: float, port: int, *, visitors: int = VISITORS, say: bool = False) -> Found:
    found = Found()
    with served(port) as server:
        children = [server.pid]
        run(use(server, minutes, visitors, found, say))
        children += [child.pid for child in psutil.Process(server.pid).children(recursive=True)]
    end = time.monotonic() + 10
    while time.monotonic() < end and any(map(psutil.pid_exists, children)):
        time.sleep(0.2)
    found.orphans = [pid for pid in children if psutil.pid_exists(pid)]
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--port", type=int, default=8733)
    asked = parser.parse_args()
    found = soak(asked.minutes, asked.port, say=True)
    print(f"failures: {found.failures or 'none'}; processes that outlive the server: {found.orphans or 'none'}")
    return bool(found.failures or found.orphans)


if __name__ == "__main__":
    sys.exit(main())
