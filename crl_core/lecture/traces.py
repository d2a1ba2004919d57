"""Some traces of a run, as recorded and as each edit has them, and what every λ answers to both: all that the lecture's
trace panel shows, sent once.

Traces: a few rows of each environment among those in view, drawn from the run's seed. Neither a network nor the truth
        has a part in that; which of them is shown first, the network says.
Along λ: how far an edit moves the answers of all held-out rows, of the replicate in view and as a range over the first
        few; `measures.edits` says what an edit is and what it cannot show.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from crl_core.data.scm import MultiEnvData, Stream, rng_for
from crl_core.events import finite
from crl_core.lecture.packed_arrays import Packed, pack_f32, pack_i16, pack_index
from crl_core.measures.edit_words import BRIEF, first_edit, idle_said
from crl_core.measures.edits import EDITS, MOST_REPLICATES, Edit, Moved, answers, edited
from crl_core.results import N_VIEW, RunResult, data_of, view_of

TRACE_KEYS = "E edits the trace, N shows the next"
N_TRACES = 12  # of all environments together; each has at least one


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Traces:
    """m traces of T samples, E edits, L models of replicate 0."""

    edits: tuple[Edit, ...]  # that can move something, the telling one first
    idle: str  # why none can; empty where one can
    picked: np.ndarray  # [m], places among the rows in view
    env: np.ndarray  # [m]
    x: np.ndarray  # [1 + E, m, T], mV: as recorded, then as each edit has it
    answers: np.ndarray  # [1 + E, L, m]: τ̂, or ŷ of a label; NaN where a model diverged
    truth: np.ndarray | None  # [m]: the label, or the true effect, which only a simulation knows
    sizes: np.ndarray  # [E, R, L], `Moved.size` over all held-out rows, of the first R replicates
    n_held_out: int
    rate: float  # samples a second
    label: bool  # an answer is ŷ of a label, not an effect

    @property
    def first(self) -> int:
        """Which is shown first: the one whose answer the first edit moves most at the smallest λ."""
        if not self.edits:
            return 0
        apart = np.abs(self.answers[1, 0] - self.answers[0, 0])
        return int(np.argmax(np.where(np.isfinite(apart), apart, -1.0)))

    @property
    def size(self) -> np.ndarray:
        """[L], of the first edit and the replicate in view; NaN where nothing can be moved."""
        return self.sizes[0, 0] if self.edits else np.full(self.answers.shape[1], np.nan)


def traces_of(result: RunResult, n_rows: int = N_VIEW) -> Traces | None:
    """What the panel shows of a run; None where x is no simulated trace.

    n_rows: how many rows are in view (`results.view_of`); the traces are among them.
    """
    config = result.config
    if config.table is not None or config.scenario.observation != "ecg":
        return None
    scenario, seed, label = config.scenario, config.training.seed, config.source.two_outcomes
    possible = sorted(EDITS, key=lambda edit: edit != first_edit(scenario))
    edits = tuple(edit for edit in possible if not idle_said(scenario, edit))
    held_out = data_of(config)[1]
    shown = view_of(held_out, seed, n_rows)
    picked = picked_rows(shown.env, seed)
    others = [edited(config, edit) for edit in edits]
    versions = [shown.rows(picked), *(view_of(other, seed, n_rows).rows(picked) for other in others)]
    sizes = np.full((len(edits), min(config.training.replicates, MOST_REPLICATES), len(result.lams)), np.nan)
    for replicate in range(sizes.shape[1]):
        rows = others if replicate == 0 else [edited(config, edit, replicate) for edit in edits]
        sizes[:, replicate] = _sizes(result, rows, replicate, label=label)
    own = versions[0]
    return Traces(
        edits=edits,
        idle="" if edits else " ".join(idle_said(scenario, edit) for edit in EDITS),
        picked=picked,
        env=own.env,
        x=np.stack([rows.x for rows in versions]),
        answers=np.stack([answers(result, rows) for rows in versions]),
        truth=own.y if label else own.ite,
        sizes=sizes,
        n_held_out=len(held_out),
        rate=scenario.rate,
        label=label,
    )


def _sizes(result: RunResult, others: Sequence[MultiEnvData], replicate: int, *, label: bool) -> np.ndarray:
    """`Moved.size` of each edit, [E, L]; the rows as recorded are answered once."""
    if not others:
        return np.empty((0, len(result.lams)))
    before = answers(result, data_of(result.config, replicate)[1], replicate)
    after = (answers(result, rows, replicate) for rows in others)
    return np.stack([Moved(before=before, after=values, label=label).size for values in after])


def picked_rows(env: np.ndarray, seed: int, count: int = N_TRACES) -> np.ndarray:
    """Places of `count` rows or a few more among rows of environments `env` [n]: of each as many, in turn."""
    order = rng_for(seed, Stream.TRACES).permutation(len(env))
    there = np.unique(env)
    each = max(1, count // max(1, len(there)))
    lines = [order[env[order] == e][:each] for e in there]
    return np.array([line[k] for k in range(each) for line in lines if k < len(line)], dtype=np.int64)


def trace_view(found: Traces) -> dict[str, Any]:
    """What the panel draws, as JSON without arrays. value, low, high: of each edit along λ."""
    return {
        "rate": found.rate,
        "label": found.label,
        "idle": found.idle,
        "held_out": found.n_held_out,
        "first": found.first,
        "edits": [
            {"name": edit, "brief": BRIEF[edit], **_spread(sizes)}
            for edit, sizes in zip(found.edits, found.sizes, strict=True)
        ],
    }


def trace_arrays(found: Traces) -> dict[str, Packed]:
    arrays = {
        "trace.x": pack_i16(found.x),
        "trace.answers": pack_f32(found.answers),
        "trace.env": pack_index(found.env),
        "trace.row": pack_f32(found.picked.astype(np.float64)),
    }
    return arrays if found.truth is None else arrays | {"trace.truth": pack_f32(found.truth)}


def trace_caption() -> dict[str, str]:
    """Title and caption of the panel."""
    return {"title": "What it looks at", "caption": "what moves, the network takes from the machine"}


def trace_numbers(found: Traces) -> list[dict[str, float]]:
    """The numbers that texts may speak of, for each λ: how far the first edit moves the answers.

    flip_percent: of a label.  moved_rms: of an effect.
    """
    name, sizes = ("flip_percent", 100 * found.size) if found.label else ("moved_rms", found.size)
    return [{name: float(size), f"first_{name}": float(sizes[0])} for size in sizes]


def _spread(sizes: np.ndarray) -> dict[str, Any]:
    """Of the replicate in view, and the range over those that have a number, as JSON. sizes: [R, L]."""
    known = np.isfinite(sizes)
    low, high = np.where(known, sizes, np.inf).min(axis=0), np.where(known, sizes, -np.inf).max(axis=0)
    return {"value": finite(sizes[0]), "low": finite(low), "high": finite(high)}
