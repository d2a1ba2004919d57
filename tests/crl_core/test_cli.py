"""The command line does what it says, says in one line what is wrong, and keeps standard output clean."""

import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from crl_core import PRESETS, RunConfig, RunStore, preset
from crl_core.cli.program import main
from crl_core.cli.table import ProgressBar, run_content, run_table
from crl_core.config import CONFIG_VERSION
from crl_core.events import COLLAPSED, DIVERGED, EpochEnded, Event, RunFinished, RunStarted, finite
from crl_core.measures.baselines import BASELINES, REGULARISED
from crl_core.runs.eventlog import read_entries
from crl_core.runs.sealing import StoreError
from tests.crl_core.made_up import endless_config, made_up_result, tiny_config, wait_until

WAIT_S = 300  # generous: the machine may be busy, and nothing here measures time
ROOT = Path(__file__).parents[2]
TINY = ["--set", "scenario.n_samples=200", "--set", "training.hidden=8", "--lam", "0", "1", "--epochs", "3"]

Output = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CRL_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def said(output: Output) -> str:
    """The one line on standard error."""
    captured = output.readouterr()
    assert captured.out == ""
    lines = captured.err.strip().splitlines()
    assert len(lines) == 1, captured.err
    return lines[0]


# -- training ------------------------------------------------------------------------------------------------------


def test_train_prints_nothing_but_json_and_the_second_time_takes_it_from_the_cache(capsys: Output) -> None:
    command = ["train", *TINY, "--replicates", "2", "--device", "cpu", "--json", "-"]
    assert main(command) == 0
    captured = capsys.readouterr()
    first = json.loads(captured.out)
    assert "training 4 models on cpu, 3 epochs" in captured.err
    assert set(first) == {"key", "config", "device", "seconds", "cached", "cautions", "models", "baselines"}
    assert [item["name"] for item in first["baselines"]] == [*BASELINES, REGULARISED]
    assert all({"ite_rmse", "factual_mse", "ate_error"} <= set(item) for item in first["baselines"])
    assert all(item["ite_rmse"] is not None or item["reason"] for item in first["baselines"])
    assert first["cached"] is False
    assert [(model["lam"], model["replicate"]) for model in first["models"]] == [
        (0, 0),
        (1, 0),
        (0, 1),
        (1, 1),
    ]
    assert RunConfig.from_dict(first["config"]).key == first["key"]
    for model in first["models"]:
        assert {"factual_mse", "mmd2", "ite_rmse", "ate_error", "status"} <= set(model)
        assert len(model["factual_mse_by_env"]) == 2
    assert main(command) == 0
    captured = capsys.readouterr()
    second = json.loads(captured.out)
    assert "training" not in captured.err  # nothing but the warning that three epochs were too few
    assert all("warning: All 4 models collapsed" in line for line in captured.err.splitlines())
    assert second == first | {"cached": True}


def test_no_cache_stores_nothing_and_gives_the_same_numbers(capsys: Output, cache: Path) -> None:
    command = ["train", *TINY, "--json", "-"]
    assert main([*command, "--no-cache"]) == 0
    alone = json.loads(capsys.readouterr().out)
    assert not cache.exists()
    assert main(command) == 0
    stored = json.loads(capsys.readouterr().out)
    assert stored["models"] == alone["models"]
    assert stored["baselines"] == alone["baselines"]


def test_json_goes_to_a_file_and_the_table_to_the_screen(capsys: Output, tmp_path: Path) -> None:
    assert main(["train", *TINY, "--json", str(tmp_path / "run.json")]) == 0
    out = capsys.readouterr().out
    assert len(json.loads((tmp_path / "run.json").read_text())["models"]) == 6
    lines = out.splitlines()
    assert lines[0].startswith("run ")
    assert lines[2].split()[:2] == ["λ", "effect"]
    assert [line.split()[0] for line in lines[3:5]] == ["0", "1"]


