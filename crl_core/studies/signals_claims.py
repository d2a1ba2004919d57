"""Measure the claims about ECGs and their hum, one value a seed each; those about images are in `image_claims`, those
about telling hospitals apart in `told_apart_claims`.

Settings (λ, epochs, batch) were looked for on seeds 0 and 1; what is shipped is of seeds 300 to 304.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from crl_core.config import FIRST_SEED, RunConfig, Scenario, Training
from crl_core.config.presets import preset
from crl_core.config.text import altered
from crl_core.data.interventions import deploy
from crl_core.data.scm import MultiEnvData
from crl_core.events import RunFinished
from crl_core.jobs.ensure_runs import Evidence, ensure_runs
from crl_core.jobs.executors import Executor, Here
from crl_core.measures.prediction import Prediction, ceiling, prediction
from crl_core.measures.saliency import looks
from crl_core.measures.trace_views import own_scale
from crl_core.results import RunResult, data_of
from crl_core.runs.store import RunStore
from crl_core.studies import image_claims, told_apart_claims

_ROWS = 1000  # that a recording is edited of
_FILTER = altered(preset("filter"), lams=(0.0, 1.0, 3.0))
_PHASE = altered(preset("hum-phase"), lams=(0.0, 10.0))
_LABEL = altered(preset("hum-label"), lams=(0.0, 20.0))
_WARD = altered(preset("ward-clinic"), lams=(0.0, 1.5))
_SAYS_NOTHING = RunConfig(
    scenario=Scenario(observation="ecg", n_samples=4000, outcome="binary", offset=(1.0, -1.0), sigma=(0.3, 0.3)),
    training=Training(epochs=30, lams=(0.0,)),
)
_LOCKED = altered(
    preset("machine"), lams=(0.0,), hum_phase="locked", highpass=(0.0, 0.0), gain=(1.0, 1.0), saturation=0.0
)
_RATES = (0.9, 0.1)
WORLDS: Mapping[str, RunConfig] = {
    "filter": _FILTER,
    "filter-coin": preset("filter-coin"),
    "filter-patients": altered(preset("filter-patients"), lams=(0.0, 1.0)),
    "gains": altered(preset("gains"), lams=(0.0, 3.0)),
    "machine": altered(preset("machine"), lams=(0.0, 3.0)),
    "hum-phase": _PHASE,
    "hum-phase-columns": altered(_PHASE, lams=(0.0,), x_scale="columns"),
    "hum-locked": _LOCKED,
    "hum-locked-columns": altered(_LOCKED, x_scale="columns"),
    "hum-label": _LABEL,
    "hum-nothing": _SAYS_NOTHING,
    "rates-hard": altered(_SAYS_NOTHING, prevalence=_RATES),
    "rates-easy": altered(_SAYS_NOTHING, prevalence=_RATES, separation=3.0),
    "ward": _WARD,
    "ward-marginal": altered(_WARD, lams=(0.0, 3.0), align="environment"),
    "ninety-nine": altered(preset("ninety-nine"), lams=(0.0,)),
    **image_claims.WORLDS,
    **told_apart_claims.WORLDS,
}
ALIGNED: Mapping[str, float] = {  # the λ that claims are about
    **{"filter": 3.0, "filter-patients": 1.0, "gains": 3.0, "machine": 3.0, "hum-phase": 10.0},
    **{"hum-label": 20.0, "ward": 1.5, "ward-marginal": 3.0},
    **image_claims.ALIGNED,
}


def measure_claims(
    ids: Sequence[str],
    seeds: int,
    store: RunStore,
    executor: Executor | None = None,
    first_seed: int = FIRST_SEED,
) -> dict[str, np.ndarray]:
    """[seeds] values of each claim of signals_claims.toml, NaN of a model that diverged. Raises as `ensure_runs`."""
    needed = {name: world for name, world in WORLDS.items() if any(_WORLD_OF[claim] == name for claim in ids)}
    configs = {name: altered(world, replicates=seeds, seed=first_seed) for name, world in needed.items()}
    with_evidence = [_WORLD_OF[claim] for claim in ids if claim in _BASELINES]
    wanted = [(config, name in with_evidence) for name, config in configs.items()]
    found = ensure_runs(wanted, store, executor or Here(store))
    values = {}
    for claim in ids:
        name = _WORLD_OF[claim]
        values[claim] = _WAYS[claim](At(*found[configs[name]], ALIGNED.get(name, 0.0)))
    return values


class At:
    """A world's run over the seeds, asked at λ = 0 and at the λ that its claims are about."""

    run: RunResult
    evidence: Evidence
    lam: float

    def __init__(self, run: RunResult, evidence: Evidence, lam: float) -> None:
        self.run, self.evidence, self.lam = run, evidence, lam
        self._predicted: Prediction | None = None

    def error(self, lam: float) -> np.ndarray:
        """ITE RMSE of every seed; infinite of a model that diverged."""
        values = self.run.by_lam(self.run.ite_rmse)[:, self.run.lams.index(lam)]
        return np.where(np.isfinite(values), values, np.inf)

    def baseline(self) -> np.ndarray:
        """ITE RMSE of the best of all baselines, which only the truth can name."""
        return np.asarray(np.nanmin(self.evidence["baseline_ite_rmse"], axis=0))

    def accuracy(self, place: str, lam: float = 0.0) -> np.ndarray:
        if self._predicted is None:
            self._predicted = prediction(self.run)
        return self.run.by_lam(self._predicted.accuracy[place])[:, self.run.lams.index(lam)]

    def flips(self, lam: float) -> np.ndarray:
        """Share of labels that turn over when the hum is taken out of a row's recording, everything else equal."""
        return self._edited("hum", 0.0, lam, lambda before, after: np.mean((before[1] > 0.5) != (after[1] > 0.5)))

    def moved(self, dose: float, lam: float) -> np.ndarray:
        """Root mean square of what the effects of rows move by when all are recorded through one high-pass, Hz."""

        def rms(before: tuple[np.ndarray, np.ndarray], after: tuple[np.ndarray, np.ndarray]) -> float:
            return float(np.sqrt(np.mean(np.square((after[1] - after[0]) - (before[1] - before[0])))))

        return self._edited("highpass", dose, lam, rms)

    def _edited(self, machine: str, dose: float, lam: float, compared: Callable[..., float]) -> np.ndarray:
        scenario, seed, found = self.run.config.scenario, self.run.config.training.seed, []
        at = self.run.lams.index(lam)
        for replicate in range(self.run.config.training.replicates):
            parts = [deploy(scenario, *what, _ROWS, seed + replicate) for what in (("none", 0.0), (machine, dose))]
            if machine == "highpass":  # the other hospital has that filter already
                parts = [rows.rows(np.flatnonzero(rows.env == 0)) for rows in parts]
            outcomes = [tuple(y[at] for y in self.run.predict(rows.x, replicate)[1:]) for rows in parts]
            found.append(compared(*outcomes) if np.isfinite(outcomes).all() else np.nan)
        return np.array(found)


