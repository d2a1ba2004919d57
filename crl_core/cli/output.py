"""Where a command's result goes: readable on standard output, JSON to a file or to standard output."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from crl_core.data.user_files import expanded, place
from crl_core.events import finite
from crl_core.runs.sealing import write_atomically
from crl_core.runs.store import FOLDERS, RunStore

PROGRAM = "python -m crl_core"


class OutputRefused(Exception):
    """Standard output takes nothing more; the text is a sentence."""


def path_given(text: str) -> str:
    """A path as it was typed, ~ and variables replaced: the `type` of every argument that is one."""
    try:
        return expanded(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def tell(text: str) -> None:
    """A line on standard error; one that takes none stops no work."""
    with suppress(OSError):
        print(text, file=sys.stderr, flush=True)


def warn(cautions: Iterable[str]) -> None:
    """What the result lacks as a whole, a line each on standard error; it changes no exit status."""
    for caution in cautions:
        tell(f"{PROGRAM}: warning: {' '.join(caution.split())}")


def say(text: str) -> None:
    """Lines on standard output. Raises OutputRefused, and BrokenPipeError where nobody reads on."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputRefused(f"standard output: {error.strerror or error}; send it to another place.") from None


def check_target(target: str | None, option: str = "--json") -> None:
    """Check before an hour of training that the result's file can be written. Raises ValueError if not."""
    if target is None or target == "-":
        return
    path = Path(target)
    store = RunStore()
    kept = (store.baked, *(store.root / name for name in FOLDERS))
    if any(path.resolve().is_relative_to(folder.resolve()) for folder in kept):
        raise ValueError(f"{option} {target}: that is inside the store of runs; give a file outside of it.")
    if path.exists() and not path.is_file() and not path.is_dir() and os.access(path, os.W_OK):
        return  # a device or a pipe
    if path.is_dir() or not path.absolute().parent.is_dir() or not os.access(path.absolute().parent, os.W_OK):
        raise ValueError(
            f"{option} {target}: no file can be written there{place(path)}; give a file in a folder that exists."
        )


def put(target: str | None, content: Any, readable: Callable[[], str]) -> None:
    """Print the result, or write it as JSON where `--json` says. Raises ValueError if it cannot be written."""
    if target != "-":
        say(readable())
    if target is None:
        return
    text = json.dumps(finite(content), indent=2, allow_nan=False)
    if target == "-":
        say(text)
    else:
        write_text(target, text + "\n", "--json")


def write_text(target: str, text: str, option: str) -> None:
    """Write text to a file. Raises ValueError if it cannot be written."""
    try:
        write_atomically(Path(target), text.encode())
    except OSError as error:
        raise ValueError(f"{option} {target}: {error.strerror or error}{place(target)}; give another file.") from None
