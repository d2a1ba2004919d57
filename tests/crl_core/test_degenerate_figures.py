"""Every figure of the library is drawn, or says in words why not, from whatever a degenerate run may hold."""

from __future__ import annotations

import base64
import importlib
import inspect
import math
import pkgutil
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from crl_core import figures
from crl_core.events import COLLAPSED, DIVERGED
from crl_core.figures import (
    average_effects,
    compare,
    effect_columns,
    effects,
    estimated_effects,
    format_costs,
    identify,
    images,
    labels,
    lam_curves,
    lens,
    live,
    live_along,
    penalties,
    penalty_heat,
    planted,
    ranking,
    runs_scatter,
    saliency,
    scenario,
    tables,
    traces,
    unseen,
)
from crl_core.figures.axes import effect_limits
from crl_core.figures.by_envs import Line, by_envs, by_envs_svg
from crl_core.figures.claim_strips import strip
from crl_core.figures.effect_plane import effect_plane
from crl_core.figures.embedding import Limits, Units, embedding, path_limits
from crl_core.figures.kept_covariates import kept_covariates
from crl_core.figures.palette import palette
from crl_core.figures.spoken import spoken
from crl_core.figures.study_panel import MeanDot, study_panel
from crl_core.measures.average_effects import AverageLevels
from crl_core.measures.covariate_probes import CovariateProbes
from crl_core.measures.curves import Curves
from crl_core.measures.doubly_robust import Estimate
from crl_core.measures.effect_checks import Group, PolicyCurve
from crl_core.measures.lam_choice import choices
from crl_core.measures.linear_projection import LinearProjection, Term

INK = palette("light")
NAMES = ("A", "B")
NUMBER = st.sampled_from([0.0, 1.0, -1.0, 0.3, 0.31, 1e-320, 1e300, -1e300, math.nan, math.inf, -math.inf])
GRIDS = st.sampled_from([(0.0,), (1.0,), (0.0, 1.0), (0.5, 1.0), (0.0, 1e-3, 1.0), (0.0, 1e-300, 1e-3, 10.0)])


class Drawn:
    """What a degenerate run hands to a figure: arrays of any numbers, or of one number only."""

    def __init__(self, draw: st.DrawFn) -> None:
        self._draw = draw
        self._one = draw(st.booleans())
        self._number = draw(NUMBER)
        self.lams = draw(GRIDS)
        self.n = draw(st.sampled_from([0, 1, 2, 7]))  # rows
        self.replicates = draw(st.integers(1, 3))
        self.env = draw(hnp.arrays(np.int64, self.n, elements=st.integers(0, 1)))
        self.t = draw(hnp.arrays(np.int64, self.n, elements=st.integers(0, 1)) | st.just(np.ones(self.n, np.int64)))

    def array(self, *shape: int) -> np.ndarray:
        if self._one:
            return np.full(shape, self._number)
        return self._draw(hnp.arrays(np.float64, shape, elements=NUMBER))

    def number(self) -> float:
        return float(self.array(1)[0])

    @property
    def by_lam(self) -> np.ndarray:
        return self.array(self.replicates, len(self.lams))

    @property
    def status(self) -> np.ndarray:
        elements = st.sampled_from([0, DIVERGED, COLLAPSED])
        return self._draw(hnp.arrays(np.int64, (self.replicates, len(self.lams)), elements=elements))

    @property
    def limits(self) -> tuple[float, float]:
        return effect_limits(self.array(self.n), self.array(len(self.lams), self.n))

    @property
    def window(self) -> Limits:
        return path_limits(self.array(len(self.lams), self.n, 2))


@st.composite
def drawn(draw: st.DrawFn) -> Drawn:
    return Drawn(draw)


def _choices(run: Drawn) -> list[Any]:
    """As the pages ask for them: a model that is not finite is picked by nobody, and an error is never negative."""
    errors = [np.where(np.isfinite(values), np.abs(values), np.nan) for values in (run.by_lam, run.by_lam)]
    return choices(*errors)


def _units(run: Drawn) -> Units:
    kinds = {"sex": (run.env, ("f", "m"))}
    return Units(env=run.env, t=run.t, env_names=NAMES, amounts={"z": run.array(run.n)}, kinds=kinds)


def _panes(run: Drawn) -> list[compare.Pane]:
    return [compare.Pane(name=name, xy=run.array(run.n, 2), env=run.env, t=run.t) for name in NAMES]


def _lines(run: Drawn) -> list[Line]:
    return [Line(name=name, values=run.array(2, 3), strong=name == "A") for name in NAMES]


