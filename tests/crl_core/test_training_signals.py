"""Training on a label and on traces: environments made alike within the label, and one scale for a whole trace."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from crl_core import RunConfig, Scenario, Training, train, train_path
from crl_core.data.scm import Stream, rng_for
from crl_core.events import EpochEnded
from crl_core.ipm import median_distance
from crl_core.results import data_of, mmd_rows, predict, view_rows
from crl_core.training.group import BANDWIDTH_STEPS
from crl_core.training.nets import initial_weights
from crl_core.training.scales import Scales
from tests.crl_core.test_ipm import within_by_loops
from tests.crl_core.test_nets import plain_cfrnet

WARD = Scenario(n_samples=500, outcome="binary", prevalence=(0.7, 0.3), offset=(1.0, -1.0), sigma=(0.5, 0.5))
WITHIN = Training(
    lams=(0.0, 1.0, 10.0),
    replicates=1,
    epochs=3,
    batch_size=64,
    hidden=16,
    latent_dim=4,
    align="environment within outcome",
    standardise=False,
)
ECG = Scenario(observation="ecg", n_samples=200, samples=128, heterogeneity=1.0)


def plain_training(run: RunConfig, lam: float) -> tuple[float, float]:
    """One model in the plainest torch: autograd through the logarithmic loss and MMD² given the label, as defined.
    Returns the penalty's mean over the batches of the last epoch, and the held-out factual MSE."""
    training = run.training
    rows, held_out = data_of(run)
    start = initial_weights(rng_for(0, Stream.WEIGHTS), 2, training.hidden, training.latent_dim)
    encoder, control, treated = (m.double() for m in plain_cfrnet({k: v[None] for k, v in start.items()}, 0))
    parameters = torch.nn.ModuleList([encoder, control, treated]).parameters()
    optimiser = torch.optim.Adam(parameters, training.learning_rate)
    order, x = rng_for(0, Stream.BATCHES), torch.from_numpy(rows.x)
    for _ in range(training.epochs):
        permutation, penalties = order.permutation(len(rows)), []
        for step in range(len(rows) // training.batch_size):
            index = permutation[step * training.batch_size : (step + 1) * training.batch_size]
            t, env, y = rows.t[index], rows.env[index], torch.from_numpy(rows.y[index])
            phi = encoder(x[index])
            if step % BANDWIDTH_STEPS == 0:
                h = median_distance(phi.detach()[None])[0]
            loss = torch.zeros((), dtype=torch.float64)
            for arm, head in ((0, control), (1, treated)):
                chance = torch.sigmoid(head(phi[t == arm]).squeeze(1))
                label = y[t == arm]
                loss = loss - (label * chance.log() + (1 - label) * (1 - chance).log()).mean()
            kernel = torch.exp(-torch.cdist(phi, phi).square() / (2 * h**2))
            penalty = torch.zeros((), dtype=torch.float64)
            for value in (0, 1):
                a, b = (env == 0) & (rows.y[index] == value), (env == 1) & (rows.y[index] == value)
                assert min(a.sum(), b.sum()) >= 2
                within = kernel[a][:, a].mean() + kernel[b][:, b].mean() - 2 * kernel[a][:, b].mean()
                penalty = penalty + within / 2
            penalties.append(float(penalty.detach()))
            optimiser.zero_grad()
            (loss + lam * penalty).backward()
            optimiser.step()
    phi = encoder(torch.from_numpy(held_out.x))
    y0, y1 = (torch.sigmoid(head(phi)).squeeze(1).detach().numpy() for head in (control, treated))
    return float(np.mean(penalties)), float(np.mean((np.where(held_out.t == 1, y1, y0) - held_out.y) ** 2))


@pytest.mark.parametrize("lam", [0.0, 10.0])
def test_aligning_within_the_label_equals_the_plainest_way_to_train_one_model(lam: float) -> None:
    run = RunConfig(scenario=WARD, training=replace(WITHIN, lams=(lam,)))
    ended = [event for event in train_path(run, dtype="float64") if isinstance(event, EpochEnded)][-1]
    penalty, factual = plain_training(run, lam)
    assert ended.penalty[0] == pytest.approx(penalty, rel=1e-4)
    assert penalty > 1e-4
    assert ended.factual_mse[0] == pytest.approx(factual, rel=1e-4)


def test_the_reported_mmd2_is_the_mean_of_both_labels() -> None:
    result = train(RunConfig(scenario=WARD, training=WITHIN))
    rows = mmd_rows(view_rows(result.config))
    phi = predict(result.weights, rows.x)[0].astype(np.float64)
    h = median_distance(torch.from_numpy(phi)).numpy()
    labels, strata = rows.env.tolist(), rows.y.astype(int).tolist()
    want = [within_by_loops(phi[m], labels, strata, float(h[m])) for m in range(3)]
    np.testing.assert_allclose(result.mmd2, want, rtol=1e-3, atol=1e-6)


def test_where_shares_of_yes_differ_only_aligning_within_the_label_leaves_the_label_readable() -> None:
    world = replace(WARD, n_samples=2000, prevalence=(0.9, 0.1), leak=0.0, separation=2.0)
    long = replace(WITHIN, lams=(0.0, 3.0), epochs=20, learning_rate=0.01, batch_size=256, standardise=True)
    within, marginal = (
        train(RunConfig(scenario=world, training=replace(long, align=align)))  # type: ignore[arg-type]
        for align in ("environment within outcome", "environment")
    )
    assert within.mmd2[1] < 0.3 * within.mmd2[0]
    assert within.factual_mse[1] < 0.1 < marginal.factual_mse[1]


# -- one scale -------------------------------------------------------------------------------------------------------


def test_a_trace_has_one_mean_and_one_deviation_and_covariates_have_their_own() -> None:
    rows = data_of(RunConfig(scenario=ECG, training=WITHIN_RAW))[0]
    whole, columns = Scales.of(rows, together=range(rows.x.shape[1])), Scales.of(rows)
    flat = np.array([number for row in rows.x for number in row])
    np.testing.assert_allclose(whole.x_mean, np.full(128, flat.mean()))
    np.testing.assert_allclose(whole.x_sd, np.full(128, flat.std()))
    assert (whole.y_mean, whole.y_sd) == (columns.y_mean, columns.y_sd)
    np.testing.assert_allclose(columns.x_sd, rows.x.std(axis=0))
    shape = whole.x(rows.x)[0] - rows.x[0] / flat.std()
    np.testing.assert_allclose(shape, shape[0], atol=1e-9)  # the trace is moved and stretched, and not bent


WITHIN_RAW = Training(lams=(0.0, 1.0), replicates=1, epochs=2, batch_size=64, hidden=8, latent_dim=4, standardise=True)


@pytest.mark.parametrize(
    ("scenario", "x_scale", "one"),
    [(ECG, "auto", True), (ECG, "columns", False), (Scenario(), "auto", False), (Scenario(), "whole", True)],
)
def test_who_is_given_one_scale_is_a_trace_or_who_asks_for_it(scenario: Scenario, x_scale: str, one: bool) -> None:
    run = RunConfig(scenario=scenario, training=replace(WITHIN_RAW, x_scale=x_scale))  # type: ignore[arg-type]
    assert run.one_scale == one


@pytest.mark.parametrize("x_scale", ["whole", "columns"])
def test_whatever_the_scale_stored_weights_take_millivolts_and_give_the_outcomes_unit(x_scale: str) -> None:
    result = train(RunConfig(scenario=ECG, training=replace(WITHIN_RAW, x_scale=x_scale)))  # type: ignore[arg-type]
    held_out = data_of(result.config)[1]
    _, y0_hat, y1_hat = predict(result.weights, held_out.x)
    factual = np.mean((np.where(held_out.t == 1, y1_hat, y0_hat) - held_out.y) ** 2, axis=1)
    np.testing.assert_allclose(result.factual_mse, factual, rtol=1e-4)
    assert held_out.ite is not None
    rmse = np.sqrt(np.mean((y1_hat - y0_hat - held_out.ite) ** 2, axis=1))
    np.testing.assert_allclose(result.ite_rmse, rmse, rtol=1e-4)


def test_a_scale_of_columns_trains_another_network_than_one_for_the_whole_trace() -> None:
    whole, columns = (
        train(RunConfig(scenario=ECG, training=replace(WITHIN_RAW, x_scale=scale)))  # type: ignore[arg-type]
        for scale in ("auto", "columns")
    )
    assert np.abs(whole.factual_mse - columns.factual_mse).min() > 1e-4
