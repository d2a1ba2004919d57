"""Two tiny sources of rows that are no scenario: a table without truth, and one whose effects alone are known.

As a real table's, their config says what the rows are by a name of their content and does not hold them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from crl_core import MultiEnvData, RunConfig, Training
from crl_core.data.source import READERS, Source, Truth

N_ROWS, N_HELD_OUT = 300, 80
TRAINING = Training(
    lams=(0.0, 1.0, 10.0),
    replicates=2,
    epochs=8,
    batch_size=32,
    hidden=8,
    latent_dim=3,
    learning_rate=0.01,
    device="cpu",
)


def whole(content: str) -> MultiEnvData:
    """All rows of a table, made anew from its name; two sites, treated more often where `age` is high."""
    rng = np.random.default_rng(sum(content.encode()))
    env = np.repeat([0, 1], N_ROWS // 2)
    x = rng.standard_normal((N_ROWS, 4)) + [0, 0, 0, 1] * env[:, None]
    t = (rng.random(N_ROWS) < 1 / (1 + np.exp(-x[:, 0]))).astype(np.int64)
    y0 = x[:, 0] - 0.5 * x[:, 1]
    y1 = y0 + 1 + 0.5 * x[:, 1]
    y = np.where(t == 1, y1, y0) + 0.3 * rng.standard_normal(N_ROWS)
    return MultiEnvData(x=x, t=t, env=env, y=y, y0=y0, y1=y1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Blind:
    """Covariates, treatments, sites and outcomes, as a trial has them."""

    content: str
    label: str = field(compare=False)
    kind = "blind"
    knows: frozenset[Truth] = frozenset()
    n_rows: int = N_ROWS
    n_held_out: int = N_HELD_OUT
    n_envs: int = 2
    env_names: tuple[str, ...] = ("north", "south")
    x_shape: tuple[int, ...] = (4,)
    signal: tuple[int, ...] = ()
    features: tuple[str, ...] = ("age", "weight", "dose", "scanner")
    noise: float | None = None
    two_outcomes: bool = False

    def rows(self, seed: int) -> tuple[MultiEnvData, MultiEnvData]:
        order = np.random.default_rng(seed).permutation(N_ROWS)
        rows = whole(self.content)
        if "effects" not in self.knows:
            rows = replace(rows, y0=None, y1=None)
        return rows.rows(np.sort(order[N_HELD_OUT:])), rows.rows(np.sort(order[:N_HELD_OUT]))

    def to_dict(self) -> dict[str, Any]:
        return {"kind": self.kind, "content": self.content, "label": self.label}


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged(Blind):
    """The same with both potential outcomes, as a benchmark with simulated outcomes has them."""

    kind = "judged"
    knows: frozenset[Truth] = frozenset(("effects",))


KINDS: Mapping[str, type[Blind]] = {"blind": Blind, "judged": Judged}


@contextmanager
def tables_can_be_read() -> Iterator[None]:
    """Stored configs with these tables find them again."""

    def reader(kind: type[Blind], content: Mapping[str, Any]) -> Source:
        return kind(content=content["content"], label=content["label"])

    for name, kind in KINDS.items():
        READERS[name] = lambda content, kind=kind: reader(kind, content)  # type: ignore[misc]
    try:
        yield
    finally:
        for name in KINDS:
            del READERS[name]


def config_of(kind: str, content: str = "trial", label: str = "Trial of 2019", **training: Any) -> RunConfig:
    return RunConfig(table=KINDS[kind](content=content, label=label), training=replace(TRAINING, **training))
