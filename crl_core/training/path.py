"""Training as a generator of events: `train_path` trains every λ of a config, times its replicates, at once.

Shared along λ: data, split, initial weights and minibatch order, so that differences are caused by λ alone.
Loss:           Σ_t mean squared error over the batch's samples of arm t + λ · mean over pairs of MMD²(φ(D_i), φ(D_j)),
                or λ times another of `penalties`, whose gradient is autograd's; plus L2 where there is weight decay.
Standardised:   loss and λ are then in units of the outcome's variance. All else that is reported, and the weights that
                are stored, are of raw covariates and outcomes.
Batches:        views of data permuted once an epoch; a last, incomplete batch is left out (other rows each epoch).
Bandwidth:      median heuristic on the batch, detached, taken anew at every `BANDWIDTH_STEPS`th step; or fixed.
Models go through each epoch in groups of whole replicates: a group's tensors fit the processor's cache.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import torch
from sklearn.linear_model import LinearRegression
from sklearn.neighbors import KNeighborsRegressor
from torch import Tensor

from crl_core import ipm, metrics
from crl_core.config import RunConfig
from crl_core.data.matching import matches
from crl_core.data.scm import MultiEnvData, Stream, aligned_groups, rng_for
from crl_core.events import COLLAPSED, DIVERGED, OK, EpochEnded, RunFinished, RunStarted, TrainingEvent
from crl_core.network import folded
from crl_core.results import RunResult, data_of, mmd_rows, view_of
from crl_core.training.batches import balanced_order, pair_rows
from crl_core.training.nets import Ensemble, Pass, initial_weights
from crl_core.training.penalties import REGISTRY, Batch
from crl_core.training.penalties.base import gradient
from crl_core.training.penalties.pairs import PAIRS
from crl_core.training.scales import Scales

Dtype = Literal["float32", "float64"]
Rows = tuple[MultiEnvData, MultiEnvData]  # training and held out

BANDWIDTH_STEPS = 20  # the median moves slowly; taking it at each step would cost as much as the network
STOP_STEPS = 8  # how often a step looks whether to stop; a step takes milliseconds
EVALUATED_ROWS, EVALUATED_MODELS = 256, 4  # at once, for the same reason as GROUP_MODELS
GROUP_MODELS = 24  # on a processor, more models at once no longer fit its cache


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
) -> Iterator[TrainingEvent]:
    """Train all λ × replicates of `config`; yields RunStarted, one EpochEnded an epoch, RunFinished with the result.

    dtype:       precision of the networks; float64 is for tests.
    should_stop: asked every few steps; when it says True the stream ends at once, without RunFinished.
    data:        training and held-out rows of each replicate, instead of those that the config asks for.
    Raises:      ValueError if the device is not there.
    """
    began = time.perf_counter()
    device = resolve_device(config.training.device)
    groups = [
        _Group(
            config,
            replicates,
            [data_of(config, r) if data is None else data[r] for r in replicates],
            torch.device(device),
            getattr(torch, dtype),
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
        steps_per_epoch=groups[0].steps,
        n_train=groups[0].n_train,
        n_held_out=len(groups[0].held_out[0]),
        n_pairs=groups[0].n_pairs,
    )
    history: list[EpochEnded] = []
    for epoch in range(1, config.training.epochs + 1):
        parts = []
        for group in groups:
            losses = group.train_epoch(should_stop)
            if losses is None:
                return
            parts.append(losses | group.evaluate())
        columns = _joined(parts)
        status = columns.pop("status").astype(np.int64)
        numbers: dict[str, Any] = dict.fromkeys(metrics.EPOCH_NAMES) | _without_broken(columns, status)
        history.append(EpochEnded(epoch=epoch, elapsed_s=time.perf_counter() - began, **numbers | {"status": status}))
        yield history[-1]

    last = history[-1]
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
    size = max(1, GROUP_MODELS // len(config.training.lams)) if device == "cpu" else len(replicates)
    return [replicates[start : start + size] for start in range(0, len(replicates), size)]


def _joined(parts: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _without_broken(columns: dict[str, np.ndarray], status: np.ndarray) -> dict[str, np.ndarray]:
    """Metrics of diverged models become NaN, so that nobody reads a number off a broken model."""
    broken = status == DIVERGED
    return {name: np.where(broken.reshape(-1, *[1] * (v.ndim - 1)), np.nan, v) for name, v in columns.items()}


class _Group:
    """Whole replicates trained together: G replicates × L values of λ = M models."""

    def __init__(
        self,
        config: RunConfig,
        replicates: list[int],
        data: Sequence[Rows],
        device: torch.device,
        dtype: torch.dtype,
    ) -> None:
        training, source = config.training, config.source
        seeds = [training.seed + replicate for replicate in replicates]
        train_rows = [train for train, _ in data]
        self.config, self.device, self.dtype = config, device, dtype
        self.penalty = None if training.penalty == "mmd" else REGISTRY[training.penalty]
        self.held_out: list[MultiEnvData] = [held_out for _, held_out in data]
        self.n_train = len(train_rows[0])
        self.batch = min(training.batch_size, self.n_train)
        self.steps = self.n_train // self.batch
        groups = [aligned_groups(rows, training.align) for rows in train_rows]
        self.n_labels = source.n_envs if training.align == "environment" else 2
        self.n_pairs = _pairs_present(groups[0])
        self._groups = groups
        self._matches = (
            [matches(rows, training.align, training.matching) for rows in train_rows]
            if self.penalty is not None and self.penalty.needs_pairs
            else None
        )
        self._pair_rngs = [rng_for(s, Stream.PAIRS) for s in seeds]
        self.lam = self._tensor(np.tile(training.lams, len(seeds)))
        self.net = Ensemble(
            [
                initial_weights(rng_for(s, Stream.WEIGHTS), config.dim_x, training.hidden, training.latent_dim)
                for s in seeds
            ],
            len(training.lams),
            device=device,
            dtype=dtype,
        )
        self.optimiser = torch.optim.Adam(
            [self.net.flat], lr=training.learning_rate, weight_decay=training.weight_decay, fused=True
        )
        self._order = [rng_for(s, Stream.BATCHES) for s in seeds]
        self._scales = [Scales.of(rows) if training.standardise else Scales.raw(config.dim_x) for rows in train_rows]
        self._y_mean, self._y_sd = (
            np.repeat([getattr(s, name) for s in self._scales], self._n_lams) for name in ("y_mean", "y_sd")
        )
        self._x = self._covariates(train_rows)  # [G, n, d]
        self._y = self._tensor(np.stack([s.y(rows.y) for s, rows in zip(self._scales, train_rows, strict=True)]))
        self._t = torch.from_numpy(np.stack([rows.t for rows in train_rows])).to(device)
        self._label = torch.from_numpy(np.stack(groups)).to(device)
        self.opponent = None
        if self.penalty is not None and self.penalty.opponent is not None:
            rngs = [rng_for(s, Stream.CRITIC) for s in seeds]
            self.opponent = self.penalty.opponent(rngs, len(training.lams), training.latent_dim, self.n_labels, self._y)
        self._x_held_out = self._covariates(self.held_out)
        views = [mmd_rows(view_of(rows, seed)) for rows, seed in zip(self.held_out, seeds, strict=True)]
        self._x_view = self._covariates(views)
        view_label = torch.from_numpy(np.stack([aligned_groups(rows, training.align) for rows in views])).to(device)
        self._view_weights = ipm.pair_weights(view_label, self.n_labels, dtype)
        self._signal = np.repeat([_explained_variance(*rows) for rows in data], self._n_lams)

    @property
    def _n_lams(self) -> int:
        return len(self.config.training.lams)

    def _tensor(self, values: np.ndarray) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(values)).to(self.device, self.dtype)

    def _covariates(self, rows: list[MultiEnvData]) -> Tensor:
        """What the networks are given of rows of each replicate, [G, n, d]."""
        return self._tensor(np.stack([s.x(part.x) for s, part in zip(self._scales, rows, strict=True)]))

    def weights(self) -> dict[str, np.ndarray]:
        """Parameters of the networks as functions of raw covariates, to raw outcomes, [M, ...] float32."""
        own = {name: value.astype(np.float64) for name, value in self.net.weights().items()}
        x_mean, x_sd = (
            np.repeat([getattr(s, name) for s in self._scales], self._n_lams, axis=0) for name in ("x_mean", "x_sd")
        )
        with np.errstate(invalid="ignore", over="ignore"):  # a diverged model's weights are not finite
            raw = folded(own, x_mean, x_sd, self._y_mean, self._y_sd)
            return {name: value.astype(np.float32) for name, value in raw.items()}

    def _along_lams(self, values: Tensor) -> Tensor:
        """[G, ...] -> [M, ...]."""
        return values.repeat_interleave(self._n_lams, dim=0)

    def _epoch_batches(self) -> Iterator[tuple[Tensor, ...]]:
        """The epoch's batches, rows in a new order: x [M, b, d], y [M, b, 1], arm [M, b, 2], and the two factors of the
        pair weights [G, b, P + 1]. arm is 1 / (rows of the arm in the batch) where a row is of that arm, else 0.

        Where the penalty needs pairs, 2 · PAIRS more rows of x follow in every batch, and a sixth part says which of
        the pairs are real, [M, PAIRS].
        """
        used = self.steps * self.batch
        if self.config.training.balanced:
            order = np.stack(
                [
                    balanced_order(rng, group, self.steps, self.batch)
                    for rng, group in zip(self._order, self._groups, strict=True)
                ]
            )
        else:
            order = np.stack([rng.permutation(self.n_train)[:used] for rng in self._order])
        index = torch.from_numpy(order).to(self.device)
        replicate = torch.arange(len(order), device=self.device).unsqueeze(1)

        def batched(rows: Tensor) -> Tensor:
            return rows[replicate, index].unflatten(1, (self.steps, self.batch))  # type: ignore[no-untyped-call,no-any-return]

        arm = torch.nn.functional.one_hot(batched(self._t), 2).to(self.dtype)
        arm = arm / arm.sum(dim=2, keepdim=True).clamp_min(1)  # an arm that a batch lacks adds nothing
        factors = ipm.pair_factors(batched(self._label), self.n_labels, self.dtype)
        x = batched(self._x)
        pairs = []
        if self._matches is not None:
            drawn = [
                pair_rows(rng, found, self.steps, PAIRS)
                for rng, found in zip(self._pair_rngs, self._matches, strict=True)
            ]
            rows, valid = (torch.from_numpy(np.stack(part)).to(self.device) for part in zip(*drawn, strict=True))
            x = torch.cat([x, self._x[replicate.unsqueeze(-1), rows]], dim=2)
            pairs = [self._along_lams(valid.to(self.dtype))]
        along_lams = (self._along_lams(part) for part in (x, batched(self._y).unsqueeze(-1), arm))
        return zip(*(part.unbind(1) for part in (*along_lams, *factors, *pairs)), strict=True)

    def _bandwidth(self, phi: Tensor) -> Tensor:
        fixed = self.config.training.bandwidth
        if fixed == "median":
            return ipm.median_distance(phi)
        return torch.full((len(phi),), float(fixed), device=phi.device, dtype=phi.dtype)

    def train_epoch(self, should_stop: Callable[[], bool] | None = None) -> dict[str, np.ndarray] | None:
        """One pass over the training rows; mean losses over its batches, each [M]. None if asked to stop."""
        losses = self._pass_over_rows(should_stop)
        if losses is None:
            return None
        found = {name: value.cpu().numpy().astype(np.float64) for name, value in losses.items()}
        return found | {"factual_train": found["factual_train"] * self._y_sd**2}

    @torch.inference_mode()
    def _pass_over_rows(self, should_stop: Callable[[], bool] | None) -> dict[str, Tensor] | None:
        """The steps of an epoch. Nothing here waits for the device: losses stay there until the epoch is over."""
        factual_sum = torch.zeros_like(self.lam)
        penalty_sum = torch.zeros_like(self.lam)
        bandwidth = torch.ones_like(self.lam)
        lam = self.lam[:, None, None]
        for step, (x, y, arm, left, right, *valid) in enumerate(self._epoch_batches()):
            if should_stop is not None and step % STOP_STEPS == 0 and should_stop():
                return None
            done = self.net(x)
            if step % BANDWIDTH_STEPS == 0:
                bandwidth = self._bandwidth(done.phi[:, : self.batch])
            error = done.y_hat[:, : self.batch] - y
            d_y = arm * error  # half the derivative of Σ arm · error²
            factual_sum += (d_y * error).sum(dim=(1, 2))
            d_y.mul_(2)
            if self.penalty is None:
                penalty, d_phi = ipm.grouped_mmd2_and_gradient(done.phi, left @ right.mT, bandwidth)
                d_phi.mul_(lam)
            else:
                penalty, d_phi, d_own = self._other_penalty(done, y, arm, left, bandwidth, *valid)
                d_y += lam * d_own
                if valid:  # the pairs' outcomes are not asked for
                    d_y = torch.cat([d_y, d_y.new_zeros((len(d_y), 2 * PAIRS, 2))], dim=1)
                d_phi.mul_(lam)
            penalty_sum += penalty
            self.net.gradient(done, d_phi, d_y)
            self.optimiser.step()
        factual, penalty = factual_sum / self.steps, penalty_sum / self.steps
        return {"loss": factual + self.lam * penalty, "factual_train": factual, "penalty": penalty}

    def _other_penalty(
        self, done: Pass, y: Tensor, arm: Tensor, left: Tensor, bandwidth: Tensor, valid: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """A registered penalty [M] with its gradients with respect to φ and to both outcomes of the batch's own
        rows."""
        assert self.penalty is not None
        own = (arm > 0).to(self.dtype)  # [M, b, 2], the arm that a row is of
        member = self._along_lams((left[..., :-1] > 0).to(self.dtype))
        outcomes = done.y_hat[:, : self.batch]
        batch = Batch(
            phi=done.phi,
            y_hat=(outcomes * own).sum(dim=-1),
            y=y.squeeze(-1),
            member=member,
            bandwidth=bandwidth,
        )
        if valid is not None:
            first = self.batch + torch.arange(PAIRS, device=self.device)
            batch = replace(batch, matched=torch.stack([first, first + PAIRS]), valid=valid)
        if self.opponent is not None:
            batch = replace(batch, opponent=self.opponent.learn(batch))
        value, found = gradient(self.penalty, batch)
        if self.penalty.acts_on == "phi":
            return value, found, torch.zeros_like(outcomes)
        return value, torch.zeros_like(done.phi), found.unsqueeze(-1) * own

    def _predict_held_out(self) -> tuple[np.ndarray, np.ndarray]:
        x = self._along_lams(self._x_held_out)
        outcomes = (
            torch.cat([self.net(rows).y_hat for rows in torch.split(x, EVALUATED_ROWS, dim=1)], dim=1)
            .cpu()
            .numpy()
            .astype(np.float64)
        )
        outcomes = outcomes * self._y_sd[:, None, None] + self._y_mean[:, None, None]
        return outcomes[..., 0], outcomes[..., 1]

    def _held_out_mmd2(self) -> np.ndarray:
        phi = self.net(self._along_lams(self._x_view)).phi
        values = [
            ipm.grouped_mmd2(part, self._view_weights[g : g + 1], self._bandwidth(part))
            for g, of_replicate in enumerate(torch.split(phi, self._n_lams))
            for part in torch.split(of_replicate, EVALUATED_MODELS)
        ]
        return torch.cat(values).cpu().numpy().astype(np.float64)

    def evaluate(self) -> dict[str, np.ndarray]:
        """Held-out factual MSE, MMD² and ITE RMSE of every model, and what became of it, each [M]."""
        y0_hat, y1_hat = self._predict_held_out()
        mmd2 = self._held_out_mmd2()
        by_replicate = self._by_replicate(y0_hat, y1_hat)
        numbers = {
            "factual_mse": np.concatenate([metrics.factual_mse(a, b, rows.t, rows.y) for rows, a, b in by_replicate]),
            "mmd2": mmd2,
            "status": self._status(y0_hat, y1_hat, mmd2),
        }
        if self.held_out[0].ite is not None:
            numbers["ite_rmse"] = np.concatenate([metrics.ite_rmse(b - a, _truth(rows)) for rows, a, b in by_replicate])
        return numbers

    def held_out_metrics(self) -> dict[str, np.ndarray]:
        """What is computed once, at the end: by environment, and for the average effect."""
        n_envs = self.config.source.n_envs
        numbers: dict[str, list[np.ndarray]] = {}
        for rows, y0_hat, y1_hat in self._by_replicate(*self._predict_held_out()):
            by_env = metrics.factual_mse_by_env(y0_hat, y1_hat, rows.t, rows.y, rows.env, n_envs)
            numbers.setdefault("factual_mse_by_env", []).append(by_env)
            if rows.ite is not None:
                ite_hat = y1_hat - y0_hat
                numbers.setdefault("ate_error", []).append(metrics.ate_error(ite_hat, rows.ite))
                ite_by_env = metrics.ite_rmse_by_env(ite_hat, rows.ite, rows.env, n_envs)
                numbers.setdefault("ite_rmse_by_env", []).append(ite_by_env)
        return {name: np.concatenate(parts) for name, parts in numbers.items()}

    def _by_replicate(
        self, y0_hat: np.ndarray, y1_hat: np.ndarray
    ) -> list[tuple[MultiEnvData, np.ndarray, np.ndarray]]:
        size = self._n_lams
        return [
            (rows, y0_hat[g * size : (g + 1) * size], y1_hat[g * size : (g + 1) * size])
            for g, rows in enumerate(self.held_out)
        ]

    def _status(self, y0_hat: np.ndarray, y1_hat: np.ndarray, mmd2: np.ndarray) -> np.ndarray:
        """Diverged: a weight, or what it makes of held-out rows, is not finite. Collapsed: within an arm predictions
        hardly vary though outcomes do."""
        finite = np.isfinite(mmd2) & np.isfinite(y0_hat).all(axis=1) & np.isfinite(y1_hat).all(axis=1)
        for param in self.net.params.values():
            finite &= param.isfinite().flatten(1).all(dim=1).cpu().numpy()
        spread = np.concatenate(
            [_arm_variance(np.where(rows.t == 1, b, a), rows.t) for rows, a, b in self._by_replicate(y0_hat, y1_hat)]
        )
        collapsed = np.where(finite, spread, 0.0) < COLLAPSED_SHARE * self._signal
        return np.where(finite, np.where(collapsed, COLLAPSED, OK), DIVERGED).astype(np.int64)


COLLAPSED_SHARE = 0.01  # of what simple regressions explain of the outcome's variance within an arm
SIMPLE_ROWS, NEAREST = 2000, 15  # of an arm, that these regressions see at most; rows that the second one averages


def _truth(rows: MultiEnvData) -> np.ndarray:
    assert rows.ite is not None
    return rows.ite


def _arm_variance(values: np.ndarray, t: np.ndarray) -> np.ndarray:
    """Mean over the arms present of the variance of `values` [..., n] within the arm."""
    return np.asarray(np.mean([values[..., t == arm].var(axis=-1) for arm in np.unique(t)], axis=0))


def _explained_variance(train: MultiEnvData, held_out: MultiEnvData) -> float:
    """Of held-out outcomes within an arm, what least squares or the nearest rows explain, whichever is more.

    Without the truth: an outcome that is all noise, which an honest model predicts by a constant, has none.
    """
    found = []
    for arm in np.unique(held_out.t):
        of_arm, asked = np.flatnonzero(train.t == arm)[:SIMPLE_ROWS], held_out.t == arm
        if len(of_arm) < NEAREST:
            continue
        centre, spread = train.x[of_arm].mean(axis=0), train.x[of_arm].std(axis=0)
        x, x_asked = (
            np.divide(v - centre, spread, out=np.zeros(v.shape), where=spread > 0)
            for v in (train.x[of_arm], held_out.x[asked])
        )
        simple = (LinearRegression(), KNeighborsRegressor(NEAREST))
        errors = [np.mean((m.fit(x, train.y[of_arm]).predict(x_asked) - held_out.y[asked]) ** 2) for m in simple]
        found.append(max(0.0, held_out.y[asked].var() - min(errors)))
    return float(np.mean(found)) if found else 0.0


def _pairs_present(labels: np.ndarray) -> int:
    present = int((np.bincount(labels) >= 2).sum())
    return present * (present - 1) // 2
