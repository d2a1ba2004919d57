"""Worlds of traces on screen: what the network is given, and what it takes from the machine."""

from __future__ import annotations

from dataclasses import replace
from html import unescape

import numpy as np
import pytest

from crl_core import RunConfig, preset, train
from crl_core.data.interventions import first_dose
from crl_core.data.scm import sample
from crl_core.measures.edits import EDITS, edited, moved
from crl_core.measures.prediction import WORDS, prediction
from crl_core.measures.prediction import said as accuracy_said
from crl_core.results import RunResult, data_of
from crl_core.runs.store import RunStore
from crl_core.studies.along_dose import label_deployed
from crl_core.studies.deployed import reference_of
from crl_core.studies.deployed_view import dose_curves
from pages.shared import fields
from pages.shared.tables import signed
from tests.lecture_runs import broken
from tests.pages.conftest import FILTER, LABEL, Open, words
from tests.pages.figures import figures, numbers, titled

HUM, MACHINE = EDITS


def link(config: RunConfig) -> dict[str, str]:
    preset_id, values = fields.describe(config)
    home = fields.defaults(preset_id)
    return {"preset": preset_id} | {name: str(value) for name, value in values.items() if value != home.get(name)}


def test_the_scenario_shows_the_traces_of_each_hospital_and_what_their_machines_differ_in(open_app: Open) -> None:
    app = open_app("scenario", **link(FILTER))
    assert not app.exception
    drawn = titled(app, "What the network is given")
    data = sample(FILTER.scenario, FILTER.training.seed)
    thick = [trace for trace in drawn["data"] if trace.get("line", {}).get("width", 0) > 2]
    for env in (0, 1):
        np.testing.assert_allclose(numbers(thick[env]["y"]), data.x[data.env == env].mean(axis=0), atol=1e-6)
    assert numbers(thick[0]["x"])[1] == pytest.approx(1000 / 160)
    said = words(app)
    assert "not given these numbers but the traces below" in said
    assert ">high-pass</th>" in said
    assert ">0.05</td>" in said
    assert ">gain</th>" not in said  # the same in both


def test_the_scenario_of_a_label_shows_the_cause_of_each_label(open_app: Open) -> None:
    app = open_app("scenario", **link(LABEL))
    assert not app.exception
    drawn = titled(app, "The cause, by label")
    shares = [numbers(trace["y"])[1:-1:2].sum() for trace in drawn["data"] if trace.get("showlegend") is False]
    assert len(shares) == 4  # yes and no of each hospital
    assert shares[0] + shares[1] == pytest.approx(1)
    data = sample(LABEL.scenario, LABEL.training.seed)
    assert shares[0] == pytest.approx(data.y[data.env == 0].mean(), abs=0.02)  # a part of the rows is drawn
    assert "P(y = 1)" in words(app)


def test_a_world_of_covariates_shows_no_traces_and_nothing_to_record_again(open_app: Open, store: RunStore) -> None:
    config = preset("hospital")
    config = replace(
        config,
        scenario=replace(config.scenario, n_samples=400),
        training=replace(config.training, epochs=1, replicates=1),
    )
    store.save(train(config))
    for page in ("scenario", "effects"):
        app = open_app(page, **link(config))
        assert not app.exception
        assert "mV" not in str([figure["layout"] for figure in figures(app)])
    assert "What it looks at" not in words(app)


def test_a_row_is_drawn_as_recorded_and_as_the_other_machine_has_it(
    open_app: Open, store: RunStore, trained: RunResult
) -> None:
    store.save(trained)
    app = open_app("effects", **link(FILTER), lam="1")
    assert not app.exception
    assert app.segmented_control(key="edits.edit").value == MACHINE
    app.slider(key="edits.row").set_value(7).run()
    assert not app.exception
    before, after = data_of(trained.config)[1], edited(trained.config, MACHINE)
    drawn = titled(app, "Row 7,")
    lines = {trace["name"]: numbers(trace["y"]) for trace in drawn["data"]}
    np.testing.assert_allclose(lines["as recorded"], before.x[6], atol=1e-6)
    np.testing.assert_allclose(lines[MACHINE], after.x[6], atol=1e-6)
    said = words(app)
    for rows in (before, after):
        tau = float(trained.effects(rows.x)[1, 6])
        assert f">{tau:+.3f}<".replace("-", "−") in said
    assert f">{before.ite[6]:+.3f}<".replace("-", "−") in said
    assert "send every trace through the high-pass of 0.5 Hz as well" in said


def test_how_far_effects_move_is_drawn_along_lambda_and_said(
    open_app: Open, store: RunStore, trained: RunResult
) -> None:
    store.save(trained)
    app = open_app("effects", **link(FILTER), lam="10")
    sizes = np.stack([moved(trained, MACHINE, replicate).rms for replicate in (0, 1)])
    drawn = titled(app, "How far the effects move")
    points = next(trace for trace in drawn["data"] if trace.get("name") == "RMS change of τ̂")
    np.testing.assert_allclose(numbers(points["y"]), np.median(sizes, axis=0), rtol=1e-5)
    first, last = np.median(sizes, axis=0)[[0, 2]]
    assert f"the effects move by {first:.2f} at λ = 0 and {last:.2f} at λ = 10, in view" in words(app)
    app.segmented_control(key="edits.edit").set_value(HUM).run()
    assert not app.exception
    assert "a notch at 50 Hz in every hospital" in words(app)


