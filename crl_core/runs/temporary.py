"""Where temporary files go, and which file an error is about: so that a container in which only the store can be
written works, and an error of one resource is not told as one of another."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path

NO_FOLDER = "No folder for temporary files can be written here; set TMPDIR to a folder that can be."


def ensure_temporary_folder(root: Path) -> None:
    """Where the system offers no folder for temporary files, which torch needs for its first optimiser: `tmp` in the
    store's folder `root`, for this process and those that it starts. Where that cannot be written either, `culprit`
    names the variable once something fails."""
    with suppress(OSError):
        tempfile.gettempdir()
        return
    with suppress(OSError):
        (root / "tmp").mkdir(parents=True, exist_ok=True)
        os.environ["TMPDIR"] = str(root / "tmp")


def check_temporary_folder() -> None:
    """Before what takes minutes and needs one. Raises ValueError if no folder for temporary files can be written."""
    try:
        tempfile.gettempdir()
    except OSError:
        raise ValueError(NO_FOLDER) from None


def culprit(error: BaseException) -> str | None:
    """The file or folder that an error is about, in a sentence, however often libraries have wrapped what the operating
    system said; None if it is about none."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError):
            if "temporary directory" in str(cause):  # as `tempfile` puts it, which names the folders that it tried
                return NO_FOLDER
            if cause.filename is not None:
                way_out = "; set TMPDIR to another folder" if _is_temporary(cause.filename) else ""
                return f"{cause.filename}: {cause.strerror}{way_out}."
        cause = cause.__cause__  # what was only dealt with before, `__context__`, is not what is wrong
    return None


def _is_temporary(name: object) -> bool:
    with suppress(OSError):
        return str(name).startswith(tempfile.gettempdir() + os.sep)
    return False
