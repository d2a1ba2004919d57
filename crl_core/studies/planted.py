"""How far off a table's training is where the effects are known: it is trained as the table is, on planted effects.

Method:    what the table's user gets: the config as it is, λ of least validation error on these rows, the mean over
           replicates, for every row (`measures.average_effects`).
Intervals: mean ± `NORMAL_90` standard deviations over replicates, 90 in 100 if the spread of fits were all there is.
Beside it: λ = 0, least squares per arm and the difference in means, each fitted to the same training rows.
Use:       what it says is how much to trust an estimate; it chooses no λ.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from crl_core.config import RunConfig
from crl_core.data.scm import MultiEnvData
from crl_core.events import RunFinished, TrainingEvent, finite
from crl_core.measures.average_effects import NORMAL_90, chosen_by_error
from crl_core.measures.baselines import BASELINES, Rows
from crl_core.measures.planted import Planting
from crl_core.metrics import ite_rmse
from crl_core.results import RunResult

FEW = 300  # untreated rows below which planted effects say little
_OF_TWO = "The average is known exactly, a row's own effect as far as the fitted chance of its outcome is right. "
LEAST_SQUARES, DIFFERENCE = "least squares per arm", "constant effect"  # of `BASELINES`


@dataclass(frozen=True, slots=True, kw_only=True)
class Errors:
    """On planted effects, over rows, in the outcome's unit. coverage: share of rows whose interval holds the effect;
    NaN where there is one estimate only. NaN, all of them, of a model that broke."""

    ite_rmse: float
    ate_error: float
    coverage: float = np.nan


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Planted:
    """What was found on planted effects.

    lams, path: along λ, [L].  picked: index of the λ of least validation error.
    effects:    estimates at that λ, of each replicate, [R, n], for `planting.rows`.
    no_rows:    environments without an untreated row, by name.
    columns:    names of the inputs that the effect depends on.
    """

    planting: Planting
    lams: tuple[float, ...]
    picked: int
    path: tuple[Errors, ...]
    least_squares: Errors
    difference: Errors
    effects: np.ndarray
    columns: tuple[str, ...] = ()
    no_rows: tuple[str, ...] = ()

    @property
    def method(self) -> Errors:
        return self.path[self.picked]

    @property
    def unaligned(self) -> Errors | None:
        """Of λ = 0; None where it was not trained."""
        return self.path[self.lams.index(0.0)] if 0.0 in self.lams else None

    @property
    def sentence(self) -> str:
        """What was planted, how far off each method is, and what this cannot show."""
        sd, own, others = self.planting.sd, self.method, self.least_squares
        covered = f"its 90 % intervals cover {100 * own.coverage:.0f} %" if np.isfinite(own.coverage) else ""
        points = self.planting.two_outcomes
        error = f"{100 * own.ite_rmse:.1f} percentage points" if points else f"{own.ite_rmse / sd:.2f} sd"
        other = f"{100 * others.ite_rmse:.1f}" if points else f"{others.ite_rmse / sd:.2f}"
        return (
            f"With {_planted(self.planting)} planted on your covariates, this method errs by {error} a row, least "
            f"squares per arm by {other}"
            + (f"; {covered}. " if covered else ". ")
            + (_OF_TWO if points and self.planting.shape != "zero" else "")
            + "There is no hidden confounding in this by construction; rows that look only like treated ones are not "
            "in it."
        )

    @property
    def cautions(self) -> tuple[str, ...]:
        n = len(self.planting.rows)
        cut = (
            f"For {100 * self.planting.cut:.0f} % of the rows less was planted than was asked for: a chance ends at 0 "
            "and at 1."
            if self.planting.cut
            else ""
        )
        few = f"{n} rows are untreated; with fewer than {FEW} planted effects say little." if n < FEW else ""
        absent = (
            f"No row of {' or '.join(self.no_rows)} is untreated, so that planted effects say nothing of it."
            if self.no_rows
            else ""
        )
        return tuple(text for text in (few, absent, cut) if text)

    def to_dict(self) -> dict[str, Any]:
        """As JSON values, of no single row. Errors are in the outcome's unit, and again in its sd."""
        planting = self.planting

        def errors(found: Errors) -> dict[str, Any]:
            in_sd = {f"{name}_sd": getattr(found, name) / planting.sd for name in ("ite_rmse", "ate_error")}
            plain = {"ite_rmse": found.ite_rmse, "ate_error": found.ate_error, "coverage": found.coverage}
            return plain | in_sd

        content = {
            "size": planting.size,
            "shape": planting.shape,
            "columns": list(self.columns),
            "sd": planting.sd,
            "two_outcomes": planting.two_outcomes,
            "average": planting.ate,
            "cut": planting.cut,
            "rows": len(planting.rows),
            "treated": int(planting.rows.t.sum()),
            "coin": planting.coin,
            "lam": self.lams[self.picked],
            "method": errors(self.method),
            "unaligned": None if self.unaligned is None else errors(self.unaligned),
            "least_squares": errors(self.least_squares),
            "difference": errors(self.difference),
            "path": [{"lam": lam} | errors(found) for lam, found in zip(self.lams, self.path, strict=True)],
            "cautions": list(self.cautions),
            "sentence": self.sentence,
        }
        plain: dict[str, Any] = finite(content)
        return plain


