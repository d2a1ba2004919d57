"""What it is worth that temporaries' memory stays with the process while a path trains: python -m benchmarks.heap

Each run in a process of its own, with and without in turn; medians of the rounds.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Mapping
from typing import Any

from benchmarks.growth import ran
from crl_core import preset
from crl_core.config.presets import DEFAULT_PRESET
from crl_core.config.text import altered

CONFIGS: Mapping[str, Mapping[str, Any]] = {
    "as it comes (batch 128)": {"epochs": 8},
    "batch 1,024": {"epochs": 4, "batch_size": 1024},
    "batch 2,048, 512 features": {"epochs": 8, "batch_size": 2048, "ipm_estimate": "rff"},
}
WITHOUT = "import contextlib, crl_core.training.path as path; path.kept_pages = contextlib.nullcontext"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    print(f"{'48 models':>28}   without     with   with / without   memory without   with")
    for name, changed in CONFIGS.items():
        config = altered(preset(DEFAULT_PRESET), device="cpu", **changed)
        runs = [(ran(config, WITHOUT), ran(config)) for _ in range(options.rounds)]
        (anew_s, anew_mb, _), (kept_s, kept_mb, _) = (
            [statistics.median(values) for values in zip(*side, strict=True)] for side in zip(*runs, strict=True)
        )
        figures = f"{anew_s:6.2f} s {kept_s:6.2f} s {kept_s / anew_s:16.2f} {anew_mb:13.0f} MB {kept_mb:3.0f} MB"
        print(f"{name:>28}  {figures}", flush=True)


if __name__ == "__main__":
    main()
