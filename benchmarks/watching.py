"""What it costs that pages move while a run trains: python benchmarks/watching.py [--rounds 3] [--json FILE]

The first visit's run is trained with and without looks at its models, in turn, on one thread; the extra share of each
round's processor time, then the median of the rounds. And the size of the largest line that a look writes.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.on_rows import cpu_seconds
from crl_core import preset
from crl_core.config import RunConfig
from crl_core.config.presets import DEFAULT_PRESET
from crl_core.config.text import altered
from crl_core.events import Event, ViewSampled
from crl_core.measures.view_samples import ViewSampler
from crl_core.runs.eventlog import encode
from crl_core.training.path import train_path, warm_up


def spent(config: RunConfig, *, watched: bool) -> tuple[float, list[Event]]:
    """Processor seconds of a run, and its events."""
    with cpu_seconds() as seconds:
        events = list(train_path(config, watch=ViewSampler(config) if watched else None))
    return seconds(), events


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--epochs", type=int, help="instead of the first visit's")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    config = altered(preset(DEFAULT_PRESET), device="cpu", **({"epochs": options.epochs} if options.epochs else {}))
    warm_up()
    shares, sizes = [], [0]
    for _ in range(options.rounds):
        watched, events = spent(config, watched=True)
        shares.append(watched / spent(config, watched=False)[0] - 1)
        sizes += [len(encode(event, at=time.time())) for event in events if isinstance(event, ViewSampled)]
    figures = {"watching_share": 100 * statistics.median(shares), "look_kb": max(sizes) / 1000}
    print(f"looks take {figures['watching_share']:.1f} % of the training; a line of one {figures['look_kb']:.1f} kB")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
