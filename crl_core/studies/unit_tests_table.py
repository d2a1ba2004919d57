"""The unit tests as a table: the same cells and sentences for the command, the page and the README."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from crl_core.config import FIRST_SEED
from crl_core.config.penalty_words import PENALTY_WORDS
from crl_core.data.unit_tests import N_TRAIN
from crl_core.studies.unit_tests import FEWEST_SEEDS, FLOOR, N_TEST, SEEDS, WHERE, WITHIN, UnitTests


def header(found: UnitTests) -> tuple[str, ...]:
    return ("penalty", "passes", *found.problems)


@lru_cache(maxsize=16)
def lines(found: UnitTests, where: str) -> tuple[tuple[str, ...], ...]:
    """A line a penalty: how many it passes; then, problem by problem, median test error and seeds passed.

    The oracle and the network without a penalty stand first.
    where: how λ is chosen, `WHERE`.
    """
    oracle = tuple(_error(found.oracle[name]) for name in found.problems)
    none = tuple(_cell(found, name, found.without_penalty(name)) for name in found.problems)
    n = len(found.problems)
    rows = [("oracle", "", *oracle), ("none, λ = 0", _passes(found.passed_without_penalty(), n), *none)]
    for penalty in found.penalties:
        cells = (_cell(found, name, found.of(name, penalty).errors(where)) for name in found.problems)
        rows.append((PENALTY_WORDS[penalty].short, _passes(found.passed(penalty, where), n), *cells))
    return tuple(rows)


def verdict(found: UnitTests, where: str) -> str:
    """The most that a penalty passes, whose that is, and what passes without one, in a sentence or two."""
    passed = {penalty: found.passed(penalty, where) for penalty in found.penalties}
    counts = {PENALTY_WORDS[penalty].short: len(names) for penalty, names in passed.items() if names is not None}
    if not counts:
        return f"No verdict: fewer than {FEWEST_SEEDS} seeds."
    n, most = len(found.problems), max(counts.values())
    whose = f": {', '.join(name for name, count in counts.items() if count == most)}" if most else ""
    none = found.passed_without_penalty()
    return (
        f"With {WHERE[where]}, the most that a penalty passes is {most} of {n}{whose}. λ = 0 passes {len(none or ())}."
    )


def markdown(found: UnitTests) -> str:
    """Both tables for the README, the oracle λ's in the second, and how they were measured."""
    parts = []
    for where, words in WHERE.items():
        rows = [header(found), ("---",) * len(header(found)), *lines(found, where)]
        parts += [f"{words}:", "\n".join(f"| {' | '.join(row)} |" for row in rows), verdict(found, where)]
    return "\n\n".join(part for part in (*parts, at_edges(found), how_measured(found)) if part)


def at_edges(found: UnitTests) -> str:
    """Where a larger λ than the grid has might do better, in a sentence; empty where nowhere."""
    at = {
        penalty: [name for name in found.problems if 2 * found.of(name, penalty).at_edge() > found.seeds]
        for penalty in found.penalties
    }
    edges = [f"{PENALTY_WORDS[penalty].short} ({', '.join(names)})" for penalty, names in at.items() if names]
    return f"At the end of its grid, so that a larger λ might do better: {', '.join(edges)}." if edges else ""


def how_measured(found: UnitTests) -> str:
    """What the numbers are, and the command that makes them again."""
    last = found.first_seed + found.seeds - 1
    seeds = f"seeds {found.first_seed} to {last}" if found.seeds > 1 else f"seed {last}"
    return (
        "1: cause and effect, 2: cows and camels, 3: a small invariant margin; s: rotated. "
        f"Median test error (1: squared error; 2, 3: share of wrong signs) over {seeds}, and in how many of them it is "
        f"within {100 * WITHIN - 100:.0f} % of the oracle's, or in 2 and 3 within {FLOOR:g}; passed: in more than "
        "half. Oracle: trained on rows in which the spurious features say nothing, as in the test. Features are "
        "standardised, which makes the faint ones of 2 loud, but not where they are rotated. "
        f"{N_TRAIN:,} rows an environment to learn from, {N_TEST:,} to test, {found.epochs} epochs, a non-linear "
        "network, squared error; the authors take 10,000 rows, linear models, and cross-entropy for 2 and 3. "
        f"{command(found)}"
    )


def command(found: UnitTests) -> str:
    """The command that measures this."""
    words = ["python -m crl_core unit-tests"]
    words += [f"--seeds {found.seeds}"] if found.seeds != SEEDS else []
    words += [f"--first-seed {found.first_seed}"] if found.first_seed != FIRST_SEED else []
    return " ".join(words)


def _cell(found: UnitTests, problem: str, errors: np.ndarray) -> str:
    return f"{_error(errors)} ({found.seeds_passed(problem, errors)}/{found.seeds})"


def _error(errors: np.ndarray) -> str:
    value = float(np.median(errors))
    return "broke" if not np.isfinite(value) else f"{value:.1f}" if value >= 1 else f"{value:.3f}"


def _passes(names: tuple[str, ...] | None, n: int) -> str:
    return "–" if names is None else f"{len(names)} of {n}"
