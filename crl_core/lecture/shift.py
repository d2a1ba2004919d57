"""Distribution shift: a run's own held-out rows under another σ, and what its models predict for them.

The rows keep their seed, so z, t and every random draw stay; only s moves. The true effect does not depend on s.
A browser does the same from `shift_arrays` while a finger moves σ; `shifted` is the NumPy version of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from crl_core.config import RunConfig
from crl_core.config.text import altered, imagined
from crl_core.data.scm import MultiEnvData, leaked, mix, mixing_maps
from crl_core.metrics import ite_rmse
from crl_core.results import RunResult, data_of, view_of

MAX_WEIGHTS = 400_000  # numbers that a page may be sent for the probe: 1.6 MB


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Shifted:
    """Rows under another σ. ite_hat: [L, n] of one replicate; ite_rmse: [L] on these rows, NaN without truth."""

    view: MultiEnvData
    ite_hat: np.ndarray
    ite_rmse: np.ndarray


def shifted_config(config: RunConfig, sigma: Sequence[float]) -> RunConfig:
    """The same world and training with another σ. Raises ValueError as `Scenario` does, and where there is no σ."""
    return altered(config, sigma=tuple(sigma))


def _rows(config: RunConfig, n_rows: int, replicate: int) -> MultiEnvData:
    return view_of(data_of(config, replicate)[1], config.training.seed + replicate, n_rows)


def shifted(result: RunResult, sigma: Sequence[float], n_rows: int, replicate: int = 0) -> Shifted:
    """Predictions of a replicate's models for their held-out rows under `sigma`.

    Raises: ValueError if `sigma` is out of range or has another number of environments.
    """
    n_envs = result.config.source.n_envs
    if len(sigma) != n_envs:
        raise ValueError(f"sigma has {len(sigma)} values; this run has {n_envs} environments, give one each.")
    view = _rows(shifted_config(result.config, sigma), n_rows, replicate)
    ite_hat = result.effects(view.x, replicate)
    with np.errstate(invalid="ignore", over="ignore"):  # of a diverged model
        error = np.full(len(ite_hat), np.nan) if view.ite is None else ite_rmse(ite_hat, view.ite)
    return Shifted(view=view, ite_hat=ite_hat, ite_rmse=error)


def shift_arrays(
    result: RunResult, n_rows: int, replicate: int = 0
) -> tuple[dict[str, Any], dict[str, np.ndarray]] | None:
    """All that a browser needs to shift σ: a description, and arrays (z, noise, leaked, weights, maps).

    None where the networks are too large to send, no browser knows how x is made, there is no effect to shift, or no
    other σ is allowed.
    """
    config = result.config
    if "equations" not in config.source.knows or config.without_effect or config.scenario.observation != "covariates":
        return None
    scenario, seed = result.config.scenario, result.config.training.seed + replicate
    weights = result.of_replicate(replicate)
    if sum(value.size for value in weights.values()) > MAX_WEIGHTS:
        return None
    plain = imagined(result.config, sigma=(1.0,) * scenario.n_envs)
    if plain is None:
        return None
    ones = _rows(plain, n_rows, replicate)
    assert ones.z is not None
    assert ones.s is not None
    from_y = leaked(scenario, ones.y)  # y does not depend on σ where s leaks it
    noise = ones.s - np.asarray(scenario.offset)[ones.env][:, None] - from_y[:, None]
    arrays: dict[str, np.ndarray] = {"z": ones.z, "noise": noise, "leaked": from_y, **weights}
    if scenario.mixing != "none":
        arrays["first"], arrays["second"] = mixing_maps(scenario, seed)
        check = mix(np.eye(scenario.dim_x), altered(scenario, mixing="rotation"), seed)
        assert np.array_equal(check, arrays["first"])  # the browser must turn x as the training did
    about = {
        "sigma": list(scenario.sigma),
        "offset": list(scenario.offset),
        "dim_causal": scenario.dim_causal,
        "dim_spurious": scenario.dim_spurious,
        "mixing": scenario.mixing,
    }
    return about, arrays
