"""Probes, baselines and the choices of λ are what scikit-learn gives when asked another way; none of them sees the
truth."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LinearRegression, RidgeCV
from sklearn.metrics import r2_score
from sklearn.model_selection import PredefinedSplit, cross_val_predict
from sklearn.neighbors import KNeighborsRegressor

from crl_core import MultiEnvData, RunConfig, Scenario, Training, sample, train
from crl_core.data.scm import split
from crl_core.measures import evidence
from crl_core.measures import selection as rules
from crl_core.measures.baselines import BASELINES, REGULARISED, Baseline, each_fitted, fit_all
from crl_core.measures.evidence import gather
from crl_core.measures.lam_choice import RULES
from crl_core.measures.probes import better_r2, effective_rank, latent_norm, norm_and_rank, read_from
from crl_core.results import RunResult, data_of
from crl_core.runs.bundle_arrays import evidence_specs, from_npz, to_npz

HOSPITAL = Scenario(n_samples=500, propensity=(1.0, 0.0), offset=(2.0, -2.0), heterogeneity=0.5)
TINY = Training(lams=(0.0, 1.0), replicates=2, epochs=3, batch_size=64, hidden=8, latent_dim=4, learning_rate=0.01)


def rng() -> np.random.Generator:
    return np.random.default_rng(1)


def rows(scenario: Scenario = HOSPITAL) -> tuple[MultiEnvData, MultiEnvData]:
    data = sample(scenario, 0)
    fit, held_out = split(data, 0)
    return data.rows(fit), data.rows(held_out)


@pytest.fixture(scope="module")
def result() -> RunResult:
    return train(RunConfig(scenario=HOSPITAL, training=TINY))


def test_runs_on_the_same_rows_have_their_baselines_fitted_once(
    result: RunResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = train(RunConfig(scenario=HOSPITAL, training=replace(TINY, penalty="coral")))
    monkeypatch.setattr(evidence, "_OF_ROWS", {})
    alone = gather(other)
    evidence._OF_ROWS.clear()
    fitted: list[object] = []

    def counted(*args: Any) -> Iterator[Baseline]:
        fitted.append(args)
        yield from each_fitted(*args)

    monkeypatch.setattr(evidence, "each_fitted", counted)
    first = gather(result)
    assert len(fitted) == TINY.replicates
    told: list[tuple[int, int]] = []
    again = gather(other, lambda done, total: told.append((done, total)))
    assert len(fitted) == TINY.replicates
    assert told == [(k + 1, len(told)) for k in range(len(told))]
    for name, values in alone.items():
        np.testing.assert_array_equal(again[name], values, err_msg=name)
    assert not np.array_equal(again["r2_z_knn"], first["r2_z_knn"])
    elsewhere = train(RunConfig(scenario=replace(HOSPITAL, heterogeneity=0.7), training=TINY))
    assert not np.array_equal(gather(elsewhere)["baseline_ite_rmse"], first["baseline_ite_rmse"])


# -- probes --


def test_what_stands_in_the_latent_can_be_read_and_what_does_not_cannot() -> None:
    draw = rng()
    z, s, other = draw.standard_normal((3, 600))
    phi = np.column_stack([2 * z + 5, np.sin(z), s**2])
    ridge, knn = read_from(phi, np.column_stack([z, s, other]), rng())
    assert ridge[0] == pytest.approx(1, abs=0.01)
    assert abs(ridge[1]) < 0.1  # the sign of s is gone, and a line cannot read its square
    assert knn[0] > 0.8
    assert ridge[2] < 0.1
    assert knn[2] < 0.1


def test_probe_r2_equals_scikit_learns_on_the_same_folds() -> None:
    draw = rng()
    phi, target = draw.standard_normal((200, 3)), draw.standard_normal((200, 1))
    target += phi[:, :1]
    ridge, knn = read_from(phi, target, rng())
    x, folds = (phi - phi.mean(0)) / phi.std(0), PredefinedSplit(rng().permutation(200) % 5)
    for got, model in ((ridge, RidgeCV((1e-3, 0.1, 10.0))), (knn, KNeighborsRegressor(15))):
        predicted = cross_val_predict(model, x, target[:, 0], cv=folds)
        assert got[0] == pytest.approx(r2_score(target[:, 0], predicted))


def test_probes_hardly_depend_on_how_the_rows_were_split() -> None:
    draw = rng()
    phi = draw.standard_normal((700, 8))
    target = phi[:, :1] ** 2 + phi[:, 1:2] + draw.standard_normal((700, 1))
    found = np.array([np.concatenate(read_from(phi, target, np.random.default_rng(i))) for i in range(10)])
    assert (found.std(axis=0) < 0.03).all()


def test_each_target_is_read_at_the_strength_that_suits_it() -> None:
    draw = rng()
    phi = draw.standard_normal((80, 12))
    targets = np.column_stack([phi[:, 0], 50 * draw.standard_normal(80)])  # one clear, one all noise
    ridge, _ = read_from(phi, targets, rng())
    for column in range(2):
        alone, _ = read_from(phi, targets[:, [column]], rng())
        assert ridge[column] == pytest.approx(alone[0])


def test_a_constant_cause_has_no_r2_instead_of_an_invented_one() -> None:
    ridge, knn = read_from(rng().standard_normal((50, 2)), np.ones((50, 1)), rng())
    assert np.isnan(ridge).all()
    assert np.isnan(knn).all()


def test_the_better_probe_says_what_can_be_read_and_one_alone_is_enough() -> None:
    evidence = {
        "r2_z_ridge": np.array([0.2, 0.9, np.nan, np.nan]),
        "r2_z_knn": np.array([0.6, 0.1, 0.3, np.nan]),
    }
    np.testing.assert_array_equal(better_r2(evidence, "z"), [0.6, 0.9, 0.3, np.nan])


def test_rank_counts_the_directions_in_use_and_norm_the_size() -> None:
    base = np.linalg.qr(rng().standard_normal((500, 5)) - 0.0)[0]
    base = (base - base.mean(0)) * 10
    flat = np.column_stack([base[:, 0], 2 * base[:, 0], -base[:, 0]])
    assert effective_rank(flat[None])[0] == pytest.approx(1, abs=1e-6)
    assert effective_rank(base[None])[0] == pytest.approx(5, abs=0.05)
    assert latent_norm(3 * base[None])[0] == pytest.approx(3 * latent_norm(base[None])[0])
    assert np.isnan(effective_rank(np.zeros((1, 9, 2))))


def test_effective_rank_is_the_exponential_of_the_entropy_of_the_singular_values() -> None:
    """Roy and Vetterli's definition, on directions of length 3 and 1."""
    base = np.linalg.qr(np.column_stack([np.ones(50), rng().standard_normal((50, 2))]))[0][
        :, 1:
    ]  # centred, orthonormal
    share = np.array([0.75, 0.25])
    assert effective_rank((base * [3, 1])[None])[0] == pytest.approx(np.exp(-(share * np.log(share)).sum()))