def config_from(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> RunConfig:
    """What `train` would train."""
    seen: list[RunConfig] = []

    def train_nothing(config: RunConfig, *_: object) -> object:
        seen.append(config)
        return made_up_result(config)

    monkeypatch.setattr("crl_core.cli.program._without_store", train_nothing)
    assert main(["train", "--no-cache", *arguments]) == 0
    return seen[0]


def test_every_flag_reaches_the_config(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    flags = "--preset leaky --lam 10 0 1 --epochs 7 --seed 5 --replicates 2 --device cpu --sigma 0.2 0.3"
    config = config_from(
        [*flags.split(), "--set", "scenario.offset=-2,2", "--set", "training.bandwidth=1.5"], monkeypatch
    )
    base = preset("leaky")
    assert config.scenario == replace(base.scenario, sigma=(0.2, 0.3), offset=(-2.0, 2.0))
    assert config.training == replace(
        base.training, lams=(0.0, 1.0, 10.0), epochs=7, seed=5, replicates=2, device="cpu", bandwidth=1.5
    )
    (tmp_path / "config.json").write_text(config.to_json())
    assert config_from(["--config", str(tmp_path / "config.json")], monkeypatch) == config
    monkeypatch.setattr("sys.stdin", io.StringIO(config.to_json()))
    assert config_from(["--config", "-", "--seed", "6"], monkeypatch).training.seed == 6
    assert config_from([], monkeypatch) == preset("hospital")


def test_envs_and_sigma_give_a_sensible_world(monkeypatch: pytest.MonkeyPatch) -> None:
    world = preset("hospital").scenario
    assert config_from(["--envs", "3"], monkeypatch).scenario == world.with_envs(3)
    assert config_from(["--sigma", "0.1", "1", "0.5"], monkeypatch).scenario == replace(
        world.with_envs(3), sigma=(0.1, 1.0, 0.5)
    )
    assert config_from(["--sigma", "0.7"], monkeypatch).scenario.n_envs == 1


def test_a_number_that_is_not_finite_is_null_in_json_and_a_word_in_the_table() -> None:
    result = made_up_result()
    result = replace(
        result,
        status=np.array([DIVERGED, COLLAPSED]),
        ite_rmse=np.array([np.nan, 0.5]),
        factual_mse=np.array([np.inf, 0.25]),
        factual_mse_by_env=np.full((2, 2), np.nan),
    )
    content = finite(run_content(result, cached=False))
    assert content["models"][0]["ite_rmse"] is None
    assert content["models"][0]["factual_mse"] is None
    assert content["models"][0]["factual_mse_by_env"] == [None, None]
    assert content["models"][0]["status"] == "diverged"
    json.dumps(content, allow_nan=False)
    table = run_table(result, cached=False)
    assert "nan" not in table
    assert "inf" not in table
    assert "none  " in table
    assert "1 of 1 diverged" in table
    assert "least effect error; 1 of 1 collapsed" in table


def test_a_run_without_truth_has_a_table_and_json() -> None:
    result = replace(made_up_result(), ite_rmse=None, ate_error=None, ite_rmse_by_env=None)
    assert "unknown" in run_table(result, cached=True)
    assert run_content(result, cached=True)["models"][0]["ite_rmse"] is None


def test_the_progress_bar_moves_on_a_terminal_and_is_sparse_elsewhere() -> None:
    numbers = np.zeros(2)

    def events() -> Iterator[Event]:
        yield RunStarted(
            key="",
            device="cpu",
            lam=numbers,
            replicate=numbers,
            epochs=100,
            steps_per_epoch=1,
            n_train=1,
            n_held_out=1,
            n_pairs=1,
        )
        for epoch in range(1, 101):
            yield EpochEnded(
                epoch=epoch,
                elapsed_s=epoch / 10,
                loss=numbers,
                factual_train=numbers,
                penalty=numbers,
                factual_mse=numbers,
                mmd2=numbers,
                ite_rmse=None,
                status=numbers,
            )
        yield RunFinished(elapsed_s=10.0)

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    plain, terminal = io.StringIO(), Terminal()
    for stream in (plain, terminal):
        bar = ProgressBar(stream)
        for event in events():
            bar(event)
        bar.close()
    assert len(plain.getvalue().splitlines()) == 11
    assert "epoch 50 of 100, 5.0 s, about 5 s left" in plain.getvalue()
    assert terminal.getvalue().count("\r") == 100
    assert terminal.getvalue().endswith("\n")
    assert f"[{'#' * 24}] epoch 100 of 100" in terminal.getvalue()


# -- looking after runs --------------------------------------------------------------------------------------------


def test_presets_are_listed(capsys: Output) -> None:
    assert main(["presets"]) == 0
    out = capsys.readouterr().out
    assert all(item.title in out for item in PRESETS.values())
    assert main(["presets", "--json", "-"]) == 0
    content = json.loads(capsys.readouterr().out)["presets"]
    assert [item["id"] for item in content] == list(PRESETS)
    assert RunConfig.from_dict(content[0]["config"]) == preset(content[0]["id"])


def test_runs_are_listed_shown_deleted_and_restored(capsys: Output) -> None:
    key = RunStore().save(made_up_result())
    assert main(["runs", "list", "--json", "-"]) == 0
    mine = next(item for item in json.loads(capsys.readouterr().out)["runs"] if item["key"] == key)
    assert mine["ite_rmse"] == made_up_result().ite_rmse.tolist()  # type: ignore[union-attr]
    assert main(["runs", "list"]) == 0
    assert key in capsys.readouterr().out
    assert main(["runs", "show", key[:6], "--json", "-"]) == 0
    assert json.loads(capsys.readouterr().out)["key"] == key
    assert main(["runs", "show", key]) == 0
    assert "effect error" in capsys.readouterr().out
    assert main(["runs", "delete", key]) == 0
    assert f"runs restore {key}" in capsys.readouterr().out
    assert main(["runs", "show", key]) == 2
    assert f"There is no run {key}" in said(capsys)
    assert main(["runs", "restore", key[:6]]) == 0
    assert main(["runs", "show", key]) == 0
    assert main(["runs", "verify"]) == 0
    assert "all intact" in capsys.readouterr().out


def test_a_damaged_run_is_told_once_and_trained_again(capsys: Output, cache: Path) -> None:
    command = ["train", *TINY, "--json", "-"]
    assert main(command) == 0
    first = json.loads(capsys.readouterr().out)
    path = cache / "runs" / first["key"] / "result.joblib"

    def damage() -> None:
        content = bytearray(path.read_bytes())
        content[200] ^= 1
        path.write_bytes(content)

    damage()
    assert main(["runs", "show", first["key"]]) == 2
    assert "result.joblib is not what was sealed" in said(capsys)
    assert main(command) == 0
    capsys.readouterr()
    damage()
    assert main(command) == 0
    captured = capsys.readouterr()
    assert "is damaged" in captured.err
    again = json.loads(captured.out)
    assert (again["cached"], again["models"]) == (False, first["models"])
    damage()
    assert main(["runs", "verify", "--json", "-"]) == 2
    assert [item["key"] for item in json.loads(capsys.readouterr().out)["damaged"]] == [first["key"]]


# -- bad input -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("", "required: COMMAND; see python -m crl_core --help"),
        ("runs", "required: ACTION"),
        ("fly", "invalid choice: 'fly'"),
        ("train --speed 9", "unrecognized arguments: --speed 9"),
        ("train --epochs many", "invalid number value: 'many'"),
        ("train --epochs 0", "epochs is 0; epochs must be a whole number from 1 to 1000."),
        ("train --epochs 2.5", "epochs is 2.5; epochs must be a whole number"),
        ("train --sigma -0.1 1", "sigma is -0.1; sigma must be a number from 0 to 10."),
        ("train --sigma nan 1", "sigma is nan"),
        ("train --lam -1", "lams is -1; lams must be a number from 0 to 1000000."),
        ("train --lam inf", "lams is inf"),
        ("train --envs 0", "number of environments is 0; it must be a whole number from 1 to 10."),
        ("train --envs 11", "number of environments is 11"),
        ("train --envs 2.5", "number of environments is 2.5"),
        ("train --sigma 1 2 3 --envs 2", "--sigma has 3 values for --envs 2; give one an environment."),
        ("train --preset moon", "there is no preset 'moon'; choose one of"),
        ("unseen --preset hum-label", "treatment has no part in the outcome of hum-label, so no effect can"),
        ("train --device abacus", "device is 'abacus'; it must be one of auto, cuda, mps, cpu."),
        ("train --set scenario.moons=2", "scenario has no field moons; its fields are"),
        ("train --set training.seed=NaN", "seed is nan"),
        ("train --set scenario.effect=1,2", "effect is [1, 2]; effect must be a number"),
        ("train --set scenario.mixing=cake", "mixing is 'cake'; it must be one of none, rotation, nonlinear."),
        ("train --set seed=1", "write scenario.FIELD=VALUE or training.FIELD=VALUE"),
        ("train --set scenario.effect=", "write scenario.FIELD=VALUE"),
        ("train --seed 99999999999999999999", "seed is 1e+20"),
        ("train --replicates 20 --epochs 1000", "times what one run may ask for"),
        ("train --config missing.json", "--config missing.json: No such file"),
        ("train --config . --preset hospital", "give one of them"),
        ("train --json no/such/folder/file", "no file can be written there"),
        ("runs show ../../x", "There is no run ../../x"),
        ("runs restore 0123456789abcdef", "not in the trash"),
        *(
            (f"{study} --{option}", words)
            for study in ("claims", "environments", "penalties", "unseen", "identify")
            for option, words in (("seeds 0", "number of seeds is 0; from 1 to"), ("first-seed -1", "first seed is -1"))
        ),
    ],
)  # fmt: skip
def test_bad_input_is_one_clear_line_and_exit_status_2(capsys: Output, arguments: str, words: str) -> None:
    try:
        status = main(arguments.split())
    except SystemExit as ended:  # argparse's own
        status = int(str(ended.code))
    assert status == 2
    line = said(capsys)
    assert line.startswith("python -m crl_core: ")
    assert words in line


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"{", "the config is not JSON"),
        (b"\xff\xfe\x00", "this is not text"),
        (b"[" * 100_000, "--config"),
        (b'{"scenario": {"sigma": [0.1, NaN]}}', "sigma is nan"),
        (b'{"scenario": {"moons": 2}}', "scenario has no field moons"),
        (
            json.dumps({"config_version": CONFIG_VERSION + 1}).encode(),
            f"version {CONFIG_VERSION + 1}; this program reads",
        ),
    ],
)
def test_a_bad_config_file_is_one_clear_line(capsys: Output, tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "config.json").write_bytes(content)
    assert main(["train", "--config", str(tmp_path / "config.json")]) == 2
    assert words in said(capsys)


