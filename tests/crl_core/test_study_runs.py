"""A study goes on where it was left, whatever ended it; what fails is told and does not stop the rest."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from crl_core import metrics
from crl_core.cli import workers as worker_options
from crl_core.cli.program import main
from crl_core.events import STATUS_WORDS, RunFinished
from crl_core.jobs.executors import Here, Job
from crl_core.jobs.local_pool import LocalPool
from crl_core.jobs.train_and_store import Outcome
from crl_core.measures.lam_choice import choices_of
from crl_core.runs.eventlog import read_entries
from crl_core.runs.sealing import DiskFull, StoreError
from crl_core.runs.store import RunStore
from crl_core.studies.grid import drive
from crl_core.studies.grid.folder import Status, StudyFolder
from crl_core.studies.grid.rows import averages, header, read_table
from crl_core.studies.grid.study_file import Study, study_of
from tests.crl_core.made_up import made_up_part, made_up_result, store_in, wait_until

TINY = """
title = "Tiny"
penalties = ["mmd", "coral"]
seeds = 3
own_grids = false
[base]
set = { n_samples = 200, epochs = 2, replicates = 2, hidden = 4, latent_dim = 2, lams = [0, 1, 10] }
[measure]
metrics = ["ite_rmse", "mmd2", "generalisation_gap"]
rules = ["factual"]
"""


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    return store_in(tmp_path)


@pytest.fixture
def study(store: RunStore) -> Study:
    return study_of(TINY, store, "tiny")


def trainings(store: RunStore) -> Counter[str]:
    """How often each run was trained to its end, by the events of its attempts."""
    found: Counter[str] = Counter()
    for log in (store.root / "runs").glob("*/events.jsonl"):
        entries, _ = read_entries(log, 0)
        found[log.parent.name] = sum(isinstance(entry.event, RunFinished) for entry in entries)
    return found


def table(store: RunStore, study: Study) -> str:
    return StudyFolder(store, study.id).table_text()


class Made(Here):
    """Makes numbers up, or does what a test says with one of its jobs."""

    def __init__(self, store: RunStore, act: Callable[[int, Job], Outcome | None] = lambda n, job: None) -> None:
        super().__init__(store)
        self.store, self.act, self.jobs = store, act, list[str]()

    def start(self, job: Job) -> Future[Outcome]:
        self.jobs.append(job.key)
        outcome = self.act(len(self.jobs), job)
        if outcome is None:
            assert job.config is not None
            self.store.save(made_up_result(job.config))
            for part in job.parts:
                self.store.add(job.key, part, made_up_part())
            outcome = Outcome(ending="trained")
        future: Future[Outcome] = Future()
        future.set_result(outcome)
        return future


def test_the_table_has_a_row_for_each_model_with_the_numbers_of_its_run(store: RunStore, study: Study) -> None:
    ended = drive.carry_out(study, store, Here(store))
    assert (len(ended.done), ended.failed, ended.stopped, ended.ended, ended.driven) == (6, {}, "", True, False)
    lines = iter(table(store, study).splitlines())
    assert next(lines).split(",") == header(study)
    for point in study.points:
        result = store.load(point.key)
        picked = next(choice for choice in choices_of(result, None)[0] if choice.rule == "factual").index
        for m in range(len(result.lam)):
            run, penalty, seed, lam, replicate, status, *rest = next(lines).split(",")
            assert (run, penalty, int(seed)) == (point.key, *point.at)
            assert (float(lam), int(replicate)) == (result.lam[m], result.replicate[m])
            assert status == STATUS_WORDS[result.status[m]]
            values = [result.metric(metrics.METRIC[name], None) for name in study.metrics]
            assert [float(cell) for cell in rest[:-1]] == [float(v[m]) for v in values if v is not None]
            own = picked[result.replicate[m]]
            assert rest[-1] == ("" if own < 0 else "true" if own == m % 3 else "false")
    assert next(lines, None) is None


def test_the_parquet_file_holds_the_same_with_types(store: RunStore, study: Study) -> None:
    drive.carry_out(study, store, Made(store))
    frame = pd.read_parquet(StudyFolder(store, study.id).path / "table.parquet")
    pd.testing.assert_frame_equal(frame, read_table(table(store, study)), check_dtype=False)
    assert frame["picked_factual"].dtype == bool
    assert frame["ite_rmse"].dtype == np.float64


def test_what_is_stored_is_read_and_what_is_in_the_table_is_left_alone(store: RunStore, study: Study) -> None:
    first, second = study.points[0].config, study.points[1].config
    store.save(made_up_result(first))
    found = drive.cost(study, store)
    assert (found.runs, found.stored) == (6, {first.key})
    executor = Made(store)
    drive.carry_out(study, store, executor)
    assert executor.jobs == [point.key for point in study.points]
    store.discard(second.key)  # the quota may take it: its numbers are in the table
    again = Made(store)
    before = table(store, study)
    assert drive.carry_out(study, store, again).ended
    assert again.jobs == []
    assert table(store, study) == before


@pytest.mark.parametrize("n", [1, 3, 6])
def test_the_same_command_goes_on_after_ctrl_c_and_trains_nothing_twice(
    store: RunStore, study: Study, tmp_path: Path, n: int
) -> None:
    def cancel(at: int, _: Job) -> Outcome | None:
        if at == n:
            raise KeyboardInterrupt
        return None

    with pytest.raises(KeyboardInterrupt):
        drive.carry_out(study, store, Made(store, cancel))
    left = StudyFolder(store, study.id).status()
    assert (len(left.done), left.stopped, left.driven, left.ended) == (n - 1, "It was cancelled.", False, False)
    rest = Made(store)
    assert drive.carry_out(study, store, rest).ended
    assert rest.jobs == [point.key for point in study.points[n - 1 :]]
    other = store_in(tmp_path / "undisturbed")
    drive.carry_out(study, other, Made(other))
    assert table(store, study) == table(other, study)


@pytest.mark.parametrize(
    "spoilt", ["half a row", "half a run", "half a line of the log", "no table", "no log", "another header"]
)
def test_a_killed_writer_costs_what_it_was_writing(store: RunStore, study: Study, spoilt: str) -> None:
    drive.carry_out(study, store, Made(store))
    folder = StudyFolder(store, study.id)
    whole = folder.table_text()
    file, log = folder.path / "table.csv", folder.path / "log.jsonl"
    match spoilt:
        case "half a row":
            file.write_text(whole[:-20])
        case "half a run":
            file.write_text("\n".join(whole.splitlines()[:-2]) + "\n")
        case "half a line of the log":
            log.write_text(log.read_text()[:-15])
        case "no table":
            file.unlink()
        case "no log":
            log.unlink()
        case _:
            file.write_text(whole.replace("mmd2", "mmd3", 1))
    again = Made(store)
    assert drive.carry_out(study, store, again).ended
    assert folder.table_text() == whole
    assert len(folder.status().done) == 6
    assert trainings(store).total() == 0  # of made-up runs; none was trained in earnest


def test_a_run_that_fails_is_tried_again_then_given_up_and_the_rest_goes_on(store: RunStore, study: Study) -> None:
    bad = study.points[1].key

    def fail(_: int, job: Job) -> Outcome | None:
        return Outcome(ending="failed", reason="It exploded.") if job.key == bad else None

    heard: list[tuple[str, str]] = []
    executor = Made(store, fail)
    ended = drive.carry_out(
        study, store, executor, retries=2, on_event=lambda what, entry: heard.append((what, entry.get("run", "")))
    )
    assert Counter(executor.jobs)[bad] == 3
    assert ended.failed == {bad: "It exploded."}
    assert (len(ended.done), ended.ended) == (5, True)
    assert [what for what, key in heard if key == bad] == ["begun", "retry", "retry", "failed"]
    assert bad not in table(store, study)
    assert not drive.carry_out(study, store, Made(store)).failed  # the same command tries it again
    assert bad in table(store, study)


def test_a_full_disk_ends_the_study_with_a_sentence_and_not_run_by_run(store: RunStore, study: Study) -> None:
    full = DiskFull("Cannot store the run: the disk is full.")

    def fail(at: int, _: Job) -> Outcome | None:
        return Outcome(ending="failed", reason=str(full), error=full) if at > 2 else None

    executor = Made(store, fail)
    ended = drive.carry_out(study, store, executor, retries=0)
    assert len(executor.jobs) == 3
    assert (len(ended.done), ended.stopped, ended.ended) == (2, str(full), False)
    assert drive.carry_out(study, store, Made(store)).ended


def test_a_study_that_another_process_drives_is_refused_and_can_be_looked_at(store: RunStore, study: Study) -> None:
    inside, leave = threading.Event(), threading.Event()

    def wait(at: int, _: Job) -> Outcome | None:
        inside.set()
        leave.wait(60)
        return None

    driver = threading.Thread(target=drive.carry_out, args=(study, store, Made(store, wait)))
    driver.start()
    inside.wait(60)
    code = (
        "import sys\nfrom crl_core.jobs.executors import Here\nfrom crl_core.runs.store import RunStore\n"
        "from crl_core.studies.grid import drive\nfrom crl_core.studies.grid.study_file import study_of\n"
        f"store = RunStore({str(store.root)!r}, {str(store.baked)!r})\n"
        f"drive.carry_out(study_of({TINY!r}, store, 'tiny'), store, Here(store))"
    )
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    status = StudyFolder(RunStore(store.root, store.baked), study.id).status()
    leave.set()
    driver.join()
    assert "is under way in another process" in other.stderr
    assert status.driven
    assert status.under_way == (study.points[0].key,)


def test_claims_of_a_study_are_measured_on_its_runs(store: RunStore) -> None:
    study = study_of("seeds = 5\n[measure]\nclaims = ['hospital-with']", store, "claimed")
    own = set(study.runs) - {point.key for point in study.points}
    executor = Made(store)
    ended = drive.carry_out(study, store, executor)
    assert own <= set(executor.jobs)
    assert len(ended.done) == len(study.runs)
    found = StudyFolder(store, study.id).claims()
    assert found is not None
    assert [entry["id"] for entry in found["claims"]] == ["hospital-with"]
    assert len(found["claims"][0]["measured"]) == 5
    again = Made(store)
    drive.carry_out(study, store, again)
    assert again.jobs == []


# -- several workers ---------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_two_workers_make_the_table_of_one_and_share_the_cores(store: RunStore, study: Study, tmp_path: Path) -> None:
    other = store_in(tmp_path / "one")
    tables = []
    for n, where in ((2, store), (1, other)):
        pool = LocalPool(where, n)
        seen: set[int] = set()
        try:
            drive.carry_out(study, where, pool, on_event=lambda *_, pool=pool, seen=seen: seen.update(pool.pids))
        finally:
            pool.close()
        assert len(seen) == n
        tables.append(read_table(table(where, study)))
    pd.testing.assert_frame_equal(*tables, rtol=1e-4)  # one thread against two; bits are of the thread count
    assert trainings(store) == Counter({point.key: 1 for point in study.points})


def test_a_worker_that_is_killed_costs_its_run_a_second_try_and_no_other(store: RunStore, study: Study) -> None:
    pool, killed = LocalPool(store, 2), []

    def kill(what: str, entry: Any) -> None:
        if what == "done" and not killed:
            killed.append(pool.pids[0])
            os.kill(pool.pids[0], signal.SIGKILL)

    try:
        ended = drive.carry_out(study, store, pool, on_event=kill)
    finally:
        pool.close()
    assert killed
    assert (len(ended.done), ended.failed) == (6, {})
    assert trainings(store) == Counter({point.key: 1 for point in study.points})


def test_a_number_of_workers_that_cannot_be_is_one_sentence(store: RunStore) -> None:
    with pytest.raises(ValueError, match=r"0 workers; from 1 to 64 are possible\."):
        LocalPool(store, 0)


# -- means along axes --------------------------------------------------------------------------------------------------


def test_means_along_axes_are_those_of_pandas_and_intervals_those_of_scipy(store: RunStore, study: Study) -> None:
    drive.carry_out(study, store, Made(store))
    frame = read_table(table(store, study))
    for pick, chosen in (("factual", frame[frame["picked_factual"]]), (1.2, frame[frame["lam"] == 1])):
        wanted = chosen.groupby("penalty", sort=False)["ite_rmse"].agg(list)
        cells = averages(frame, ["penalty"], "ite_rmse", pick)
        assert [cell.at for cell in cells] == [(name,) for name in wanted.index]
        for cell, values in zip(cells, wanted, strict=True):
            low, high = stats.t.interval(0.95, len(values) - 1, np.mean(values), stats.sem(values))
            assert (cell.mean, cell.low, cell.high) == pytest.approx((np.mean(values), low, high))
            assert (cell.n, cell.broken) == (6, 0)
    pairs = averages(frame, ["penalty", "seed"], "mmd2", "factual")
    assert len(pairs) == 6
    assert {cell.n for cell in pairs} == {2}
    assert averages(frame.iloc[:0], ["penalty"], "ite_rmse", 1.0) == []


def test_a_model_that_broke_is_counted_apart_and_in_no_mean() -> None:
    frame = read_table("run,penalty,lam,replicate,status,ite_rmse\na,mmd,1.0,0,ok,2.0\nb,mmd,1.0,0,diverged,\n")
    (cell,) = averages(frame, ["penalty"], "ite_rmse", 1.0)
    assert (cell.mean, cell.n, cell.broken) == (2.0, 1, 1)
    assert np.isnan(cell.low)


# -- the command line --------------------------------------------------------------------------------------------------


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CRL_CACHE", str(tmp_path / "cache"))
    path = tmp_path / "tiny.toml"
    path.write_text(TINY)
    return path


def test_a_study_is_planned_run_looked_at_and_written_out(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def said(*arguments: str) -> Any:
        assert main([*arguments, "--json", "-"]) == 0
        return json.loads(capsys.readouterr().out)

    planned = said("study", "plan", str(file))
    assert (planned["runs"], planned["stored"], planned["axes"]) == (6, 0, ["penalty", "seed"])
    assert planned["seconds"] > 0
    out = tmp_path / "out.parquet"
    ran = said("study", "run", str(file), "--workers", "1", "--out", str(out))
    assert (ran["runs"], ran["done"], ran["failed"]) == (6, 6, [])
    assert len(pd.read_parquet(out)) == 6 * 6
    assert said("study", "plan", str(file))["stored"] == 6
    assert said("study", "status", ran["id"])["done"] == 6
    assert said("study", "status", str(file)) == said("study", "status", ran["id"])
    assert [item["id"] for item in said("study", "list")["begun"]] == [ran["id"]]
    cells = said("study", "table", str(file), "--pivot", "penalty,seed", "--metric", "mmd2", "--at", "1")["cells"]
    assert [cell["at"] for cell in cells] == [[p, s] for p in ("mmd", "coral") for s in (100, 101, 102)]
    assert main(["study", "table", str(file), "--pivot", "penalty"]) == 0
    assert "ite_rmse at the λ that factual picks" in capsys.readouterr().out
    assert main(["study", "table", str(file)]) == 0
    assert pd.read_csv(io.StringIO(capsys.readouterr().out)).shape == (36, 10)
    assert main(["study", "show", ran["id"]]) == 0
    assert capsys.readouterr().out.strip() == TINY.strip()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("plan nowhere", "give a study.toml, or one of"),
        ("status nowhere", "there is no study nowhere; begun here: none"),
        ("run {file} --workers 0", "0 workers; from 1 to 64 are possible"),
        ("run {file} --executor dask", "--executor dask needs --scheduler"),
        ("run {file} --scheduler tcp://127.0.0.1:9 --workers 2", "leave out --workers"),
        ("run {file} --scheduler tcp://127.0.0.1:9", "There is no Dask scheduler at tcp://127.0.0.1:9"),
        ("run {file} --scheduler nonsense", "There is no Dask scheduler at nonsense"),
        ("run {file} --out table.xlsx", "written as .csv or .parquet"),
        ("run {file} --out /no/such/folder/t.csv", "no file can be written there"),
        ("table {file}", "has no table yet; run it first"),
        ("status {file}", "There is no study tiny-"),
    ],
)
def test_what_a_study_command_cannot_do_is_one_line(
    file: Path, capsys: pytest.CaptureFixture[str], arguments: str, words: str
) -> None:
    assert main(["study", *arguments.format(file=file).split()]) == 2
    said = capsys.readouterr()
    assert words in said.err
    assert "Traceback" not in said.err
    assert said.out == ""


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("--pivot epochs", "--pivot epochs: give one or two axes of the study, penalty, seed"),
        ("--pivot penalty,seed,penalty", "give one or two axes"),
        ("--pivot penalty --metric beauty", "--metric beauty: the study measures ite_rmse"),
        ("--pivot penalty --at oracle", "--at oracle: give a rule of the study (factual), or a number"),
    ],
)
def test_means_that_the_table_cannot_give_are_one_line(
    file: Path, capsys: pytest.CaptureFixture[str], arguments: str, words: str
) -> None:
    store = RunStore()
    drive.carry_out(study_of(TINY, store, "tiny"), store, Made(store))
    assert main(["study", "table", str(file), *arguments.split()]) == 2
    assert words in capsys.readouterr().err


@pytest.mark.parametrize(
    "command",
    [
        "penalties --only mmd coral --seeds 1 --epochs 1",
        "claims --only hospital-with --seeds 1",
        "environments --seeds 1",
        "unseen --seeds 1 --draws 1",
    ],
)
def test_studies_whose_grid_is_fixed_take_workers_as_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    """Which runs they are is theirs; who trains them is one thing for all."""
    monkeypatch.setenv("CRL_CACHE", str(tmp_path / "cache"))
    made: list[tuple[int | None, list[str]]] = []

    class Pool(Made):
        def __init__(self, store: RunStore, n: int | None) -> None:
            def stop(at: int, _: Job) -> Outcome | None:
                return Outcome(ending="failed", reason="Enough seen.") if at > 1 else None

            super().__init__(store, stop)
            made.append((n, self.jobs))

    monkeypatch.setattr(worker_options, "LocalPool", Pool)
    main([*command.split(), "--workers", "3"])
    ((n, jobs),) = made
    assert n == 3
    assert jobs


def test_ctrl_c_at_the_command_line_says_that_the_same_command_goes_on(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def cancel(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("crl_core.cli.study.LocalPool", lambda store: Made(store, cancel))
    assert main(["study", "run", str(file)]) == 130
    assert "what is stored stays, and the same command goes on" in capsys.readouterr().err


def test_two_studies_do_not_write_one_table(file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from crl_core.studies.grid.folder import writing

    out, refused = tmp_path / "t.csv", list[str]()
    with writing(RunStore(), str(out)):

        def other() -> None:
            with (
                pytest.raises(StoreError, match=r"Another study is writing .*t\.csv") as error,
                writing(RunStore(), str(out)),
            ):
                pass
            refused.append(str(error.value))

        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
    assert refused


@pytest.mark.slow
def test_a_driver_that_is_killed_leaves_a_study_that_goes_on(file: Path, tmp_path: Path) -> None:
    """SIGKILL of the driver while its workers train; they end with it, and the next one trains what is left."""
    store = RunStore()
    study = study_of(TINY.replace("epochs = 2", "epochs = 150"), store, "tiny")
    file.write_text(study.text)
    command = [sys.executable, "-m", "crl_core", "study", "run", str(file), "--workers", "2"]
    driver = subprocess.Popen(command, env=os.environ | {"CRL_CACHE": str(store.root)}, stderr=subprocess.DEVNULL)
    folder = StudyFolder(store, study.id)

    def half() -> bool:
        try:
            return len(folder.status().done) >= 2
        except StoreError:
            return False

    wait_until(half)
    driver.kill()
    driver.wait()
    wait_until(lambda: not any(store.busy(key) for key in study.runs))
    left: Status = folder.status()
    assert not left.ended
    assert not left.driven
    assert subprocess.run(command, check=False, capture_output=True).returncode == 0
    assert folder.status().ended
    assert set(trainings(store).values()) == {1}
    undisturbed = store_in(tmp_path / "undisturbed")
    pool = LocalPool(undisturbed, 2)
    try:
        drive.carry_out(study, undisturbed, pool)
    finally:
        pool.close()
    assert table(store, study) == table(undisturbed, study)
