"""What to know of a table before it is trained on: a sentence each, with the columns that it is about.

Overlap and leaks are looked for in training rows, on which the encoding was learnt. None of the findings decides for a
person: columns stay as they are given.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from crl_core.data.tables.columns import OTHER, SINGLE, Column, Raw, Role, is_missing, levels_of, placed
from crl_core.data.tables.source import TableSource
from crl_core.data.user_files import folded
from crl_core.measures.average_effects import AverageLevels, average_levels
from crl_core.measures.subgroups import RARE_ROWS, rare_arm
from crl_core.world.sizes import RARE
from crl_core.world.table_arms import accuracies, aucs, env_auc, mean_differences, propensities

NEAR_AUC, NEAR_R2 = 0.9, 0.95  # from which it is asked of one column how it can tell the treatment, or the outcome
MUCH_OUTSIDE = 0.1  # share of rows beyond the edges that is worth a word
MOST_LOOKED_AT = 20_000  # training rows in which overlap and leaks are looked for, evenly taken
FEW = 30  # rows of an arm in an environment

Weight = Literal["cannot", "beware", "note"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """weight: "cannot" says that something asked for is impossible here, "beware" what may make a result wrong."""

    weight: Weight
    columns: tuple[str, ...]
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Look:
    """What a table can tell.

    left_out:   reason -> rows.
    arms:       rows by environment and arm, [E, 2], untreated first.
    propensity: chance of the treatment by a cross-fitted logistic regression, of `n` training rows evenly taken, [n].
    t:          the treatment that they have, [n].
    outside:    share of them whose propensity is beyond the edges.
    auc:        how well the covariates tell the arms apart, cross-fitted; .5 as in a randomised trial.
    env_aucs:   the same within each environment alone, [E]; NaN where an arm has fewer than `RARE_ROWS` rows.
    differences: standardised mean difference of each input between the arms, treated minus untreated, over used rows.
    naive:      difference of the arms' mean outcomes.
    least_squares, least_squares_treated: average effect by least squares per arm, over all used rows and over the
                treated among them.
    at_home, left_out_env: R² of a ridge regression of the outcome on covariates and treatment: for rows held out of
                every environment, and for environments that are left out whole; NaN with one environment.
    """

    left_out: Mapping[str, int]
    arms: np.ndarray
    propensity: np.ndarray
    t: np.ndarray
    outside: float
    auc: float
    env_aucs: np.ndarray
    differences: Mapping[str, float]
    naive: float
    least_squares: float
    least_squares_treated: float
    at_home: float
    left_out_env: float
    findings: tuple[Finding, ...]

    @property
    def levels(self) -> AverageLevels:
        """What is said of the average effect without a network."""
        return AverageLevels(
            naive=self.naive,
            least_squares=self.least_squares,
            least_squares_treated=self.least_squares_treated,
        )


def look_at(source: TableSource, raw: Raw) -> Look:
    """What a table can tell, and what to beware of. The source's rows must be loaded."""
    (train, _), (rows, _) = source.rows(0), source.all_rows()
    env, t = rows.env, rows.t
    arms = np.array([[int(((env == e) & (t == arm)).sum()) for arm in (0, 1)] for e in range(source.n_envs)])
    some = train.rows(np.unique(np.linspace(0, len(train) - 1, MOST_LOOKED_AT).astype(int)))
    propensity = propensities(some.x, some.t)
    env_aucs = [env_auc(some.rows(np.flatnonzero(some.env == e)), RARE_ROWS) for e in range(source.n_envs)]
    outside = float(((propensity < RARE) | (propensity > 1 - RARE)).mean())
    auc = float(aucs(propensity[:, None], some.t)[0])
    findings = [
        *(Finding(weight="note", columns=(), sentence=note) for note in raw.notes),
        *_grouped(source, raw, arms),
        *_arms(source, arms),
        *_overlap(outside, auc),
        *_tells(source, some.x, some.t, some.y),
        *_names(source),
        *_cells(source, raw),
    ]
    levels = average_levels(rows)
    at_home, left_out_env = accuracies(some)
    return Look(
        left_out=left_out(source, raw),
        arms=arms,
        propensity=propensity,
        t=some.t,
        outside=outside,
        auc=auc,
        env_aucs=np.array([auc]) if source.n_envs == 1 else np.array(env_aucs),
        differences=dict(zip(source.features, mean_differences(rows.x, t).tolist(), strict=True)),
        naive=levels.naive,
        least_squares=levels.least_squares,
        least_squares_treated=levels.least_squares_treated,
        at_home=at_home,
        left_out_env=left_out_env,
        findings=tuple(findings),
    )


def left_out(source: TableSource, raw: Raw) -> dict[str, int]:
    """Rows that are not used, by the first column that lacks what is needed."""
    gone = np.zeros(raw.n_rows, dtype=bool)
    found: dict[str, int] = {}
    for role in SINGLE:
        name = source.named(role)
        if name is not None:
            lacking = is_missing(raw.columns[name]) & ~gone
            if lacking.any():
                found[f"{name} ({role}) is missing"] = int(lacking.sum())
            gone |= lacking
    return found


