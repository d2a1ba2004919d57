"""What visitors wait for: `python -m benchmarks.visitors [--visitors 1 25 50 100 200 400] [--train]`

Each is a session of its own that opens a page, looks at it for some seconds (8, give or take half), and goes on to
another page or λ, of a shipped run. Printed for every audience: page changes, their median and 95th percentile, the
server's CPU time a view, and its memory, descriptors and threads at the end. With --train a default run is in training
meanwhile. `--pages` measures the CPU time of a view of each page, one visitor, one page after the other.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import time

import numpy as np

from benchmarks.sessions import ROOT, Served, Visitor, served
from crl_core.config.presets import PRESETS

PAGES = ("lecture", "latent", "effects", "path", "scenario", "unseen", "train", "lens", "runs", "penalties")
ALL = (*PAGES, "compare", "claims", "environments", "identify", "serve", "data", "lessons", "words")
SHIPPED = {path.name for path in (ROOT / "cache" / "baked").iterdir()}
WORLDS = tuple(name for name, preset in PRESETS.items() if preset.config.key in SHIPPED)
THINK_S = 8.0


def link(rng: random.Random) -> str:
    return f"preset={rng.choice(WORLDS)}"


async def visit(port: int, rng: random.Random, until: float, waits: list[float]) -> None:
    """Look at pages until the end; append the seconds of each change."""
    await asyncio.sleep(rng.uniform(0, THINK_S))  # they do not all come at once
    visitor = Visitor(port, link(rng), rng.choice(PAGES))
    begun = time.perf_counter()
    await visitor.sees()
    waits.append(time.perf_counter() - begun)
    while time.perf_counter() < until:
        await visitor.rest(rng.uniform(0.5, 1.5) * THINK_S)
        visitor.page, visitor.link = rng.choice(PAGES), link(rng)
        begun = time.perf_counter()
        await visitor.sees()
        waits.append(time.perf_counter() - begun)
    await visitor.socket.close()


async def audience(server: Served, visitors: int, seconds: float, seed: int) -> str:
    waits: list[float] = []
    cpu, begun = server.cpu_s(), time.perf_counter()
    await asyncio.gather(
        *(visit(server.port, random.Random(seed + at), begun + seconds, waits) for at in range(visitors))
    )
    took = server.cpu_s() - cpu
    p50, p95 = np.percentile(waits, [50, 95])
    return (
        f"{visitors:8d} {len(waits):7d} {p50:8.2f} {p95:8.2f} {1000 * took / len(waits):9.0f} "
        f"{server.memory_mb():8.0f} {server.descriptors():6d} {server.threads():5d}"
    )


async def page_by_page(server: Served, views: int) -> None:
    print("page          ms CPU a view")
    for page in ALL:
        visitor = Visitor(server.port, "preset=hospital", page)
        await visitor.sees()
        for _ in range(2):  # what is worked out once
            await visitor.sees()
        cpu = server.cpu_s()
        for _ in range(views):
            await visitor.sees()
        print(f"{page:12s} {1000 * (server.cpu_s() - cpu) / views:8.0f}", flush=True)
        await visitor.socket.close()


async def every_page(server: Served) -> None:
    """See each page of each world once: what is worked out once for all visitors is there."""
    visitor = Visitor(server.port, "", PAGES[0])
    await visitor.sees()
    for page in PAGES:
        for world in WORLDS:
            visitor.page, visitor.link = page, f"preset={world}"
            await visitor.sees()
    await visitor.socket.close()


async def train(server: Served) -> Visitor:
    """A visitor who has pressed Train on a run that takes longer than the measurement."""
    visitor = Visitor(server.port, "preset=hospital&epochs=1000&seed=4711", "train")
    await visitor.open()
    await visitor.until("", widget="job.train")
    await visitor.sees(**{"job.train": ("trigger_value", True)})
    return visitor


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--visitors", type=int, nargs="+", default=[1, 25, 50, 100, 200, 400])
    parser.add_argument("--seconds", type=float, default=40.0, help="for which each audience looks")
    parser.add_argument("--train", action="store_true", help="with a run in training")
    parser.add_argument("--pages", action="store_true", help="CPU time of a view of every page instead")
    parser.add_argument("--port", type=int, default=8732)
    asked = parser.parse_args()
    with served(asked.port) as server:
        if asked.pages:
            asyncio.run(page_by_page(server, 30))
            return
        asyncio.run(measure(server, asked.visitors, asked.seconds, asked.train))


async def measure(server: Served, audiences: list[int], seconds: float, with_training: bool) -> None:
    await every_page(server)
    if with_training:
        trainer = await train(server)
    print("visitors   views   p50 s    p95 s  ms a view  MB       files threads")
    for seed, visitors in enumerate(audiences):
        print(await audience(server, visitors, seconds, 1000 * seed), flush=True)
    if with_training:
        await trainer.socket.close()


if __name__ == "__main__":
    main()