def _level(run: Drawn) -> list[lam_curves.Level]:
    return [lam_curves.Level(name="level", value=run.number())]


def _linear(run: Drawn) -> tuple[float, float] | None:
    return (run.number(), run.number()) if run.replicates == 1 else None


def _rows(run: Drawn) -> list[ranking.ErrorRow]:
    return [ranking.ErrorRow(name=name, values=run.array(run.replicates)) for name in NAMES]


def _costs(run: Drawn) -> list[dict[str, Any]]:
    return [{"format": name, "p50_us": {"1": run.number()}, "p99_us": {"1": run.number()}} for name in NAMES]


def _runs(run: Drawn) -> list[compare.RunLine]:
    return [compare.RunLine(name=name, lams=run.lams, values=run.by_lam, lam=run.lams[-1]) for name in NAMES]


def _ranked(run: Drawn) -> go.Figure:
    rows = _rows(run)
    low, high = ranking.error_range([row.values for row in rows])
    return ranking.error_ranking(rows, INK, title="T", low=low, high=high)


def _over_epochs(run: Drawn) -> go.Figure:
    histories = [run.array(run.n, len(run.lams)) for _ in NAMES]
    limits = compare.curve_limits(histories)
    return compare.runs_over_epochs([history[:, 0] for history in histories], limits, INK, title="T")


def _of_penalty(run: Drawn, *, log: bool) -> go.Figure:
    values, marks = run.by_lam, {"a": run.lams[0], "b": run.number()}
    limits = penalties.common_limits([values], log)
    return penalties.path_of_penalty(run.lams, values, marks, INK, title="T", limits=limits, log=log)


def _ratios(run: Drawn) -> penalty_heat.Ratios:
    ratio = run.array(2, 2)
    return penalty_heat.Ratios(
        penalties=NAMES, worlds=("W", "X"), ratio=ratio, seen=ratio < 1, lams=(("0", "1"), ("none", "0 to 3"))
    )


def _distribution(run: Drawn) -> go.Figure:
    estimates, limits = run.array(len(run.lams), run.n), run.limits
    tallest = effects.tallest_bin(estimates, run.env, limits)
    return effects.effect_distribution(
        estimates[0], run.number(), run.env, NAMES, INK, limits=limits, tallest=tallest, title="T"
    )


def _groups(run: Drawn) -> list[Group]:
    return [Group(name=name, n=9, predicted=run.number(), effect=run.number(), se=abs(run.number())) for name in NAMES]


def _projection(run: Drawn) -> LinearProjection:
    terms = tuple(Term(name=name, value=run.number(), se=abs(run.number())) for name in NAMES[: run.n])
    return LinearProjection(terms=terms, p=run.number(), n=run.n, n_clipped=0)


def _probes(run: Drawn) -> CovariateProbes:
    return CovariateProbes(names=NAMES, without=run.array(2), here=run.array(2))


def _policy(run: Drawn) -> PolicyCurve:
    level = Estimate(value=run.number(), se=abs(run.number()))
    share = np.linspace(0, 1, 5)
    return PolicyCurve(share=share, value=run.array(5), se=np.abs(run.array(5)), treat_all=level, treat_none=level)


def _dots(run: Drawn) -> list[runs_scatter.RunDot]:
    xs: list[Any] = [run.number(), "median", None, 0.5]
    groups = ("", "CORAL")
    return [
        runs_scatter.RunDot(
            name="r",
            x=x if x is None or isinstance(x, str) or math.isfinite(x) else 0.0,
            values=run.array(run.replicates),
            group=groups[at % run.replicates > 0],
            baseline=run.number(),
        )
        for at, x in enumerate(xs[: run.n])
    ]


def _study_panel(run: Drawn) -> go.Figure:
    """Means along an axis of numbers or of words, as a study's page draws them; two panels share the axes."""
    xs: tuple[float | str, ...] = ((0.0, 1e-3, 10.0), ("median", "0.5", "CORAL"))[run.replicates % 2]
    among = [
        MeanDot(
            x=xs[at % 3],
            group=("", "CORAL")[at % run.replicates > 0],
            mean=run.number(),
            low=run.number(),
            high=run.number(),
            n=at,
        )
        for at in range(run.n)
    ]
    return study_panel(among[::2], INK, among=among, title="T", x_title="σ₂", y_title="y", log=len(run.lams) > 1)


def _embedding(run: Drawn, colour_by: str) -> go.Figure:
    return embedding(run.array(run.n, 2), _units(run), INK, title="T", colour_by=colour_by, limits=run.window)


