"""Keep on this machine: a table and its runs outlive the session, others find them, and forgetting leaves nothing."""

from __future__ import annotations

import gc
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from crl_core import train
from crl_core.config.text import altered
from crl_core.data.tables import private
from crl_core.data.tables import source as tables
from crl_core.jobs.manager import JobManager
from crl_core.runs.bundle import export_bytes
from crl_core.runs.kept_tables import PUBLIC, KeptTables
from crl_core.runs.library import Library
from crl_core.runs.store import RunStore
from pages.shared import fields, table_kept
from pages.shared.places import TITLES
from tests.crl_core.test_own_tables import frame
from tests.pages.conftest import Open, Tiny
from tests.pages.figures import figures, numbers, titled
from tests.pages.test_compare import compare
from tests.pages.test_data import CANARY, confirmed, upload
from tests.pages.test_own_run import Trained, go, quickly, said, trained
from tests.pages.test_runs import choose
from tests.pages.test_take_home import downloads
from tests.pages.test_take_home import upload as import_file

__all__ = ["quickly", "trained"]  # fixtures


def canary() -> pd.DataFrame:
    table = frame()
    table["sex"] = table["sex"].map({"f": f"{CANARY}-f", "m": f"{CANARY}-m"})
    return table


def files_with_canary(store: RunStore) -> list[Path]:
    """Files that hold the word, as it is or inside a Parquet file."""
    files = [file for file in store.root.parent.rglob("*") if file.is_file()]
    return [file for file in files if file.suffix == ".parquet" or CANARY.encode() in file.read_bytes()]


def press(app: AppTest, key: str) -> AppTest:
    app.button(key=key).click().run()
    assert not app.exception, app.exception[0].value
    return app


def server_starts_again(store: RunStore) -> None:
    """All that a process knows is gone; what is on disk is there."""
    gc.collect()
    for content in list(tables._LOADED):
        tables.forget(content)
    private._KEPT.clear()
    tables.find_with(None)
    st.cache_resource.clear()


def test_a_kept_table_and_its_runs_are_found_by_a_new_session_of_a_server_that_was_started_again(
    trained: Trained, store: RunStore, open_app: Open
) -> None:
    app = trained(canary())
    old = app.session_state["table.run"].config().key
    effects = titled(go(app, "path"), "Average effects along λ")["data"]
    assert files_with_canary(store) == []
    text = said(go(app, "data"))
    assert "its rows and 1 finished run are stored" in text
    assert str(store.root / "tables") in text
    app = press(app, "data.keep")
    assert "The rows of trial.csv and 1 run are kept on this machine." in said(app)
    key = app.session_state["table.run"].config().key
    assert key != old
    assert not store.has(old)
    assert [run.key for run in Library(store).runs()] == [key]
    assert "It is kept on this machine." in said(go(app, "train"))
    del app
    server_starts_again(store)
    assert store.has(key)

    other = open_app("runs")
    assert other.dataframe[0].value.loc[0, "Name"] == "table “trial.csv”"
    other = open_app("data")
    assert "Kept on this machine" in said(other)
    other = press(other, "data.kept_open")
    assert "What can this table tell?" in said(other)
    other = press(other, "data.train")  # the same settings, so nothing is trained
    again = titled(go(other, "path"), "Average effects along λ")["data"]
    np.testing.assert_allclose(numbers(again[0]["y"]), numbers(effects[0]["y"]))
    assert np.isfinite(numbers(again[0]["y"])).all()
    assert other.session_state["table.run"].config().key == key
    for page in TITLES:
        assert "nan" not in said(go(other, page)).lower().split()


def test_forgetting_a_kept_table_deletes_its_rows_and_runs_and_no_word_of_it_is_left(
    trained: Trained, store: RunStore
) -> None:
    app = press(go(trained(canary()), "data"), "data.keep")
    run = app.session_state["table.run"]
    assert files_with_canary(store)
    exported = store.root / "exports" / f"{run.config().key}-0"
    exported.mkdir(parents=True)
    (exported / "report.json").write_text(CANARY)
    store.delete(run.config().key)  # one that is in the trash is forgotten, too
    run.settings = run.settings.__class__(align="treatment", lams=(0.0,), replicates=3, steps=200)
    go(app, "train").button(key="job.train").click().run()
    assert len(Library(store).runs()) == 1
    said(go(app, "compare"))
    app = go(app, "data")
    assert "Its rows and 1 run are deleted" in said(app)
    exported.rename(exported.with_name(f"{Library(store).runs()[0].key}-0"))
    app = press(app, "data.forget")
    assert "trial.csv is forgotten: its rows and 1 run were deleted from this machine." in said(app)
    assert "Your table" in said(app)
    assert files_with_canary(store) == []
    assert Library(store).runs() == []
    assert list((store.root / "exports").iterdir()) == []


