"""Any config that `config.py` allows: all fields drawn from what stands beside them, their edges often.

How many are drawn: `CRL_CONFIGS=2000` draws that many for the pages' pure parts and a twentieth of it through AppTest,
with a fresh seed; without it, few, and the same ones.
"""

from __future__ import annotations

import os
from dataclasses import fields
from typing import Any

from hypothesis import HealthCheck, Phase, assume, settings
from hypothesis import strategies as st

from crl_core.config import ABOUT, MAX_ENVS, PER_ENV, RunConfig, Scenario, Training

MANY = int(os.environ.get("CRL_CONFIGS", "0"))
# What a drawn config is most likely to fall over: drawn every few times.
EDGES: dict[str, tuple[Any, ...]] = {
    "propensity": (0.0, 1.0), "noise": (0.0,), "sigma": (0.0,), "learning_rate": (1.0,), "epochs": (1,),
    "replicates": (1,), "n_samples": (100, 200), "heterogeneity": (0.0,), "effect": (0.0,), "cause_scale": (0.1,),
}  # fmt: skip
EDGE_GRIDS = ((0.0,), (1.0,), (10_000.0,), (0.0, 10_000.0))


def drawing(few: int, many: int) -> settings:
    """Settings of a test on drawn configs: `many` of them where many are asked for, with a fresh seed; else `few`."""
    return settings(
        max_examples=many if MANY else few,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
        database=None,
        derandomize=not MANY,
        deadline=None,
    )


# Of runs that are really trained: a moment each.
SMALL = {
    "n_samples": (100, 400), "dim_causal": (1, 3), "dim_spurious": (1, 3), "shared_units": (0, 12), "hidden": (4, 8),
    "latent_dim": (2, 4), "epochs": (1, 2), "replicates": (1, 2), "learning_rate": (1e-4, 0.1), "steps": (0, 20),
}  # fmt: skip


def _value(name: str, kind: type, limits: tuple[float, float] | None) -> st.SearchStrategy[Any]:
    """Values of a field; a number is now and then a short one, as people write them."""
    words = st.sampled_from(ABOUT[name].options or ("",))
    if limits is None:
        return st.booleans() if kind is bool else words
    low, high = limits
    if kind is int:
        return st.integers(int(low), int(high))
    exact = st.floats(low, high, allow_nan=False)
    number = exact | exact.map(lambda value: min(max(round(value, 1), low), high))
    return words | number if ABOUT[name].options else number


def words_of(name: str) -> st.SearchStrategy[str]:
    return st.sampled_from(ABOUT[name].options)


@st.composite
def configs(draw: st.DrawFn, *, small: bool = False) -> RunConfig:
    """Every field is drawn; what only fits together is put together here, and left to chance otherwise."""
    limits = {name: SMALL.get(name, about.limits) if small else about.limits for name, about in ABOUT.items()}
    n_envs = draw(st.just(1) | st.integers(1, 4 if small else MAX_ENVS))
    drawn: dict[str, Any] = {}
    for item in (*fields(Scenario), *fields(Training)):
        value = _value(item.name, type(item.default), limits[item.name])
        low, high = limits[item.name] or (0, 0)
        if edges := [edge for edge in EDGES.get(item.name, ()) if low <= edge <= high or item.name == "learning_rate"]:
            value = st.integers(0, 3).flatmap(lambda at, own=value, few=edges: own if at else st.sampled_from(few))
        if item.name in PER_ENV:
            same, each = value.map(lambda one: (one,)), st.tuples(*[value] * n_envs)
            drawn[item.name] = draw(each if item.name == "sigma" else same | each)
        elif item.name == "lams":
            grids = st.lists(value, min_size=1, max_size=3 if small else 16).map(tuple)
            drawn["lams"] = draw(grids | grids | st.sampled_from(EDGE_GRIDS))
        elif item.name == "latents":
            drawn["latents"] = item.default  # chosen below, where they mean something
        elif ABOUT[item.name].young or item.name in ("leak", "interaction"):
            drawn[item.name] = draw(st.just(item.default) | value)
        else:
            drawn[item.name] = draw(value)
    if drawn["leak"]:
        drawn["interaction"] = 0.0
    if drawn["observation"] == "ecg":
        drawn["latents"] = draw(st.lists(words_of("latents"), min_size=1, unique=True).map(tuple))
        drawn |= {"dim_causal": len(drawn["latents"]), "dim_spurious": 1, "mixing": "none"}
        drawn["rate"] = min(drawn["rate"], drawn["samples"] / 0.8)
        drawn["n_samples"] = min(drawn["n_samples"], 8_000_000 // drawn["samples"])
        drawn["highpass"] = tuple(value if value >= 0.05 else 0.0 for value in drawn["highpass"])
        drawn["saturation"] = drawn["saturation"] if drawn["saturation"] >= 0.5 else 0.0
    if drawn["observation"] == "digits":
        drawn |= {"outcome": "binary", "dim_causal": 1, "dim_spurious": 1, "mixing": "none"}
    if drawn["align"] == "environment within outcome":
        drawn |= {"outcome": "binary", "penalty": "mmd"}
    if drawn["ipm_estimate"] != "exact":
        drawn["penalty"] = "mmd"
    if drawn["encoder"] == "conv1d":
        drawn["encoder"] = "conv1d" if drawn["observation"] == "ecg" else "mlp"
        drawn["x_scale"] = "whole" if drawn["x_scale"] == "columns" else drawn["x_scale"]
        drawn["batch_size"] = min(drawn["batch_size"], 512)
    if small:
        drawn["env_weight"] = tuple(max(weight, 0.2) for weight in drawn["env_weight"])
        drawn["device"] = "cpu"
    drawn["shared_units"] = min(drawn["shared_units"], drawn["n_samples"] // (2 * n_envs) // (5 if small else 1))
    if drawn["penalty"] == "contrastive" and not drawn["shared_units"]:
        drawn["matching"] = "rank"
    work = len(drawn["lams"]) * drawn["replicates"] * drawn["n_samples"]
    drawn["epochs"] = min(drawn["epochs"], max(1, 2_000_000_000 // work))
    try:
        scenario = Scenario(**{item.name: drawn[item.name] for item in fields(Scenario)})
        return RunConfig(
            scenario=scenario, training=Training(**{item.name: drawn[item.name] for item in fields(Training)})
        )
    except ValueError:
        assume(False)
        raise
