"""The moving picture of the first page: the latents of a shipped run, drawn together as λ grows, and apart again."""

from __future__ import annotations

import numpy as np
import streamlit as st

from crl_core.config.presets import preset
from crl_core.figures import palette
from crl_core.runs.sealing import StoreError
from crl_core.runs.store import RunCorrupted, RunNotFound
from pages.shared import server_cache
from pages.shared.language import tr
from pages.shared.model_views import one_size
from pages.shared.style import picture, quiet, theme

_WORLD, _POINTS, _SECONDS = "filter", 90, 12
_WIDE, _HIGH = 420, 210
_CSS = """<style>.crl-moving, .crl-still { width: 100%; } .crl-still { display: none; }
@media (prefers-reduced-motion: reduce) { .crl-moving { display: none; } .crl-still { display: block; } }</style>"""


def moving_picture() -> None:
    """The picture, and what it shows; nothing where the run is gone."""
    moves = bool(st.session_state.get("lessons.moving", True))
    try:
        drawn, still = _svg(theme(), moves), _svg(theme(), False)
    except (RunCorrupted, RunNotFound, StoreError):
        return
    says = tr(
        "The monitor’s filter: patients of two hospitals as the network sees them, while the penalty grows and falls."
    )
    st.html(_CSS + picture(drawn, says, 'class="crl-moving"') + picture(still, says, 'class="crl-still"'))
    with st.container(horizontal=True, vertical_alignment="center"):
        quiet(says)
        st.toggle(tr("moving"), value=True, key="lessons.moving")


@st.cache_resource(max_entries=4, show_spinner=False)
def _svg(shade: str, moves: bool) -> str:
    """Points of both hospitals along λ and back; where it does not move, at the λ in the middle."""
    config = preset(_WORLD)
    projection = server_cache.load_part(config.key, "projection")
    if projection is None:
        raise RunNotFound(f"The run {config.key} has no projection.")
    ink, env = palette(shade), server_cache.view_data(config).env
    xy = one_size(projection["tsne_xy"])
    kept = np.unique(np.linspace(0, len(env) - 1, _POINTS).astype(int))
    low, high = np.quantile(xy, 0.01), np.quantile(xy, 0.99)
    at = np.clip((xy[:, kept] - low) / (high - low), 0, 1) * [_WIDE - 20, _HIGH - 20] + 10
    path = np.concatenate([at, at[-2::-1]]).round().astype(int)  # there and back
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDE} {_HIGH}">'
        + "".join(
            _point(path[:, index], path[len(at) // 2, index], ink["envs"][int(env[row])], moves)
            for index, row in enumerate(kept)
        )
        + "</svg>"
    )


def _point(path: np.ndarray, rests: np.ndarray, colour: str, moves: bool) -> str:
    (x, y), moving = rests.tolist(), ""
    if moves:
        moving = "".join(
            f'<animate attributeName="{name}" values="{";".join(map(str, values.tolist()))}" dur="{_SECONDS}s" '
            'repeatCount="indefinite"/>'
            for name, values in (("cx", path[:, 0]), ("cy", path[:, 1]))
        )
    return f'<circle r="4" fill="{colour}" fill-opacity=".8" cx="{x}" cy="{y}">{moving}</circle>'
