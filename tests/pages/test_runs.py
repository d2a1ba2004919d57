"""The Runs page: list, open, delete, undo, check."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import streamlit as st

from crl_core import RunConfig, preset
from crl_core.config import RECIPE_VERSION
from crl_core.config.presets import PRESETS
from crl_core.config.text import altered
from crl_core.jobs.manager import JobManager
from crl_core.runs.labels import Label
from crl_core.runs.sealing import read_manifest, write_manifest
from crl_core.runs.store import RunStore
from pages.shared import server_cache
from pages.shared.runs_names import edited_label
from pages.shared.runs_table import shown_settings, table
from tests.crl_core.made_up import made_up_result
from tests.pages.conftest import Open, Tiny, words
from tests.pages.figures import figures, numbers


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


def test_what_the_queue_of_the_server_before_has_lost_is_told(open_app: Open, store: RunStore) -> None:
    assert "lost" not in words(open_app("runs"))
    (store.root / "queue").mkdir(parents=True, exist_ok=True)
    (store.root / "queue/a.json").write_text(json.dumps([{"key": 1}, None]))
    assert server_cache.jobs().take_up() == (0, 2)
    app = open_app("runs")
    assert "2 entries of its queue were lost: what you miss here, ask for again." in words(app)


def test_a_stored_run_is_listed_with_its_least_error_and_the_run_in_view_is_marked(tiny: Tiny, store: RunStore) -> None:
    store.save(tiny.result)
    row = table(store.summaries(), tiny.config)[0].iloc[0]
    median = [sum(column) / 2 for column in tiny.result.by_lam(tiny.result.ite_rmse).T.tolist()]
    assert row["Least error"] == pytest.approx(min(median))
    assert row["at λ"] == tiny.config.training.lams[median.index(min(median))]
    assert row["λ = 0"] == pytest.approx(median[0])
    assert row["Error along λ"] == pytest.approx(np.log10(median).tolist(), abs=1e-3)
    assert row["View"] == "●"


def test_columns_are_the_settings_that_vary_and_a_switch_shows_the_others(
    open_app: Open, tiny: Tiny, store: RunStore
) -> None:
    for config in (tiny.config, altered(tiny.config, seed=7), altered(tiny.config, penalty="coral")):
        store.save(replace(tiny.result, config=config))
    runs = store.summaries()
    assert [setting.name for setting in shown_settings(runs)] == ["penalty", "seed"]
    frame = table(runs, None)[0].sort_values("Name")
    assert frame["Name"].tolist() == ["CORAL", "base", "seed 7"]
    assert frame["penalty"].tolist() == ["CORAL", "MMD²", "MMD²"]
    assert frame["seed"].tolist() == [0, 0, 7]
    assert "World" not in frame.columns
    app = open_app("runs")
    assert "epochs" not in app.dataframe[0].value.columns
    app.toggle(key="runs.every").set_value(True).run()
    assert not app.exception
    every = app.dataframe[0].value
    assert {"epochs", "World", "batch size", "σ₁", "Trained at"} <= set(every.columns)
    assert every["epochs"].tolist() == [3, 3, 3]


def test_of_a_setting_that_a_run_does_not_have_the_cell_is_blank(tiny: Tiny, store: RunStore) -> None:
    three = altered(tiny.config, n_envs=3)
    for config in (tiny.config, three, altered(three, sigma=(0.1, 1.0, 9.0))):
        store.save(replace(tiny.result, config=config))
    frame = table(store.summaries(), None)[0]
    assert [setting.word for setting in shown_settings(store.summaries())] == ["environments", "σ₃"]
    assert frame.loc[frame["environments"] == 2, "σ₃"].isna().all()
    assert sorted(frame["σ₃"].dropna()) == sorted([three.scenario.sigma[2], 9.0])


def test_presets_side_by_side_are_told_by_their_world_once_and_not_by_all_that_they_are_made_of(
    store: RunStore,
) -> None:
    for name in ("hospital", "shifted", "leaky"):
        store.save(made_up_result(preset(name)))
    frame = table(store.summaries(), None)[0]
    assert shown_settings(store.summaries()) == []
    assert sorted(frame["Name"]) == sorted(PRESETS[name].title for name in ("hospital", "shifted", "leaky"))
    assert "World" not in frame.columns


def test_a_run_of_other_settings_is_not_marked_as_shown(tiny: Tiny, store: RunStore) -> None:
    store.save(tiny.result)
    other = replace(tiny.config, training=replace(tiny.config.training, seed=9))
    assert table(store.summaries(), other)[0].iloc[0]["View"] == ""


# -- search, groups, scatter -------------------------------------------------------------------------------------------


def test_the_search_of_a_link_is_the_search_of_the_page(open_app: Open, tiny: Tiny, store: RunStore) -> None:
    others(tiny, store, 3)
    app = open_app("runs", q="seed>=2")
    assert not app.exception
    assert "2 of 3 runs" in words(app)
    assert sorted(app.dataframe[0].value["seed"]) == [2, 3]


def test_a_search_that_is_not_understood_is_one_sentence_and_hides_nothing(
    open_app: Open, tiny: Tiny, store: RunStore
) -> None:
    others(tiny, store, 3)
    app = open_app("runs", q="sede=2")
    assert [error.value for error in app.error] == ["There is no setting “sede”; the nearest is seed."]
    assert len(app.dataframe[0].value) == 3


def test_groups_count_their_runs_and_say_median_and_range(open_app: Open, tiny: Tiny, store: RunStore) -> None:
    errors = []
    for seed, penalty, factor in ((0, "mmd", 1.0), (1, "mmd", 2.0), (2, "mmd", 4.0), (0, "coral", 3.0)):
        config = altered(tiny.config, seed=seed, penalty=penalty)
        store.save(replace(tiny.result, config=config, ite_rmse=tiny.result.ite_rmse * factor))
        errors.append(float(np.median(tiny.result.by_lam(tiny.result.ite_rmse) * factor, axis=0).min()))
    app = open_app("runs")
    app.selectbox(key="runs.group").set_value("penalty").run()
    assert not app.exception
    said = words(app)
    row = f'MMD²</td><td data-of="Runs">3</td><td data-of="Median">{errors[1]:.3f}</td>'
    assert row in said
    assert f"{errors[0]:.3f} to {errors[2]:.3f}" in said


def test_the_scatter_is_the_medians_of_any_figure_at_the_chosen_lam(
    open_app: Open, tiny: Tiny, store: RunStore
) -> None:
    others(tiny, store, 2)
    app = open_app("runs")
    assert not app.exception
    by_lam = tiny.result.by_lam(tiny.result.ite_rmse)
    for where, expected in (("zero", np.median(by_lam[:, 0])), ("least", np.median(by_lam, axis=0).min())):
        app.selectbox(key="runs.scatter.where").set_value(where).run()
        dots = [trace for trace in figures(app)[0]["data"] if trace.get("customdata") is not None]
        np.testing.assert_allclose(numbers(dots[0]["y"]), [expected] * 2, rtol=1e-6)
    app.selectbox(key="runs.scatter.metric").set_value("mmd2").run()
    assert not app.exception
    assert "MMD²" in figures(app)[0]["layout"]["title"]["text"]


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
    assert app.dataframe[0].value["Name"].tolist() == ["Tuesday"]
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


def test_an_edited_field_changes_nothing_else_of_a_label() -> None:
    was = Label(name="a", tags=("x", "y"), note="n")
    assert Label(**edited_label(was, {"Name": "b"})) == Label(name="b", tags=("x", "y"), note="n")
    assert Label(**edited_label(was, {"Tags": ["z", "x"]})) == Label(name="a", tags=("x", "z"), note="n")
    assert Label(**edited_label(was, {"Name": None, "Note": "", "Tags": None})) == Label()


# -- a sweep -----------------------------------------------------------------------------------------------------------


def sweep(app, values: str, setting: str = "seed"):  # type: ignore[no-untyped-def]
    app.selectbox(key="runs.sweep.first").set_value(setting).run()
    return app.text_input(key=f"runs.sweep.values.{setting}").set_value(values).run()


def start(app):  # type: ignore[no-untyped-def]
    return app.button(key="runs.sweep.start")


def test_a_sweep_says_how_many_runs_how_many_are_stored_and_what_they_are_called(
    open_app: Open, tiny: Tiny, store: RunStore
) -> None:
    store.save(tiny.result)
    app = sweep(open_app("runs", **tiny.params), "0, 7, 8")
    assert not app.exception
    said = words(app)
    assert "3 runs, 1 stored already; about" in said
    assert "Names: “seed 7”, “seed 8”." in said
    assert start(app).label == "Queue 2 runs"
    assert not start(app).disabled


@pytest.mark.parametrize(
    ("setting", "values", "says"),
    [
        ("seed", "7, x", "Seed is x; it must be a number"),
        ("penalty", "corel", "Penalty is corel; it must be one of"),
        ("penalty", "contrastive", "Contrastive pairs cannot be: the contrastive penalty"),
        ("seed", ", ".join(map(str, range(1, 41))), "40 runs are too many: 21 can be queued now"),
    ],
)
def test_a_sweep_that_cannot_be_is_refused_in_one_sentence_before_it_is_queued(
    open_app: Open, tiny: Tiny, setting: str, values: str, says: str
) -> None:
    app = sweep(open_app("runs", **tiny.params), values, setting)
    assert not app.exception
    assert len(app.error) == 1
    assert app.error[0].value.replace("\\", "").startswith(says)
    assert start(app).disabled


def test_a_full_queue_is_said_before_anything_is_queued(
    open_app: Open, tiny: Tiny, store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(JobManager, "room", property(lambda _: 0))
    app = sweep(open_app("runs", **tiny.params), "7")
    assert app.error[0].value.startswith("The queue is full: 20 runs are waiting;")
    assert start(app).disabled


def test_queued_runs_carry_their_names_from_the_moment_they_are_stored(
    open_app: Open, tiny: Tiny, store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[RunConfig] = []
    monkeypatch.setattr(JobManager, "submit", lambda _, config, **__: asked.append(config) or config.key)
    app = sweep(open_app("runs", **tiny.params), "7, 8")
    start(app).click().run()
    assert not app.exception
    assert [config.training.seed for config in asked] == [7, 8]
    for config in asked:
        store.save(replace(tiny.result, config=config))
    assert {run.label.name for run in store.summaries()} == {"seed 7", "seed 8"}


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


def test_runs_of_before_are_told_and_opened_after_one_check(open_app: Open, store: RunStore) -> None:
    key = store.save(made_up_result())
    folder = store.root / "runs" / key
    manifest = read_manifest(folder)
    manifest.pop("mark")
    write_manifest(folder, manifest)
    st.cache_data.clear()
    app = open_app("runs")
    assert "1 run was not sealed by this installation" in words(app)
    app = press(app, "Check every file")
    assert not app.exception
    assert "not sealed by this installation" not in words(app)
    assert store.load(key)
