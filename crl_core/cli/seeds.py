"""The options by which every study takes its seeds: how many, and the first of them."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from crl_core.config import FIRST_SEED
from crl_core.config.numbers import option

_MOST = 20


def add_seed_options(parser: argparse.ArgumentParser, default: int, first: int = FIRST_SEED, most: int = _MOST) -> None:
    """`--seeds` and `--first-seed`.

    default, most: how many.  first: of the defaults.
    """
    parser.add_argument(
        "--seeds",
        type=_whole("number of seeds", 1, most, unit="seeds"),
        default=default,
        metavar="N",
        help=f"1 to {most}; default {default}",
    )
    parser.add_argument(
        "--first-seed",
        type=_whole("first seed", 0, 2**31 - 1 - most),
        default=first,
        metavar="K",
        help=f"the seeds are K, K + 1, …; default {first}, which nothing was tuned on",
    )


def _whole(name: str, least: int, most: int, unit: str = "") -> Callable[[str], int]:
    """The type of an option: a whole number in these limits, as people write it."""
    whole = option(unit=unit, whole=True)

    def read(text: str) -> int:
        value = int(whole(text))
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(f"{name} is {value}; from {least} to {most} are possible")
        return value

    return read
