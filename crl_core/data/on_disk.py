"""Large arrays in files without a name, mapped into memory: what nobody reads for a while takes none.

A file has no name from its first byte on and is gone with the last array that shows it, also where the process is
killed. Its room on the disk is taken before anything is written; where there is none, the array stays in memory.
"""

from __future__ import annotations

import os
import tempfile
from dataclasses import fields
from typing import Any

import numpy as np

from crl_core.data.scm import MultiEnvData

IN_MEMORY = 100_000  # rows of a world that are kept there: 30 MB a replicate of the first visit's


def lies_on_disk(n_rows: int) -> bool:
    """Whether so many rows of a world are many."""
    return n_rows > IN_MEMORY


def empty_on_disk(shape: tuple[int, ...], dtype: np.dtype[Any]) -> np.ndarray:
    """An array to be filled."""
    size = max(1, int(np.prod(shape)) * dtype.itemsize)
    try:
        with tempfile.TemporaryFile(prefix="crl-rows-") as file:
            os.posix_fallocate(file.fileno(), 0, size)  # a mapped page without room would kill the process
            return np.asarray(np.memmap(file, dtype, "r+", shape=shape))
    except (OSError, AttributeError):  # no room, or a system that cannot promise any
        return np.empty(shape, dtype)


def rows_on_disk(data: MultiEnvData, index: np.ndarray) -> MultiEnvData:
    """`data.rows(index)`, column by column in files."""
    columns: Any = {}
    for item in fields(MultiEnvData):
        values = getattr(data, item.name)
        if values is not None:
            columns[item.name] = empty_on_disk((len(index), *values.shape[1:]), values.dtype)
            np.take(values, index, axis=0, out=columns[item.name], mode="clip")  # "raise" would fill a copy first
    return MultiEnvData(**columns)
