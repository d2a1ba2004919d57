"""The Runs page: list, open, delete, undo, check."""

from __future__ import annotations

from dataclasses import replace

import pytest

from crl_core import RunConfig
from crl_core.config import RECIPE_VERSION
from crl_core.runs.labels import Label
from crl_core.runs.store import RunStore
from pages.shared import server_cache
from pages.shared.runs_table import table
from tests.pages.conftest import Open, Tiny, words


def choose(app, *rows: int):  # type: ignore[no-untyped-def]
    """Select rows of the table, which AppTest has no setter for."""
    turn = app.session_state["runs.turn"]
    app.session_state[f"runs.table.{turn}"] = {"selection": {"rows": list(rows), "columns": [], "cells": []}}
    return app.run()


def press(app, label: str):  # type: ignore[no-untyped-def]
    return next(button for button in app.button if button.label == label).click().run()


def test_an_empty_store_says_how_to_fill_it(open_app: Open, store: RunStore) -> None:
    app = open_app("runs")
    assert not app.exception
    assert "Nothing is stored yet" in words(app)


def test_a_stored_run_is_listed_with_what_was_changed_and_its_best_error(tiny: Tiny, store: RunStore) -> None:
    store.save(tiny.result)
    row = table(store.summaries(), tiny.config).iloc[0]
    assert (row["Run"], row["E"], row["λ"]) == ("hospital", 2, "0 – 10")
    assert row["Changed"] == "samples 400, λ grid 0, 0.1, 1, 10, replicates 2, epochs 3"
    median = [sum(column) / 2 for column in tiny.result.by_lam(tiny.result.ite_rmse).T.tolist()]
    assert row["ITE RMSE"] == pytest.approx(min(median))
    assert row["λ = 0"] == pytest.approx(median[0])
    assert row["View"] == "●"


def test_a_run_of_other_settings_is_not_marked_as_shown(tiny: Tiny, store: RunStore) -> None:
    store.save(tiny.result)
    other = replace(tiny.config, training=replace(tiny.config.training, seed=9))
    assert table(store.summaries(), other).iloc[0]["View"] == ""


def test_opening_a_run_sets_the_sidebar_to_its_settings(open_app: Open, tiny: Tiny, store: RunStore) -> None:
    store.save(tiny.result)
    app = choose(open_app("runs"), 0)
    assert not app.exception
    press(app, "Open")
    assert not app.exception
    assert app.session_state["sidebar.controls"].config == tiny.config


def test_a_deleted_run_is_gone_until_it_is_undone(open_app: Open, tiny: Tiny, store: RunStore) -> None:
    store.save(tiny.result)
    app = press(choose(open_app("runs"), 0), "Delete")
    assert not app.exception
    assert store.keys() == []
    press(app, "Undo")
    assert not app.exception
    assert store.keys() == [tiny.config.key]


def test_checking_every_file_names_a_damaged_run(open_app: Open, tiny: Tiny, store: RunStore) -> None:
    store.save(tiny.result)
    app = open_app("runs")
    press(app, "Check every file")
    assert "Every byte" in app.success[0].value
    assert not app.help  # of an expression that Streamlit takes for something to show
    path = store.root / "runs" / tiny.config.key / "result.joblib"
    path.write_bytes(b"?" + path.read_bytes()[1:])
    press(app, "Check every file")
    assert not app.exception
    assert tiny.config.key in app.error[0].value


# -- what people write on runs -----------------------------------------------------------------------------------------


def others(tiny: Tiny, store: RunStore, n: int) -> list[RunConfig]:
    """The tiny run under other seeds, for lists; their numbers are the tiny run's."""
    configs = [replace(tiny.config, training=replace(tiny.config.training, seed=seed)) for seed in range(1, n + 1)]
    for config in configs:
        store.save(replace(tiny.result, config=config))
    return configs


def write(app, **fields: str):  # type: ignore[no-untyped-def]
    for label, text in fields.items():
        kinds = app.text_area if label == "Note" else app.text_input
        next(item for item in kinds if item.label == label).set_value(text)
    return press(app, "Save")


def test_a_name_tags_and_a_note_are_written_found_and_shown(open_app: Open, tiny: Tiny, store: RunStore) -> None:
    store.save(tiny.result)
    others(tiny, store, 2)
    app = choose(open_app("runs"), 2)
    app = write(app, Name="  Tuesday  ", Tags="lecture, draft", Note="the <b>first</b> try")
    assert not app.exception
    assert store.summary(tiny.config.key).label == Label(  # type: ignore[union-attr]
        name="Tuesday", tags=("draft", "lecture"), note="the <b>first</b> try"
    )
    assert [text.value for text in app.text] == ["the <b>first</b> try"]  # as text, never as HTML
    next(item for item in app.text_input if item.label == "Search").set_value("tuesday").run()
    assert len(app.dataframe[0].value) == 1
    assert app.dataframe[0].value["Run"].tolist() == ["Tuesday"]
    assert "1 of 3 runs" in words(app)
    next(item for item in app.text_input if item.label == "Search").set_value("nothing of the kind").run()
    assert "No run fits" in words(app)
    assert not app.exception


