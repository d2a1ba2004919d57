"""Frames that somebody else pickled, read without running anything: only what a frame of numbers and text is made of.

A pickle names the functions that make it up again. Any other name than these is refused, so that a file from a folder
can hold a damaged table at worst.
"""

from __future__ import annotations

import io
import pickle
from typing import Any

import pandas as pd

from crl_core.data.tables.columns import TableRefused

_MADE_OF = {  # numbers, and text as objects, as pandas has written them for years
    ("builtins", "slice"),
    ("numpy", "dtype"),
    ("numpy", "ndarray"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("numpy._core.numeric", "_frombuffer"),
    ("pandas", "DataFrame"),
    ("pandas", "Index"),
    ("pandas", "RangeIndex"),
    ("pandas.core.frame", "DataFrame"),
    ("pandas.core.indexes.base", "Index"),
    ("pandas.core.indexes.base", "_new_Index"),
    ("pandas.core.indexes.range", "RangeIndex"),
    ("pandas.core.internals.managers", "BlockManager"),
    ("pandas._libs.internals", "_unpickle_block"),
}


class _Frames(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        module = module.replace("numpy.core.", "numpy._core.")  # as NumPy 1 called it
        if (module, name) not in _MADE_OF:
            raise TableRefused(
                "the file holds more than a table, which is not read; save the table as CSV where it was made."
            )
        return super().find_class(module, name)


def pickled_frame(content: bytes) -> pd.DataFrame:
    """The frame. Raises TableRefused if it is none, or made of anything else."""
    try:
        frame = _Frames(io.BytesIO(content)).load()
    except TableRefused:
        raise
    except Exception:  # a damaged pickle fails in any way
        frame = None
    if not isinstance(frame, pd.DataFrame):
        raise TableRefused("the file holds no table, or a damaged one; get it again.")
    return frame