def test_two_runs_that_begin_alike_are_told_apart(capsys: Output, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RunStore, "keys", lambda self: ["abab" + "0" * 12, "abab" + "1" * 12])
    assert main(["runs", "show", "abab"]) == 2
    assert "2 runs begin with abab; type more of the key" in said(capsys)


# -- trouble -------------------------------------------------------------------------------------------------------


def test_a_cache_that_cannot_be_written_is_one_line_before_training(capsys: Output, cache: Path) -> None:
    cache.write_text("a file, not a folder")
    assert main(["train", *TINY]) == 2
    assert "set CRL_CACHE to a folder" in said(capsys)


def test_a_disk_that_fills_up_still_gives_the_numbers(capsys: Output, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> str:
        raise StoreError("Cannot store the run: the disk is full.")

    monkeypatch.setattr(RunStore, "save", full)
    assert main(["train", *TINY, "--json", "-"]) == 2
    captured = capsys.readouterr()
    assert len(json.loads(captured.out)["models"]) == 6
    assert captured.err.strip().splitlines()[-1] == "python -m crl_core: Cannot store the run: the disk is full."


@pytest.mark.parametrize("cached", [True, False])
def test_a_failed_training_is_one_line_and_exit_status_1(
    capsys: Output, monkeypatch: pytest.MonkeyPatch, cached: bool
) -> None:
    def breaks(*_: object, **__: object) -> Iterator[Event]:
        raise MemoryError
        yield

    monkeypatch.setattr("crl_core.training.path.train_path", breaks)
    assert main(["train", *TINY, *([] if cached else ["--no-cache"])]) == 1
    assert said(capsys).startswith("python -m crl_core: training failed. The memory did not suffice;")


def command(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "crl_core", *arguments],
        cwd=ROOT,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        # A test run started in the background has Ctrl+C switched off, and would hand that down.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def events_of(config: RunConfig) -> Callable[[], list[str]]:
    return lambda: [type(e.event).__name__ for e in read_entries(RunStore().events_path(config.key))[0]]


def test_ctrl_c_ends_with_130_and_leaves_nothing_half_done(tmp_path: Path) -> None:
    config = endless_config()
    (tmp_path / "config.json").write_text(config.to_json())
    process = command("train", "--config", str(tmp_path / "config.json"))
    wait_until(lambda: "EpochEnded" in events_of(config)())
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=WAIT_S)
    assert process.returncode == 130
    assert out == ""
    assert "Traceback" not in err
    assert err.strip().splitlines()[-1] == "python -m crl_core: cancelled; nothing was stored."
    assert events_of(config)()[-1] == "RunCancelled"
    assert not RunStore().busy(config.key)


