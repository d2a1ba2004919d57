"""A run as one file for other people: a zip of JSON, `.npz` and safetensors that holds no code and no pickles.

    manifest.json         format, key, recipe version; SHA-256 and size of every other member
    config.json           as `RunConfig.to_dict`
    summary.json          device, seconds, when and with which libraries it was made, the main figures
    metrics.npz           the final figures of every model
    history.npz           the curves, [epochs, M]
    weights.safetensors   the networks' parameters, [M, ...]
    events.jsonl          optional, as evidence.npz and projection.npz: the run's events

Of a table a bundle holds names, levels and a hash of the rows, never a row; projection.npz, which has a point for each
held-out row, only where that was asked for.

A bundle that was unpacked and packed again by a desktop program is one still: with a folder around its members, and
with what such programs add. Import checks all of it before anything is stored: names, sizes before a byte is unpacked,
checksums, then every array against what the config demands. The run is put together aside and moved to its place in one
step.
"""

from __future__ import annotations

import io
import json
import math
import os
import secrets
import shutil
import stat
import struct
import time
import zipfile
import zlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from crl_core.config import RECIPE_VERSION, RunConfig
from crl_core.data.tables.private import PrivateRows
from crl_core.data.tables.source import TableSource
from crl_core.data.user_files import expanded, irregular, place
from crl_core.events import EpochEnded, RunCompleted, RunFinished, RunStarted, StageAdvanced
from crl_core.metrics import EPOCH_NAMES
from crl_core.results import RunResult, of_table
from crl_core.runs.bundle_arrays import (
    BundleRefused,
    check_evidence,
    check_projection,
    check_values,
    evidence_specs,
    from_npz,
    from_safetensors,
    history_specs,
    metric_specs,
    most_bytes,
    projection_specs,
    refuse,
    to_npz,
    to_safetensors,
    weight_specs,
)
from crl_core.runs.eventlog import decode, latest_attempt, read_entries
from crl_core.runs.labels import Label
from crl_core.runs.records import RunSummary, new_manifest
from crl_core.runs.sealing import disk_error, sealed_entry, write_atomically
from crl_core.runs.store import RunNotFound, RunStore

__all__ = ["AlreadyStored", "BundleRefused", "export_bytes", "export_run", "import_run", "read_bundle"]

BUNDLE_FORMAT = 1  # raise when the members of a bundle or what is in them changes
KIND = "CRL Explorer run"
MAX_BYTES = 256_000_000  # of a bundle, and of what is in one
_LOOSE_BYTES = 64_000_000  # may be unpacked from however small a file: curves of broken models are the same bytes again
_MAX_RATIO = 20  # above that, how many times its size a file may unpack to
_LATEST = 4_102_444_800.0  # the year 2100: a date beyond it is none
_SMALL = 200_000  # bytes of manifest.json, config.json and summary.json

_JSON = ("manifest.json", "config.json", "summary.json")
_NEEDED = (*_JSON, "metrics.npz", "history.npz", "weights.safetensors")
_WATCHED = (b'"event":"ViewSampled"', b'"event":"StepsTaken"')  # its result has the final models, of all rows
_OPTIONAL = ("events.jsonl", "evidence.npz", "projection.npz")
_CLUTTER = (".ds_store", "thumbs.db", "desktop.ini", ".directory")
_METHODS = {9: "Deflate64", 12: "bzip2", 14: "LZMA", 93: "Zstandard", 95: "xz", 98: "PPMd"}  # why a member is refused
_ARCHIVES = {
    b"7z\xbc\xaf": "a 7z archive",
    b"\x1f\x8b": "a gzip file",
    b"Rar!": "a RAR archive",
    b"\xfd7zXZ": "an xz file",
}
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the same run gives the same bytes
# What the standard library raises on bytes that are no zip, JSON or array; a bug of ours would be told from bad input
# by its test.
_MALFORMED = (
    zipfile.BadZipFile, zlib.error, struct.error, EOFError, ValueError, TypeError, KeyError, IndexError, AttributeError,
    OverflowError, RecursionError, NotImplementedError, RuntimeError,
)  # fmt: skip


class AlreadyStored(ValueError):
    """The bundle is sound, but its run is here already; nothing was changed. `key` is the run's."""

    def __init__(self, key: str) -> None:
        super().__init__(f"Run {key} is stored here already; nothing was changed.")
        self.key = key


@dataclass(frozen=True, slots=True, eq=False)
class Bundle:
    """What a checked bundle holds. parts: "evidence" and "projection", where there are any."""

    key: str
    recipe_version: int
    created: float
    label: Label
    result: RunResult
    parts: Mapping[str, Mapping[str, np.ndarray]]
    events: bytes | None


