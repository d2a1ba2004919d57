"""The command `presets`: the worlds that come with the program, and what alignment earns in each."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from crl_core.cli.output import put, tell, warn
from crl_core.cli.seeds import add_seed_options
from crl_core.cli.table import ProgressBar, text_table
from crl_core.config import RunConfig
from crl_core.config.presets import PRESETS
from crl_core.jobs.executors import Here
from crl_core.runs.store import RunStore
from crl_core.studies import preset_verdicts
from crl_core.studies.preset_verdicts import FIRST_SEED, SEEDS, Earned


def add_presets_command(command: Callable[..., Any]) -> None:
    """Add it with `command(name, what does it, text)`, which returns a parser."""
    parser = command("presets", _presets, "list the worlds that come with the program")
    parser.add_argument(
        "--measure", action="store_true", help="train each over fresh seeds, and compare with the best baseline"
    )
    parser.add_argument("--only", nargs="+", default=list(PRESETS), metavar="NAME", help="some of them")
    add_seed_options(parser, SEEDS, FIRST_SEED)


def _presets(options: argparse.Namespace) -> int:
    unknown = [name for name in options.only if name not in PRESETS]
    if unknown:
        raise ValueError(f"there is no preset {', '.join(unknown)}; choose from {', '.join(PRESETS)}.")
    if options.measure:
        return _measure(options)
    content = [
        {
            "id": item.id,
            "title": item.title,
            "sentence": item.sentence,
            "look_for": item.look_for,
            "verdict": item.verdict,
            "config": item.config.to_dict(),
        }
        for item in (PRESETS[name] for name in options.only)
    ]
    put(options.json, {"presets": content}, lambda: _list(options.only))
    return 0


def _measure(options: argparse.Namespace) -> int:
    store, bar = RunStore(), ProgressBar(sys.stderr)

    def on_run(done: int, total: int, config: RunConfig) -> None:
        bar.close()
        tell(f"run {done + 1} of {total}: {options.only[done]}, {config.training.n_models} models")

    measured = preset_verdicts.measure(
        options.only, store, Here(store, bar), seeds=options.seeds, first_seed=options.first_seed, on_run=on_run
    )
    bar.close()
    said = preset_verdicts.cautions(measured)
    content = preset_verdicts.to_dict(measured) | {"cautions": list(said)}
    put(options.json, content, lambda: table_of(measured))
    warn(said)
    return 0


def table_of(measured: Sequence[Earned]) -> str:
    """Medians over the seeds, one line a preset."""
    errors = ("λ = 0", "chosen λ", "its error", "best λ's", "best baseline", "its error")
    return text_table(("preset", *errors, "/ λ = 0", "/ baseline", ""), [_line(item) for item in measured])


def _line(item: Earned) -> tuple[str, ...]:
    def ratio(other: np.ndarray) -> str:
        median, low, high = item.ratio(other)
        return f"{median:.2f} [{low:.2f}, {high:.2f}]"

    at_zero, picked, baseline = (f"{value:.3g}" for value in item.medians)
    lam, best = (f"{np.nanmedian(column):.3g}" for column in (item.lam, item.at_best))
    verdict = item.verdict or "too few seeds"
    return (
        item.preset,
        at_zero,
        lam,
        picked,
        best,
        item.usual_baseline,
        baseline,
        ratio(item.at_zero),
        ratio(item.of_baseline),
        verdict,
    )


def _list(names: Sequence[str]) -> str:
    lines, width = [], max(len(name) for name in names)
    for item in (PRESETS[name] for name in names):
        lines += [f"{item.id:<{width}} {item.title}. Alignment: {item.verdict}.", f"{'':<{width}} {item.sentence}"]
    return "\n".join(lines)
