"""What a GPU gives: python benchmarks/gpu.py [--device cuda] [--models 48 2048] [--epochs 50] [--rounds 3]

Models of the first visit's world, replicates of its 16 λ side by side, trained three ways in turn: every step called
kernel by kernel; the step recorded once and replayed (`training.recorded`); and one model after the other in plain
PyTorch, of which a few are timed and the rest is multiplied. Evaluation after each epoch is told apart from the steps.
Share of peak: the steps' matrix products a second, over what one large product reaches on the same device.

On a processor (--device cpu) nothing is recorded: the replayed step is the step itself, so both columns should agree.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import torch
from torch import nn

from crl_core import preset
from crl_core.config import RunConfig
from crl_core.config.presets import DEFAULT_PRESET
from crl_core.config.text import altered
from crl_core.ipm import mmd2
from crl_core.results import data_of, products_of
from crl_core.training.group import Group
from crl_core.training.path import resolve_device
from crl_core.training.recorded import cuda_graph, rehearsed

ALONE = 2  # models of those that are trained one after the other
PASSES = 3  # products of a layer in a step: forward, by its weights, by its rows


def wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def trained(own: Group, epochs: int) -> tuple[float, float]:
    """Seconds of the steps of so many epochs, and of their evaluations. The recording is done before."""
    list(own.train_epoch(1))
    steps = evaluations = 0.0
    for epoch in range(1, epochs + 1):
        wait(own.device)
        began = time.perf_counter()
        list(own.train_epoch(epoch))
        wait(own.device)
        steps += (ended := time.perf_counter()) - began
        own.evaluate()
        evaluations += time.perf_counter() - ended
    return steps, evaluations


class Plain(nn.Module):
    """One CFRNet as anybody would write it."""

    def __init__(self, dim_x: int, hidden: int, latent_dim: int) -> None:
        super().__init__()
        sizes = (dim_x, hidden, hidden)
        layers = [part for pair in pairwise(sizes) for part in (nn.Linear(*pair), nn.ELU())]
        self.encoder = nn.Sequential(*layers, nn.Linear(hidden, latent_dim))
        self.heads = nn.ModuleList(
            nn.Sequential(nn.Linear(latent_dim, hidden // 2), nn.ELU(), nn.Linear(hidden // 2, 1)) for _ in range(2)
        )

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        phi = self.encoder(x)
        return phi, torch.cat([head(phi) for head in self.heads], dim=1)


def one_model(config: RunConfig, device: torch.device, epochs: int) -> float:
    """Seconds of one model's epochs in plain PyTorch, its rows on the device from the beginning."""
    rows, _ = data_of(config, 0)
    training = config.training
    x, y = (torch.from_numpy(part).to(device, torch.float32) for part in (rows.x, rows.y))
    t, env = (torch.from_numpy(part).to(device) for part in (rows.t, rows.env))
    model = Plain(config.dim_x, training.hidden, training.latent_dim).to(device)
    optimiser = torch.optim.Adam(model.parameters(), lr=training.learning_rate, fused=device.type != "mps")
    batch = min(training.batch_size, len(rows))

    def epoch() -> None:
        for index in torch.randperm(len(x), device=device)[: len(x) // batch * batch].view(-1, batch):
            phi, outcomes = model(x[index])
            error = (outcomes.gather(1, t[index, None])[:, 0] - y[index]).square()
            arms = [error[t[index] == arm] for arm in (0, 1)]
            loss = torch.stack([own.mean() for own in arms if len(own)]).sum()
            sides = [phi[env[index] == side] for side in (0, 1)]
            if all(len(side) > 1 for side in sides):
                loss = loss + mmd2(*sides)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()

    epoch()
    wait(device)
    began = time.perf_counter()
    for _ in range(epochs):
        epoch()
    wait(device)
    return time.perf_counter() - began


def peak(device: torch.device) -> float:
    """Multiply-adds a second of one large product."""
    n = 8192 if device.type == "cuda" else 2048
    a, b = (torch.randn(n, n, device=device) for _ in range(2))
    torch.mm(a, b)
    wait(device)
    began = time.perf_counter()
    for _ in range(5):
        torch.mm(a, b)
    wait(device)
    return 5 * n**3 / (time.perf_counter() - began)


def multiply_adds(config: RunConfig, models: int, epochs: int) -> float:
    """Of all steps: the layers', and the kernel's with its gradient."""
    training = config.training
    rows = config.source.n_rows - config.source.n_held_out
    batch = min(training.batch_size, rows)
    kernel = 2 * batch * training.latent_dim
    return models * epochs * (rows // batch * batch) * (PASSES * products_of(config) + kernel)


def measured(models: int, device: torch.device, epochs: int, rounds: int) -> dict[str, Any]:
    """Medians over rounds, all three ways in each."""
    base = altered(preset(DEFAULT_PRESET), device=device.type)
    replicates = max(1, models // len(base.training.lams))
    models = replicates * len(base.training.lams)
    config = altered(base, replicates=min(replicates, 20))
    found: dict[str, list[float]] = {}
    for _ in range(rounds):
        for name in ("eager", "recorded"):
            own = group_of(config, replicates, device, recorded=name == "recorded")
            steps, evaluations = trained(own, epochs)
            found.setdefault(f"{name}_s", []).append(steps)
            found.setdefault(f"{name}_evaluation_s", []).append(evaluations)
        alone = statistics.median(one_model(config, device, epochs) for _ in range(ALONE))
        found.setdefault("one_after_another_s", []).append(alone * models)
    row: dict[str, Any] = {"models": models} | {name: statistics.median(values) for name, values in found.items()}
    row["runs_a_second"] = models / (row["recorded_s"] + row["recorded_evaluation_s"])
    row["share_of_peak"] = multiply_adds(config, models, epochs) / row["recorded_s"] / peak(device)
    return row


def group_of(config: RunConfig, replicates: int, device: torch.device, *, recorded: bool) -> Group:
    """A group of more replicates than one run may ask for."""
    record = (cuda_graph if device.type == "cuda" else rehearsed) if recorded else None
    rows = [data_of(config, r) for r in range(replicates)]
    return Group(config, list(range(replicates)), rows, device, torch.float32, record)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="auto", choices=("auto", "cuda", "mps", "cpu"))
    parser.add_argument("--models", type=int, nargs="+", default=[48, 2048])
    parser.add_argument("--epochs", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    device = torch.device(resolve_device(options.device))
    card = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
    print(f"{card}, torch {torch.__version__}, {options.epochs} epochs, median of {options.rounds} rounds")
    print("models    eager  recorded  + evaluation  one after the other  models a second  share of peak")
    rows = []
    for models in options.models:
        rows.append(row := measured(models, device, options.epochs, options.rounds))
        print(
            f"{row['models']:6}  {row['eager_s']:6.2f} s  {row['recorded_s']:6.2f} s  "
            f"{row['recorded_evaluation_s']:8.2f} s  {row['one_after_another_s']:16.1f} s  "
            f"{row['runs_a_second']:15.1f}  {row['share_of_peak']:13.1%}"
        )
    if options.json:
        options.json.write_text(json.dumps({"card": card, "epochs": options.epochs, "rows": rows}, indent=1))


if __name__ == "__main__":
    main()