# -- export ------------------------------------------------------------------------------------------------------------


def export_bytes(store: RunStore, key: str, *, table: TableSource | None = None, maps: bool | None = None) -> bytes:
    """The bundle of a stored run, as bytes.

    table:  of a private run what its rows are, by the hash of their content; the bundle's run is of that table, and has
            its key.
    maps:   whether the maps of held-out rows go along; default: of a simulated world yes, of a person's table no.
    Raises: RunNotFound, RunCorrupted or StoreError as `RunStore.load`; BundleRefused if the run is one that an import
            would refuse, which is found out here and not by whom it is sent to.
    """
    result, found = store.load(key), store.summary(key)
    if found is None:
        raise RunNotFound(f"Run {key} was deleted this moment; restore it from the trash.")
    if table is not None:
        result = of_table(result, table)
    if isinstance(result.config.table, PrivateRows):
        raise BundleRefused(f"Run {key} is of a private table; export it from the session that has the table.")
    if maps is None:
        maps = not isinstance(result.config.table, TableSource)
    members = {
        "config.json": _json(result.config.to_dict()),
        "summary.json": _json(_summary(found, result)),
        "metrics.npz": to_npz(_metrics(result)),
        "history.npz": to_npz(result.history),
        "weights.safetensors": to_safetensors(result.weights),
    }
    for name in ("evidence", "projection") if maps else ("evidence",):
        arrays = store.part(key, name)
        if arrays is not None:
            members[f"{name}.npz"] = to_npz(arrays)
    events = _events_of(store, key, result) if table is None else None  # those of a private run bear its own key
    if events is not None:
        members["events.jsonl"] = events
    if sum(map(len, members.values())) > MAX_BYTES:
        raise BundleRefused(
            f"Run {key} takes {sum(map(len, members.values())) / 1e6:.0f} MB; a bundle holds at most "
            f"{MAX_BYTES / 1e6:.0f} MB. "
            "Train it with fewer λ, replicates or hidden units to share it."
        )
    manifest = {
        "kind": KIND,
        "format": BUNDLE_FORMAT,
        "key": result.config.key_in(found.recipe_version),
        "recipe_version": found.recipe_version,
        "files": {name: sealed_entry(content) for name, content in members.items()},
    }
    content = _zipped({"manifest.json": _json(manifest)} | members)
    try:
        read_bundle(content)
    except BundleRefused as refused:
        raise BundleRefused(f"Run {key} cannot be exported: {refused.why}. Train it again.") from None
    return content


def export_run(store: RunStore, key: str, file: str | Path) -> None:
    """Write the bundle of a stored run to `file`. Raises as `export_bytes`, and StoreError if it cannot be written."""
    path = Path(expanded(str(file)))
    content = export_bytes(store, key)
    try:
        write_atomically(path, content)
    except OSError as error:
        raise disk_error(f"write the bundle to {path}{place(path)}", error, "give another file") from None


def _zipped(members: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            stored = name.endswith(".safetensors")  # weights hardly get smaller
            how = zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), content, how, None if stored else 6)
    return buffer.getvalue()


def _json(content: Mapping[str, Any]) -> bytes:
    return json.dumps(content, sort_keys=True, indent=1, allow_nan=False).encode() + b"\n"


def _summary(found: RunSummary, result: RunResult) -> dict[str, Any]:
    content = new_manifest(result)
    kept = {name: content[name] for name in ("device", "seconds", "figures", "versions")}
    return kept | {"created": found.created, "label": found.label.to_dict()}


def _metrics(result: RunResult) -> dict[str, np.ndarray]:
    names = [field.name for field in fields(RunResult)]
    values = {name: getattr(result, name) for name in names}
    return {name: value for name, value in values.items() if isinstance(value, np.ndarray)}


def _events_of(store: RunStore, key: str, result: RunResult) -> bytes | None:
    """The events of the attempt that made the result, less what it let be seen on the way; None if they are not there
    or tell of something else."""
    path = store.events_path(key)
    entries, end = read_entries(path)
    if not entries:
        return None
    try:
        lines = path.read_bytes()[latest_attempt(entries)[0].offset : end].splitlines(keepends=True)
        content = b"".join(line for line in lines if not any(kind in line for kind in _WATCHED))
        _check_events(content, key, result)
    except (OSError, *_MALFORMED):
        return None
    return content


# -- import ------------------------------------------------------------------------------------------------------------


