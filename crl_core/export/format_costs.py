"""What each format costs: size, errors, largest difference and latency, beside eager PyTorch float32."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from crl_core.export.formats import ORIGINAL, available
from crl_core.export.model_file import Outputs, read_model
from crl_core.metrics import factual_mse, ite_rmse

if TYPE_CHECKING:
    from crl_core.export.models import Subject


BATCHES = (1, 1024)
_CALLS = {1: 1000, 1024: 100}
_WARM = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class FormatCost:
    """One format. ite_rmse is None where the truth is not known; latencies are microseconds a call, by batch size."""

    format: str
    bytes: int | None  # None for the original, which is no file
    ite_rmse: float | None
    factual_mse: float
    largest_difference: float  # of y0 or y1 from the original's, on held-out rows
    p50_us: dict[str, float]
    p95_us: dict[str, float]
    p99_us: dict[str, float]

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def report(
    made_of: Subject,
    names: Sequence[str] = (),
    *,
    calls: dict[int, int] | None = None,
    written: Callable[[str, bytes], None] = lambda name, content: None,
) -> tuple[list[FormatCost], dict[str, bytes]]:
    """The cost of the original and of each format, and the formats' files. All errors are held out.

    names: of the formats; none named: each that can be made here.
    written: is given each file as soon as it is there.

    Latency is that of one call in this process, on one thread, NumPy to NumPy, loading not included.
    Raises: ValueError as `export_model`.
    """
    import crl_core.export.models as export
    from crl_core.export.models.torch_files import one_thread, run_torch

    files = {}
    for name in names or available():
        files[name] = export.export_model(made_of, name)
        written(name, files[name])
    with one_thread():
        original = run_torch(made_of.network)
        expected = original(made_of.held_out.x.astype(np.float32))
        rows = [_row(made_of, ORIGINAL, None, original, expected, calls or _CALLS)]
        rows += [
            _row(made_of, name, content, read_model(content, name).run, expected, calls or _CALLS)
            for name, content in files.items()
        ]
    return rows, files


def _row(
    made_of: Subject,
    name: str,
    content: bytes | None,
    run: Callable[[np.ndarray], Outputs],
    expected: Outputs,
    calls: dict[int, int],
) -> FormatCost:
    rows = made_of.held_out
    y0, y1, _ = run(rows.x.astype(np.float32))
    times = {str(batch): _latency(run, rows.x, batch, calls[batch]) for batch in BATCHES}
    return FormatCost(
        format=name,
        bytes=None if content is None else len(content),
        ite_rmse=None if rows.ite is None else float(ite_rmse((y1 - y0)[None], rows.ite)[0]),
        factual_mse=float(factual_mse(y0[None], y1[None], rows.t, rows.y)[0]),
        largest_difference=float(max(np.abs(y0 - expected[0]).max(), np.abs(y1 - expected[1]).max())),
        p50_us={batch: taken[0] for batch, taken in times.items()},
        p95_us={batch: taken[1] for batch, taken in times.items()},
        p99_us={batch: taken[2] for batch, taken in times.items()},
    )


def _latency(run: Callable[[np.ndarray], Outputs], x: np.ndarray, batch: int, calls: int) -> list[float]:
    rows = np.resize(x, (batch, x.shape[1])).astype(np.float32)
    taken = np.empty(_WARM + calls)
    for at in range(len(taken)):
        start = time.perf_counter()
        run(rows)
        taken[at] = time.perf_counter() - start
    return [float(value) for value in 1e6 * np.quantile(taken[_WARM:], (0.5, 0.95, 0.99))]
