"""The alphabet of a run: frozen, past-tense events, each complete in itself, with a JSON line for every one.

Order:   RunStarted, StepsTaken*, EpochEnded*, then one ending: RunFinished (from `training`), RunCancelled or RunFailed
         (from the worker). After RunFinished the worker adds to a run that is already usable: StageAdvanced*, one
         RunCompleted.
         Where somebody may watch, StepsTaken come before the first EpochEnded, and some EpochEnded are followed by
         ViewSampled, one or more for all λ of that epoch.
JSON:    {"event": "EpochEnded", "at": 1764000000.0, ...}; arrays are lists, a number that is not finite is null.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

if TYPE_CHECKING:
    from crl_core.results import RunResult

Stage = Literal["projection", "evidence"]

# What became of a model, as stored in `status` arrays.
OK, DIVERGED, COLLAPSED = 0, 1, 2
STATUS_WORDS = ("ok", "diverged", "collapsed")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RunStarted:
    """The data is drawn and the models are initialised; `device` is where they are trained."""

    key: str
    device: str
    lam: np.ndarray  # [M]
    replicate: np.ndarray  # [M] int
    epochs: int
    steps_per_epoch: int
    n_train: int
    n_held_out: int
    n_pairs: int  # of environments (or arms) that the penalty compares; 0 means that there is nothing to align


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Readings:
    """What is read of all M models at a moment of their training. Losses are means over the epoch's batches by then."""

    elapsed_s: float
    loss: np.ndarray  # [M] factual_train + λ · penalty
    factual_train: np.ndarray  # [M]
    penalty: np.ndarray  # [M] mean MMD² over pairs of the batch, without λ
    factual_mse: np.ndarray  # [M] held out
    mmd2: np.ndarray  # [M] held out, mean over pairs
    ite_rmse: np.ndarray | None  # [M] held out; None where the truth is not known
    status: np.ndarray  # [M] int, index into STATUS_WORDS
    validation_mse: np.ndarray | None = None  # [M] on training rows kept for that; None where there are none
    ate: np.ndarray | None = None  # [M] mean effect of the held-out rows of a table; None elsewhere


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StepsTaken(Readings):
    """The models of the first replicates are within the first epoch; the others, which wait, read NaN and OK.

    Nothing is called collapsed so early.
    """

    epoch: float  # above 0, below 1


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EpochEnded(Readings):
    """All M models have completed `epoch`. Sent once per epoch, in order."""

    epoch: int  # from 1


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ViewSampled:
    """What models of the first replicate made of a few held-out rows after `epoch`, for whoever watches.

    Texts are base64 of little-endian float16 (`measures.view_samples`), so that an event stays below 10 kB.
    """

    epoch: int
    models: np.ndarray  # [l] int, index along λ
    xy: str  # [l, n, 2] their latents laid out
    effects: str  # [l, n], over `scale`
    plane: str | None  # [l, size, size] the same over cause and nuisance; None where that plane is not known
    scale: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RunFinished:
    """Training has ended by itself. `result` is set in the process that trained and is not part of the JSON line."""

    elapsed_s: float
    result: RunResult | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RunCancelled:
    """Someone asked for the end before the last epoch; nothing was stored."""

    elapsed_s: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RunFailed:
    """Training could not go on. `reason` is one sentence for a person."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StageAdvanced:
    """After training: `done` of `total` parts of a stage are ready."""

    stage: Stage
    done: int
    total: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RunCompleted:
    """Everything about the run is stored: training, projection, evidence."""

    elapsed_s: float


TrainingEvent = RunStarted | StepsTaken | EpochEnded | ViewSampled | RunFinished
Event = TrainingEvent | RunCancelled | RunFailed | StageAdvanced | RunCompleted
_TYPES: dict[str, type[Any]] = {kind.__name__: kind for kind in get_args(Event)}


def finite(content: Any) -> Any:
    """`content` as plain JSON values; a number that is not finite becomes None."""
    if isinstance(content, np.ndarray):
        return finite(content.tolist())
    if isinstance(content, Mapping):
        return {str(name): finite(value) for name, value in content.items()}
    if isinstance(content, (list, tuple)):
        return [finite(value) for value in content]
    if isinstance(content, float):
        return content if math.isfinite(content) else None
    return content


def to_json(event: Event, *, at: float) -> str:
    """One line without its line break. `at` is the time of writing, seconds since 1970."""
    content = {f.name: finite(getattr(event, f.name)) for f in fields(event) if f.name != "result"}
    return json.dumps({"event": type(event).__name__, "at": at} | content, separators=(",", ":"), allow_nan=False)


def from_json(line: str | bytes) -> Event:
    """Inverse of `to_json`; null in an array comes back as NaN. Raises ValueError on anything else."""
    try:
        content = json.loads(line)
        kind = _TYPES[content.pop("event")]
        content.pop("at", None)
        for name, value in content.items():
            if isinstance(value, list):
                whole = name in ("replicate", "status", "models")
                content[name] = np.array(value, dtype=np.int64 if whole else np.float64)
        event: Event = kind(**content)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not an event line ({error!s:.80}): {line[:60]!r}") from None
    return event
