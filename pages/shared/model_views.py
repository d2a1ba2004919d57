"""What pages draw of a run's models, computed once a run for every λ, so that moving λ only selects."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import streamlit as st

from crl_core.data.scm import MultiEnvData
from crl_core.figures import Limits, effect_limits, gray_limits, mv_limits, path_limits, tallest_bin
from crl_core.figures.axes import Range
from crl_core.measures.edits import MOST_REPLICATES, Edit, Moved, edited, moved
from crl_core.measures.effect_map import EffectMap, effect_map
from crl_core.measures.effect_scores import EffectScores, effect_scores, is_constant
from crl_core.measures.prediction import Prediction, prediction
from crl_core.measures.saliency import Looks, looks
from crl_core.results import data_of
from pages.shared import server_cache
from pages.shared.run_view import RunInView


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Effects:
    """Of replicate 0 on its view rows."""

    ite_hat: np.ndarray  # [L, n]
    limits: tuple[float, float]  # an axis that holds for every λ
    constant: bool  # the true effect is the same for everyone
    tallest: float  # of `effect_distribution`, over all λ; 0 where the effect is not constant
    scores: EffectScores | None
    plane: EffectMap | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Layout:
    """Rows laid out in two dimensions: of every λ, and of the inputs."""

    xy: np.ndarray  # [L, n, 2]
    limits: Limits
    x: np.ndarray  # [n, 2]
    x_limits: Limits


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Recorded:
    """The held-out rows of replicate 0 as recorded and as an edit has them, and how far it moves what models answer."""

    rows: MultiEnvData
    x: np.ndarray  # [n, T], edited
    limits: Range  # of mV, or of gray, for every one of the rows
    first: Moved
    sizes: np.ndarray  # [R, L], of the first replicates


def effects(run: RunInView) -> Effects:
    return _effects(run.key, run)


@server_cache.pictures
@st.cache_resource(max_entries=server_cache.HELD, show_spinner=False)
def _effects(key: str, _run: RunInView) -> Effects:
    view = _run.view
    ite_hat = _run.result.effects(view.x)
    with np.errstate(invalid="ignore", over="ignore"):  # a diverged model's effects are not finite
        ite = np.empty(0) if view.ite is None else view.ite
        limits = effect_limits(ite, ite_hat)
        constant = view.ite is not None and is_constant(ite)
        return Effects(
            ite_hat=ite_hat,
            limits=limits,
            constant=constant,
            tallest=tallest_bin(ite_hat, view.env, limits) if constant else 0.0,
            scores=effect_scores(_run.result),
            plane=effect_map(_run.result, view),
        )


def predicted(run: RunInView) -> Prediction:
    """Of a label, in every place that its world has."""
    return _predicted(run.key, run)


@server_cache.pictures
@st.cache_resource(max_entries=server_cache.HELD, show_spinner=False)
def _predicted(key: str, _run: RunInView) -> Prediction:
    return prediction(_run.result)


def recorded(run: RunInView, edit: Edit) -> Recorded:
    return _recorded(run.key, edit, run)


@server_cache.pictures
@st.cache_resource(max_entries=server_cache.HELD, show_spinner=False)
def _recorded(key: str, edit: Edit, _run: RunInView) -> Recorded:
    rows, other = data_of(_run.config)[1], edited(_run.config, edit)
    replicates = range(min(_run.config.training.replicates, MOST_REPLICATES))
    found = [moved(_run.result, edit, replicate) for replicate in replicates]
    return Recorded(
        rows=rows,
        x=other.x,
        limits=(gray_limits if _run.config.scenario.observation == "digits" else mv_limits)(rows.x, other.x),
        first=found[0],
        sizes=np.stack([item.size for item in found]),
    )


def looked(run: RunInView) -> list[Looks]:
    """Where the models of the first replicates look in traces."""
    return _looked(run.key, run)


@server_cache.pictures
@st.cache_resource(max_entries=server_cache.HELD, show_spinner=False)
def _looked(key: str, _run: RunInView) -> list[Looks]:
    return [looks(_run.result, at) for at in range(min(_run.config.training.replicates, MOST_REPLICATES))]


@server_cache.pictures
@st.cache_resource(max_entries=server_cache.HELD, show_spinner=False)
def tsne_layout(key: str, _projection: dict[str, np.ndarray]) -> Layout:
    return _layout(one_size(_projection["tsne_xy"]), one_size(_projection["tsne_x"][None])[0])


def pca_layout(run: RunInView) -> Layout:
    return _pca_layout(run.key, run)


@server_cache.pictures
@st.cache_resource(max_entries=server_cache.HELD, show_spinner=False)
def _pca_layout(key: str, _run: RunInView) -> Layout:
    from crl_core.measures.projection import (
        pca_path,  # brings scikit-learn, which no other view of a run needs
    )

    x = _run.view.x
    return _layout(pca_path(_run.result.predict(x)[0]), pca_path(x[None])[0])


def _layout(xy: np.ndarray, x: np.ndarray) -> Layout:
    return Layout(xy=xy, limits=path_limits(xy), x=x, x_limits=path_limits(x[None]))


def one_size(xy: np.ndarray) -> np.ndarray:
    """Layouts [L, n, 2] scaled to the same spread: a t-SNE's size means nothing, and a window then holds them all."""
    centred = xy - xy.mean(axis=1, keepdims=True)
    spread = np.sqrt(np.square(centred).sum(axis=2).mean(axis=1))[:, None, None]
    return np.asarray(centred / np.where(spread > 0, spread, 1.0))
