"""The figures of a run as one file: everything in it, nothing fetched, every figure with its way to SVG and PNG."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from crl_core import PRESETS, RunStore, train
from crl_core.export.figure_page import figure_page, figures_of
from crl_core.results import RunResult
from tests.crl_core.made_up import tiny_config

NAMES = ("A", "B")


@pytest.fixture(scope="module")
def result() -> RunResult:
    return train(tiny_config())


def test_every_figure_of_a_baked_run_is_there_with_its_numbers() -> None:
    store, key = RunStore(), PRESETS["hospital"].config.key
    run = store.load(key)
    parts = {name: store.part(key, name) for name in ("projection", "evidence")}
    found = figures_of(run, run.lams[10], NAMES, parts)
    assert list(found) == [
        "effect-error",
        "factual-error",
        "mmd2",
        "domain-auc",
        "use-effect-rms",
        "generalisation-gap",
        "latents",
        "effects",
    ]
    drawn = found["latents"].data
    rows = sum(len(trace.x) for trace in drawn if trace.x is not None and len(trace.x) > 10)
    assert rows == len(parts["projection"]["tsne_x"])  # type: ignore[index]
    medians = np.median(run.by_lam(run.ite_rmse), axis=0)  # type: ignore[arg-type]
    curves = [np.asarray(trace.y, dtype=float) for trace in found["effect-error"].data if trace.y is not None]
    assert any(len(curve) == len(medians) and np.allclose(curve, medians, rtol=1e-4) for curve in curves)


def test_the_file_needs_no_network_and_offers_svg_and_png_of_each_figure(result: RunResult) -> None:
    html = figure_page(result, 1.0, NAMES, {})
    own = re.sub(r"<script>.*?</script>", "", html, count=1, flags=re.S)  # without the plotting library
    assert not re.findall(r"(?:src|href)=", own)
    assert own.count('data-format="svg"') == own.count('data-format="png"') == own.count("<section>") == 5
    assert result.config.key in own
    assert "python -m crl_core train" in own


def test_what_a_run_does_not_hold_is_left_out(result: RunResult) -> None:
    assert list(figures_of(result, 0.0, NAMES, {})) == [
        "effect-error",
        "factual-error",
        "mmd2",
        "generalisation-gap",
        "effects",
    ]
    unknown = replace(result, ite_rmse=None, ite_rmse_by_env=None, ate_error=None)
    assert "effect-error" not in figures_of(unknown, 0.0, NAMES, {})


def test_a_diverged_model_is_said_and_drawn_empty(result: RunResult) -> None:
    broken = {name: value * np.nan for name, value in result.weights.items()}
    html = figure_page(replace(result, weights=broken), 1.0, NAMES, {})
    assert "no estimates to draw" in html


def test_names_of_environments_cannot_carry_markup(result: RunResult, tmp_path: Path) -> None:
    html = figure_page(result, 1.0, ("<img src=x onerror=alert(1)>", "B"), {})
    assert "<img src=x" not in html.split("</head>")[1]
