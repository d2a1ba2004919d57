"""RunStore: runs on disk, sealed with checksums, found by the key of their config.

    <root>/runs/<key>/        events.jsonl, result.joblib, evidence.joblib, projection.joblib, manifest.json; pinned and
                              label.json, which are not sealed and may change
    <root>/quarantine/        runs that were not what had been sealed, <key>-<time>
    <root>/trash/             deleted runs, until the quota, a full disk or a person empties it
    <root>/locks/             <key>.lock, held by the process that trains or changes a run; see `locks`
    <root>/queue/             what servers were asked for; see `jobs.kept_queue`
    <root>/studies/           a folder a study; see `studies.grid.folder`
    <project>/cache/baked/    runs that come with the program: same layout, read-only

A run is there when its manifest is (see `sealing`). A file that the manifest does not name is not part of the run.
A run that this installation did not seal is listed, and not opened: that unpickles it (see `keyed`).
"""

from __future__ import annotations

import math
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import wraps
from pathlib import Path
from types import MappingProxyType
from typing import Any, Concatenate, ParamSpec, TypeVar

import numpy as np

from crl_core.data.user_files import whole
from crl_core.results import RunResult
from crl_core.runs import keyed
from crl_core.runs.eventlog import salvage
from crl_core.runs.labels import FILE as LABEL
from crl_core.runs.labels import Label, read_label, write_label
from crl_core.runs.locks import Locks, RunBusy
from crl_core.runs.quota import destroy, make_room, put_away, put_away_in, size_of, sweep
from crl_core.runs.records import PART_NAMES, RunSummary, from_plain, from_row, new_manifest, plain, row
from crl_core.runs.sealing import (
    EVENTS,
    MAKE_ROOM,
    MANIFEST,
    Damaged,
    DiskFull,
    StoreError,
    disk_error,
    flush,
    make_folder,
    move_folder,
    pack,
    read_manifest,
    read_sealed,
    remove_leftovers,
    sealed_entry,
    sync_folder,
    unpack,
    write_atomically,
)

__all__ = ["RunBusy", "RunCorrupted", "RunNotFound", "RunStore", "RunSummary", "StoreError"]

RESULT = "result.joblib"
PINNED = "pinned"
FOLDERS = (
    "runs",
    "trash",
    "quarantine",
    "locks",
    "queue",
    "incoming",
    "tables",
    "studies",
)  # that nobody else writes into
QUOTA_BYTES = 2_000_000_000
LOOK_S = 60.0  # how often all runs are measured while there is room
STRAY_S = 3600.0  # a temporary file of that age is no longer being written
# What reading a manifest, an index or a label may raise, whatever is written there.
UNREADABLE = (
    StoreError, Damaged, OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, MemoryError,
)  # fmt: skip
_KEY = re.compile(r"[0-9a-f]{16}")
Manifest = dict[str, Any]
P = ParamSpec("P")
T = TypeVar("T")


