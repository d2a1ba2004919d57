"""Planted effects that a page asks for: the worker trains, and writes lines into a file that is read here.

Rows:    go to the worker in a file that it deletes as soon as it has read it; they are in no job and no log.
Answer:  {"step", "of"} after each epoch, then {"done": {…}} or {"problem": sentence}. "done" is `Planted.to_dict` and
         "points", some rows for the figure.
Private: both files have random names and can be read by their owner alone; the page deletes the answer (`forget`).
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from crl_core.config import RunConfig
from crl_core.data.scm import MultiEnvData
from crl_core.events import EpochEnded, RunStarted, TrainingEvent, finite
from crl_core.identify.live import State, key_of, state_of
from crl_core.jobs.manager import JobManager
from crl_core.measures.planted import Shape, plant
from crl_core.results import N_VIEW
from crl_core.studies.planted import Planted, run_planted

_COLUMNS = ("x", "t", "env", "y")  # of a row; true effects that a table may have stay where they are


@dataclass(frozen=True, slots=True)
class PlantedTraining:
    """A training on planted effects that one page asked for; whoever has it reads its answer."""

    file: Path
    jobs: JobManager

    @classmethod
    def start(
        cls, folder: Path, jobs: JobManager, config: RunConfig, rows: MultiEnvData, *, size: float, shape: Shape
    ) -> PlantedTraining:
        """Train `config` on effects planted in `rows`, all of a table's. Raises ValueError where too many wait or the
        disk refuses."""
        asked = cls(folder / f"{secrets.token_hex(8)}.jsonl", jobs)
        task = {
            "name": "planted",
            "rows": str(asked._rows.absolute()),
            "config": config.to_dict(),
            "size": size,
            "shape": shape,
            "file": str(asked.file.absolute()),
        }
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with _private(asked._rows) as file:
                np.savez(file, **{name: getattr(rows, name) for name in _COLUMNS})
            jobs.submit_task(key_of(asked.file), task)
        except OSError as error:
            asked.forget()
            raise ValueError(
                f"The training cannot be started ({error.strerror or error}); free some room and try again."
            ) from None
        except BaseException:  # the queue is full or closed: no row stays behind
            asked.forget()
            raise
        return asked

    @property
    def _rows(self) -> Path:
        return self.file.with_suffix(".npz")

    def state(self) -> State:
        return state_of(self.file, self.jobs)

    def forget(self) -> None:
        """Take it out of the queue, or ask the worker to stop, and delete what is there of it."""
        self.jobs.cancel(key_of(self.file))
        for file in (self._rows, self.file):
            with suppress(OSError):
                file.unlink(missing_ok=True)


def carry_out_task(task: Mapping[str, Any], should_stop: Callable[[], bool]) -> None:
    """Answer in `task["file"]`. A training that was stopped leaves no file; neither does one whose rows are gone, since
    who asked has forgotten it."""
    target, source = Path(task["file"]), Path(task["rows"])
    try:
        with np.load(source, allow_pickle=False) as found:
            rows = MultiEnvData(**{name: found[name] for name in _COLUMNS})
        source.unlink()
        with _private(target) as file:

            def write(line: dict[str, Any]) -> None:
                file.write(json.dumps(finite(line), allow_nan=False).encode() + b"\n")
                file.flush()

            done = _tell(RunConfig.from_dict(task["config"]), rows, task["size"], task["shape"], write, should_stop)
        if not done:
            target.unlink(missing_ok=True)
    except OSError:  # the disk is full: the file stops without an ending, and its reader reports that
        return


def _tell(
    config: RunConfig,
    rows: MultiEnvData,
    size: float,
    shape: Shape,
    write: Callable[[dict[str, Any]], None],
    should_stop: Callable[[], bool],
) -> bool:
    """Write what is found on the way and at the end; whether there was an end."""
    of = 0

    def listen(event: TrainingEvent) -> None:
        nonlocal of
        if isinstance(event, RunStarted):
            of = event.epochs
        elif isinstance(event, EpochEnded):
            write({"step": event.epoch, "of": of})

    try:
        planting = plant(rows, size=size, shape=shape, seed=config.training.seed)
        found = run_planted(config, planting, listen=listen, should_stop=should_stop)
    except ValueError as error:
        write({"problem": str(error)})
        return True
    if found is not None:
        write({"done": found.to_dict() | {"points": points_of(found)}})
    return found is not None


def points_of(found: Planted, most: int = N_VIEW) -> dict[str, list[float]]:
    """Columns of some rows, evenly taken, that `figures.estimated_against_planted` draws."""
    rows = found.planting.rows
    some = np.unique(np.linspace(0, len(rows) - 1, most).astype(int))
    columns = {"ite": found.planting.ite, "ite_hat": found.effects.mean(axis=0), "env": rows.env, "t": rows.t}
    return {name: values[some].tolist() for name, values in columns.items()}


def _private(target: Path) -> BinaryIO:
    """A new file that its owner alone can read."""
    return os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
