"""A table is trained in steps, on rows drawn again, with the epoch that rows kept apart choose; y of 0 and 1 gives
probabilities."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from crl_core import RunConfig, Scenario, preset, train, train_path
from crl_core.config.table import table_config
from crl_core.config.text import altered
from crl_core.data.refits import fitted_rows
from crl_core.data.scm import MultiEnvData, Stream, rng_for
from crl_core.data.tables.columns import Raw
from crl_core.data.tables.making import table_source
from crl_core.data.tables.source import TableSource
from crl_core.events import EpochEnded, RunStarted
from crl_core.export.checkpoint import checkpoint, checkpoint_name, loading_example
from crl_core.export.models.network import subject
from crl_core.metrics import factual_mse
from crl_core.network import LINK, one_model, predict, slopes
from crl_core.results import data_of
from crl_core.runs.bundle import export_bytes, import_run
from crl_core.training.nets import initial_weights
from crl_core.training.scales import Scales
from tests.crl_core.made_up import assert_same, store_in

SMALL = {"lams": (0.0, 1.0), "replicates": 2, "epochs": 3, "hidden": 8, "latent_dim": 4, "device": "cpu"}


def hospital(**training: object) -> RunConfig:
    return altered(preset("hospital"), n_samples=300, **{**SMALL, **training})


def table(*, two_outcomes: bool, n: int = 300, seed: int = 0) -> TableSource:
    """Two sites, a fifth treated; the outcome a number, or whether that number is above 0."""
    rng = np.random.default_rng(seed)
    x, t = rng.normal(size=(n, 2)), (rng.random(n) < 0.2).astype(float)
    y = x[:, 0] + t + rng.normal(size=n)
    columns = {
        "y": (y > 0).astype(float) if two_outcomes else y,
        "t": t,
        "site": np.array(["north", "south"] * (n // 2), dtype=object),
        "a": x[:, 0],
        "b": x[:, 1],
    }
    roles = {"y": "outcome", "t": "treatment", "site": "environment", "a": "covariate", "b": "covariate"}
    return table_source(Raw(columns=columns), roles, label="made up", seed=seed)  # type: ignore[arg-type]


def rows_of(sizes: list[int]) -> MultiEnvData:
    """Rows whose strata (environment × arm) have these sizes."""
    stratum = np.repeat(np.arange(len(sizes)), sizes)
    n = len(stratum)
    return MultiEnvData(x=np.zeros((n, 1)), t=stratum % 2, env=stratum // 2, y=np.zeros(n))


# -- which rows --------------------------------------------------------------------------------------------------------


@given(
    st.lists(st.integers(2, 40), min_size=2, max_size=6),
    st.sampled_from([0.0, 0.1, 0.3, 0.5]),
    st.sampled_from(["none", "bootstrap"]),
    st.integers(0, 5),
)
def test_rows_that_choose_the_epoch_are_not_trained_on_and_strata_keep_their_share(
    sizes: list[int], share: float, resample: str, seed: int
) -> None:
    rows = rows_of(sizes)
    asked = {"validation": share, "bootstrap": resample == "bootstrap", "seed": seed}
    fit, kept = fitted_rows(rows, **asked)
    all_drawn = len(set(fit)) == len(rows)  # of few rows: none is left to validate that was not drawn
    assert not set(fit) & set(kept) or (all_drawn and resample == "bootstrap")
    stratum = 2 * rows.env + rows.t
    if resample == "bootstrap":
        assert Counter(stratum[fit]) == Counter(stratum)
        assert len(kept) == round(share * len(rows))
    else:
        assert sorted([*fit, *kept]) == list(range(len(rows)))
        assert set(stratum[fit]) == set(stratum)
    again = fitted_rows(rows, **asked)
    np.testing.assert_array_equal(fit, again[0])
    np.testing.assert_array_equal(kept, again[1])


def test_each_replicate_of_a_bootstrap_has_rows_of_its_own_though_the_table_is_the_same() -> None:
    train_rows = table(two_outcomes=False).rows(0)[0]
    first, second = (fitted_rows(train_rows, validation=0.3, bootstrap=True, seed=seed)[0] for seed in (0, 1))
    assert 0.3 < len(set(first) & set(second)) / len(train_rows) < 0.5  # (1 - 1/e)² = .4


# -- how long ----------------------------------------------------------------------------------------------------------


@given(st.integers(0, 3000), st.integers(1, 60), st.integers(1, 500))
def test_steps_are_shared_out_among_the_epochs(steps: int, epochs: int, n_train: int) -> None:
    training = altered(preset("hospital").training, steps=steps, epochs=epochs)
    found = training.steps_of_epochs(n_train)
    assert len(found) == epochs
    if steps:
        assert min(found) >= 1
        assert max(found) - min(found) <= 1
        assert sum(found) == max(steps, epochs)


def test_a_run_of_steps_is_as_long_as_a_run_of_the_epochs_that_have_as_many() -> None:
    """240 training rows are one whole batch of 128 and 8 of 30."""
    by_epochs = list(train_path(hospital(batch_size=30, epochs=3)))
    by_steps = list(train_path(hospital(batch_size=30, epochs=3, steps=24)))
    assert isinstance(by_steps[0], RunStarted)
    assert by_steps[0].steps_per_epoch == 8
    for one, other in zip(by_epochs[1:], by_steps[1:], strict=True):
        if isinstance(one, EpochEnded):
            np.testing.assert_array_equal(one.loss, other.loss)  # type: ignore[union-attr]


def test_more_steps_than_rows_go_round_the_rows_again() -> None:
    result = train(hospital(steps=60, epochs=2))
    assert result.history["loss"].shape == (2, 4)
    assert np.isfinite(result.factual_mse).all()


# -- which epoch -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("resample", ["none", "bootstrap"])
def test_each_model_ends_with_the_weights_that_erred_least_on_validation_rows(resample: str) -> None:
    config = hospital(validation=0.3, resample=resample, epochs=12, learning_rate=0.03)
    result = train(config)
    history = result.history["validation_mse"]
    assert result.validation_mse is not None
    np.testing.assert_allclose(result.validation_mse, history.min(axis=0), rtol=1e-6)
    assert (history.argmin(axis=0) < 11).any()  # else the last epoch would do
    at = history.argmin(axis=0), np.arange(4)
    np.testing.assert_allclose(result.factual_mse, result.history["factual_mse"][at], rtol=1e-6)
    for replicate in range(2):
        rows = data_of(config, replicate)[0]
        bootstrap = resample == "bootstrap"
        kept = rows.rows(fitted_rows(rows, validation=0.3, bootstrap=bootstrap, seed=replicate)[1])
        _, y0_hat, y1_hat = result.predict(kept.x, replicate)
        np.testing.assert_allclose(
            factual_mse(y0_hat, y1_hat, kept.t, kept.y), result.by_lam(result.validation_mse)[replicate], rtol=1e-4
        )


def test_without_a_validation_share_nothing_is_said_of_it() -> None:
    result = train(hospital())
    assert result.validation_mse is None
    assert "validation_mse" not in result.history
    assert "validation" not in result.config.to_json()


# -- which loss --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("two_outcomes", [False, True])
def test_one_step_is_that_of_the_loss_written_out_with_autograd(two_outcomes: bool) -> None:
    """Every row counts alike: twice the mean squared error, or twice the mean logarithmic loss of a probability."""
    source = table(two_outcomes=two_outcomes)
    config = table_config(source, np.array([[100, 30], [100, 30]]), lams=(0.0,), replicates=1, steps=1)
    config = altered(config, validation=0.0, resample="none", epochs=1, batch_size=4096, hidden=8, latent_dim=4)
    result = train(config, dtype="float64")

    rows = source.rows(0)[0]
    start = initial_weights(rng_for(0, Stream.WEIGHTS), config.dim_x, 8, 4)
    weights = {name: torch.tensor(value, requires_grad=True) for name, value in start.items()}
    scales = Scales.of(rows)
    h = torch.tensor(scales.x(rows.x))
    for layer in (0, 1):
        h = torch.nn.functional.elu(h @ weights[f"encoder.{layer}.weight"] + weights[f"encoder.{layer}.bias"])
    phi = h @ weights["encoder.2.weight"] + weights["encoder.2.bias"]
    arms = torch.nn.functional.elu(phi @ weights["head.0.weight"] + weights["head.0.bias"]).reshape(len(rows), 2, -1)
    y_hat = (arms * weights["head.1.weight"]).sum(dim=-1) + weights["head.1.bias"]
    own = y_hat[torch.arange(len(rows)), torch.tensor(rows.t)]
    if two_outcomes:
        loss = 2 * torch.nn.functional.binary_cross_entropy_with_logits(own, torch.tensor(rows.y))
    else:
        loss = 2 * (own - torch.tensor(scales.y(rows.y))).square().mean()
    loss.backward()
    torch.optim.Adam(weights.values(), lr=1e-3).step()

    y_sd = 1.0 if two_outcomes else float(scales.y_sd)
    assert result.history["factual_train"][0, 0] == pytest.approx(loss.item() * y_sd**2, rel=1e-6)
    np.testing.assert_allclose(
        result.weights["head.0.weight"][0], weights["head.0.weight"].detach().numpy(), rtol=1e-5, atol=1e-7
    )
    np.testing.assert_allclose(
        result.weights["head.1.weight"][0], weights["head.1.weight"].detach().numpy() * y_sd, rtol=1e-5, atol=1e-7
    )


def test_both_arms_count_alike_in_either_loss_where_they_are_of_one_size() -> None:
    rows = rows_of([60, 60])
    rng = np.random.default_rng(0)
    base = altered(preset("hospital"), n_samples=100, n_envs=1, **(SMALL | {"batch_size": 4096, "align": "treatment"}))
    rows = replace(rows, x=rng.normal(size=(120, base.dim_x)), y=rng.normal(size=120))
    losses = []
    for weight in ("balanced", "plain"):
        config = altered(base, arm_weight=weight, replicates=1)
        event = next(e for e in train_path(config, data=[(rows, rows)], dtype="float64") if isinstance(e, EpochEnded))
        losses.append(event.factual_train)
    np.testing.assert_allclose(*losses, rtol=1e-12)


# -- of two outcomes ---------------------------------------------------------------------------------------------------


def test_an_outcome_of_two_values_gives_probabilities_that_fit_better_than_none() -> None:
    source = table(two_outcomes=True)
    config = table_config(source, np.array([[100, 30], [100, 30]]), lams=(0.0, 1.0), replicates=2, steps=200)
    result = train(config)
    rows, _ = source.all_rows()
    _, y0_hat, y1_hat = result.predict(rows.x)
    for outcome in (y0_hat, y1_hat):
        assert (outcome > 0).all()
        assert (outcome < 1).all()
    assert (result.factual_mse < source.rows(0)[1].y.var()).all()
    assert LINK in result.weights


def test_an_exported_model_and_the_checkpoints_example_give_the_same_probabilities(tmp_path: Path) -> None:
    config = table_config(table(two_outcomes=True), np.array([[100, 30], [100, 30]]), replicates=1, steps=50)
    result = train(config)
    x = np.random.default_rng(0).normal(size=(20, 2)).astype(np.float32)
    _, y0_hat, y1_hat = predict(one_model(result.weights, 0), x)
    y0, y1, _ = subject(result, 0.0).network(torch.tensor(x))
    np.testing.assert_allclose(y0.detach(), y0_hat[0], atol=1e-6)
    np.testing.assert_allclose(y1.detach(), y1_hat[0], atol=1e-6)
    file = tmp_path / checkpoint_name(result, 0.0)
    file.write_bytes(checkpoint(result, 0.0))
    example = loading_example(result, 0.0).replace(file.name, str(file)).replace("zeros(1, 2)", "tensor(rows)")
    names: dict[str, object] = {"rows": x.tolist()}
    exec(example.replace("nn, zeros", "nn, tensor"), names)
    np.testing.assert_allclose(names["effect"].detach()[:, 0], (y1_hat - y0_hat)[0], atol=1e-6)  # type: ignore[attr-defined]


def test_slopes_of_probabilities_are_those_of_a_small_step() -> None:
    result = train(
        table_config(table(two_outcomes=True), np.array([[100, 30], [100, 30]]), lams=(0.0,), replicates=1, steps=50)
    )
    rng = np.random.default_rng(0)
    x, direction = rng.normal(size=(20, 2)), rng.normal(size=(20, 2))
    for outcome in (0, 1):
        ahead, behind = (predict(result.weights, x + step * direction)[1 + outcome] for step in (1e-2, -1e-2))
        np.testing.assert_allclose(
            slopes(result.weights, x, direction)[outcome], (ahead - behind) / 2e-2, rtol=2e-2, atol=2e-4
        )


@pytest.mark.parametrize("two_outcomes", [False, True])
def test_a_tables_run_comes_back_from_the_store_and_from_a_bundle(two_outcomes: bool, tmp_path: Path) -> None:
    source = table(two_outcomes=two_outcomes)
    config = table_config(source, np.array([[100, 30], [100, 30]]), lams=(0.0, 1.0), replicates=2, steps=30)
    here, there = store_in(tmp_path / "here"), store_in(tmp_path / "there")
    result = train(config)
    here.save(result)
    assert import_run(there, export_bytes(here, config.key)) == config.key
    assert_same(there.load(config.key), result)


def test_replicates_keep_the_same_number_of_rows_for_validation_however_few() -> None:
    """Rare arms are there in one replicate and not in another."""
    scenario = Scenario(n_samples=148, sigma=(1.0,) * 4, propensity=(0.03, 0.97, 0.5, 0.5))
    parts = {seed: scenario.rows(seed)[0] for seed in range(12)}
    for share, count in ((0.001, 1), (0.01, 1), (0.05, 6), (0.5, 59)):  # of 118
        kept = {len(fitted_rows(rows, validation=share, bootstrap=False, seed=k)[1]) for k, rows in parts.items()}
        assert kept == {count}
