"""A run on disk, whole or not there: atomic files, checksums, and one sealed manifest.

Order:    every file is written beside its place, flushed to the disk and renamed; `manifest.json` comes last.
Manifest: canonical JSON with the SHA-256 and size of every file, and a seal over itself, so that any changed byte
          shows.
Growing:  a file that is only ever appended to (the events) is sealed up to the size that the manifest names.
"""

from __future__ import annotations

import errno
import hashlib
import io
import json
import os
import secrets
import warnings
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

FORMAT = 1  # raise when what is in a run's folder changes
MANIFEST = "manifest.json"
EVENTS = "events.jsonl"  # grows while a run is under way, so it is sealed up to a size
TEMPORARY = ".tmp"


class StoreError(Exception):
    """The disk refused. The text is one sentence for a person; nothing is left half written."""


class Damaged(Exception):
    """A file is missing or is not what was sealed. `file` is its name in the run's folder."""

    def __init__(self, file: str, why: str) -> None:
        super().__init__(f"{file} {why}")
        self.file, self.why = file, why


def disk_error(
    doing: str, error: OSError, elsewhere: str = "set CRL_CACHE to a folder that you may write"
) -> StoreError:
    """The sentence for an operating system's refusal. `doing` reads on from "cannot": "store the run in <folder>".

    elsewhere: the way to another place, where the one that was refused is not the store.
    """
    way_out = {
        errno.ENOSPC: "the disk is full; delete some runs or free some space, and try again",
        errno.EDQUOT: "your disk quota is used up; delete some runs or free some space, and try again",
        errno.EROFS: f"the folder is read-only; {elsewhere}",
        errno.EACCES: f"permission was denied; {elsewhere}",
        errno.EPERM: f"permission was denied; {elsewhere}",
        errno.ENOTDIR: f"a part of that path is a file; {elsewhere}",
        errno.EEXIST: f"a file is in the way; {elsewhere}",
    }
    reason = way_out.get(error.errno or 0, f"{error.strerror or error}; check the disk and try again")
    return StoreError(f"Cannot {doing}: {reason}.")


def write_atomically(path: Path, content: bytes, mode: int = 0o666) -> None:
    """Write a file in one step: after a crash at any moment it is the old one or the new one, never a mix.

    mode: who may read it, less what the process withholds from all its files.
    A device or a pipe at `path` is written to; it is never replaced by a file.
    Raises: OSError, with nothing left behind.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and not path.is_file():
        path.write_bytes(content)
        return
    temporary = path.parent / f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}{TEMPORARY}"
    try:
        with open(temporary, "wb", opener=lambda name, flags: os.open(name, flags, mode)) as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make renames in `folder` survive a power cut, where the platform can."""
    with suppress(OSError, AttributeError):  # Windows cannot open a folder
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def remove_leftovers(folder: Path) -> None:
    """Delete temporary files that a killed process left in `folder`."""
    for path in folder.glob(f".*{TEMPORARY}"):
        path.unlink(missing_ok=True)


def sealed_entry(content: bytes) -> dict[str, Any]:
    """The manifest's entry of a file."""
    return {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}


def _canonical(content: Mapping[str, Any]) -> bytes:
    return json.dumps(content, sort_keys=True, indent=1, allow_nan=False).encode() + b"\n"


def write_manifest(folder: Path, content: Mapping[str, Any]) -> None:
    """Seal `folder`. Raises OSError, with the former manifest still in force."""
    seal = hashlib.sha256(_canonical(content)).hexdigest()
    write_atomically(folder / MANIFEST, _canonical({**content, "seal": seal}))


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of `folder` without its seal.

    Raises: FileNotFoundError if there is none, Damaged if any byte of it has changed, StoreError if a newer program
            wrote it, OSError if it cannot be read.
    """
    raw = (folder / MANIFEST).read_bytes()
    try:
        content: dict[str, Any] = json.loads(raw)
        seal = content.pop("seal")
        whole = seal == hashlib.sha256(_canonical(content)).hexdigest() and raw == _canonical({**content, "seal": seal})
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        whole = False
    if not whole:
        raise Damaged(MANIFEST, "is not what was sealed")
    if content["format"] > FORMAT:
        raise StoreError(
            f"Run {content['key']} is stored in format {content['format']}; this program reads up to {FORMAT}. "
            "Update the program."
        )
    return content


def read_sealed(folder: Path, manifest: Mapping[str, Any], name: str) -> bytes:
    """Content of a sealed file, checked. Raises Damaged if it is missing or differs, OSError if it cannot be read."""
    entry = manifest["files"][name]
    try:
        with open(folder / name, "rb") as file:
            content = file.read(entry["bytes"])
            longer = bool(file.read(1)) and name != EVENTS
    except FileNotFoundError:
        raise Damaged(name, "is missing") from None
    if longer or sealed_entry(content) != entry:
        raise Damaged(name, "is not what was sealed")
    return content


def _joblib() -> Any:
    with warnings.catch_warnings():  # that it will use one process, where there is no shared memory: so do we anyhow
        warnings.simplefilter("ignore", UserWarning)
        import joblib
    return joblib


def pack(content: Mapping[str, Any]) -> bytes:
    """Compressed joblib bytes of plain values and arrays."""
    joblib = _joblib()

    buffer = io.BytesIO()
    joblib.dump(dict(content), buffer, compress=("zlib", 3))
    return buffer.getvalue()


def unpack(content: bytes) -> dict[str, Any]:
    """Inverse of `pack`. Only ever call it on bytes whose checksum was right: this unpickles."""
    joblib = _joblib()

    loaded: dict[str, Any] = joblib.load(io.BytesIO(content))
    return loaded
