"""What a stored run says about itself: its result as plain values, the figures in its manifest, and a summary of
both."""

from __future__ import annotations

import platform
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np

from crl_core.config import RECIPE_VERSION, RunConfig
from crl_core.config.text import TRAINING, preset_of
from crl_core.data.tables.private import PrivateRows
from crl_core.metrics import LISTED
from crl_core.results import RunResult
from crl_core.runs.labels import Label
from crl_core.runs.sealing import FORMAT

PART_NAMES = ("evidence", "projection")  # what is added to a sealed run, in the order in which it is computed
_LIBRARIES = ("numpy", "scikit-learn", "scipy", "torch")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSummary:
    """One line of a list of runs, read from the manifest alone.

    figures: name of `metrics.LISTED` -> median over replicates, one a λ; None where no replicate has a number.
    """

    key: str
    config: RunConfig
    created: float  # seconds since 1970
    seconds: float  # training took
    device: str
    bytes: int  # on disk
    parts: tuple[str, ...]  # of PART_NAMES
    pinned: bool
    baked: bool
    recipe_version: int
    imported: float | None  # seconds since 1970; None for a run that was trained here
    label: Label
    figures: Mapping[str, tuple[float | None, ...]] = field(hash=False)

    @property
    def outdated(self) -> bool:
        """Made by another version of the recipe: readable, but its key is no config's key any more."""
        return self.recipe_version != RECIPE_VERSION

    @property
    def lams(self) -> tuple[float, ...]:
        return self.config.training.lams

    @property
    def preset_id(self) -> str | None:
        """The preset whose scenario this is, whatever the training."""
        return preset_of(self.config, free=TRAINING)

    @property
    def private(self) -> bool:
        """Of a table that somebody has loaded for a session: in nobody's list."""
        return isinstance(self.config.table, PrivateRows)

    @property
    def complete(self) -> bool:
        """Nothing is left to compute for this run. A baked run is what it is."""
        return self.baked or set(PART_NAMES) <= set(self.parts)

    @property
    def finite(self) -> bool:
        """Whether any figure is a number; where every model diverged, none is."""
        return any(value is not None for values in self.figures.values() for value in values)

    def best(self) -> tuple[float, float] | None:
        """λ with the least median ITE RMSE (truth known), and that error; None if there is none."""
        errors = zip(self.figures["ite_rmse"], self.lams, strict=True)
        known = [(error, lam) for error, lam in errors if error is not None]
        return (min(known)[1], min(known)[0]) if known else None

    def at_zero(self) -> float | None:
        """Median ITE RMSE without the penalty; None if λ = 0 was not trained, or has none."""
        return self.figures["ite_rmse"][0] if self.lams[0] == 0 else None


def plain(result: RunResult) -> dict[str, Any]:
    """`result` as plain values and arrays, so that opening it does not depend on how the class looks today."""
    content = {field.name: getattr(result, field.name) for field in fields(RunResult)}
    return content | {
        "config": result.config.to_dict(),
        "history": dict(result.history),
        "weights": dict(result.weights),
    }


def from_plain(content: Mapping[str, Any]) -> RunResult:
    """Inverse of `plain`. Raises ValueError or TypeError if it is not one."""
    return RunResult(**{**content, "config": RunConfig.from_dict(content["config"])})


def new_manifest(result: RunResult) -> dict[str, Any]:
    """What the manifest says about `result`, without the files. Of an older run, younger metrics are left out."""
    listed = {metric.name: getattr(result, metric.name) for metric in LISTED}
    known = [m.name for m in LISTED if not m.late or listed[m.name] is not None]
    return {
        "format": FORMAT,
        "key": result.config.key,
        "recipe_version": RECIPE_VERSION,
        "config": result.config.to_dict(),
        "device": result.device,
        "seconds": result.seconds,
        "created": time.time(),
        "versions": {"python": platform.python_version()} | {name: _version(name) for name in _LIBRARIES},
        "figures": {name: _medians(result, listed[name]) for name in known},
        "files": {},
    }


def row(manifest: Mapping[str, Any], *, pinned: bool, baked: bool, label: Label) -> dict[str, Any]:
    """What a list of runs needs of a manifest, as plain values; `from_row` makes a summary of it."""
    files: Mapping[str, Any] = manifest["files"]
    kept = ("key", "config", "created", "seconds", "device", "recipe_version", "figures")
    return {name: manifest[name] for name in kept} | {
        "imported": manifest.get("imported"),
        "bytes": sum(entry["bytes"] for entry in files.values()),
        "parts": [name for name in PART_NAMES if f"{name}.joblib" in files],
        "pinned": pinned,
        "baked": baked,
        "label": label.to_dict(),
    }


def from_row(content: Mapping[str, Any]) -> RunSummary:
    """Raises ValueError, KeyError or TypeError if it is not a row, or its config is one that this program does not
    read."""
    config, figures = RunConfig.from_dict(content["config"]), content["figures"]
    unknown = [None] * len(config.training.lams)
    read: dict[str, Any] = {
        "config": config,
        "label": Label.from_dict(content["label"]),
        "parts": tuple(content["parts"]),
        "figures": {m.name: tuple(figures.get(m.name, unknown) if m.late else figures[m.name]) for m in LISTED},
    }
    return RunSummary(**{**content, **read})


def _medians(result: RunResult, values: np.ndarray | None) -> list[float | None]:
    if values is None:
        return [None] * len(result.lams)
    columns = result.by_lam(np.asarray(values, dtype=np.float64)).T  # [L, R]
    finite = [column[np.isfinite(column)] for column in columns]
    return [float(np.median(column)) if len(column) else None for column in finite]


@cache
def _version(library: str) -> str | None:
    try:
        return version(library)
    except PackageNotFoundError:
        return None
