"""Answers that come with the program: one JSON file a study, measured beforehand, beside the baked runs.

Envelope: {"study", "recipe_version", "settings", "content"}: which study, made under which RECIPE_VERSION, measured
          how, and what was found.
Plain:    a file without an envelope is the answer itself, its "recipe_version" (of latents: "version") among the rest.
          The files that were committed before there was an envelope are plain, and they stay as they are, bit for bit:
          to make them anew takes hours and would change no number. What `--json` prints is plain, too.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Generic, TypeVar

from crl_core.config import RECIPE_VERSION
from crl_core.events import finite
from crl_core.runs.sealing import disk_error, write_atomically

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shipped(Generic[T]):
    """One of these answers: where it is, how it is read and written.

    study:    names the file, and what `python -m crl_core bake --only` takes.
    settings: the keys of the answer that say how it was measured.
    parse:    from the plain answer to what is used; KeyError, TypeError or ValueError if it has another form.
    version:  of what makes the numbers.
    """

    study: str
    settings: tuple[str, ...]
    parse: Callable[[Mapping[str, Any]], T]
    version: int = RECIPE_VERSION

    @property
    def file(self) -> str:
        return f"{self.study}.json"

    def read(self, folder: Path) -> T | None:
        """The answer; None if it is not in `folder`, damaged, or made under another RECIPE_VERSION."""
        return self._found(folder)[0]

    def problem(self, folder: Path) -> str | None:
        """Why a stored answer cannot be used, and the way out, in a sentence; None if it can, or there is none."""
        return self._found(folder)[1]

    def write(self, folder: Path, answer: Mapping[str, Any]) -> Path:
        """Put an answer, given plainly, into `folder` in an envelope; its file. Raises StoreError."""
        apart = (*self.settings, "recipe_version", "version")
        envelope = {
            "study": self.study,
            "recipe_version": self.version,
            "settings": {name: answer[name] for name in self.settings},
            "content": {name: value for name, value in answer.items() if name not in apart},
        }
        text = json.dumps(finite(envelope), separators=(",", ":"), ensure_ascii=False, allow_nan=False)
        try:
            write_atomically(folder / self.file, text.encode())
        except OSError as error:
            raise disk_error(f"write {self.file} in {folder}", error, "bake in a copy that can be written") from None
        return folder / self.file

    def _found(self, folder: Path) -> tuple[T | None, str | None]:
        """Answer and problem, at most one of them."""
        path = folder / self.file
        try:
            stat = path.stat()
        except OSError:
            return None, None
        return _parsed(self, path, stat.st_mtime_ns, stat.st_size)


@lru_cache(maxsize=32)
def _parsed(item: Shipped[T], path: Path, *stamp: int) -> tuple[T | None, str | None]:
    """As `Shipped._found`; a page asks at every view. stamp: changes when the file does."""
    try:
        version, answer = _opened(json.loads(path.read_text(encoding="utf-8")))
        if version == item.version:
            return item.parse(answer), None
        what = "was made by another version of the recipe"
    except (AttributeError, KeyError, OSError, TypeError, ValueError):
        what = "is damaged"
    return None, (f"The stored study {item.study} {what}; run it again: python -m crl_core bake --only {item.study}.")


def _opened(found: Mapping[str, Any]) -> tuple[Any, Mapping[str, Any]]:
    """Version and plain answer of a file's content, in an envelope or not."""
    version = found["recipe_version"] if "recipe_version" in found else found["version"]
    if "content" not in found:
        return version, found
    return version, {"recipe_version": version, **found["settings"], **found["content"]}
