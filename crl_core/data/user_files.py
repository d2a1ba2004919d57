"""What people give at the border: files in the encoding of their editor, paths with ~ and $VARIABLES, names in any
letters.

Needs nothing but the standard library: the endpoint's image has no more.
"""

from __future__ import annotations

import json
import os
import re
import stat
import unicodedata
from pathlib import Path

MOST_BYTES = 10_000_000  # of a text; a device that never ends is not read for ever
_VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)\})", re.ASCII)


def decode(content: bytes) -> str:
    """Text with line ends \\n, from UTF-8, UTF-16 or UTF-32 with or without a byte-order mark.

    Without:  the encoding is known from the first letters, which are ASCII in JSON and TOML.
    Raises:   ValueError if it is not text.
    """
    try:
        text = content.decode(json.detect_encoding(content))
    except UnicodeDecodeError:
        raise ValueError("this is not text; save the file as UTF-8.") from None
    return text.replace("\r\n", "\n").replace("\r", "\n")


def read_text(path: str | Path) -> str:
    """A file's text, as `decode`. Raises ValueError if it is not text or too long, OSError if it cannot be read."""
    with open(path, "rb") as file:
        content = file.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise ValueError(f"it has more than {MOST_BYTES / 1e6:.0f} MB; give a smaller file.")
    return decode(content)


def irregular(path: str | Path) -> str | None:
    """What a path names that is no file with an end, "a device", "a pipe"; None for a file, a folder, or nothing."""
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError):
        return None
    kinds = {stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device"}
    return kinds.get(stat.S_IFMT(mode))


def expanded(path: str) -> str:
    """The path with a leading ~ or ~USER and every $NAME or ${NAME} in it replaced, as a shell does.

    A file that is there under the name as written is meant as written, its $ included; "./~" is a name, too.
    Raises: ValueError if there is no such user or variable: no folder called ~ or $NAME is ever made.
    """
    if path.startswith("~"):
        full = os.path.expanduser(path)
        if full.startswith("~"):
            raise ValueError(
                f"the path {path} begins with the home folder {path.split('/')[0]}, which is not known here; write "
                f"the whole path, or ./{path} for a file of that name."
            )
        path = full
    if not os.path.isfile(path):
        path = _VARIABLE.sub(lambda found: _variable(path, found[1] or found[2]), path)
    return path


def _variable(path: str, name: str) -> str:
    value = os.environ.get(name)
    if not value:
        raise ValueError(f"the path {path} names the variable {name}, which is not set; set it, or write the path out.")
    return value


def place(path: str | Path) -> str:
    """ " in <folder>" of a relative path, so that a message says which folder it was taken from; "" of a whole one."""
    if os.path.isabs(path):
        return ""
    try:
        return f" in {os.getcwd()}"
    except OSError:
        return " in a folder that is there no more"


def whole(path: str) -> Path:
    """`expanded`, and from the root. Raises ValueError, too, if it lies in a working folder that was deleted."""
    try:
        return Path(expanded(path)).absolute()
    except OSError:
        raise ValueError(
            f"the path {path} lies{place(path)}; write it from the root, or go to another folder."
        ) from None


def folded(text: str) -> str:
    """What two names have in common that a reader takes for the same: equal after canonical caseless matching.

    Source: The Unicode Standard, 3.13, D145; the result is composed (NFC).
    """
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", text).casefold())
