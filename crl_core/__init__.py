"""Causal representation learning on worlds whose truth is known. Importing this does not import torch."""

from __future__ import annotations

import os
from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING, Any

from crl_core.config import RunConfig, Scenario, Training
from crl_core.presets import PRESETS, preset
from crl_core.scm import MultiEnvData, sample

# Threads of torch's OpenMP sleep while they wait instead of spinning. Beside a server and a browser on two cores, spinning
# threads starve each other (measured: up to a hundred times slower). It is read when torch loads, so it is set here.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

if TYPE_CHECKING:
    from crl_core.runs import RunStore
    from crl_core.training import train, train_path

_LATER = {"train": "crl_core.training", "train_path": "crl_core.training", "RunStore": "crl_core.runs"}

__all__ = [
    "PRESETS", "MultiEnvData", "RunConfig", "RunStore", "Scenario", "Training",
    "preset", "replace", "sample", "train", "train_path",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name in _LATER:
        return getattr(import_module(_LATER[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
