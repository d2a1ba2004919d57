"""The command `penalties`: ideas of invariance side by side on one world."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from crl_core.cli_output import put
from crl_core.cli_table import ProgressBar, text_table
from crl_core.config import RunConfig
from crl_core.penalty_study import EPOCHS, SEEDS, Contestant, against, configs_of, run_penalties
from crl_core.penalty_words import PENALTY_WORDS
from crl_core.presets import DEFAULT_PRESET, PRESETS
from crl_core.runs import RunStore


def add_penalties_command(command: Callable[..., Any]) -> None:
    """Add it with `command(name, what does it, text)`, which returns a parser."""
    parser = command("penalties", _penalties, "ideas of invariance side by side, each along its own λ path")
    parser.add_argument(
        "--preset", default=DEFAULT_PRESET, metavar="NAME", help=f"one of {', '.join(PRESETS)}"
    )
    parser.add_argument(
        "--only", nargs="+", default=[], metavar="NAME", help=f"some of {', '.join(PENALTY_WORDS)}"
    )
    parser.add_argument("--seeds", type=int, default=SEEDS, metavar="N", help=f"1 to 20; default {SEEDS}")
    parser.add_argument("--epochs", type=int, default=EPOCHS, metavar="N", help=f"default {EPOCHS}")


def _penalties(options: argparse.Namespace) -> int:
    bar = ProgressBar(sys.stderr)

    def on_run(done: int, total: int, config: RunConfig) -> None:
        bar.close()
        short = PENALTY_WORDS[config.training.penalty].short
        print(f"penalty {done + 1} of {total}: {short}", file=sys.stderr, flush=True)

    configs = configs_of(options.preset, options.only, options.seeds, options.epochs)
    found = run_penalties(configs, RunStore(), bar, on_run)
    bar.close()
    content = {"preset": options.preset, "seeds": options.seeds, "epochs": options.epochs}
    put(options.json, content | {"rows": [one.to_dict() for one in found]}, lambda: penalties_table(found))
    return 0


def penalties_table(found: Sequence[Contestant]) -> str:
    """Medians over seeds, and the difference of each from the first at the blind choice."""
    lines = []
    for one in found:
        apart = against(found[0], one, "at_blind")
        words = "–" if one is found[0] else f"{apart.mean:+.3f} [{apart.low:+.3f}, {apart.high:+.3f}]"
        if one is not found[0] and not apart.seen:
            words += " no difference seen"
        lams = f"{np.median(one.best_lams):g} / {np.median(one.blind_lams):g}"
        figures = [f"{np.median(values):.3f}" for values in (one.at_zero, one.at_best, one.at_blind)]
        lines.append((PENALTY_WORDS[one.penalty].short, *figures, lams, words, one.problem))
    first = PENALTY_WORDS[found[0].penalty].short
    header = ("penalty", "λ = 0", "own best λ", "blind λ", "λ best / blind", f"blind, less {first}", "")
    return text_table(header, lines) + (
        "\n\nITE RMSE, held out, medians over seeds. Own best: by the truth. Blind: the λ of least held-out factual error. "
        "λ of different penalties are not comparable."
    )