def test_a_public_server_has_neither_the_button_nor_what_was_kept_before(
    trained: Trained, store: RunStore, open_app: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = press(go(trained(frame()), "data"), "data.keep")
    key = app.session_state["table.run"].config().key
    del app
    server_starts_again(store)
    monkeypatch.setenv(PUBLIC, "1")
    app = open_app("data")
    assert "Kept on this machine" not in said(app)
    app = confirmed(upload(app, frame()))
    assert "Keep" not in said(app)
    assert not {"data.keep", "data.forget", "data.kept_open"} & {button.key for button in app.button}
    other = open_app("compare", runs=key)
    assert "The rows of its table are not on this server, and no table is kept on it." in said(other)


def test_a_table_that_one_visitor_keeps_stays_private_with_another_until_that_one_keeps_it_too(
    trained: Trained, store: RunStore
) -> None:
    first, second = trained(frame()), trained(frame())
    press(go(first, "data"), "data.keep")
    (listed,) = Library(store).runs()
    own = second.session_state["table.run"].config().key
    assert own != listed.key
    assert "Only this session sees it" in said(go(second, "train"))
    press(go(second, "data"), "data.keep")
    assert [run.key for run in Library(store).runs()] == [listed.key]
    press(go(first, "data"), "data.forget")
    assert "Only this session sees it" not in said(go(second, "train"))  # its run is gone; its rows are not
    assert "What can this table tell?" in said(go(second, "data"))
    assert second.session_state["data.table"].kept is False
    assert files_with_canary(store) == []


def test_a_run_whose_table_was_forgotten_says_how_its_rows_come_back(
    trained: Trained, store: RunStore, open_app: Open
) -> None:
    app = press(go(trained(frame()), "data"), "data.keep")
    run = app.session_state["table.run"]
    file = KeptTables(store)._file(run.table.content)
    file.unlink()  # as in a store that was moved without it
    server_starts_again(store)
    other = open_app("compare", runs=run.config().key)
    assert table_kept.not_here() in said(other)
    file.write_bytes(b"PAR1 of something else")
    assert "is not loaded here; load its file again" in said(open_app("compare", runs=run.config().key))
    assert table_kept.not_here() in said(press(choose(open_app("runs"), 0), "runs.open"))


def test_who_only_opened_a_kept_table_has_it_no_more_once_it_is_forgotten(
    trained: Trained, store: RunStore, open_app: Open
) -> None:
    first = press(go(trained(frame()), "data"), "data.keep")
    second = press(open_app("data"), "data.kept_open")
    assert "What can this table tell?" in said(second)
    press(first, "data.forget")
    text = said(go(second, "data"))
    assert "trial.csv was forgotten by somebody who uses this server" in text
    assert "Your table" in text
    assert "What can this table tell?" not in text


def test_neither_keeping_nor_forgetting_takes_a_table_from_under_a_training(
    trained: Trained, store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = go(trained(frame()), "data")
    monkeypatch.setattr(JobManager, "in_hand", lambda self, rows: True)
    assert "is being trained; keep the table when it has ended" in said(press(app, "data.keep"))
    assert Library(store).runs() == []
    monkeypatch.setattr(JobManager, "in_hand", lambda self, rows: False)
    press(app, "data.keep")
    monkeypatch.setattr(JobManager, "in_hand", lambda self, rows: True)
    assert "is being trained; wait for its end, or cancel it" in said(press(app, "data.forget"))
    assert len(Library(store).runs()) == 1


def test_what_was_planted_in_a_table_stays_with_its_run_when_the_table_is_kept(trained: Trained) -> None:
    run = (app := go(trained(frame()), "data")).session_state["table.run"]
    forgotten: list[str] = []
    asked = {name: SimpleNamespace(forget=lambda name=name: forgotten.append(name)) for name in ("this", "another")}
    run.planted.update({run.config().key: asked["this"], "0" * 16: asked["another"]})
    press(app, "data.keep")
    assert run.planted == {run.config().key: asked["this"]}
    assert forgotten == ["another"]


def test_a_run_of_a_kept_table_is_opened_from_the_library_with_settings_that_no_field_has(
    trained: Trained, store: RunStore, open_app: Open
) -> None:
    app = press(go(trained(frame()), "data"), "data.keep")
    config = altered(app.session_state["table.run"].config(), epochs=7, seed=4, lams=(0.0, 2.0))
    store.save(train(config))
    del app
    server_starts_again(store)
    other = choose(open_app("runs"), [run.key for run in Library(store).runs()].index(config.key))
    press(other, "runs.open")
    assert other.session_state["sidebar.controls"].config == config
    assert (other.number_input(key="table.seed").value, other.select_slider(key="lam").options) == (4, ["0", "2"])
    assert "Trained; its maps and probes" in said(go(other, "train"))
    other.number_input(key="table.seed").set_value(5).run()
    assert other.session_state["sidebar.controls"].config.training.epochs != 7
    assert "Not trained yet" in said(other)


def test_two_runs_of_a_kept_table_are_compared_by_anybody_and_either_is_opened(
    trained: Trained, store: RunStore, open_app: Open
) -> None:
    app = press(go(trained(frame()), "data"), "data.keep")
    config = app.session_state["table.run"].config()
    other = altered(config, align="treatment" if config.training.align == "environment" else "environment")
    store.save(train(other))
    del app
    server_starts_again(store)
    page = compare(config.key, other.key)
    assert "not kept here" not in said(page)
    assert len(figures(page)) >= 2
    press(page, "compare.open_B")
    assert page.session_state["sidebar.controls"].config == other


def test_a_world_that_is_opened_from_the_library_takes_the_place_of_a_table(
    trained: Trained, store: RunStore, tiny: Tiny
) -> None:
    store.save(tiny.result)
    app = go(trained(frame()), "runs")
    press(choose(app, 0), "runs.open")
    go(app, "train")
    assert app.session_state["sidebar.controls"].config == tiny.config
    preset, values = fields.describe(tiny.config)
    at_home = fields.defaults(preset, int(values["envs"]))
    assert {name for name, value in values.items() if value != at_home.get(name, value)} <= set(app.query_params)


# -- taken home --------------------------------------------------------------------------------------------------------


def test_the_export_page_offers_the_run_of_a_table_and_says_what_each_file_carries(
    trained: Trained, store: RunStore
) -> None:
    app = go(trained(frame()), "serve")
    text = said(app)
    assert {"Bundle", "Notebook"} <= set(downloads(app))
    for words in ("a hash of the rows", "no row", "may remember rows", "it asks for the file"):
        assert words in text
    said(press(go(app, "data"), "data.keep"))
    assert {"Bundle", "Notebook"} <= set(downloads(go(app, "serve")))
    go(app, "data").button(key="data.leave").click().run()
    assert not {"Bundle", "Notebook"} & set(downloads(go(app, "serve")))  # of a simulated world: in the Library


def test_an_imported_run_shows_its_figures_and_its_rows_once_the_table_is_kept_here(
    trained: Trained, store: RunStore, open_app: Open
) -> None:
    app = go(trained(frame()), "train")
    run = app.session_state["table.run"]
    bundle = export_bytes(store, run.config().key, table=run.table.by_content)
    other = import_file(open_app("runs"), bundle)
    assert table_kept.not_here() in other.success[0].value
    (key,) = store.keys()
    other = choose(other, 0)
    assert other.button(key="runs.open").disabled
    assert (downloads(other)["Numbers, CSV"], downloads(other)["Figures, HTML"]) == (True, False)
    text = said(press(go(app, "data"), "data.keep"))
    assert "and 1 run are kept on this machine" in text
    other = choose(go(other, "runs"), 0)
    assert downloads(other)["Figures, HTML"]
    press(other, "runs.open")
    assert "Estimated effects" in str(titled(go(other, "effects"), "Estimated effects at λ")["layout"]["title"])
    assert other.session_state["sidebar.controls"].config.key == key
