"""A source made of a person's columns: what each of them is has been said, and is checked, learnt and loaded here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from crl_core.data.fields import shown
from crl_core.data.scenario import MAX_ENVS
from crl_core.data.scm import MultiEnvData, split
from crl_core.data.tables.columns import (
    MOST_INPUTS,
    OTHER,
    SINGLE,
    Raw,
    Role,
    TableRefused,
    complete,
    content_hash,
    env_codes,
    first_of,
    learnt,
    levels_of,
    texts,
)
from crl_core.data.tables.signals import check_traces, samples_of
from crl_core.data.tables.source import ALL, TableSource, load

LEAST_ROWS, LEAST_IN_ARM, LEAST_IN_ENV = 100, 10, 30
MOST_SIZE = 1e15  # of a number: squares and sums of larger ones overflow in a network
_APART: tuple[Role, ...] = ("id", "ignore")
# What stands for "treated" where a person does not say so.
_TREATED = ("1", "true", "yes", "y", "treated", "treatment", "t")


def table_source(
    raw: Raw,
    roles: Mapping[str, Role],
    *,
    treated: str = "",
    label: str,
    seed: int = 0,
    categories: frozenset[str] = frozenset(),
    group_environments: int | None = None,
    signal: str = "",
) -> TableSource:
    """The source of a table whose columns have these roles; its rows are loaded in this process from now on.

    roles:      by column; one that is not named is ignored.
    treated:    the value of the treatment that counts as treated; "" where it is plain (1, true, yes, treated).
    categories: columns of numbers that are read as categories.
    group_environments: how many there are to be at most, where the environment has more values: all but one are the
                largest of them, and rows of the rest together are `OTHER`; None where each value is one.
    signal:     what the names of columns begin with that are samples of one signal, whatever role they were given
                beside; "" of a table without one.
    Raises:     TableRefused with one sentence.
    """
    samples = samples_of(list(raw.columns), signal) if signal else ()
    roles = _with_samples(roles, samples, categories)
    columns = {name: raw.columns[name] for name in raw.columns if roles.get(name, "ignore") not in _APART}
    of = {role: _one(roles, role) for role in SINGLE}
    outcome, treatment, environment = _needed(of, "outcome"), _needed(of, "treatment"), of["environment"]
    if (of["mu0"] is None) != (of["mu1"] is None):
        raise TableRefused("of mu0 and mu1 one is given; true effects need both.")
    for name in (of["mu0"], of["mu1"]):
        if name is not None and columns[name].dtype.kind != "f":
            raise TableRefused(f"{name} holds true mean outcomes, which are numbers, and it does not; choose another.")
    if "covariate" not in roles.values():
        raise TableRefused("no column is a covariate; name one at least.")
    _check_sizes(columns)
    arms = _arms(treatment, columns[treatment], treated)
    outcomes = _outcomes(outcome, columns[outcome])
    used = complete(columns, [name for name in of.values() if name is not None])
    if samples:
        check_traces(columns, samples, used)
    if environment is None:
        env_names: tuple[str, ...] = (ALL,)
    elif group_environments is not None:
        env_names = _largest(environment, columns[environment][used], group_environments)
    else:
        env_names = _env_names(environment, columns[environment])
    blank = MultiEnvData(
        x=np.zeros((int(used.sum()), 0)),
        t=(texts(columns[treatment][used]) == arms[1]).astype(np.int64),
        env=env_codes(columns, environment, env_names)[used],
        y=np.zeros(int(used.sum())),
    )
    _check_rows(blank, arms, env_names)
    training = np.flatnonzero(used)[split(blank, seed)[0]]
    source = TableSource(
        content=content_hash(columns),
        label=label,
        n_rows=int(used.sum()),
        n_held_out=int(used.sum()) - len(training),
        columns=tuple(
            replace(
                learnt(name, roles[name], values, training, "category" if name in categories else None),
                signal=signal if name in samples else "",
            )
            for name, values in columns.items()
        ),
        arms=arms,
        outcomes=outcomes,
        env_names=env_names,
        seed=seed,
    )
    if not 0 < len(source.features) <= MOST_INPUTS:
        raise TableRefused(
            f"the covariates become {len(source.features)} inputs; 1 to {MOST_INPUTS} fit. Ignore some of them."
        )
    load(source, columns)
    return source


def _with_samples(roles: Mapping[str, Role], samples: Sequence[str], categories: frozenset[str]) -> dict[str, Role]:
    """Roles with the samples of a signal among the covariates."""
    for name in samples:
        role = "category" if name in categories else roles.get(name, "covariate")
        if role in ("category", *SINGLE):
            raise TableRefused(f"{name} is a sample of the signal, and the {role} as well; one column has one role.")
    return {**roles, **dict.fromkeys(samples, "covariate")}


def _check_sizes(columns: Mapping[str, np.ndarray]) -> None:
    for name, values in columns.items():
        if values.dtype.kind == "f" and np.abs(values).max(where=~np.isnan(values), initial=0.0) > MOST_SIZE:
            raise TableRefused(
                f"{name} holds numbers beyond ±{MOST_SIZE:g}; give it in another unit, or leave the column out."
            )


def _one(roles: Mapping[str, Role], role: Role) -> str | None:
    having = [name for name, its in roles.items() if its == role]
    if len(having) > 1:
        raise TableRefused(f"{' and '.join(having[:2])} are both {role}; one column has that role.")
    return having[0] if having else None


def _needed(of: Mapping[Role, str | None], role: Role) -> str:
    name = of[role]
    if name is None:
        raise TableRefused(f"no column is the {role}; say which one is.")
    return name


def plain_treated(levels: Sequence[str]) -> str:
    """Which of a treatment's two values plainly means treated; "" where a person has to say so."""
    plain = [level for level in levels if level.lower() in _TREATED]
    return plain[0] if len(levels) <= 2 and len(plain) == 1 else ""