def import_run(store: RunStore, file: str | Path | bytes) -> str:
    """Check a bundle, given as a file or as its bytes, and store its run; its key.

    Raises: BundleRefused if it is not a bundle of this program's; AlreadyStored if the run is here; RunBusy if it is
            being trained; StoreError where the disk refuses. In all these cases nothing has changed.
    """
    bundle = read_bundle(file if isinstance(file, bytes) else _content(Path(expanded(str(file)))))
    return store.in_room(lambda: _stored(store, bundle))


def _stored(store: RunStore, bundle: Bundle) -> str:
    key = bundle.key
    with store.lock(key):
        if store.intact(key):
            raise AlreadyStored(key)
        made = {
            "recipe_version": bundle.recipe_version,
            "created": bundle.created,
            "imported": time.time(),
        }
        incoming = store.root / "incoming"
        aside = RunStore(incoming / secrets.token_hex(8), incoming / "none")
        try:
            _sweep(incoming)
            if bundle.events is not None:
                try:
                    write_atomically(aside.events_path(key), bundle.events)
                except OSError as error:
                    raise disk_error(f"store the run in {store.root}", error) from None
            aside.save(bundle.result, made)
            for name, arrays in bundle.parts.items():
                aside.add(key, name, arrays)
            aside.label(key, bundle.label)
            store.adopt(key, aside)
        finally:
            with suppress(OSError):  # `ignore_errors` does not cover the closing of its folders
                shutil.rmtree(aside.root, ignore_errors=True)
                incoming.rmdir()
    return key


def _content(path: Path) -> bytes:
    if (kind := irregular(path)) is not None:
        raise BundleRefused(f"{str(path)!s:.200} is {kind}, whose end nobody knows; give the file of a bundle.")
    try:
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size > MAX_BYTES:
                raise refuse(f"it has {size / 1e6:.0f} MB and a bundle at most {MAX_BYTES / 1e6:.0f} MB")
            return file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        if isinstance(error, BundleRefused):
            raise
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        if path.is_dir():
            reason = "it is a folder; pack it as a zip, or take the zip that it was unpacked from"
        raise BundleRefused(
            f"{str(path)!s:.200} cannot be read{place(path)} ({reason}); give the file of a bundle."
        ) from None


def _sweep(incoming: Path) -> None:
    """Remove what a killed import left an hour ago or more."""
    with suppress(OSError):
        for path in incoming.iterdir():
            if time.time() - path.stat().st_mtime > 3600:
                shutil.rmtree(path, ignore_errors=True)


def read_bundle(content: bytes) -> Bundle:
    """Check every byte of a bundle, without a disk. Raises BundleRefused if anything is not as it must be."""
    if len(content) > MAX_BYTES:
        raise refuse(f"it has {len(content) / 1e6:.0f} MB and a bundle at most {MAX_BYTES / 1e6:.0f} MB")
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return _read(archive, len(content))
    except BundleRefused:
        raise
    except _MALFORMED as error:
        other = next((kind for magic, kind in _ARCHIVES.items() if content.startswith(magic)), None)
        if other is not None:
            raise refuse(f"it is not a zip archive but {other}; unpack it, and pack its files as a zip") from None
        what = "it is not a zip archive" if isinstance(error, zipfile.BadZipFile) else "it is damaged"
        raise refuse(f"{what} ({' '.join(str(error).split())!s:.80})") from None


