"""The scrubber's frames of a run under way: its curves so far, and what was last seen of its models."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from crl_core.config import RunConfig
from crl_core.lecture.averages import average_caption, average_so_far
from crl_core.lecture.frames import (
    curve_arrays,
    head_of,
    lanes_of,
    map_arrays,
    map_view,
    metric_view,
    scatter_axes,
)
from crl_core.lecture.naming import Naming, captions, n_pairs_of
from crl_core.lecture.packed_arrays import pack_f32, pack_i16, pack_index
from crl_core.lecture.traces import trace_caption
from crl_core.measures.average_effects import AverageLevels
from crl_core.measures.curves import CURVES
from crl_core.measures.effect_map import EffectMap
from crl_core.measures.so_far import SoFar, Views
from crl_core.measures.view_samples import LookedAt
from crl_core.metrics import DRAWN, METRIC
from crl_core.results import N_VIEW, view_rows

_PROBABILITIES = {"low": -0.04, "high": 1.04}  # an axis of them


def training_frames(
    config: RunConfig,
    so_far: SoFar,
    *,
    naming: Naming,
    palettes: Mapping[str, Any],
    levels: AverageLevels | None = None,
    looked_at: LookedAt | None = None,
    progress: tuple[float, str] | None = None,
) -> dict[str, Any]:
    """The frames as one JSON-ready dict. Before anything was seen, what needs models waits for the first epoch.

    levels:    of a table's average effect, where they are known.
    looked_at: the rows that were looked at, where somebody has them already.
    progress:  how far the run is, 0 to 1, and the words to it.
    """
    n_lams, replicates = len(config.training.lams), config.training.replicates
    epochs, views = so_far.epochs, so_far.views
    history = {
        name: np.stack([np.asarray(getattr(event, name), dtype=np.float64) for event in epochs])
        for name in CURVES
        if epochs and getattr(epochs[-1], name) is not None
    }
    last = {k: v[-1].reshape(replicates, n_lams) for k, v in history.items() if METRIC[k] in DRAWN}
    if not n_pairs_of(config):
        last.pop("mmd2", None)
    status = np.asarray(epochs[-1].status[:n_lams]) if epochs else np.zeros(n_lams, dtype=int)
    curves, arrays, earlier = curve_arrays(config, history) if epochs else ({"epochs": []}, {}, None)
    ate = history["ate"][-1].reshape(replicates, n_lams) if "ate" in history else None

    seen: dict[str, Any] = {"n": 0, "scatter": None, "map": None}
    maps, n, picture = None, so_far.started.n_held_out if so_far.started else 0, "map"
    if views is not None:
        at = looked_at or LookedAt.of(config, view_rows(config))
        maps = None if at.plane is None or views.plane is None else at.plane.under(views.plane)
        seen, more = _seen(config, views, at, maps)
        arrays |= more
        n, picture = len(at.rows), "PCA"
    words = captions(naming, config, min(n, N_VIEW), picture, seen["scatter"], config.dim_x > 2)
    words["map"] |= _in_place_of_a_map(config, maps)
    return (
        head_of(config, naming, palettes)
        | {
            "state": "training",
            "epoch": epochs[-1].epoch if epochs else 0,
            "progress": None if progress is None else {"share": progress[0], "words": progress[1]},
            "status": status.tolist(),
            "metrics": {name: metric_view(name, values) for name, values in last.items()},
            "lanes": lanes_of(last)[:3],
            "all_lanes": lanes_of(last),
            "earlier": earlier,
            "history": curves,
            "average": None if ate is None else average_so_far(ate, levels),
            "trace": None,
            "probe": None,
            "readings": [_says(config, so_far, progress)] * n_lams,
            "story": [],
            "captions": words,
            "arrays": arrays,
        }
        | seen
    )


def _seen(
    config: RunConfig, views: Views, at: LookedAt, maps: EffectMap | None
) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the views draw of the models by now: description and arrays."""
    spec = scatter_axes(at.rows.ite, views.effects, at.rows.y) | (_PROBABILITIES if config.without_effect else {})
    arrays = {
        "xy": pack_i16(views.xy, -3 * views.reach, 3 * views.reach),
        "ite_hat": pack_i16(views.effects, spec["low"], spec["high"]),
        "env": pack_index(at.rows.env),
        "t": pack_index(at.rows.t),
    }
    if at.rows.ite is not None:
        arrays["ite"] = pack_f32(at.rows.ite)
    if maps is not None:
        arrays |= map_arrays(maps)
    window = [-1.05 * views.reach, 1.05 * views.reach] * 2
    return {"n": len(at.rows), "latent": {"extent": window}, "scatter": spec, "map": map_view(maps)}, arrays


def _says(config: RunConfig, so_far: SoFar, progress: tuple[float, str] | None) -> str:
    """The sentence below the title; which epoch it is the bar says, where there is one."""
    if progress is None:
        return f"In training: epoch {so_far.epochs[-1].epoch if so_far.epochs else 0} of {config.training.epochs}."
    if len(config.training.lams) == 1:
        return "The pictures move as the network learns."
    return "All λ are trained at once: drag λ meanwhile. The pictures move as the networks learn."


def _in_place_of_a_map(config: RunConfig, maps: EffectMap | None) -> dict[str, str]:
    """Words of the panel where it draws no map of the effect while the run trains."""
    if config.table is not None:
        return average_caption(config, trained=False)
    if maps is not None:
        return {}
    if config.scenario.observation == "ecg":
        return trace_caption() | {"waits": "the trace and its edits come after training"}
    return {"waits": "no map of these data" if config.without_effect else "appears with the first epoch"}
