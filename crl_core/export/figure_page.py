"""Figures of one run as one standalone page, interactive without a network; each can be saved as SVG or PNG."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

import numpy as np

from crl_core.config.text import reproducing_command
from crl_core.data.scm import along
from crl_core.figures import (
    Units,
    along_lam,
    effect_distribution,
    effect_limits,
    embedding,
    error_along_lam,
    estimated_against_true,
    palette,
    path_limits,
    tallest_bin,
)
from crl_core.measures.effect_scores import is_constant
from crl_core.metrics import DRAWN
from crl_core.results import RunResult, view_rows

_STYLE = """
body { margin: 2rem auto; max-width: 62rem; padding: 0 1rem; background: #fff; color: #14181d;
  font: 15px/1.5 'DejaVu Sans', Verdana, 'Segoe UI', system-ui, sans-serif; }
h1 { font-size: 1.4rem; margin: 0 0 .3rem 0; } p, code { color: #4a525c; } code { font-size: .85rem;
  overflow-wrap: anywhere; }
section { border: 1px solid #dcdad3; border-radius: 8px; padding: .6rem .8rem; margin: 1.2rem 0; }
button { font: inherit; font-size: .85rem; margin-right: .4rem; padding: .15rem .7rem; border: 1px solid #c9c6bd;
  border-radius: 6px;
  background: #fff; color: #14181d; cursor: pointer; }
button:hover, button:focus-visible { border-color: #007a5a; color: #007a5a; }
@media print { button { display: none; } section { break-inside: avoid; } }
"""
_SCRIPT = """
document.querySelectorAll("button[data-format]").forEach((button) => button.addEventListener("click", () => {
  const plot = button.closest("section").querySelector(".js-plotly-plot");
  const box = plot.getBoundingClientRect(), format = button.dataset.format;
  Plotly.downloadImage(plot, { format, filename: button.dataset.file, width: box.width, height: box.height,
    scale: format === "png" ? 2 : 1 });
}));
"""


_FILES = {"ite_rmse": "effect-error", "factual_mse": "factual-error"}  # names that readers have already


def figures_of(
    result: RunResult, lam: float, env_names: tuple[str, ...], parts: Mapping[str, Mapping[str, np.ndarray] | None]
) -> dict[str, Any]:
    """Plotly figures of a run, on white: errors and MMD² along λ, and at `lam` latents and estimated effects.

    parts: "projection" and "evidence" of the run, None or absent where they have not been computed.
    What the run does not hold is left out: without projection no latents, without known effects no effects.
    """
    colours, lams, m = palette("light"), result.lams, result.model(lam)
    view, status = view_rows(result.config), result.by_lam(result.status)
    found: dict[str, Any] = {}
    for metric in DRAWN:
        values = result.metric(metric, parts.get("evidence"))
        if values is None:
            continue
        title = f"{metric.title}, held out" if "result" in metric.kept else metric.title
        curves, name = result.by_lam(values), _FILES.get(metric.name, metric.name.replace("_", "-"))
        if metric.name == "ite_rmse":
            found[name] = error_along_lam(lams, curves, status, lam, colours, title=title)
        else:
            found[name] = along_lam(
                lams, curves, status, lam, colours, title=title, y_title=metric.word, linear=metric.window
            )
    projection = parts.get("projection")
    if projection is not None:
        amounts = {} if view.z is None or view.s is None else {"z": along(view.z), "s": along(view.s)}
        rows = Units(env=view.env, t=view.t, env_names=env_names, amounts=amounts)
        xy = np.asarray(projection["tsne_xy"], dtype=np.float64)
        found["latents"] = embedding(
            xy[m],
            rows,
            colours,
            title=f"Latent at λ = {lam:g}, t-SNE",
            colour_by="environment",
            limits=path_limits(xy[np.isfinite(xy).all(axis=(1, 2))]),
            why_empty="This model has no latents to lay out.",
        )
    if view.ite is not None:
        found["effects"] = _effects(result, lam, m, view, env_names, colours)
    return found


def _effects(result: RunResult, lam: float, m: int, view: Any, env_names: tuple[str, ...], colours: Any) -> Any:
    ite_hat, ite = result.effects(view.x), view.ite
    limits = effect_limits(ite, ite_hat)
    if is_constant(ite):
        return effect_distribution(
            ite_hat[m],
            float(ite.mean()),
            view.env,
            env_names,
            colours,
            limits=limits,
            tallest=tallest_bin(ite_hat, view.env, limits),
            title=f"Estimated effects at λ = {lam:g}",
        )
    return estimated_against_true(
        ite,
        ite_hat[m],
        view.env,
        view.t,
        env_names,
        colours,
        limits=limits,
        title=f"Estimated against true, λ = {lam:g}",
    )


def figure_page(
    result: RunResult, lam: float, env_names: tuple[str, ...], parts: Mapping[str, Mapping[str, np.ndarray] | None]
) -> str:
    """One HTML file with every figure of `figures_of` and the plotting library in it (about 5 MB).

    lam: one of the run's.
    """
    from plotly.offline import get_plotlyjs

    key = result.config.key
    sections = []
    for name, drawn in figures_of(result, lam, env_names, parts).items():
        drawn.update_layout(paper_bgcolor="#ffffff", plot_bgcolor="#ffffff")
        buttons = "".join(
            f'<button data-format="{kind}" data-file="crl-{key}-{name}">{kind.upper()}</button>'
            for kind in ("svg", "png")
        )
        plot = drawn.to_html(
            full_html=False,
            include_plotlyjs=False,
            div_id=name,
            config={"displayModeBar": False, "responsive": True},
        )
        sections.append(f"<section>{plot}<p>{buttons}</p></section>")
    training = result.config.training
    said = (
        f"Run {key}: {len(training.lams)} λ × {training.replicates} replicates, {training.epochs} epochs, seed "
        f"{training.seed}; "
        "pictures of single rows are of the first replicate. Truth is known only in simulation."
    )
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Run {key}, λ = {lam:g}</title>'
        f'<meta name="viewport" '
        f'content="width=device-width"><style>{_STYLE}</style><script>{get_plotlyjs()}</script></head>'
        f"<body><h1>CRL Explorer, λ = "
        f"{lam:g}</h1><p>{escape(said)}<br><code>{escape(reproducing_command(result.config))}</code></p>"
        f"{''.join(sections)}<script>{_SCRIPT}</script></body></html>"
    )
