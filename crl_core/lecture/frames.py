"""All that the λ scrubber shows of one run, packed once, so that dragging needs no server.

Numbers and curves are medians over replicates, as on every page, with bands from the smallest to the largest. Pictures
are of the models of replicate 0, whose own error stands beside them. Rows are the run's view rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from crl_core.config import RunConfig
from crl_core.events import DIVERGED, OK, finite
from crl_core.figures.axes import effect_limits, span
from crl_core.figures.lam_axis import places_of, positions, ticks
from crl_core.figures.lam_curves import band
from crl_core.lecture import story as story_texts
from crl_core.lecture.averages import (
    Averages,
    average_caption,
    average_numbers,
    average_view,
    averages_of,
)
from crl_core.lecture.naming import Naming, captions, n_pairs_of, numbers_by_lam
from crl_core.lecture.packed_arrays import Packed, pack_f32, pack_i16, pack_index, pack_u8
from crl_core.lecture.shift import shift_arrays
from crl_core.lecture.traces import trace_arrays, trace_caption, trace_numbers, trace_view, traces_of
from crl_core.measures.baselines import ranked
from crl_core.measures.effect_map import EffectMap, effect_map
from crl_core.measures.effect_scores import is_constant
from crl_core.metrics import DRAWN, METRIC
from crl_core.results import N_VIEW, RunResult, data_of, view_of

Arrays = Mapping[str, np.ndarray] | None
FORMAT = 1
MAP_SIZE = 56  # cells a side; the browser smooths between them
MAX_EPOCHS = 160  # of a curve that is drawn some 300 pixels wide
_PROBABILITIES = (-0.04, 1.04)  # an axis of them
HISTORY = ("loss", "factual_train", "mmd2")  # what the view "Loss and MMD²" draws


def _plain(values: np.ndarray) -> list[float | None]:
    return [finite(float(f"{v:.6g}")) for v in np.asarray(values, dtype=np.float64)]


def metric_view(name: str, values: np.ndarray) -> dict[str, Any]:
    """Median and range over replicates of values [R, L]; of several also the number of the one that pictures show."""
    spread = band(values)
    metric: dict[str, Any] = {
        "label": METRIC[name].word,
        "value": _plain(spread.median),
        "low": _plain(spread.low),
        "high": _plain(spread.high),
    }
    if len(values) > 1:
        metric["own"] = _plain(values[0])
    if (linear := METRIC[name].linear) is not None:
        metric |= {"linear": True, "floor": linear[0], "ceiling": linear[1]}
    return metric


def _unpenalised(evidence: Arrays) -> dict[str, Any] | None:
    """Name and error of the best baseline, which only a simulation knows; None where there is none."""
    found = ranked(evidence)
    return {"name": found[0].name, "value": _plain(np.array([found[0].ite_rmse]))[0]} if found else None


def lanes_of(known: Mapping[str, Any]) -> list[str]:
    """The metrics with a lane in the picture that is the slider, uppermost first."""
    return [metric.name for metric in DRAWN if metric.name in known]


def _epochs(count: int) -> np.ndarray:
    """Indices of the epochs that are sent: all, or MAX_EPOCHS of them, closer together at the beginning."""
    if count <= MAX_EPOCHS:
        return np.arange(count)
    return np.unique(np.rint((count - 1) * np.linspace(0, 1, MAX_EPOCHS) ** 1.5).astype(int))


def curve_arrays(
    config: RunConfig, history: Mapping[str, np.ndarray]
) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any] | None]:
    """Curves over epochs, medians over replicates: description, arrays, and the earlier epochs of the main curve along
    λ."""
    known = {name: np.asarray(history[name], dtype=np.float64) for name in HISTORY if name in history}
    if config.training.standardise and "penalty" in history:  # as part of the loss it has the loss's unit
        lams = np.tile(np.array(config.training.lams), config.training.replicates)
        weighed = lams * np.asarray(history["penalty"], dtype=np.float64)
        known["factual_train"] = np.maximum(known["loss"] - weighed, 0)
    count = len(next(iter(known.values()))) if known else 0
    kept = _epochs(count)
    arrays = {f"history.{name}": pack_f32(medians_of(config, values[kept])) for name, values in known.items()}
    main = next((history[name] for name in ("ite_rmse", "factual_mse") if history.get(name) is not None), None)
    earlier = None
    if main is not None and count > 1:
        at = np.unique(np.rint(np.geomspace(1, count - 1, 7)).astype(int)) - 1  # the last epoch is the bold line
        values = [_plain(row) for row in medians_of(config, np.asarray(main, dtype=np.float64)[at])]
        earlier = {"epochs": [int(e) + 1 for e in at], "values": values}
    return {"epochs": [int(e) + 1 for e in kept]}, arrays, earlier


def medians_of(config: RunConfig, values: np.ndarray) -> np.ndarray:
    """[T, M] -> [T, L]: medians over the replicates that have a number."""
    by_lam = values.reshape(len(values), config.training.replicates, len(config.training.lams))
    return np.array([band(at_epoch).median for at_epoch in by_lam]).reshape(len(values), by_lam.shape[2])


def scatter_axes(ite: np.ndarray | None, ite_hat: np.ndarray, factual: np.ndarray) -> dict[str, Any]:
    """Axes of predicted against true that hold for every λ; what lies outside sits at the edge.

    ite: [n] or None.  ite_hat: [L, n].  Where the true effect is constant, or not known, rows are drawn by environment.
    """
    low, high = effect_limits(ite, ite_hat)
    constant = ite is not None and is_constant(ite)
    return {
        "low": low,
        "high": high,
        "by_env": ite is None or constant,
        "truth": float(ite[0]) if constant and ite is not None else None,
    }


def head_of(config: RunConfig, naming: Naming, palettes: Mapping[str, Any]) -> dict[str, Any]:
    training = config.training
    return {
        "format": FORMAT,
        "key": config.key,
        "title": naming.title,
        "seed": training.seed,
        "epochs": training.epochs,
        "lams": list(training.lams),
        "lam_labels": [story_texts.lam_text(lam) for lam in training.lams],
        "lam_ticks": _lam_ticks(training.lams),
        "envs": list(naming.env_names(config.source.n_envs)),
        "palettes": {name: _colours(palette) for name, palette in palettes.items()},
    }


def _lam_ticks(lams: Sequence[float]) -> list[dict[str, Any]]:
    """0 and the decades of λ, and where each lies on the slider, whose steps are the grid's."""
    places, labels = ticks(lams, most=None)  # the picture leaves out those for which it has no room
    at = np.interp(places, positions(lams), np.arange(len(lams)))
    return [{"at": round(float(step), 4), "label": label} for step, label in zip(at, labels, strict=True)]


