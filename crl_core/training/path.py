"""Training as a generator of events: `train_path` trains every λ of a config, times its replicates, at once.

Shared along λ: data, split, initial weights and minibatch order, so that differences are caused by λ alone.
Models go through each epoch in groups of whole replicates (`group`): a group's tensors fit the processor's cache.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import torch

from crl_core import metrics
from crl_core.config import RunConfig
from crl_core.data.scm import MultiEnvData
from crl_core.events import (
    COLLAPSED,
    DIVERGED,
    OK,
    EpochEnded,
    RunFinished,
    RunStarted,
    StepsTaken,
    TrainingEvent,
    ViewSampled,
)
from crl_core.results import RunResult, data_of
from crl_core.training.group import Group, Rows
from crl_core.training.heap import kept_pages
from crl_core.training.recorded import cuda_graph
from crl_core.training.threads import is_small, one_thread

Dtype = Literal["float32", "float64"]
FIRST_STEPS = tuple(2 * 4**k for k in range(10))  # of the first epoch, after which whoever watches is told
# (epoch, held-out rows of replicate 0, its weights if asked for) -> what is to be seen of them
Watch = Callable[[int, MultiEnvData, Callable[[], Mapping[str, np.ndarray]]], Iterable[ViewSampled]]


# Of every operation the algorithm that gives the same bits each time; on a GPU, where some have none, torch warns. The
# public function for it would import torch's compiler, 60 MB that nothing here uses.
torch._C._set_deterministic_algorithms(True, warn_only=torch.cuda.is_available() or torch.backends.mps.is_available())
torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]  # nothing reads such memory


def resolve_device(name: str) -> str:
    """cuda, mps or cpu for "auto" or one of them. Raises ValueError if the one asked for is not there."""
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        return next(device for device, found in there.items() if found)
    if not there.get(name, False):
        found = ", ".join(device for device, is_there in there.items() if is_there)
        raise ValueError(f"device is {name}, which this machine does not have; it has {found}. Use auto.")
    return name


def train(
    config: RunConfig, *, dtype: Dtype = "float32", listen: Callable[[TrainingEvent], None] = lambda event: None
) -> RunResult:
    """The result of `train_path(config)`, drained; `listen` hears its events."""
    for event in train_path(config, dtype=dtype):
        listen(event)
        if isinstance(event, RunFinished) and event.result is not None:
            return event.result
    raise RuntimeError("training ended without a result")


def train_path(
    config: RunConfig,
    *,
    dtype: Dtype = "float32",
    should_stop: Callable[[], bool] | None = None,
    data: Sequence[Rows] | None = None,
    watch: Watch | None = None,
) -> Iterator[TrainingEvent]:
    """Train all λ × replicates of `config`; yields RunStarted, one EpochEnded an epoch, RunFinished with the result.

    dtype:       precision of the networks; float64 is for tests.
    should_stop: asked before every step; when it says True the stream ends at once, without RunFinished.
    data:        training and held-out rows of each replicate, instead of those that the config asks for.
    watch:       is asked after every epoch what is to be seen of replicate 0; it reads, and changes nothing. Where
                 there is one, StepsTaken say how the first replicates begin.
    Raises:      ValueError if the device is not there.
    """
    with one_thread(is_small(config.training)), kept_pages():
        yield from _events(config, dtype, should_stop, data, watch)


def _events(
    config: RunConfig,
    dtype: Dtype,
    should_stop: Callable[[], bool] | None,
    data: Sequence[Rows] | None,
    watch: Watch | None,
) -> Iterator[TrainingEvent]:
    began = time.perf_counter()
    device = resolve_device(config.training.device)
    groups = [
        Group(
            config,
            replicates,
            [data_of(config, r) if data is None else data[r] for r in replicates],
            torch.device(device),
            getattr(torch, dtype),
            cuda_graph if device == "cuda" else None,
        )
        for replicates in _replicate_groups(config, device)
    ]
    lam = np.tile(config.training.lams, config.training.replicates)
    replicate = np.repeat(np.arange(config.training.replicates), len(config.training.lams))
    yield RunStarted(
        key=config.key,
        device=device,
        lam=lam,
        replicate=replicate,
        epochs=config.training.epochs,
        steps_per_epoch=groups[0].steps[0],
        n_train=groups[0].n_train,
        n_held_out=len(groups[0].held_out[0]),
        n_pairs=groups[0].n_pairs,
    )
    history: list[EpochEnded] = []
    for epoch in range(1, config.training.epochs + 1):
        parts = []
        for group in groups:
            pauses = FIRST_STEPS if watch is not None and epoch == 1 and group is groups[0] else ()
            for step, losses in group.train_epoch(epoch, should_stop, pauses):
                if losses is None:
                    return
                ended = step == group.steps[epoch - 1]
                numbers = group.evaluate(losses, keep=ended)
                if not ended:
                    began_s = time.perf_counter() - began
                    share = step / group.steps[0]
                    yield StepsTaken(epoch=share, elapsed_s=began_s, **_numbers([_among(numbers, len(lam))]))
            parts.append(numbers)
        history.append(EpochEnded(epoch=epoch, elapsed_s=time.perf_counter() - began, **_numbers(parts)))
        yield history[-1]
        if watch is not None:
            yield from watch(epoch, groups[0].held_out[0], groups[0].first_weights)

    last = history[-1]
    if config.training.validation:
        for group in groups:
            group.take_best()
        losses = {name: getattr(last, name) for name in ("loss", "factual_train", "penalty")}
        last = replace(last, **_numbers([group.evaluate() for group in groups]) | losses)
    final = _without_broken(_joined([group.held_out_metrics() for group in groups]), last.status)
    found: dict[str, Any] = {m.name: getattr(last, m.name, final.get(m.name)) for m in metrics.kept_in("result")}
    found |= {name: final.get(name) for name in (f"{m.name}_by_env" for m in metrics.kept_in("by_env"))}
    seconds = time.perf_counter() - began
    result = RunResult(
        config=config,
        device=device,
        seconds=seconds,
        lam=lam,
        replicate=replicate,
        status=last.status,
        **found,
        history={
            name: np.stack([np.asarray(getattr(event, name)) for event in history])
            for name in metrics.EPOCH_NAMES
            if getattr(last, name) is not None
        },
        weights=_joined([group.weights() for group in groups]),
    )
    yield RunFinished(elapsed_s=seconds, result=result)


def warm_up() -> None:
    """Do once what is slow the first time in a process: torch's lazy imports, a step of the optimiser, an
    evaluation."""
    from crl_core.config import Scenario, Training

    tiny = Training(lams=(1.0,), replicates=1, epochs=1, hidden=4, device="cpu")
    train(RunConfig(scenario=Scenario(n_samples=100), training=tiny))


def _replicate_groups(config: RunConfig, device: str) -> list[list[int]]:
    replicates = list(range(config.training.replicates))
    size = config.training.models_at_once // len(config.training.lams) if device == "cpu" else len(replicates)
    return [replicates[start : start + size] for start in range(0, len(replicates), size)]


def _joined(parts: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _among(numbers: dict[str, np.ndarray], n_models: int) -> dict[str, np.ndarray]:
    """Numbers of the first models after a few steps among those of all, [m] -> [M]; of the others nothing is known."""
    found = {name: np.full(n_models, OK if name == "status" else np.nan) for name in numbers}
    for name, values in numbers.items():
        found[name][: len(values)] = values
    found["status"][found["status"] == COLLAPSED] = OK  # after a few steps every model predicts about the same
    return found


def _numbers(parts: list[dict[str, np.ndarray]]) -> dict[str, Any]:
    """What the groups found after an epoch, as `EpochEnded` has it."""
    columns = _joined(parts)
    status = columns.pop("status").astype(np.int64)
    return dict.fromkeys(metrics.EPOCH_NAMES) | _without_broken(columns, status) | {"status": status}


def _without_broken(columns: dict[str, np.ndarray], status: np.ndarray) -> dict[str, np.ndarray]:
    """Metrics of diverged models become NaN, so that nobody reads a number off a broken model."""
    broken = status == DIVERGED
    return {name: np.where(broken.reshape(-1, *[1] * (v.ndim - 1)), np.nan, v) for name, v in columns.items()}
