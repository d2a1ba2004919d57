"""What traces cost: python benchmarks/signals.py [--json FILE] [--repeats N] [--epochs N]

Recordings of 10,000 traces of 128 samples (budget .3 s), and a path of 16 λ × 3 replicates on 4,000 traces beside the
same path on 25 covariates, in turn, so that a busy machine slows both alike; the median of the rounds' ratios counts
(budget 2). Memory is the process's highest during the path on traces, less what it had before.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
from pathlib import Path
from statistics import median

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from crl_core import RunConfig, preset, train
from crl_core.config import DEFAULT_LAMS
from crl_core.config.text import altered
from crl_core.data import ecg
from crl_core.data.scm import machine_of


def paths(epochs: int) -> dict[str, RunConfig]:
    """The two configs: traces of 128 samples, and 25 covariates of as many rows."""
    base = {"lams": DEFAULT_LAMS, "replicates": 3, "epochs": epochs, "device": "cpu"}
    return {
        "traces": altered(preset("filter"), **base),
        "covariates": altered(preset("sensors"), n_samples=4000, **base),
    }


def recording() -> float:
    """Processor seconds that 10,000 traces take, all of the machine's parts at work."""
    scenario = altered(preset("filter").scenario, n_samples=10_000, saturation=1.2, notch=(1.0, 0.0))
    env = np.repeat(np.arange(2), 5000)
    rng = np.random.default_rng(0)
    z, s, machine = rng.standard_normal((10_000, 1)), rng.standard_normal(10_000), machine_of(scenario, env)
    began = time.process_time()
    ecg.traces(z, s, scenario.latents, machine, rng)
    return time.process_time() - began


def seconds(config: RunConfig) -> float:
    began = time.process_time()
    train(config)
    return time.process_time() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", metavar="FILE")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=30)
    options = parser.parse_args()
    configs = paths(options.epochs)
    train(altered(configs["covariates"], epochs=1, replicates=1))  # what is slow the first time
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    rounds = [{name: seconds(config) for name, config in configs.items()} for _ in range(options.repeats)]
    found = {
        "traces_10000_s": median(recording() for _ in range(2 * options.repeats)),
        "traces_path_ratio": median(one["traces"] / one["covariates"] for one in rounds),
        "traces_path_s": median(one["traces"] for one in rounds),
        "traces_path_mb": (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024,
    }
    for name, value in found.items():
        print(f"{name:20s} {value:.2f}")
    if options.json:
        Path(options.json).write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
