"""The command `identify`: can latents be recovered from several environments, without labels and without an outcome?"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from typing import Any, get_args

import numpy as np

from crl_core.cli.output import PROGRAM, put, tell, warn
from crl_core.cli.seeds import add_seed_options
from crl_core.cli.table import text_table
from crl_core.config.numbers import option
from crl_core.config.text import altered
from crl_core.identify.latent_worlds import Edges, Mixing, read_table
from crl_core.identify.method_words import METHOD_WORDS
from crl_core.identify.presets import FIRST_SEED, LATENT_PRESETS, latent_preset
from crl_core.identify.recovered import cautions


def add_identify_command(command: Callable[..., Any]) -> None:
    """Add it with `command(name, what does it, text)`, which returns a parser."""
    parser = command("identify", _identify, "recover latents from several environments, without labels on them")
    parser.add_argument("--preset", default="each", metavar="NAME", help=f"one of {', '.join(LATENT_PRESETS)}")
    parser.add_argument(
        "--methods", nargs="+", default=["flow"], metavar="NAME", help=f"some of {', '.join(METHOD_WORDS)}"
    )
    add_seed_options(parser, 3, FIRST_SEED, most=40)
    parser.add_argument(
        "--scales",
        nargs="+",
        metavar="ROW",
        help="an environment a word, e.g. 1,1,1 2.5,1,1: another intervention matrix",
    )
    parser.add_argument(
        "--means", nargs="+", metavar="ROW", help="the same for means; default: as the preset, or all 0"
    )
    parser.add_argument("--mixing", metavar="HOW", help=f"one of {', '.join(get_args(Mixing))}")
    parser.add_argument("--edges", metavar="HOW", help=f"one of {', '.join(get_args(Edges))}")
    parser.add_argument(
        "--dim-x",
        type=option(unit="dimensions", whole=True),
        default=0,
        metavar="D",
        help="observed dimension; default: as many as latents",
    )
    parser.add_argument(
        "--redraws",
        type=option(whole=True),
        default=0,
        metavar="N",
        help="0 to 5: fit again on other rows of the same world and say whether the fits agree; default 0",
    )
    parser.add_argument("--bake", action="store_true", help=argparse.SUPPRESS)


def _identify(options: argparse.Namespace) -> int:
    if options.bake:
        raise ValueError(f"what comes with the program is made by {PROGRAM} bake --only identify.")
    from crl_core.identify.flows.recover import recover

    def on_method(name: str) -> None:
        tell(METHOD_WORDS[name].short)

    world = latent_preset(options.preset)
    asked: dict[str, Any] = {}
    if options.scales:
        asked |= {"scales": read_table(" ".join(options.scales), "--scales"), "means": ()}
    if options.means:
        asked["means"] = read_table(" ".join(options.means), "--means")
    asked |= {name: getattr(options, name) for name in ("mixing", "edges", "dim_x") if getattr(options, name)}
    world = altered(world, **asked)
    seeds = list(range(options.first_seed, options.first_seed + options.seeds))
    rows = [
        row.to_dict() for row in recover(world, seeds, options.methods, redraws=options.redraws, on_method=on_method)
    ]
    said = cautions(world, rows)
    put(options.json, {"preset": options.preset, "rows": rows, "cautions": list(said)}, lambda: identify_table(rows))
    warn(said)
    return 0


def identify_table(rows: Sequence[dict[str, Any]]) -> str:
    """Scores by method as text: medians over seeds, beside the chance floor."""
    lines: list[tuple[str, ...]] = []
    for name in dict.fromkeys(row["method"] for row in rows):
        own = [row for row in rows if row["method"] == name and row["mcc"] is not None]
        if not own:
            problem = next(row["problem"] for row in rows if row["method"] == name)
            lines.append((METHOD_WORDS[name].short, *["–"] * 6, problem))
            continue
        mcc = np.array([row["mcc"] for row in own])
        each = np.median([row["per_coordinate"] for row in own], axis=0)
        lines.append(
            (
                METHOD_WORDS[name].short,
                f"{np.median(mcc):.3f} [{mcc.min():.3f}, {mcc.max():.3f}]",
                " ".join(f"{value:.2f}" for value in each),
                f"{np.median([row['mcc_noise'] for row in own]):.3f}",
                f"{np.median([row['r2'] for row in own]):.3f}",
                _chance(own),
                _agreement(own),
                "",
            )
        )
    header = ("method", "MCC", "each latent", "MCC of noises", "linear R²", "chance", "fits agree", "")
    return text_table(header, lines) + (
        "\n\nMCC: mean |correlation| after the best assignment, found on one half of the rows of the reference "
        "environment and "
        "scored on the other; medians over seeds. Chance: random rotations of the truth, mean and 95 % point; an MCC "
        "below the second shows nothing. Fits agree: MCC between restarts, and between fits on other rows; no truth is "
        "used, and agreeing is not yet being right."
    )


def _chance(rows: Sequence[dict[str, Any]]) -> str:
    """Mean and 95 % point of random rotations, medians over seeds."""
    mean, high = (np.median([row[name] for row in rows]) for name in ("floor", "floor_95"))
    return f"{mean:.3f}, {high:.3f}"


def _agreement(rows: Sequence[dict[str, Any]]) -> str:
    """What fits agree by, medians over seeds; a dash where there was one fit alone."""
    words = []
    for name, word in (("restarts_agree", "restarts"), ("rows_agree", "rows")):
        known = [row[name] for row in rows if row[name] is not None]
        words += [f"{word} {np.median(known):.3f}"] if known else []
    return ", ".join(words) or "–"
