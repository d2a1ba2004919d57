"""A training that a page starts and watches: a process of its own writes lines into a file, and this reads them. No torch here.

Lines:   {"step", "of", "matrix": [d, d], "mcc"} on the way, then {"done": …} or {"problem": sentence}.
Kept:    a finished file answers the same question at once. One process a server at a time.
"""

from __future__ import annotations

import atexit
import hashlib
import json
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from crl_core.identify.worlds import World

VERSION = 1  # raise when a training would give other numbers
_KEPT = 40  # finished files
_ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class State:
    """What is known of a training. phase: absent, running, done, failed."""

    phase: str
    lines: tuple[dict[str, Any], ...] = ()
    problem: str = ""

    @property
    def done(self) -> dict[str, Any] | None:
        return self.lines[-1].get("done") if self.lines else None

    @property
    def looks(self) -> list[dict[str, Any]]:
        return [line for line in self.lines if "step" in line]


@dataclass(slots=True)
class Trainer:
    """At most one training at a time; files in `folder`."""

    folder: Path
    _process: subprocess.Popen[bytes] | None = None
    _name: str = ""
    _mutex: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        atexit.register(self.close)

    def file(self, world: World, seed: int) -> Path:
        asked = json.dumps([VERSION, world.to_dict(), seed], sort_keys=True)
        return self.folder / f"{hashlib.sha256(asked.encode()).hexdigest()[:16]}.jsonl"

    def start(self, world: World, seed: int) -> None:
        """Train, unless it was done before. Raises ValueError where another training runs or the disk refuses."""
        target = self.file(world, seed)
        with self._mutex:
            if self._running():
                if self._name == target.name:
                    return
                raise ValueError(
                    "Someone trains here just now, and one at a time has room; try again in some seconds."
                )
            try:
                self.folder.mkdir(parents=True, exist_ok=True)
                self._tidy()
                asked = target.with_suffix(".json")
                asked.write_text(json.dumps({"world": world.to_dict(), "seed": seed}), encoding="utf-8")
                target.unlink(missing_ok=True)
                self._process = subprocess.Popen(
                    [sys.executable, "-m", "crl_core.flows.live", str(asked), str(target)], cwd=_ROOT,
                    stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                )  # fmt: skip
            except OSError as error:
                raise ValueError(
                    f"The training cannot be started ({error.strerror or error}); free some room and try again."
                ) from None
            self._name = target.name

    def state(self, world: World, seed: int) -> State:
        """What the file says by now."""
        target = self.file(world, seed)
        running = self._name == target.name and self._running()
        try:
            text = target.read_text(encoding="utf-8")
        except OSError:
            text = ""
        lines = []
        for line in text.splitlines(keepends=True):
            try:
                lines.append(json.loads(line) if line.endswith("\n") else {})
            except ValueError:
                continue
        lines = [line for line in lines if line]
        if lines and "done" in lines[-1]:
            return State("done", tuple(lines))
        if lines and "problem" in lines[-1]:
            return State("failed", tuple(lines), str(lines[-1]["problem"]))
        if running:
            return State("running", tuple(lines))
        if lines or (self._name == target.name and self._process is not None):
            return State("failed", tuple(lines), "The training ended before it was done; start it again.")
        return State("absent")

    def cancel(self) -> None:
        """End what runs, and forget it."""
        with self._mutex:
            if self._process is not None and self._process.poll() is None:
                self._process.kill()
                self._process.wait()
                (self.folder / self._name).unlink(missing_ok=True)
            self._process, self._name = None, ""

    def close(self) -> None:
        self.cancel()

    def _running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def _tidy(self) -> None:
        files = sorted(self.folder.glob("*.json*"), key=lambda file: file.stat().st_mtime)
        for file in files[: -2 * _KEPT]:
            file.unlink(missing_ok=True)