def _arms(name: str, values: np.ndarray, treated: str) -> tuple[str, str]:
    """What untreated and treated rows are called. Several values that are not `treated` count as untreated."""
    levels = levels_of(values)
    if len(levels) < 2:
        raise TableRefused(f"the treatment {name} has one value only; effects need treated and untreated rows.")
    if not treated:
        treated = plain_treated(levels)
        if not treated:
            raise TableRefused(
                f"the treatment {name} has the values {first_of(levels, 6)}; say which of them means treated."
            )
    if treated not in levels:
        raise TableRefused(f"no row has the treatment {shown(treated)}; {name} has the values {first_of(levels, 6)}.")
    others = [level for level in levels if level != treated]
    return (others[0] if len(others) == 1 else f"not {treated}"), treated


def _outcomes(name: str, values: np.ndarray) -> tuple[str, ...]:
    levels = levels_of(values)
    if len(levels) < 2:
        raise TableRefused(f"the outcome {name} is the same in all rows; nothing can be learnt of it.")
    if len(levels) == 2:
        numbers = values.dtype.kind == "f"
        return tuple(
            sorted(levels, key=float) if numbers else sorted(levels, key=lambda level: level.lower() in _TREATED)
        )
    if values.dtype.kind != "f":
        raise TableRefused(f"the outcome {name} is no number and has more than two values; choose a column of numbers.")
    return ()


def _env_names(name: str, values: np.ndarray) -> tuple[str, ...]:
    levels = levels_of(values)
    if len(levels) > MAX_ENVS:
        raise TableRefused(
            f"the environment {name} has {len(levels)} values; at most {MAX_ENVS} fit. Keep the largest and take "
            "the rest together, or choose another column."
        )
    if not levels:
        raise TableRefused(f"the environment {name} is missing in all rows; choose another column.")
    return tuple(levels)


def _largest(name: str, values: np.ndarray, most: int) -> tuple[str, ...]:
    """At most `most` names: the largest values in order of their names, and `OTHER` of the rest where there are more.

    values: of the rows that are used.
    """
    if not 2 <= most <= MAX_ENVS:
        raise TableRefused(
            f"{most} environments are asked for; 2 to {MAX_ENVS} fit, the largest values and one of the rest."
        )
    found, counts = np.unique(texts(values).astype(str), return_counts=True)
    if len(found) <= most:
        return _env_names(name, values)
    by_size = [found[at] for at in np.argsort(-counts, kind="stable") if found[at] != OTHER]
    return (*sorted(str(level) for level in by_size[: most - 1]), OTHER)


def _check_rows(rows: MultiEnvData, arms: tuple[str, str], env_names: tuple[str, ...]) -> None:
    if len(rows) < LEAST_ROWS:
        raise TableRefused(
            f"{len(rows)} rows can be used; {LEAST_ROWS} are the least. Missing outcomes leave rows out."
        )
    for arm, name in enumerate(arms):
        n = int((rows.t == arm).sum())
        if n < LEAST_IN_ARM:
            raise TableRefused(f"{n} rows have the treatment {name}; {LEAST_IN_ARM} are the least.")
    for env, name in enumerate(env_names):
        n = int((rows.env == env).sum())
        if n < LEAST_IN_ENV and len(env_names) > 1:
            raise TableRefused(
                f"the environment {name} has {n} rows; {LEAST_IN_ENV} are the least. Take small ones together."
            )
