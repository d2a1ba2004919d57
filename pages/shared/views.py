"""What the pages of a finished run draw from, kept in memory by run, and how they draw it.

Everything that does not depend on λ is computed once a run, so that moving λ only selects.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from crl_core.effect_map import EffectMap
from crl_core.effect_map import effect_map as compute_map
from crl_core.effect_scores import EffectScores
from crl_core.effect_scores import effect_scores as compute_scores
from crl_core.overlap import standardised
from crl_core.projection import pca_path
from crl_core.results import RunResult, predict
from pages.shared import services
from pages.shared.run_view import RunInView

Array = np.ndarray
_CONFIG = {
    "displaylogo": False,
    "scrollZoom": False,
    "doubleClick": "reset",
    "modeBarButtonsToRemove": ["select2d", "lasso2d", "autoScale2d", "zoomIn2d", "zoomOut2d"],
    "toImageButtonOptions": {"format": "png", "scale": 2},
}
_CSS = """
<style>
.crl-table-box { overflow-x: auto; }
.crl-table { border-collapse: collapse; width: 100%; font-size: .88rem; line-height: 1.4; margin: 0; }
.crl-table th { color: var(--quiet); font-weight: 500; text-align: right; padding: .15rem .7rem .3rem 0; vertical-align: bottom; }
.crl-table td { text-align: right; padding: .38rem .7rem .38rem 0; border-top: 1px solid var(--hairline); vertical-align: baseline;
  white-space: nowrap; }
.crl-table th:first-child, .crl-table td:first-child { text-align: left; }
.crl-table th.words, .crl-table td.words { text-align: left; color: var(--quiet); white-space: normal; padding-left: .6rem; }
.crl-table td:first-child i { display: inline-block; width: .7rem; height: .7rem; border-radius: 50%; margin-right: .5rem; }
.crl-table small { color: var(--quiet); font-size: .8rem; }
.crl-says { font-size: 1.02rem; line-height: 1.5; margin: .1rem 0; max-width: 62rem; }
@media (max-width: 640px) { .crl-table td.words, .crl-table th.words { min-width: 13rem; } }
</style>
"""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Path:
    """All λ of replicate 0 on its view rows."""

    ite_hat: Array  # [L, n] float32
    pca: Array  # [L, n, 2]
    pca_x: Array  # [n, 2]


def path_of(run: RunInView) -> Path:
    return _path(_stamp(run), run.result)


def map_of(run: RunInView) -> EffectMap | None:
    return _map(_stamp(run), run.result)


def scores_of(run: RunInView) -> EffectScores | None:
    return _scores(_stamp(run), run.result)


def _stamp(run: RunInView) -> str:
    """A run that is trained again has another duration."""
    return f"{run.key}|{run.result.seconds!r}"


@st.cache_resource(max_entries=4, show_spinner=False)
def _path(stamp: str, _result: RunResult) -> Path:
    view, n_lams = services.view_data(_result.config), len(_result.lams)
    with np.errstate(invalid="ignore", over="ignore"):  # a diverged model's weights are not finite
        phi, y0_hat, y1_hat = predict({name: value[:n_lams] for name, value in _result.weights.items()}, view.x)
    inputs = pca_path(standardised(view.x)[None])[0] if view.x.shape[1] > 1 else np.empty((0, 2))
    return Path(ite_hat=y1_hat - y0_hat, pca=pca_path(phi), pca_x=inputs)


@st.cache_resource(max_entries=4, show_spinner=False)
def _map(stamp: str, _result: RunResult) -> EffectMap | None:
    with np.errstate(invalid="ignore", over="ignore"):
        return compute_map(_result, services.view_data(_result.config))


@st.cache_resource(max_entries=4, show_spinner=False)
def _scores(stamp: str, _result: RunResult) -> EffectScores | None:
    with np.errstate(invalid="ignore", over="ignore"):
        return compute_scores(_result)


def drawn(figure: go.Figure, name: str) -> None:
    """A Plotly figure across its container. `name` must be one of its own on the page."""
    st.plotly_chart(figure, key=name, theme=None, config=_CONFIG, width="stretch")


def says(text: str) -> None:
    """The sentence that a page wants to be read first."""
    st.html(f'{_CSS}<p class="crl-says">{escape(text)}</p>')


def table(
    head: Sequence[str], rows: Iterable[Sequence[str]], *, words: bool = False, dots: Sequence[str] = ()
) -> None:
    """A quiet table of text. words: the last column explains.  dots: a colour before each row's first cell."""
    last = len(head) - 1

    def row(cells: Sequence[str], tag: str, dot: str = "") -> str:
        cell = [f"<{tag}{' class=words' if words and i == last else ''}>{dot if i == 0 else ''}{escape(text)}</{tag}>"
                for i, text in enumerate(cells)]  # fmt: skip
        return f"<tr>{''.join(cell)}</tr>"

    marks = [f'<i style="background:{colour}"></i>' for colour in dots]
    body = "".join(row(cells, "td", marks[i] if i < len(marks) else "") for i, cells in enumerate(rows))
    st.html(f'{_CSS}<div class="crl-table-box"><table class="crl-table">{row(head, "th")}{body}</table></div>')


def spread(run: RunInView, values: Array, digits: int = 2) -> str:
    """Median over replicates at the λ in view, and smallest to largest where there are several; a dash without one."""
    column = run.result.by_lam(np.asarray(values, dtype=np.float64))[:, run.result.lams.index(run.lam)]
    return median_and_range(column, digits)


def median_and_range(values: Array, digits: int = 2) -> str:
    """ "0.71 (0.65 to 0.78)"; a dash where no value is finite."""
    finite = values[np.isfinite(values)]
    if len(finite) == 0:
        return "–"
    middle = f"{np.median(finite):.{digits}f}"
    if len(finite) == 1:
        return middle
    return f"{middle} ({finite.min():.{digits}f} to {finite.max():.{digits}f})"