def test_two_command_lines_asking_for_one_run_train_it_once(tmp_path: Path) -> None:
    config = tiny_config(epochs=60)
    (tmp_path / "config.json").write_text(config.to_json())
    processes = [command("train", "--config", str(tmp_path / "config.json"), "--json", "-") for _ in range(2)]
    contents = [json.loads(process.communicate(timeout=300)[0]) for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    assert events_of(config)().count("RunStarted") == 1
    assert sorted(content["cached"] for content in contents) == [False, True]
    assert contents[0]["models"] == contents[1]["models"]


@pytest.mark.slow
def test_a_run_that_another_process_trains_is_followed(tmp_path: Path) -> None:
    config = endless_config()
    (tmp_path / "config.json").write_text(config.to_json())
    first = command("train", "--config", str(tmp_path / "config.json"))
    wait_until(lambda: "EpochEnded" in events_of(config)())
    second = command("train", "--config", str(tmp_path / "config.json"))
    assert second.stderr is not None
    assert second.stderr.readline() == "Another process is training this run; following it.\n"
    second.send_signal(signal.SIGINT)
    second.communicate(timeout=WAIT_S)
    assert second.returncode == 130
    assert events_of(config)().count("RunStarted") == 1
    assert "RunCancelled" not in events_of(config)()  # the first one goes on
    first.send_signal(signal.SIGINT)
    first.communicate(timeout=WAIT_S)


def test_output_can_be_piped_into_something_that_stops_reading() -> None:
    read, write = os.pipe()
    os.close(read)
    process = subprocess.run(
        [sys.executable, "-m", "crl_core", "presets"],
        cwd=ROOT,
        stdout=write,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(write)
    assert (process.returncode, process.stderr) == (0, "")


@pytest.mark.parametrize("target", ["/dev/full", "closed"])
def test_output_that_cannot_be_written_is_no_traceback(target: str) -> None:
    if target == "/dev/full" and not os.path.exists(target):
        pytest.skip("this system has no /dev/full")
    where = ">&-" if target == "closed" else f"> {target}"
    done = subprocess.run(
        ["bash", "-c", f'"$0" -m crl_core presets {where}', sys.executable], capture_output=True, text=True
    )
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
    assert done.returncode == (0 if target == "closed" else 2)


def test_json_into_a_pipe_or_a_device_is_written_there_and_never_replaces_it(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        assert main(["runs", "list", "--json", str(pipe)]) == 0
        assert "runs" in json.loads(os.read(reader, 1_000_000))
    finally:
        os.close(reader)
    assert pipe.is_fifo()


def test_help_and_lists_do_not_wait_for_torch() -> None:
    code = "import sys; from crl_core.cli.program import main; main(['presets']); sys.exit('torch' in sys.modules)"
    assert (
        subprocess.run([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.DEVNULL, check=False).returncode == 0
    )