FIGURES: dict[str, Callable[[Drawn], go.Figure]] = {
    "along_lam": lambda run: lam_curves.along_lam(
        run.lams,
        run.by_lam,
        run.status,
        run.lams[0],
        INK,
        title="T",
        y_title="y",
        references=_level(run),
        linear=_linear(run),
    ),
    "error_along_lam": lambda run: lam_curves.error_along_lam(
        run.lams,
        run.by_lam,
        run.status,
        run.lams[-1],
        INK,
        title="T",
        references=_level(run),
        earlier=[(1, run.array(len(run.lams)))],
        choices=_choices(run),
    ),
    "runs_scatter": lambda run: runs_scatter.runs_scatter(
        _dots(run), INK, title="T", x_title="σ₂", y_title="y", log=run.replicates > 1
    ),
    "study_panel": _study_panel,
    "runs_along_lam": lambda run: compare.runs_along_lam(_runs(run), INK, title="T"),
    "runs_over_epochs": _over_epochs,
    "latents_in_a_row": lambda run: compare.latents_in_a_row(_panes(run), NAMES, INK, title="T", limits=run.window),
    "effects_in_a_row": lambda run: compare.effects_in_a_row(_panes(run), NAMES, INK, title="T", limits=run.limits),
    "estimated_against_true": lambda run: effects.estimated_against_true(
        run.array(run.n),
        run.array(run.n),
        run.env,
        run.t,
        NAMES,
        INK,
        limits=run.limits,
        title="T",
        apart=run.replicates == 1,
    ),
    "effect_distribution": _distribution,
    "estimated_against_planted": lambda run: planted.estimated_against_planted(
        run.array(run.n), run.array(run.n), run.env, run.t, NAMES, INK, title="T"
    ),
    "effects_along_lam": lambda run: average_effects.effects_along_lam(
        run.lams,
        run.by_lam,
        run.by_lam,
        AverageLevels(naive=run.number(), least_squares=run.number(), least_squares_treated=run.number()),
        None if run.replicates == 1 else len(run.lams) - 1,
        INK,
        title="T",
    ),
    "arms_by_env": lambda run: tables.arms_by_env(
        np.abs(np.nan_to_num(run.array(len(NAMES), 2), posinf=0, neginf=0)).clip(0, 10**9).astype(int), NAMES, INK
    ),
    "overlap": lambda run: tables.overlap(np.clip(np.nan_to_num(run.array(run.n)), 0, 1), run.t, 0.05, INK),
    "balance": lambda run: tables.balance({str(at): value for at, value in enumerate(run.array(run.n).tolist())}, INK),
    "effects_by_env": lambda run: estimated_effects.effects_by_env(
        run.array(run.replicates, run.n), run.env, NAMES, INK, title="T"
    ),
    "predicted_against_found": lambda run: estimated_effects.predicted_against_found(
        _groups(run)[: run.n], INK, title="T"
    ),
    "gain_by_share_treated": lambda run: estimated_effects.gain_by_share_treated(_policy(run), INK, title="T"),
    "effect_by_inputs": lambda run: effect_columns.effect_by_inputs(_projection(run), INK, title="T"),
    "columns_that_move_effects": lambda run: effect_columns.columns_that_move_effects(
        dict(zip(NAMES, np.abs(run.array(2)).tolist(), strict=True)), INK, title="T"
    ),
    "kept_covariates": lambda run: kept_covariates(_probes(run), (run.lams[0], run.lams[-1]), INK, title="T"),
    "embedding": lambda run: _embedding(run, ("environment", "treatment", "z", "sex")[run.replicates - len(run.lams)]),
    "effect_plane": lambda run: effect_plane(
        run.array(3, 3),
        run.array(3),
        run.array(3),
        INK,
        title="T",
        limits=(run.number(), run.number()),
        rows=run.array(run.n, 2),
        env=run.env,
        t=run.t,
        env_names=NAMES,
    ),
    "by_envs": lambda run: by_envs(
        (2, 3), _lines(run), INK, title="T", label="l", log=run.replicates == 1, level=(run.number(), "level")
    ),
    "latencies": lambda run: format_costs.latencies(
        _costs(run), {name: name for name in NAMES}, INK, batch="1", chosen="A", title="T"
    ),
    "error_ranking": _ranked,
    "path_of_penalty": lambda run: _of_penalty(run, log=run.replicates == 1),
    "penalty_heat": lambda run: penalty_heat.penalty_heat(
        _ratios(run), INK, title="T", chosen=(1, 0) if run.replicates == 1 else None
    ),
    "ratio_lanes": lambda run: penalty_heat.ratio_lanes(
        NAMES[: run.n], run.array(min(run.n, 2), 3), (True, False), INK, title="T", x="ratio"
    ),
    "reading_along_lam": lambda run: lens.reading_along_lam(
        run.lams, *(run.array(len(run.lams)) for _ in range(4)), run.lams[0], INK, title="T"
    ),
    "chance_at_lam": lambda run: lens.chance_at_lam(run.array(run.n), run.number(), "MMD", INK, title="T"),
    "world_plane": lambda run: scenario.world_plane(
        run.array(run.n), run.array(run.n), run.env, run.t, NAMES, INK, bars=False
    ),
    "outcome_by_arm": lambda run: scenario.outcome_by_arm(
        run.array(run.n), run.array(run.n), run.env, run.t, NAMES, lambda z: run.array(2, 2, len(z)), INK, bars=True
    ),
    "propensities": lambda run: scenario.propensities(
        np.array([0.0, 1.0]), np.array([[0.0, 0.0], [1.0, 1.0]]), NAMES, INK, spread=True
    ),
    "cause_by_label": lambda run: labels.cause_by_label(run.array(run.n), run.t, run.env, NAMES, INK, bars=True),
    "right_along_dose": lambda run: labels.right_along_dose(
        (0.0, 1.0, 2.0), run.array(3), run.array(3), 0.5, INK, title="T", dose_title="d"
    ),
    "traces_by_env": lambda run: traces.traces_by_env(run.array(run.n, 4), run.env, 100.0, NAMES, INK, title="T"),
    "trace_edited": lambda run: traces.trace_edited(
        *(pair := run.array(2, run.n)), 100.0, 1, "edited", traces.mv_limits(*pair), INK, title="T"
    ),
    "trace_among": lambda run: traces.trace_among(
        run.array(run.n), 1, (means := run.array(2, run.n)), 100.0, traces.mv_limits(means), NAMES, INK, title="T"
    ),
    "trace_gradient": lambda run: saliency.trace_gradient(
        *(trio := run.array(3, run.n)), 100.0, 1, traces.mv_limits(trio[0]), INK, title="T", unit="u"
    ),
    "gradient_spectrum": lambda run: saliency.gradient_spectrum(
        run.array(run.n),
        {"a": run.array(run.n), "b": run.array(run.n)},
        (run.number(), 1.0),
        run.number(),
        INK,
        title="T",
    ),
    "images_by_env": lambda run: images.images_by_env(run.array(run.n, 4), run.t, run.env, NAMES, INK, title="T"),
    "image_edited": lambda run: images.image_edited(
        *(pair := run.array(2, 4 * bool(run.n))), 1, "edited", images.gray_limits(*pair), INK, title="T"
    ),
    "cloud": lambda run: unseen.cloud(
        run.array(run.n, 2), run.env, run.array(run.n, 2), NAMES, INK, limits=run.window, title="T"
    ),
    "along_dose": lambda run: unseen.along_dose(
        (0.0, 1.0, 2.0),
        run.array(3),
        0.5,
        INK,
        title="T",
        dose_title="d",
        threshold=run.number(),
        truth=run.replicates == 1,
    ),
    "correlation_matrix": lambda run: identify.correlation_matrix(run.array(2, min(run.n, 3)), INK, title="T"),
    "while_training": lambda run: identify.while_training(
        list(range(run.n)), list(run.array(run.n)), (run.number(), run.number()), run.n - 1, INK, title="T"
    ),
    "scatter_matrix": lambda run: identify.scatter_matrix(run.array(run.n, 2), run.array(run.n, 2), INK, title="T"),
    "methods_strip": lambda run: identify.methods_strip(
        {name: run.array(run.replicates) for name in NAMES},
        {"A": True, "B": False},
        (run.number(), run.number()),
        INK,
        title="T",
    ),
    "staircase": lambda run: identify.staircase(
        (2, 3), [run.array(run.replicates, 2) for _ in range(2)], (run.number(), run.number()), INK, title="T"
    ),
    "price_of_alignment": lambda run: identify.price_of_alignment(
        run.lams, {"a": run.array(len(run.lams), run.replicates)}, (run.number(), run.number()), INK, title="T"
    ),
}


