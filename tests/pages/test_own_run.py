"""A table of one's own after training: every page on it, with and without its true effects, and its end."""

from __future__ import annotations

import gc
import json
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from crl_core import train
from crl_core.config import RunConfig
from crl_core.config.table import QUICK_LAMS, REPLICATES, table_config
from crl_core.config.text import altered
from crl_core.data.tables import private
from crl_core.data.tables import source as tables
from crl_core.data.tables.reading import read_table
from crl_core.measures.evidence import gather
from crl_core.measures.projection import project_run
from crl_core.results import RunResult
from crl_core.runs.library import Library
from crl_core.runs.store import RunStore
from pages.shared import data_load, job_panel, server_cache, table_run
from pages.shared.places import TITLES
from tests.crl_core.test_own_tables import frame
from tests.pages.conftest import Open, words
from tests.pages.figures import rows_drawn, titled, written
from tests.pages.test_data import CANARY, confirmed, upload
from tests.pages.test_lecture import sent

CHARTS = ("vega_lite_chart", "arrow_vega_lite_chart")
Trained = Callable[[pd.DataFrame], AppTest]
_ONCE: dict[str, tuple[RunResult, Any, Any]] = {}


@pytest.fixture(autouse=True)
def quickly(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Files are read, and runs are trained, in this process; with few λ and steps."""
    monkeypatch.setattr(data_load, "read_apart", read_table)
    monkeypatch.setattr(table_run, "LAMS", (0.0, 1.0, 30.0))
    config_of = table_run.table_config
    monkeypatch.setattr(
        table_run,
        "table_config",
        lambda *args, **options: altered(
            config_of(*args, **options | {"lams": (0.0, 1.0, 30.0), "steps": 200, "replicates": 3}), hidden=8
        ),
    )
    yield
    for content in list(tables._LOADED):
        tables.forget(content)


def trained_once(config: RunConfig) -> tuple[RunResult, Any, Any]:
    """A run with its evidence and projection: that of the first test with these settings, rows and words, as this
    session's."""
    rows = config.table
    assert rows is not None
    settings = config.to_dict()
    settings["table"] = {name: value for name, value in settings["table"].items() if name not in ("token", "content")}
    key = joblib.hash((settings, rows.rows(0), rows.features, rows.env_names))
    if key not in _ONCE:
        result = train(config)
        _ONCE[key] = result, gather(result), project_run(result)
    result, evidence, projection = _ONCE[key]
    return replace(result, config=config), evidence, projection


@pytest.fixture
def trained(store: RunStore, open_app: Open, monkeypatch: pytest.MonkeyPatch) -> Trained:
    """The app on the Data page, with this table trained and in view."""

    def now(config: RunConfig, lam: float) -> None:
        result, evidence, projection = trained_once(config)
        key = store.save(result)
        store.add(key, "evidence", evidence)
        store.add(key, "projection", projection)

    monkeypatch.setattr(job_panel, "train", now)

    def run(table: pd.DataFrame) -> AppTest:
        app = confirmed(upload(open_app("data"), table))
        return app.button(key="data.train").click().run()

    return run


def go(app: AppTest, page: str) -> AppTest:
    """The page, after its sidebar: once switched, a page is run here without `app.py`, which draws that."""
    try:
        app.switch_page("app.py").run()
    except ValueError:  # `app.py` has said which pages there are, and runs with each
        app.switch_page("pages/train.py").run()
    return app if page == "train" else app.switch_page(f"pages/{page}.py").run()


def said(app: AppTest) -> str:
    assert not app.exception, app.exception[0].value
    return words(app).replace("\u00a0", " ")


@pytest.fixture
def with_truth() -> pd.DataFrame:
    table = frame()
    return table.assign(mu0=table["age"].fillna(50) / 10, mu1=table["age"].fillna(50) / 10 + 2)


def test_every_page_opens_on_ones_own_table_and_names_nothing_of_it_in_the_address(trained: Trained) -> None:
    app = trained(frame())
    assert "trial.csv" in said(go(app, "train"))
    for stem in TITLES:
        text = said(go(app, stem))
        assert "nan" not in text.lower()
        assert not {"trial", "site", "treated"} & set(str(dict(app.query_params)).split("'"))


def test_effects_without_the_truth_stand_beside_what_the_rows_say_of_them(trained: Trained) -> None:
    app = go(trained(frame()), "effects")
    text = said(app)
    assert "the rows themselves are asked whether it holds" in text
    for title in ("Estimated effects at λ", "Predicted and found, by thirds", "Whom to treat first?"):
        assert titled(app, title)["data"]
    assert "overlap rows" in text
    for way in ("network, λ =", "doubly robust", "least squares per arm", "difference in means"):
        assert way in text
    assert any(words in text for words in ("confirm", "too few", "contradict"))  # one verdict or another
    assert app.get("download_button")


def test_effects_are_shown_by_column_with_what_chance_alone_would_show(trained: Trained) -> None:
    app = go(trained(frame()), "effects")
    text = said(app)
    projected = titled(app, "With which columns does the effect go?")
    assert {"age", "seen"} <= set(projected["layout"]["yaxis"]["ticktext"])
    assert set(titled(app, "Which columns move τ̂")["layout"]["yaxis"]["ticktext"]) == {"age", "sex", "seen"}
    assert "intervals of 1.96 standard errors" in text
    assert "by chance alone about" in text
    assert "of 400 rows are hardly ever given the other treatment; the more they are, the less this means" in text
    assert "overlap rows" in text
    for group in ("up to ", "above "):
        assert group in text  # thirds of age, the first column
    field = next(item for item in app.selectbox if str(item.key).startswith("effects.column"))
    assert field.options == ["age", "sex", "seen"]
    text = said(field.set_value("sex").run())
    assert "<td>f</td>" in text
    assert "Is the effect the same in all groups? p = " in text
    assert "Asked of each of 3 columns" in text


def test_of_a_rare_arm_there_are_no_tables_of_groups(trained: Trained) -> None:
    table = frame(n=500)
    table["treated"] = (np.arange(500) % 12 == 0).astype(int)  # 42 rows
    text = said(go(trained(table), "effects"))
    assert "42 of 500 rows are treated, too few for tables of groups: those need 50 rows and 5 % in each arm." in text
    assert "By a column" not in text
    assert "By environment" not in text


def test_latents_lie_in_the_colours_of_any_column_and_it_is_shown_which_they_hold(trained: Trained) -> None:
    table = frame()
    app = go(trained(table), "latent")
    text = said(app)
    assert "Which covariates does the latent still hold?" in text
    assert "covariates (R² 0.25 or more)" in text
    held = titled(app, "R² of covariates from the latent")
    assert set(held["layout"]["yaxis"]["ticktext"]) == {"age", "sex", "seen"}
    app.segmented_control(key="latent.colour").set_value("outcome").run()
    n = rows_drawn(titled(app, "Latent at λ"))
    assert written(titled(app, "Latent at λ")).count("outcome = ") == n
    app.segmented_control(key="latent.colour").set_value("a covariate").run()
    field = next(item for item in app.selectbox if str(item.key).startswith("latent.covariate"))
    assert field.value == "age"
    assert "age = missing" in written(titled(app, "Latent at λ"))
    assert rows_drawn(titled(app, "Latent at λ")) == rows_drawn(titled(app, "Input x")) == n
    field.set_value("seen").run()
    years = [
        float(text.split("seen, year = ")[1])
        for trace in titled(app, "Latent at λ")["data"]
        for text in trace.get("text") or []
    ]
    assert len(years) == n
    assert 1990 < min(years) < 1991 < 2019 < max(years) < 2020
    field.set_value("sex").run()
    assert not app.exception
    assert {"f", "m"} <= {trace.get("name") for trace in titled(app, "Latent at λ")["data"]}
    # Back in a simulation what only a table has is gone, and so is the field.
    next(button for button in go(app, "train").button if button.key == "table.leave").click().run()
    go(app, "latent")
    assert not app.exception
    assert not [item for item in app.selectbox if str(item.key).startswith("latent.covariate")]


def test_an_outcome_of_two_values_is_seen_by_column_and_in_its_own_words(trained: Trained) -> None:
    table = frame()
    table["y"] = np.where(table["y"] > table["y"].median(), "well", "ill")
    app = go(trained(table), "effects")
    assert " pp" in said(app).split("overlap rows")[1]
    assert titled(app, "With which columns does the effect go?")["data"]
    go(app, "latent").segmented_control(key="latent.colour").set_value("outcome").run()
    assert {"well", "ill"} <= {trace.get("name") for trace in titled(app, "Latent at λ")["data"]}


def test_average_effects_along_lambda_show_the_naive_answer_and_the_chosen_lambda_is_a_click_away(
    trained: Trained,
) -> None:
    app = go(trained(frame()), "path")
    assert "Chosen: λ =" in said(app)
    drawn = titled(app, "Average effects along λ")
    assert {"naive difference", "least squares"} <= {item.get("text") for item in drawn["layout"]["annotations"]}
    chosen = next(value for value in ("0", "1", "30") if f"Chosen: λ = {value}," in said(app))
    other = next(value for value in (0.0, 1.0, 30.0) if f"{value:g}" != chosen)
    go(app, "train")
    app.select_slider(key="lam").set_value(other).run()
    go(app, "path").button(key="rows.chosen").click().run()
    assert go(app, "train").select_slider(key="lam").value == float(chosen)
    assert not [button for button in go(app, "path").button if button.key == "rows.chosen"]


def test_with_true_effects_every_page_of_effects_judges_by_them(trained: Trained, with_truth: pd.DataFrame) -> None:
    app = trained(with_truth)
    go(app, "train").select_slider(key="lam").set_value(0.0).run()
    text = said(go(app, "effects"))
    assert "effect is the mean of 3 fits" in text
    assert "<span>effect error</span>" in text
    text = said(go(app, "path"))
    assert "oracle" in text
    assert "largest λ within twice" not in text  # where little can be explained, every λ is within
    assert "Chosen: λ =" in text


def test_figures_are_those_of_the_epoch_that_validation_rows_chose(trained: Trained) -> None:
    app = go(trained(frame()), "train")
    text = said(app)
    assert "twice the mean square of a row; training rows" in text
    assert "Table “trial.csv”" in text


def test_a_changed_role_ends_what_was_trained_on_the_other_ones(trained: Trained, store: RunStore) -> None:
    app = trained(frame())
    key = app.session_state["table.run"].config().key
    assert store.has(key)
    go(app, "data")
    next(item for item in app.multiselect if str(item.key).endswith("ignore")).set_value(["sex"]).run()
    go(app, "train")
    for _ in range(100):
        if not store.has(key):
            break
        time.sleep(0.05)
    assert not store.has(key)


def test_the_end_of_a_session_leaves_no_run_no_row_and_no_name(
    trained: Trained, store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    cleared: list[threading.Thread] = []
    forget_pictures = server_cache.forget_pictures
    monkeypatch.setattr(
        server_cache, "forget_pictures", lambda: (cleared.append(threading.current_thread()), forget_pictures())
    )
    table = frame()
    table["sex"] = table["sex"].map({"f": f"{CANARY}-f", "m": f"{CANARY}-m"})
    app = trained(table)
    for page in ("train", "effects", "path", "latent", "lecture", "compare", "runs"):
        assert "nan" not in said(go(app, page)).lower()
    key = app.session_state["table.run"].config().key
    assert store.has(key)
    assert Library(store).runs() == []
    token = app.session_state["table.run"].rows.token
    assert token in private._KEPT
    for file in store.root.rglob("*"):
        assert not file.is_file() or CANARY.encode() not in file.read_bytes(), file
    del app
    gc.collect()
    assert token not in private._KEPT
    for _ in range(100):
        if not store.has(key):
            break
        time.sleep(0.05)
    assert not store.has(key)
    assert cleared
    assert threading.current_thread() not in cleared  # who collects may hold a lock that is wanted there


def test_a_server_keeps_nothing_of_the_session_that_came_first(open_app: Open) -> None:
    app = open_app("scenario")
    session = weakref.ref(app.session_state._state)
    del app
    gc.collect()
    assert session() is None


@pytest.mark.parametrize("looks_open", [0, 30])
def test_a_run_ends_soon_after_its_tab_is_closed_and_not_before(
    looks_open: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    class Sessions:
        exists = staticmethod(lambda: True)
        instance = classmethod(lambda cls: cls())

        def is_active_session(self, session_id: str) -> bool:
            assert not ended
            asked.append(session_id)
            return len(asked) <= looks_open

    ended: list[bool] = []
    monkeypatch.setattr(table_run, "Runtime", Sessions)
    monkeypatch.setattr(table_run, "_LOOK_S", 0.001)
    monkeypatch.setattr(table_run, "_CAN_COME_BACK_S", 0.05)
    run = table_run.TableRun(
        table=None,  # type: ignore[arg-type]
        rows=None,  # type: ignore[arg-type]
        settings=table_run.Settings(align="treatment"),
        end=lambda: ended.append(True),
    )
    table_run._await_end("a tab", weakref.ref(run))
    assert ended == [True]
    assert set(asked) == {"a tab"}
    assert len(asked) > looks_open


def test_another_visitor_finds_neither_the_run_nor_the_table(trained: Trained, store: RunStore, open_app: Open) -> None:
    trained(frame())
    other = open_app("runs")
    assert "trial.csv" not in said(other)
    assert "Your table" in said(go(other, "data"))
    assert store.summaries() == []


# -- which λ -----------------------------------------------------------------------------------------------------------


def test_the_lambda_to_train_are_chosen_before_the_first_training_and_changed_later(
    store: RunStore, open_app: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[RunConfig] = []
    monkeypatch.setattr(job_panel, "train", lambda config, lam: asked.append(config))
    monkeypatch.setattr(table_run, "table_config", table_config)
    app = confirmed(upload(open_app("data"), frame()))
    app.segmented_control(key="data.lams").set_value("own list").run()
    app.text_input(key="data.lams.own").set_value("0, 0,5, x").run()
    assert "“x” is no number" in said(app)
    assert app.button(key="data.train").disabled
    app.text_input(key="data.lams.own").set_value("-1, 2").run()
    assert app.button(key="data.train").disabled
    app.text_input(key="data.lams.own").set_value("10, 0.5").run()
    app.number_input(key="data.replicates").set_value(2).run()
    app.button(key="data.train").click().run()
    assert [config.training.lams for config in asked] == [(0.5, 10.0)]
    assert asked[0].training.replicates == 2
    go(app, "train")
    assert app.number_input(key="table.replicates").value == 2
    assert app.text_input(key="table.lams.own").value == "0.5, 10"
    app.segmented_control(key="table.lams").set_value("quick").run()
    app.button(key="job.train").click().run()
    assert asked[-1].training.lams == QUICK_LAMS


def test_the_average_effect_along_lambda_stands_on_the_train_page_beside_what_needs_no_network(
    trained: Trained,
) -> None:
    app = go(trained(frame()), "train")
    for title in ("R² along λ", "Average effect along λ"):
        assert title in said(app)
    specs = [json.loads(item.proto.spec) for kind in CHARTS for item in app.get(kind)]
    names = {
        layer["data"]["values"][0]["name"]: layer["data"]["values"][0]["value"]
        for spec in specs
        for layer in spec["layer"]
        if layer.get("data", {}).get("values")
    }
    assert set(names) == {"naive difference", "least squares"}
    assert names["least squares"] == pytest.approx(2, abs=0.4)


def test_effects_can_be_planted_in_an_outcome_of_two_values_as_well(trained: Trained) -> None:
    table = frame()
    table["y"] = np.where(table["y"] > 6, "yes", "no")
    app = go(trained(table), "effects")
    assert "How far off is this, on your own rows?" in said(app)
    assert app.segmented_control(key="planted.shape").label == "Planted effect, 0.3 sd of the outcome"


def test_the_lecture_of_a_table_has_average_effects_in_place_of_a_map_and_no_handout(trained: Trained) -> None:
    app = go(trained(frame()), "lecture")
    frames = sent(app)["frames"]
    assert frames["map"] is None
    assert [level["name"] for level in frames["average"]["levels"]] == [
        *("naive difference", "least squares", "LS, treated"),
    ]
    assert len(frames["average"]["ate"]["value"]) == 3
    assert "average effect" in frames["readings"][0]
    assert not any("effect error" in reading or "–" in reading for reading in frames["readings"])
    assert "No handout" in said(app)
    assert not app.get("download_button")
    assert len(json.dumps(frames)) < 3e6


def test_settings_of_a_table_before_are_not_those_of_the_next(open_app: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[RunConfig] = []
    monkeypatch.setattr(job_panel, "train", lambda config, lam: asked.append(config))
    monkeypatch.setattr(table_run, "table_config", table_config)
    app = confirmed(upload(open_app("data"), frame()))
    app.button(key="data.train").click().run()
    go(app, "train")
    app.number_input(key="table.replicates").set_value(7).run()
    app.segmented_control(key="table.lams").set_value("quick").run()
    app = confirmed(upload(go(app, "data"), frame(seed=3), "other.csv"))
    app.segmented_control(key="data.lams").set_value("own list").run()
    app.text_input(key="data.lams.own").set_value("0, 5").run()
    app.button(key="data.train").click().run()
    go(app, "train")
    app.button(key="job.train").click().run()
    assert [config.training.lams for config in asked[1:]] == [(0.0, 5.0)] * 2
    assert [config.training.replicates for config in asked[1:]] == [REPLICATES] * 2
