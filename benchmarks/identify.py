"""What identifying latents costs: python benchmarks/identify.py [--json FILE]

Click: CPU seconds of one seed with three restarts at the page's settings, without starting a process (budget 10).
Batching: 10 seeds × 3 restarts side by side, against the same models one after the other (measured on three of them;
budget 8×). Both with fewer steps, since time is proportional to them; the click is scaled to all of them.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import replace
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).parents[1]))

from crl_core.identify.flows.fit import fit
from crl_core.identify.flows.flow import Flow
from crl_core.identify.flows.recover import RESTARTS, STEPS, recover
from crl_core.identify.method_inputs import Seeds, draw
from crl_core.identify.presets import latent_preset

SEEDS, SHORT = 10, 150


def taken(seeds: Seeds, restarts: list[int]) -> float:
    """Wall seconds of training these restarts of these seeds."""
    starts = [(seed, restart) for seed in seeds.seeds for restart in restarts]
    flow = Flow(starts, seeds.world.dim, seeds.world.n_envs)
    start = time.perf_counter()
    fit(flow, seeds.train, seeds.choose, seeds.look, restarts=len(restarts), steps=SHORT)
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", metavar="FILE")
    options = parser.parse_args()
    world = latent_preset("each")
    recover(replace(world, n_rows=200), [0], restarts=1, steps=5)  # what is slow the first time
    clicks = []
    for seed in range(3):
        start = time.process_time()
        recover(world, [seed], steps=STEPS)
        clicks.append(time.process_time() - start)
    every = draw(world, list(range(SEEDS)))
    single = [draw(world, [seed]) for seed in range(3)]
    ratios = []
    for _ in range(3):
        batched = taken(every, list(range(RESTARTS)))
        alone = sum(taken(one, [0]) for one in single) / len(single)
        ratios.append(alone * SEEDS * RESTARTS / batched)
    found = {"identify_click_cpu_s": median(clicks), "identify_batched_ratio": median(ratios)}
    for name, value in found.items():
        print(f"{name:40s} {value:.2f}")
    if options.json:
        Path(options.json).write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
