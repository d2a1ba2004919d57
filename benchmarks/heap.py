"""What it is worth that temporaries' memory stays with the process while a path trains: python benchmarks/heap.py

Each run in a process of its own, with and without in turn; medians of the rounds.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
WAYS: Mapping[str, Mapping[str, Any]] = {
    "as it comes (batch 128)": {"epochs": 8},
    "batch 1,024": {"epochs": 4, "batch_size": 1024},
    "batch 2,048, 512 features": {"epochs": 8, "batch_size": 2048, "ipm_estimate": "rff"},
}
_RUN = """
import resource, sys
from contextlib import nullcontext
from crl_core import preset, train
from crl_core.config.presets import DEFAULT_PRESET
from crl_core.config.text import altered
from crl_core.training import path
if sys.argv[1] == "without":
    path.kept_pages = nullcontext
path.warm_up()
config = altered(preset(DEFAULT_PRESET), device="cpu", **eval(sys.argv[2]))
print(train(config).seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


def ran(way: str, changed: Mapping[str, Any]) -> list[float]:
    """Seconds of training, and the largest memory of the process in MB."""
    command = [sys.executable, "-c", _RUN, way, repr(dict(changed))]
    return [
        float(n) for n in subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout.split()
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    print(f"{'48 models':>28}   without     with   with / without   memory without   with")
    for name, changed in WAYS.items():
        runs = [(ran("without", changed), ran("with", changed)) for _ in range(options.rounds)]
        (without, much), (kept, mb) = (
            [statistics.median(values) for values in zip(*side, strict=True)] for side in zip(*runs, strict=True)
        )
        print(
            f"{name:>28}  {without:6.2f} s {kept:6.2f} s {kept / without:16.2f} {much:13.0f} MB {mb:3.0f} MB",
            flush=True,
        )


if __name__ == "__main__":
    main()
