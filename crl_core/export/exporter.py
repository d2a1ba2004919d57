"""Exports of stored runs, kept beside them. A process of its own makes them: it needs torch and half a minute."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from crl_core.data.tables.private import ROWS_FILE, PrivateRows, hand_over
from crl_core.export.formats import INSTALL, available, file_name
from crl_core.results import RunResult
from crl_core.runs.store import RunStore

LIMIT_S = 180
MOST = 20  # models whose exports are kept, about a third of a megabyte each; the oldest go first
_REPORT = "report.json"
_SAYS = "python -m crl_core: "  # how the command begins its one line; others are warnings of libraries


@dataclass(frozen=True, slots=True, kw_only=True)
class Exports:
    """Every format of one model that could be made here. rows: as `FormatCost.to_dict`, the original first.

    held: of a private table, the files themselves, of which none is on disk any more.
    """

    folder: Path
    key: str
    lam: float
    rows: tuple[dict[str, Any], ...]
    held: Mapping[str, bytes] = field(default_factory=dict)

    @property
    def formats(self) -> tuple[str, ...]:
        return tuple(row["format"] for row in self.rows[1:])

    def content(self, name: str) -> bytes:
        """The file of a format. Raises OSError if it was removed meanwhile."""
        file = file_name(self.key, self.lam, name)
        return self.held[file] if file in self.held else (self.folder / file).read_bytes()


def _exports(store: RunStore) -> Path:
    return store.root / "exports"


def folder_of(store: RunStore, result: RunResult, lam: float) -> Path:
    """The folder of the exports of replicate 0 at `lam`."""
    return _exports(store) / f"{result.config.key}-{result.model(lam)}"


def kept(store: RunStore, result: RunResult, lam: float) -> Exports | None:
    """A former export; None if there is none, or it is not whole."""
    folder = folder_of(store, result, lam)
    try:
        said = json.loads((folder / _REPORT).read_text())
        found = Exports(folder=folder, key=said["key"], lam=said["lam"], rows=tuple(said["report"]))
        made = found.formats
        whole = set(available()) <= set(made) and all((folder / _file(found, name)).is_file() for name in made)
        return found if made and whole else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _file(found: Exports, name: str) -> str:
    return file_name(found.key, found.lam, name)


def _aside(folder: Path) -> str:
    """How the name of the place begins where a folder's files are written."""
    return f".{folder.name}-"


