"""The sentences beside the pictures: data (`story.json`), chosen by the numbers that were measured.

A text never claims more than its conditions check. Edit the JSON to tell a lecture another way.
"""

from __future__ import annotations

import json
import math
import operator
import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

Numbers = Mapping[str, float]
TABLE = "table"  # the steps of a table whose effects nobody knows
_COMPARE = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
}
_CONDITION = re.compile(r"(\w+) (<=|>=|==|<|>) (-?[\d.]+)(?: \* (\w+))?")


@cache
def texts() -> dict[str, Any]:
    content: dict[str, Any] = json.loads(Path(__file__).with_name("story.json").read_text(encoding="utf-8"))
    return content


def figure(value: float) -> str:
    """A number in at most six characters, the same as the big figures show."""
    size = abs(value)
    if not math.isfinite(value):
        return "–"
    if value < 0:
        return f"−{figure(size)}"
    if size >= 9999.5:
        return f"{value:.0e}".replace("+0", "")
    for least, digits in ((99.95, 0), (9.995, 1), (0.0995, 2), (0.00095, 3)):
        if size >= least:
            return f"{value:.{digits}f}"
    return "0.000" if size == 0 else f"{value:.4f}"


def lam_text(lam: float) -> str:
    """λ as it is said aloud: 0, 0.0001, 0.72, 14."""
    return np.format_float_positional(float(f"{lam:.6g}"), trim="-")


def condition_of(condition: str) -> tuple[str, str, str, str | None]:
    """Name, comparison, constant and the name it is multiplied with, if any, of a condition.

    Raises: ValueError if the condition cannot be read.
    """
    match = _CONDITION.fullmatch(condition)
    if match is None:
        raise ValueError(f"the condition {condition!r} cannot be read; write e.g. 'ite_rmse > 2 * best_ite_rmse'.")
    name, sign, constant, other = match.groups()
    return name, sign, constant, other


def holds(condition: str, numbers: Numbers) -> bool:
    """Whether "name op constant" or "name op constant * name" is true; False where a number is missing or not finite.

    Raises: ValueError if the condition cannot be read.
    """
    name, sign, constant, other = condition_of(condition)
    left = numbers.get(name, math.nan)
    right = float(constant) * (numbers.get(other, math.nan) if other else 1.0)
    return math.isfinite(left) and math.isfinite(right) and bool(_COMPARE[sign](left, right))


def say(variants: Sequence[Mapping[str, Any]], numbers: Numbers, group_word: str) -> str:
    """The first variant whose conditions all hold, with its numbers filled in; "" if none does.

    group_word: what one of the aligned groups is called, e.g. "hospital".
    """
    for variant in variants:
        if all(holds(condition, numbers) for condition in variant["when"]):
            shown = {name: _shown(name, value) for name, value in numbers.items()}
            times = numbers.get("ite_rmse", math.nan) / (numbers.get("best_ite_rmse", math.nan) or math.nan)
            shown["times"] = "–" if not math.isfinite(times) else f"{times:.1f}" if times < 9.95 else f"{times:.0f}"
            return str(variant["say"]).format_map(_Shown(shown | {"envs": group_word + "s"}))
    return ""


def _shown(name: str, value: float) -> str:
    if name in ("lam", "best_lam"):
        return lam_text(value)
    return f"{value:.0f}" if name.endswith("_percent") and math.isfinite(value) else figure(value)


class _Shown(dict[str, str]):
    """A number that is not known is written as a dash."""

    def __missing__(self, name: str) -> str:
        return "–"


def position(at: str | float, lams: Sequence[float], ite_rmse: np.ndarray, factual_mse: np.ndarray) -> int:
    """Index in the grid of a story step: first, last, best, factual, halfway, or the λ nearest to a number.

    Oracle: best and halfway use the true effects, which only a simulation has; the texts say so by naming the error.
    """
    known = bool(np.isfinite(ite_rmse).any())
    if at == "first":
        return 0
    if at == "last":
        return len(lams) - 1
    if at in ("best", "halfway") and not known:
        return len(lams) // 2
    if at == "best":
        return int(np.nanargmin(ite_rmse))
    if at == "factual":
        return int(np.nanargmin(factual_mse)) if np.isfinite(factual_mse).any() else 0
    if at == "halfway":
        first = ite_rmse[np.isfinite(ite_rmse)][0]
        middle = math.sqrt(max(first, 0.0)) * math.sqrt(max(float(np.nanmin(ite_rmse)), 0.0))
        return int(np.flatnonzero(ite_rmse <= middle)[0]) if (ite_rmse <= middle).any() else 0
    grid = np.asarray(lams)
    floor = grid[grid > 0].min() / 10 if (grid > 0).any() else 1.0
    return int(np.abs(np.log(np.maximum(grid, floor)) - math.log(max(float(at), floor))).argmin())


def readings(numbers: Sequence[Numbers], group_word: str) -> list[str]:
    """One sentence for each λ."""
    return [say(texts()["readings"], each, group_word) for each in numbers]


def story(
    story_id: str | None,
    numbers: Sequence[Numbers],
    lams: Sequence[float],
    ite_rmse: np.ndarray,
    factual_mse: np.ndarray,
    group_word: str,
) -> list[dict[str, Any]]:
    """The steps of a preset or of a table (or those that fit any world): grid index, sentence, the view to point at,
    and, where a step says so, whether the trace is shown as its edit has it."""
    steps = texts()[TABLE] if story_id == TABLE else texts()["presets"].get(story_id, texts()["any"])
    told = []
    for step in steps:
        index = position(step["at"], lams, ite_rmse, factual_mse)
        sentence = say(step["variants"], numbers[index], group_word)
        if sentence:
            told.append({"index": index, "sentence": sentence, "point": step["point"]})
            if "edit" in step:
                told[-1]["edit"] = step["edit"]
    return told
