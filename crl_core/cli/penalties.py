"""The command `penalties`: ideas of invariance side by side on one world."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from crl_core.cli.output import PROGRAM, put, tell, warn
from crl_core.cli.table import ProgressBar, text_table
from crl_core.config import RunConfig
from crl_core.config.numbers import option
from crl_core.config.penalty_words import PENALTY_WORDS
from crl_core.config.presets import DEFAULT_PRESET, PRESETS
from crl_core.jobs.executors import Here
from crl_core.runs.store import RunStore
from crl_core.studies.penalties import (
    EPOCHS,
    SEEDS,
    SHARED,
    WHERE,
    Contest,
    ContestSetting,
    against,
    better_than_none,
    cautions,
    run_contest,
)


def add_penalties_command(command: Callable[..., Any]) -> None:
    """Add it with `command(name, what does it, text)`, which returns a parser."""
    parser = command("penalties", _penalties, "ideas of invariance side by side, each along its own λ path")
    parser.add_argument("--preset", default=DEFAULT_PRESET, metavar="NAME", help=f"one of {', '.join(PRESETS)}")
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help=f"some of {', '.join(PENALTY_WORDS)}")
    parser.add_argument(
        "--lam", nargs="+", type=option("lams", several=True), metavar="λ", help="another grid, for one penalty only"
    )
    parser.add_argument(
        "--seeds", type=option(unit="seeds", whole=True), default=SEEDS, metavar="N", help=f"1 to 20; default {SEEDS}"
    )
    parser.add_argument(
        "--epochs", type=option("epochs", whole=True), default=EPOCHS, metavar="N", help=f"default {EPOCHS}"
    )
    parser.add_argument(
        "--shared",
        type=option(unit="units", whole=True),
        default=SHARED,
        metavar="N",
        help=f"units seen in every environment; default {SHARED}",
    )
    parser.add_argument(
        "--gap", type=option(), metavar="Δ", help="means of z are +Δ and −Δ in turn; default: the preset's"
    )
    parser.add_argument(
        "--rare",
        type=option(),
        default=1.0,
        metavar="W",
        help="rows of the last environment, relative to the others'",
    )
    parser.add_argument("--matching", default="shared", metavar="HOW", help="shared, oracle or rank")
    parser.add_argument("--balanced", action="store_true", help="as many rows of each environment in every batch")
    parser.add_argument("--bake", action="store_true", help=argparse.SUPPRESS)


def _penalties(options: argparse.Namespace) -> int:
    bar, store = ProgressBar(sys.stderr), RunStore()

    def on_run(done: int, total: int, config: RunConfig) -> None:
        bar.close()
        short = PENALTY_WORDS[config.training.penalty].short
        tell(f"penalty {done + 1} of {total}: {short}")

    if options.bake:
        raise ValueError(f"what comes with the program is made by {PROGRAM} bake --only penalties.")
    setting = ContestSetting(
        preset=options.preset,
        seeds=options.seeds,
        epochs=options.epochs,
        shared=options.shared,
        gap=options.gap,
        rare=options.rare,
        matching=options.matching,
        balanced=options.balanced,
    )
    lams = tuple(options.lam) if options.lam else None
    contest = run_contest(setting, store, options.only, lams, Here(store, bar), on_run)
    bar.close()
    said = cautions(contest)
    put(options.json, contest.to_dict() | {"cautions": list(said)}, lambda: contest_table(contest))
    warn(said)
    return 0


def contest_table(contest: Contest) -> str:
    """Medians over seeds, and the difference of each from λ = 0 and from the first at the blind choice."""
    ran = contest.ran
    lines: list[tuple[str, ...]] = []
    for one in contest.rows:
        if not one.ran:
            lines.append((PENALTY_WORDS[one.penalty].short, "–", "–", "–", "–", "–", one.problem))
            continue
        lams = f"{one.lam('at_best'):g} / {one.lam('at_blind'):g}"
        figures = [f"{np.median(one.error(where)):.3f}" for where in ("at_zero", "at_best", "at_blind")]
        apart = against(one, one, "at_zero", "at_blind")
        words = f"{apart.mean:+.3f} [{apart.low:+.3f}, {apart.high:+.3f}]" + (
            "" if apart.seen else " no difference seen"
        )
        lines.append((PENALTY_WORDS[one.penalty].short, *figures, lams, words, one.problem))
    header = (
        "penalty",
        WHERE["at_zero"],
        WHERE["at_best"],
        WHERE["at_blind"],
        "λ best / blind",
        "blind, less λ = 0",
        "",
    )
    better, _ = better_than_none(contest, "at_blind")
    ending = (
        (
            f"Better than no penalty beyond the interval, at the blind λ: "
            f"{', '.join(PENALTY_WORDS[n].short for n in better) or 'none'}."
        )
        if ran
        else ""
    )
    return (
        f"{contest.setting.preset}: {contest.setting.words}\n\n"
        + text_table(header, lines)
        + (
            f"\n\n{ending}\nITE RMSE, held out, medians over {contest.setting.seeds} seeds, {contest.setting.epochs} "
            f"epochs. Own best: by the "
            "truth. Blind: the λ of least held-out factual error. λ of different penalties are not comparable."
        )
    )
