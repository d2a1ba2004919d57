"""Arrays as compact text: quantised or float32 bytes in base64, which a browser unpacks in milliseconds.

Kinds:  i16  two bytes, evenly spaced between `low` and `high`; NaN is -32768; what lies outside sits at the edge.
        u8   one byte, 0 .. 254 between `low` and `high`, 255 is NaN: colour indices.
        f32  four bytes, as they are.
Form:   {"kind", "shape", "b64"} and, for the quantised ones, "low" and "high". Bytes are little-endian.
"""

from __future__ import annotations

import base64
from typing import Any

import numpy as np

from crl_core.figures.axes import interval, span

Packed = dict[str, Any]
_HALF = 32767
_BAD_I16 = -32768
_TOP_U8 = 254
_BAD_U8 = 255


def _text(values: np.ndarray) -> str:
    return base64.b64encode(np.ascontiguousarray(values).tobytes()).decode("ascii")


def pack_i16(values: np.ndarray, low: float | None = None, high: float | None = None) -> Packed:
    """Quantise to 16 bits: the error is at most (high - low) / 131068 inside the interval."""
    values = np.asarray(values, dtype=np.float64)
    if low is None or high is None:
        low, high = span(values)
    low, high = interval(low, high)
    unit = (high - low) / (2 * _HALF)
    level = np.clip(np.rint((np.clip(np.nan_to_num(values), low, high) - (low + high) / 2) / unit), -_HALF, _HALF)
    whole = np.where(np.isnan(values), _BAD_I16, level).astype("<i2")
    return {"kind": "i16", "shape": list(values.shape), "low": low, "high": high, "b64": _text(whole)}


def pack_u8(values: np.ndarray, low: float, high: float) -> Packed:
    """Quantise to colour indices: the error is at most (high - low) / 508 inside the interval."""
    low, high = interval(low, high)
    values = np.asarray(values, dtype=np.float64)
    level = np.clip(np.rint((np.clip(np.nan_to_num(values), low, high) - low) / (high - low) * _TOP_U8), 0, _TOP_U8)
    whole = np.where(np.isnan(values), _BAD_U8, level).astype(np.uint8)
    return {"kind": "u8", "shape": list(values.shape), "low": low, "high": high, "b64": _text(whole)}


def pack_index(values: np.ndarray) -> Packed:
    """Small whole numbers, 0 .. 254, as they are."""
    return {
        "kind": "u8",
        "shape": list(values.shape),
        "low": 0,
        "high": _TOP_U8,
        "b64": _text(values.astype(np.uint8)),
    }


def pack_f32(values: np.ndarray) -> Packed:
    """Four bytes a value; what is too large for them is written as the largest there is."""
    most = float(np.finfo(np.float32).max)
    return {"kind": "f32", "shape": list(values.shape), "b64": _text(np.clip(values, -most, most).astype("<f4"))}


def unpack(packed: Packed) -> np.ndarray:
    """What the browser reads: [shape] float64, NaN where there was one."""
    raw = base64.b64decode(packed["b64"])
    if packed["kind"] == "f32":
        values = np.frombuffer(raw, dtype="<f4").astype(np.float64)
    elif packed["kind"] == "i16":
        whole = np.frombuffer(raw, dtype="<i2")
        unit = (packed["high"] - packed["low"]) / (2 * _HALF)
        values = np.where(whole == _BAD_I16, np.nan, (packed["low"] + packed["high"]) / 2 + whole * unit)
    else:
        whole = np.frombuffer(raw, dtype=np.uint8)
        unit = (packed["high"] - packed["low"]) / _TOP_U8
        values = np.where(whole == _BAD_U8, np.nan, packed["low"] + whole * unit)
    return np.asarray(values.reshape(packed["shape"]))