def test_norm_and_rank_of_several_models_leave_the_broken_ones_out() -> None:
    phi = np.random.default_rng(0).standard_normal((3, 50, 4))
    phi[1, 7, 2] = np.inf
    norm, rank = norm_and_rank(phi)
    assert np.isnan([norm[1], rank[1]]).all()
    np.testing.assert_array_equal(norm[[0, 2]], latent_norm(phi[[0, 2]]))
    np.testing.assert_array_equal(rank[[0, 2]], effective_rank(phi[[0, 2]]))


# -- baselines --


def test_baselines_equal_plain_regressions_fitted_by_hand() -> None:
    fit, held_out = rows(replace(HOSPITAL, propensity=(0.5, 0.5)))
    found = {item.name: item for item in fit_all(fit, held_out, rng())}
    assert list(found) == list(BASELINES)
    difference = fit.y[fit.t == 1].mean() - fit.y[fit.t == 0].mean()
    assert found["constant effect"].ite_rmse == pytest.approx(np.sqrt(np.mean((difference - held_out.ite) ** 2)))
    with_t = LinearRegression().fit(np.c_[fit.x, fit.t], fit.y).coef_[-1]
    assert found["least squares with t"].ate_error == pytest.approx(abs(with_t - held_out.ite.mean()))
    per_arm = [LinearRegression().fit(fit.x[fit.t == a], fit.y[fit.t == a]).predict(held_out.x) for a in (0, 1)]
    factual = np.where(held_out.t == 1, per_arm[1], per_arm[0])
    assert found["least squares per arm"].factual_mse == pytest.approx(np.mean((factual - held_out.y) ** 2))
    assert found["least squares per arm"].ite_rmse < 0.1  # the world is linear
    assert found["random forest per arm"].ite_rmse < found["constant effect"].ite_rmse