def _at_hum(at: At, lam: float) -> np.ndarray:
    """Share of the gradient's spectrum within 3 Hz of the hum, held-out rows; NaN of a model that diverged."""
    place = at.run.lams.index(lam)
    return np.array([looks(at.run, replicate).at_hum[place] for replicate in range(at.run.config.training.replicates)])


def _normalised(at: At) -> np.ndarray:
    """ITE RMSE of every seed, at λ = 0, of a network that is given each trace less its mean, over its deviation."""
    from crl_core.training.path import train_path  # torch, loaded only where something is measured

    config = altered(at.run.config, lams=(0.0,))
    parts = [data_of(config, replicate) for replicate in range(config.training.replicates)]
    rows = [(_own_scale(train), _own_scale(held_out)) for train, held_out in parts]
    ended = next(event for event in train_path(config, data=rows) if isinstance(event, RunFinished))
    assert ended.result is not None
    return ended.result.by_lam(ended.result.ite_rmse)[:, 0]


def _own_scale(rows: MultiEnvData) -> MultiEnvData:
    return replace(rows, x=own_scale(rows.x))


_BASELINES = ("signals-filter-baseline", "signals-filter-gain", "signals-machine-gain")
_OF_WORLD: Mapping[str, Mapping[str, Callable[[At], np.ndarray]]] = {
    "filter": {
        "signals-filter-zero": lambda at: at.error(0.0),
        "signals-filter-aligned": lambda at: at.error(at.lam),
        "signals-filter-baseline": lambda at: at.baseline(),
        "signals-filter-gain": lambda at: at.error(at.lam) / at.baseline(),
        "signals-filter-edit": lambda at: at.moved(0.05, at.lam) / at.moved(0.05, 0.0),
    },
    "filter-coin": {
        "signals-coin": lambda at: at.error(0.0),
        "signals-coin-path": lambda at: np.max([at.error(lam) for lam in at.run.lams], axis=0),
    },
    "filter-patients": {"signals-patients": lambda at: at.error(at.lam) / at.error(0.0)},
    "gains": {
        "signals-gains-zero": lambda at: at.error(0.0),
        "signals-gains-aligned": lambda at: at.error(at.lam),
        "signals-gains-normalised": lambda at: _normalised(at) / at.error(at.lam),
    },
    "machine": {
        "signals-machine-zero": lambda at: at.error(0.0),
        "signals-machine-aligned": lambda at: at.error(at.lam),
        "signals-machine-gain": lambda at: at.error(at.lam) / at.baseline(),
    },
    "hum-phase": {
        "signals-phase-zero": lambda at: at.error(0.0),
        "signals-phase-aligned": lambda at: at.error(at.lam) / at.error(0.0),
    },
    "hum-phase-columns": {"signals-phase-columns": lambda at: at.error(0.0)},
    "hum-locked": {"signals-locked-zero": lambda at: at.error(0.0)},
    "hum-locked-columns": {"signals-locked-columns": lambda at: at.error(0.0)},
    "hum-label": {
        "signals-label-trial": lambda at: at.accuracy("trial"),
        "signals-label-ceiling": lambda at: at.accuracy("trial") - ceiling(at.run.config.scenario),
        "signals-label-next": lambda at: at.accuracy("next"),
        "signals-label-reversed": lambda at: at.accuracy("reversed"),
        "signals-label-aligned-next": lambda at: at.accuracy("next", at.lam),
        "signals-label-aligned-reversed": lambda at: at.accuracy("reversed", at.lam),
        "signals-label-flips": lambda at: at.flips(0.0),
        "signals-label-aligned-flips": lambda at: at.flips(at.lam),
        "signals-label-gradient": lambda at: _at_hum(at, 0.0),
        "signals-label-aligned-gradient": lambda at: _at_hum(at, at.lam),
    },
    "hum-nothing": {"signals-hum-alone": lambda at: abs(at.accuracy("trial") - at.accuracy("next"))},
    "rates-hard": {"signals-rates-hard": lambda at: at.accuracy("trial") - at.accuracy("next")},
    "rates-easy": {"signals-rates-easy": lambda at: at.accuracy("trial") - at.accuracy("next")},
    "ward": {
        "signals-ward-trial": lambda at: at.accuracy("trial"),
        "signals-ward-next": lambda at: at.accuracy("next"),
        "signals-ward-reversed": lambda at: at.accuracy("reversed"),
        "signals-ward-aligned-next": lambda at: at.accuracy("next", at.lam),
        "signals-ward-aligned-reversed": lambda at: at.accuracy("reversed", at.lam),
    },
    "ward-marginal": {"signals-ward-marginal": lambda at: at.accuracy("trial", at.lam)},
    "ninety-nine": {
        "signals-ninety-nine-trial": lambda at: at.accuracy("trial"),
        "signals-ninety-nine-next": lambda at: at.accuracy("next"),
    },
    **image_claims.OF_WORLD,
    **told_apart_claims.OF_WORLD,
}
_WORLD_OF = {claim: world for world, claims in _OF_WORLD.items() for claim in claims}
_WAYS = {claim: way for claims in _OF_WORLD.values() for claim, way in claims.items()}
