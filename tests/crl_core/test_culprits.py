"""What goes wrong with one resource is told of that resource, in a line, with the variable that mends it."""

import errno
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from crl_core.cli import program
from crl_core.cli.program import main
from crl_core.cli.table import ProgressBar
from crl_core.export.model_file import ModelRefused, open_model
from crl_core.jobs.train_and_store import train_and_store
from crl_core.runs import store as stores
from crl_core.runs.sealing import StoreError, disk_error
from crl_core.runs.store import RunStore
from crl_core.runs.temporary import culprit, ensure_temporary_folder
from crl_core.training.path import train_path
from tests.crl_core.made_up import made_up_result, store_in, tiny_config

Output = pytest.CaptureFixture[str]
ROOT = Path(__file__).parents[2]
TINY = ["--set", "scenario.n_samples=200", "--set", "training.hidden=8", "--lam", "0", "1", "--epochs", "2"]


@pytest.fixture
def no_temporary_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a container that is read-only: none of the folders that Python tries can be written."""
    monkeypatch.setenv("TMPDIR", "")  # so that it is put back afterwards
    monkeypatch.delenv("TMPDIR")
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(tempfile, "_candidate_tempdir_list", lambda: [os.environ.get("TMPDIR", "/proc/none")])


@pytest.fixture
def trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    store = RunStore(tmp_path / "cache", tmp_path / "none")
    assert train_and_store(tiny_config(), store, with_parts=False).ending == "trained"
    monkeypatch.setenv("CRL_CACHE", str(store.root))
    return tiny_config().key


def told(output: Output) -> str:
    captured = output.readouterr()
    assert "Traceback" not in captured.err
    return captured.err.strip().splitlines()[-1]


@pytest.mark.parametrize("name", ["torch-export", "onnx-int8"])
def test_an_export_without_a_temporary_folder_works_in_that_of_the_cache(
    name: str, trained: str, no_temporary_folder: None, tmp_path: Path, capsys: Output
) -> None:
    """Found as: torch.export blames standard output, ONNX prints 110 lines."""
    if name.startswith("onnx"):
        pytest.importorskip("onnxscript")
    target = tmp_path / "model"
    assert main(["export", trained, "--lam", "1", "--format", name, "--out", str(target)]) == 0
    assert target.stat().st_size > 1000
    assert os.environ["TMPDIR"] == str(tmp_path / "cache" / "tmp")
    capsys.readouterr()


@pytest.mark.parametrize("name", ["torch-export", "onnx", "torchscript"])
def test_an_export_without_any_temporary_folder_names_the_variable(
    name: str,
    trained: str,
    no_temporary_folder: None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Output,
) -> None:
    monkeypatch.setattr(program, "ensure_temporary_folder", lambda _: None)
    assert main(["export", trained, "--lam", "1", "--format", name, "--out", str(tmp_path / "model")]) == 2
    line = told(capsys)
    assert "set TMPDIR" in line
    assert "standard output" not in line


def test_a_process_takes_over_the_temporary_folder_of_the_cache(no_temporary_folder: None, tmp_path: Path) -> None:
    ensure_temporary_folder(tmp_path)
    with tempfile.NamedTemporaryFile() as file:
        assert Path(file.name).parent == tmp_path / "tmp"


def test_where_there_is_a_temporary_folder_none_is_made_in_the_cache(tmp_path: Path) -> None:
    ensure_temporary_folder(tmp_path)
    assert not (tmp_path / "tmp").exists()


def test_a_target_that_cannot_be_written_is_not_told_as_the_cache(trained: str, tmp_path: Path, capsys: Output) -> None:
    for command in (
        ["runs", "export", trained, str(tmp_path / "none" / "r.zip")],
        ["export", trained, "--lam", "1", "--format", "torchscript", "--out", str(tmp_path / "none" / "m.pt")],
        ["presets", "--json", str(tmp_path / "none" / "x.json")],
    ):
        assert main(command) == 2
        line = told(capsys)
        assert str(tmp_path / "none") in line
        assert "CRL_CACHE" not in line
    refused = disk_error("write the model to m.pt", OSError(errno.EROFS, "Read-only file system"), "give another")
    assert str(refused) == "Cannot write the model to m.pt: the folder is read-only; give another."


def test_a_folder_here_that_cannot_be_written_is_told_before_the_export(
    trained: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "access", lambda path, mode, **_: Path(path) != tmp_path)
    assert main(["export", trained, "--lam", "1", "--format", "torchscript"]) == 2
    assert f"no file can be written there in {tmp_path}" in told(capsys)


def test_bake_says_at_once_that_the_programs_own_folder_cannot_be_written(
    monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    monkeypatch.setattr(os, "access", lambda *_, **__: False)
    assert main(["bake", "--only", "hospital"]) == 2
    line = told(capsys)
    assert "cannot be written" in line
    assert "CRL_CACHE" not in line


def wrapped() -> Exception:
    try:
        try:
            raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found in ['/tmp']")
        except OSError as error:
            raise RuntimeError("[torch.onnx] failed\n" * 100) from error
    except RuntimeError as error:
        return error


def after_another() -> Exception:
    """A fault of the program while it dealt with a file that is not there."""
    try:
        try:
            raise FileNotFoundError(errno.ENOENT, "No such file", "innocent.json")
        except OSError:
            {}["key"]
    except KeyError as error:
        return error
    raise AssertionError


def test_the_file_an_error_is_about_is_found_however_it_is_wrapped() -> None:
    assert "set TMPDIR" in (culprit(wrapped()) or "")
    assert culprit(PermissionError(errno.EACCES, "Permission denied", "/x/y")) == "/x/y: Permission denied."
    assert culprit(after_another()) is None
    assert culprit(ValueError("x")) is None


@pytest.mark.parametrize(
    ("error", "status", "says"),
    [
        (wrapped(), 2, "set TMPDIR"),
        (after_another(), 1, "a fault of the program (KeyError: 'key'); --debug shows where"),
        (PermissionError(errno.EACCES, "Permission denied", "/x/y"), 2, "/x/y: Permission denied."),
        (OSError(errno.EIO, "Input/output error"), 1, "a fault of the program (OSError: [Errno 5]"),
        (StoreError("The disk is full."), 2, "The disk is full."),
        (ZeroDivisionError(), 1, "a fault of the program (ZeroDivisionError)"),
    ],
)
def test_a_traceback_is_shown_with_debug_only(
    error: Exception, status: int, says: str, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    def fails(*_: object) -> int:
        raise error

    monkeypatch.setattr("crl_core.cli.presets._presets", fails)
    assert main(["presets"]) == status
    captured = capsys.readouterr()
    assert captured.out == ""
    assert len(captured.err.splitlines()) == 1
    assert says in captured.err
    assert "standard output" not in captured.err
    assert main(["presets", "--debug"]) == status
    assert "Traceback" in capsys.readouterr().err


def test_a_training_that_breaks_shows_its_traceback_with_debug_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output, caplog: pytest.LogCaptureFixture
) -> None:
    def breaks(*_: object, **__: object) -> None:
        raise wrapped()

    monkeypatch.setenv("CRL_CACHE", str(tmp_path))
    monkeypatch.setattr("crl_core.training.path.train_path", breaks)
    assert main(["train", *TINY]) == 1
    assert "training failed. No folder for temporary files" in told(capsys)
    assert not caplog.records
    assert main(["train", *TINY, "--debug"]) == 1
    assert caplog.records[0].exc_info is not None
    capsys.readouterr()


@pytest.mark.parametrize("stream", ["1", "2"])
def test_a_stream_that_takes_nothing_stops_no_training_and_is_named(stream: str, tmp_path: Path) -> None:
    if not os.path.exists("/dev/full"):
        pytest.skip("this system has no /dev/full")
    done = subprocess.run(
        ["bash", "-c", f'"$0" -m crl_core train "$@" {stream}> /dev/full', sys.executable, *TINY],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=os.environ | {"CRL_CACHE": str(tmp_path)},
    )
    assert len(list((tmp_path / "runs").iterdir())) == 1
    if stream == "2":
        assert done.returncode == 0
        assert "effect error" in done.stdout
    else:
        assert done.returncode == 2
        assert "standard output: No space left on device" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_terminal_that_is_gone_does_not_stop_the_progress_bar() -> None:
    class Gone:
        def isatty(self) -> bool:
            return True

        def write(self, text: str) -> int:
            raise OSError(errno.EIO, "Input/output error")

        flush: Callable[[], None] = staticmethod(lambda: None)

    bar = ProgressBar(Gone())  # type: ignore[arg-type]
    for event in train_path(tiny_config()):
        bar(event)
    bar.close()


def test_want_of_memory_puts_no_run_into_quarantine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = store_in(tmp_path)
    key = store.save(made_up_result(tiny_config()))

    def no_memory(_: bytes) -> None:
        raise MemoryError

    with monkeypatch.context() as patched:
        patched.setattr(stores, "unpack", no_memory)
        with pytest.raises(StoreError, match="memory does not suffice"):
            store.load(key)
    assert store.load(key).config == tiny_config()


def test_a_model_that_cannot_be_opened_for_want_of_a_temporary_folder_is_not_called_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_: bytes) -> None:
        raise wrapped()

    (tmp_path / "m.pt2").write_bytes(b"x")
    monkeypatch.setattr("crl_core.export.model_file._opened", fails)
    with pytest.raises(ModelRefused, match=r"cannot be opened\. No folder for temporary files") as refused:
        open_model(tmp_path / "m.pt2")
    assert "damaged" not in str(refused.value)
