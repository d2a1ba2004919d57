"""A training that a page starts and watches, without torch: the worker writes lines into a file that is read here.

Lines:   {"step", "of", "matrix": [d, d], "mcc"} on the way, then {"done": …} or {"problem": sentence}.
Kept:    a finished file answers the same question at once. It waits its turn among the runs, on the same executor.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from crl_core.identify.latent_worlds import LatentWorld
from crl_core.jobs.manager import JobManager

VERSION = 2  # raise when a training would give other numbers
_KEPT = 40  # finished files


@dataclass(frozen=True, slots=True)
class State:
    """What is known of a training. ahead: runs before it in the queue."""

    phase: Literal["absent", "queued", "running", "done", "failed"]
    lines: tuple[dict[str, Any], ...] = ()
    problem: str = ""
    ahead: int = 0

    @property
    def done(self) -> dict[str, Any] | None:
        return self.lines[-1].get("done") if self.lines else None

    @property
    def looks(self) -> list[dict[str, Any]]:
        return [line for line in self.lines if "step" in line]

    @property
    def active(self) -> bool:
        return self.phase in ("queued", "running")


@dataclass(frozen=True, slots=True)
class Trainer:
    """Trainings with files in `folder`, carried out by the executor of `jobs`."""

    folder: Path
    jobs: JobManager

    def file(self, world: LatentWorld, seed: int) -> Path:
        asked = json.dumps([VERSION, world.to_dict(), seed], sort_keys=True)
        return self.folder / f"{hashlib.sha256(asked.encode()).hexdigest()[:16]}.jsonl"

    def start(self, world: LatentWorld, seed: int) -> None:
        """Train; joins one that is under way. Raises ValueError where too many wait or the disk refuses."""
        target = self.file(world, seed)
        try:
            self._tidy()
            if not self.jobs.task_state(key_of(target)).active:
                target.unlink(missing_ok=True)
        except OSError as error:
            raise ValueError(
                f"The training cannot be started ({error.strerror or error}); free some room and try again."
            ) from None
        task = {"name": "latents", "world": world.to_dict(), "seed": seed, "file": str(target.absolute())}
        self.jobs.submit_task(key_of(target), task)

    def state(self, world: LatentWorld, seed: int) -> State:
        """The training's state, from the queue and its file."""
        return state_of(self.file(world, seed), self.jobs)

    def cancel(self, world: LatentWorld, seed: int) -> None:
        """Take the training out of the queue, or ask the worker to stop, which leaves no file."""
        self.jobs.cancel(key_of(self.file(world, seed)))

    def _tidy(self) -> None:
        files = sorted(self.folder.glob("*.jsonl"), key=lambda file: file.stat().st_mtime)
        for file in files[:-_KEPT]:
            file.unlink(missing_ok=True)


def state_of(target: Path, jobs: JobManager) -> State:
    """The state of a task that writes lines into `target`, from the queue and its file."""
    job = jobs.task_state(key_of(target))
    if job.phase == "queued":
        return State("queued", ahead=job.position - 1 + max(1, jobs.training))  # it may be another server's turn
    lines = _lines(target)
    if lines and "done" in lines[-1]:
        return State("done", lines)
    if lines and "problem" in lines[-1]:
        return State("failed", lines, str(lines[-1]["problem"]))
    if job.active:
        return State("running", lines)
    if lines or job.reason is not None:
        return State("failed", lines, job.reason or "The training ended before it was done; start it again.")
    return State("absent")


def key_of(target: Path) -> str:
    """The task's key in the queue: of the same form as a run's; no run has it."""
    return target.stem


def _lines(target: Path) -> tuple[dict[str, Any], ...]:
    """Whole lines of a file that may be growing; a line that is none is passed over."""
    try:
        text = target.read_text(encoding="utf-8")
    except OSError:
        return ()
    found = []
    for line in text.splitlines(keepends=True):
        try:
            found.append(json.loads(line) if line.endswith("\n") else {})
        except ValueError:
            continue
    return tuple(line for line in found if line)