def _read(archive: zipfile.ZipFile, size: int) -> Bundle:
    members = _members(archive, size)
    manifest = _object("manifest.json", _member(archive, members, "manifest.json", _SMALL))
    _check_version(manifest)
    contents: dict[str, bytes] = {}

    def content(name: str, limit: int) -> bytes:
        contents[name] = _member(archive, members, name, limit)
        entry = manifest["files"].get(name)
        if entry != sealed_entry(contents[name]):
            raise refuse(f"{name} differs from its checksum")
        return contents[name]

    if not isinstance(manifest.get("files"), dict) or set(manifest["files"]) | {"manifest.json"} != set(members):
        raise refuse("its manifest does not name the members that it has")
    config = _config(_object("config.json", content("config.json", _SMALL)), manifest)
    key = manifest["key"]
    summary = _object("summary.json", content("summary.json", _SMALL))

    def arrays(name: str, specs: Any) -> dict[str, np.ndarray]:
        return from_npz(name, content(name, most_bytes(specs)), specs)

    metrics = arrays("metrics.npz", metric_specs(config))
    history = arrays("history.npz", history_specs(config))
    weights_are = weight_specs(config)
    weights = from_safetensors(
        "weights.safetensors", content("weights.safetensors", most_bytes(weights_are)), weights_are
    )
    check_values(config, metrics, history, weights)
    device, seconds = summary.get("device"), summary.get("seconds")
    if not isinstance(device, str) or not device.isprintable() or not 1 <= len(device) <= 60 or "<" in device:
        raise refuse("summary.json does not name the device")
    if seconds is None or not _is_amount(seconds):
        raise refuse("summary.json does not say how long training took")
    if not _is_amount(summary.get("created")) or summary["created"] > _LATEST:
        raise refuse("summary.json does not say when the run was made")
    try:
        label = Label.from_dict(summary.get("label") or Label().to_dict())
    except ValueError as error:
        raise refuse(f"what is written on the run is not possible ({str(error).rstrip('.')!s:.100})") from None
    result = RunResult(
        config=config,
        device=device,
        seconds=seconds,
        history=history,
        weights=weights,
        **metrics,
    )
    parts = {}
    if "evidence.npz" in members:
        parts["evidence"] = arrays("evidence.npz", evidence_specs(config))
        check_evidence(config, parts["evidence"])
    if "projection.npz" in members:
        parts["projection"] = arrays("projection.npz", projection_specs(config))
        check_projection(parts["projection"])
    events = None
    if "events.jsonl" in members:
        per_line = 8 * 40 * config.training.n_models + 10_000
        events = content("events.jsonl", (config.training.epochs + 100) * per_line)
        _check_events(events, key, result)
    return Bundle(key, manifest["recipe_version"], float(summary["created"]), label, result, parts, events)


def _members(archive: zipfile.ZipFile, size: int) -> dict[str, zipfile.ZipInfo]:
    """Members by name, none of them unpacked yet.

    Packed again: where a desktop program has put them into one folder, or something of its own beside them (`_is_own`),
                  they are found all the same. No name of an archive ever becomes a path.
    """
    found: dict[str, zipfile.ZipInfo] = {}
    places = set()
    for member in archive.infolist():
        path = member.filename.replace("\\", "/")  # as .NET wrote it for years
        name = path.rpartition("/")[2]
        where = path.removesuffix(name)  # "" or a folder with its slash
        kind = stat.S_IFMT(member.external_attr >> 16)
        if _is_own(member, where, name, kind):
            continue
        if name not in (*_NEEDED, *_OPTIONAL) or not _is_folder(where):
            raise refuse(f"it holds {member.filename[:60]!r}, which is no member of a bundle{_hint(name)}")
        if name in found and where in places:
            raise refuse(f"it holds {name} twice")
        places.add(where)
        if len(places) > 1:
            first, second = sorted(places)
            raise refuse(
                f"its members lie in several folders ({first[:40]!r} and {second[:40]!r}), so it holds "
                f"{member.filename[:60]!r}, which is no member of a bundle"
            )
        if kind not in (0, stat.S_IFREG):
            raise refuse(f"{name} is a link or a folder, not a file")
        if member.flag_bits & 0x1:
            raise refuse(f"{name} is encrypted; pack it again without a password")
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            how = _METHODS.get(member.compress_type, f"method {member.compress_type}")
            raise refuse(f"{name} is packed in a way that bundles never are, {how}; pack it again as zip with Deflate")
        found[name] = member
    missing = [name for name in _NEEDED if name not in found]
    if missing:
        raise refuse(f"it lacks {', '.join(missing)}")
    unpacked = sum(member.file_size for member in archive.infolist())
    if unpacked > min(MAX_BYTES, max(_LOOSE_BYTES, _MAX_RATIO * size)):
        raise refuse(f"it would unpack to {unpacked / 1e6:.0f} MB, far more than its {size / 1e6:.2g} MB can hold")
    return found


def _is_own(member: zipfile.ZipInfo, where: str, name: str, kind: int) -> bool:
    """Whether an entry is of the program that packed the archive, and is passed over: a folder, macOS's resource forks
    and .DS_Store, Windows's thumbnails."""
    if not name:
        return kind in (0, stat.S_IFDIR) and member.file_size == 0 and _is_folder(where)
    own = name.lower() in _CLUTTER or name.startswith("._") or "__MACOSX" in where.split("/")
    return own and kind in (0, stat.S_IFREG) and _is_folder(where)


def _is_folder(where: str) -> bool:
    """Whether it is none, or the names of folders inside the archive."""
    parts = where.removesuffix("/").split("/")
    return not where or all(part not in ("", ".", "..") and ":" not in part for part in parts)


