"""The library of runs: thousands of them listed, searched and labelled. The sealed folders are the truth.

Index:    <root>/index.json holds what a list needs of every run, each row with the times and sizes of the files that it
          was read from. A row is used only while these are the same; so an index that is missing, damaged, behind, or
          was written by two programs at once is mended by reading those folders again, and nothing is ever lost with
          it.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from crl_core.config.settings import name_of, world_of
from crl_core.config.text import N_ENVS, nearest
from crl_core.data.user_files import folded
from crl_core.runs.labels import Label
from crl_core.runs.query import matching, parse
from crl_core.runs.records import RunSummary, from_row
from crl_core.runs.sealing import write_atomically
from crl_core.runs.store import UNREADABLE, RunStore

INDEX_FORMAT = 1  # raise when a row changes


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """How full the store is, by the sizes in the manifests."""

    n_runs: int  # own and baked
    bytes: int  # of own runs, without trash and quarantine
    quota_bytes: int

    @classmethod
    def of(cls, runs: Sequence[RunSummary], store: RunStore) -> Usage:
        own = sum(run.bytes for run in runs if not run.baked)
        return cls(n_runs=len(runs), bytes=own, quota_bytes=store.quota_bytes)


class Library:
    """All runs of a store, as summaries; may be shared by threads."""

    def __init__(self, store: RunStore) -> None:
        self.store = store
        self._known: dict[str, tuple[list[int], dict[str, Any], RunSummary]] = {}
        self._mutex = threading.Lock()

    def runs(self) -> list[RunSummary]:
        """All sealed runs, newest first. One that cannot be read is left out (see `RunStore.verify`), and so is
        a private one."""
        with self._mutex:
            stamps = self.store.stamps()
            if not self._known:
                self._known = self._stored()
            current = {key: held for key, held in self._known.items() if held[0] == stamps.get(key)}
            fresh = {}
            for key, stamp in stamps.items():
                if key not in current:
                    with suppress(*UNREADABLE):
                        content = self.store.row(key)
                        fresh[key] = (stamp, content, from_row(content))
            changed = bool(fresh) or len(current) < len(self._known)
            self._known = current | fresh
            if changed:
                self._write()
            found = [held[2] for held in self._known.values() if not held[2].private]
        return sorted(found, key=lambda run: (-run.created, run.key))

    def rebuild(self) -> int:
        """Read every folder again, without the index; returns how many runs there are."""
        with self._mutex, suppress(OSError):
            self._known = {}
            self._path.unlink()
        return len(self.runs())

    @property
    def _path(self) -> Path:
        return self.store.root / "index.json"

    def _stored(self) -> dict[str, tuple[list[int], dict[str, Any], RunSummary]]:
        try:
            content = json.loads(self._path.read_text(encoding="utf-8"))
            if content["format"] != INDEX_FORMAT:
                return {}
            rows = content["rows"].items()
            return {key: (stamp, row, from_row(row)) for key, (stamp, row) in rows if row["key"] == key}
        except UNREADABLE:
            return {}

    def _write(self) -> None:
        rows = {key: (stamp, row) for key, (stamp, row, _) in self._known.items()}
        text = json.dumps({"format": INDEX_FORMAT, "rows": rows}, separators=(",", ":"))
        with suppress(OSError):  # a disk that refuses costs time, no run
            write_atomically(self._path, text.encode())


# -- found by its words ----------------------------------------------------------------------------------------------


@lru_cache(maxsize=8192)
def _haystack(run: RunSummary) -> str:
    preset_id, changed = nearest(run.config)
    kinds = [word for word in ("pinned", "baked", "outdated") if getattr(run, word)]
    words = (
        run.label.name,
        *run.label.tags,
        run.label.note,
        run.key,
        preset_id,
        *map(str, changed),
        *(change.assignment for change in changed if change.name != N_ENVS),
        world_of(run.config),
        name_of(run.config),
        run.device,
        *kinds,
    )
    return folded("\n".join(words))


def search(runs: Iterable[RunSummary], text: str = "", tags: Sequence[str] = ()) -> list[RunSummary]:
    """Runs for which all of a search holds (see `query`), and with all `tags`.

    Words are looked for in name, tags, note, key, preset, changes and device, in any case, and however their letters
    are composed.
    Raises: ValueError with one sentence on what is not understood.
    """
    query = parse(text)
    return matching(replace(query, tags=(*query.tags, *map(str.strip, tags))), runs, _haystack)


def _folded(tags: Iterable[str]) -> set[str]:
    return {folded(tag.strip()) for tag in tags}


def tags_of(runs: Iterable[RunSummary]) -> list[str]:
    """All tags in use, in order; one spelling of each."""
    used = sorted({tag for run in runs for tag in run.label.tags}, reverse=True)
    return sorted({folded(tag): tag for tag in used}.values())


def retagged(label: Label, add: Sequence[str] = (), remove: Sequence[str] = ()) -> Label:
    """The label with tags added and removed. Raises ValueError as `Label` does."""
    return replace(label, tags=(*(tag for tag in label.tags if folded(tag) not in _folded(remove)), *add))
