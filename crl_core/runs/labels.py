"""Labels of runs: a name, tags, a note, kept beside the sealed files, so that the seal does not change for them."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from crl_core.data.user_files import folded
from crl_core.runs.sealing import sync_folder, write_atomically

FILE = "label.json"
MAX_NAME, MAX_TAG, MAX_TAGS, MAX_NOTE = 80, 24, 12, 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """Checked and tidied: spaces at the ends go, letters are composed (NFC), tags are sorted and stand once.

    Once:   in the spelling that was given first, whatever others differ from it in case only.

    Raises: ValueError naming the field, what came and what is allowed.
    """

    name: str = ""
    tags: tuple[str, ...] = ()
    note: str = ""

    def __post_init__(self) -> None:
        put = object.__setattr__
        put(self, "name", _text("the name", self.name, MAX_NAME))
        if isinstance(self.tags, str) or not all(isinstance(tag, str) for tag in self.tags):
            raise ValueError(f"tags is {self.tags!r:.40}; give a list of words, e.g. lecture, draft.")
        tidied = [_text("a tag", tag, MAX_TAG) for tag in self.tags]
        tags = sorted({folded(tag): tag for tag in reversed(tidied) if tag}.values())
        if any("," in tag for tag in tags):
            raise ValueError("a tag holds a comma; commas stand between tags.")
        if len(tags) > MAX_TAGS:
            raise ValueError(f"there are {len(tags)} tags; at most {MAX_TAGS} fit.")
        put(self, "tags", tuple(tags))
        put(self, "note", _text("the note", self.note, MAX_NOTE, lines=True))

    def to_dict(self) -> dict[str, Any]:
        return asdict(self) | {"tags": list(self.tags)}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Label:
        """Inverse of `to_dict`. Raises ValueError."""
        try:
            return cls(name=content["name"], tags=tuple(content["tags"]), note=content["note"])
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"the label is not complete ({error}).") from None


def _text(what: str, text: object, most: int, *, lines: bool = False) -> str:
    if not isinstance(text, str):
        raise ValueError(f"{what} is {text!r:.40}; it must be text.")
    text = unicodedata.normalize("NFC", text.replace("\r\n", "\n").strip())
    if len(text) > most:
        raise ValueError(f"{what} has {len(text)} characters; at most {most} fit.")
    if not all(letter.isprintable() or (lines and letter in "\n\t") for letter in text):
        raise ValueError(f"{what} holds control characters; write plain text.")
    return text


def read_label(folder: Path) -> Label:
    """The label of a run's folder; an empty one where there is none, or none that can be read."""
    try:
        return Label.from_dict(json.loads((folder / FILE).read_text(encoding="utf-8")))
    except (OSError, ValueError, RecursionError):
        return Label()


def write_label(folder: Path, label: Label) -> None:
    """Raises OSError, with the former label still in force."""
    if label == Label():
        (folder / FILE).unlink(missing_ok=True)
        sync_folder(folder)
    else:
        write_atomically(folder / FILE, json.dumps(label.to_dict(), ensure_ascii=False, indent=1).encode())
