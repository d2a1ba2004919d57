"""The Train page and the sidebar in each of their states."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from types import ModuleType

import pytest
from streamlit.runtime.scriptrunner import RerunData, get_script_run_ctx
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.local_script_runner import LocalScriptRunner

from crl_core import PRESETS, train_path
from crl_core.config import RunConfig
from crl_core.config.text import altered
from crl_core.events import EpochEnded, RunCancelled, RunFailed, RunStarted
from crl_core.jobs.cost import smaller
from crl_core.jobs.manager import JobManager, JobState
from crl_core.runs.eventlog import EventLog
from crl_core.runs.sealing import StoreError
from crl_core.runs.store import RunStore
from pages.shared import moved, server_cache, sidebar, strangers
from tests.pages.conftest import ROOT, Open, Tiny, charts, words

CHARTS = 5


def write_events(store: RunStore, tiny: Tiny, *, epochs: int, ending: RunFailed | RunCancelled | None = None) -> None:
    """The events of an attempt that has come so far."""
    with EventLog(store.events_path(tiny.config.key)) as log:
        for event in train_path(tiny.config):
            if isinstance(event, RunStarted) or (isinstance(event, EpochEnded) and event.epoch <= epochs):
                log.append(event)
        if ending is not None:
            log.append(ending)


def test_without_a_run_the_page_says_so_with_the_cost_and_offers_to_train(open_app: Open, tiny: Tiny) -> None:
    app = open_app(**tiny.params)
    assert not app.exception
    assert "have not been trained yet" in words(app)
    assert "takes about" in words(app)
    assert {button.label for button in app.button} >= {"Train", "Train these settings"}
    assert charts(app) == CHARTS  # empty, so that the browser has loaded what draws them


def test_a_run_under_way_shows_its_epochs_from_the_start_and_can_be_cancelled(
    open_app: Open, tiny: Tiny, store: RunStore
) -> None:
    write_events(store, tiny, epochs=2)
    with store.lock(tiny.config.key):
        app = open_app(**tiny.params)
        assert not app.exception
        assert "Epoch 2 of 3" in words(app)
        assert [button.label for button in app.sidebar.button] == ["Cancel"]
        assert charts(app) == CHARTS


def test_a_cancel_that_the_disk_refuses_is_said_in_the_sidebar(
    open_app: Open, tiny: Tiny, store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(key: str) -> None:
        raise StoreError(f"Cannot ask run {key} to stop: the folder is read-only.")

    write_events(store, tiny, epochs=2)
    with store.lock(tiny.config.key):
        app = open_app(**tiny.params)
        monkeypatch.setattr(store.locks, "ask_to_stop", refuse)
        app.button(key="job.cancel").click().run()
        assert not app.exception
        assert [error.value for error in app.error] == [
            f"Cannot ask run {tiny.config.key} to stop: the folder is read-only."
        ]


def test_what_a_link_says_is_shown_as_text_and_never_as_markdown(open_app: Open) -> None:
    picture = "![x](https://example.org/x.png)"
    app = open_app(preset=picture, set=f"training.align={picture}")
    assert not app.exception
    said = " ".join(str(warning.value) for warning in app.warning)
    assert r"!\[x\](https://example.org/x.png)" in said
    assert "[x](" not in said


def test_a_failed_run_says_why_and_offers_to_train_again(open_app: Open, tiny: Tiny, store: RunStore) -> None:
    write_events(store, tiny, epochs=1, ending=RunFailed(reason="The memory did not suffice; use fewer samples."))
    app = open_app(**tiny.params)
    assert not app.exception
    assert [error.value for error in app.error] == ["The memory did not suffice; use fewer samples."]
    assert "Train these settings" in {button.label for button in app.button}


def test_a_cancelled_run_says_at_which_epoch(open_app: Open, tiny: Tiny, store: RunStore) -> None:
    write_events(store, tiny, epochs=2, ending=RunCancelled(elapsed_s=1.0))
    app = open_app(**tiny.params)
    assert not app.exception
    assert "Cancelled at epoch 2; nothing was stored." in words(app)


def test_a_finished_run_is_shown_with_its_figures(open_app: Open, tiny: Tiny, store: RunStore) -> None:
    store.save(tiny.result)
    app = open_app(**tiny.params, lam="1")
    assert not app.exception
    column = tiny.result.by_lam(tiny.result.ite_rmse)[:, 2]
    assert f"<b>{(column[0] + column[1]) / 2:.3f}</b><span>effect error</span>" in words(app)
    assert not app.error


def test_a_damaged_run_is_told_and_can_be_trained_again(open_app: Open, tiny: Tiny, store: RunStore) -> None:
    store.save(tiny.result)
    path = store.root / "runs" / tiny.config.key / "result.joblib"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    app = open_app(**tiny.params)
    assert not app.exception
    assert len(app.error) == 1
    assert "result.joblib" in app.error[0].value
    assert "Train it again" in {button.label for button in app.button}
    app.run()
    assert "result.joblib" in app.error[0].value  # still told while nothing has been done about it


def test_settings_that_contradict_each_other_are_named_and_cannot_be_trained(open_app: Open) -> None:
    app = open_app(leak="1", interaction="1")
    assert not app.exception
    assert "one of them must be 0" in app.error[0].value
    assert app.sidebar.button[0].disabled


def test_a_preset_alone_in_the_link_opens_with_its_own_values(open_app: Open) -> None:
    app = open_app(preset="leaky")
    assert app.session_state["sidebar.controls"].config == PRESETS["leaky"].config


def test_changing_the_preset_resets_every_field_to_its_values(open_app: Open) -> None:
    app = open_app(sigma1="0.5", epochs="7")
    app.sidebar.selectbox[0].set_value("sensors").run()
    assert app.session_state["sidebar.controls"].config == PRESETS["sensors"].config


def test_more_environments_keep_the_old_ones_and_grow_as_the_scenario_does(open_app: Open) -> None:
    app = open_app(offset1="4")
    app.sidebar.slider(key="envs").set_value(4).run()
    scenario = app.session_state["sidebar.controls"].config.scenario
    hospital = PRESETS["hospital"].config.scenario
    assert scenario == replace(hospital, offset=(4.0, -2.0)).with_envs(4)
    app.sidebar.slider(key="envs").set_value(1).run()
    assert not app.exception
    assert "there is nothing to align" in words(app)
    assert app.session_state["sidebar.controls"].config.scenario.n_envs == 1


def test_bad_values_in_a_link_are_mended_and_said(open_app: Open) -> None:
    app = open_app(preset="leaky", sigma1="-2", lam="3", epochs="x")
    assert not app.exception
    said = [warning.value for warning in app.warning]
    assert len(said) == 3
    config = app.session_state["sidebar.controls"].config
    assert config == PRESETS["leaky"].config
    assert app.session_state["sidebar.controls"].lam == 1.9


def test_going_back_to_the_last_run_restores_its_settings(open_app: Open, tiny: Tiny, store: RunStore) -> None:
    store.save(tiny.result)
    app = open_app(**tiny.params)
    app.sidebar.slider(key="sigma1").set_value(0.6).run()
    assert "have not been trained yet" in words(app)
    assert "σ₁ 0.1 → 0.6" in words(app)
    assert "Shown, dimmed, is what was trained last: Two hospitals, one cause." in words(app)
    column = tiny.result.by_lam(tiny.result.ite_rmse)[:, tiny.result.lams.index(1.0)]
    assert f"<b>{(column[0] + column[1]) / 2:.3f}</b><span>effect error</span>" in words(app)
    next(button for button in app.button if button.label == "Undo").click().run()
    assert app.session_state["sidebar.controls"].config == tiny.config


@pytest.mark.parametrize("page", ["train", "runs"])
def test_the_server_process_never_loads_torch_and_shows_a_run_without_what_fits_baselines(
    page: str, tiny: Tiny, store: RunStore
) -> None:
    store.save(tiny.result)
    code = f"""
