"""Where a command's result goes: readable on standard output, JSON to a file or to standard output."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from crl_core.events import finite
from crl_core.runs.sealing import write_atomically

PROGRAM = "python -m crl_core"


def check_target(target: str | None, option: str = "--json") -> None:
    """Check before an hour of training that the result's file can be written. Raises ValueError if not."""
    if target is None or target == "-":
        return
    path = Path(target)
    if path.exists() and not path.is_file() and not path.is_dir() and os.access(path, os.W_OK):
        return  # a device or a pipe
    if path.is_dir() or not path.absolute().parent.is_dir() or not os.access(path.absolute().parent, os.W_OK):
        raise ValueError(f"{option} {target}: no file can be written there; give a file in a folder that exists.")


def put(target: str | None, content: Any, readable: Callable[[], str]) -> None:
    """Print the result, or write it as JSON where `--json` says. Raises ValueError if it cannot be written."""
    if target != "-":
        print(readable())
    if target is None:
        return
    text = json.dumps(finite(content), indent=2, allow_nan=False) + "\n"
    if target == "-":
        sys.stdout.write(text)
        return
    write_text(target, text, "--json")


def write_text(target: str, text: str, option: str) -> None:
    """Write text to a file. Raises ValueError if it cannot be written."""
    try:
        write_atomically(Path(target), text.encode())
    except OSError as error:
        raise ValueError(f"{option} {target}: {error.strerror or error}; give another file.") from None
