"""Baselines: each is what its paper says when computed another way, and none of them can see the truth."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.model_selection import StratifiedKFold
from sklearn.neighbors import KNeighborsRegressor
from sklearn.preprocessing import StandardScaler

from crl_core.config import RunConfig, Scenario, Training
from crl_core.data.scm import MultiEnvData
from crl_core.measures.baselines import (
    BASELINES,
    NAMES,
    OF_IMAGES,
    OF_TRACES,
    REGULARISED,
    Z_SCORED,
    Baseline,
    best_first,
    fit_all,
    medians,
    side_by_side,
    word_of,
    z_scored,
)
from crl_core.results import RunResult, data_of
from crl_core.training import regularised
from crl_core.training.path import train

WORLD = Scenario(n_samples=300, propensity=(0.3, 0.6), heterogeneity=1.0)
SHORT = Training(lams=(0.0, 1.0), replicates=2, epochs=4, hidden=8, batch_size=32, learning_rate=0.02)


def rng() -> np.random.Generator:
    return np.random.default_rng(3)


def rows(scenario: Scenario = WORLD) -> tuple[MultiEnvData, MultiEnvData]:
    return data_of(RunConfig(scenario=scenario, training=SHORT))


def judged(ite_hat: np.ndarray, held_out: MultiEnvData) -> float:
    return float(np.sqrt(np.mean((ite_hat - held_out.ite) ** 2)))


def boosted(x: np.ndarray, y: np.ndarray, seed: int) -> HistGradientBoostingRegressor:
    model = HistGradientBoostingRegressor(max_iter=60, max_leaf_nodes=15, early_stopping=False, random_state=seed)
    return model.fit(x, y)


@pytest.mark.parametrize("name", ["X-learner", "DR-learner"])
def test_learners_equal_their_papers_equations_row_by_row(name: str) -> None:
    fit, held_out = rows()
    seed = int(rng().integers(2**31))
    x, t, y, at = fit.x, fit.t, fit.y, held_out.x
    y0, y1, e = np.empty(len(y)), np.empty(len(y)), np.empty(len(y))
    sums = np.zeros((3, len(at)))
    for others, left_out in StratifiedKFold(3, shuffle=True, random_state=seed).split(x, t):
        control, treated = others[t[others] == 0], others[t[others] == 1]
        scaler = StandardScaler().fit(x[others])
        chance = LogisticRegression(solver="newton-cholesky").fit(scaler.transform(x[others]), t[others])
        models = boosted(x[control], y[control], seed), boosted(x[treated], y[treated], seed)
        y0[left_out], y1[left_out] = (model.predict(x[left_out]) for model in models)
        e[left_out] = chance.predict_proba(scaler.transform(x[left_out]))[:, 1]
        sums += [*(m.predict(at) for m in models), chance.predict_proba(scaler.transform(at))[:, 1].clip(0.05, 0.95)]
    e = e.clip(0.05, 0.95)
    m0, m1, e_at = sums / 3
    if name == "X-learner":
        of_treated = boosted(x[t == 1], (y - y0)[t == 1], seed).predict(at)
        of_control = boosted(x[t == 0], (y1 - y)[t == 0], seed).predict(at)
        ite_hat = e_at * of_control + (1 - e_at) * of_treated
    else:
        pseudo = [
            y1[i] - y0[i] + ((y[i] - y1[i]) / e[i] if t[i] == 1 else -(y[i] - y0[i]) / (1 - e[i]))
            for i in range(len(y))
        ]
        ite_hat = boosted(x, np.array(pseudo), seed).predict(at)
    found = {item.name: item for item in fit_all(fit, held_out, rng())}[name]
    assert found.ite_rmse == pytest.approx(judged(ite_hat, held_out), rel=1e-9)
    assert found.ate_error == pytest.approx(abs(ite_hat.mean() - held_out.ite.mean()), rel=1e-9)
    mean = (1 - e_at) * m0 + e_at * m1
    factual = mean + (held_out.t - e_at) * ite_hat
    assert found.factual_mse == pytest.approx(np.mean((factual - held_out.y) ** 2), rel=1e-9)


def test_ridge_and_neighbours_equal_the_plain_ones_on_scaled_covariates() -> None:
    fit, held_out = rows()
    found = {item.name: item for item in fit_all(fit, held_out, rng())}
    for name, new in (
        ("ridge per arm", lambda: RidgeCV(np.logspace(-3, 4, 8))),
        ("nearest neighbours per arm", lambda: KNeighborsRegressor(15)),
    ):
        outcomes = []
        for arm in (0, 1):
            scaler = StandardScaler().fit(fit.x[fit.t == arm])
            model = new().fit(scaler.transform(fit.x[fit.t == arm]), fit.y[fit.t == arm])
            outcomes.append(model.predict(scaler.transform(held_out.x)))
        assert found[name].ite_rmse == pytest.approx(judged(outcomes[1] - outcomes[0], held_out))


def test_z_scoring_is_that_of_each_environments_training_rows() -> None:
    fit, held_out = rows(replace(WORLD, offset=(3.0, -3.0)))
    for part, values in zip((fit, held_out), z_scored(fit, held_out), strict=True):
        for env in (0, 1):
            own = fit.x[fit.env == env]
            np.testing.assert_allclose(
                values[part.env == env], (part.x[part.env == env] - own.mean(0)) / own.std(0), atol=1e-12
            )


def test_within_one_environment_z_scoring_is_z_scoring_and_least_squares_do_not_notice() -> None:
    fit, held_out = rows(Scenario(n_samples=200, sigma=(1.0,), propensity=(0.5,)))
    np.testing.assert_allclose(z_scored(fit, held_out)[1], StandardScaler().fit(fit.x).transform(held_out.x))
    found = {item.name: item for item in fit_all(fit, held_out, rng())}
    assert found["least squares per arm" + Z_SCORED].ite_rmse == pytest.approx(found["least squares per arm"].ite_rmse)


def test_no_baseline_sees_the_truth() -> None:
    fit, held_out = rows()
    wrong = {"y0": np.full(len(fit), np.nan), "y1": np.full(len(fit), np.nan), "z": fit.z * np.nan, "s": fit.s * np.nan}
    poisoned = fit_all(replace(fit, **wrong), replace(held_out, z=held_out.z * np.nan, s=held_out.s * np.nan), rng())
    assert poisoned == fit_all(fit, held_out, rng())
    unknown = fit_all(fit, replace(held_out, y0=None, y1=None), rng())
    assert [item.factual_mse for item in unknown] == [item.factual_mse for item in poisoned]
    assert np.isnan([[item.ite_rmse, item.ate_error] for item in unknown]).all()


@settings(max_examples=12, deadline=None)
@given(
    treated=st.integers(1, 8),
    untreated=st.integers(0, 8),
    dim=st.integers(1, 3),
    constant=st.booleans(),
    envs=st.integers(1, 3),
)
@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_every_baseline_has_numbers_or_a_reason_on_any_few_rows(
    treated: int, untreated: int, dim: int, constant: bool, envs: int
) -> None:
    n, source = treated + untreated, rng()
    x = np.ones((n, dim)) if constant else source.standard_normal((n, dim))
    t = np.repeat([1, 0], [treated, untreated])
    y = source.standard_normal(n)
    data = MultiEnvData(x=x, t=t, env=np.arange(n) % envs, y=y, y0=y - t, y1=y - t + 1)
    at = MultiEnvData(
        x=source.standard_normal((4, dim)),
        t=np.array([0, 1, 0, 1]),
        env=np.array([0, 0, envs - 1, envs]),
        y=np.zeros(4),
        y0=np.zeros(4),
        y1=np.ones(4),
    )  # the last row is of an environment without training rows
    found = fit_all(data, at, rng())
    assert [item.name for item in found] == list(BASELINES)
    for item in found:
        enough = min(treated, untreated) >= BASELINES[item.name].least_rows
        assert np.isfinite([item.ite_rmse, item.factual_mse, item.ate_error]).all() == enough
        assert (item.reason == "") == enough


def test_names_are_read_from_the_evidence_so_that_older_runs_stay_readable() -> None:
    older = {
        "baseline_names": np.array(["constant effect", "one that is gone"]),
        "baseline_reason": np.array([["", ""], ["", "why"]]),
        **{
            f"baseline_{name}": np.array([[1.0, 3.0], [np.nan, 0.5]])
            for name in ("ite_rmse", "factual_mse", "ate_error")
        },
    }
    found = medians(older)
    assert [(item.name, item.ite_rmse, item.reason) for item in found] == [
        ("constant effect", 2.0, ""),
        ("one that is gone", 0.5, "why"),
    ]
    assert best_first(found)[0].name == "one that is gone"
    assert [word_of(item.name) for item in found] == ["constant", "one that is gone"]


def test_raw_and_z_scored_stand_in_one_line_the_best_first() -> None:
    def item(name: str, error: float) -> Baseline:
        return Baseline(name=name, ite_rmse=error, factual_mse=0.0, ate_error=0.0)

    a, b, c = item("a", 2.0), item("b", 1.0), item("a" + Z_SCORED, 0.5)
    lost = item("c", np.nan)
    assert side_by_side([lost, a, b, c]) == [("a", a, c), ("b", b, None), ("c", lost, None)]


# -- the network without a penalty ---


@pytest.fixture(scope="module")
def result() -> RunResult:
    found = train(RunConfig(scenario=Scenario(n_samples=400), training=SHORT))
    assert not found.status.any()  # none collapsed
    return found


def test_the_weight_decay_is_that_of_the_least_factual_error_in_each_replicate(result: RunResult) -> None:
    told: list[tuple[int, int]] = []
    found = regularised.train_regularised(result, lambda done, total: told.append((done, total)))
    assert found is not None
    assert told[-1] == (10 * len(regularised.DECAYS),) * 2
    assert told == sorted(set(told))
    candidates = {0.0: result}
    for decay in regularised.DECAYS:
        alone = replace(result.config.training, lams=(0.0,), weight_decay=decay)
        candidates[decay] = train(replace(result.config, training=alone))
    for replicate in (0, 1):
        by_decay = {d: item.by_lam(item.factual_mse)[replicate, 0] for d, item in candidates.items()}
        best = min(by_decay, key=lambda d: by_decay[d])
        assert found["weight_decay"][replicate] == best
        for name in ("factual_mse", "ite_rmse", "ate_error"):
            wanted = candidates[best].by_lam(getattr(candidates[best], name))[replicate, 0]
            assert found[name][replicate] == pytest.approx(wanted, rel=1e-4)
    assert found["reason"].tolist() == ["", ""]


def test_a_decay_that_kills_the_network_is_not_picked_and_all_that_do_have_a_reason(
    result: RunResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    dead = replace(result, status=np.ones_like(result.status), factual_mse=np.zeros_like(result.factual_mse))
    monkeypatch.setattr(
        regularised, "_trained", lambda config, told, stop: replace(dead, config=config, **_first(dead))
    )
    alive = regularised.train_regularised(result)
    assert alive is not None
    assert alive["weight_decay"].tolist() == [0.0, 0.0]
    none = regularised.train_regularised(dead)
    assert none is not None
    assert np.isnan(none["factual_mse"]).all()
    assert none["reason"].tolist() == ["it collapsed or diverged at every weight decay"] * 2


def _first(result: RunResult) -> dict[str, np.ndarray]:
    names = ("status", "factual_mse", "ite_rmse", "ate_error")
    return {name: result.by_lam(getattr(result, name))[:, 0] for name in names}


def test_whoever_stops_it_waits_for_no_epoch(result: RunResult) -> None:
    assert regularised.train_regularised(result, should_stop=lambda: True) is None


def test_its_name_is_the_last_of_the_table() -> None:
    assert (*BASELINES, *OF_TRACES, *OF_IMAGES, REGULARISED) == NAMES
    assert len(set(NAMES)) == len(NAMES)
