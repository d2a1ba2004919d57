"""Baselines: estimators without a representation, fitted on the same training rows.

`BASELINES` is the one table of them. Each is fitted to raw covariates and, but for the constant, to covariates z-scored
within each environment, the cheap way of aligning them. None is handed anything but x, t, y and the environment.
Views: where x is a trace or an image, three of them are fitted to each of its views as well (`OF_TRACES`,
`OF_IMAGES`, `views`).
Rows: boosting, neighbours and the two cross-fitted learners see at most `ARM_ROWS` rows of an arm, a tree of the forest
at most `TREE_ROWS`, so that evidence stays a small part of a run's time; of many columns see `trees`.
A network without a penalty, which is trained elsewhere, is judged as one more of them, `REGULARISED`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from crl_core import metrics
from crl_core.data.scm import MultiEnvData
from crl_core.measures.doubly_robust import FLOOR, aipw, scaled, scaled_logistic, scaled_ridge, some_of
from crl_core.measures.trace_views import VIEWS
from crl_core.measures.trees import boosting_size, forest_size
from crl_core.measures.views import IMAGE_VIEWS, SAID, WORDS, View

Outcomes = tuple[np.ndarray, np.ndarray]  # y0_hat, y1_hat, each [n]

TREE_ROWS = 1500  # that a tree of a forest sees at most, so that large samples stay quick
ARM_ROWS = 2000  # that a slower learner sees of an arm at most, for the same reason
NEIGHBOURS = 15
FOLDS = 3  # of the cross-fitted learners: nuisances come from the other folds
Z_SCORED = ", z-scored per environment"
_NO_VIEWS: Mapping[str, View] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """One estimator's errors on held-out rows; NaN with a reason where it could not be fitted or judged."""

    name: str
    ite_rmse: float
    factual_mse: float
    ate_error: float
    reason: str = ""


@dataclass(frozen=True, kw_only=True, eq=False)
class Rows:
    """What a baseline is given: training rows x [n, d], t, y [n], and the covariates `at` [m, d] it is asked about."""

    x: np.ndarray
    t: np.ndarray
    y: np.ndarray
    at: np.ndarray
    seed: int

    @cached_property
    def nuisances(self) -> CrossFitted:
        """Shared by the learners that need them."""
        return cross_fitted(self)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CrossFitted:
    """Outcomes of both arms and the clipped propensity: for each training row by models of the other folds, [n]; for
    the rows asked about the mean of the folds' models, [m]."""

    y0: np.ndarray
    y1: np.ndarray
    propensity: np.ndarray
    y0_at: np.ndarray
    y1_at: np.ndarray
    propensity_at: np.ndarray

    def around(self, ite_hat: np.ndarray) -> Outcomes:
        """Outcomes at `at` with this effect [m], around the mean outcome m = (1 - e) y⁰ + e y¹: yᵗ = m + (t - e) τ̂."""
        mean = self.y0_at + self.propensity_at * (self.y1_at - self.y0_at)
        return mean - self.propensity_at * ite_hat, mean + (1 - self.propensity_at) * ite_hat


def constant_effect(rows: Rows) -> Outcomes:
    """Difference in means: each arm's mean outcome for everyone."""
    return tuple(np.full(len(rows.at), rows.y[rows.t == arm].mean()) for arm in (0, 1))  # type: ignore[return-value]


def least_squares_with_t(rows: Rows) -> Outcomes:
    """One linear regression of y on x and t (an S-learner): the same effect for everyone."""
    from sklearn.linear_model import LinearRegression

    model = LinearRegression().fit(np.column_stack([rows.x, rows.t]), rows.y)
    return tuple(model.predict(np.column_stack([rows.at, np.full(len(rows.at), arm)])) for arm in (0, 1))


def least_squares_per_arm(rows: Rows) -> Outcomes:
    """A linear regression for each arm (a T-learner)."""
    from sklearn.linear_model import LinearRegression

    return _per_arm(rows, lambda n: LinearRegression())


def ridge_per_arm(rows: Rows) -> Outcomes:
    """Ridge on scaled covariates for each arm, its strength by leave-one-out error."""
    return _per_arm(rows, lambda n: scaled_ridge())


def random_forest_per_arm(rows: Rows) -> Outcomes:
    """A random forest for each arm (a T-learner)."""
    from sklearn.ensemble import RandomForestRegressor

    def new(n: int) -> RandomForestRegressor:
        return RandomForestRegressor(
            40,
            min_samples_leaf=5,
            max_samples=None if n <= TREE_ROWS else TREE_ROWS / n,
            random_state=rows.seed,
            **forest_size(rows.x.shape[1]),
        )

    return _per_arm(rows, new)


