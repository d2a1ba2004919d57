"""The tidy table of a study: one row a run × λ × replicate, with all axes; and its means along chosen axes.

Cells:  a number as Python writes it, so that reading it again gives the same bits; empty where there is none.
Picks:  `picked_RULE` is whether the rule takes this λ in this replicate; empty where it takes none.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from crl_core import metrics
from crl_core.events import STATUS_WORDS
from crl_core.measures.intervals import of_mean
from crl_core.measures.lam_choice import choices_of
from crl_core.results import RunResult
from crl_core.studies.grid.study_file import Point, Study

OWN = ("lam", "replicate", "status")


def header(study: Study) -> list[str]:
    """Names of the table's columns."""
    return ["run", *study.columns, *OWN, *study.metrics, *(f"picked_{rule}" for rule in study.rules)]


def rows_of(study: Study, point: Point, result: RunResult, evidence: Mapping[str, np.ndarray] | None) -> str:
    """The lines of a run, in the order of its models, as CSV."""
    found = [result.metric(metrics.METRIC[name], evidence) for name in study.metrics]
    picks = {choice.rule: choice.index for choice in choices_of(result, evidence)[0]} if study.rules else {}
    n_lams = len(result.lams)
    lines = io.StringIO()
    write = csv.writer(lines, lineterminator="\n").writerow
    for m in range(len(result.lam)):
        replicate, at = divmod(m, n_lams)
        values = [_cell(None if value is None else float(value[m])) for value in found]
        picked = [_picked(picks.get(rule), replicate, at) for rule in study.rules]
        own = [_cell(float(result.lam[m])), replicate, STATUS_WORDS[result.status[m]]]
        write([point.key, *map(_cell, point.at), *own, *values, *picked])
    return lines.getvalue()


def _cell(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return repr(value) if math.isfinite(value) else ""
    return "" if value is None else value


def _picked(index: np.ndarray | None, replicate: int, at: int) -> str:
    if index is None or index[replicate] < 0:
        return ""
    return "true" if index[replicate] == at else "false"


def read_table(text: str) -> pd.DataFrame:
    """The table of a study's CSV. A column of axes is numbers where all its values are; a pick is true or nothing."""
    frame = pd.read_csv(io.StringIO(text), dtype={"run": str, "status": str}, keep_default_na=False, na_values=[""])
    for name in frame.columns:
        if name.startswith("picked_"):
            frame[name] = frame[name].map(lambda value: str(value).lower() == "true").astype(bool)
    return frame


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A mean over runs and replicates. at: of each chosen axis. low, high: 95 % by Student's t; NaN of one value.

    n: values; broken: models left out of it since they have no number.
    """

    at: tuple[Any, ...]
    mean: float
    low: float
    high: float
    n: int
    broken: int


def averages(frame: pd.DataFrame, by: Sequence[str], metric: str, pick: str | float) -> list[Cell]:
    """The mean of a metric for every combination of values of some axes, over all else.

    pick: the λ of a run: that which a rule picked ("factual", …), or a number, of which the nearest of its grid counts.
    """
    if len(frame) == 0:
        return []
    if isinstance(pick, str):
        chosen = frame[frame[f"picked_{pick}"]]
    else:
        gap = (frame["lam"] - pick).abs()
        chosen = frame[gap == gap.groupby([frame["run"], frame["replicate"]]).transform("min")]
    found = []
    groups = chosen.groupby(list(by), sort=False, dropna=False) if by else [((), chosen)]
    for at, group in groups:
        values = group[metric].to_numpy(dtype=np.float64)
        known = values[np.isfinite(values)]
        low, high, _ = of_mean(known)
        mean = float(known.mean()) if len(known) else float("nan")
        broken = len(values) - len(known)
        found.append(Cell(at=tuple(at), mean=mean, low=low, high=high, n=len(known), broken=broken))
    return found