def run_planted(
    config: RunConfig,
    planting: Planting,
    *,
    listen: Callable[[TrainingEvent], None] = lambda event: None,
    should_stop: Callable[[], bool] | None = None,
) -> Planted | None:
    """Train `config` on planted effects and judge it by them; None if it was asked to stop.

    config: the table's own; its rows are not asked for.  listen: hears the events of training.
    Raises: ValueError where no λ has models that predict.
    """
    from crl_core.training.path import train_path  # torch

    train, held_out = (_blind(part) for part in planting.parts(config.training.seed))
    replicates, result = config.training.replicates, None
    for event in train_path(config, data=[(train, held_out)] * replicates, should_stop=should_stop):
        listen(event)
        if isinstance(event, RunFinished):
            result = event.result
    return None if result is None else judged(result, planting)


def judged(result: RunResult, planting: Planting) -> Planted:
    """What a run that was trained on planted effects is worth. Raises ValueError where no λ has models that predict."""
    rows, seed, source = planting.rows, result.config.training.seed, result.config.source
    _, picked = chosen_by_error(result)
    if picked is None:
        raise ValueError("no λ has models that all predict; take a smaller learning rate, or fewer and smaller λ.")
    along = np.stack([result.effects(rows.x, r).astype(np.float64) for r in range(result.config.training.replicates)])
    train = planting.parts(seed)[0]
    given = Rows(x=train.x, t=train.t, y=train.y, at=rows.x, seed=seed)
    of_baseline = {name: _effects(BASELINES[name].estimate(given)) for name in (LEAST_SQUARES, DIFFERENCE)}
    there = np.bincount(rows.env, minlength=source.n_envs)
    return Planted(
        planting=planting,
        lams=result.lams,
        picked=picked,
        path=tuple(errors_of(along[:, at], planting.ite, planting.ate) for at in range(len(result.lams))),
        least_squares=errors_of(of_baseline[LEAST_SQUARES], planting.ite, planting.ate),
        difference=errors_of(of_baseline[DIFFERENCE], planting.ite, planting.ate),
        effects=along[:, picked],
        columns=tuple(source.features[column] for column in planting.columns),
        no_rows=tuple(name for name, n in zip(source.env_names, there, strict=True) if n == 0),
    )


def errors_of(effects: np.ndarray, ite: np.ndarray, ate: float) -> Errors:
    """Errors of the mean over estimates [R, n] of effects [n] and their average; the interval of a row is that of its R
    estimates."""
    if not np.isfinite(effects).all():
        return Errors(ite_rmse=np.nan, ate_error=np.nan)
    mean = effects.mean(axis=0)
    coverage = np.nan
    if len(effects) > 1:
        coverage = float((np.abs(mean - ite) <= NORMAL_90 * effects.std(axis=0, ddof=1)).mean())
    off = abs(float(mean.mean()) - ate)
    return Errors(ite_rmse=float(ite_rmse(mean, ite)), ate_error=off, coverage=coverage)


def _blind(rows: MultiEnvData) -> MultiEnvData:
    """Rows for what is fitted and what is chosen, neither of which sees an effect."""
    return replace(rows, y0=None, y1=None)


def _effects(outcomes: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """[1, n]."""
    return np.asarray(outcomes[1] - outcomes[0])[None]


def _planted(planting: Planting) -> str:
    if planting.shape == "zero":
        return "no effect"
    linear = ", linear in a few columns," if planting.shape == "linear" else ""
    if planting.two_outcomes:
        return f"an effect of {100 * planting.ate:.1f} percentage points on average{linear}"
    return f"an effect of {planting.size:g} sd" + (f" on average{linear}" if linear else "")


def lines_of(content: Mapping[str, Any]) -> list[tuple[str, str, str, str]]:
    """A table of what `Planted.to_dict` holds, as text: names, then of each method the error of a row and of the
    average, in sd or of two outcomes in percentage points, and coverage."""
    points = content["two_outcomes"]

    def text(found: Mapping[str, Any], name: str) -> str:
        value = found[name] if points else found[f"{name}_sd"]
        return "–" if value is None else f"{100 * value:.1f}" if points else f"{value:.3f}"

    named = [
        (f"this method, λ = {content['lam']:g}", content["method"]),
        ("λ = 0, nothing aligned", content["unaligned"]),
        (LEAST_SQUARES, content["least_squares"]),
        ("difference in means", content["difference"]),
    ]
    head = ("planted effects", "error, points" if points else "error, sd", "of the average", "covered")
    return [head] + [
        (
            name,
            text(found, "ite_rmse"),
            text(found, "ate_error"),
            "–" if found["coverage"] is None else f"{100 * found['coverage']:.0f} %",
        )
        for name, found in named
        if found is not None
    ]