def _hint(name: str) -> str:
    return "; unpack it once and import that archive" if name.lower().endswith(".zip") else ""


def _member(archive: zipfile.ZipFile, members: Mapping[str, zipfile.ZipInfo], name: str, limit: int) -> bytes:
    """Content of one member. Its size is known to be within the limit before a byte is unpacked."""
    if members[name].file_size > limit:
        raise refuse(f"{name} has {members[name].file_size} bytes; at most {limit} are possible")
    with archive.open(members[name]) as file:
        return file.read(limit + 1)


def _object(name: str, raw: bytes) -> dict[str, Any]:
    def constant(text: str) -> Any:
        raise ValueError(f"{text} is not a number in JSON")

    try:
        content = json.loads(raw.decode("utf-8"), parse_constant=constant)
    except (ValueError, RecursionError) as error:
        raise refuse(f"{name} is not JSON ({error!s:.60})") from None
    if not isinstance(content, dict):
        raise refuse(f"{name} is not a JSON object")
    return content


def _check_version(manifest: Mapping[str, Any]) -> None:
    if manifest.get("kind") != KIND:
        raise refuse("its manifest is not that of a run")
    for name, ours in (("format", BUNDLE_FORMAT), ("recipe_version", RECIPE_VERSION)):
        theirs = manifest.get(name)
        if type(theirs) is not int or theirs < 1:
            raise refuse(f"its manifest does not say its {name.replace('_', ' ')}")
        if theirs > ours:
            raise BundleRefused(
                f"The bundle was written by a newer program ({name.replace('_', ' ')} {theirs}; this one reads up to "
                f"{ours}). "
                "Update the program; nothing was stored."
            )
    if manifest["format"] < BUNDLE_FORMAT:
        raise BundleRefused(
            f"The bundle was written in an older format ({manifest['format']}; this program reads {BUNDLE_FORMAT}). "
            "Export it again; nothing was stored."
        )


def _config(content: Mapping[str, Any], manifest: Mapping[str, Any]) -> RunConfig:
    try:
        config = RunConfig.from_dict(content)
    except (ValueError, TypeError, OverflowError) as error:
        raise refuse(f"its configuration is not possible ({str(error).rstrip('.')!s:.160})") from None
    if config.to_dict() != content:
        raise refuse("its configuration is not complete")
    if isinstance(config.table, PrivateRows):  # it would be in nobody's list
        raise refuse("its rows have no name outside the session that had them")
    key = config.key_in(manifest["recipe_version"])
    if key != manifest.get("key"):
        raise refuse(f"its key is not {key}, which its configuration has")
    return config


def _same(came: np.ndarray | None, history: np.ndarray | None, epoch: int) -> bool:
    """Whether an event carries this epoch's row of a curve, or nothing where there is no such curve."""
    if came is None or history is None:
        return came is None and history is None
    return np.array_equal(came, history[epoch], equal_nan=True)


def _is_amount(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value) and value >= 0


def _check_events(content: bytes, key: str, result: RunResult) -> None:
    """Raises BundleRefused or ValueError unless the events tell how `result` was trained, from beginning to end."""
    if not content.endswith(b"\n"):
        raise refuse("the last of its events is cut off")
    decoded = [decode(line) for line in content[:-1].split(b"\n")]
    events = [event for event, _ in decoded]
    epochs = result.config.training.epochs
    started, curves, rest = events[0], events[1 : 1 + epochs], events[1 + epochs :]
    plain = [
        value
        for event in events
        for field in fields(event)
        if not isinstance(value := getattr(event, field.name), np.ndarray) and field.type in ("int", "float")
    ]
    alike = (
        isinstance(started, RunStarted)
        and (started.key, started.device, started.epochs) == (key, result.device, epochs)
        and np.array_equal(started.lam, result.lam)
        and np.array_equal(started.replicate, result.replicate)
        and all(_is_amount(value) for value in plain)
        and (decoded[0][1] is None or _is_amount(decoded[0][1]))
        and len(rest) > 0
        and isinstance(rest[0], RunFinished)
        and rest[0].result is None
        and all(isinstance(event, (StageAdvanced, RunCompleted)) for event in rest[1:])
        and all(e.stage in ("projection", "evidence") for e in rest if isinstance(e, StageAdvanced))
    )
    for index, event in enumerate(curves):
        alike = alike and isinstance(event, EpochEnded) and event.epoch == index + 1
        alike = alike and all(_same(getattr(event, n), result.history.get(n), index) for n in EPOCH_NAMES)
    if not alike:
        raise refuse("its events are not those of its run")