def test_a_small_arm_keeps_its_rows_however_many_the_other_has() -> None:
    scenario = replace(HOSPITAL, n_samples=20_000, propensity=(0.01, 0.01))
    fit, held_out = rows(scenario)
    few = int(fit.t.sum())
    forest = {item.name: item for item in fit_all(fit, held_out, rng())}["random forest per arm"]
    half = RandomForestRegressor(40, min_samples_leaf=5, max_samples=0.5, random_state=0)
    treated = half.fit(fit.x[fit.t == 1], fit.y[fit.t == 1]).predict(held_out.x)
    untreated = held_out.y0 if held_out.y0 is not None else np.nan
    assert few < 300
    assert forest.ite_rmse < 1.3 * np.sqrt(np.mean((treated - untreated - held_out.ite) ** 2))


def test_a_missing_arm_gives_a_reason_instead_of_an_error() -> None:
    fit, held_out = rows(replace(HOSPITAL, propensity=(1.0, 1.0)))
    for item in fit_all(fit, held_out, rng()):
        assert np.isnan(item.ite_rmse)
        least = 3 if item.name.startswith(("X-learner", "DR-learner")) else 2
        assert item.reason == f"0 untreated and 400 treated rows; both arms need at least {least}"


# -- choosing λ --


def choices(scenario: Scenario, ite_hat: np.ndarray, factual: list[float], auc: list[float]) -> dict[str, rules.Pick]:
    fit, held_out = rows(scenario)
    picks = rules.choose(np.array(factual), np.array(auc), ite_hat, fit, held_out, rng())
    assert tuple(pick.rule for pick in picks) == RULES
    return {pick.rule: pick for pick in picks}


def test_each_rule_picks_what_its_name_says() -> None:
    scenario = replace(HOSPITAL, propensity=(0.5, 0.5), n_samples=2000)
    _, held_out = rows(scenario)
    ite_hat = np.stack([held_out.ite + 3, held_out.ite, np.zeros(len(held_out)), held_out.ite - 4])
    picks = choices(scenario, ite_hat, [1.0, 1.5, 1.9, 2.1], [0.9, 0.7, 0.8, 0.5])
    assert picks["factual"].index == 0
    assert picks["largest"].index == 2
    assert picks["auc"].index == 1
    assert picks["r_score"].index == 1
    assert picks["nearest"].index == 1
    assert picks["left_out"].index is None


def test_a_rule_that_cannot_work_says_why() -> None:
    picks = choices(HOSPITAL, np.zeros((2, 100)), [1.0, 1.0], [np.nan, np.nan])
    assert "the treatment is certain" in picks["r_score"].reason
    assert picks["auc"].reason == "not defined: the domain AUC needs two groups of 6 rows or more"
    assert "needs three environments or more; this run has 2" in picks["left_out"].reason
    one_arm = choices(replace(HOSPITAL, propensity=(1.0, 1.0)), np.zeros((2, 100)), [1.0, 1.0], [0.6, 0.6])
    assert one_arm["nearest"].reason == "not defined: one arm only"
    assert one_arm["r_score"].reason == "not defined: one arm only"


