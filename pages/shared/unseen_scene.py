"""Places of deployed rows on the Unseen page: among training latents, and on the map of estimated effects."""

from __future__ import annotations

import streamlit as st

from crl_core.data.scm import MultiEnvData
from crl_core.figures import outside, palette
from crl_core.figures.axes import colour_scale, interval
from crl_core.figures.base import Trace
from crl_core.figures.unseen import cloud
from crl_core.results import data_of
from crl_core.studies.deployed_view import Scene, cause_and_nuisance, scene_of
from pages.shared import server_cache
from pages.shared.model_views import effects
from pages.shared.run_view import RunInView
from pages.shared.style import quiet
from pages.shared.tables import beyond, chart


def scene(run: RunInView) -> Scene:
    """The scene of a model, computed once."""
    return _scene(run.key, run.lam, run)


@server_cache.pictures
@st.cache_resource(max_entries=server_cache.HELD, show_spinner=False)
def _scene(key: str, lam: float, _run: RunInView) -> Scene:
    return scene_of(_run.result, lam, _held_out_rows(key, _run))


@server_cache.pictures
@st.cache_resource(max_entries=server_cache.HELD, show_spinner=False)
def _held_out_rows(key: str, _run: RunInView) -> MultiEnvData:
    return data_of(_run.config)[1]


def pictures(run: RunInView, here: Scene, batch: MultiEnvData) -> None:
    """Latents, and the plane of cause and nuisance, training and deployment."""
    left, right = st.columns(2)
    with left, st.container(key="panel_unseen_latent", height="stretch"):
        drawn = cloud(
            here.phi,
            here.env,
            here.place(batch.x),
            run.env_names,
            palette(run.theme),
            limits=here.window,
            title=f"Latent at λ = {run.lam:g}",
        )
        chart(drawn, "unseen.latent")
        quiet("The two directions of largest variance of training latents." + beyond(outside(drawn), "rows"))
    with right, st.container(key="panel_unseen_map", height="stretch"):
        drawn = cloud(
            here.zs,
            here.env,
            cause_and_nuisance(batch),
            run.env_names,
            palette(run.theme),
            limits=here.zs_window,
            title="The effect it believes in",
            axes=("z, the cause", "s, the nuisance"),
            picture=_effect_map(run),
        )
        chart(drawn, "unseen.map")
        quiet(
            "Colour: estimated effect τ̂ where training rows reach; outside it is extrapolation."
            + beyond(outside(drawn), "rows")
        )


def _effect_map(run: RunInView) -> Trace | None:
    """The estimated effect over cause and nuisance, to lie under the rows."""
    plane = effects(run).plane
    if plane is None:
        return None
    low, high = interval(*plane.limits)
    return {
        "type": "heatmap",
        "x": plane.z,
        "y": plane.s,
        "z": plane.tau_hat[run.result.lams.index(run.lam)],
        "zmin": low,
        "zmax": high,
        "colorscale": colour_scale(palette(run.theme)["diverging"]),
        "showscale": False,
        "hoverinfo": "skip",
        "zsmooth": "best",
    }
