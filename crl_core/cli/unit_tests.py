"""The command `unit-tests`: which penalties leave a spurious feature alone in six problems of others' making."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from crl_core.cli.output import put, tell, warn
from crl_core.cli.seeds import add_seed_options
from crl_core.cli.table import text_table
from crl_core.config.penalty_words import PENALTY_WORDS
from crl_core.data.unit_tests import PROBLEMS
from crl_core.studies.unit_tests import SEEDS, WHERE, UnitTests, cautions, run_unit_tests
from crl_core.studies.unit_tests_table import at_edges, header, how_measured, lines, verdict


def add_unit_tests_command(command: Callable[..., Any]) -> None:
    """Add it with `command(name, what does it, text)`, which returns a parser."""
    parser = command("unit-tests", _unit_tests, "six problems that invariance should solve: which penalties pass")
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help=f"some of {', '.join(PENALTY_WORDS)}")
    parser.add_argument("--problems", nargs="+", default=[], metavar="NAME", help=f"some of {', '.join(PROBLEMS)}")
    add_seed_options(parser, SEEDS)


def _unit_tests(options: argparse.Namespace) -> int:
    def on_path(problem: str, penalty: str) -> None:
        tell(f"problem {problem}: {PENALTY_WORDS[penalty].short if penalty in PENALTY_WORDS else penalty}")

    found = run_unit_tests(options.seeds, options.first_seed, options.only, options.problems, on_path=on_path)
    said = cautions(found)
    put(options.json, found.to_dict() | {"cautions": list(said)}, lambda: unit_tests_text(found))
    warn(said)
    return 0


def unit_tests_text(found: UnitTests) -> str:
    """A table for each way of choosing λ, and how it was measured."""
    parts = []
    for where, words in WHERE.items():
        parts += [f"{words}:", text_table(header(found), lines(found, where)), verdict(found, where)]
    return "\n\n".join(part for part in (*parts, at_edges(found), how_measured(found)) if part)