def test_broken_models_are_never_picked() -> None:
    nothing = np.full((2, 100), np.nan)
    nothing[1] = 0
    picks = choices(HOSPITAL, nothing, [np.nan, 1.0], [np.nan, 0.7])
    assert {pick.index for pick in picks.values()} <= {1, None}
    none = choices(HOSPITAL, np.full((2, 100), np.nan), [np.nan, np.nan], [np.nan, np.nan])
    assert all(pick.index is None and pick.reason for pick in none.values())


def test_a_model_that_collapsed_is_not_picked_though_its_numbers_are_the_best(result: RunResult) -> None:
    status = np.array([0, 2, 0, 2])
    flattering = np.array([1.0, 0.1, 1.0, 0.1])
    picks = gather(replace(result, status=status, factual_mse=flattering))["rule_pick"]
    assert set(picks.ravel().tolist()) <= {0, -1}
    assert (picks[0] == 0).all()


def test_the_left_out_rule_picks_among_the_lams_that_were_trained_and_else_says_why() -> None:
    fit, held_out = rows(Scenario(n_samples=600, sigma=(0.5, 1.0, 2.0)))

    def pick(errors: list[float] | None) -> rules.Pick:
        found = None if errors is None else np.array(errors)
        ite_hat = np.zeros((3, len(held_out)))
        return rules.choose(np.array([1, np.nan, 1]), np.ones(3), ite_hat, fit, held_out, rng(), found)[-1]

    assert pick([2.0, 0.1, 1.0]) == rules.Pick(rule="left_out", index=2)  # the second broke in the run itself
    assert pick([0.5, np.nan, 1.0]).index == 0
    assert pick(None).reason == "nothing was trained without each environment"
    assert pick([np.nan] * 3).reason.startswith("not trained in this replicate, or without any one environment an arm")


def test_r_score_is_that_of_the_quasi_oracle_loss_written_out() -> None:
    fit, held_out = rows(replace(HOSPITAL, propensity=(0.5, 0.5)))
    ite_hat = np.stack([held_out.ite, 0 * held_out.ite])
    scores, reason = rules.r_score(ite_hat, fit, held_out, rng())
    size = {"n_estimators": 40, "min_samples_leaf": 20, "max_samples": 1.0}
    seed = int(rng().integers(2**31))
    e = RandomForestClassifier(**size, random_state=seed).fit(fit.x, fit.t).predict_proba(held_out.x)[:, 1]
    m = RandomForestRegressor(**size, random_state=seed).fit(fit.x, fit.y).predict(held_out.x)
    y, t = held_out.y - m, held_out.t - e
    effect = LinearRegression(fit_intercept=False).fit(t[:, None], y).coef_[0]
    base = sum((a - effect * b) ** 2 for a, b in zip(y, t, strict=True))
    for row, score in zip(ite_hat, scores, strict=True):
        loss = sum((a - tau * b) ** 2 for a, tau, b in zip(y, row, t, strict=True))
        assert score == pytest.approx(1 - loss / base)
    assert reason == ""


def test_matched_neighbours_are_those_found_by_hand() -> None:
    _, held_out = rows(replace(HOSPITAL, propensity=(0.5, 0.5), n_samples=150))
    x = np.empty_like(held_out.x)
    for e in (0, 1):
        own = held_out.env == e
        x[own] = (held_out.x[own] - held_out.x[own].mean(0)) / held_out.x[own].std(0)
    effect = []
    for i in range(len(x)):
        others = np.flatnonzero(held_out.t != held_out.t[i])
        match = others[np.linalg.norm(x[others] - x[i], axis=1).argmin()]
        effect.append((held_out.y[i] - held_out.y[match]) * (1 if held_out.t[i] == 1 else -1))
    got, _ = rules.nearest_neighbour_error(np.zeros((1, len(x))), held_out)
    assert got[0] == pytest.approx(np.sqrt(np.mean(np.square(effect))))


