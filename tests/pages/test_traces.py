"""A trace stands beside the picture of its row, and the gradient says where a network looks, once it is asked for."""

from __future__ import annotations

from dataclasses import replace
from html import unescape

import numpy as np
import pytest

from crl_core import preset, train
from crl_core.export.checkpoint import trace_said
from crl_core.measures.baselines import ranked, word_of
from crl_core.measures.edits import answers
from crl_core.measures.saliency import gradient, looks
from crl_core.measures.saliency_words import looked_said
from crl_core.results import RunResult, data_of, view_rows
from crl_core.runs.store import RunStore
from pages.shared import folds
from pages.shared.tables import signed
from pages.shared.trace_viewer import INPUT, TRACE, representative
from tests.lecture_runs import broken
from tests.pages.conftest import FILTER, LABEL, Open, Tiny, words
from tests.pages.figures import figures, numbers, rows_drawn, titled, written
from tests.pages.test_edits import link
from tests.pages.test_serve import made_up


def ring(drawn: dict) -> tuple[float, float]:  # type: ignore[type-arg]
    """The place of the ring in a picture of rows."""
    found = next(trace for trace in drawn["data"] if (trace.get("marker") or {}).get("symbol") == "circle-open")
    return numbers(found["x"])[0], numbers(found["y"])[0]


def test_before_any_tap_a_representative_trace_stands_beside_the_latent_and_the_text_says_how_to_choose(
    open_app: Open, store: RunStore, trained: RunResult
) -> None:
    store.save(trained)
    app = open_app("latent", **link(FILTER), lam="1")
    assert not app.exception
    view = view_rows(FILTER)
    row = representative(view)
    apart = [np.sum((x - view.x[view.env == 0].mean(axis=0)) ** 2) for x in view.x[view.env == 0]]
    assert row == np.argmin(apart)
    drawn = titled(app, f"Row {row + 1}, ")
    lines = [trace for trace in drawn["data"] if trace["mode"] == "lines"]
    np.testing.assert_allclose(numbers(lines[-1]["y"]), view.x[row], atol=1e-6)
    for env in (0, 1):
        np.testing.assert_allclose(numbers(lines[env]["y"]), view.x[view.env == env].mean(axis=0), atol=1e-6)
    assert "Tap a point to see its trace, or move the slider" in words(app)


def test_a_chosen_row_has_its_trace_its_answer_and_a_ring_and_stays_when_lambda_moves(
    open_app: Open, store: RunStore, trained: RunResult
) -> None:
    store.save(trained)
    app = open_app("latent", **link(FILTER), lam="1")
    app.slider(key="latent.row").set_value(31).run()
    view, places = view_rows(FILTER), []
    for at, lam in ((1, "1"), (2, "10")):
        app.query_params["lam"] = lam
        if lam == "10":
            app.session_state["lam"] = 10.0
            app.run()
        assert not app.exception
        assert app.slider(key="latent.row").value == 31
        lines = [trace for trace in titled(app, "Row 31, ")["data"] if trace["mode"] == "lines"]
        np.testing.assert_allclose(numbers(lines[-1]["y"]), view.x[30], atol=1e-6)
        tau = float(answers(trained, view)[at, 30])
        assert f">{signed(tau)}</td>" in words(app)
        assert f"τ̂ at λ = {lam}" in words(app)
        latent = titled(app, f"Latent at λ = {lam}")
        drawn = [trace for trace in latent["data"] if trace.get("customdata") is not None]
        at_row = np.concatenate([numbers(trace["customdata"]) for trace in drawn])
        assert sorted(at_row) == list(range(len(view)))
        place = list(at_row).index(30)
        there = tuple(np.concatenate([numbers(trace[axis]) for trace in drawn])[place] for axis in "xy")
        assert ring(latent) == pytest.approx(there)
        places.append(there)
    assert places[0] != places[1]


def test_the_input_can_be_put_back_beside_the_latent(open_app: Open, store: RunStore, labelled: RunResult) -> None:
    store.save(labelled)
    app = open_app("latent", **link(LABEL), lam="1")
    assert app.segmented_control(key="latent.beside").value == TRACE
    assert "the network says" in words(app)
    app.segmented_control(key="latent.beside").set_value(INPUT).run()
    assert not app.exception
    n = len(view_rows(LABEL))
    assert rows_drawn(titled(app, "Input x")) == rows_drawn(titled(app, "Latent")) == n + 1  # and the ring
    assert "the network says" not in words(app)


