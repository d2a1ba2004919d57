"""How long a network takes one at a time, in PyTorch and in Lightning, and among the others here: CPU milliseconds."""

from __future__ import annotations

import statistics
import warnings
from dataclasses import dataclass

import lightning
import numpy as np
import torch
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.lightning_recipe import CFRNet, without_words
from benchmarks.on_rows import Parts, cpu_seconds, finished
from crl_core import RunConfig
from crl_core.config.text import altered
from crl_core.training.refits import fitted_rows

TIMED_STEPS = 100  # of a network alone; more say the same
ALONGSIDE = 4  # data sets of which the networks here are trained together


@dataclass(frozen=True, slots=True, kw_only=True)
class Milliseconds:
    """CPU time of one gradient step of one network, medians over rounds of one run on one thread."""

    here_ms: float
    torch_ms: float
    lightning_ms: float


def compared(config: RunConfig, parts: Parts, *, rounds: int) -> Milliseconds:
    """Each way in turn, several rounds. The two others only train: they look at no held-out row and keep nothing.

    config: of one fit; here its λ path is trained on `ALONGSIDE` data sets at once, as `results_on` does.
    """
    together = altered(config, replicates=ALONGSIDE)
    networks = together.training.n_models * together.training.steps
    found: dict[str, list[float]] = {}
    for turn in range(rounds + 1):
        for name, work, steps in (
            ("here_ms", lambda: finished(together, [parts] * ALONGSIDE), networks),
            ("torch_ms", lambda: in_torch(config, parts), TIMED_STEPS),
            ("lightning_ms", lambda: in_lightning(config, parts), TIMED_STEPS),
        ):
            if turn == 0 and name == "here_ms":  # the first round of the others warms up
                continue
            with cpu_seconds() as spent:
                work()
            if turn > 0:
                found.setdefault(name, []).append(1000 * spent() / steps)
    return Milliseconds(**{name: statistics.median(values) for name, values in found.items()})


def _batches(config: RunConfig, parts: Parts) -> DataLoader[tuple[torch.Tensor, ...]]:
    """Standardised rows that are fitted; the arm stands where the recipe has the environment, to be made alike."""
    rows = parts[0].rows(fitted_rows(parts[0], config.training, 0)[0])
    x = torch.from_numpy((rows.x - rows.x.mean(axis=0)) / np.maximum(rows.x.std(axis=0), 1e-9)).float()
    y = torch.from_numpy((rows.y - rows.y.mean()) / rows.y.std()).float()
    t = torch.from_numpy(rows.t)
    return DataLoader(TensorDataset(x, t, t, y), batch_size=config.training.batch_size, shuffle=True, drop_last=True)


def in_torch(config: RunConfig, parts: Parts) -> None:
    """The steps of one network in a plain loop; its batches are slices of permuted tensors, quicker than a loader."""
    columns = _batches(config, parts).dataset.tensors  # type: ignore[attr-defined]
    network, size = CFRNet(config, 1.0), config.training.batch_size
    optimiser = network.configure_optimizers()
    done = 0
    while done < TIMED_STEPS:
        order = torch.randperm(len(columns[0]))
        for start in range(0, len(order) - size + 1, size):
            optimiser.zero_grad()
            network.loss(tuple(column[order[start : start + size]] for column in columns)).backward()
            optimiser.step()
            done += 1
            if done == TIMED_STEPS:
                return


def in_lightning(config: RunConfig, parts: Parts) -> None:
    """The same with Lightning: without its bar, its logger and its checkpoints, which would cost more."""
    with warnings.catch_warnings(), without_words():
        warnings.simplefilter("ignore")
        trainer = lightning.Trainer(
            max_steps=TIMED_STEPS,
            max_epochs=-1,
            accelerator="cpu",
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        trainer.fit(CFRNet(config, 1.0), _batches(config, parts))
