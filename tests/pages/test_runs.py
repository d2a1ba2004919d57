"""The Runs page: list, open, delete, undo, check."""

from __future__ import annotations

from dataclasses import replace

import pytest

from crl_core.runs import RunStore
from pages.shared.run_table import table
from tests.pages.conftest import Open, Tiny, words


def choose(app, row: int):  # type: ignore[no-untyped-def]
    """Select a row of the table, which AppTest has no setter for."""
    app.session_state["runs.table"] = {"selection": {"rows": [row], "columns": [], "cells": []}}
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
    assert (row["Preset"], row["Changed"], row["σ"]) == ("hospital", "set training.lams=0,0.1,1,10", "0.1, 1")
    median = [sum(column) / 2 for column in tiny.result.by_lam(tiny.result.ite_rmse).T.tolist()]
    assert row["ITE RMSE"] == pytest.approx(min(median))
    assert row["at λ = 0"] == pytest.approx(median[0])
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
    path = store.root / "runs" / tiny.config.key / "result.joblib"
    path.write_bytes(b"?" + path.read_bytes()[1:])
    press(app, "Check every file")
    assert not app.exception
    assert tiny.config.key in app.error[0].value