def boosting_per_arm(rows: Rows) -> Outcomes:
    """Gradient-boosted trees for each arm (a T-learner)."""
    return _per_arm(rows, lambda n: _boosting(rows), ARM_ROWS)


def neighbours_per_arm(rows: Rows) -> Outcomes:
    """The mean outcome of the nearest neighbours in each arm, on scaled covariates."""
    from sklearn.neighbors import KNeighborsRegressor

    return _per_arm(rows, lambda n: scaled(KNeighborsRegressor(min(NEIGHBOURS, n))), ARM_ROWS)


def x_learner(rows: Rows) -> Outcomes:
    """Imputed effects of each arm, boosted, weighted by the other arm's propensity: τ̂ = e τ̂₀ + (1 - e) τ̂₁.

    τ̂₁ is fitted to y - ŷ⁰ of treated rows, τ̂₀ to ŷ¹ - y of untreated ones.
    Source: Künzel, Sekhon, Bickel, Yu (2019), Metalearners for estimating heterogeneous treatment effects, PNAS 116.
    """
    known, treated = rows.nuisances, rows.t == 1
    of_treated = _fitted(rows, treated, rows.y - known.y0)
    of_untreated = _fitted(rows, ~treated, known.y1 - rows.y)
    e = known.propensity_at
    return known.around(e * of_untreated.predict(rows.at) + (1 - e) * of_treated.predict(rows.at))


def dr_learner(rows: Rows) -> Outcomes:
    """Boosting on the doubly robust score (`aipw`).

    Source: Kennedy (2023), Towards optimal doubly robust estimation of heterogeneous causal effects, EJS 17.
    """
    known = rows.nuisances
    score = aipw(rows.t, rows.y, known.y0, known.y1, known.propensity)
    return known.around(_fitted(rows, np.ones(len(rows.t), dtype=bool), score).predict(rows.at))


def cross_fitted(rows: Rows) -> CrossFitted:
    """Boosted outcomes of each arm and a logistic propensity, held at `FLOOR` and 1 - it. Folds share the arms."""
    from sklearn.model_selection import StratifiedKFold

    own, at = np.empty((3, len(rows.t))), np.zeros((3, len(rows.at)))
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=rows.seed)
    for others, left_out in folds.split(rows.x, rows.t):
        seen = np.isin(np.arange(len(rows.t)), others)
        chance = scaled_logistic().fit(rows.x[others], rows.t[others])
        models = [_fitted(rows, seen & (rows.t == arm), rows.y).predict for arm in (0, 1)]
        models.append(lambda x, chance=chance: np.clip(chance.predict_proba(x)[:, 1], FLOOR, 1 - FLOOR))
        own[:, left_out] = [predict(rows.x[left_out]) for predict in models]
        at += np.stack([predict(rows.at) for predict in models]) / FOLDS
    return CrossFitted(y0=own[0], y1=own[1], propensity=own[2], y0_at=at[0], y1_at=at[1], propensity_at=at[2])


def _boosting(rows: Rows) -> Any:
    from sklearn.ensemble import HistGradientBoostingRegressor

    size = boosting_size(rows.x.shape[1])
    return HistGradientBoostingRegressor(
        max_iter=60, max_leaf_nodes=15, early_stopping=False, random_state=rows.seed, **size
    )


def _fitted(rows: Rows, which: np.ndarray, y: np.ndarray) -> Any:
    """Boosting fitted to the values y [n] of these rows, or of some of them."""
    some = some_of(which, ARM_ROWS * len(np.unique(rows.t[which])), rows.seed)
    return _boosting(rows).fit(rows.x[some], y[some])


