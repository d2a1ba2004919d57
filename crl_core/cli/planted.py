"""The options `--planted` and `--shape` of the command `table`: how far off its training is where effects are known."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from typing import Any, get_args

from crl_core.cli.output import tell
from crl_core.cli.table import ProgressBar, text_table
from crl_core.config import RunConfig
from crl_core.config.numbers import option
from crl_core.data.tables.source import TableSource
from crl_core.measures.planted import USUAL, USUAL_OF_TWO, Planting, Shape, plant, usual_size
from crl_core.studies.planted import lines_of, run_planted


def add_planted_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--planted",
        nargs="?",
        type=option(),
        const=True,
        metavar="SIZE",
        help=f"train again on planted effects of so many sd (default {USUAL:g}, of two outcomes {USUAL_OF_TWO:g}), to "
        "see how far off this is",
    )
    parser.add_argument("--shape", choices=get_args(Shape), help="of planted effects")


def planting_asked_for(options: argparse.Namespace, source: TableSource) -> Planting | None:
    """What is planted in the table; None where nothing is to be. Before a training, since it may be refused."""
    if options.planted is None:
        if options.shape is not None:
            raise ValueError("--shape says how effects are planted; give --planted with it.")
        return None
    if options.look:
        raise ValueError("--planted trains and --look does not; give one of them.")
    rows, _ = source.all_rows()
    size = usual_size(rows) if options.planted is True else float(options.planted)
    return plant(rows, size=size, shape=options.shape or "constant", seed=options.seed)


def planted_content(config: RunConfig, planting: Planting) -> dict[str, Any]:
    """The JSON part "planted"."""
    tell("on planted effects:")
    bar = ProgressBar(sys.stderr)
    found = run_planted(config, planting, listen=bar)
    bar.close()
    assert found is not None  # nobody asks it to stop
    return found.to_dict()


def planted_text(content: Mapping[str, Any]) -> str:
    """`planted_content` for reading."""
    head, *lines = lines_of(content)
    how = "a coin" if content["coin"] else "the propensity of the table"
    return "\n".join(
        [
            f"Planted effects: {content['rows']} untreated rows, {content['treated']} of them treated by {how}; their "
            f"sd is {content['sd']:.4g}.",
            "",
            text_table(head, lines),
            "",
            content["sentence"],
            *content["cautions"],
        ]
    )
