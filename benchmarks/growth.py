"""How a run's cost grows, and how well it is told beforehand: python benchmarks/growth.py [--rounds 3] [--json FILE]

Growth: seconds of training and the process's largest memory along rows, columns, models and environments, everything
else as in the first visit; each run in a process of its own, median of the rounds. An exponent a of t ∝ size^a is
fitted through the upper half of the sizes, where the fixed part weighs least.
Estimate: 30 configs drawn from a seed, over all that the sidebar and --set change most. The first three are trained as
on a machine that has never trained anything; what `jobs.cost` then says of the others is held against what they take.
Memory: as many others, of all sizes that a config may have; what `jobs.memory` says is held against what they took.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np

from crl_core import RunConfig, RunStore, preset, train
from crl_core.config.presets import DEFAULT_PRESET
from crl_core.config.text import altered, imagined
from crl_core.jobs.cost import estimate_seconds, work
from crl_core.jobs.memory import memory_needed
from crl_core.training.path import warm_up

BASE = altered(preset(DEFAULT_PRESET), device="cpu", replicates=1, epochs=4)
AXES: Mapping[str, tuple[str, Sequence[int], Mapping[str, Any]]] = {  # name -> what grows, sizes, the rest
    "rows": ("n_samples", (1_000, 3_000, 10_000, 30_000, 100_000, 300_000, 1_000_000), {}),
    "columns": ("dim_spurious", (1, 10, 30, 100, 200), {}),
    "hidden units": ("hidden", (16, 64, 128, 256, 512), {"n_samples": 2_000}),
    "latent dimensions": ("latent_dim", (2, 8, 32, 64, 128), {"n_samples": 2_000}),
    "models": ("replicates", (1, 2, 5, 10, 20), {}),
    "environments": ("n_envs", (2, 4, 6, 8, 10), {}),
    "batch": ("batch_size", (64, 128, 256, 512, 1024, 2048, 4096), {"n_samples": 20_000}),
    "batch, 512 features": ("batch_size", (256, 512, 1024, 2048, 4096), {"n_samples": 20_000, "ipm_estimate": "rff"}),
}
_RUN = """
import json, sys
from crl_core import RunConfig, train
from crl_core.training.path import warm_up
def largest():  # getrusage would count what the process that started this one held
    return next(int(line.split()[1]) / 1024 for line in open("/proc/self/status") if line.startswith("VmHWM"))
