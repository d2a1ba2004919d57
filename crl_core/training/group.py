"""Whole replicates of a path, trained together: batches, loss, a step of the optimiser, and what is judged after it.

Nothing waits for the device before an epoch's end; then one transfer brings its losses and what the models are judged
by (`judging`).

Loss:           Σ_t mean squared error over the batch's samples of arm t + λ · mean over pairs of MMD²(φ(D_i), φ(D_j)),
                or λ times another of `penalties`, whose gradient is autograd's; plus L2 where there is weight decay.
Arm weights:    plain, the first term is twice the mean squared error over the batch: the same where arms are of a size.
Two outcomes:   where y is 0 or 1 by its source, a network's outcomes are logits and each square is a logarithmic loss.
Standardised:   loss and λ are then in units of the outcome's variance. All else that is reported, and the weights that
                are stored, are of raw covariates and outcomes.
Batches:        views of data permuted once an epoch; a last, incomplete batch is left out (other rows each epoch).
Validation:     where rows are kept for it, each model's weights of the epoch that erred least on them are what it ends
                with.
Bandwidth:      median heuristic on the batch, detached, taken anew at every `BANDWIDTH_STEPS`th step; or fixed. Where
                MMD² is estimated, the median is of `BLOCK_ROWS` of its rows, so that no step is quadratic in the batch.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import softplus

from crl_core import ipm, metrics
from crl_core.config import RunConfig
from crl_core.config.run import BANDWIDTH_STEPS, BATCHED_NUMBERS, BATCHED_STEPS, BLOCK_ROWS, FREQUENCIES, PAIRS
from crl_core.data.matching import matches
from crl_core.data.on_disk import empty_on_disk, rows_on_disk
from crl_core.data.refits import fitted_rows
from crl_core.data.scm import MultiEnvData, Stream, aligned_groups, rng_for, strata
from crl_core.events import COLLAPSED, DIVERGED, OK
from crl_core.network import LINK, folded
from crl_core.results import mmd_rows, view_of
from crl_core.training.adam import Adam
from crl_core.training.batches import balanced_order, pair_rows
from crl_core.training.collapse import COLLAPSED_SHARE, explained_variance
from crl_core.training.judging import Judge, exact, fetched
from crl_core.training.nets import Ensemble, Pass, initial_weights
from crl_core.training.penalties import REGISTRY, Batch
from crl_core.training.penalties.base import gradient
from crl_core.training.recorded import Record, Recorded
from crl_core.training.scales import Scales

Rows = tuple[MultiEnvData, MultiEnvData]  # training and held out

# At once, on a processor for the same reason as `config.run.GROUP_MODELS`, elsewhere so that it fits a small card.
EVALUATED_ROWS, EVALUATED_MODELS, EVALUATED_NUMBERS = 256, 4, 64_000_000


class Group:
    """Whole replicates trained together: G replicates × L values of λ = M models."""

    def __init__(
        self,
        config: RunConfig,
        replicates: list[int],
        data: Sequence[Rows],
        device: torch.device,
        dtype: torch.dtype,
        record: Record | None = None,
    ) -> None:
        """record: how a step is recorded, to be replayed; by default none is. Only the MMD² penalty can be."""
        training, source = config.training, config.source
        seeds = [training.seed + replicate for replicate in replicates]
        fits = [
            fitted_rows(train, validation=training.validation, bootstrap=training.resample == "bootstrap", seed=seed)
            for (train, _), seed in zip(data, seeds, strict=True)
        ]
        self._on_disk = config.on_disk
        train_rows = [self._rows(train, fit) for (train, _), (fit, _) in zip(data, fits, strict=True)]
        self.validation = [
            self._rows(train, kept) for (train, _), (_, kept) in zip(data, fits, strict=True) if len(kept)
        ]
        self.config, self.device, self.dtype = config, device, dtype
        self._estimate = training.ipm_estimate
        self.penalty = None if training.penalty == "mmd" else REGISTRY[training.penalty]
        self.held_out: list[MultiEnvData] = [held_out for _, held_out in data]
        self.n_train = len(train_rows[0])
        self.batch = min(training.batch_size, self.n_train)
        self.steps = training.steps_of_epochs(self.n_train)
        groups = [aligned_groups(rows, training.align) for rows in train_rows]
        self.n_labels = 2 if training.align == "treatment" else source.n_envs
        self.n_pairs = _pairs_present(groups[0])
        self._groups = groups
        self._matches = (
            [matches(rows, training.align, training.matching) for rows in train_rows]
            if self.penalty is not None and self.penalty.needs_pairs
            else None
        )
        self._feature_rngs = [rng_for(s, Stream.FEATURES) for s in seeds]
        self._pair_rngs = [rng_for(s, Stream.PAIRS) for s in seeds]
        self.lam = self._tensor(np.tile(training.lams, len(seeds)))
        self.net = Ensemble(
            [
                initial_weights(
                    rng_for(s, Stream.WEIGHTS), config.dim_x, training.hidden, training.latent_dim, training.encoder
                )
                for s in seeds
            ],
            len(training.lams),
            device=device,
            dtype=dtype,
        )
        self.optimiser = Adam(
            [self.net.flat], lr=training.learning_rate, weight_decay=training.weight_decay, fused=True
        )
        self._totals = (torch.zeros_like(self.lam), torch.zeros_like(self.lam))  # of the epoch: factual error, penalty
        self._width = torch.ones_like(self.lam)
        self._step: Callable[[Sequence[Tensor], bool], None] = self._take_step
        if record is not None and self.penalty is None:
            lasting = [self.net.flat, *self.optimiser.lasting, *self._totals, self._width]
            self._step = Recorded(self._take_step, lasting, record)
        self._order = [rng_for(s, Stream.BATCHES) for s in seeds]
        self._scales = [
            Scales.of(rows, together=config.scaled_together) if training.standardise else Scales.raw(config.dim_x)
            for rows in train_rows
        ]
        self._logits = source.two_outcomes
        if self._logits:
            self._scales = [scales.of_logits() for scales in self._scales]
        self._y_mean, self._y_sd = (
            self._exact(np.repeat([getattr(s, name) for s in self._scales], self._n_lams))
            for name in ("y_mean", "y_sd")
        )
        self._x = self._covariates(train_rows)  # [G, n, d]
        self._y = self._stacked((s.y(rows.y) for s, rows in zip(self._scales, train_rows, strict=True)), dtype)
        self._t = self._stacked((rows.t for rows in train_rows), torch.int64)
        self._label = self._stacked(groups, torch.int64)
        within = training.align == "environment within outcome"
        self._stratum = self._strata(train_rows) if within else None
        self.opponent = None
        if self.penalty is not None and self.penalty.opponent is not None:
            rngs = [rng_for(s, Stream.CRITIC) for s in seeds]
            self.opponent = self.penalty.opponent(rngs, len(training.lams), training.latent_dim, self.n_labels, self._y)
        self._x_held_out = self._covariates(self.held_out)
        self._x_validation = self._covariates(self.validation) if self.validation else None
        self._best = {name: param.clone() for name, param in self.net.params.items()} if self.validation else {}
        self._least = self._exact(np.full(len(self.lam), np.inf))  # validation error of these
        self._judge = Judge(self.held_out, self._n_lams, device)
        self._validation_judge = Judge(self.validation, self._n_lams, device) if self.validation else None
        views = [mmd_rows(view_of(rows, seed)) for rows, seed in zip(self.held_out, seeds, strict=True)]
        self._x_view = self._covariates(views)
        view_label = torch.from_numpy(np.stack([aligned_groups(rows, training.align) for rows in views])).to(device)
        view_strata = self._strata(views) if within else None
        self._view_weights = ipm.pair_weights(view_label, self.n_labels, dtype, view_strata)
        self._signal = np.repeat([explained_variance(*rows) for rows in data], self._n_lams)

    @property
    def _n_lams(self) -> int:
        return len(self.config.training.lams)

    def _tensor(self, values: np.ndarray) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(values)).to(self.device, self.dtype)

    def _exact(self, values: np.ndarray) -> Tensor:
        return torch.from_numpy(values).to(self.device, exact(self.device))

    def _rows(self, data: MultiEnvData, index: np.ndarray) -> MultiEnvData:
        """`data.rows(index)`, without a copy where that is all of them."""
        if np.array_equal(index, np.arange(len(data))):
            return data
        return rows_on_disk(data, index) if self._on_disk else data.rows(index)

    def _strata(self, rows: list[MultiEnvData]) -> Tensor:
        """Within which rows of each replicate are aligned, [G, n]."""
        return torch.from_numpy(np.stack([strata(part, self.config.training.align) for part in rows])).to(self.device)

    def _covariates(self, rows: list[MultiEnvData]) -> Tensor:
        """What the networks are given of rows of each replicate, [G, n, d]."""
        return self._stacked((s.x(part.x) for s, part in zip(self._scales, rows, strict=True)), self.dtype)

    def _stacked(self, parts: Iterable[np.ndarray], dtype: torch.dtype) -> Tensor:
        """What there is of the rows of each replicate, [G, n, ...]; many rows of a world `on_disk`."""
        parts = iter(parts)
        first = next(parts)
        shape = (len(self._scales), *first.shape)
        if self._on_disk and self.device.type == "cpu":
            found = torch.from_numpy(empty_on_disk(shape, np.dtype(str(dtype).removeprefix("torch."))))
        else:
            found = torch.empty(shape, dtype=dtype, device=self.device)
        for mine, part in zip(found, chain([first], parts), strict=True):
            mine.copy_(torch.from_numpy(np.ascontiguousarray(part)))
        return found

    def weights(self) -> dict[str, np.ndarray]:
        """Parameters of the networks as functions of raw covariates, to raw outcomes, [M, ...] float32."""
        own = {name: value.astype(np.float64) for name, value in self.net.weights().items()}
        x_mean, x_sd, y_mean, y_sd = (
            np.repeat([getattr(s, name) for s in self._scales], self._n_lams, axis=0)
            for name in ("x_mean", "x_sd", "y_mean", "y_sd")
        )
        with np.errstate(invalid="ignore", over="ignore"):  # a diverged model's weights are not finite
            raw = folded(own, x_mean, x_sd, y_mean, y_sd)
            if self._logits:
                raw |= {LINK: np.ones(len(self.lam))}
            return {name: value.astype(np.float32) for name, value in raw.items()}

    def first_weights(self) -> dict[str, np.ndarray]:
        """`weights` of the first of its replicates, along λ, [L, ...]."""
        return {name: value[: self._n_lams] for name, value in self.weights().items()}

    def _along_lams(self, values: Tensor) -> Tensor:
        """[G, ...] -> [M, ...]."""
        return values.repeat_interleave(self._n_lams, dim=0)

    def _epoch_batches(self, steps: int) -> Iterator[tuple[Tensor, ...]]:
        """The epoch's batches, rows in a new order: x [M, b, d], y [M, b, 1], arm [M, b, 2], and the two factors of the
        pair weights [G, b, P + 1], of blocks [G, blocks, rows of one, P + 1]. arm is a row's weight in the loss where a
        row is of that arm, else 0.

        Where the penalty needs pairs, 2 · PAIRS more rows of x follow in every batch, and a sixth part says which of
        the pairs are real, [M, PAIRS]. Where MMD² is estimated by features, the sixth part are their frequencies.
        """
        order = np.stack([self._epoch_order(g, steps) for g in range(len(self._order))])
        pairs = None
        if self._matches is not None:
            pairs = [
                pair_rows(rng, found, steps, PAIRS) for rng, found in zip(self._pair_rngs, self._matches, strict=True)
            ]
        numbers = self.net.n_models * self.batch * self.config.dim_x
        at_once = max(1, min(BATCHED_STEPS, BATCHED_NUMBERS // numbers))
        for start in range(0, steps, at_once):  # of a large table, or of traces, an epoch at once would not fit
            span = slice(start, start + at_once)
            part = None if pairs is None else [(rows[span], real[span]) for rows, real in pairs]
            yield from self._batches(order[:, span], part)

    def _epoch_order(self, g: int, steps: int) -> np.ndarray:
        """Rows of a replicate in each step of an epoch, [steps, b]."""
        used = steps * self.batch
        if self.config.training.balanced:
            order = balanced_order(self._order[g], self._groups[g], steps, self.batch)
        else:
            rounds = -(-used // self.n_train)
            order = np.concatenate([self._order[g].permutation(self.n_train) for _ in range(rounds)])[:used]
        return order.reshape(steps, self.batch)

    def _batches(
        self, order: np.ndarray, drawn: list[tuple[np.ndarray, np.ndarray]] | None
    ) -> Iterator[tuple[Tensor, ...]]:
        """Batches of some steps of an epoch. order: [G, steps, b]."""
        index = torch.from_numpy(order).to(self.device)
        replicate = torch.arange(len(order), device=self.device)[:, None, None]
        arm = torch.nn.functional.one_hot(self._t[replicate, index], 2).to(self.dtype)
        if self.config.training.arm_weight == "balanced":
            arm = arm / arm.sum(dim=2, keepdim=True).clamp_min(1)  # an arm that a batch lacks adds nothing
        else:
            arm = arm * (2 / self.batch)
        stratum = None if self._stratum is None else self._stratum[replicate, index]
        label = self._label[replicate, index]
        if self._estimate == "block":
            label = self._in_blocks(label)
            stratum = None if stratum is None else self._in_blocks(stratum)
        factors = ipm.pair_factors(label, self.n_labels, self.dtype, stratum)
        x = self._x[replicate, index]
        more = []
        if drawn is not None:
            rows, valid = (torch.from_numpy(np.stack(part)).to(self.device) for part in zip(*drawn, strict=True))
            x = torch.cat([x, self._x[replicate, rows]], dim=2)
            more = [self._along_lams(valid.to(self.dtype))]
        if self._estimate == "rff":
            shape = (order.shape[1], self.config.training.latent_dim, FREQUENCIES)
            more = [self._tensor(np.stack([rng.standard_normal(shape, np.float32) for rng in self._feature_rngs]))]
        along_lams = (self._along_lams(part) for part in (x, self._y[replicate, index].unsqueeze(-1), arm))
        return zip(*(part.unbind(1) for part in (*along_lams, *factors, *more)), strict=True)

    def _in_blocks(self, values: Tensor) -> Tensor:
        """[G, steps, b] -> [G, steps, blocks, rows of one]; rows beyond the last block are left out."""
        rows = min(BLOCK_ROWS, self.batch)
        return values[..., : self.batch // rows * rows].reshape(*values.shape[:-1], -1, rows)

    def _mmd2(
        self, phi: Tensor, left: Tensor, right: Tensor, bandwidth: Tensor, frequencies: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """The batch's MMD² as the config asks for it, [M], and its gradient with respect to φ."""
        if frequencies is not None:
            return ipm.fourier_mmd2_and_gradient(phi, left, right, frequencies, bandwidth)
        if self._estimate == "block":
            return ipm.block_mmd2_and_gradient(phi, left, right, bandwidth)
        return ipm.grouped_mmd2_and_gradient(phi, left @ right.mT, bandwidth)

    def _bandwidth(self, phi: Tensor) -> Tensor:
        fixed = self.config.training.bandwidth
        if fixed == "median":
            return ipm.median_distance(phi)
        return torch.full((len(phi),), float(fixed), device=phi.device, dtype=phi.dtype)

    @torch.inference_mode()
    def train_epoch(
        self, epoch: int, should_stop: Callable[[], bool] | None = None, pauses: Collection[int] = ()
    ) -> Iterator[tuple[int, dict[str, Tensor] | None]]:
        """The steps of an epoch, counted from 1: how many by then, and mean losses over their batches, each [M], on the
        device.

        At the end, and before that after each number of steps in `pauses`. None, and no more, if asked to stop.
        """
        for total in self._totals:
            total.zero_()
        steps = self.steps[epoch - 1]
        for step, batch in enumerate(self._epoch_batches(steps)):
            if should_stop is not None and should_stop():
                yield step, None
                return
            self._step(batch, step % BANDWIDTH_STEPS == 0)
            done = step + 1
            if done == steps or done in pauses:
                factual, penalty = (total / done for total in self._totals)
                raw = factual * self._y_sd**2
                yield done, {"loss": factual + self.lam * penalty, "factual_train": raw, "penalty": penalty}

    def _take_step(self, batch: Sequence[Tensor], measure: bool) -> None:
        """A gradient step on a batch of `_epoch_batches`. measure: the bandwidth is taken anew.

        What outlasts it changes in place, so that it can be recorded.
        """
        x, y, arm, left, right, *more = batch
        lam = self.lam[:, None, None]
        factual_sum, penalty_sum = self._totals
        done = self.net(x)
        if measure:
            self._width.copy_(self._bandwidth(done.phi[:, : self.config.training.bandwidth_rows(self.batch)]))
        outcomes = done.y_hat[:, : self.batch]
        if self._logits:
            factual_sum += (arm * (softplus(outcomes) - y * outcomes)).sum(dim=(1, 2))
            d_y = arm * (outcomes.sigmoid() - y)
        else:
            error = outcomes - y
            d_y = arm * error  # half the derivative of Σ arm · error²
            factual_sum += (d_y * error).sum(dim=(1, 2))
            d_y.mul_(2)
        if self.penalty is None:
            penalty, d_phi = self._mmd2(done.phi, left, right, self._width, *more)
            d_phi.mul_(lam)
        else:
            penalty, d_phi, d_own = self._other_penalty(done, y, arm, left, self._width, *more)
            d_y += lam * d_own
            if more:  # the pairs' outcomes are not asked for
                d_y = torch.cat([d_y, d_y.new_zeros((len(d_y), 2 * PAIRS, 2))], dim=1)
            d_phi.mul_(lam)
        penalty_sum += penalty
        self.net.gradient(done, d_phi, d_y)
        self.optimiser.step()

    def _other_penalty(
        self, done: Pass, y: Tensor, arm: Tensor, left: Tensor, bandwidth: Tensor, valid: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """A registered penalty [M] with its gradients with respect to φ and to both outcomes of the batch's own
        rows."""
        assert self.penalty is not None
        own = (arm > 0).to(self.dtype)  # [M, b, 2], the arm that a row is of
        member = self._along_lams((left[..., :-1] > 0).to(self.dtype))
        outcomes = done.y_hat[:, : self.batch]
        if self._logits:
            outcomes = outcomes.sigmoid()
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
        found = found.unsqueeze(-1) * own
        return value, torch.zeros_like(done.phi), found * outcomes * (1 - outcomes) if self._logits else found

    def _evaluated_at_once(self, here: int, numbers: int) -> int:
        """Rows or models that take so many numbers each: so many `here`, on a processor; elsewhere as many as fit."""
        return here if self.device.type == "cpu" else max(here, EVALUATED_NUMBERS // numbers)

    def _outcomes(self, x: Tensor) -> Tensor:
        """Both outcomes that the models give rows of their own replicate, [G, n, d] -> [M, n, 2], on the device."""
        widest = max(self.config.training.hidden, x.shape[2])
        rows = self._evaluated_at_once(EVALUATED_ROWS, self.net.n_models * widest)
        found = torch.empty((self.net.n_models, x.shape[1], 2), dtype=exact(self.device), device=self.device)
        for part, own in zip(torch.split(found, rows, dim=1), torch.split(x, rows, dim=1), strict=True):
            part.copy_(self.net(self._along_lams(own)).y_hat)
        if self._logits:
            return found.sigmoid_()
        return found.mul_(self._y_sd[:, None, None]).add_(self._y_mean[:, None, None])

    def _held_out_mmd2(self) -> Tensor:
        phi = self.net(self._along_lams(self._x_view)).phi
        models = self._evaluated_at_once(EVALUATED_MODELS, phi.shape[1] ** 2)
        return torch.cat(
            [
                ipm.grouped_mmd2(part, self._view_weights[g : g + 1], self._bandwidth(part))
                for g, of_replicate in enumerate(torch.split(phi, self._n_lams))
                for part in torch.split(of_replicate, models)
            ]
        )

    def evaluate(self, losses: Mapping[str, Tensor] | None = None, *, keep: bool = True) -> dict[str, np.ndarray]:
        """Held-out factual MSE, MMD², ITE RMSE and average effect of every model, and what became of it, each [M].

        losses: of `train_epoch`, which come along.
        keep:   whether weights that have never done better on validation rows are kept.
        """
        found = fetched({**(losses or {}), **self._judged(keep)})
        return found | {"status": _status(found.pop("finite") == 1, found.pop("spread"), self._signal)}

    @torch.inference_mode()
    def _judged(self, keep: bool) -> dict[str, Tensor]:
        """What `evaluate` says, [M] each, on the device; instead of the status what it follows from."""
        outcomes, mmd2 = self._outcomes(self._x_held_out), self._held_out_mmd2()
        finite = mmd2.isfinite() & outcomes.isfinite().flatten(1).all(dim=1)
        for param in self.net.params.values():
            finite &= param.isfinite().flatten(1).all(dim=1)
        found = {"factual_mse": self._judge.factual_mse(outcomes), "mmd2": mmd2, "finite": finite}
        if self._validation_judge is not None and self._x_validation is not None:
            found["validation_mse"] = self._validation_judge.factual_mse(self._outcomes(self._x_validation))
            if keep:
                self._keep_best(found["validation_mse"], finite)
        if self.config.table is not None:
            found["ate"] = (outcomes[..., 1] - outcomes[..., 0]).mean(dim=1)
        if (ite_rmse := self._judge.ite_rmse(outcomes)) is not None:
            found["ite_rmse"] = ite_rmse
        return found | {"spread": self._judge.spread(outcomes)}

    def _keep_best(self, error: Tensor, usable: Tensor) -> None:
        """Keep the weights of usable models that have never erred less on validation rows. error: [M]."""
        better = usable & (error < self._least)  # never where an error is not finite
        self._least = torch.where(better, error, self._least)
        for name, best in self._best.items():
            param = self.net.params[name]
            best.copy_(torch.where(better.view(-1, *[1] * (param.ndim - 1)), param, best))

    @torch.inference_mode()
    def take_best(self) -> None:
        """Go back to the weights that erred least on validation rows; a model that never had a finite error stays."""
        there = self._least.isfinite()
        for name, best in self._best.items():
            param = self.net.params[name]
            param.copy_(torch.where(there.view(-1, *[1] * (param.ndim - 1)), best, param))

    def held_out_metrics(self) -> dict[str, np.ndarray]:
        """What is computed once, at the end: by environment, and for the average effect."""
        n_envs = self.config.source.n_envs
        numbers: dict[str, list[np.ndarray]] = {}
        with torch.inference_mode():
            y0_hats, y1_hats = self._outcomes(self._x_held_out).cpu().numpy().astype(np.float64).transpose(2, 0, 1)
        size = self._n_lams
        for g, rows in enumerate(self.held_out):
            y0_hat, y1_hat = (both[g * size : (g + 1) * size] for both in (y0_hats, y1_hats))
            by_env = metrics.factual_mse_by_env(y0_hat, y1_hat, rows.t, rows.y, rows.env, n_envs)
            numbers.setdefault("factual_mse_by_env", []).append(by_env)
            if rows.ite is not None:
                ite_hat = y1_hat - y0_hat
                numbers.setdefault("ate_error", []).append(metrics.ate_error(ite_hat, rows.ite))
                ite_by_env = metrics.ite_rmse_by_env(ite_hat, rows.ite, rows.env, n_envs)
                numbers.setdefault("ite_rmse_by_env", []).append(ite_by_env)
        return {name: np.concatenate(parts) for name, parts in numbers.items()}


def _status(finite: np.ndarray, spread: np.ndarray, signal: np.ndarray) -> np.ndarray:
    """Diverged: a weight, or what it makes of held-out rows, is not finite. Collapsed: within an arm predictions hardly
    vary though outcomes do."""
    collapsed = np.where(finite, spread, 0.0) < COLLAPSED_SHARE * signal
    return np.where(finite, np.where(collapsed, COLLAPSED, OK), DIVERGED).astype(np.int64)


def _pairs_present(labels: np.ndarray) -> int:
    present = int((np.bincount(labels) >= 2).sum())
    return present * (present - 1) // 2
