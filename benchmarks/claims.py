"""Two ratios of the evidence, each within one run of this file: python benchmarks/claims.py [--rounds 3] [--epochs 2]
[--json FILE]

pass:      a claims pass of one preset over ten seeds, as one batched run, against the same models trained one after the
           other: by this program, and in PyTorch Lightning as one would write it. Wanted: at least 10. What is trained
           one after the other is timed on a few models and scaled.
evidence:  probes, overlap and baselines of a default run as a share of that run's training time. Wanted: at most 0.25.
           Training is timed over a few epochs and scaled to the default's.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import torch
from threadpoolctl import threadpool_limits

from benchmarks.lightning_recipe import fit
from crl_core import RunConfig, Training, preset, train
from crl_core.measures.evidence import gather
from crl_core.results import RunResult
from crl_core.studies.claims import PATH
from crl_core.training.left_out import left_out_mse
from crl_core.training.path import warm_up
from crl_core.training.regularised import train_regularised

SEEDS = 10
SINGLE = 3  # models trained alone


def seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def cpu_seconds(work: Callable[[], object]) -> float:
    """Of the processor, on one core: what other programs do at the same time hardly counts."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with threadpool_limits(1):
        began = time.process_time()
        work()
        taken = time.process_time() - began
    torch.set_num_threads(threads)
    return taken


def pass_seconds(name: str, lams: tuple[float, ...], epochs: int) -> tuple[float, float, float]:
    """Seconds of one batched pass, and of its models one after the other, here and in Lightning."""
    scenario = preset(name).scenario

    def config(lams: tuple[float, ...], seeds: int, seed: int = 0) -> RunConfig:
        return RunConfig(scenario=scenario, training=Training(lams=lams, replicates=seeds, epochs=epochs, seed=seed))

    batched = seconds(lambda: train(config(lams, SEEDS)))
    alone = sum(seconds(lambda k=k: train(config((lams[k % len(lams)],), 1, k))) for k in range(SINGLE))
    lightning = seconds(lambda: fit(config((1.0,), 1), 1.0))
    n_models = len(lams) * SEEDS
    return batched, alone / SINGLE * n_models, lightning * n_models


def evidence_share(epochs: int) -> tuple[float, float]:
    """Seconds of a default run's evidence, and of its training, the latter scaled from `epochs`."""
    whole = preset("hospital")
    short = replace(whole, training=replace(whole.training, epochs=epochs))
    held: list[RunResult] = []
    training = cpu_seconds(lambda: held.append(train(short))) / epochs * whole.training.epochs
    long = replace(held[0], config=whole)  # what the evidence trains counts all epochs
    evidence = cpu_seconds(lambda: gather(held[0], regularised=train_regularised(long), left_out=left_out_mse(long)))
    return evidence, training


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--json", metavar="FILE")
    options = parser.parse_args()
    warm_up()
    fit(replace(preset("recipe"), training=Training(lams=(1.0,), replicates=1, epochs=1)), 1.0)  # warm
    found: dict[str, float] = {"load_before": os.getloadavg()[0]}
    for name, lams in (("recipe", (0.0, 1.0)), ("leaky", PATH)):
        rounds = [pass_seconds(name, lams, options.epochs) for _ in range(options.rounds)]
        print(f"{name}, {len(lams)} λ × {SEEDS} seeds: one batched pass, against one training after the other")
        for index, what in ((1, "here"), (2, "lightning")):
            ratio = statistics.median(each[index] / each[0] for each in rounds)
            found[f"pass_{name}_{len(lams)}_lams_{what}_ratio"] = ratio
            print(f"  {what}: {ratio:.1f} times as fast")
    shares = [evidence_share(options.epochs) for _ in range(options.rounds)]
    found["evidence_share"] = statistics.median(own / training for own, training in shares)
    own, training = shares[0]
    print(f"evidence of a default run: {found['evidence_share']:.1%} of its training time")
    print(f"  in the first round {own:.1f} s of {training:.0f} s")
    found["load_after"] = os.getloadavg()[0]
    print(f"load {found['load_before']:.1f} before, {found['load_after']:.1f} after")
    if options.json:
        Path(options.json).write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