def test_a_label_that_cannot_be_is_refused_in_a_sentence_and_nothing_is_lost(
    open_app: Open, tiny: Tiny, store: RunStore
) -> None:
    store.save(tiny.result)
    app = write(choose(open_app("runs"), 0), Name="fine", Tags="x" * 30)
    assert "A tag has 30 characters; at most 24 fit." in app.error[0].value
    assert store.summary(tiny.config.key).label == Label()  # type: ignore[union-attr]


def test_who_saves_second_is_told_what_stands_there_now(open_app: Open, tiny: Tiny, store: RunStore) -> None:
    store.save(tiny.result)
    app = choose(open_app("runs"), 0)
    store.label(tiny.config.key, Label(name="hers"))  # another session, after this page was drawn
    next(item for item in app.text_input if item.label == "Name").set_value("his")
    server_cache.library().runs()
    app = press(app, "Save")
    assert not app.exception
    assert store.summary(tiny.config.key).label.name == "hers"  # type: ignore[union-attr]
    assert "it is now “hers”" in " ".join(error.value for error in app.error)


def test_a_run_that_another_session_deleted_is_said_to_be_gone(open_app: Open, tiny: Tiny, store: RunStore) -> None:
    store.save(tiny.result)
    app = choose(open_app("runs"), 0)
    store.delete(tiny.config.key)
    press(app, "Delete")
    assert not app.exception
    assert "it was deleted, or never trained here" in app.error[0].value


# -- several at once ---------------------------------------------------------------------------------------------------


def test_several_runs_are_deleted_and_brought_back_together(open_app: Open, tiny: Tiny, store: RunStore) -> None:
    configs = others(tiny, store, 3)
    app = press(choose(open_app("runs"), 0, 2), "Delete")
    assert len(store.keys()) == 1
    assert "2 runs were moved to the trash." in words(app)
    press(app, "Undo")
    assert set(store.keys()) == {config.key for config in configs}


def test_two_selected_runs_open_side_by_side(open_app: Open, tiny: Tiny, store: RunStore) -> None:
    configs = others(tiny, store, 2)
    app = press(choose(open_app("runs"), 0, 1), "Compare")
    assert not app.exception
    assert set(app.session_state["compare.runs"]) == {config.key for config in configs}


def test_pinned_runs_say_so_and_can_be_let_go(open_app: Open, tiny: Tiny, store: RunStore) -> None:
    others(tiny, store, 2)
    app = press(choose(open_app("runs"), 0, 1), "Pin")
    assert [run.pinned for run in store.summaries()] == [True, True]
    assert app.dataframe[0].value["Kind"].tolist() == ["pinned", "pinned"]
    press(choose(app, 0), "Unpin")
    assert sorted(run.pinned for run in store.summaries()) == [False, True]


# -- older recipes -----------------------------------------------------------------------------------------------------


@pytest.fixture
def older(tiny: Tiny, store: RunStore, monkeypatch: pytest.MonkeyPatch) -> str:
    """The key of a stored run that this version made, in a program of the next."""
    store.save(tiny.result)
    key = tiny.config.key
    for room in ("config.run", "runs.records"):
        monkeypatch.setattr(f"crl_core.{room}.RECIPE_VERSION", RECIPE_VERSION + 1)
    assert tiny.config.key != key
    return key


def test_a_run_of_an_older_recipe_opens_and_says_what_it_is(open_app: Open, older: str) -> None:
    app = open_app("runs")
    assert app.dataframe[0].value["Kind"].tolist() == [f"recipe {RECIPE_VERSION}"]
    app = press(choose(app, 0), "Open")
    app.switch_page("pages/path.py").run()
    assert not app.exception
    assert f"made by version {RECIPE_VERSION} of the recipe" in app.warning[0].value
    assert app.query_params["older"] in (older, [older])


def test_settings_that_only_an_older_recipe_has_trained_offer_both_ways(open_app: Open, tiny: Tiny, older: str) -> None:
    app = open_app("path", **tiny.params)
    assert f"Version {RECIPE_VERSION} of the recipe has trained them" in words(app)
    app = press(app, "Look at the older run")
    assert not app.exception
    assert f"made by version {RECIPE_VERSION} of the recipe" in app.warning[0].value


def test_a_link_to_an_older_run_of_other_settings_shows_the_settings(open_app: Open, tiny: Tiny, older: str) -> None:
    app = open_app("path", **{**tiny.params, "epochs": "4", "older": older})
    assert not app.exception
    assert "not been trained yet" in words(app)
    assert "older" not in app.query_params


def test_a_cache_that_names_an_unset_variable_is_said_on_every_page_and_is_no_stack(
    open_app: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NOT_SET", raising=False)
    monkeypatch.setenv("CRL_CACHE", "$NOT_SET/runs")
    with monkeypatch.context() as patched:
        patched.setattr(server_cache, "RunStore", RunStore)
        app = open_app("train")
    assert not app.exception
    assert "NOT_SET, which is not set" in app.error[0].value
