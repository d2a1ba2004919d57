"""The λ path page shows what each λ is worth, which one would be chosen, and what choosing without the truth costs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from crl_core.measures.evidence import gather
from crl_core.measures.lam_choice import choices
from crl_core.runs.store import RunStore
from pages.shared import fields
from tests.crl_core.made_up import without_truth
from tests.lecture_runs import broken
from tests.pages.conftest import PARAMS, Open, Tiny, words
from tests.pages.figures import figures, numbers, sound, titled, written

Arrays = dict[str, np.ndarray]
MAIN = "Effect error"


@pytest.fixture(scope="module")
def evidence(tiny: Tiny) -> Arrays:
    return gather(tiny.result)


@pytest.fixture
def complete(store: RunStore, tiny: Tiny, evidence: Arrays) -> None:
    store.save(tiny.result)
    store.add(tiny.config.key, "evidence", evidence)


def curve(figure: dict) -> np.ndarray:
    """The medians: the trace with one mark a λ."""
    marks = [t for t in figure["data"] if t.get("mode") == "markers" and len(numbers(t["x"])) == 4 and t.get("name")]
    assert len(marks) == 1
    return numbers(marks[0]["y"])


def test_the_four_curves_are_medians_over_replicates(
    open_app: Open, tiny: Tiny, complete: None, evidence: Arrays
) -> None:
    app = open_app("path", **tiny.params, lam="1")
    assert not app.exception
    for title, values in (
        (MAIN, tiny.result.ite_rmse),
        ("Factual error", tiny.result.factual_mse),
        ("MMD²", tiny.result.mmd2),
        ("Domain AUC", evidence["domain_auc"]),
    ):
        np.testing.assert_allclose(curve(titled(app, title)), np.median(values.reshape(2, 4), axis=0), rtol=1e-5)


def test_moving_lam_moves_the_mark_and_no_axis(open_app: Open, tiny: Tiny, complete: None) -> None:
    drawn = [titled(open_app("path", **tiny.params, lam=lam), MAIN) for lam in ("0", "10")]
    assert drawn[0]["layout"]["yaxis"]["range"] == drawn[1]["layout"]["yaxis"]["range"]
    assert drawn[0]["layout"]["xaxis"]["range"] == drawn[1]["layout"]["xaxis"]["range"]
    np.testing.assert_array_equal(curve(drawn[0]), curve(drawn[1]))
    assert drawn[0]["layout"]["shapes"][0]["x0"] < drawn[1]["layout"]["shapes"][0]["x0"]


def test_the_cost_of_choosing_without_the_truth_is_the_regret(open_app: Open, tiny: Tiny, store: RunStore) -> None:
    # three epochs leave networks that count as collapsed; here they stand for usable ones
    store.save(replace(tiny.result, status=np.zeros_like(tiny.result.status)))
    said = words(open_app("path", **tiny.params, lam="1"))
    oracle, blind = choices(tiny.result.ite_rmse.reshape(2, 4), tiny.result.factual_mse.reshape(2, 4))[:2]
    assert f"×{np.median(blind.regret):.1f}" in said
    assert f"{np.median(oracle.ite_rmse):.3f}" in said
    assert "With the truth one would choose λ" in said


def test_every_rule_is_listed_with_its_pick_or_the_reason_for_none(open_app: Open, tiny: Tiny, complete: None) -> None:
    said = words(open_app("path", **tiny.params, lam="1"))
    for title in (
        "least factual error",
        "largest λ within twice",
        "least domain AUC",
        "R-score",
        "nearest-neighbour",
    ):
        assert title in said
    assert "No pick: needs three environments or more; this run has 2." in said


def test_baselines_and_earlier_epochs_lie_under_the_curve(open_app: Open, tiny: Tiny, complete: None) -> None:
    drawn = titled(open_app("path", **tiny.params, lam="1"), MAIN)
    dashed = [t for t in drawn["data"] if t.get("line", {}).get("dash") == "dash"]
    assert len(dashed) == 4  # the best baselines
    assert "Best without a penalty" in words(open_app("path", **tiny.params, lam="1"))
    faint = [t for t in drawn["data"] if "after epoch" in str(t.get("hovertemplate", ""))]
    assert faint
    first = tiny.result.history["ite_rmse"][0].reshape(2, 4)
    np.testing.assert_allclose(numbers(faint[0]["y"]), np.median(first, axis=0), rtol=1e-5)


def test_noise_is_called_a_floor_only_where_x_does_not_leak_it(
    open_app: Open, tiny: Tiny, store: RunStore, complete: None
) -> None:
    assert "nobody gets below the noise" in words(open_app("path", **tiny.params, lam="1"))
    leaky = fields.build("leaky", {"epochs": 3, "samples": 400, "replicates": 2, "set": PARAMS["set"]})
    store.save(replace(tiny.result, config=leaky))
    app = open_app("path", **(PARAMS | {"preset": "leaky"}), lam="1")
    assert titled(app, "Factual error")["data"]
    assert "nobody gets below the noise" not in words(app)


def test_lam_zero_is_named_for_what_it_is(open_app: Open, tiny: Tiny, complete: None) -> None:
    assert "TARNet, plain ERM" in words(open_app("path", **tiny.params, lam="1"))


def test_a_lost_model_is_a_word_on_the_curve_and_not_a_number(open_app: Open, tiny: Tiny, store: RunStore) -> None:
    store.save(broken(sound(tiny), diverged=1, collapsed=2))
    app = open_app("path", **tiny.params, lam="0.1")
    assert not app.exception
    assert "1 of 2 diverged" in written(titled(app, MAIN))
    assert "1 of 2 collapsed" in written(titled(app, MAIN))
    assert "nan" not in words(app).lower()


def test_until_the_evidence_is_there_the_page_says_so(open_app: Open, tiny: Tiny, store: RunStore) -> None:
    store.save(tiny.result)
    app = open_app("path", **tiny.params, lam="1")
    assert not app.exception
    assert "not computed" in words(app)
    assert "not computed" in written(titled(app, "Domain AUC"))


def test_without_a_run_the_page_offers_to_train(open_app: Open, tiny: Tiny) -> None:
    app = open_app("path", **tiny.params)
    assert not app.exception
    assert "Train these settings" in {button.label for button in app.button}
    assert not figures(app)


@pytest.mark.parametrize("page", ["train", "path", "effects", "latent", "lecture", "runs", "serve"])
def test_a_run_whose_true_effects_are_not_known_opens_on_every_page(
    page: str, open_app: Open, store: RunStore, tiny: Tiny, evidence: Arrays
) -> None:
    store.save(without_truth(tiny.result))
    store.add(tiny.config.key, "evidence", evidence)
    app = open_app(page, **tiny.params, lam="1")
    assert not app.exception
    if page == "path":
        assert len(figures(app)) == 4
        for title in ("Factual error", "MMD²", "Domain AUC", "Generalisation gap"):
            assert np.isfinite(curve(titled(app, title))).all()
        assert "no λ has an effect error" in words(app)
