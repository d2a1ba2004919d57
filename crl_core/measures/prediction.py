"""How well an outcome of two values is predicted where a model was trained, and where the machine says something else.

trial:     held-out rows of the trial's own hospitals.
next:      a hospital whose machine says nothing about a patient: s is drawn around the mean of the offsets with
           standard deviation 1, whatever the label is; half of its patients have the label.
reversed:  the trial's hospitals with s turned over: whatever the machine said of the label, it says the opposite.
Ceiling:   the best accuracy in the trial that z̄ alone allows. A model above it reads something else than the patient.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from crl_core.data import scm
from crl_core.data.interventions import backgrounds
from crl_core.data.scenario import Scenario
from crl_core.data.scm import Change, MultiEnvData
from crl_core.measures.edits import YES
from crl_core.results import RunResult, data_of

ROWS = 2000  # of a place that is not the trial
PLACES = ("trial", "next", "reversed")
WORDS: Mapping[str, str] = {
    "trial": "in the trial hospitals",
    "next": "in a next hospital",
    "reversed": "in a reversed one",
}
THE_CAUSE: Mapping[str, str] = {  # what z is called, by observation
    "covariates": "the physiology",
    "ecg": "the physiology",
    "digits": "the digit",
}
BEYOND = 3.0  # standard errors above the ceiling that are more than chance
_GRID = np.linspace(-9, 9, 4001)  # standard deviations around each mean, that the ceiling's integral is taken over


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Prediction:
    """Of every model of a run, in each place that its world has; of a table the trial alone.

    accuracy, auc: place -> [M]; NaN of a diverged model, the latter also where all rows have one label.
    n_trial:       rows that the trial's figures are of.
    ceiling:       of the accuracy in the trial; None where the equations are not known.
    """

    accuracy: Mapping[str, np.ndarray]
    auc: Mapping[str, np.ndarray]
    n_trial: int
    ceiling: float | None

    @property
    def standard_error(self) -> float:
        """Of an accuracy in the trial that is the ceiling; NaN without one."""
        return np.nan if self.ceiling is None else float(np.sqrt(self.ceiling * (1 - self.ceiling) / self.n_trial))

    @property
    def too_good(self) -> np.ndarray:
        """[M], whether a model is better in the trial than the physiology allows, and not by chance."""
        if self.ceiling is None:
            return np.zeros(len(self.accuracy["trial"]), dtype=bool)
        return np.asarray(self.accuracy["trial"] > self.ceiling + BEYOND * self.standard_error)


def prediction(result: RunResult) -> Prediction:
    """Accuracy and AUC of every model of a run whose outcome has two values, in the arm that a row is of.

    Rows of other places are drawn with the seed of each replicate.
    Raises: ValueError if the outcome is a number.
    """
    config = result.config
    if not config.source.two_outcomes:
        raise ValueError(
            "the outcome of this run is a number, and accuracy is defined for one of two values; see the effect "
            "error, or set scenario.outcome to binary."
        )
    world = None if config.table is not None else config.scenario
    accuracy: dict[str, list[float]] = {}
    auc: dict[str, list[float]] = {}
    n_trial = 0
    for replicate in range(config.training.replicates):
        trial = data_of(config, replicate)[1]
        n_trial = len(trial)
        places = {"trial": trial} | ({} if world is None else elsewhere(world, config.training.seed + replicate))
        for place, rows in places.items():
            for hits, area in _judged_along(result, rows, replicate):
                accuracy.setdefault(place, []).append(hits)
                auc.setdefault(place, []).append(area)
    return Prediction(
        accuracy={place: np.array(values) for place, values in accuracy.items()},
        auc={place: np.array(values) for place, values in auc.items()},
        n_trial=n_trial,
        ceiling=None if world is None else ceiling(world),
    )


def _judged_along(result: RunResult, rows: MultiEnvData, replicate: int) -> list[tuple[float, float]]:
    """`judged` of a replicate's models on rows, in the arm that a row is of."""
    _, y0_hat, y1_hat = result.predict(rows.x, replicate)
    return [judged(chance, rows.y) for chance in np.where(rows.t == 1, y1_hat, y0_hat)]


def judged(chance: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Accuracy of saying yes above `YES`, and AUC, of chances [n] of labels y [n]; NaN where not defined."""
    from sklearn.metrics import accuracy_score, roc_auc_score

    if not np.isfinite(chance).all():
        return np.nan, np.nan
    hits = float(accuracy_score(y, chance > YES))
    return hits, float(roc_auc_score(y, chance)) if len(np.unique(y)) == 2 else np.nan


def changes(scenario: Scenario) -> dict[str, Change]:
    """What is changed in the places that are not the trial's held-out rows."""
    middle = float(np.mean(scenario.offset))
    return {
        "next": Change(nuisance=lambda noise: middle + noise, prevalence=0.5),
        "reversed": Change(mirrored=True),
    }


def elsewhere(scenario: Scenario, seed: int, n: int = ROWS) -> dict[str, MultiEnvData]:
    """`n` rows of each place but the trial. Their patients come from its environments, as often as in training."""
    found = {}
    for place, change in changes(scenario).items():
        rng = np.random.default_rng(np.random.SeedSequence([seed, 1_000_033, PLACES.index(place)]))
        found[place] = scm.draw(scenario, backgrounds(scenario, n, rng), rng, seed, change)
    return found


def ceiling(scenario: Scenario) -> float:
    """The best accuracy in the trial hospitals, pooled, of anyone who knows z̄ and nothing else.

    ∫ max(P(y = 1, z̄), P(y = 0, z̄)) dz̄ with z̄ | y, e ~ N(√dz · cause_mean_e ± separation, cause_scale_e²). Where all
    environments have the cause N(0, 1): p Φ(d - c) + (1 - p) Φ(d + c) with d the separation, p the pooled prevalence
    and c = log((1 - p) / p) / 2d. Of an environment whose cause does not vary at all it is taken as nearly constant.
    """
    from scipy.stats import norm

    share = np.array(scenario.env_sizes) / scenario.n_samples
    mean = np.sqrt(scenario.dim_causal) * np.array(scenario.cause_mean)
    sd = np.maximum(scenario.cause_scale, 1e-2)
    prevalence, away = np.array(scenario.prevalence), scenario.separation
    at = np.unique(np.add.outer(np.concatenate([mean - away, mean + away]), np.outer(sd, _GRID)))
    yes = (share * prevalence) @ norm.pdf(at, (mean + away)[:, None], sd[:, None])
    no = (share * (1 - prevalence)) @ norm.pdf(at, (mean - away)[:, None], sd[:, None])
    return float(np.trapezoid(np.maximum(yes, no), at))


def said(found: Prediction, m: int, lam: float, cause: str = "the physiology") -> str:
    """What a model's accuracy in the trial is worth, in a sentence; "" where there is no ceiling or no number.

    cause: what z is called.
    """
    accuracy = found.accuracy["trial"][m]
    if found.ceiling is None or not np.isfinite(accuracy):
        return ""
    right, allowed = (f"{100 * share:.1f} %" for share in (accuracy, found.ceiling))
    if found.too_good[m]:
        return (
            f"At λ = {lam:g} it is right for {right} of the trial's rows, better than {cause} allows "
            f"({allowed}): it reads something else than the patient."
        )
    return f"At λ = {lam:g} it is right for {right} of the trial's rows; {cause} allows {allowed}."