def test_of_a_label_the_share_that_flips_is_shown_and_no_effect(
    open_app: Open, store: RunStore, labelled: RunResult
) -> None:
    store.save(labelled)
    app = open_app("effects", **link(LABEL), lam="1")
    assert not app.exception
    said = words(app)
    assert "treatment has no part in, so there is no effect" in said
    first, last = np.median([moved(labelled, HUM, replicate).flips for replicate in (0, 1)], axis=0)
    assert f"that flip is {100 * first:.1f} % at λ = 0 and {100 * last:.1f} % at λ = 1, in view." in said
    assert titled(app, "Share of labels that flip")["layout"]["yaxis"]["range"] == [0, 1]
    mean = moved(labelled, HUM).mean[1]
    assert f"ŷ moves by {signed(float(mean))} on average" in said
    app.segmented_control(key="edits.edit").set_value(MACHINE).run()
    assert not app.exception
    assert "The machines of all hospitals are alike" in words(app)


def test_the_path_of_a_label_speaks_of_no_effect_and_shows_the_share_that_flips(
    open_app: Open, store: RunStore, labelled: RunResult
) -> None:
    store.save(labelled)
    app = open_app("path", **link(LABEL))
    assert not app.exception
    said = words(app)
    assert "Treatment has no part in this outcome, so no λ has an effect error." in said
    assert "average effect" not in said
    assert titled(app, "Share of labels that flip")


@pytest.mark.parametrize("page", ["train", "path", "unseen"])
def test_of_a_label_it_is_shown_how_often_it_is_right_in_the_trial_and_elsewhere(
    open_app: Open, store: RunStore, labelled: RunResult, page: str
) -> None:
    store.save(labelled)
    app = open_app(page, **link(LABEL), lam="1")
    assert not app.exception
    found = prediction(labelled)
    for place, title in WORDS.items():
        drawn = titled(app, title[0].upper() + title[1:])
        points = next(trace for trace in drawn["data"] if trace.get("name") == "accuracy")
        median = np.median(labelled.by_lam(found.accuracy[place]), axis=0)
        np.testing.assert_allclose(numbers(points["y"]), median, rtol=1e-5)
    assert accuracy_said(found, labelled.lams.index(1.0), 1.0) in unescape(words(app))
    of_next = np.median(labelled.by_lam(found.auc["next"])[:, labelled.lams.index(1.0)])
    assert f"{of_next:.2f} in a next hospital" in words(app)
    assert page != "train" or "<span>effect error</span>" not in words(app)  # there is none


def test_an_unseen_environment_of_a_label_is_another_machine(
    open_app: Open, store: RunStore, labelled: RunResult
) -> None:
    store.save(labelled)
    app = open_app("unseen", **link(LABEL))
    assert not app.exception
    assert "no effect can be wrong" in words(app)
    assert "effect error" not in words(app)
    assert titled(app, "Share of labels that flip")
    assert app.selectbox(key="unseen.what").value == "hum"
    model = reference_of(labelled, float(labelled.lams[-1]))
    for what in ("notch", "z-shift", "none"):
        app.selectbox(key="unseen.what").select(what).run()
        assert not app.exception
        found = label_deployed(model, what, first_dose(LABEL.scenario, what), 200)
        assert f"{100 * found.here['accuracy']:.1f} %" in words(app)
        assert f"AUC {found.here['auc']:.2f}" in words(app)
    app.selectbox(key="unseen.what").select("notch").run()
    drawn = {trace.get("name"): trace for trace in titled(app, "Labels that are right")["data"]}
    curves = dose_curves(model, "notch", 200)
    np.testing.assert_allclose(numbers(drawn["accuracy"]["y"]), curves.right["accuracy"], atol=1e-6)
    np.testing.assert_allclose(numbers(drawn["AUC"]["y"]), curves.right["auc"], atol=1e-6)
    assert titled(app, "Latent MMD²")
    seen = replace(LABEL, scenario=replace(LABEL.scenario, observation="covariates"))
    store.save(train(seen))
    app = open_app("unseen", **link(seen))
    assert not app.exception
    assert "x is covariates here" in words(app)


def test_effects_in_the_world_of_a_label_are_deployed_and_the_presets_own_table_is_not_asked_for(
    open_app: Open, store: RunStore
) -> None:
    params = {
        "preset": "hum-label",
        "samples": "200",
        "epochs": "1",
        "replicates": "1",
        "set": "scenario.outcome=number",
    }
    config = fields.build("hum-label", {"samples": 200, "epochs": 1, "replicates": 1, "set": params["set"]})
    assert not config.without_effect
    store.save(train(config))
    app = open_app("unseen", **params)
    assert not app.exception
    assert "of 4 tests alarm" in words(app)
    assert "so no effect can be wrong there" in words(app)


def test_a_diverged_model_of_a_label_is_not_deployed(open_app: Open, store: RunStore, labelled: RunResult) -> None:
    store.save(broken(labelled, diverged=1, collapsed=0))
    app = open_app("unseen", **link(LABEL), lam="1")
    assert not app.exception
    assert "There is no model to deploy" in words(app)


def test_a_diverged_model_has_a_dash_and_its_neighbours_their_numbers(
    open_app: Open, store: RunStore, trained: RunResult
) -> None:
    store.save(broken(trained, diverged=1, collapsed=2))
    app = open_app("effects", **link(FILTER), lam="1")
    assert not app.exception
    assert "nan" not in words(app).lower()


def test_a_row_of_a_larger_world_gives_way_to_the_last_of_a_smaller_one(
    open_app: Open, store: RunStore, trained: RunResult
) -> None:
    store.save(trained)
    app = open_app("effects", **link(FILTER))
    app.slider(key="edits.row").set_value(80).run()
    smaller = replace(FILTER, scenario=replace(FILTER.scenario, n_samples=200))
    store.save(train(smaller))
    next(box for box in app.number_input if box.label == "Samples").set_value(200).run()
    assert not app.exception
    assert app.slider(key="edits.row").value == 40