def curve_before(lams: Sequence[float], values: np.ndarray, shown: Sequence[float]) -> dict[str, Any]:
    """The main curve of the run seen before, λ `lams` and medians `values` [L], on the slider of the λ `shown`."""
    places, grid = places_of(lams, shown), positions(shown)
    there = np.isfinite(values) & (places >= grid[0]) & (places <= grid[-1])
    at = np.interp(places[there], grid, np.arange(len(grid)))
    return {"at": _plain(at), "value": _plain(values[there])}


def _colours(palette: Any) -> dict[str, Any]:
    """The colours the scrubber uses of a theme's palette."""
    used = ("bg", "panel", "grid", "text", "muted", "accent", "truth", "bad", "envs", "diverging")
    return {name: palette[name] for name in used}


def _metrics(result: RunResult, evidence: Arrays) -> dict[str, np.ndarray]:
    """Each metric that is known, [R, L]."""
    known = {metric.name: result.metric(metric, evidence) for metric in DRAWN}
    if not n_pairs_of(result.config):
        known["mmd2"] = None
    there = {k: np.where(result.status == DIVERGED, np.nan, v) for k, v in known.items() if v is not None}
    return {k: result.by_lam(v) for k, v in there.items()}


def _pictures(phi: np.ndarray, projection: Arrays) -> tuple[np.ndarray, str]:
    """The latents' picture [L, n, 2] and its name: the aligned t-SNE if there is one of these rows, else PCA."""
    if projection is not None and "tsne_xy" in projection and projection["tsne_xy"].shape == (*phi.shape[:2], 2):
        return np.asarray(projection["tsne_xy"], dtype=np.float64), "t-SNE"
    from crl_core.measures.projection import pca_path

    return np.asarray(pca_path(phi), dtype=np.float64), "PCA"