config = RunConfig.from_json(sys.stdin.read())
warm_up()
before = largest()
result = train(config)
print(json.dumps([result.seconds, largest(), largest() - before]))
"""
CONFIGS, KNOWN = 30, 3


def ran(config: RunConfig, first: str = "") -> list[float]:
    """Seconds of training, the process's largest memory, and what the run added to it, both in MB. Needs Linux.

    first: a line that the process carries out before.
    """
    found = subprocess.run(
        [sys.executable, "-c", first + _RUN],
        input=config.to_json(),
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[1],
    )
    return [float(value) for value in json.loads(found.stdout)]


def growth(rounds: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for axis, (name, sizes, rest) in AXES.items():
        print(f"\n{axis:>20}   seconds      memory   added")
        rows = []
        for size in sizes:
            config = altered(altered(BASE, **rest), **{name: size})
            taken = [ran(config) for _ in range(rounds)]
            seconds, memory, added = (statistics.median(values) for values in zip(*taken, strict=True))
            rows.append((size, seconds, memory, added))
            print(f"{size:20,}  {seconds:6.2f} s  {memory:7.0f} MB  {added:4.0f} MB", flush=True)
        upper = np.log(np.array(rows[len(rows) // 2 :]))
        found[axis] = {"rows": rows, "exponent": float(np.polyfit(upper[:, 0], upper[:, 1], 1)[0])}
        print(f"{'seconds grow with':>20}  size^{found[axis]['exponent']:.2f}")
    return found


def drawn(seed: int) -> list[RunConfig]:
    """Configs of all sizes, the kinds of each setting alike often."""
    rng = np.random.default_rng(seed)
    found: list[RunConfig] = []
    while len(found) < CONFIGS:
        values = {
            "n_samples": int(rng.choice([1_000, 3_000, 10_000, 30_000])),
            "n_envs": int(rng.integers(2, 6)),
            "hidden": int(rng.choice([16, 32, 64, 128])),
            "latent_dim": int(rng.choice([4, 16, 64])),
            "batch_size": int(rng.choice([64, 128, 256, 512])),
            "replicates": int(rng.integers(1, 5)),
            "epochs": int(rng.integers(2, 7)),
            "lams": tuple(float(value) for value in range(int(rng.choice([2, 4, 8, 16])))),
            "penalty": str(rng.choice(["mmd", "mmd", "mmd-multi", "coral", "vrex"])),
            "validation": float(rng.choice([0.0, 0.2])),
            "seed": int(rng.integers(0, 1000)),
        }
        config = imagined(BASE, **values)
        if config is not None:
            found.append(config)
    return found


def estimate(seed: int) -> dict[str, Any]:
    """What the estimate says of configs after the first few, over what they take."""
    configs = drawn(seed)
    warm_up()  # as a worker does before its first run
    with tempfile.TemporaryDirectory() as folder:
        store = RunStore(folder, Path(folder) / "baked")
        for config in configs[:KNOWN]:
            store.save(train(config))
        known = store.summaries()
        ratios = []
        for config in configs[KNOWN:]:
            said, seconds = estimate_seconds(config, known), train(config).seconds
            ratios.append(said / seconds)
            training = config.training
            print(
                f"  {said:6.2f} s said, {seconds:6.2f} s taken, {ratios[-1]:4.2f}: {training.n_models} models, "
                f"{config.scenario.n_samples:,} rows, batch {training.batch_size}, hidden {training.hidden}, latent "
                f"{training.latent_dim}, {training.epochs} epochs, {training.penalty}",
                flush=True,
            )
    within = float(np.mean([1 / 1.3 <= ratio <= 1.3 for ratio in ratios]))
    middle = np.median(ratios)
    print(f"said / taken: median {middle:.2f}, {min(ratios):.2f} to {max(ratios):.2f}; {within:.0%} within 30 %")
    return {"ratios": ratios, "within": within}


def drawn_large(seed: int) -> list[RunConfig]:
    """Configs up to the limits of what may be asked for, as far as one is trained in half a minute."""
    rng = np.random.default_rng(seed)
    found: list[RunConfig] = []
    while len(found) < CONFIGS:
        values = {
            "n_samples": int(rng.choice([1_000, 4_000, 10_000, 30_000, 100_000])),
            "dim_spurious": int(rng.choice([1, 1, 1, 20, 200])),
            "hidden": int(rng.choice([16, 64, 64, 128, 256, 512])),
            "latent_dim": int(rng.choice([4, 16, 16, 64, 128])),
            "batch_size": int(rng.choice([64, 128, 128, 512, 1024, 2048, 4096])),
            "replicates": int(rng.choice([1, 2, 3, 5, 10, 20])),
            "epochs": 1,
            "lams": tuple(float(value) for value in range(int(rng.choice([2, 4, 8, 16])))),
            "penalty": str(rng.choice(["mmd"] * 5 + ["mmd-multi", "coral", "irm", "wasserstein", "adversarial"])),
            "ipm_estimate": str(rng.choice(["exact", "exact", "rff", "block"])),
            "validation": float(rng.choice([0.0, 0.2])),
            "seed": int(rng.integers(0, 1000)),
        }
        config = imagined(BASE, **values)
        if config is not None and work(config) < 25:
            found.append(config)
    return found


def memory(seed: int) -> dict[str, Any]:
    """What the estimate of memory says over what the process took."""
    ratios = []
    for config in drawn_large(seed):
        said, taken = memory_needed(config) / 2**20, ran(config)[1]
        ratios.append(said / taken)
        print(f"  {said:6,.0f} MB said, {taken:6,.0f} MB taken, {ratios[-1]:4.2f}", flush=True)
    within = float(np.mean([1 / 1.2 <= ratio <= 1.2 for ratio in ratios]))
    print(f"said / taken: {min(ratios):.2f} to {max(ratios):.2f}; {within:.0%} within 20 %")
    return {"ratios": ratios, "within": within}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", choices=("growth", "estimate", "memory"))
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    figures: dict[str, Any] = {}
    if options.only in (None, "growth"):
        figures["growth"] = growth(options.rounds)
    if options.only in (None, "estimate"):
        figures["estimate"] = estimate(options.seed)
    if options.only in (None, "memory"):
        figures["memory"] = memory(options.seed)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
