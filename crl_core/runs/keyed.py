"""Which runs this installation sealed: a mark that only the holder of its key can make (HMAC-SHA-256).

Opening a run's arrays unpickles them, which may run code. A checksum shows that nothing has changed; it does not show
who wrote it. So a pickle is opened where the manifest carries this installation's mark, or where the manifest is one of
those that come with the program (`shipped_runs.json`).

Key:        32 random bytes in the file CRL_SEAL_KEY, by default in the user's configuration folder: outside the store,
            readable by its owner alone. Machines that share a store share it.
First sight: runs of before there were marks are marked by `RunStore.verify`, once for each store: `<key file>.seen`.
"""

from __future__ import annotations

import functools
import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from crl_core.data.user_files import whole
from crl_core.runs.sealing import (
    MANIFEST,
    TEMPORARY,
    StoreError,
    canonical,
    disk_error,
    make_folder,
    sealed,
    sync_folder,
    write_atomically,
    write_manifest,
)

VARIABLE = "CRL_SEAL_KEY"
KEY_BYTES = 32
SHIPPED = Path(__file__).with_name("shipped_runs.json")


def key_file() -> Path:
    """Where the key lies, or will. Raises StoreError if the variable cannot be used."""
    given = os.environ.get(VARIABLE)
    try:
        if given:
            return whole(given)
        return whole(os.environ.get("XDG_CONFIG_HOME") or "~/.config") / "crl-explorer" / "seal.key"
    except ValueError as error:
        raise StoreError(f"{VARIABLE} cannot be used: {error}") from None


def seal(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Seal `folder` as this installation. Raises OSError, with the former manifest still in force, or StoreError."""
    write_manifest(folder, {**manifest, "mark": _mark(manifest)})


def sealed_here(manifest: Mapping[str, Any]) -> bool:
    """Whether this installation sealed what `sealing.read_manifest` gave, or it comes with the program."""
    if hashlib.sha256(sealed(manifest)).hexdigest() in shipped():
        return True
    return "mark" in manifest and hmac.compare_digest(manifest["mark"].encode(), _mark(manifest).encode())


def digest_of(content: bytes) -> str:
    """What only who has the key can say of `content`. Raises StoreError."""
    return hmac.digest(_key(key_file()), content, "sha256").hex()


def _mark(manifest: Mapping[str, Any]) -> str:
    content = {name: value for name, value in manifest.items() if name != "mark"}
    return digest_of(canonical(content))


@functools.cache
def shipped() -> frozenset[str]:
    """SHA-256 of the manifests of the runs that come with the program."""
    return frozenset(json.loads(SHIPPED.read_text(encoding="utf-8")).values())


def list_shipped(folder: Path) -> None:
    """Write down the runs in `folder` as those that come with the program; who bakes them vouches for them."""
    found = {path.parent.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.glob(f"*/{MANIFEST}")}
    write_atomically(SHIPPED, f"{json.dumps(dict(sorted(found.items())), indent=1)}\n".encode())
    shipped.cache_clear()


def seen(root: Path) -> bool:
    """Whether a store's runs of before were marked already, so that one without a mark comes from elsewhere."""
    try:
        return str(root.resolve()) in _seen_file().read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        return False


def note_seen(root: Path) -> None:
    """From now on a run in the store `root` without a mark comes from elsewhere. Raises StoreError."""
    if seen(root):
        return
    path = _seen_file()
    try:
        make_folder(path.parent, 0o700)
        with path.open("a", encoding="utf-8") as file:
            file.write(f"{root.resolve()}\n")
    except OSError as error:
        raise _no_key(path, error) from None


def _seen_file() -> Path:
    path = key_file()
    return path.with_name(f"{path.name}.seen")


@functools.cache
def _key(path: Path) -> bytes:
    """The key, made where there is none."""
    try:
        if not path.exists():
            _make(path)
        key = path.read_bytes()
    except OSError as error:
        raise _no_key(path, error) from None
    if len(key) != KEY_BYTES:
        raise StoreError(
            f"{path} is not a key of this program: it holds {len(key)} bytes instead of {KEY_BYTES}. "
            f"Set {VARIABLE} to another file, or remove it; runs that it sealed are then sealed by nobody."
        )
    return key


def _make(path: Path) -> None:
    """Make a key; of two who do so at once one is kept. Raises OSError."""
    make_folder(path.parent, 0o700)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}{TEMPORARY}")
    try:
        with open(temporary, "xb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
            file.write(secrets.token_bytes(KEY_BYTES))
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            os.link(temporary, path)
    finally:
        with suppress(OSError):
            temporary.unlink()
    sync_folder(path.parent)


def _no_key(path: Path, error: OSError) -> StoreError:
    return disk_error(
        f"keep the key with which runs are sealed in {path.parent}", error, f"set {VARIABLE} to a file you may write"
    )
