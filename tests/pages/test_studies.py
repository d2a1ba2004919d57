"""The Studies page: what a study asks for, its progress, its figure and its table; what cannot be is a sentence."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from crl_core.jobs.executors import Job
from crl_core.jobs.manager import JobManager
from crl_core.jobs.train_and_store import Outcome
from crl_core.runs.store import RunStore
from crl_core.studies.grid import drive
from crl_core.studies.grid.folder import StudyFolder
from crl_core.studies.grid.live import Driver
from crl_core.studies.grid.study_file import read_study, shipped, study_of
from pages.shared import server_cache
from tests.crl_core.made_up import made_up_result, wait_until
from tests.crl_core.test_study_runs import TINY, Made
from tests.pages.conftest import Open, words
from tests.pages.figures import figures


def dropped(app: AppTest, text: str, name: str = "mine.toml") -> AppTest:
    return app.file_uploader[0].set_value((name, text.encode(), "application/toml")).run()


def labels(app: AppTest) -> list[str]:
    return [button.label for button in app.button]


def test_the_page_opens_on_a_study_that_comes_with_the_program_and_says_what_it_costs(
    open_app: Open, store: RunStore
) -> None:
    app = open_app("studies")
    assert not app.exception
    study = read_study(next(iter(shipped())), store)
    said = words(app)
    assert study.title in said
    assert study.asks in said
    assert str(len(study.runs)) in said
    assert "Start" in labels(app)
    assert set(shipped()) <= set(app.selectbox(key="studies.which").options)


def test_a_dropped_study_is_planned_and_what_cannot_be_is_named(open_app: Open, store: RunStore) -> None:
    app = dropped(open_app("studies"), 'title = "Mine"\n[axes]\nn_envs = [2, 3]\nsigma3 = [0.5]')
    assert not app.exception
    assert app.selectbox(key="studies.which").value == "mine (dropped)"
    said = words(app)
    assert "Mine" in said
    assert "1 combinations cannot be" in said or "cannot be and are left out" in said
    assert "σ₃: 0.5" in said


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[axes]\nwheels = [1]", "there is no setting wheels"),
        ("title = ", "not TOML"),
        ("[base]\nconfig = '/etc/passwd'", "a file of another machine"),
        ("# " + "x" * 200_000, "a study has at most 200,000"),
        ("[axes]\npenalty = ['<b>x</b>']", "penalty <b>x</b>"),
    ],
)
def test_a_file_that_is_no_study_costs_a_sentence(open_app: Open, store: RunStore, text: str, why: str) -> None:
    app = dropped(open_app("studies"), text)
    assert not app.exception
    assert len(app.error) == 1
    shown = app.error[0].value.replace("\\", "")
    assert shown.startswith("mine.toml is no study: ")
    assert why in shown
    assert "Start" in labels(app)  # the study before is still in view


def test_a_study_that_was_carried_out_shows_its_means_its_table_and_its_runs(open_app: Open, store: RunStore) -> None:
    study = study_of(TINY, store, "tiny")
    drive.carry_out(study, store, Made(store))
    app = open_app("studies")
    app = app.selectbox(key="studies.which").set_value(study.id).run()
    assert not app.exception
    assert "6 of 6 runs done." in [item.proto.text for item in app.get("progress")]
    assert "Start" not in labels(app)
    assert len(figures(app)) == 1
    assert app.dataframe[0].value.shape == (36, 10)
    app.session_state[f"studies.table.{study.id}"] = {"selection": {"rows": [7], "columns": [], "cells": []}}
    app = app.run()
    key = app.dataframe[0].value["run"].iloc[7]
    assert f"Open run {key}" in labels(app)
    app.selectbox(key=f"studies.{study.id}.panels").set_value("seed").run()
    assert len(figures(app)) == 3


def test_a_run_that_failed_is_named_with_its_reason_as_plain_text(open_app: Open, store: RunStore) -> None:
    study = study_of(TINY, store, "tiny")

    def fail(_: int, job: Job) -> Outcome | None:
        return Outcome(ending="failed", reason="It *exploded*.") if job.key == study.points[0].key else None

    drive.carry_out(study, store, Made(store, fail), retries=0)
    app = open_app("studies")
    app = app.selectbox(key="studies.which").set_value(study.id).run()
    assert "1 run failed and were given up" in words(app) or "1 run failed" in app.error[0].value
    assert "It \\*exploded\\*." in app.error[0].value
    assert "Go on" in labels(app)


def test_a_stranger_may_look_at_a_study_and_neither_start_nor_bring_in_one(
    open_app: Open, store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CRL_PUBLIC", "1")
    app = open_app("studies")
    start = next(button for button in app.button if button.label == "Start")
    assert start.disabled
    assert not app.file_uploader


class _Slow:
    """An executor of one slot that ends a job when it is told to."""

    slots = 1

    def __init__(self, store: RunStore) -> None:
        self.store, self.go, self.open = store, threading.Event(), True
        self.stopped: list[str] = []

    def start(self, job: Job) -> Future[Outcome]:
        future: Future[Outcome] = Future()

        def work() -> None:
            while not self.go.wait(0.05) and job.key not in self.stopped:
                pass
            if job.key in self.stopped:
                future.set_result(Outcome(ending="cancelled"))
                return
            assert job.config is not None
            self.store.save(made_up_result(job.config))
            future.set_result(Outcome(ending="trained"))

        threading.Thread(target=work, daemon=True).start()
        return future

    def stop(self, key: str) -> None:
        self.stopped.append(key)

    def warm(self) -> None: ...

    def alive(self) -> bool:
        return self.open

    def close(self) -> None:
        self.open = False


def test_a_study_goes_on_without_a_page_one_at_a_time_is_cancelled_and_goes_on_again(tmp_path: Path) -> None:
    store = RunStore(tmp_path / "cache", baked=tmp_path / "none")
    executor = _Slow(store)
    jobs = JobManager(store, executor=executor)
    driver, study = Driver(jobs), study_of(TINY, store, "tiny")
    other = study_of(TINY.replace("seeds = 3", "seeds = 2"), store, "other")
    try:
        driver.start(study)
        driver.start(study)  # pressed twice
        wait_until(lambda: any(jobs.state(key).active for key in study.runs), 30)
        with pytest.raises(ValueError, match="The study “Tiny” is under way"):
            driver.start(other)
        driver.cancel(study.id)
        wait_until(lambda: driver.driven is None, 30)
        left = StudyFolder(store, study.id).status()
        assert (left.driven, left.failed, len(left.done)) == (False, {}, 0)
        assert left.stopped
        executor.go.set()
        driver.start(study)
        wait_until(lambda: driver.driven is None, 60)
        assert driver.problem(study.id) == ""
        assert StudyFolder(store, study.id).status().ended
        assert store.keys()
    finally:
        jobs.close()


def test_start_hands_the_study_to_the_server(open_app: Open, store: RunStore, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[str] = []
    monkeypatch.setattr(Driver, "start", lambda self, study, visitor="": started.append(study.id))
    app = open_app("studies")
    next(button for button in app.button if button.label == "Start").click().run()
    assert started == [read_study(next(iter(shipped())), store).id]
    assert server_cache.studies().driven is None
    st.cache_resource.clear()
