"""The recipe as it is usually written: one CFRNet, one λ, in PyTorch Lightning. Here only to be compared with."""

from __future__ import annotations

import contextlib
import logging
import os
import tempfile
import warnings
from collections.abc import Iterator

import lightning
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from crl_core import RunConfig
from crl_core.data.scm import MultiEnvData
from crl_core.results import N_MMD, data_of


def gaussian_mmd2(a: Tensor, b: Tensor) -> Tensor:
    pooled = torch.cat([a, b])
    distance = torch.cdist(pooled, pooled)
    bandwidth = distance.detach().median()
    kernel = torch.exp(-distance.square() / (2 * bandwidth.square()))
    n = len(a)
    return kernel[:n, :n].mean() + kernel[n:, n:].mean() - 2 * kernel[:n, n:].mean()


class CFRNet(lightning.LightningModule):
    def __init__(self, config: RunConfig, lam: float) -> None:
        super().__init__()
        training = config.training
        h, k = training.hidden, training.latent_dim
        self.encoder = nn.Sequential(nn.Linear(config.dim_x, h), nn.ELU(), nn.Linear(h, h), nn.ELU(), nn.Linear(h, k))
        self.heads = nn.ModuleList(nn.Sequential(nn.Linear(k, h // 2), nn.ELU(), nn.Linear(h // 2, 1)) for _ in "01")
        self.lam, self.learning_rate = lam, training.learning_rate

    def loss(self, batch: tuple[Tensor, ...]) -> Tensor:
        x, t, env, y = batch
        phi = self.encoder(x)
        loss = torch.zeros((), device=self.device)
        for arm, head in enumerate(self.heads):
            rows = t == arm
            if rows.any():
                loss = loss + nn.functional.mse_loss(head(phi[rows]).squeeze(1), y[rows])
        if (env == 0).any() and (env == 1).any():
            loss = loss + self.lam * gaussian_mmd2(phi[env == 0], phi[env == 1])
        return loss

    def training_step(self, batch: tuple[Tensor, ...], _: int) -> Tensor:
        loss = self.loss(batch)
        self.log("loss", loss)
        return loss

    def validation_step(self, batch: tuple[Tensor, ...], _: int) -> None:
        x, t, env, y, ite = batch
        phi = self.encoder(x)
        y0, y1 = (head(phi).squeeze(1) for head in self.heads)
        self.log("factual_mse", (torch.where(t == 1, y1, y0) - y).square().mean())
        self.log("ite_mse", (y1 - y0 - ite).square().mean())
        rows = torch.linspace(0, len(x) - 1, N_MMD).long()
        self.log("mmd2", gaussian_mmd2(phi[rows][env[rows] == 0], phi[rows][env[rows] == 1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=self.learning_rate)


@contextlib.contextmanager
def without_words() -> Iterator[None]:
    """What Lightning prints is thrown away."""
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere):
        yield


def fit(config: RunConfig, lam: float) -> None:
    """Train one model for `config.training.epochs` with Lightning's defaults: progress bar, logger, a checkpoint an
    epoch.

    At each epoch the held-out factual error, effect error and MMD² are measured, as they are here. What the bar prints
    is thrown away, what is logged goes to a temporary folder.
    """
    warnings.filterwarnings("ignore")
    rows, held_out = data_of(config)
    lightning.seed_everything(config.training.seed, verbose=False)

    def columns(data: MultiEnvData) -> tuple[Tensor, ...]:
        y = torch.from_numpy(data.y).float()
        return torch.from_numpy(data.x).float(), torch.from_numpy(data.t), torch.from_numpy(data.env), y

    assert held_out.ite is not None
    train = TensorDataset(*columns(rows))
    validation = TensorDataset(*columns(held_out), torch.from_numpy(held_out.ite).float())
    with tempfile.TemporaryDirectory() as folder, without_words():
        trainer = lightning.Trainer(max_epochs=config.training.epochs, accelerator="cpu", default_root_dir=folder)
        trainer.fit(
            CFRNet(config, lam),
            DataLoader(train, batch_size=config.training.batch_size, shuffle=True, drop_last=True),
            DataLoader(validation, batch_size=len(held_out)),
        )