def numbers(part: Any) -> list[float]:
    """Every number in a figure's dictionary, those of packed arrays too."""
    if isinstance(part, dict) and "bdata" in part:
        return [float(value) for value in np.frombuffer(base64.b64decode(part["bdata"]), dtype=part["dtype"])]
    if isinstance(part, dict):
        return [value for inner in part.values() for value in numbers(inner)]
    if isinstance(part, list | tuple | np.ndarray):
        return [value for inner in part for value in numbers(inner)]
    return [float(part)] if isinstance(part, float | int | np.number) and not isinstance(part, bool) else []


def axes_of(layout: dict[str, Any]) -> list[dict[str, Any]]:
    return [look for name, look in layout.items() if name.startswith(("xaxis", "yaxis"))]


@pytest.mark.parametrize("name", FIGURES)
@given(run=drawn())
@settings(max_examples=30)
def test_a_figure_of_a_degenerate_run_has_finite_axes_and_nothing_infinite_in_it(name: str, run: Drawn) -> None:
    plotted = FIGURES[name](run)
    figure, sentence = plotted.to_dict(), spoken(plotted)
    assert 0 < len(sentence) < 700
    assert not re.search(r"\b(nan|inf)\b|<|\n", sentence)
    assert [value for value in numbers(figure["layout"]) if not math.isfinite(value)] == []
    assert [value for value in numbers(figure["data"]) if math.isinf(value)] == []
    for look in axes_of(figure["layout"]):
        if "range" in look:
            first, final = look["range"]
            assert first != final
    words = str(figure["layout"]["title"]) + str(figure["layout"].get("annotations", ""))
    assert not {"nan", "inf"} & set(words.replace("<br>", " ").replace("'", " ").replace("<b>", " ").split())


