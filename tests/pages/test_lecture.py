"""The Lecture page in each of its states; what the browser does with it is in tests/browser."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from streamlit.testing.v1 import AppTest

from crl_core import train
from crl_core.config.text import altered
from crl_core.events import RunFailed, RunStarted
from crl_core.measures.edits import EDITS, moved
from crl_core.results import view_rows
from crl_core.runs.eventlog import EventLog
from crl_core.runs.store import RunStore
from crl_core.training.path import train_path
from tests.pages.conftest import Open, Tiny, words
from tests.pages.test_edits import LABEL, link

HUM = EDITS[0]


def sent(app: AppTest) -> dict[str, Any]:
    """What the scrubber was given."""
    (content,) = scrubbers(app)
    return content


def scrubbers(app: AppTest) -> list[dict[str, Any]]:
    """What each scrubber was given; a phone's bar is a component, too."""
    given = (json.loads(node.proto.json) for node in app.get("bidi_component"))
    return [content for content in given if "frames" in content]


def test_without_a_run_the_page_says_so_and_offers_to_train(open_app: Open, tiny: Tiny) -> None:
    app = open_app("lecture", **tiny.params)
    assert not app.exception
    assert "have not been trained yet" in words(app)
    assert scrubbers(app) == []


def test_a_sealed_run_is_sent_whole_and_what_it_lacks_is_named(open_app: Open, tiny: Tiny, store: RunStore) -> None:
    store.save(tiny.result)
    app = open_app("lecture", **tiny.params)
    assert not app.exception
    frames = sent(app)["frames"]
    assert frames["key"] == tiny.config.key
    assert frames["picture"] == "PCA"
    assert np.allclose(
        frames["metrics"]["ite_rmse"]["value"], np.median(tiny.result.by_lam(tiny.result.ite_rmse), axis=0), rtol=1e-5
    )
    assert "PCA stands in" in words(app)
    assert "Domain auc" not in words(app)


def test_after_a_change_the_curve_of_before_stays_behind_the_new_one_and_a_sentence_says_what_it_did(
    open_app: Open, tiny: Tiny, store: RunStore
) -> None:
    other = train(altered(tiny.config, epochs=4))
    for result in (tiny.result, other):
        store.save(result)
    app = open_app("lecture", **tiny.params)
    assert sent(app)["before"] is None
    app.number_input(key="epochs").set_value(4).run()
    assert sent(app)["frames"]["key"] == other.config.key
    curve = sent(app)["before"]
    assert curve["at"] == [0, 1, 2, 3]
    np.testing.assert_allclose(curve["value"], np.median(tiny.result.by_lam(tiny.result.ite_rmse), axis=0), rtol=1e-4)
    assert "Dashed curve: before" in words(app)


def test_with_its_parts_the_tsne_and_the_domain_auc_are_shown(open_app: Open, tiny: Tiny, store: RunStore) -> None:
    store.save(tiny.result)
    n = len(view_rows(tiny.config))
    store.add(tiny.config.key, "projection", {"tsne_xy": np.random.default_rng(0).normal(size=(4, n, 2))})
    store.add(tiny.config.key, "evidence", {"domain_auc": np.linspace(1, 0.5, 8)})
    frames = sent(open_app("lecture", **tiny.params))["frames"]
    assert frames["picture"] == "t-SNE"
    assert frames["metrics"]["domain_auc"]["own"][0] == 1.0


def test_a_run_under_way_shows_the_curves_so_far(open_app: Open, tiny: Tiny, store: RunStore) -> None:
    with EventLog(store.events_path(tiny.config.key)) as log:
        for event in train_path(tiny.config):
            if isinstance(event, RunStarted) or getattr(event, "epoch", 9) <= 2:
                log.append(event)
    with store.lock(tiny.config.key):
        app = open_app("lecture", **tiny.params)
        assert not app.exception
        frames = sent(app)["frames"]
        assert frames["state"] == "training"
        assert frames["epoch"] == 2
        assert frames["history"]["epochs"] == [1, 2]


def test_a_run_of_traces_is_sent_with_its_edits_and_the_keys_for_them_are_named(
    open_app: Open, store: RunStore
) -> None:
    result = train(LABEL)
    store.save(result)
    n = len(view_rows(LABEL))
    store.add(LABEL.key, "projection", {"tsne_xy": np.zeros((len(LABEL.training.lams), n, 2))})
    store.add(LABEL.key, "evidence", {"domain_auc": np.full(len(result.lam), 0.5)})
    app = open_app("lecture", **link(LABEL))
    assert not app.exception
    (edit,) = sent(app)["frames"]["trace"]["edits"]
    assert edit["name"] == HUM
    np.testing.assert_allclose(edit["value"], moved(result, HUM).flips)
    assert "E edits the trace" in words(app)


def test_a_failed_run_says_why(open_app: Open, tiny: Tiny, store: RunStore) -> None:
    with EventLog(store.events_path(tiny.config.key)) as log:
        for event in train_path(tiny.config):
            if isinstance(event, RunStarted):
                log.append(event)
        log.append(RunFailed(reason="The memory did not suffice; use fewer samples."))
    app = open_app("lecture", **tiny.params)
    assert not app.exception
    assert [error.value for error in app.error] == ["The memory did not suffice; use fewer samples."]


def test_lambda_of_the_link_is_where_the_handle_starts(open_app: Open, tiny: Tiny, store: RunStore) -> None:
    store.save(tiny.result)
    app = open_app("lecture", **tiny.params, lam="0.1")
    assert sent(app)["lam"] == 0.1


def test_another_lambda_in_the_sidebar_is_told_once_and_the_frames_stay_the_same(
    open_app: Open, tiny: Tiny, store: RunStore
) -> None:
    store.save(tiny.result)
    app = open_app("lecture", **tiny.params)
    before = sent(app)
    assert sent(app.run()) == before
    app.select_slider(key="lam").set_value(10.0).run()
    after = sent(app)
    assert (after["lam"], after["turn"]) == (10.0, before["turn"] + 1)
    assert after["frames"] == before["frames"]
    assert sent(app.run()) == after
