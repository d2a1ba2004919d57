"""The monitor's test in a process of its own: windows in by stdin, p-values out by stdout.

Start:    `python -m crl_core.serve.monitor_process`.
Why:      a thread of the server would hold the interpreter while it relabels, and every request would wait.
Process:  low priority, one thread; it ends with the server, whose end closes its stdin.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import IO

import numpy as np

from crl_core.measures.falsifiers import LEVEL, PERMUTATIONS, latent_test, nearest_test

MORE = 7999  # relabellings where the first say p <= LEVEL; the smallest p is then 1 / 8000


def test_window(
    rows: np.ndarray, reference: np.ndarray, environment: np.ndarray, rng: np.random.Generator
) -> tuple[float, float]:
    """p and latent MMD² of a window [n, k]: against all environments together and each alone, the larger p."""
    p, mmd2 = _larger_p(rows, reference, environment, rng, PERMUTATIONS)
    if p <= LEVEL:
        p, mmd2 = _larger_p(rows, reference, environment, rng, MORE)
    return p, mmd2


def _larger_p(
    rows: np.ndarray, reference: np.ndarray, environment: np.ndarray, rng: np.random.Generator, permutations: int
) -> tuple[float, float]:
    mmd2, pooled = latent_test(rows, reference, rng, permutations)
    if pooled > LEVEL:
        return pooled, mmd2
    _, nearest, _ = nearest_test(rows, reference, environment, rng, permutations)
    return max(pooled, nearest), mmd2


class Tester:
    """The process, started when it is made and again if it was killed."""

    def __init__(self, reference: np.ndarray, environment: np.ndarray, seed: int) -> None:
        self._first = (reference, environment[:, None].astype(np.float64), np.array([[seed]], np.float64))
        self._process = self._start()

    def test(self, rows: np.ndarray) -> tuple[float, float]:
        """As `test_window`. Raises: OSError if the process was killed meanwhile."""
        if self._process.poll() is not None:
            self._process = self._start()
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        _write(self._process.stdin, rows)
        answer = _read(self._process.stdout)
        if answer is None:
            raise OSError("the tester ended")
        return float(answer[0, 0]), float(answer[0, 1])

    def close(self) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.close()
            self._process.wait(timeout=5)
        except (OSError, subprocess.TimeoutExpired):
            self._process.kill()
            self._process.wait()

    def _start(self) -> subprocess.Popen[bytes]:
        threads = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL")}
        process = subprocess.Popen(
            [sys.executable, "-m", "crl_core.serve.monitor_process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, **threads},
        )
        assert process.stdin is not None
        for array in self._first:
            _write(process.stdin, array)
        return process


def _write(stream: IO[bytes], array: np.ndarray) -> None:
    stream.write(np.array(array.shape, "<i8").tobytes() + array.astype("<f8").tobytes())
    stream.flush()


def _read(stream: IO[bytes]) -> np.ndarray | None:
    """The next table; None where the other side has ended."""
    head = stream.read(16)
    if len(head) < 16:
        return None
    n, k = np.frombuffer(head, "<i8")
    body = stream.read(8 * n * k)
    return np.frombuffer(body, "<f8").reshape(n, k) if len(body) == 8 * n * k else None


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C reaches the group; the server decides
    if hasattr(os, "nice"):
        os.nice(10)
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    reference, environment, seed = _read(source), _read(source), _read(source)
    if reference is None or environment is None or seed is None:
        return
    rng = np.random.default_rng(int(seed[0, 0]))
    while (rows := _read(source)) is not None:
        try:
            found = test_window(rows, reference, environment[:, 0].astype(np.int64), rng)
        except ValueError:  # a window that cannot be tested has no p
            found = (float("nan"), float("nan"))
        _write(sink, np.array([found]))


if __name__ == "__main__":
    main()
