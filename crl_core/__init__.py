"""Causal representation learning on worlds whose truth is known. Importing this does not import torch."""

from __future__ import annotations

import os
from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING, Any

from crl_core.config import RunConfig, Scenario, Training
from crl_core.config.presets import PRESETS, preset
from crl_core.data.scm import MultiEnvData, sample

# How torch's OpenMP threads wait for each other; read when torch loads, so it is set here. Sleeping at once costs more
# than it shares out (two threads are slower than one: 2.2 s against 1.8 s for what 1.2 s do with a short spin),
# spinning for long starves whoever else runs on the machine (30 s beside one busy process). A thousand turns are some
# microseconds.
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ["OMP_WAIT_POLICY"] = "passive"
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")

if TYPE_CHECKING:
    from crl_core.runs.store import RunStore
    from crl_core.training.path import train, train_path

_LATER = {
    "train": "crl_core.training.path",
    "train_path": "crl_core.training.path",
    "RunStore": "crl_core.runs.store",
}

__all__ = [
    "PRESETS", "MultiEnvData", "RunConfig", "RunStore", "Scenario", "Training",
    "preset", "replace", "sample", "train", "train_path",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name in _LATER:
        return getattr(import_module(_LATER[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
