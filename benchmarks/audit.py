"""The audit's tables made anew, for docs/audit.md: python benchmarks/audit.py [--train FILE] [--seeds 10] [--check]

baselines:    each preset's networks beside every baseline (the baked runs).
told apart:   what classifiers, probes and slopes say of the latent at λ = 0 and at the chosen λ (the baked runs).
weight decay: ITE RMSE with raw and with standardised inputs and three weight decays, over seeds that no preset was
              made on. --train FILE measures it (minutes a preset) and keeps the figures in FILE; a preset that FILE
              holds is not trained again. Without it the figures are those of benchmarks/audit.json.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np

from benchmarks.tables import fill
from crl_core.config.presets import PRESETS
from crl_core.config.text import altered
from crl_core.measures.baselines import best_first, medians
from crl_core.measures.lam_choice import chosen, picked_by
from crl_core.measures.selection import largest_affordable
from crl_core.results import RunResult
from crl_core.runs.store import RunStore

ROOT = Path(__file__).parents[1]
TEXT, FIGURES = ROOT / "docs" / "audit.md", ROOT / "benchmarks" / "audit.json"
FIRST_SEED, LAMS = 1000, (0.0, 0.1, 1.0, 10.0)
WAYS = {"raw": (False, (0.0,)), "standardised": (True, (0.0, 1e-3, 1e-2))}
RULES = {"factual": "least factual", "largest": "largest within twice", "auc": "least AUC"}


def _stored(name: str) -> tuple[RunResult, dict[str, np.ndarray]]:
    store = RunStore(ROOT / "cache" / "baked" / "none", baked=ROOT / "cache" / "baked")
    key = PRESETS[name].config.key
    evidence = store.part(key, "evidence")
    assert evidence is not None, f"{name} has no evidence; bake it"
    return store.load(key), evidence


def baselines_table() -> str:
    """Medians over the replicates of the baked runs."""
    lines = [
        "| preset | λ = 0 | oracle λ | " + " | ".join(RULES.values()) + " | best baselines |",
        "|---" * (4 + len(RULES)) + "|",
    ]
    for name in (name for name, item in PRESETS.items() if not item.config.source.two_outcomes):  # of effects
        result, evidence = _stored(name)
        error = result.by_lam(result.ite_rmse)
        cells = [f"{np.median(error[:, 0]):.3f}", f"{np.min(np.median(error, axis=0)):.3f}"]
        for rule in RULES:
            picked = chosen(rule, picked_by(rule, evidence), error).ite_rmse
            cells.append("not defined" if np.isnan(picked).all() else f"{np.nanmedian(picked):.3f}")
        best = [f"{item.name} {item.ite_rmse:.3f}" for item in best_first(medians(evidence))[:2]]
        lines.append(f"| `{name}` | " + " | ".join(cells) + f" | {'; '.join(best)} |")
    return "\n".join(lines)


def told_apart_table() -> str:
    """Medians over the replicates of the baked runs, at λ = 0 → at the λ that "largest within twice" picks."""
    columns = {
        "domain_auc_knn": "AUC, neighbours",
        "domain_auc_ridge": "AUC, ridge",
        "domain_auc_boosting": "AUC, boosting",
        "r2_s_ridge": "R² of s, ridge",
        "use_effect_rms": "slope of τ̂ on s",
        "use_outcome_rms": "slope of ŷ on s",
        "effective_rank": "effective rank",
    }
    lines = ["| preset | λ | " + " | ".join(columns.values()) + " |", "|---" * (2 + len(columns)) + "|"]
    for name in PRESETS:
        result, evidence = _stored(name)
        at = picked_by("largest", evidence)
        rows = np.arange(len(at))
        cells = []
        for column in columns:
            values = result.by_lam(evidence[column])
            cells.append(f"{np.median(values[:, 0]):.2f} → {np.median(values[rows, at]):.2f}")
        lines.append(f"| `{name}` | {np.median(np.array(result.lams)[at]):g} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def measure(names: list[str], seeds: int, file: Path) -> None:
    """ITE RMSE and factual error [λ, R] of each preset in each way, into the file."""
    from crl_core import train  # torch, loaded only where something is measured

    found: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {}
    for name in (name for name in names if name not in found):
        ways: dict[str, Any] = {}
        for way, (standardise, decays) in WAYS.items():
            for decay in decays:
                config = altered(
                    PRESETS[name].config,
                    lams=LAMS,
                    replicates=seeds,
                    seed=FIRST_SEED,
                    standardise=standardise,
                    weight_decay=decay,
                )
                result = train(config)
                ways[f"{way}, {decay:g}"] = {
                    what: np.round(result.by_lam(getattr(result, what)).T, 5).tolist()
                    for what in ("ite_rmse", "factual_mse")
                }
                print(name, way, decay, file=sys.stderr, flush=True)
        found[name] = ways
        file.write_text(json.dumps(found) + "\n")


def weight_decay_table() -> str:
    """Medians over seeds: at λ = 0 and at the λ chosen without the truth; in brackets the factual error at λ = 0."""
    found: dict[str, Any] = json.loads(FIGURES.read_text())
    ways = list(next(iter(found.values())))
    lines = ["| preset | " + " | ".join(ways) + " |", "|---" * (1 + len(ways)) + "|"]
    for name, by_way in found.items():
        cells = []
        for way in ways:
            error, factual = (np.array(by_way[way][what], dtype=float) for what in ("ite_rmse", "factual_mse"))
            picked = error[largest_affordable(factual.T), np.arange(error.shape[1])]
            cells.append(f"{np.median(error[0]):.3f} → {np.median(picked):.3f} ({np.median(factual[0]):.2g})")
        lines.append(f"| `{name}` | " + " | ".join(cells) + " |")
    return "\n".join(lines)


TABLES = {"baselines": baselines_table, "told-apart": told_apart_table, "weight-decay": weight_decay_table}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--train", type=Path, metavar="FILE")
    parser.add_argument("--only", nargs="+", default=list(PRESETS), metavar="NAME")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit status 1 if a table is not as written"
    )
    options = parser.parse_args()
    if options.train:
        measure(options.only, options.seeds, options.train)
        return 0
    return fill(TEXT, TABLES, check=options.check)


if __name__ == "__main__":
    sys.exit(main())
