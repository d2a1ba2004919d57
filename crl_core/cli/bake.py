"""The command `bake`: make anew what comes with the program, the presets' runs and the answers of every study."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from crl_core.cli.output import put, tell
from crl_core.cli.table import ProgressBar
from crl_core.config.presets import PRESETS
from crl_core.jobs.bake import bake, remove_outdated
from crl_core.jobs.executors import Here
from crl_core.runs import keyed
from crl_core.runs.store import RunStore
from crl_core.runs.temporary import check_temporary_folder
from crl_core.studies.bake import ANSWERS


def add_bake_command(command: Callable[..., Any]) -> None:
    """Add it with `command(name, what does it, text)`, which returns a parser."""
    parser = command("bake", _bake, "make anew what comes with the program: trained presets, answers of studies")
    parser.add_argument(
        "--only", nargs="+", default=[], metavar="NAME", help=f"some of {', '.join(names())}; default all"
    )


def names() -> list[str]:
    """What can be baked by itself: all runs, the run of a preset, the answer of a study."""
    return ["runs", *PRESETS, *ANSWERS]


def _check_writable(folder: Path) -> None:
    """Before hours of training. Raises ValueError if nothing can be written in `folder`, which no variable moves."""
    there = next((place for place in (folder, *folder.parents) if place.exists()), folder)
    if not (there.is_dir() and os.access(there, os.W_OK)):
        raise ValueError(
            f"{folder} cannot be written, and what comes with the program belongs there; bake in a copy of the "
            "program that can be written."
        )


def _bake(options: argparse.Namespace) -> int:
    wanted = options.only or ["runs", *ANSWERS]
    unknown = [name for name in wanted if name not in names()]
    if unknown:
        raise ValueError(f"there is nothing called {', '.join(unknown)} to bake; choose from {', '.join(names())}.")
    store, bar = RunStore(), ProgressBar(sys.stderr)
    _check_writable(store.baked)
    check_temporary_folder()

    def say(what: str) -> None:
        bar.close()
        tell(what)

    presets = [name for name in PRESETS if name in wanted or "runs" in wanted]
    keys = bake(presets, store, bar)
    removed = remove_outdated(store) if presets else []
    if presets:
        keyed.list_shipped(store.baked)
    files = [make(store, Here(store, bar), say).name for name, make in ANSWERS.items() if name in wanted]
    bar.close()
    put(
        options.json,
        {"baked": keys, "removed": removed, "studies": files},
        lambda: f"Baked {len(keys)} runs and {len(files)} answers of studies in {store.baked}.",
    )
    return 0
