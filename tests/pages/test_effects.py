"""The Effects page shows estimates against the truth, baselines beside them, and where in the plane a model is
right."""

from __future__ import annotations

import numpy as np
import pytest

from crl_core import train
from crl_core.measures.baselines import Z_SCORED, best_first, word_of
from crl_core.measures.baselines import medians as medians_of
from crl_core.measures.evidence import gather
from crl_core.results import RunResult, data_of, predict, view_rows
from crl_core.runs.store import RunStore
from pages.shared import fields
from tests.lecture_runs import broken
from tests.pages.conftest import PARAMS, Open, Tiny, words
from tests.pages.figures import figures, numbers, rows_drawn, sound, titled, written

Arrays = dict[str, np.ndarray]


@pytest.fixture(scope="module")
def evidence(tiny: Tiny) -> Arrays:
    return gather(tiny.result)


@pytest.fixture
def complete(store: RunStore, tiny: Tiny, evidence: Arrays) -> None:
    store.save(tiny.result)
    store.add(tiny.config.key, "evidence", evidence)


@pytest.fixture(scope="module")
def constant() -> RunResult:
    """The recipe: the effect is 1 for everyone."""
    return train(fields.build("recipe", {"epochs": 2, "samples": 400, "replicates": 1, "set": PARAMS["set"]}))


def test_every_held_out_row_is_drawn_at_its_true_and_estimated_effect(
    open_app: Open, tiny: Tiny, complete: None
) -> None:
    app = open_app("effects", **tiny.params, lam="1")
    assert not app.exception
    view = view_rows(tiny.config)
    drawn = titled(app, "Estimated against true, λ = 1")
    assert rows_drawn(drawn) == len(view)
    low, high = drawn["layout"]["yaxis"]["range"]
    weights = {name: value[2:3] for name, value in tiny.result.weights.items()}
    _, y0_hat, y1_hat = predict(weights, view.x)
    expected = sorted(zip(view.ite, np.clip((y1_hat - y0_hat)[0], low, high), strict=True))
    points = [t for t in drawn["data"] if t.get("mode") == "markers" and t.get("showlegend") is False]
    got = sorted((x, y) for t in points for x, y in zip(numbers(t["x"]), numbers(t["y"]), strict=True))
    np.testing.assert_allclose(got, expected, atol=1e-4)


def test_error_bias_and_correlation_are_those_of_all_held_out_rows(open_app: Open, tiny: Tiny, complete: None) -> None:
    said = words(open_app("effects", **tiny.params, lam="1"))
    errors, biases = [], []
    for replicate in (0, 1):
        rows = data_of(tiny.config, replicate)[1]
        m = replicate * 4 + 2
        _, y0_hat, y1_hat = predict({k: v[m : m + 1] for k, v in tiny.result.weights.items()}, rows.x)
        gap = (y1_hat - y0_hat)[0].astype(np.float64) - rows.ite
        errors.append(np.sqrt(np.mean(gap**2)))
        biases.append(np.mean(gap))
    assert f"<b>{np.median(errors):.3f}</b><span>effect error</span>" in said
    assert f"<b>{np.median(biases):+.3f}</b><span>bias</span>".replace("-", "−") in said


def test_a_bias_that_rounds_to_nothing_has_no_sign(open_app: Open, tiny: Tiny, complete: None) -> None:
    for lam in ("0", "0.1", "1", "10"):
        said = words(open_app("effects", **tiny.params, lam=lam))
        assert "+0.000" not in said
        assert "−0.000" not in said


def test_rows_can_be_split_by_environment(open_app: Open, tiny: Tiny, complete: None) -> None:
    app = open_app("effects", **tiny.params, lam="1")
    app.segmented_control(key="effects.split").set_value("each environment").run()
    assert not app.exception
    drawn = titled(app, "Estimated against true")
    assert "xaxis2" in drawn["layout"]
    assert rows_drawn(drawn) == len(view_rows(tiny.config))


def test_baselines_stand_beside_the_network_and_lam_zero_is_named(
    open_app: Open, tiny: Tiny, complete: None, evidence: Arrays
) -> None:
    app = open_app("effects", **tiny.params, lam="1")
    drawn = titled(app, "Effect error")
    said = written(drawn)
    assert "λ = 0: TARNet, plain ERM" in said
    shown = best_first(medians_of(evidence))
    for item in shown[:4]:
        assert word_of(item.name) in said
    whole = words(app)
    for name in evidence["baseline_names"]:
        assert str(name).removesuffix(Z_SCORED) in whole
    assert f"Best without a penalty: {shown[0].name}" in whole
    medians = np.concatenate([numbers(t["x"]) for t in drawn["data"] if t.get("mode") == "markers"])
    for item in shown[:4]:
        assert np.isclose(medians, item.ite_rmse, rtol=1e-3).any()


def test_the_map_of_the_model_lies_beside_the_truth_and_their_difference(
    open_app: Open, tiny: Tiny, complete: None
) -> None:
    app = open_app("effects", **tiny.params, lam="1")
    model, truth, gap = (
        numbers(titled(app, words_)["data"][0]["z"]) for words_ in ("Estimate τ̂", "Truth τ", "Difference")
    )
    np.testing.assert_allclose(model - truth, gap, atol=1e-4)
    np.testing.assert_allclose(truth, truth[:1].repeat(len(truth), axis=0), atol=1e-5)  # no s in the true effect
    assert rows_drawn(titled(app, "Estimate τ̂")) > 0  # the data lies on top


def test_a_constant_effect_has_a_distribution_and_no_correlation(
    open_app: Open, store: RunStore, constant: RunResult
) -> None:
    store.save(constant)
    params = PARAMS | {"preset": "recipe", "epochs": "2", "replicates": "1"}
    app = open_app("effects", **params, lam="1")
    assert not app.exception
    said = words(app)
    assert "not defined: the true effect is the same for everyone" in said
    assert "nan" not in said.lower()
    assert "known only in simulation" in written(titled(app, "Estimated effects at λ = 1"))


def test_with_many_inputs_the_map_says_that_it_is_a_slice(open_app: Open, store: RunStore) -> None:
    params = PARAMS | {"preset": "sensors", "epochs": "1", "replicates": "1"}
    result = train(fields.build("sensors", {"epochs": 1, "samples": 400, "replicates": 1, "set": PARAMS["set"]}))
    store.save(result)
    app = open_app("effects", **params, lam="1")
    assert not app.exception
    assert "slice through the data" in words(app)


def test_a_diverged_model_is_named_and_its_neighbours_are_shown(open_app: Open, tiny: Tiny, store: RunStore) -> None:
    lost = broken(sound(tiny), diverged=1, collapsed=2)
    store.save(lost)
    app = open_app("effects", **tiny.params, lam="0.1")
    assert not app.exception
    assert "diverged" in words(app)
    assert "nan" not in words(app).lower()
    again = open_app("effects", **tiny.params, lam="10")
    assert rows_drawn(titled(again, "Estimated against true")) == len(view_rows(tiny.config))


def test_until_the_baselines_are_there_the_page_says_so(open_app: Open, tiny: Tiny, store: RunStore) -> None:
    store.save(tiny.result)
    app = open_app("effects", **tiny.params, lam="1")
    assert not app.exception
    assert "baselines are not computed" in words(app)


def test_without_a_run_the_page_offers_to_train(open_app: Open, tiny: Tiny) -> None:
    app = open_app("effects", **tiny.params)
    assert not app.exception
    assert "Train these settings" in {button.label for button in app.button}
    assert not figures(app)