def test_no_rule_sees_the_truth() -> None:
    fit, held_out = rows(replace(HOSPITAL, propensity=(0.5, 0.5)))
    blind = [replace(part, y0=None, y1=None, z=None, s=None) for part in (fit, held_out)]
    ite_hat = np.stack([held_out.ite, -held_out.ite])
    seen = rules.choose(np.ones(2), np.ones(2), ite_hat, fit, held_out, rng())
    assert rules.choose(np.ones(2), np.ones(2), ite_hat, *blind, rng()) == seen


# -- all of it --


def test_evidence_covers_every_model_and_survives_storage(result: RunResult) -> None:
    told: list[tuple[int, int]] = []
    arrays = gather(result, lambda done, total: told.append((done, total)))
    steps = 4 + 2 * len(BASELINES)  # models, and baselines in each replicate
    assert told == [(done, steps) for done in range(1, steps + 1)]
    for name in (
        "domain_auc",
        "knn_mixing",
        "mmd2_p",
        "r2_z_ridge",
        "r2_s_knn",
        "latent_norm",
        "effective_rank",
    ):
        assert arrays[name].shape == (4,)
        assert np.isfinite(arrays[name]).all()
    assert arrays["baseline_names"].tolist() == [*BASELINES, REGULARISED]
    assert arrays["baseline_ite_rmse"].shape == (len(BASELINES) + 1, 2)
    assert arrays["baseline_reason"].shape == (len(BASELINES) + 1, 2)
    assert np.isfinite(arrays["baseline_ite_rmse"][:-1]).all()
    assert arrays["baseline_reason"][-1].tolist() == ["it was not trained with this run"] * 2
    assert arrays["rule_pick"].shape == (6, 2)
    again = from_npz("evidence.npz", to_npz(arrays), evidence_specs(result.config))
    assert again.keys() == arrays.keys()
    for name, values in arrays.items():
        np.testing.assert_array_equal(again[name], values)


def test_evidence_is_the_same_each_time(result: RunResult) -> None:
    a, b = gather(result), gather(result)
    for name, value in a.items():
        np.testing.assert_array_equal(value, b[name])


def test_a_broken_model_leaves_gaps_and_its_neighbours_whole(result: RunResult) -> None:
    weights = {name: value.copy() for name, value in result.weights.items()}
    weights["encoder.0.weight"][1] = np.nan
    broken = gather(replace(result, weights=weights))
    whole = gather(result)
    assert np.isnan([broken["domain_auc"][1], broken["r2_z_ridge"][1], broken["latent_norm"][1]]).all()
    np.testing.assert_array_equal(np.delete(broken["domain_auc"], 1), np.delete(whole["domain_auc"], 1))


@pytest.mark.parametrize(
    "scenario",
    [
        Scenario(n_samples=200, sigma=(1.0,)),
        Scenario(n_samples=200, cause_scale=(0.0,)),
        Scenario(n_samples=200, propensity=(1.0,)),
        Scenario(n_samples=200, sigma=(1.0,) * 10),
    ],
    ids=["one environment", "constant cause", "all treated", "a handful of rows in each of ten"],
)
@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_odd_worlds_have_evidence_without_a_warning(scenario: Scenario) -> None:
    run = RunConfig(scenario=scenario, training=replace(TINY, replicates=1, epochs=1))
    arrays = gather(train(run))
    assert (np.isnan(arrays["domain_auc"]) | (arrays["domain_auc"] >= 0)).all()
    if scenario.n_envs == 1:
        assert np.isnan(arrays["domain_auc"]).all()
    if scenario.cause_scale[0] == 0:
        assert np.isnan(arrays["r2_z_ridge"]).all()


def test_aligned_arms_are_what_overlap_compares(result: RunResult) -> None:
    confounded = RunConfig(
        scenario=Scenario(n_samples=500, confounding=4.0),
        training=replace(TINY, align="treatment", replicates=1),
    )
    arrays = gather(train(confounded))
    assert arrays["x_domain_auc"][0] > 0.8  # the arms differ in z; the environments do not
    assert data_of(confounded)[0].env.max() == 1