def _arms(source: TableSource, arms: np.ndarray) -> list[Finding]:
    found: list[Finding] = []
    by_arm = arms.sum(axis=0)
    rare = rare_arm(by_arm)
    if rare is not None:
        found.append(
            _finding(
                "beware",
                f"{by_arm[rare]} of {by_arm.sum()} rows have the treatment {source.arms[rare]}: effects are uncertain, "
                "and subgroups of them more so.",
                source.named("treatment"),
            )
        )
    alone = [name for name, counts in zip(source.env_names, arms, strict=True) if counts.min() == 0]
    few = [name for name, counts in zip(source.env_names, arms, strict=True) if 0 < counts.min() < FEW]
    if alone and source.n_envs > 1:
        everywhere = len(alone) == source.n_envs
        found.append(
            _finding(
                "cannot" if everywhere else "beware",
                ("In every environment" if everywhere else f"In {listed(alone)}")
                + " all rows have the same treatment. If the environment is how rows were recruited, making them "
                "alike erases the confounders that tell the arms apart; align the arms, or nothing.",
                source.named("environment"),
            )
        )
    if few and source.n_envs > 1:
        found.append(_finding("note", f"{listed(few)}: fewer than {FEW} rows of one arm.", source.named("environment")))
    if source.n_envs == 1:
        found.append(_finding("note", "No column is the environment: what can be made alike is the arms alone."))
    return found


def _grouped(source: TableSource, raw: Raw, arms: np.ndarray) -> list[Finding]:
    """Which environments are several values together."""
    name = source.named("environment")
    if name is None or OTHER not in source.env_names:
        return []
    kept = set(source.env_names) - {OTHER}
    rest = [level for level in levels_of(raw.columns[name]) if level not in kept]
    if rest == [OTHER]:  # a value that is called so in the file
        return []
    return [
        _finding(
            "note",
            f"{name} has {len(kept) + len(rest)} values: the {len(kept)} largest are environments of their own, the "
            f"other {len(rest)} together are {OTHER}, {int(arms[source.env_names.index(OTHER)].sum()):,} rows.",
            name,
        )
    ]


def _overlap(outside: float, auc: float) -> list[Finding]:
    if outside < MUCH_OUTSIDE:
        return []
    return [
        _finding(
            "beware",
            f"{100 * outside:.0f} % of the rows are hardly ever given the other treatment (propensity below {RARE:g} "
            f"or above {1 - RARE:g}; AUC {auc:.2f}): for them no method knows the other outcome. Do not trust an "
            "effect that a large λ moves towards the difference in means.",
        )
    ]


def _tells(source: TableSource, x: np.ndarray, t: np.ndarray, y: np.ndarray) -> list[Finding]:
    """One column that tells the treatment or the outcome was perhaps measured after it; of a signal its sample that
    tells most."""
    found: dict[tuple[str, str, str], tuple[float, Finding]] = {}
    spread = float(np.var(y))

    def add(column: Column, what: str, measure: str, told: float) -> None:
        named = f"{column.name}, a sample of the signal," if column.signal else column.name
        sentence = (
            f"{named} alone tells the {what} ({measure} {told:.3f}). Was it measured before the treatment was given?"
        )
        key = (column.signal, "" if column.signal else column.name, what)
        if key not in found or told > found[key][0]:
            found[key] = told, _finding("beware", sentence, column.name)

    for column, place in placed(source.covariates):
        values = x[:, place]
        found_aucs = aucs(values, t)
        told = np.maximum(found_aucs, 1 - found_aucs).max(initial=0.0)
        if told > NEAR_AUC:
            add(column, "treatment", "AUC", float(told))
        r2s = [float(np.corrcoef(v, y)[0, 1] ** 2) for v in values.T if np.var(v) > 0 and spread > 0]
        if r2s and max(r2s) > NEAR_R2:
            add(column, "outcome", "R²", max(r2s))
    return [finding for _, finding in found.values()]


def _names(source: TableSource) -> list[Finding]:
    """A covariate that is called after the outcome or the treatment may be one of them in another form."""
    single: tuple[Role, ...] = ("outcome", "treatment")
    called = [(role, name) for role in single if (name := source.named(role)) is not None and len(name) > 2]
    return [
        _finding(
            "beware",
            f"{column.name} is called after the {role} {name}. Was it measured before the treatment was given?",
            column.name,
        )
        for role, name in called
        for column in source.covariates
        if folded(name) in folded(column.name)
    ]


def _cells(source: TableSource, raw: Raw) -> list[Finding]:
    found: list[Finding] = []
    again = int(pd.DataFrame({column.name: raw.columns[column.name] for column in source.columns}).duplicated().sum())
    if again:
        rows = "1 row is" if again == 1 else f"{again:,} rows are"
        found.append(
            _finding(
                "note", f"{rows} the same as an earlier one in every column that has a part; they count as others."
            )
        )
    for column in source.covariates:
        values = raw.columns[column.name]
        gone = is_missing(values)
        if len(pd.unique(values[~gone])) < 2 and not column.signal:
            found.append(_finding("note", f"{column.name} is the same in all rows; it tells nothing.", column.name))
        elif gone.mean() > 0.5:
            found.append(
                _finding("note", f"{column.name} is missing in {100 * gone.mean():.0f} % of the rows.", column.name)
            )
        if OTHER in column.levels:
            found.append(_finding("note", f"Rare values of {column.name} are taken together as {OTHER}.", column.name))
    return found


def _finding(weight: Weight, sentence: str, *columns: str | None) -> Finding:
    return Finding(weight=weight, columns=tuple(name for name in columns if name is not None), sentence=sentence)


def listed(names: list[str]) -> str:
    """Names as a sentence has them."""
    return " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else names[0]