def test_of_covariates_there_is_no_trace_and_no_choice(open_app: Open, store: RunStore) -> None:
    config = preset("hospital")
    small = replace(config, scenario=replace(config.scenario, n_samples=400))
    small = replace(small, training=replace(config.training, epochs=1, replicates=1))
    store.save(train(small))
    app = open_app("latent", **link(small))
    assert not app.exception
    assert titled(app, "Input x")
    assert "latent.beside" not in {box.key for box in app.segmented_control}
    assert "latent.row" not in {box.key for box in app.slider}


def test_the_gradient_is_computed_when_it_is_asked_for_and_is_that_of_the_row_that_is_edited(
    open_app: Open, store: RunStore, trained: RunResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.save(trained)
    asked = []

    def counted(result: RunResult, replicate: int = 0) -> object:
        asked.append(replicate)
        return looks(result, replicate)

    monkeypatch.setattr("pages.shared.model_views.looks", counted)
    monkeypatch.setattr(folds, "is_open", lambda box: bool(box.open))
    app = open_app("effects", **link(FILTER), lam="1")
    assert not app.exception
    assert not asked
    app.session_state["edits.gradient"] = True
    app.slider(key="edits.row").set_value(7).run()
    assert not app.exception
    assert asked == [0, 1]
    drawn = titled(app, "Row 7: gradient at λ = 1")
    rows = data_of(FILTER)[1]
    lines = [numbers(trace["y"]) for trace in drawn["data"]]
    np.testing.assert_allclose(lines[0], rows.x[6], atol=1e-6)
    np.testing.assert_allclose(lines[1], gradient(trained, rows, 1)[6], rtol=1e-4, atol=1e-6)
    found = [looks(trained, replicate) for replicate in (0, 1)]
    spectrum = {trace["name"]: numbers(trace["y"]) for trace in titled(app, "Spectrum of the gradient")["data"]}
    for at, name in enumerate(("λ = 0", "λ = 1")):
        np.testing.assert_allclose(spectrum[name], found[0].power[at], rtol=1e-5)
    said = unescape(words(app))
    assert looked_said(found, trained.lams, 1.0, label=False) in said
    assert "the edit above is the number to trust" in said


@pytest.mark.parametrize("page", ["effects", "path", "unseen"])
def test_of_a_label_the_share_at_the_hum_is_drawn_along_lambda(
    open_app: Open, store: RunStore, labelled: RunResult, page: str
) -> None:
    store.save(labelled)
    app = open_app(page, **link(LABEL), lam="1")
    assert not app.exception
    points = next(
        trace for trace in titled(app, "Share of it at the hum")["data"] if trace.get("name") == "share of the spectrum"
    )
    median = np.median([looks(labelled, replicate).at_hum for replicate in (0, 1)], axis=0)
    np.testing.assert_allclose(numbers(points["y"]), median, rtol=1e-5)


def test_a_diverged_model_has_a_trace_no_answer_and_no_gradient(
    open_app: Open, store: RunStore, trained: RunResult
) -> None:
    store.save(broken(trained, diverged=1, collapsed=2))
    for page in ("latent", "effects"):
        app = open_app(page, **link(FILTER), lam="1")
        assert not app.exception
        assert "nan" not in words(app).lower()
        assert not any("NaN" in str(figure["layout"]) for figure in figures(app))
    assert "This model has no gradient here." in written(titled(app, "Row 1: gradient"))


def test_the_export_page_says_what_a_row_of_samples_is_and_reads_rows_from_a_file(
    open_app: Open, store: RunStore, labelled: RunResult
) -> None:
    store.save(labelled)
    made_up(store, Tiny(link(LABEL), LABEL, labelled), 1.0)
    app = open_app("serve", **link(LABEL), lam="1")
    assert not app.exception
    said = unescape(words(app))
    assert f"A row is {trace_said(LABEL.scenario)}, as recorded" in said
    assert "At most 1,024 rows a request" in said
    assert "treatment has no part in it, so ite means nothing" in said
    codes = [block.value for block in app.code]
    assert sum("traces.csv" in code for code in codes) == 2
    assert max(len(code) for code in codes) < 1000


@pytest.mark.parametrize("page", ["effects", "path"])
def test_the_views_of_a_trace_that_a_figure_names_are_said_below_it(open_app: Open, store: RunStore, page: str) -> None:
    baked, key = RunStore(store.root / "of the program"), preset("filter").key
    evidence = baked.part(key, "evidence")
    assert evidence is not None
    store.save(baked.load(key))
    store.add(key, "evidence", evidence)
    app = open_app(page, preset="filter", lam="3")
    assert not app.exception
    named = {word_of(item.name).split(", ")[-1] for item in ranked(evidence)[:4]}
    said = unescape(words(app))
    views = {"clinical": "nine numbers that", "no hum": "without the sines", "trace z": "less its own mean"}
    assert named & set(views)
    for word, what in views.items():
        assert (f"{word}: {what}" in said) == (word in named)
