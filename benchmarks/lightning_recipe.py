"""The recipe as it is usually written: one CFRNet, one λ, in PyTorch Lightning. Here only to be compared with."""

from __future__ import annotations

import logging
import warnings

import lightning
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from crl_core import RunConfig
from crl_core.results import data_of


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
        self.encoder = nn.Sequential(
            nn.Linear(config.scenario.dim_x, h), nn.ELU(), nn.Linear(h, h), nn.ELU(), nn.Linear(h, k)
        )
        self.heads = nn.ModuleList(
            nn.Sequential(nn.Linear(k, h // 2), nn.ELU(), nn.Linear(h // 2, 1)) for _ in "01"
        )
        self.lam, self.learning_rate = lam, training.learning_rate

    def training_step(self, batch: tuple[Tensor, ...], _: int) -> Tensor:
        x, t, env, y = batch
        phi = self.encoder(x)
        loss = torch.zeros((), device=self.device)
        for arm, head in enumerate(self.heads):
            rows = t == arm
            if rows.any():
                loss = loss + nn.functional.mse_loss(head(phi[rows]).squeeze(1), y[rows])
        if (env == 0).any() and (env == 1).any():
            loss = loss + self.lam * gaussian_mmd2(phi[env == 0], phi[env == 1])
        self.log("loss", loss)
        return loss

    def validation_step(self, batch: tuple[Tensor, ...], _: int) -> None:
        x, ite = batch
        phi = self.encoder(x)
        self.log("pehe", (self.heads[1](phi) - self.heads[0](phi)).squeeze(1).sub(ite).square().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=self.learning_rate)


def fit(config: RunConfig, lam: float) -> None:
    """Train one model for `config.training.epochs`, with the held-out effect error at each epoch."""
    warnings.filterwarnings("ignore", module="lightning")
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    rows, held_out = data_of(config)
    lightning.seed_everything(config.training.seed, verbose=False)
    columns = (torch.from_numpy(rows.x).float(), torch.from_numpy(rows.t), torch.from_numpy(rows.env))
    train = TensorDataset(*columns, torch.from_numpy(rows.y).float())
    assert held_out.ite is not None
    validation = TensorDataset(torch.from_numpy(held_out.x).float(), torch.from_numpy(held_out.ite).float())
    trainer = lightning.Trainer(
        max_epochs=config.training.epochs,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
    )
    trainer.fit(
        CFRNet(config, lam),
        DataLoader(train, batch_size=config.training.batch_size, shuffle=True, drop_last=True),
        DataLoader(validation, batch_size=1024),
    )