import sys
from streamlit.testing.v1 import AppTest
app = AppTest.from_file("app.py", default_timeout=30)
for name, value in {tiny.params!r}.items():
    app.query_params[name] = value
app.run()
if {page!r} != "train":
    app.switch_page("pages/{page}.py").run()
assert not app.exception, app.exception
assert not sys.modules.keys() & {{"torch", "sklearn", "scipy.stats"}}
from pages.shared import server_cache
server_cache.jobs().close()
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"CRL_CACHE": str(store.root)},
    )
    assert done.returncode == 0, done.stderr


def test_on_a_small_machine_the_first_button_trains_less_and_says_so(
    open_app: Open, tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("crl_core.jobs.machine.why_small", lambda: "1 processor core and 700 MB of memory")
    asked = []
    monkeypatch.setattr("crl_core.jobs.manager.JobManager.submit", lambda self, config, **_: asked.append(config))
    app = open_app(epochs="30", samples="400", replicates="2")
    assert [button.label for button in app.sidebar.button] == ["Train a small run", "Train in full"]
    assert "This machine has 1 processor core and 700 MB of memory. Small: 1 replicate, 20 epochs" in words(app)
    app.sidebar.button[0].click().run()
    assert not app.exception
    (config,) = asked
    assert (config.training.replicates, config.training.epochs, config.scenario.n_samples) == (1, 20, 400)
    assert app.session_state["sidebar.controls"].config == config  # seen, and in the link


def test_a_stored_run_asks_nothing_of_a_small_machine(
    open_app: Open, tiny: Tiny, store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("crl_core.jobs.machine.why_small", lambda: "1 processor core")
    store.save(tiny.result)
    app = open_app(**tiny.params)
    assert [button.label for button in app.sidebar.button] == ["Compute what is missing"]


def test_a_run_that_waits_says_its_place_in_the_queue(
    open_app: Open, tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("crl_core.jobs.manager.JobManager.training", True)
    for position, says in (
        (1, "number 1 in the queue, after the run under way"),
        (3, "number 3 in the queue, after the run under way and 2 more"),
    ):
        state = JobState(phase="queued", active=True, position=position)
        monkeypatch.setattr("crl_core.jobs.manager.JobManager.state", lambda self, key, state=state: state)
        assert says in words(open_app(**tiny.params))


def test_another_penalty_is_named_and_takes_back_what_the_preset_promises(open_app: Open) -> None:
    app = open_app(set="training.penalty=coral")
    assert not app.exception
    assert "CORAL within a batch" in words(app)
    assert "This world is changed from the preset" in words(app)
    assert "Raise λ until the hospitals overlap" not in words(app)
    wrong = open_app(set="training.penalty=nonsense")
    assert not wrong.exception
    assert "penalty is 'nonsense'" in words(wrong)


def _moved_by_the_bar(app: AppTest, name: str, value: object) -> None:
    """As the bar at a phone's lower edge sets a field, which no simulated browser can press."""
    before = app.session_state[name]
    app.session_state[moved._MOVES] = {name: moved._Move(moved._written(1), (before,), value)}
    app.session_state[moved._COUNT] = 1
    app.session_state[name] = value
    app.run()


def test_a_hand_on_the_slider_takes_back_the_lam_that_another_control_moved(open_app: Open) -> None:
    app = open_app()
    before = app.select_slider(key="lam").value
    _moved_by_the_bar(app, "lam", 14.0)
    assert app.session_state["sidebar.controls"].lam == 14.0
    app.select_slider(key="lam").set_value(before).run()
    assert app.session_state["lam"] == before
    assert app.session_state["sidebar.controls"].lam == before


def test_a_message_that_was_under_way_when_a_button_set_fields_takes_none_of_them_back(
    open_app: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a slow machine a poll leaves with the fields of before a tenth of a second after the press."""
    monkeypatch.setattr("crl_core.jobs.machine.why_small", lambda: "1 processor core")
    app = open_app(samples="2000", epochs="30", seed="7")
    full = app.session_state["sidebar.controls"].config
    app.button(key="job.train_small").click().run()
    small = app.session_state["sidebar.controls"].config
    assert small == smaller(full)
    assert small.training.epochs != full.training.epochs
    app.number_input(key="epochs").set_value(full.training.epochs)
    app.number_input(key="replicates").set_value(full.training.replicates)
    app.text_input(key=moved.ECHO).set_value("").run()  # sent before the browser had drawn what the button set
    assert app.session_state["sidebar.controls"].config == small
    app.number_input(key="epochs").set_value(full.training.epochs).run()  # at once, but by hand
    assert app.session_state["sidebar.controls"].config == altered(small, epochs=full.training.epochs)
    app.number_input(key="epochs").set_value(31).run()  # what was not there before is somebody's wish
    assert app.session_state["sidebar.controls"].config == altered(small, epochs=31)


def test_a_wish_that_was_not_there_before_is_heard_also_from_a_message_under_way(open_app: Open) -> None:
    app = open_app()
    _moved_by_the_bar(app, "lam", 14.0)
    app.text_input(key=moved.ECHO).set_value("")
    app.select_slider(key="lam").set_value(0.0).run()
    assert app.session_state["sidebar.controls"].lam == 0.0


def test_a_message_that_was_under_way_when_a_preset_was_chosen_brings_nothing_of_the_one_before(
    open_app: Open,
) -> None:
    app = open_app()
    before = app.session_state["sidebar.controls"].values
    _moved_by_the_bar(app, "preset", "shifted")
    chosen = PRESETS["shifted"].config
    assert app.session_state["sidebar.controls"].config == chosen
    app.selectbox(key="preset").set_value("hospital")
    app.text_input(key=moved.ECHO).set_value("")
    app.selectbox(key="preset.by_word").set_value("hospital").run()
    assert app.session_state["sidebar.controls"].config == chosen
    assert app.selectbox(key="preset.by_word").value == "shifted"
    drawn = app.text_input(key=moved.ECHO).value
    app.selectbox(key="preset.by_word").set_value("confounded").run()  # by hand, which sets σ₁
    app.text_input(key=moved.ECHO).set_value(drawn)
    app.slider(key="sigma1").set_value(before["sigma1"]).run()
    assert app.session_state["sidebar.controls"].config == PRESETS["confounded"].config


@pytest.fixture
def submitted(monkeypatch: pytest.MonkeyPatch) -> list[RunConfig]:
    """What was asked for, of which nothing is trained."""
    found: list[RunConfig] = []

    def submit(self: JobManager, config: RunConfig, **options: object) -> None:
        found.append(config)

    monkeypatch.setattr(JobManager, "submit", submit)
    return found


def test_a_press_is_carried_out_to_its_end_whatever_the_browser_sends_meanwhile(
    open_app: Open, tiny: Tiny, submitted: list[RunConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(keys: Sequence[str]) -> None:
        context = get_script_run_ctx()
        assert context is not None
        assert context.script_requests is not None
        context.script_requests.request_rerun(RerunData())  # another control's message comes just now

    monkeypatch.setattr(strangers, "start", start)
    app = open_app(**tiny.params)
    app.button(key="job.train").click().run()
    assert submitted == [tiny.config]


def test_a_press_is_heard_where_another_message_comes_before_it_was_looked_at(
    open_app: Open, tiny: Tiny, submitted: list[RunConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    def prepare(runner: LocalScriptRunner, name: str) -> ModuleType:
        if waiting:
            runner._requests.request_rerun(waiting.pop())
        return module(runner, name)

    app = open_app(**tiny.params)
    waiting, module = [RerunData()], LocalScriptRunner._new_module
    monkeypatch.setattr(LocalScriptRunner, "_new_module", prepare)  # on the way to the callbacks
    app.button(key="job.train").click().run()
    assert waiting == []
    assert submitted == [tiny.config]


def test_a_penalty_and_a_grid_chosen_in_the_sidebar_are_what_is_trained_and_a_preset_takes_them_back(
    open_app: Open,
) -> None:
    app = open_app()
    home = PRESETS["hospital"].config
    app.session_state[sidebar.ADVANCED] = True  # the fold is open
    app.run()
    app.selectbox(key="penalty.by_word").set_value("coral").run()
    app.text_input(key="lams").set_value("0, 1, 10").run()
    assert not app.exception
    asked = app.session_state["sidebar.controls"].config
    assert asked == altered(home, penalty="coral", lams=(0.0, 1.0, 10.0))
    assert app.select_slider(key="lam").options == ["0", "1", "10"]
    app.selectbox(key="preset.by_word").set_value("shifted").run()
    assert app.session_state["sidebar.controls"].config == PRESETS["shifted"].config
    assert app.text_input(key="lams").value == ""


def test_further_fields_are_drawn_when_their_fold_is_open_or_one_of_them_says_something(open_app: Open) -> None:
    app = open_app()
    drawn, asked = {item.key for item in app.sidebar.number_input}, app.session_state["sidebar.controls"]
    assert "samples" not in drawn
    assert asked.config == PRESETS["hospital"].config
    app.session_state[sidebar.ADVANCED] = True
    app.run()
    assert "samples" in {item.key for item in app.sidebar.number_input}
    assert app.session_state["sidebar.controls"].values == asked.values
    app.number_input(key="samples").set_value(1000).run()
    app.session_state[sidebar.ADVANCED] = False
    app.run()
    assert app.number_input(key="samples").value == 1000  # closed, and still the field that holds the address
    assert app.session_state["sidebar.controls"].config == altered(PRESETS["hospital"].config, n_samples=1000)
    linked = open_app(seed="7")
    assert linked.number_input(key="seed").value == 7


@pytest.mark.parametrize("noise", ["0.004", "0.0000125", "1.5"])
def test_a_number_field_shows_the_value_in_force_with_all_its_digits(open_app: Open, noise: str) -> None:
    app = open_app("train", noise=noise)
    (field,) = [item for item in app.number_input if item.key == "noise"]
    assert field.value == float(noise)
    assert field.proto.format == "%.12g"


def test_a_run_gets_its_name_when_it_is_trained(
    open_app: Open, tiny: Tiny, store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    app = open_app(**tiny.params)
    monkeypatch.setattr(server_cache.jobs(), "submit", lambda config, **_: asked.append(config.key))
    app.text_input(key="job.name").set_value(" three epochs ").run()
    app.button(key="job.train").click().run()
    assert asked == [tiny.config.key]
    store.save(tiny.result)
    assert store.summary(tiny.config.key).label.name == "three epochs"
    assert not [field for field in open_app(**tiny.params).text_input if field.key == "job.name"]  # it has been trained
