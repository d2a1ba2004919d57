"""Single environments in words: who is treated there, and what a new one looks like."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from crl_core.config import MAX_ENVS, Scenario
from crl_core.config.text import imagined, refusal
from crl_core.data.scm import MultiEnvData, along, propensity

_FEW = 0.05  # a share of a treatment below which it is called rare


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvRow:
    """One environment: its numbers, and how many of its rows are treated in a sample."""

    name: str
    sigma: float
    offset: float
    propensity: float
    cause_mean: float
    cause_scale: float
    treated: int
    rows: int
    new: bool  # not one of the preset's

    @property
    def share(self) -> float:
        return self.treated / self.rows if self.rows else float("nan")


def env_rows(
    scenario: Scenario, env: np.ndarray, t: np.ndarray, names: Sequence[str], preset_envs: int
) -> tuple[EnvRow, ...]:
    """A row an environment, of samples with environments `env` [n] and treatments `t` [n]."""
    return tuple(
        EnvRow(
            name=names[e],
            sigma=scenario.sigma[e],
            offset=scenario.offset[e],
            propensity=scenario.propensity[e],
            cause_mean=scenario.cause_mean[e],
            cause_scale=scenario.cause_scale[e],
            treated=int(t[env == e].sum()),
            rows=int((env == e).sum()),
            new=e >= preset_envs,
        )
        for e in range(scenario.n_envs)
    )


def spread_over(env: np.ndarray, n_envs: int, most: int) -> np.ndarray:
    """Indices of at most `most` rows with environments `env` [n]: as many of each, evenly through its rows."""
    picked = []
    for e in range(n_envs):
        mine = np.flatnonzero(env == e)
        each = min(most // n_envs, len(mine))
        picked.append(mine[np.unique(np.linspace(0, len(mine) - 1, each).astype(int))])
    return np.concatenate(picked)


def propensity_spans(scenario: Scenario, data: MultiEnvData) -> np.ndarray:
    """The 5 % and 95 % points of P(t = 1) over the units of each environment, [E, 2]; of a simulation's rows."""
    assert data.z is not None, "a simulation knows z"
    treated = propensity(scenario, along(data.z), data.env)
    return np.array([np.quantile(treated[data.env == e], [0.05, 0.95]) for e in range(scenario.n_envs)])


def arms_said(rows: Sequence[EnvRow], env_word: str) -> tuple[str, ...]:
    """Where is there no overlap at all, and where is it thin? A sentence for each kind of environment."""
    everyone = [row for row in rows if row.treated == row.rows]
    no_one = [row for row in rows if row.treated == 0]
    rest = [row for row in rows if 0 < row.treated < row.rows]
    thin = [row for row in rest if not _FEW <= row.share <= 1 - _FEW]
    said = []
    if everyone:
        said.append(f"{_treat(everyone)} everyone: no untreated unit is ever seen there.")
    if no_one:
        said.append(f"{_treat(no_one)} no one: no treated unit is ever seen there.")
    for row in thin:
        arm, count = ("treated", row.treated) if row.share < _FEW else ("untreated", row.rows - row.treated)
        said.append(f"In {row.name} only {count} of {row.rows} units are {arm}.")
    fine = len(rest) - len(thin)
    if fine == len(rows):
        said.append(f"Both treatments are seen in every {env_word}." if len(rows) > 1 else "Both treatments are seen.")
    elif fine:
        said.append(f"In the other {f'{env_word}s' if fine > 1 else env_word} both treatments are seen.")
    elif everyone and no_one and not thin:
        said.append(f"An effect can only be learnt by comparing {env_word}s.")
    elif not rest:
        said.append("So no effect can be learnt from these data.")
    return tuple(said)


def _treat(rows: Sequence[EnvRow]) -> str:
    """ "Hospital A treats", "Hospital A and hospital C treat"."""
    names = [row.name for row in rows]
    listed = names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
    return f"{listed[0].upper()}{listed[1:]} treat{'s' if len(names) == 1 else ''}"


def newcomer_said(scenario: Scenario, names: Sequence[str]) -> str:
    """The next environment as `Scenario.with_envs` makes it, in a sentence. names: of all environments and the next."""
    if scenario.n_envs >= MAX_ENVS:
        return f"There are {MAX_ENVS}, the most that there can be."
    new = scenario.n_envs
    grown = imagined(scenario, n_envs=new + 1)
    if grown is None:
        return f"There is no room for one more environment: {refusal(scenario, n_envs=new + 1)}"
    first, second = grown.offset[0], grown.offset[min(1, new - 1)]
    between = " (between those of the first two)" if first != second else ""
    model = new % min(2, new)  # whose policy and cause it repeats, see `with_envs`
    return (
        f"With one more environment there would be {names[new]}: σ = {grown.sigma[new]:g}, offset "
        f"{_text(grown.offset[new])}{between}; "
        f"treatment and cause are those of {names[model]}, seen with another s."
    )


def _text(value: float) -> str:
    return f"{value:g}".replace("-", "−")
