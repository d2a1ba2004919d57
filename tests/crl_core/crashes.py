"""What a power cut may leave of a folder: its file operations as they happened, and every state that they allow.

The model is the one that POSIX promises, as crash-consistency testers use it: the content of a file is there once the
file was flushed, a change of a folder's entries once the folder was; before that each may be missing, or there by half.
A rename is whole or not there, as on every journalling file system.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path

import pytest

ROOT = 0  # the number of the folder itself
WATCHED = ("fsync", "rename", "replace", "unlink", "mkdir", "rmdir", "ftruncate")
Node = bytes | dict[str, int]  # a file's content, or a folder's entries


@dataclass(frozen=True)
class Change:
    """One step. kind: "data" of a file, "entry" of folders, "flush" of either.

    gone, new: (folder, name) that no longer, or now, names `node`.
    """

    kind: str
    node: int
    content: bytes = b""
    gone: tuple[int, str] | None = None
    new: tuple[int, str] | None = None

    @property
    def folders(self) -> set[int]:
        return {place[0] for place in (self.gone, self.new) if place is not None}


@dataclass
class Recorder:
    """The steps that a folder went through while `watching`. Whoever acts on it may note marks between them."""

    root: Path
    steps: list[Change] = field(default_factory=list)
    marks: list[tuple[int, object]] = field(default_factory=list)
    folders: set[int] = field(default_factory=lambda: {ROOT})
    _ids: dict[int, int] = field(default_factory=dict)
    _nodes: dict[int, Node] = field(default_factory=lambda: {ROOT: {}})

    def mark(self, what: object) -> None:
        self.look()
        self.marks.append((len(self.steps), what))

    @contextmanager
    def watching(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        with monkeypatch.context() as patched:
            for name in WATCHED:
                patched.setattr(os, name, self._watched(name, getattr(os, name)))
            yield

    def _watched(self, name: str, call: Callable[..., object]) -> Callable[..., object]:
        def watched(*arguments: object, **options: object) -> object:
            self.look()  # what was written and created since
            found = None if name == "fsync" else call(*arguments, **options)
            self.look()
            if name == "fsync" and (node := self._ids.get(os.fstat(arguments[0]).st_ino)) is not None:  # type: ignore[arg-type]
                self.steps.append(Change("flush", node))
            return found

        return watched

    def look(self) -> None:
        """Note what has changed on the disk since the last look."""
        self._ids = {**self._ids, os.stat(self.root).st_ino: ROOT}
        now: dict[int, Node] = {}
        self._read(self.root, now)
        before = self._nodes
        for node, content in now.items():
            if isinstance(content, bytes) and content != before.get(node, b""):
                self.steps.append(Change("data", node, content))
        was, is_ = _entries(before), _entries(now)
        new = {place: node for place, node in is_.items() if was.get(place) != node}
        gone = {place: node for place, node in was.items() if is_.get(place) != node}
        for place, node in new.items():
            old = next((there for there, which in gone.items() if which == node), None)
            self.steps.append(Change("entry", node, gone=old, new=place))
            gone.pop(old, None)  # type: ignore[arg-type]
            gone.pop(place, None)  # replaced
        self.steps.extend(Change("entry", node, gone=place) for place, node in gone.items())
        self._nodes = now
        self._ids = {inode: node for inode, node in self._ids.items() if node in now}

    def _read(self, folder: Path, into: dict[int, Node]) -> int:
        node = self._number(folder)
        self.folders.add(node)
        entries: dict[str, int] = {}
        into[node] = entries
        for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
            path = folder / entry.name
            if entry.is_dir():
                entries[entry.name] = self._read(path, into)
            else:
                entries[entry.name] = self._number(path)
                into[entries[entry.name]] = path.read_bytes()
        return node

    def _number(self, path: Path) -> int:
        inode = os.stat(path).st_ino
        if inode not in self._ids:
            self._ids[inode] = 1 + max((*self._nodes, *self._ids.values(), *(step.node for step in self.steps)))
        return self._ids[inode]

    # -- what may be left --------------------------------------------------------------------------------------------

    def states(self) -> Iterator[tuple[int, dict[str, Node | None]]]:
        """(n, tree) for every prefix of n steps and every loss of what was not flushed: path -> content, None a folder.

        The same tree after the same steps comes once.
        """
        for n in range(len(self.steps) + 1):
            seen: set[frozenset[tuple[str, object]]] = set()
            open_entries = [at for at in range(n) if self._is_open(at, n)]
            for kept in _choices(open_entries):
                lost = set(open_entries) - set(kept)
                for how in ("all", "half", "flushed"):
                    tree = self._tree(n, lost, how)
                    name = frozenset(tree.items())  # type: ignore[arg-type]
                    if name not in seen:
                        seen.add(name)
                        yield n, tree

    def _is_open(self, at: int, n: int) -> bool:
        """Whether a change of entries may still be lost after n steps."""
        step = self.steps[at]
        flushed = {later.node for later in self.steps[at:n] if later.kind == "flush"}
        return step.kind == "entry" and not step.folders <= flushed

    def _tree(self, n: int, lost: set[int], how: str) -> dict[str, Node | None]:
        entries: dict[int, dict[str, int]] = {ROOT: {}}
        for at, step in enumerate(self.steps[:n]):
            if step.kind != "entry" or at in lost:
                continue
            if step.gone is not None and entries.get(step.gone[0], {}).get(step.gone[1]) == step.node:
                del entries[step.gone[0]][step.gone[1]]
            if step.new is not None:
                entries.setdefault(step.new[0], {})[step.new[1]] = step.node
        tree: dict[str, Node | None] = {}
        waiting = [("", ROOT)]
        while waiting:
            path, node = waiting.pop()
            for name, child in entries.get(node, {}).items():
                place = f"{path}/{name}".lstrip("/")
                if child in self.folders:
                    tree[place] = None
                    waiting.append((place, child))
                else:
                    tree[place] = self._content(child, n, how)
        return tree

    def _content(self, node: int, n: int, how: str) -> bytes:
        content = flushed = b""
        for step in self.steps[:n]:
            if step.node == node and step.kind == "data":
                content = step.content
            elif step.node == node and step.kind == "flush":
                flushed = content
        if how == "all":
            return content
        if how == "flushed" or not content.startswith(flushed):
            return flushed
        return content[: (len(flushed) + len(content)) // 2]


def _entries(nodes: dict[int, Node]) -> dict[tuple[int, str], int]:
    return {
        (folder, name): node
        for folder, content in nodes.items()
        if isinstance(content, dict)
        for name, node in content.items()
    }


def _choices(every: list[int]) -> Iterator[tuple[int, ...]]:
    """What may have been kept: every subset of a few, else all, none, each alone, all but each, and each beginning."""
    if len(every) <= 4:
        for n in range(len(every) + 1):
            yield from combinations(every, n)
        return
    yield ()
    for at in range(len(every)):
        yield (every[at],)
        yield (*every[:at], *every[at + 1 :])
        yield tuple(every[: at + 1])


def lay_out(tree: dict[str, Node | None], folder: Path) -> None:
    """Write such a tree into an empty folder."""
    for path in sorted(tree):
        content = tree[path]
        if content is None:
            (folder / path).mkdir()
        else:
            assert isinstance(content, bytes)
            (folder / path).write_bytes(content)