def frames(
    result: RunResult,
    projection: Arrays = None,
    evidence: Arrays = None,
    *,
    naming: Naming,
    palettes: Mapping[str, Any],
    n_rows: int = N_VIEW,
    averages: Averages | None = None,
) -> dict[str, Any]:
    """The frames as one JSON-ready dict, at most 3 MB as text for 16 λ × 1,500 rows.

    projection, evidence: the parts of a sealed run, or None while they are not there (PCA stands in for t-SNE).
    palettes:             {"dark": …, "light": …, "projector": …}, see `crl_core.figures.palette`.
    n_rows:               rows drawn; the projection must have as many to be used.
    averages:             of a table's rows, where they are known already.
    """
    config = result.config
    averages = averages or averages_of(result)
    n_lams = len(result.lams)
    view = view_of(data_of(config)[1], config.training.seed, n_rows)
    phi, y0_hat, y1_hat = result.predict(view.x)
    with np.errstate(invalid="ignore", over="ignore"):  # a diverged model's outcomes are not finite; it is not drawn
        ite_hat = np.asarray(y1_hat - y0_hat, dtype=np.float64)
    if config.without_effect:  # what is said of each row takes the place of its effect
        ite_hat = np.where(view.t == 1, y1_hat, y0_hat).astype(np.float64)
    status = np.asarray(result.status[:n_lams])
    xy, picture = _pictures(phi, projection)
    seen = xy[status == OK] if (status == OK).any() else xy
    extent = [*span(seen[..., 0]), *span(seen[..., 1])]
    spec = scatter_axes(view.ite, ite_hat, view.y)
    if config.without_effect:
        spec |= {"low": _PROBABILITIES[0], "high": _PROBABILITIES[1]}
    maps = effect_map(result, view, size=MAP_SIZE)

    by_metric = _metrics(result, evidence)
    mine = {name: band(values).median for name, values in by_metric.items()}
    numbers = numbers_by_lam(config, status, mine, evidence, n_pairs_of(config))
    nan = np.full(n_lams, np.nan)
    ite_rmse, chosen_by, story_id = mine.get("ite_rmse", nan), mine.get("factual_mse", nan), naming.preset_id
    if averages is not None and view.ite is None:
        numbers = [each | own for each, own in zip(numbers, average_numbers(averages), strict=True)]
        chosen_by, story_id = averages[0].choosing, story_texts.TABLE
    traces = traces_of(result, n_rows)
    if traces is not None:
        numbers = [each | own for each, own in zip(numbers, trace_numbers(traces), strict=True)]
    curves, arrays, earlier = curve_arrays(config, result.history)

    groups = "treatment arm" if config.training.align == "treatment" else naming.env_word  # what is aligned
    low, high = min(extent), max(extent)
    arrays |= {
        "xy": pack_i16(xy, low - 0.5 * (high - low), high + 0.5 * (high - low)),
        "ite_hat": pack_i16(ite_hat, spec["low"], spec["high"]),
        "env": pack_index(view.env),
        "t": pack_index(view.t),
    }
    if view.ite is not None:
        arrays["ite"] = pack_f32(view.ite)
    if maps is not None:
        arrays |= map_arrays(maps)
    if traces is not None:
        arrays |= trace_arrays(traces)
    probe = shift_arrays(result, n_rows)
    if probe is not None:
        arrays |= {f"probe.{name}": _probe_array(values, status) for name, values in probe[1].items()}
    lanes = lanes_of(by_metric)
    words = captions(naming, config, len(view), picture, spec, bool(maps and maps.is_slice))
    if averages is not None:
        words["map"] = average_caption(config, trained=True)
    if traces is not None:
        words["trace"] = trace_caption()
    if best := _unpenalised(evidence):
        words["path"]["caption"] += f"\ndashed: best without a penalty, known only in simulation: {best['name']}"
    return head_of(config, naming, palettes) | {
        "state": "trained",
        "n": len(view),
        "status": status.tolist(),
        "picture": picture,
        "metrics": {name: metric_view(name, values) for name, values in by_metric.items()},
        "lanes": lanes[:3],
        "all_lanes": lanes,
        "earlier": earlier,
        "unpenalised": best,
        "history": curves,
        "latent": {"extent": extent},
        "scatter": spec,
        "map": map_view(maps),
        "average": None if averages is None else average_view(averages),
        "trace": None if traces is None else trace_view(traces),
        "probe": probe[0] if probe else None,
        "readings": story_texts.readings(numbers, groups),
        "story": story_texts.story(story_id, numbers, result.lams, ite_rmse, chosen_by, groups),
        "captions": words,
        "arrays": arrays,
    }


def _probe_array(values: np.ndarray, status: np.ndarray) -> Packed:
    """Weights [L, in, out] in two bytes, since they are most of what is sent; all else as it is.

    status: [L]; the interval is that of the models that finished, which a diverged one would blow up.
    """
    if values.ndim < 3:
        return pack_f32(values)
    return pack_i16(values, *span(values[status == OK] if (status == OK).any() else values))


def map_arrays(maps: EffectMap) -> dict[str, Any]:
    low, high = maps.centre - maps.half, maps.centre + maps.half
    return {
        "map": pack_u8(maps.tau_hat[:, ::-1], low, high),  # a picture begins with its upper row, the largest s
        "map_true": pack_u8(maps.tau[::-1], low, high),
        "plane": pack_f32(maps.rows),
    }


def map_view(maps: EffectMap | None) -> dict[str, Any] | None:
    if maps is None:
        return None
    return {
        "size": len(maps.tau),
        "x": [float(maps.z[0]), float(maps.z[-1])],
        "y": [float(maps.s[0]), float(maps.s[-1])],
        "x_label": "cause z",
        "y_label": "nuisance s",
        "centre": maps.centre,
        "half": maps.half,
    }