def make(store: RunStore, result: RunResult, lam: float, limit_s: float = LIMIT_S) -> Exports:
    """Export and measure every format whose packages are installed, for `limit_s` at most.

    Of a private table, whose names and levels a model file holds, they are in memory afterwards, and on no disk.
    Raises: ValueError with one sentence if that fails.
    """
    target = folder_of(store, result, lam)
    aside = target.with_name(f"{_aside(target)}{secrets.token_hex(4)}")
    command = [
        sys.executable, "-m", "crl_core", "export", result.config.key, "--lam", repr(lam), "--report",
        "--folder", str(aside), "--json", str(aside / _REPORT),
    ]  # fmt: skip
    handed = None
    try:
        aside.mkdir(parents=True)
        if isinstance(result.config.table, PrivateRows):
            handed = hand_over(result.config.table, with_words=True)
            if handed is None:
                raise ValueError("The export failed: the table's session has ended; load the table again.")
        done = subprocess.run(
            command,
            env={**os.environ, "CRL_CACHE": str(store.root)} | ({} if handed is None else {ROWS_FILE: str(handed)}),
            cwd=Path(__file__).parents[2],
            timeout=limit_s,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            told = [line.removeprefix(_SAYS) for line in done.stderr.splitlines() if line.startswith(_SAYS)]
            ended = f"its process ended with status {done.returncode}; perhaps the memory did not suffice."
            raise ValueError(f"The export failed: {told[-1][:300] if told else ended}")
        shutil.rmtree(target, ignore_errors=True)
        if handed is not None:
            return _in_memory(aside)
        aside.replace(target)
        _sweep(target.parent)
    except subprocess.TimeoutExpired:
        raise ValueError(
            f"The export took longer than {limit_s:g} s and was ended; try again when the machine is less busy."
        ) from None
    except OSError as error:
        raise ValueError(
            f"The export cannot be stored ({error.strerror or error}); free some room, or set CRL_CACHE to another "
            f"folder."
        ) from None
    finally:
        shutil.rmtree(aside, ignore_errors=True)
        if handed is not None:
            handed.unlink(missing_ok=True)
    found = kept(store, result, lam)
    if found is None:
        raise ValueError(f"The export was made and is not whole; try again, or install its packages: {INSTALL}.")
    return found


def _in_memory(folder: Path) -> Exports:
    said = json.loads((folder / _REPORT).read_text())
    files = {path.name: path.read_bytes() for path in folder.iterdir() if path.name != _REPORT}
    return Exports(folder=folder, key=said["key"], lam=said["lam"], rows=tuple(said["report"]), held=files)


class Exporter:
    """Exports one after the other in a thread; who asked may leave meanwhile and come back.

    Not a task of the worker: it would hold what ONNX needs for as long as it lives, and a run would wait for it.
    """

    def __init__(self) -> None:
        self._mutex, self._turn = threading.Lock(), threading.Lock()
        self._running: set[Path] = set()
        self._problems: dict[Path, str] = {}
        self._held: dict[Path, Exports] = {}  # of private tables

    def kept(self, store: RunStore, result: RunResult, lam: float) -> Exports | None:
        """As the function: a former export, or None."""
        return self._held.get(folder_of(store, result, lam)) or kept(store, result, lam)

    def forget(self, key: str, store: RunStore) -> None:
        """Keep no export of a run any more, neither in memory nor on disk."""
        for folder in list(self._held):  # another thread may add one meanwhile
            if folder.name.startswith(f"{key}-"):
                self._held.pop(folder, None)
        for folder in _exports(store).glob(f"{key}-*"):
            shutil.rmtree(folder, ignore_errors=True)

    def start(self, store: RunStore, result: RunResult, lam: float) -> None:
        """Ask for an export; one that waits or is under way is joined."""
        folder = folder_of(store, result, lam)
        with self._mutex:
            if folder in self._running:
                return
            self._running.add(folder)
            self._problems.pop(folder, None)
        threading.Thread(target=self._work, args=(folder, store, result, lam), name="export", daemon=True).start()

    def running(self, folder: Path) -> bool:
        with self._mutex:
            return folder in self._running

    def written(self, folder: Path) -> tuple[int, int]:
        """How many of how many formats are there, of an export that is under way; then they are measured."""
        made = {path.name for path in folder.parent.glob(f"{_aside(folder)}*/[!.]*")} - {_REPORT}
        return len(made), len(available())

    def problem(self, folder: Path) -> str | None:
        """Why the last export into `folder` failed, None if it did not."""
        with self._mutex:
            return self._problems.get(folder)

    def _work(self, folder: Path, store: RunStore, result: RunResult, lam: float) -> None:
        problem = None
        try:
            with self._turn:
                made = make(store, result, lam)
                if made.held:
                    self._held[folder] = made
        except ValueError as error:
            problem = str(error)
        finally:
            with self._mutex:
                self._running.discard(folder)
                if problem is not None:
                    self._problems[folder] = problem


def _sweep(folder: Path) -> None:
    made = sorted((item for item in folder.glob("[!.]*") if item.is_dir()), key=lambda item: item.stat().st_mtime)
    for item in made[:-MOST]:
        shutil.rmtree(item, ignore_errors=True)


# -- snippets ----------------------------------------------------------------------------------------------------------


def serve_command(file: str) -> str:
    return f"python -m crl_core serve {file} --port 8000"


_READ = 'np.loadtxt("traces.csv", delimiter=",", ndmin=2)'
Row = list[float] | dict[str, Any]  # inputs, or a table's own columns by name


def curl(rows: Sequence[Row]) -> str:
    """A request for rows; without any it is read from a file."""
    body = json.dumps({"rows": rows, "environments": ["site-a"] * len(rows)}) if rows else "@traces.json"
    return f"curl -s http://127.0.0.1:8000/v1/effects \\\n  -H 'content-type: application/json' \\\n  -d '{body}'"


def python_client(rows: Sequence[Row]) -> str:
    """Python that asks for the effects of rows; without any they are read from a file, one a line."""
    reads = f"rows = {list(rows)!r}\n" if rows else f"rows = {_READ}.tolist()\n"
    origin = f"{['site-a'] * len(rows)}" if rows else '["site-a"] * len(rows)'
    return (
        "import json\nfrom urllib.request import Request, urlopen\n\n"
        + ("" if rows else "import numpy as np\n\n")
        + (reads + f'body = {{"rows": rows, "environments": {origin}}}\n').replace("'", '"')
        + 'request = Request("http://127.0.0.1:8000/v1/effects", json.dumps(body).encode(), {"content-type": '
        '"application/json"})\n'
        'answer = json.load(urlopen(request))\nprint(answer["ite"], answer["invariance"])\n'
    )


def python_local(file: str, name: str, rows: list[list[float]]) -> str:
    """Python that opens the file without this program; without rows they are read from a file, one a line."""
    x = f"x = np.array({rows}, np.float32)\n" if rows else f"x = {_READ}.astype(np.float32)\n"
    if name.startswith("onnx"):
        run = (
            f'session = onnxruntime.InferenceSession("{file}")\ny0, y1, phi = session.run(["y0", "y1", "phi"], {{"x": '
            f"x}})\n"
        )
        return f"import numpy as np\nimport onnxruntime\n\n{x}{run}print(y1 - y0)\n"
    load = f'torch.export.load("{file}").module()' if name == "torch-export" else f'torch.jit.load("{file}")'
    return f"import numpy as np\nimport torch\n\n{x}y0, y1, phi = {load}(torch.from_numpy(x))\nprint(y1 - y0)\n"


def dockerfile(file: str, name: str) -> str:
    """A Dockerfile that serves the file and holds nothing else; it is built in this program's folder."""
    packages = [*SERVED, "onnxruntime" if name.startswith("onnx") else "torch"]
    return (
        f"FROM python:3.11-slim\nRUN pip install --no-cache-dir {' '.join(pinned(packages))}\n"
        f"WORKDIR /srv\nCOPY crl_core crl_core\nCOPY {file} model\nRUN useradd --system serve\nUSER serve\nEXPOSE "
        f"8000\n"
        'CMD ["python", "-m", "crl_core.serve", "model", "--host", "0.0.0.0", "--port", "8000"]\n'
    )


SERVED = ("numpy", "scipy", "fastapi", "uvicorn", "prometheus-client")


def pinned(packages: Sequence[str]) -> list[str]:
    """ "name==version" of each, as the requirements say."""
    folder = Path(__file__).parents[2]
    lines = [
        line.strip()
        for file in ("requirements.txt", "requirements-serve.txt")
        for line in (folder / file).read_text().splitlines()
    ]
    return [next(line for line in lines if line.startswith(f"{name}==")) for name in packages]
