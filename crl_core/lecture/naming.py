"""How a run is called on screen: title, environments, captions of its views, and the numbers its texts may speak of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from crl_core.config import RunConfig
from crl_core.config.presets import ENV_WORD, Preset, env_names
from crl_core.events import COLLAPSED, DIVERGED
from crl_core.measures.baselines import ranked

Arrays = Mapping[str, np.ndarray] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Naming:
    """A run's title on screen, and the words for its environments and rows."""

    title: str
    preset_id: str | None = None
    env_word: str = ENV_WORD
    row_word: str = "units"
    names: tuple[str, ...] = ()  # of the environments, where they have their own

    @classmethod
    def of(cls, preset: Preset) -> Naming:
        row_word = "patients" if preset.env_word == "hospital" else "units"
        return cls(title=preset.title, preset_id=preset.id, env_word=preset.env_word, row_word=row_word)

    def env_names(self, n_envs: int) -> tuple[str, ...]:
        return self.names or env_names(n_envs, self.env_word)


def n_pairs_of(config: RunConfig) -> int:
    """How many pairs of samples the penalty compares; 0 means that there is nothing to align."""
    if config.training.align == "treatment":
        return 1
    return config.source.n_envs * (config.source.n_envs - 1) // 2


def captions(
    naming: Naming, config: RunConfig, n: int, picture: str, spec: Mapping[str, Any] | None, is_slice: bool
) -> dict[str, Any]:
    training = config.training
    rows = f"{n} held-out {naming.row_word}"
    drawn = "effect over cause z and nuisance s; vertical bands: s is ignored"
    if is_slice:
        drawn = "effect in a slice through the data's mean, along cause z and nuisance s"
    if config.without_effect:
        drawn = "no map: treatment has no part in this outcome"
    if spec is None:
        effect = "appears with the first epoch"
    elif config.without_effect:
        effect = f"probability of yes for {rows}, as treated"
    elif not spec["by_env"]:
        effect = "predicted against true; the line is the truth, known only in simulation"
    elif spec["truth"] is not None:
        effect = "predicted; the line is the truth, the same for everyone, known only in simulation"
    else:
        effect = f"predicted for {rows}; the true effects are not known here"
    replicates = training.replicates
    several = f"median and range of {replicates} replicates" if replicates > 1 else f"seed {training.seed}"
    pulled = "treated and untreated" if training.align == "treatment" else f"the {naming.env_word}s"
    about = f"how hard {pulled} are pulled together\non held-out rows; {several}; pale: earlier epochs"
    return {
        "latent": {
            "title": "Latent space",
            "caption": f"{picture} of the {training.latent_dim}-d representation" + (f", {rows}" if spec else ""),
        },
        "effect": {
            "title": "Predicted labels" if config.without_effect else "Individual effects",
            "caption": effect,
        },
        "map": {"title": "What the model believes", "caption": drawn},
        "training": {
            "title": "Loss and MMD²",
            "caption": f"of this λ over {training.epochs} epochs; pale: the other λ",
        },
        "path": {
            "title": "Drag λ" if len(training.lams) > 1 else "One λ was trained",
            "caption": about if len(training.lams) > 1 else "train more than one λ, and this line becomes a slider",
        },
    }


def numbers_by_lam(
    config: RunConfig, status: np.ndarray, metrics: Mapping[str, np.ndarray], evidence: Arrays, n_pairs: int
) -> list[dict[str, float]]:
    """The numbers that the texts may speak of, for each λ: medians over replicates; the status is that of replicate 0,
    [L], whose models the pictures show."""
    lams = config.training.lams
    nan = np.full(len(lams), np.nan)
    ite, factual = metrics.get("ite_rmse", nan), metrics.get("factual_mse", nan)
    every: list[dict[str, float]] = []
    shared: dict[str, float] = {"n_envs": config.source.n_envs, "n_pairs": n_pairs}
    shared["all_diverged"] = float((status == DIVERGED).all())
    if best := ranked(evidence):
        shared["best_without"] = best[0].ite_rmse
    for name, values in metrics.items():
        ok = values[np.isfinite(values)]
        shared |= {f"first_{name}": float(values[0]), f"last_{name}": float(values[-1])}
        if name == "ite_rmse" and ok.size:
            shared |= {"best_ite_rmse": float(ok.min()), "best_lam": lams[int(np.nanargmin(ite))]}
        if name == "factual_mse" and ok.size:
            shared["least_factual_mse"] = float(factual[np.isfinite(factual)].min())
    for i, lam in enumerate(lams):
        each = shared | {
            "lam": lam,
            "diverged": float(status[i] == DIVERGED),
            "collapsed": float(status[i] == COLLAPSED),
        }
        each |= {name: float(values[i]) for name, values in metrics.items()}
        for latent in ("z", "s"):
            readers = (f"r2_{latent}_ridge", f"r2_{latent}_knn")
            r2 = [float(np.median(evidence[k][i :: len(lams)])) for k in readers if evidence and k in evidence]
            if r2:
                each[f"r2_{latent}"] = max(r2)  # the better reader of the two
        every.append(each)
    return every
