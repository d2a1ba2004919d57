"""A run on disk, whole or not there: atomic files, checksums, and one sealed manifest.

Order:    every file is written beside its place, flushed to the disk and renamed; `manifest.json` comes last.
Manifest: canonical JSON with the SHA-256 and size of every file, and a seal over itself, so that any changed byte
          shows. Its mark says that this installation wrote it (see `keyed`); the seal says that nothing has changed.
Growing:  a file that is only ever appended to (the events) is sealed up to the size that the manifest names.
"""

from __future__ import annotations

import errno
import hashlib
import io
import json
import os
import secrets
import time
import warnings
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

FORMAT = 1  # raise when what is in a run's folder changes
MANIFEST = "manifest.json"
EVENTS = "events.jsonl"  # grows while a run is under way, so it is sealed up to a size
TEMPORARY = ".tmp"
MOST_BYTES = 2**32  # of one file


class StoreError(Exception):
    """The disk refused. The text is one sentence for a person; nothing is left half written."""


class DiskFull(StoreError):
    """The disk, or what its owner allows, is used up."""


class Damaged(Exception):
    """A file is missing or is not what was sealed. `file` is its name in the run's folder."""

    def __init__(self, file: str, why: str) -> None:
        super().__init__(f"{file} {why}")
        self.file, self.why = file, why


MAKE_ROOM = "delete some runs, empty the trash (python -m crl_core runs empty-trash)"


def disk_error(
    doing: str, error: OSError, elsewhere: str = "set CRL_CACHE to a folder that you may write"
) -> StoreError:
    """The sentence for an operating system's refusal. `doing` reads on from "cannot": "store the run in <folder>".

    elsewhere: the way to another place, where the one that was refused is not the store.
    """
    way_out = {
        errno.ENOSPC: f"the disk is full; {MAKE_ROOM}, and try again",
        errno.EDQUOT: f"your disk quota is used up; {MAKE_ROOM}, and try again",
        errno.EROFS: f"the folder is read-only; {elsewhere}",
        errno.EACCES: f"permission was denied; {elsewhere}",
        errno.EPERM: f"permission was denied; {elsewhere}",
        errno.ENOTDIR: f"a part of that path is a file; {elsewhere}",
        errno.EEXIST: f"a file is in the way; {elsewhere}",
    }
    reason = way_out.get(error.errno or 0, f"{error.strerror or error}; check the disk and try again")
    kind = DiskFull if error.errno in (errno.ENOSPC, errno.EDQUOT) else StoreError
    return kind(f"Cannot {doing}: {reason}.")


def write_atomically(path: Path, content: bytes, mode: int = 0o666) -> None:
    """Write a file in one step: after a crash at any moment it is the old one or the new one, never a mix.

    mode: who may read it, less what the process withholds from all its files.
    A device or a pipe at `path` is written to; it is never replaced by a file.
    Raises: OSError, with nothing left behind.
    """
    make_folder(path.parent)
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
    """Make what was created, renamed and removed in `folder` survive a power cut, where the platform can. Raises
    OSError."""
    if not hasattr(os, "O_DIRECTORY"):  # Windows cannot open a folder
        return
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # some network disks flush no folder
            raise
    finally:
        os.close(handle)


def flush(path: Path) -> None:
    """Make what was written to a file survive a power cut, its place included. Raises OSError."""
    handle = os.open(path, os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
    sync_folder(path.parent)


def make_folder(folder: Path, mode: int = 0o777) -> None:
    """Make a folder and those that it lies in, so that they survive a power cut. Raises OSError.

    mode: who may enter it, less what the process withholds from all its folders.
    """
    if folder.is_dir():
        return
    make_folder(folder.parent)
    with suppress(FileExistsError):
        folder.mkdir(mode)
    sync_folder(folder.parent)


def make_in_store(folder: Path) -> None:
    """Make a folder of a store, and the store's own for its owner alone: who may write there decides what is opened.
    Raises OSError."""
    make_folder(folder.parent, 0o700)
    make_folder(folder)


def move_folder(folder: Path, to: Path) -> None:
    """Rename a folder, so that it survives a power cut. Raises OSError."""
    make_folder(to.parent)
    folder.rename(to)
    sync_folder(to.parent)
    sync_folder(folder.parent)


def remove_leftovers(folder: Path, older_than_s: float = 0.0) -> None:
    """Delete temporary files that a killed process left in `folder`. Raises OSError."""
    for path in folder.glob(f".*{TEMPORARY}"):
        with suppress(FileNotFoundError):  # gone meanwhile
            if time.time() - path.stat().st_mtime >= older_than_s:
                path.unlink()


def sealed_entry(content: bytes) -> dict[str, Any]:
    """The manifest's entry of a file."""
    return {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}


def canonical(content: Mapping[str, Any]) -> bytes:
    """The one way to write a manifest's content."""
    return json.dumps(content, sort_keys=True, indent=1, allow_nan=False).encode() + b"\n"


def sealed(content: Mapping[str, Any]) -> bytes:
    """A manifest with the seal over its content."""
    return canonical({**content, "seal": hashlib.sha256(canonical(content)).hexdigest()})


def write_manifest(folder: Path, content: Mapping[str, Any]) -> None:
    """Seal `folder`. Raises OSError, with the former manifest still in force."""
    write_atomically(folder / MANIFEST, sealed(content))


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of `folder` without its seal.

    Raises: FileNotFoundError if there is none, Damaged if any byte of it has changed, StoreError if a newer program
            wrote it, OSError if it cannot be read.
    """
    raw = (folder / MANIFEST).read_bytes()
    try:
        content: dict[str, Any] = json.loads(raw)
        content.pop("seal")
        whole = raw == sealed(content)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        whole = False
    if not whole:
        raise Damaged(MANIFEST, "is not what was sealed")
    if not _is_manifest(content):
        raise Damaged(MANIFEST, "is sealed, but not as this program writes it")
    if content["format"] > FORMAT:
        raise StoreError(
            f"Run {content['key']} is stored in format {content['format']}; this program reads up to {FORMAT}. "
            "Update the program."
        )
    return content


_TYPES: dict[str, tuple[type, ...]] = {
    "format": (int,),
    "key": (str,),
    "recipe_version": (int,),
    "config": (dict,),
    "device": (str,),
    "seconds": (int, float),
    "created": (int, float),
    "figures": (dict,),
    "files": (dict,),
}


def _is_manifest(content: Mapping[str, Any]) -> bool:
    """Whether every value is of its type, so that nobody who reads on has to look."""
    typed = all(type(content.get(name)) in kinds for name, kinds in _TYPES.items())
    return typed and type(content.get("mark", "")) is str and all(
        type(entry) is dict and type(entry.get("sha256")) is str and type(entry.get("bytes")) is int
        and 0 <= entry["bytes"] <= MOST_BYTES
        for entry in content["files"].values()
    )  # fmt: skip


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
