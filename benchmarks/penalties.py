"""What a penalty's λ path costs beside MMD²'s: python benchmarks/penalties.py [--json FILE] [--repeats N]

The same 16 λ and rows, each penalty in turn and the whole round repeated, so that a busy machine slows all alike; the
median of each round's ratio to MMD² counts (budget 2, sliced Wasserstein and domain-adversarial 4). From it, how long
eight penalties × 16 λ × 3 replicates on hospital at 20 epochs take here (budget 8 minutes on two cores).
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

from crl_core import train
from crl_core.config.penalty_words import PENALTY_WORDS
from crl_core.studies.penalties import ContestSetting

EPOCHS = 3


def seconds(penalty: str) -> float:
    config = ContestSetting(preset="hospital").config(penalty)
    config = replace(config, training=replace(config.training, replicates=1, epochs=EPOCHS, device="cpu"))
    start = time.perf_counter()
    train(config)
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", metavar="FILE")
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    seconds("mmd")  # what is slow the first time
    rounds = [{name: seconds(name) for name in PENALTY_WORDS} for _ in range(options.repeats)]
    ratios = {name: median(one[name] / one["mmd"] for one in rounds) for name in PENALTY_WORDS}
    mmd = median(one["mmd"] for one in rounds)
    eight = sorted(ratios.values())[-8:]
    found = {f"penalty_{name.replace('-', '_')}_ratio": value for name, value in ratios.items()}
    found["penalty_eight_paths_min"] = mmd * sum(eight) * 3 * 20 / EPOCHS / 60
    for name, value in found.items():
        print(f"{name:40s} {value:.2f}")
    if options.json:
        Path(options.json).write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
