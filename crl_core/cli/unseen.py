"""The command `unseen`: how often the falsifiers alarm in a preset's world, and how wrong the effects are then."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from typing import Any

from crl_core.cli.output import put, tell, warn
from crl_core.cli.seeds import add_seed_options
from crl_core.cli.table import ProgressBar, text_table
from crl_core.cli.workers import add_worker_options, workers
from crl_core.config.numbers import option
from crl_core.config.presets import PRESETS
from crl_core.config.text import seed_words
from crl_core.runs.store import RunStore
from crl_core.studies.detection_rates import DRAWS, SEEDS, Power, cautions, name_of, run_power


def add_unseen_command(command: Callable[..., Any]) -> None:
    """Add it with `command(name, what does it, text)`, which returns a parser."""
    unseen = command("unseen", _unseen, "deploy somewhere new: which tests alarm, and are the effects wrong?")
    unseen.add_argument("--preset", default="hospitals", metavar="NAME", help=f"one of {', '.join(PRESETS)}")
    add_seed_options(unseen, SEEDS)
    add_worker_options(unseen)
    unseen.add_argument(
        "--draws",
        type=option(unit="draws batches", whole=True),
        default=DRAWS,
        metavar="N",
        help=f"batches a seed; default {DRAWS}",
    )


def _unseen(options: argparse.Namespace) -> int:
    if not 1 <= options.draws <= 1000:
        raise ValueError(f"draws is {options.draws}; from 1 to 1000 are possible.")
    bar, store = ProgressBar(sys.stderr), RunStore()

    def on_spec(done: int, total: int) -> None:
        bar.close()
        tell(f"intervention {done + 1} of {total}")

    with workers(options, store, bar) as executor:
        power = run_power(
            options.preset,
            store,
            seeds=options.seeds,
            first_seed=options.first_seed,
            draws=options.draws,
            executor=executor,
            on_spec=on_spec,
        )
    bar.close()
    said = cautions(power)
    put(options.json, power.to_dict() | {"cautions": list(said)}, lambda: power_table(power))
    warn(said)
    return 0


def power_table(power: Power, n: int = 200) -> str:
    """The table for one size of batch: a line an intervention and λ, a column a test."""
    tests = list(dict.fromkeys(row.test for row in power.rows))
    cells: dict[tuple[str, float, float], dict[str, Any]] = {}
    for row in power.rows:
        if row.n == n:
            cells.setdefault((row.intervention, row.dose, row.lam), {})[row.test] = row
    lines = []
    for (intervention, dose, lam), found in cells.items():
        first = next(iter(found.values()))
        rates = [f"{found[test].rejection_rate:.2f}" for test in tests]
        lines.append(
            (
                name_of(intervention, dose),
                f"{lam:g}",
                *rates,
                f"{first.ite_rmse:.3f}",
                "wrong" if first.wrong else "",
            )
        )
    return text_table(("after", "λ", *tests, "effect error", ""), lines) + (
        f"\n\nShare of batches of {n} rows that alarm, {seed_words(power.seeds, power.first_seed)}. Wrong: more than "
        "twice the error of unchanged rows."
    )
