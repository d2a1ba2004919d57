"""The command `penalties`: ideas of invariance side by side on one world."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from crl_core.cli.output import PROGRAM, put, tell, warn
from crl_core.cli.seeds import add_seed_options
from crl_core.cli.table import ProgressBar, text_table
from crl_core.cli.workers import add_worker_options, workers
from crl_core.config import RunConfig
from crl_core.config.numbers import option
from crl_core.config.penalty_words import PENALTY_WORDS
from crl_core.config.presets import DEFAULT_PRESET, PRESETS
from crl_core.measures.intervals import too_few
from crl_core.runs.store import RunStore
from crl_core.studies.penalties import (
    EPOCHS,
    SEEDS,
    SHARED,
    WHERE,
    Contest,
    ContestSetting,
    better_than_none,
    cautions,
    from_none,
    ratio_words,
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
    add_seed_options(parser, SEEDS)
    add_worker_options(parser)
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
        first_seed=options.first_seed,
        epochs=options.epochs,
        shared=options.shared,
        gap=options.gap,
        rare=options.rare,
        matching=options.matching,
        balanced=options.balanced,
    )
    lams = tuple(options.lam) if options.lam else None
    with workers(options, store, bar) as executor:
        contest = run_contest(setting, store, options.only, lams, executor, on_run)
    bar.close()
    said = cautions(contest)
    put(options.json, contest.to_dict() | {"cautions": list(said)}, lambda: contest_table(contest))
    warn(said)
    return 0


def contest_table(contest: Contest) -> str:
    """Medians over seeds, and the difference of each from λ = 0 and from the first at the blind choice."""
    ran = contest.ran
    lines: list[tuple[str, ...]] = []
    from_zero = from_none(contest, "at_blind")
    for one in contest.rows:
        if not one.ran:
            lines.append((PENALTY_WORDS[one.penalty].short, "–", "–", "–", "–", "–", "–", one.problem))
            continue
        lams = f"{one.lam('at_best'):g} / {one.lam('at_blind'):g}"
        figures = [f"{np.median(one.error(where)):.3f}" for where in ("at_zero", "at_best", "at_others", "at_blind")]
        apart = from_zero[one.penalty]
        words = ratio_words(apart) + (
            f" {apart.too_few}" if apart.too_few else "" if apart.seen else " no difference seen"
        )
        notes = "; ".join(filter(None, (one.problem, f"own best {one.end_words}" if one.at_end else "")))
        lines.append((PENALTY_WORDS[one.penalty].short, *figures, lams, words, notes))
    header = (
        "penalty",
        WHERE["at_zero"],
        WHERE["at_best"],
        WHERE["at_others"],
        WHERE["at_blind"],
        "λ best / blind",
        "blind over λ = 0",
        "",
    )
    better, _ = better_than_none(contest, "at_blind")
    names = ", ".join(PENALTY_WORDS[name].short for name in better) or "none"
    few = too_few(contest.setting.seeds)
    ending = (
        f"No verdict: these are {few}."
        if few
        else f"Better than no penalty at the label-free λ, {len(ran)} penalties at once (Holm): {names}."
    )
    return (
        f"{contest.setting.preset}: {contest.setting.words}\n\n"
        + text_table(header, lines)
        + (
            f"\n\n{ending if ran else ''}\nEffect error, held out, medians over {contest.setting.seed_words}, "
            f"{contest.setting.epochs} epochs; ratios with 95 % intervals of one at a time (Student's t of logarithms, "
            "paired). Own best: by the truth, where a grid goes on while its last λ is the best. Best in other seeds: "
            "by the truth, too, but never in the seed where it is judged. Blind: the λ of least held-out factual "
            "error. λ of different penalties are not comparable."
        )
    )
