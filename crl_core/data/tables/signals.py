"""A run of columns that are one signal: which they are by their names, and what a trace of a row must be."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np

from crl_core.data.fields import shown
from crl_core.data.tables.columns import Column, TableRefused, first_of, is_missing, placed
from crl_core.data.user_files import folded

LEAST_SAMPLES = 16


def samples_of(names: Sequence[str], beginning: str) -> tuple[str, ...]:
    """The columns that are the samples of one signal, in order of their numbers: `ecg1, ecg2, …` or `ecg_0, ecg_1, …`
    of the beginning `ecg`, whatever their order in the file.

    Raises: TableRefused where there are none, fewer than `LEAST_SAMPLES`, two of one number, or a number is left out.
    """
    pattern = re.compile(re.escape(folded(beginning)) + "_?([0-9]{1,6})")
    found = [(int(match[1]), name) for name in names if (match := pattern.fullmatch(folded(name)))]
    if not beginning or not found:
        raise TableRefused(
            f"no column is a sample of the signal {shown(beginning)}: its columns begin so and end in a number, such "
            f"as ecg1, ecg2, … of ecg; the table's columns are {first_of(names, 12)}."
        )
    found.sort()
    numbers = [number for number, _ in found]
    for (number, name), (after, other) in pairwise(found):
        if number == after:
            raise TableRefused(f"{name} and {other} are both sample {number} of one signal; rename or drop one.")
        if after != number + 1:
            raise TableRefused(
                f"after {name} the signal goes on with {other}; samples are numbered without a hole, so add what is "
                "missing, or rename the columns."
            )
    if numbers[0] > 1:
        raise TableRefused(f"the signal's first sample is {found[0][1]}; number samples from 0 or from 1.")
    if len(found) < LEAST_SAMPLES:
        raise TableRefused(
            f"the signal {shown(beginning)} has {len(found)} samples; {LEAST_SAMPLES} are the least. Fewer are "
            "covariates of their own."
        )
    return tuple(name for _, name in found)


def check_traces(columns: Mapping[str, np.ndarray], samples: Sequence[str], used: np.ndarray) -> None:
    """Refuse what is no trace: samples that are no numbers, a gap, one value all along.

    used: [n], the rows that have a part.  Raises: TableRefused.
    """
    for name in samples:
        if columns[name].dtype.kind != "f":
            raise TableRefused(
                f"{name} is a sample of the signal and holds something else than numbers; mend its cells, or do not "
                "declare the signal."
            )
    traces = np.stack([columns[name][used] for name in samples], axis=1)
    rows, gaps = np.flatnonzero(used), is_missing(traces)
    holed = np.flatnonzero(gaps.any(axis=1))
    if len(holed):
        name = samples[int(gaps[holed[0]].argmax())]
        raise TableRefused(
            f"{_rows(rows[holed])} a gap in the signal, the first at {name}; fill gaps from the samples beside them, "
            "or leave such rows out."
        )
    flat = np.flatnonzero(traces.min(axis=1) == traces.max(axis=1))
    if len(flat):
        raise TableRefused(
            f"{_rows(rows[flat])} one value in all samples of the signal, as of an electrode that is off; leave such "
            "rows out."
        )


def _rows(places: np.ndarray) -> str:
    if len(places) == 1:
        return f"row {places[0] + 1} has"
    return f"{len(places)} rows (such as {', '.join(str(place + 1) for place in places[:3])}) have"


def sample_places(covariates: Sequence[Column]) -> tuple[int, ...]:
    """Where the signal's samples stand among the inputs, in order of time; () of columns without one.

    Raises: TableRefused where columns that say they are one signal are not called so.
    """
    places = {column.name: place.start for column, place in placed(covariates) if column.signal}
    beginnings = {column.signal for column in covariates if column.signal}
    found = [samples_of(list(places), beginning) for beginning in sorted(beginnings)]
    if found and (len(found) > 1 or len(found[0]) != len(places)):
        raise TableRefused("the table's columns are not the samples of one signal; export the run again.")
    return tuple(places[name] for name in found[0]) if found else ()
