"""Runs that come with the program, so that a first visit has results: every preset, trained and complete."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

from crl_core.config.presets import PRESETS
from crl_core.events import Event
from crl_core.jobs.ensure_runs import RunsFailed
from crl_core.jobs.train_and_store import train_and_store
from crl_core.runs.store import RunStore


def bake(names: Iterable[str], store: RunStore, listen: Callable[[Event], None] | None = None) -> list[str]:
    """Train the presets `names` from scratch into `store.baked`, one after the other; returns their keys.

    A run is put in its place only when it is complete, so a baked folder never holds half of one.
    Raises: RunsFailed with the reason if one cannot be trained.
    """
    configs = [(name, PRESETS[name].config) for name in names]
    for name, config in configs:
        with tempfile.TemporaryDirectory() as folder:
            fresh = RunStore(folder, baked=Path(folder) / "none")
            outcome = train_and_store(config, fresh, listen=listen)
            if outcome.ending != "trained" or outcome.reason or fresh.missing_parts(config.key):
                raise RunsFailed(f"{name} could not be baked. {outcome.reason or outcome.ending}")
            target = store.baked / config.key
            shutil.rmtree(target, ignore_errors=True)
            shutil.copytree(Path(folder) / "runs" / config.key, target)
    return [config.key for _, config in configs]


def remove_outdated(store: RunStore) -> list[str]:
    """Delete baked runs that no preset names any more; returns their keys."""
    wanted = {item.config.key for item in PRESETS.values()}
    gone = [folder for folder in sorted(store.baked.glob("*")) if folder.is_dir() and folder.name not in wanted]
    for folder in gone:
        shutil.rmtree(folder)
    return [folder.name for folder in gone]