def _in_room(method: Callable[Concatenate[RunStore, P], T]) -> Callable[Concatenate[RunStore, P], T]:
    """Where the disk is full, the method empties the trash and is tried once more."""

    @wraps(method)
    def tried(self: RunStore, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self.in_room(lambda: method(self, *args, **kwargs))

    return tried


class RunNotFound(StoreError):
    """There is no such run."""


class RunForeign(StoreError):
    """A run that this installation did not seal."""

    def __init__(self, key: str) -> None:
        super().__init__(
            f"Run {key} was not sealed by this installation, and to open it could run somebody's code. Train it again, "
            "or bring it in as a bundle, which holds no code."
        )
        self.key = key


class RunCorrupted(StoreError):
    """A stored file is not as it was sealed.

    moved_to: the run's place in quarantine; None if it stays where it is.
    """

    def __init__(self, key: str, file: str, sentence: str, moved_to: Path | None) -> None:
        super().__init__(sentence)
        self.key, self.file, self.moved_to = key, file, moved_to


def default_root() -> Path:
    """The environment variable CRL_CACHE, with ~ and variables replaced and from the root, since the worker may run in
    another folder; else `cache` beside the package. Raises StoreError."""
    given = os.environ.get("CRL_CACHE")
    try:
        return whole(given) if given else Path(__file__).parents[2] / "cache"
    except ValueError as error:
        raise StoreError(f"CRL_CACHE cannot be used: {error}") from None


class RunStore:
    """Runs on disk. The object may be shared by threads, the folder by processes; making it touches no disk.

    root:        folder of the runs; default `default_root()`.
    baked:       folder of the read-only runs; default <project>/cache/baked.
    quota_bytes: when a save exceeds it, the trash goes first, then the oldest runs; never one that is pinned or under
                 way. An import makes room among the imported only.
    Raises:      every method raises StoreError, RunNotFound, RunBusy or RunCorrupted, with one sentence for a person.
    """

    def __init__(
        self,
        root: str | Path | None = None,
        baked: str | Path | None = None,
        quota_bytes: int = QUOTA_BYTES,
    ) -> None:
        self.root = whole(str(root)) if root is not None else default_root()
        self.baked = Path(baked) if baked is not None else Path(__file__).parents[2] / "cache" / "baked"
        self.quota_bytes = quota_bytes
        self.locks = Locks(self.root / "locks")
        self._damaged_baked: set[str] = set()
        # When all runs were measured last, and their bytes with those of what was written since.
        self._used: tuple[float, int] = -math.inf, 0
        self._sizes: dict[str, int] = {}  # of runs that were written since; who is not in it counts twice, for safety
        # By key, while nothing of the run has changed; and whether it may be opened.
        self._read: dict[str, tuple[list[int], RunSummary, bool]] = {}

    def __reduce__(self) -> tuple[type[RunStore], tuple[Path, Path, int]]:
        return type(self), (self.root, self.baked, self.quota_bytes)  # locks belong to a process

    # -- reading -----------------------------------------------------------------------------------------------------

    def has(self, key: str) -> bool:
        """Whether a sealed run is there that may be opened, by its manifest; `load` checks the rest."""
        found = self.summary(key)
        return found is not None and not found.outdated and self._read[key][2]

    def intact(self, key: str) -> bool:
        """Whether a sealed run is there that may be opened, and every byte of it is as sealed; a damaged one is put
        into quarantine."""
        try:
            self._opened(key)
        except (RunNotFound, RunCorrupted, RunForeign):
            return False
        return True

    def load(self, key: str) -> RunResult:
        """The run's result. All its files are checked first; nothing is unpickled before its checksum was right, nor
        what this installation did not seal."""
        folder, manifest, files = self._opened(key)
        try:
            result = from_plain(unpack(files[RESULT]))
        except MemoryError:
            raise _no_memory(key) from None
        except Exception as error:  # a pickle may raise anything
            raise self._refuse(key, folder, Damaged(RESULT, f"cannot be opened here ({error!s:.80})")) from error
        if result.config.key_in(manifest["recipe_version"]) != key or manifest["config"] != plain(result)["config"]:
            raise self._refuse(key, folder, Damaged(RESULT, f"is the result of run {result.config.key}"))
        return result

    def part(self, key: str, name: str) -> dict[str, np.ndarray] | None:
        """A part that was added to the run, or None if it has not been. `name` is one of PART_NAMES."""
        file = _part_file(name)
        folder, _, files = self._opened(key, file)
        if file not in files:
            return None
        try:
            return unpack(files[file])
        except MemoryError:
            raise _no_memory(key) from None
        except Exception as error:
            raise self._refuse(key, folder, Damaged(file, f"cannot be opened here ({error!s:.80})")) from error

    def missing_parts(self, key: str) -> tuple[str, ...]:
        """Parts that a sealed run lacks and that can be added; none for a baked run."""
        folder, manifest = self._sealed(key)
        lacking = tuple(name for name in PART_NAMES if _part_file(name) not in manifest["files"])
        return () if self._is_baked(folder) else lacking

    def keys(self) -> list[str]:
        """Keys of the sealed runs, own and baked, without repeats."""
        return [item.key for item in self.summaries()]

    def summaries(self) -> list[RunSummary]:
        """All sealed runs, newest first, by their manifests. One that cannot be read is left out (see `verify`), and so
        is one of a private table, which only its session knows."""
        found = [self.summary(key) for key in sorted(self.stamps())]
        return sorted((item for item in found if item is not None and not item.private), key=lambda item: -item.created)

    def trashed(self) -> list[str]:
        """Keys of the deleted runs that can be restored, the latest first."""
        return [path.name.split("-")[0] for path in reversed(self._trash())]

    def summary(self, key: str) -> RunSummary | None:
        """The summary of one run; None if it is not there or cannot be read. Moves nothing."""
        try:
            stamp = _stamp(self._folder(key))
            held = self._read.get(key)
            if held is None or held[0] != stamp or not stamp:
                manifest = self._manifest(key)
                held = self._read[key] = stamp, from_row(self._row(manifest)), keyed.sealed_here(manifest)
        except UNREADABLE:
            self._read.pop(key, None)
            return None
        return held[1]

    def row(self, key: str) -> dict[str, Any]:
        """What a list of runs needs to know of one, as plain values.

        Raises: StoreError, Damaged, OSError or ValueError if it is not there or cannot be read. Moves nothing.
        """
        return self._row(self._manifest(key))

    def _manifest(self, key: str) -> Manifest:
        manifest = read_manifest(self._folder(key))
        if manifest["key"] != key:
            raise ValueError(f"the manifest is the one of run {manifest['key']}.")
        return manifest

    def _row(self, manifest: Manifest) -> dict[str, Any]:
        folder = self._folder(manifest["key"])
        pinned, baked = os.path.exists(folder / PINNED), self._is_baked(folder)
        return row(manifest, pinned=pinned, baked=baked, label=read_label(folder))

    def stamps(self) -> dict[str, list[int]]:
        """For every folder that may hold a sealed run, what changes when its row does; cheap, nothing is opened."""
        found = {}
        for parent in (self.baked, self._runs):  # an own run hides a baked one
            for key in _keys_in(parent):
                stamp = _stamp(parent / key)
                if stamp:
                    found[key] = stamp
        return found

    def events_path(self, key: str) -> Path:
        """Where the events of a run are, or will be, written."""
        return self._folder(key) / EVENTS

    def verify(self) -> list[RunCorrupted]:
        """Check every byte of every run; returns the damaged, now in quarantine (baked ones are only reported).

        A damaged log costs no run: of it the whole lines are kept. What killed processes left lying about is removed.
        Intact runs of before this installation marked what it seals are marked, the first time that a store is checked.
        """
        with suppress(OSError):
            self._sweep()
        damaged = []
        first_sight, skipped = not keyed.seen(self.root), False
        for key in (*_keys_in(self.baked), *_keys_in(self._runs)):
            try:
                folder, manifest, files = self._checked(key)
                if first_sight and "mark" not in manifest and not self._is_baked(folder):
                    try:
                        with self.lock(key):
                            keyed.seal(folder, manifest)
                    except RunBusy:
                        skipped = True
                if EVENTS in manifest["files"] and EVENTS not in files:
                    damaged.append(self._damaged_log(key, folder))
            except RunCorrupted as error:
                damaged.append(error)
            except RunNotFound:  # only events so far, or gone meanwhile
                pass
        if not skipped:
            keyed.note_seen(self.root)
        return damaged

    def foreign(self) -> list[RunForeign]:
        """Of every run that this installation did not seal, and that is therefore not opened, the sentence on it."""
        listed = [item.key for item in self.summaries()]
        return [RunForeign(key) for key in listed if key in self._read and not self._read[key][2]]

    def _damaged_log(self, key: str, folder: Path) -> RunCorrupted:
        if not self._is_baked(folder):
            with suppress(RunBusy, RunForeign), self._changing(key):  # which mends it
                pass
        sentence = f"The log of run {key} is damaged; its whole lines were kept, and the result is as it was sealed."
        return RunCorrupted(key, EVENTS, sentence, None)

    # -- one at a time -----------------------------------------------------------------------------------------------

    def lock(self, key: str, wait_s: float = 0.0) -> AbstractContextManager[None]:
        """Hold the run's lock, across threads and processes. The same thread may take it again. Raises RunBusy."""
        return self.locks.hold(_checked_key(key), wait_s)

    def busy(self, key: str) -> bool:
        """Whether someone holds the run's lock at this moment, this thread included."""
        return self.locks.busy(_checked_key(key))

    # -- writing -----------------------------------------------------------------------------------------------------

    def in_room(self, act: Callable[[], T]) -> T:
        """Do something; where the disk is full, empty the trash and try once more. Raises what it raises then."""
        try:
            return act()
        except DiskFull:
            if not self.empty_trash():
                raise
            return act()

    def check_room(self, n_bytes: int) -> None:
        """Before what takes long and is to be stored. Raises DiskFull where not even an empty trash leaves so much."""

        def look() -> None:
            place = next((path for path in (self.root, *self.root.parents) if path.is_dir()), None)
            free = n_bytes if place is None else shutil.disk_usage(place).free
            if free < n_bytes:
                raise DiskFull(
                    f"To store this run takes about {n_bytes / 1e6:.1f} MB, and {free / 1e6:.1f} MB are free in "
                    f"{self.root}; {MAKE_ROOM}, or set CRL_CACHE to a folder on a larger disk."
                )

        with suppress(OSError):  # what cannot be looked at is tried
            self.in_room(look)

    def empty_trash(self) -> int:
        """Delete for good what lies in trash and quarantine; how many runs that were."""
        try:
            discarded = [*self._trash(), *put_away_in(self.root / "quarantine")]
            for path in discarded:
                destroy(path)
        except OSError as error:
            raise disk_error(f"empty the trash in {self.root}", error) from None
        return len(discarded)

    @_in_room
    def save(self, result: RunResult, made: Mapping[str, Any] = MappingProxyType({})) -> str:
        """Store and seal a finished run; its key. A sealed, intact run of the same config is kept as it is.

        made: what the manifest says otherwise of a run that was not trained here and now: recipe_version, created,
              imported.
        """
        manifest = new_manifest(result) | dict(made)
        key = manifest["key"] = result.config.key_in(manifest["recipe_version"])
        with self.lock(key, wait_s=10.0):
            if self.intact(key):
                return key
            folder = self._runs / key
            if not self._runs.is_dir() and self.root == default_root():
                keyed.note_seen(self.root)  # all runs of this store are sealed with this installation's mark
            try:
                make_folder(folder)
                remove_leftovers(folder)
                self._put(folder, manifest, {RESULT: pack(plain(result))})
            except BaseException as error:
                if not os.path.exists(folder / MANIFEST):
                    with suppress(OSError):
                        (folder / RESULT).unlink()
                if isinstance(error, OSError):
                    raise disk_error(f"store the run in {self._runs}", error) from None
                raise
            with suppress(OSError):
                self._keep_to_quota(key)
        return key

    @_in_room
    def add(self, key: str, part: str, arrays: Mapping[str, np.ndarray]) -> None:
        """Add a part to a sealed run, or replace it. While it is being replaced the run is there without it."""
        file = _part_file(part)
        with self._changing(key) as (folder, manifest):
            if manifest["files"].pop(file, None) is not None:
                keyed.seal(folder, manifest)
            try:
                self._put(folder, manifest, {file: pack(arrays)})
            except OSError:
                with suppress(OSError, Damaged, StoreError):
                    if file not in read_manifest(folder)["files"]:  # sealed all the same, but for its folder's flush
                        (folder / file).unlink()
                raise

    @_in_room
    def seal_events(self, key: str) -> None:
        """Update the manifest to cover events appended since."""
        with self._changing(key) as (folder, manifest):
            self._put(folder, manifest, {})

    @_in_room
    def pin(self, key: str, pinned: bool = True) -> None:
        """Keep a run whatever the quota says, or no longer."""
        with self._changing(key) as (folder, _):
            (folder / PINNED).touch() if pinned else (folder / PINNED).unlink(missing_ok=True)
            sync_folder(folder)

    @_in_room
    def label(self, key: str, label: Label, was: Label | None = None) -> None:
        """Write name, tags and note on a run.

        was: the label that the change was made to; if someone else has written another meanwhile, nothing is changed
             and StoreError says what stands there now.
        """
        with self._changing(key) as (folder, _):
            now = read_label(folder)
            if was is not None and now not in (was, label):
                name = f"“{now.name}”" if now.name else "without a name"
                raise StoreError(
                    f"Someone else has changed what is written on run {key} meanwhile (it is now {name}); nothing was "
                    "changed. Look at it and write again."
                )
            write_label(folder, label)

    @_in_room
    def label_ahead(self, key: str, label: Label) -> None:
        """Write a label that a run carries from the moment it is sealed; one that is sealed already keeps its own."""
        with self.lock(key):
            if self.has(key):
                return
            try:
                make_folder(self._runs / key)
                write_label(self._runs / key, label)
            except OSError as error:
                raise disk_error(f"name run {key} in {self._runs}", error) from None

    def delete(self, key: str) -> None:
        """Move a run to the trash; `restore` brings it back."""
        with self.lock(key):
            folder = self._runs / key
            if not os.path.isdir(folder):
                if self._is_baked(self._folder(key)):
                    raise StoreError(f"Run {key} comes with the program and cannot be deleted.")
                raise _not_found(key)
            try:
                put_away(folder, self.root / "trash")
            except OSError as error:
                raise disk_error(f"move run {key} to the trash in {self.root}", error) from None

    def discard(self, key: str) -> None:
        """Remove a run for good, with its events; nothing where there is none. Raises RunBusy while it is in hand."""
        with self.lock(key):
            self._read.pop(key, None)
            try:
                destroy(self._runs / key)
            except OSError as error:
                raise disk_error(f"remove run {key} from {self._runs}", error) from None

    def discard_private(self, older_than_s: float = 86_400.0) -> None:
        """Remove runs of private tables that nobody can come back to: a server that ends in good order has removed its
        own. Younger ones may be of another server on the same store."""
        for key in list(self.stamps()):
            found = self.summary(key)
            if found is not None and found.private and time.time() - found.created > older_than_s:
                with suppress(StoreError):
                    self.discard(key)

    def restore(self, key: str) -> None:
        """Undo the last `delete` of a run."""
        with self.lock(key):
            trashed = [path for path in self._trash() if path.name.startswith(f"{_checked_key(key)}-")]
            if not trashed:
                raise RunNotFound(f"Run {key} is not in the trash; it may have been emptied. Train it again.")
            if self.has(key):
                raise StoreError(f"Run {key} is there already; nothing was restored.")
            try:
                destroy(self._runs / key)  # what a later, unfinished attempt left
                move_folder(trashed[-1], self._runs / key)
            except FileNotFoundError:
                raise RunNotFound(
                    f"Run {key} was in the trash, which was emptied this moment. Train it again."
                ) from None
            except OSError as error:
                raise disk_error(f"restore run {key} in {self._runs}", error) from None

    def adopt(self, key: str, other: RunStore) -> None:
        """Move a sealed run here from another store on the same disk, in one step.

        Raises: StoreError if it exists, or if the store is full of runs that were trained here.
        """
        with self.lock(key):
            if self.has(key):
                raise StoreError(f"Run {key} is there already; nothing was changed.")
            try:
                over = self._make_room(keep=key, coming=size_of(other._runs / key), strangers_only=True)
                if over > 0:
                    raise StoreError(
                        f"The store is full ({self.quota_bytes / 1e6:.0f} MB), and an import displaces no run that was "
                        "trained here. Delete some runs, then import again."
                    )
                destroy(self._runs / key)  # what an unfinished attempt left
                move_folder(other._runs / key, self._runs / key)
            except OSError as error:
                raise disk_error(f"store run {key} in {self._runs}", error) from None

    # -- inside ------------------------------------------------------------------------------------------------------

    @property
    def _runs(self) -> Path:
        return self.root / "runs"

    def _trash(self) -> list[Path]:
        try:
            return put_away_in(self.root / "trash")
        except OSError as error:
            raise disk_error(f"read the trash in {self.root}", error) from None

    def _is_baked(self, folder: Path) -> bool:
        return folder.parent == self.baked

    def _folder(self, key: str) -> Path:
        own, baked = self._runs / _checked_key(key), self.baked / key
        if key not in self._damaged_baked and os.path.exists(baked / MANIFEST) and not os.path.exists(own / MANIFEST):
            return baked
        return own

    def _sealed(self, key: str) -> tuple[Path, Manifest]:
        """Folder and manifest of a run that is there."""
        half = False
        while True:
            folder = self._folder(key)
            try:
                manifest = read_manifest(folder)
                break
            except (FileNotFoundError, NotADirectoryError):
                if half:
                    raise self._refuse(key, folder, Damaged(MANIFEST, "is missing")) from None
                if not os.path.exists(folder / RESULT) or self.busy(key):
                    raise _not_found(key) from None
                half = True  # nobody is saving it now; look once more, since someone may just have ended
            except Damaged as damage:
                raise self._refuse(key, folder, damage) from None
            except OSError as error:
                raise disk_error(f"read run {key} in {folder.parent}", error) from None
        if manifest["key"] != key:
            raise self._refuse(key, folder, Damaged(MANIFEST, f"is the one of run {manifest['key']}"))
        return folder, manifest

    def _checked(self, key: str, only: str | None = None) -> tuple[Path, Manifest, dict[str, bytes]]:
        """Folder, manifest and checked content of a run's files, of all or of one; a damaged log is left out."""
        while True:
            folder, manifest = self._sealed(key)
            files = {}
            try:
                for name in manifest["files"]:
                    if only not in (None, name):
                        continue
                    try:
                        files[name] = read_sealed(folder, manifest, name)
                    except Damaged:
                        if name != EVENTS:  # no result is lost with its log
                            raise
                return folder, manifest, files
            except Damaged as damage:
                with suppress(OSError, Damaged):  # a part may have been replaced while we read
                    if read_manifest(folder) == manifest:
                        raise self._refuse(key, folder, damage) from None
            except OSError as error:
                raise disk_error(f"read run {key} in {folder.parent}", error) from None

    def _opened(self, key: str, only: str | None = None) -> tuple[Path, Manifest, dict[str, bytes]]:
        """As `_checked`, of a run whose pickles may be opened. Raises RunForeign."""
        folder, manifest, files = self._checked(key, only)
        _require_ours(key, manifest)
        return folder, manifest, files

    def _refuse(self, key: str, folder: Path, damage: Damaged) -> RunCorrupted:
        """Put a damaged run into quarantine; returns the error to raise."""
        if self._is_baked(folder):
            self._damaged_baked.add(key)
            sentence = f"Run {key}, which comes with the program, is damaged: {damage}. It is ignored; train it again."
            return RunCorrupted(key, damage.file, sentence, None)
        try:
            moved_to = put_away(folder, self.root / "quarantine")
        except OSError:
            sentence = f"Run {key} is damaged: {damage}. It could not be moved out of the way; delete its folder."
            return RunCorrupted(key, damage.file, sentence, None)
        sentence = f"Run {key} is damaged: {damage}. It was moved to quarantine/{moved_to.name}; train it again."
        return RunCorrupted(key, damage.file, sentence, moved_to)

    @contextmanager
    def _changing(self, key: str) -> Iterator[tuple[Path, Manifest]]:
        """An own, sealed run under its lock; what the disk refuses becomes a StoreError."""
        with self.lock(key, wait_s=10.0):
            folder, manifest = self._sealed(key)
            if self._is_baked(folder):
                raise StoreError(f"Run {key} comes with the program and cannot be changed.")
            _require_ours(key, manifest)
            try:
                if EVENTS in manifest["files"]:
                    try:
                        read_sealed(folder, manifest, EVENTS)
                    except Damaged:  # never put a new seal on changed bytes
                        salvage(folder / EVENTS)
                        self._put(folder, manifest, {})
                        manifest = read_manifest(folder)
                yield folder, manifest
            except OSError as error:
                raise disk_error(f"change run {key} in {self._runs}", error) from None

    def _put(self, folder: Path, manifest: Manifest, contents: Mapping[str, bytes]) -> None:
        """Write files, then the manifest that names them and all events so far."""
        entries = dict(manifest["files"])
        for name, content in contents.items():
            write_atomically(folder / name, content)
            entries[name] = sealed_entry(content)
        with suppress(FileNotFoundError):
            flush(folder / EVENTS)  # what a manifest names is on the disk before it is named
            events = (folder / EVENTS).read_bytes()
            entries[EVENTS] = sealed_entry(events[: events.rfind(b"\n") + 1])
        keyed.seal(folder, {**manifest, "files": entries})
        with suppress(OSError):  # the run is sealed
            size = size_of(folder)
            self._used = self._used[0], self._used[1] + size - self._sizes.get(folder.name, 0)
            self._sizes[folder.name] = size

    def _keep_to_quota(self, key: str) -> None:
        """Make room after a save. To look at every run takes longer than to store one, once there are hundreds: while
        there is room by the last look, it is made anew after LOOK_S only."""
        looked_at, used = self._used
        if used > self.quota_bytes or time.monotonic() - looked_at > LOOK_S:
            self._used = time.monotonic(), self.quota_bytes + self._make_room(keep=key)
            self._sizes = {key: self._sizes.get(key, 0)}

    def _make_room(self, keep: str, coming: int = 0, *, strangers_only: bool = False) -> int:
        """Bytes over the quota that are left once all went that may; below 0 where there is room.

        coming:         bytes that are about to be added.
        strangers_only: only imported runs may go.
        """

        def evict(folder: Path) -> bool:
            if folder.name == keep or os.path.exists(folder / PINNED):
                return False
            if strangers_only and ((run := self.summary(folder.name)) is None or run.imported is None):
                return False
            try:
                with self.lock(folder.name):
                    destroy(folder)
            except RunBusy:
                return False
            return True

        self._sweep()
        discarded = [*put_away_in(self.root / "trash"), *put_away_in(self.root / "quarantine")]
        oldest_first = sorted((self._runs / key for key in _keys_in(self._runs)), key=_sealed_at)
        return make_room(self.quota_bytes - coming, discarded, oldest_first, evict)

    def _sweep(self) -> None:
        """Remove what killed processes left lying about."""
        for folder in (self._runs, self.root / "trash", self.root / "quarantine"):
            sweep(folder)
        for folder in (self.root, self._runs, *(self._runs / key for key in _keys_in(self._runs))):
            remove_leftovers(folder, STRAY_S)


def _checked_key(key: str) -> str:
    if not _KEY.fullmatch(key):  # a key becomes a path
        raise _not_found(key)
    return key


def _not_found(key: str) -> RunNotFound:
    return RunNotFound(f"There is no run {key!s:.40}; it was deleted, or never trained here. Restore it, or train it.")


def _require_ours(key: str, manifest: Manifest) -> None:
    if not keyed.sealed_here(manifest):
        raise RunForeign(key)


def _no_memory(key: str) -> StoreError:
    return StoreError(f"The memory does not suffice to open run {key}; end other programs and try again.")


def _part_file(name: str) -> str:
    if name not in PART_NAMES:
        raise ValueError(f"part is {name!r}; it must be one of {', '.join(PART_NAMES)}.")
    return f"{name}.joblib"


def _keys_in(folder: Path) -> list[str]:
    try:
        return sorted(entry.name for entry in os.scandir(folder) if _KEY.fullmatch(entry.name) and entry.is_dir())
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise disk_error(f"read the runs in {folder}", error) from None


def _stamp(folder: Path) -> list[int]:
    """Times and sizes of what a row is made of; empty without a manifest."""
    found = []
    for name in (MANIFEST, LABEL, PINNED):
        try:
            stat = os.stat(folder / name)
            found += [stat.st_mtime_ns, stat.st_size, stat.st_ino]  # a clock may tick less often than we write
        except OSError:
            if name == MANIFEST:
                return []
            found += [0, 0, 0]
    return found


def _sealed_at(folder: Path) -> float:
    try:
        return (folder / MANIFEST).stat().st_mtime
    except OSError:
        return 0.0  # an unfinished run goes before all others
