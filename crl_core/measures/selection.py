"""Choosing λ without the truth: rules that see held-out rows, never an effect, and what each choice costs.

A rule scores the L models of one replicate, lower is better, and picks the least; the oracle, which only a simulation
has, is the λ with the least ITE RMSE. On the presets the ITE RMSE of what they pick differs by up to a factor of ten:
this is an open problem. Their names and words, and what a choice costs (regret), are in `lam_choice`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from crl_core.data.scm import MultiEnvData
from crl_core.measures.overlap import LEAST_ROWS
from crl_core.measures.trees import forest_size

FACTOR = 2.0  # how much factual error the rules that trade it for overlap may give away
LEAST_TREATMENT_VARIANCE = 0.01  # below it, treatment is as good as certain given x, and the R-score divides by noise


@dataclass(frozen=True, slots=True, kw_only=True)
class Pick:
    """What a rule chose in one replicate: an index of λ, or None with the reason."""

    rule: str
    index: int | None
    reason: str = ""


def affordable(factual_mse: np.ndarray) -> np.ndarray:
    """Which λ cost at most `FACTOR` times the least held-out factual error, [..., L]; none where none is finite."""
    known = np.isfinite(factual_mse)
    least = np.where(known, factual_mse, np.inf).min(axis=-1, keepdims=True)
    return np.asarray(known & (factual_mse <= FACTOR * least))


def largest_affordable(factual_mse: np.ndarray) -> np.ndarray:
    """Index of the largest of these λ, [..., L] -> [...]; -1 where there is none."""
    return np.asarray(np.where(affordable(factual_mse), np.arange(factual_mse.shape[-1]), -1).max(axis=-1))


def choose(
    factual_mse: np.ndarray,
    domain_auc: np.ndarray,
    ite_hat: np.ndarray,
    train: MultiEnvData,
    held_out: MultiEnvData,
    rng: np.random.Generator,
    left_out_mse: np.ndarray | None = None,
) -> list[Pick]:
    """Every rule's pick in one replicate: `factual_mse`, `domain_auc` [L], `ite_hat` [L, n] on `held_out`.

    A model that is not to be picked has NaN in all of them.
    left_out_mse: factual error on rows of environments that were left out, [L], NaN where it was not trained; None
    where nothing was.
    """
    picks = [_least("factual", factual_mse)]
    cheap = affordable(factual_mse)
    largest = np.where(cheap, -np.arange(len(factual_mse), dtype=float), np.nan)
    picks.append(_least("largest", largest))
    reason = f"not defined: the domain AUC needs two groups of {LEAST_ROWS} rows or more"
    picks.append(_least("auc", np.where(cheap, domain_auc, np.nan), reason))
    scores, reason = r_score(ite_hat, train, held_out, rng)
    picks.append(_least("r_score", -scores, reason))
    errors, reason = nearest_neighbour_error(ite_hat, held_out)
    picks.append(_least("nearest", errors, reason))
    usable = None if left_out_mse is None else np.where(np.isfinite(factual_mse), left_out_mse, np.nan)
    picks.append(_left_out(usable, len(np.unique(train.env))))
    return picks


def _left_out(errors: np.ndarray | None, n_envs: int) -> Pick:
    """Leave-one-environment-out: the λ with the least factual error in environments that training did not see."""
    if n_envs < 3:
        return Pick(rule="left_out", index=None, reason=f"needs three environments or more; this run has {n_envs}")
    if errors is None:
        return Pick(rule="left_out", index=None, reason="nothing was trained without each environment")
    reason = "not trained in this replicate, or without any one environment an arm would have too few rows"
    return _least("left_out", errors, reason)


def _least(rule: str, scores: np.ndarray, reason: str = "") -> Pick:
    if not np.isfinite(scores).any():
        return Pick(rule=rule, index=None, reason=reason or "no model has a score")
    return Pick(rule=rule, index=int(np.nanargmin(np.where(np.isfinite(scores), scores, np.nan))))


def r_score(
    ite_hat: np.ndarray, train: MultiEnvData, held_out: MultiEnvData, rng: np.random.Generator
) -> tuple[np.ndarray, str]:
    """R-score of effect estimates [L, n] on held-out rows, [L]: 1 - loss / loss of the best constant effect.

    loss: mean((ỹ - τ̂ t̃)²) with ỹ = y - m(x), t̃ = t - e(x); m and e are random forests fitted on the training rows.
    Not defined where x all but decides the treatment: NaN, and the reason.
    Source: Nie, Wager (2021), Quasi-oracle estimation; Schuler et al. (2018) for its use in selection.
    """
    from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

    undefined = np.full(len(ite_hat), np.nan)
    if len(np.unique(train.t)) < 2:
        return undefined, "not defined: one arm only"
    seed = int(rng.integers(2**31))
    size: dict[str, Any] = {
        "n_estimators": 40,
        "min_samples_leaf": 20,
        "max_samples": min(1.0, 1500 / len(train)),
        "random_state": seed,
    }
    t_rest = held_out.t - RandomForestClassifier(**size).fit(train.x, train.t).predict_proba(held_out.x)[:, 1]
    if np.mean(t_rest**2) < LEAST_TREATMENT_VARIANCE:
        return (
            undefined,
            "not defined: given x, the treatment is certain, so nothing is left to learn an effect from",
        )
    size |= forest_size(train.x.shape[1])
    y_rest = held_out.y - RandomForestRegressor(**size).fit(train.x, train.y).predict(held_out.x)
    constant = np.sum(y_rest * t_rest) / np.sum(t_rest**2)
    least = np.mean(np.square(y_rest - constant * t_rest))
    if least == 0:  # a world without noise or cause
        return undefined, "not defined: a constant effect leaves no loss to compare with"
    loss = np.mean(np.square(y_rest - ite_hat * t_rest), axis=1)
    return np.asarray(1 - loss / least), ""


def nearest_neighbour_error(ite_hat: np.ndarray, held_out: MultiEnvData) -> tuple[np.ndarray, str]:
    """√mean((τ̂ - τ_nn)²) over held-out rows, [L, n] -> [L], both arms.

    τ_nn compares a unit with its nearest neighbour of the other arm in x, standardised within each environment so that
    an environment's offset does not decide who is near.
    """
    from sklearn.neighbors import NearestNeighbors

    arms = [np.flatnonzero(held_out.t == arm) for arm in (0, 1)]
    if min(len(arm) for arm in arms) == 0:
        return np.full(len(ite_hat), np.nan), "not defined: one arm only"
    x = np.empty_like(held_out.x, dtype=np.float64)
    for e in np.unique(held_out.env):
        rows = held_out.env == e
        spread = held_out.x[rows].std(axis=0)
        x[rows] = (held_out.x[rows] - held_out.x[rows].mean(axis=0)) / np.where(spread > 1e-12, spread, 1)
    matched = np.empty(len(held_out))
    for own, other in (arms, arms[::-1]):
        nearest = NearestNeighbors(n_neighbors=1).fit(x[other]).kneighbors(x[own], return_distance=False)[:, 0]
        matched[own] = held_out.y[own] - held_out.y[other[nearest]]
    effect = np.where(held_out.t == 1, matched, -matched)
    return np.asarray(np.sqrt(np.mean(np.square(ite_hat - effect), axis=1))), ""
