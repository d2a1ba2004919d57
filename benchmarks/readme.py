"""Fill the README's tables from what was measured: python benchmarks/readme.py [--check]

presets, claims, penalties, unit tests, identify: from cache/baked (`python -m crl_core bake`); real data: from
benchmarks/real_data.json, which `ihdp.py` and `jobs.py` write with --json; machine doses: from
benchmarks/machine_doses.json, which `machine_doses.py` writes; speed: from benchmarks/figures.json, which
`--speed FILE …` fills from the JSON that the benchmarks write, several runs of one by their median and range. With
--check nothing is written, and the exit status is 1 if a table is not what it would be.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks import machine_doses
from benchmarks.tables import fill
from benchmarks.targets import kept
from benchmarks.targets import markdown as targets_markdown
from crl_core.config.penalty_words import PENALTY_WORDS
from crl_core.config.presets import PRESETS
from crl_core.identify.method_words import METHOD_WORDS
from crl_core.identify.presets import LATENT_PRESETS
from crl_core.identify.shipped import coordinates, of_method, shipped
from crl_core.studies.claims_run import baked_claims
from crl_core.studies.penalties import baked_contests
from crl_core.studies.preset_verdicts import baked_verdicts
from crl_core.studies.unit_tests import baked_unit_tests
from crl_core.studies.unit_tests_table import markdown

ROOT = Path(__file__).parents[1]
FIGURES = ROOT / "benchmarks" / "figures.json"
MACHINE_DOSES = ROOT / "benchmarks" / "machine_doses.json"
REAL_DATA = ROOT / "benchmarks" / "real_data.json"
# figure in the JSON -> what it is, its budget, how it is written
SPEED = {
    "one_model_vs_lightning": (
        "one model, 50 epochs of the recipe, against PyTorch Lightning",
        "≥ 8×",
        "{:.1f}×",
    ),
    "path_per_model_vs_lightning": ("a model of the 16-λ path against Lightning", "≥ 25×", "{:.0f}×"),
    "path_vs_bare_products": ("the path against its bare matrix products", "≤ 2×", "{:.1f}×"),
    "click_to_point_warm_s": (
        "Train clicked → first point on the page (48 models), worker warm, p50 of ten clicks",
        "≤ 0.5 s",
        "{:.2f} s",
    ),
    "click_to_point_warm_p95_s": ("the same, p95", "", "{:.2f} s"),
    "click_to_point_cold_s": (
        "Train clicked at once on a fresh server → first point on the page, p50 of ten servers",
        "≤ 4 s",
        "{:.1f} s",
    ),
    "click_to_point_cold_p95_s": ("the same, p95", "", "{:.1f} s"),
    "first_page_s": (
        "first page of a fresh server, by a browser that never saw it → chart drawn, p50 of ten servers",
        "≤ 1.5 s",
        "{:.2f} s",
    ),
    "second_page_s": ("the same page again, by another such browser", "", "{:.2f} s"),
    "watching_share": (
        "looks at a run while it trains, share of the training's processor time",
        "≤ 5 %",
        "{:.1f} %",
    ),
    "look_kb": ("a line that a look writes, at most", "≤ 10 kB", "{:.1f} kB"),
    "import_s": ("`import crl_core` in a fresh process", "≤ 0.15 s", "{:.2f} s"),
    "open_stored_run_cold_s": ("opening a stored run in a fresh process, without torch", "≤ 3 s", "{:.2f} s"),
    "worker_mb": ("memory of the worker after a default run", "≤ 700 MB", "{:.0f} MB"),
    "server_mb": ("memory of the server with one visitor", "≤ 300 MB", "{:.0f} MB"),
    "latency_p50_ms": ("λ dragged: pointer move → paint, p50 (1,500 points a view)", "", "{:.0f} ms"),
    "latency_p95_ms": ("λ dragged: pointer move → paint, p95", "≤ 50 ms", "{:.0f} ms"),
    "heap_before_mb": ("memory of the page before 1,000 drags", "", "{:.1f} MB"),
    "heap_after_mb": ("memory of the page after them", "the same", "{:.1f} MB"),
    "longest_task_ms": ("longest task of the page while dragging", "≤ 100 ms", "{:.0f} ms"),
    "payload_mb": ("what is sent for 16 λ × 1,500 points", "≤ 3 MB", "{:.2f} MB"),
    "ready_s": ("component ready after the page", "≤ 1.5 s", "{:.2f} s"),
    "slow_words_s": ("a first visit at 600 ms and 60 kB/s → words to read", "≤ 10 s", "{:.1f} s"),
    "slow_app_s": ("the same → the app's own words", "", "{:.0f} s"),
    "slow_lecture_s": ("the same → the lecture drawn", "≤ 30 s", "{:.0f} s"),
    "slow_files_kb": ("files sent until then", "≤ 720 kB", "{:.0f} kB"),
    "pass_recipe_2_lams_lightning_ratio": (
        "a claims pass of 2 λ × 10 seeds, batched, against one after the other in Lightning",
        "≥ 10×",
        "{:.0f}×",
    ),
    "pass_recipe_2_lams_here_ratio": ("the same against one after the other here", "≥ 10×", "{:.1f}×"),
    "pass_leaky_9_lams_here_ratio": (
        "a pass of 9 λ × 10 seeds, batched, against one after the other here",
        "≥ 10×",
        "{:.1f}×",
    ),
    "library_open_warm_s": ("Library page with 2,000 runs, opened again", "≤ 1 s", "{:.2f} s"),
    "library_from_folders_s": (
        "the same list made anew from 2,000 folders, without the index",
        "",
        "{:.2f} s",
    ),
    "library_filter_ms": ("a word typed into its search", "≤ 200 ms", "{:.0f} ms"),
    "compare_lam_p50_ms": (
        "Compare with four runs: λ changed → all figures made, p50",
        "≤ 250 ms",
        "{:.0f} ms",
    ),
    "compare_lam_painted_p50_ms": (
        "the same until a browser that draws in software has painted them",
        "",
        "{:.0f} ms",
    ),
    "unseen_permutations_s": (
        "1,000 relabellings of 200 + 300 latents for all 16 models of a path",
        "≤ 1 s",
        "{:.2f} s",
    ),
    "unseen_permutations_ratio": ("the same against one relabelling after the other", "", "{:.0f}×"),
    "unseen_dose_p50_ms": ("Unseen environment: a step of the dose, p50", "≤ 200 ms", "{:.0f} ms"),
    "penalty_mmd_multi_ratio": (
        "a path of MMD² with three bandwidths, against MMD²",
        "≤ 2×",
        "{:.1f}×",
    ),
    "penalty_wasserstein_ratio": ("sliced Wasserstein, against MMD²", "≤ 4×", "{:.1f}×"),
    "penalty_adversarial_ratio": ("domain-adversarial, against MMD²", "≤ 4×", "{:.1f}×"),
    "penalty_contrastive_ratio": ("contrastive pairs, against MMD²", "≤ 2×", "{:.1f}×"),
    "penalty_eight_paths_min": ("eight penalties × 16 λ × 3 replicates, 20 epochs", "≤ 8 min", "{:.1f} min"),
    "identify_click_cpu_s": ("Identifiability: one click, three restarts, CPU seconds", "≤ 10 s", "{:.1f} s"),
    "identify_batched_ratio": (
        "10 seeds × 3 restarts side by side, against one after the other",
        "≥ 8×",
        "{:.1f}×",
    ),
    "int8_times_faster_than_eager": (
        "a row through ONNX int8 in process, against eager PyTorch",
        "≥ 5×",
        "{:.1f}×",
    ),
    "serve_p50_ms": ("the endpoint at 200 requests a second, p50", "≤ 10 ms", "{:.1f} ms"),
    "serve_p99_ms": ("the same, p99", "≤ 50 ms", "{:.1f} ms"),
    "load_p99_ms": ("p99 of ten minutes of it, one site of ten shifted", "≤ 50 ms", "{:.1f} ms"),
    "load_errors": ("errors in them", "0", "{:.0f}"),
    "load_memory_first_mb": ("memory of the endpoint in their first quarter", "", "{:.0f} MB"),
    "load_memory_last_mb": ("and in their last", "the same", "{:.0f} MB"),
    "serve_requests_a_second": ("requests a second of eight connections", "", "{:,.0f}"),
    "plain_requests_a_second": ("the same of plain FastAPI with eager PyTorch", "", "{:,.0f}"),
    "mlserver_requests_a_second": ("the same of MLServer in its default setting", "", "{:,.0f}"),
    "evidence_share": (
        "probes, baselines and overlap, share of a default run's training time",
        "≤ 25 %",
        "{:.0%}",
    ),
    "traces_10000_s": ("10,000 traces of 128 samples recorded, processor seconds", "≤ 0.3 s", "{:.2f} s"),
    "traces_path_ratio": (
        "a path of 48 models on 4,000 traces of 128 samples, against the same on 25 covariates",
        "≤ 2×",
        "{:.1f}×",
    ),
    "traces_path_mb": ("memory that the path on traces takes beyond the other's", "", "{:.0f} MB"),
    "convolution_ratio": ("a path on traces with the encoder conv1d, against the MLP", "", "{:.1f}×"),
    "convolution_mb": ("memory that it takes beyond the MLP's", "", "{:.0f} MB"),
}


def presets_table() -> str:
    measured = baked_verdicts(ROOT / "cache" / "baked")
    assert measured, "cache/baked has no presets.json"
    one = next(iter(measured.values()))
    lines = [
        "ITE RMSE on held-out rows (of a label the share that is wrong in a next hospital), medians over seeds "
        f"{one.first_seed} to {one.first_seed + one.seeds - 1}; ratios "
        "with their 95 % interval (`python -m crl_core presets --measure`):",
        "",
        "| preset | verdict | λ = 0 | chosen λ | there | oracle's λ | best baseline | there / λ = 0 | there / best |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name, item in measured.items():
        zero, picked, best = item.medians
        ratios = ("{:.2f} [{:.2f}, {:.2f}]".format(*item.ratio(o)) for o in (item.at_zero, item.of_baseline))
        lines.append(
            f"| `{name}` | {PRESETS[name].verdict} | {zero:.3f} | {np.nanmedian(item.lam):g} | {picked:.3f} | "
            f"{np.median(item.at_best):.3f} | {best:.3f} ({item.usual_baseline}) | {' | '.join(ratios)} |"
        )
    return "\n".join(lines)


def _spread(values: np.ndarray) -> str:
    return f"{np.nanmedian(values):.3f} [{np.nanmin(values):.3f}, {np.nanmax(values):.3f}]"


def claims_table() -> str:
    content = baked_claims(ROOT / "cache" / "baked")
    assert content is not None, "cache/baked has no claims.json"
    more = {claim["lab"]: len(claim["measured"]) for claim in content["claims"] if "lab" in claim}
    others = "".join(f"; {lab}: {seeds} seeds" for lab, seeds in more.items() if seeds != content["seeds"])
    lines = [
        f"The claims, as measured by `python -m crl_core claims --seeds {content['seeds']}` "
        f"(median over seeds and its bootstrap interval{others}):",
        "",
        "| claim | world or laboratory | median [interval] | threshold | verdict |",
        "|---|---|---|---|---|",
    ]
    for claim in content["claims"]:
        low, high = claim["interval"]
        where = claim.get("lab") or claim["preset"]
        lines.append(
            f"| {claim['statement']} | `{where}` | {_figure(claim['median'])} [{_figure(low)}, {_figure(high)}] | "
            f"{claim['holds_if']} {claim['threshold']:g} | **{claim['verdict']}** |"
        )
    return "\n".join(lines)


def _figure(value: float | None) -> str:
    return "∞" if value is None else f"{value:.3g}"


def penalties_table() -> str:
    contests = baked_contests(ROOT / "cache" / "baked")
    assert contests, "cache/baked has no penalties.json"
    worlds = [
        c.setting.preset + (f", means of z ±{c.setting.gap:g}" if c.setting.gap is not None else "") for c in contests
    ]
    first = contests[0].setting
    lines = [
        f"ITE RMSE at each one's own best λ / at the blind choice, medians over {first.seeds} seeds, {first.epochs} "
        f"epochs, "
        f"{first.shared} shared units (`python -m crl_core bake --only penalties`):",
        "",
        f"| penalty | {' | '.join(worlds)} |",
        "|---" * (len(worlds) + 1) + "|",
        "| none (λ = 0) | " + " | ".join(f"{np.median(c.of('mmd').error('at_zero')):.3f}" for c in contests) + " |",
    ]
    for name, words in PENALTY_WORDS.items():
        cells = [
            " / ".join(f"{np.median(c.of(name).error(where)):.3f}" for where in ("at_best", "at_blind"))
            for c in contests
        ]
        lines.append(f"| {words.short} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def unit_tests_table() -> str:
    found = baked_unit_tests(ROOT / "cache" / "baked")
    assert found is not None
    return markdown(found)


def identify_table() -> str:
    content = shipped(ROOT / "cache" / "baked")
    assert content is not None, "cache/baked has no identify.json"
    lines = [
        f"Medians [smallest, largest] over {content['seeds']} seeds (`python -m crl_core bake --only identify`):",
        "",
        "| world | method | MCC | each latent | MCC against noises | linear R² | chance |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, rows in content["worlds"].items():
        for method in dict.fromkeys(row["method"] for row in rows):
            mcc = of_method(rows, method)
            each = " ".join(f"{v:.2f}" for v in np.median(coordinates(rows, method), axis=0))
            noise, r2 = (float(np.nanmedian(of_method(rows, method, field))) for field in ("mcc_noise", "r2"))
            floor = float(np.median([row["floor"] for row in rows]))
            lines.append(
                f"| {LATENT_PRESETS[name].title} | {METHOD_WORDS[method].short} | {_spread(mcc)} | {each} | "
                f"{noise:.3f} | {r2:.2f} | {floor:.2f} |"
            )
    return "\n".join(lines)


def real_data_table() -> str:
    return targets_markdown(kept(REAL_DATA))


def machine_doses_table() -> str:
    return machine_doses.markdown(json.loads(MACHINE_DOSES.read_text(encoding="utf-8")))


def _measured(values: float | list[float], form: str) -> str:
    """A figure; of several runs the median, and between which they lie."""
    if not isinstance(values, list):
        return form.format(values)
    return f"{form.format(np.median(values))} ({form.format(min(values))} to {form.format(max(values))})"


def speed_table() -> str:
    figures = json.loads(FIGURES.read_text(encoding="utf-8"))
    lines = ["| what | budget | measured |", "|---|---|---|"]
    for name, (what, budget, form) in SPEED.items():
        if name in figures:
            lines.append(f"| {what} | {budget} | {_measured(figures[name], form)} |")
    return "\n".join(lines)


TABLES = {
    "presets": presets_table,
    "claims": claims_table,
    "penalties": penalties_table,
    "unit-tests": unit_tests_table,
    "identify": identify_table,
    "machine-doses": machine_doses_table,
    "real-data": real_data_table,
    "speed": speed_table,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--speed", nargs="+", type=Path, default=[], metavar="FILE")
    options = parser.parse_args()
    if options.speed:
        known: dict[str, Any] = json.loads(FIGURES.read_text()) if FIGURES.exists() else {}
        runs = [json.loads(file.read_text()) for file in options.speed]
        for name in {name for run in runs for name in run}:
            values = [run[name] for run in runs if name in run]
            known[name] = values if len(values) > 1 else values[0]
        FIGURES.write_text(json.dumps({k: v for k, v in sorted(known.items()) if k in SPEED}, indent=1) + "\n")
    return fill(ROOT / "README.md", TABLES, check=options.check)


if __name__ == "__main__":
    sys.exit(main())