def _per_arm(rows: Rows, new: Callable[[int], Any], most: int | None = None) -> Outcomes:
    """new(n): an estimator for an arm of which n rows are used.  most: how many that are at most."""
    found = []
    for arm in (0, 1):
        used = some_of(rows.t == arm, len(rows.t) if most is None else most, rows.seed)
        found.append(new(len(used)).fit(rows.x[used], rows.y[used]).predict(rows.at))
    return found[0], found[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """A row of the table. word: in the margin of a figure.  least_rows: an arm has as many, or there is no fit.

    view: of `views`, "" for x itself.
    """

    name: str
    word: str
    estimate: Callable[[Rows], Outcomes]
    z_scored: bool = False
    view: str = ""
    least_rows: int = 2


_CONSTANT = Method(name="constant effect", word="constant", estimate=constant_effect)
_OF_COVARIATES = (
    Method(name="least squares with t", word="LS with t", estimate=least_squares_with_t),
    Method(name="least squares per arm", word="LS per arm", estimate=least_squares_per_arm),
    Method(name="ridge per arm", word="ridge", estimate=ridge_per_arm),
    Method(name="random forest per arm", word="forest", estimate=random_forest_per_arm),
    Method(name="gradient boosting per arm", word="boosting", estimate=boosting_per_arm),
    Method(name="nearest neighbours per arm", word="kNN", estimate=neighbours_per_arm),
    Method(name="X-learner", word="X-learner", estimate=x_learner, least_rows=FOLDS),
    Method(name="DR-learner", word="DR-learner", estimate=dr_learner, least_rows=FOLDS),
)
_Z_SCORED = [replace(item, name=item.name + Z_SCORED, word=f"{item.word}, z", z_scored=True) for item in _OF_COVARIATES]
BASELINES: dict[str, Method] = {item.name: item for item in (_CONSTANT, *_OF_COVARIATES, *_Z_SCORED)}
_VIEWED = ("ridge per arm", "random forest per arm", "gradient boosting per arm")


def _of_views(views: Iterable[str]) -> dict[str, Method]:
    """Methods by name."""
    found = [
        replace(BASELINES[name], name=f"{name}, {view}", word=f"{BASELINES[name].word}, {WORDS[view]}", view=view)
        for view in views
        for name in _VIEWED
    ]
    return {item.name: item for item in found}


OF_TRACES, OF_IMAGES = _of_views(VIEWS), _of_views(IMAGE_VIEWS)
REGULARISED = "network without a penalty, weight decay chosen by factual error"
NAMES = (*BASELINES, *OF_TRACES, *OF_IMAGES, REGULARISED)  # that a run's evidence may know


def methods(views: Mapping[str, View]) -> tuple[Method, ...]:
    """The baselines of a run, but for the network: those of `BASELINES`, and of these views of its rows."""
    return (*BASELINES.values(), *(item for item in (OF_TRACES | OF_IMAGES).values() if item.view in views))


def z_scored(train: MultiEnvData, held_out: MultiEnvData) -> tuple[np.ndarray, np.ndarray]:
    """Covariates of both, less their environment's mean over its standard deviation, both of its training rows.

    A column that is constant there is moved only; rows of an environment without training rows go by all of them.
    """
    from sklearn.preprocessing import StandardScaler

    found = tuple(np.empty_like(part.x, dtype=np.float64) for part in (train, held_out))
    for env in np.union1d(train.env, held_out.env):
        own = train.x[train.env == env]
        scaler = StandardScaler().fit(own if len(own) else train.x)
        for part, values in zip((train, held_out), found, strict=True):
            if (mine := part.env == env).any():
                values[mine] = scaler.transform(part.x[mine])
    return found[0], found[1]


def each_fitted(
    train: MultiEnvData, held_out: MultiEnvData, seed: int, views: Mapping[str, View] = _NO_VIEWS
) -> Iterator[Baseline]:
    """Every baseline fitted on `train` and judged on `held_out`, one after the other, in the order of `methods`.

    views: of a row, by name (`views.views_of`).
    """

    def given_to(x: np.ndarray, at: np.ndarray) -> Rows:
        return Rows(x=x, t=train.t, y=train.y, at=at, seed=seed)

    given = {(False, ""): given_to(train.x, held_out.x), (True, ""): given_to(*z_scored(train, held_out))}
    for name, view in views.items():
        given[False, name] = given_to(view(train.x), view(held_out.x))
    arms = [int(np.sum(train.t == arm)) for arm in (0, 1)]
    for item in methods(views):
        if min(arms) < item.least_rows:
            reason = f"{arms[0]} untreated and {arms[1]} treated rows; both arms need at least {item.least_rows}"
            yield Baseline(name=item.name, ite_rmse=np.nan, factual_mse=np.nan, ate_error=np.nan, reason=reason)
            continue
        with threadpool_limits(1):  # threads that wait for each other cost more than such a fit
            y0_hat, y1_hat = (outcome[None] for outcome in item.estimate(given[item.z_scored, item.view]))
        ite_hat, ite = y1_hat - y0_hat, held_out.ite
        yield Baseline(
            name=item.name,
            ite_rmse=np.nan if ite is None else float(metrics.ite_rmse(ite_hat, ite)[0]),
            factual_mse=float(metrics.factual_mse(y0_hat, y1_hat, held_out.t, held_out.y)[0]),
            ate_error=np.nan if ite is None else float(metrics.ate_error(ite_hat, ite)[0]),
        )


def fit_all(
    train: MultiEnvData, held_out: MultiEnvData, rng: np.random.Generator, views: Mapping[str, View] = _NO_VIEWS
) -> list[Baseline]:
    """`each_fitted`, all of them, with a seed that is drawn."""
    return list(each_fitted(train, held_out, int(rng.integers(2**31)), views))


# -- as a run's evidence holds them: names and figures are read from there, since older runs know fewer of them --------


def medians(evidence: Mapping[str, np.ndarray]) -> list[Baseline]:
    """The baselines of a run's evidence: medians over the replicates that have a number, NaN where none has."""
    if not len(evidence["baseline_names"]):
        return []
    columns = {m.name: _medians(evidence[f"baseline_{m.name}"]) for m in metrics.kept_in("baseline")}
    found = []
    for index, name in enumerate(evidence["baseline_names"]):
        figures = {metric: float(values[index]) for metric, values in columns.items()}
        reasons = [str(reason) for reason in evidence["baseline_reason"][index] if reason]
        found.append(Baseline(name=str(name), **figures, reason=reasons[0] if reasons else ""))
    return found


def _medians(values: np.ndarray) -> np.ndarray:
    """Of each row of [B, R] the median of what is a number; all at once, since a page asks for it at every view."""
    known = np.sort(np.where(np.isfinite(values), values, np.nan), axis=1)  # NaN comes last
    count = np.isfinite(known).sum(axis=1, keepdims=True)
    low, high = (np.take_along_axis(known, np.clip(at, 0, None), axis=1) for at in ((count - 1) // 2, count // 2))
    return np.where(count > 0, (low + high) / 2, np.nan)[:, 0]


def best_first(found: list[Baseline]) -> list[Baseline]:
    """Those with an effect error, least first: an order that only a simulation knows."""
    return sorted((item for item in found if np.isfinite(item.ite_rmse)), key=lambda item: item.ite_rmse)


def ranked(evidence: Mapping[str, np.ndarray] | None) -> list[Baseline]:
    """`best_first` of a run's evidence; empty where there is none yet."""
    return best_first(medians(evidence)) if evidence and "baseline_names" in evidence else []


def best_said(evidence: Mapping[str, np.ndarray] | None) -> str:
    """Which baseline has the least effect error, in a sentence; "" where none has one."""
    found = ranked(evidence)
    if not found:
        return ""
    return (
        f"Best without a penalty: {found[0].name}, effect error {found[0].ite_rmse:.3g}, of {len(found)} baselines. "
        "Which one is best is known only in simulation."
    )


def views_said(found: Iterable[Baseline]) -> str:
    """What the views of a trace or an image are that some baselines are fitted to, by their words in a figure."""
    known = OF_TRACES | OF_IMAGES
    views = {known[item.name].view for item in found if item.name in known}
    said = [f"{WORDS[view]}: {words}" for view, words in SAID.items() if view in views]
    return f"Views of a {'trace' if views & set(VIEWS) else 'digit'}: {'; '.join(said)}." if said else ""


def word_of(name: str) -> str:
    """A baseline's name in the margin of a figure."""
    known = BASELINES | OF_TRACES | OF_IMAGES
    return known[name].word if name in known else "network, L2" if name == REGULARISED else name


def side_by_side(found: list[Baseline]) -> list[tuple[str, Baseline | None, Baseline | None]]:
    """Name, raw and z-scored of each kind of baseline, the best of either first; those without an effect error last."""
    by_kind: dict[str, list[Baseline | None]] = {}
    for item in found:
        kind = item.name.removesuffix(Z_SCORED)
        by_kind.setdefault(kind, [None, None])[item.name.endswith(Z_SCORED)] = item

    def least(kind: str) -> float:
        errors = [item.ite_rmse for item in by_kind[kind] if item is not None and np.isfinite(item.ite_rmse)]
        return min(errors, default=np.inf)

    return [(kind, *by_kind[kind]) for kind in sorted(by_kind, key=least)]  # type: ignore[misc]
