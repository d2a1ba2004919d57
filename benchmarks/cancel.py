"""How long a cancel waits: python benchmarks/cancel.py

A run looks now and then whether it was cancelled. Printed for runs of several sizes: the longest stretch between two
such looks, which is the longest that a cancel waits: while rows are made, in training, in the evidence, in the maps.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from unittest import mock

sys.path.insert(0, str(Path(__file__).parents[1]))

from crl_core import RunConfig, RunStore, preset
from crl_core.config.presets import DEFAULT_PRESET
from crl_core.config.text import altered
from crl_core.events import RunCompleted, RunFinished, RunStarted, StageAdvanced
from crl_core.jobs.train_and_store import Event, train_and_store
from crl_core.training.path import warm_up

_FIRST = preset(DEFAULT_PRESET)
RUNS: Mapping[str, RunConfig] = {
    "the first visit's": altered(_FIRST, device="cpu"),
    "100,000 rows": altered(_FIRST, device="cpu", n_samples=100_000, replicates=1, epochs=2),
    "20 replicates": altered(_FIRST, device="cpu", replicates=20, epochs=2),
    "a batch of 4,096": altered(_FIRST, device="cpu", n_samples=20_000, replicates=1, epochs=1, batch_size=4096),
    "10,000 traces": altered(preset("filter"), device="cpu", n_samples=10_000, replicates=1, epochs=2),
}
STAGES = ("rows", "training", "evidence", "projection")


def waits(config: RunConfig) -> dict[str, float]:
    """By stage, the longest stretch in seconds without a look."""
    stage, longest, looked = "rows", dict.fromkeys(STAGES, 0.0), time.perf_counter()

    def look() -> bool:
        nonlocal looked
        now = time.perf_counter()
        longest[stage] = max(longest[stage], now - looked)
        looked = now
        return False

    def hear(event: Event) -> None:
        nonlocal stage
        if isinstance(event, (RunStarted, RunFinished, StageAdvanced)):
            look()
            stage = event.stage if isinstance(event, StageAdvanced) else "training"
        elif isinstance(event, RunCompleted):
            look()

    with tempfile.TemporaryDirectory() as folder:
        store = RunStore(Path(folder) / "cache", baked=Path(folder) / "none")
        with mock.patch.object(store.locks, "cancellation", return_value=look):
            outcome = train_and_store(config, store, listen=hear)
    assert outcome.ending == "trained", outcome
    return longest


def main() -> None:
    warm_up()
    print(f"{'longest wait, s':18s}" + "".join(f"{stage:>12s}" for stage in STAGES))
    for name, config in RUNS.items():
        found = waits(config)
        print(f"{name:18s}" + "".join(f"{found[stage]:12.2f}" for stage in STAGES), flush=True)


if __name__ == "__main__":
    main()
