"""MMD² in linear time: python benchmarks/estimates.py [--rounds 5] [--json FILE] [--picture docs/estimates.png]

Error: of random Fourier features against the exact value, on the latents of the first visit's stored run at λ = 0 and
near λ = 1 (400 held-out rows), root mean square over draws, for 64 to 4,096 features.
Cost: of value and gradient for two models, exact, by 512 features and by blocks of 128 rows, along the batch at 16
latent dimensions and along the latent dimensions at a batch of 512; the three in turn, median of the rounds; a line
t ∝ size^a is fitted through the largest sizes.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import plotly.graph_objects as go
import torch
from plotly.subplots import make_subplots
from torch import Tensor

from crl_core import RunStore, ipm, preset
from crl_core.config.presets import DEFAULT_PRESET
from crl_core.config.run import BLOCK_ROWS, FREQUENCIES
from crl_core.figures.palette import FONT, palette
from crl_core.network import predict
from crl_core.results import mmd_rows, view_rows
from crl_core.training.heap import kept_pages

FEATURES = (64, 128, 256, 512, 1024, 2048, 4096)
DRAWS = 200
BATCHES = (128, 256, 512, 1024, 2048, 4096, 8192)
LATENTS = (16, 32, 64, 128, 256, 512, 1024)
WAYS = ("exact", "512 features", "blocks of 128")
MODELS = 2
FITTED = 3  # of the largest sizes


def errors() -> dict[str, dict[str, float]]:
    """Of each λ: the exact value, and for each number of features the relative error."""
    config = preset(DEFAULT_PRESET)
    result = RunStore().load(config.key)
    rows = mmd_rows(view_rows(config))
    found = {}
    for lam in (0.0, min(result.lams, key=lambda value: abs(value - 1))):
        at = result.lams.index(lam)
        phi = torch.from_numpy(predict(result.weights, rows.x)[0][at : at + 1].astype(np.float64))
        sides = ipm.pair_factors(torch.from_numpy(rows.env)[None], config.scenario.n_envs, torch.float64)
        width = ipm.median_distance(phi)
        exact = float(ipm.grouped_mmd2(phi, sides[0] @ sides[1].mT, width))
        own = {"exact": exact}
        for n in FEATURES:
            rng = np.random.default_rng(n)
            drawn = (torch.from_numpy(rng.standard_normal((1, phi.shape[-1], n // 2))) for _ in range(DRAWS))
            values = [float(ipm.fourier_mmd2_and_gradient(phi, *sides, omega, width)[0]) for omega in drawn]
            own[str(n)] = float(np.sqrt(np.mean(np.square(np.array(values) / exact - 1))))
        found[f"{lam:g}"] = own
    return found


def ways(batch: int, latent: int) -> dict[str, Callable[[], tuple[Tensor, Tensor]]]:
    """Value and gradient of a batch of two groups, each way."""
    made = torch.Generator().manual_seed(0)
    phi = torch.randn((MODELS, batch, latent), generator=made)
    label = torch.arange(batch) % 2
    left, right = ipm.pair_factors(label[None], 2, torch.float32)
    blocks = ipm.pair_factors(label.view(1, -1, BLOCK_ROWS), 2, torch.float32)
    width = ipm.median_distance(phi[:, :BLOCK_ROWS])

    def features() -> tuple[Tensor, Tensor]:
        frequencies = torch.randn((1, latent, FREQUENCIES), generator=made)
        return ipm.fourier_mmd2_and_gradient(phi, left, right, frequencies, width)

    return {
        "exact": lambda: ipm.grouped_mmd2_and_gradient(phi, left @ right.mT, width),
        "512 features": features,
        "blocks of 128": lambda: ipm.block_mmd2_and_gradient(phi, *blocks, width),
    }


@kept_pages()  # as where a path trains
def costs(sizes: list[tuple[int, int]], rounds: int) -> dict[str, list[float]]:
    """Milliseconds of each way at each (batch, latent)."""
    found: dict[str, list[float]] = {way: [] for way in WAYS}
    for batch, latent in sizes:
        own = ways(batch, latent)
        taken: dict[str, list[float]] = {way: [] for way in WAYS}
        for _ in range(rounds + 1):  # the first is to warm up
            for way, work in own.items():
                repeats = max(1, 2048 // batch)
                began = time.perf_counter()
                for _ in range(repeats):
                    work()
                taken[way].append(1e3 * (time.perf_counter() - began) / repeats)
        for way, values in taken.items():
            found[way].append(statistics.median(values[1:]))
    return found


def exponent(sizes: tuple[int, ...], values: list[float]) -> float:
    """Of the line through the largest sizes on log axes."""
    return float(np.polyfit(np.log(sizes[-FITTED:]), np.log(values[-FITTED:]), 1)[0])


def drawn(figures: dict[str, Any]) -> go.Figure:
    ink = palette("light")
    titles = ("error of the value, by features", "along the batch, 16 latent dimensions", "along the latent, batch 512")
    figure = make_subplots(rows=1, cols=3, subplot_titles=titles, horizontal_spacing=0.09)
    colours = dict(zip(WAYS, (ink["text"], ink["accent"], ink["muted"]), strict=True))
    for (lam, own), dash in zip(figures["error"].items(), ("solid", "dash"), strict=True):
        values = [100 * own[str(n)] for n in FEATURES]
        line = {"color": ink["accent"], "dash": dash}
        figure.add_scatter(x=FEATURES, y=values, line=line, mode="lines+markers", showlegend=False, row=1, col=1)
        place = {"x": np.log10(FEATURES[0]), "y": np.log10(values[0])}
        figure.add_annotation(**place, text=f"λ = {lam}", yshift=14, row=1, col=1)
    for column, sizes, name in ((2, BATCHES, "batch"), (3, LATENTS, "latent")):
        for way, values in figures[name].items():
            line = {"color": colours[way], "width": 2.5}
            legend = {"name": way, "showlegend": column == 2}
            figure.add_scatter(x=sizes, y=values, line=line, mode="lines+markers", **legend, row=1, col=column)
    figure.update_annotations(showarrow=False, font_size=12)
    figure.update_xaxes(type="log", dtick=1, gridcolor=ink["grid"])
    figure.update_yaxes(type="log", dtick=1, gridcolor=ink["grid"])
    figure.update_yaxes(tickvals=[2, 5, 10, 20], row=1, col=1)
    for column, (x, y) in enumerate(
        (("features", "relative error, %"), ("rows in a batch", "ms, value and gradient"), ("latent dimensions", "ms")),
        1,
    ):
        figure.update_xaxes(title_text=x, row=1, col=column)
        figure.update_yaxes(title_text=y, row=1, col=column)
    return figure.update_layout(
        width=1200,
        height=400,
        legend={"orientation": "h", "x": 1, "xanchor": "right", "y": 1.2},
        font={"family": FONT, "color": ink["text"], "size": 12},
        paper_bgcolor=ink["panel"],
        plot_bgcolor=ink["panel"],
        margin={"l": 60, "r": 20, "t": 70, "b": 50},
    )


def photographed(figure: go.Figure, file: Path) -> None:
    """The figure as PNG, by a browser."""
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as folder, sync_playwright() as driver:
        page_file = Path(folder) / "figure.html"
        figure.write_html(page_file, include_plotlyjs=True, config={"displayModeBar": False})
        chromium = shutil.which("chromium") or shutil.which("chromium-browser")
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 1216, "height": 416}, device_scale_factor=1.5)
        page.goto(page_file.as_uri())
        page.locator(".main-svg").first.wait_for()
        page.locator(".plot-container").screenshot(path=file)
        browser.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--picture", type=Path)
    options = parser.parse_args()
    figures: dict[str, Any] = {
        "error": errors(),
        "batch": costs([(batch, 16) for batch in BATCHES], options.rounds),
        "latent": costs([(512, latent) for latent in LATENTS], options.rounds),
    }
    for name, sizes in (("batch", BATCHES), ("latent", LATENTS)):
        figures[f"{name}_exponent"] = {way: exponent(sizes, values) for way, values in figures[name].items()}
        print(f"{name:>8}  " + "  ".join(f"{way:>14}" for way in WAYS) + "   exact / features")
        for at, size in enumerate(sizes):
            row = [figures[name][way][at] for way in WAYS]
            print(f"{size:8}  " + "  ".join(f"{value:11.2f} ms" for value in row) + f"   {row[0] / row[1]:16.1f}")
        print("exponent  " + "  ".join(f"{figures[f'{name}_exponent'][way]:14.2f}" for way in WAYS))
    for lam, own in figures["error"].items():
        told = ", ".join(f"{n}: {100 * own[str(n)]:.0f} %" for n in FEATURES)
        print(f"λ = {lam}: MMD² {own['exact']:.4f}; relative error by features {told}")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1))
    if options.picture:
        photographed(drawn(figures), options.picture)


if __name__ == "__main__":
    main()
