"""Measure the claims about identifiability, one value a seed each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache

import numpy as np

from crl_core.config import FIRST_SEED
from crl_core.identify.presets import TRADEOFF, latent_preset
from crl_core.jobs.executors import Executor
from crl_core.runs.store import RunStore


def measure_claims(
    ids: Sequence[str],
    seeds: int,
    store: RunStore,
    executor: Executor | None = None,
    first_seed: int = FIRST_SEED,
) -> dict[str, np.ndarray]:
    """[seeds] values of each claim of identify_claims.toml; nothing is stored. Raises as `recover`."""
    from crl_core.identify.flows.recover import (  # torch is loaded only where something is measured
        STEPS,
        Recovery,
        recover,
    )
    from crl_core.identify.flows.tradeoff import tradeoff

    own = list(range(first_seed, first_seed + seeds))

    @cache
    def rows(world: str, method: str = "flow") -> tuple[Recovery, ...]:
        return tuple(recover(latent_preset(world), own, [method]))

    def mcc(world: str, method: str = "flow", noise: bool = False) -> np.ndarray:
        found = [row.against_noise if noise else row.score for row in rows(world, method)]
        return np.array([np.nan if item is None else item.mcc for item in found])

    def each(world: str) -> np.ndarray:
        return np.array([row.score.per_coordinate for row in rows(world) if row.score is not None])

    def same_ratio() -> np.ndarray:
        found = each("same-ratio")
        return np.asarray(found[:, 2:].mean(axis=1) - found[:, :2].mean(axis=1))

    def traded() -> np.ndarray:
        found = tradeoff(TRADEOFF, own, STEPS, (0.0, 100.0))
        none, much = (np.array([row["mcc"] for row in found if row["lam"] == lam]) for lam in (0.0, 100.0))
        return np.asarray(none - much)

    def where_fits_agree() -> np.ndarray:
        found = recover(latent_preset("perfect"), own, ["fastica"], redraws=2)
        return np.array([np.nan if row.score is None else row.score.mcc if agree(row) else 1.0 for row in found])

    def agree(row: Recovery) -> bool:
        return row.rows_agree is not None and row.rows_agree > 0.99

    ways: dict[str, Callable[[], np.ndarray]] = {
        "identify-each": lambda: mcc("each"),
        "identify-chain": lambda: mcc("chain"),
        "identify-chain-noise": lambda: mcc("chain", noise=True),
        "identify-labels": lambda: mcc("each-4", "flow-shuffled"),
        "identify-beta-vae": lambda: mcc("each-4", "beta-vae"),
        "identify-alignment": lambda: mcc("each", "mmd-ae"),
        "identify-linear": lambda: mcc("linear", "fastica"),
        "identify-same-ratio": same_ratio,
        "identify-untouched-pair": lambda: each("untouched-pair")[:, 2:].mean(axis=1),
        "identify-untouched-one": lambda: each("untouched-one")[:, 3],
        "identify-r2": lambda: np.array([np.nan if r.score is None else r.score.r2 for r in rows("one")]),
        "identify-tradeoff": traded,
        "identify-each-5": lambda: mcc("each-5"),
        "identify-perfect": lambda: mcc("perfect", "causes"),
        "identify-perfect-smooth": lambda: mcc("perfect-smooth", "flow-causes"),
        "identify-agreement": where_fits_agree,
    }
    return {name: ways[name]() for name in ids}