def test_the_figures_tried_here_are_all_that_the_library_has() -> None:
    there = set()
    for module in pkgutil.iter_modules(figures.__path__):
        for name, thing in vars(importlib.import_module(f"crl_core.figures.{module.name}")).items():
            public = inspect.isfunction(thing) and not name.startswith("_") and thing.__module__.endswith(module.name)
            if public and inspect.signature(thing).return_annotation == "go.Figure":
                there.add(name)
    assert there - {"figure", "empty"} == set(FIGURES)


@given(run=drawn())
def test_drawings_in_svg_and_html_have_finite_places(run: Drawn) -> None:
    log = run.replicates == 1
    assert "nan" not in (svg := by_envs_svg((2, 3), _lines(run), INK, title="T", label="l", log=log))
    assert "inf" not in svg
    values = [float(value) for value in run.array(3)]
    known = [value for value in values if math.isfinite(value)]
    line = strip(
        values,
        median=known[0] if known else None,
        interval=(known[0], known[-1]) if known else (None, None),
        threshold=0.25,
        holds_if="below",
        label="error",
        colours=INK,
    )
    assert "nan" not in line
    assert "inf" not in line.replace("not finite", "")


@given(run=drawn(), epochs=st.integers(0, 3))
def test_the_live_charts_have_finite_axes_from_the_first_epoch_on(run: Drawn, epochs: int) -> None:
    count = len(run.lams)
    values = {
        name: run.array(epochs, count) for name in ("loss", "factual_train", "mmd2", "ite_rmse", "factual_mse", "ate")
    }
    curves = Curves(
        lams=run.lams,
        epochs=3,
        replicates=2,
        at=np.arange(1.0, epochs + 1),
        values=values,
        low=run.array(count),
        high=run.array(count),
        status=run.status.max(axis=0),
        n_bad=(run.status > 0).sum(axis=0),
        ate_range=(run.array(count), run.array(count)),
    )
    levels = (("naive difference", run.number()), ("least squares", run.number()))
    others = [live_along.explained_along(curves, 1e-3), live_along.effect_along(curves, levels)]
    specs = [live.path_spec(curves, INK, height=100, label="error", zoom=True)]
    specs += [
        live.epoch_spec(curves, name, INK, height=100, label=name, zoom=False) for name in live.USUAL if name in values
    ]
    specs += [live.path_spec(curves, INK, height=100, label="R²", zoom=False, along=along) for along in others]
    for along in others:
        assert along.limits[0] < along.limits[1]
        assert np.isfinite(live.path_rows(curves, run.lams[0], along)["value"]).all()
    assert len(specs) > 3
    assert all(math.isfinite(value) for value in numbers(specs))
    for rows in (live.path_rows(curves, run.lams[0]), live.epoch_rows(curves, "loss", run.lams[0])):
        assert (rows["value"] > 0).all()
        assert np.isfinite(rows["value"]).all()
    low = live.path_rows(curves, run.lams[0])["low"]
    assert not (low <= 0).any()
