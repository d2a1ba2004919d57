"""Stored runs as a table: how each differs from its preset, and its main figures."""

from __future__ import annotations

import time

import pandas as pd

from crl_core.config import RunConfig
from crl_core.presets import PRESETS
from crl_core.runs import RunSummary
from pages.shared import style
from pages.shared.fields import describe, lam_text, values_of

_OWN_COLUMNS = frozenset(
    {"epochs", "samples", "replicates", "envs"} | {f"sigma{env}" for env in range(1, 11)}
)


def table(runs: list[RunSummary], shown: RunConfig | None) -> pd.DataFrame:
    """One row a run."""
    return pd.DataFrame([_row(run, shown) for run in runs])


def _row(run: RunSummary, shown: RunConfig | None) -> dict[str, object]:
    config, best = run.config, run.best()
    preset_id, values = describe(config)
    home = values_of(PRESETS[preset_id].config)
    changed = [f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}"
               for name, value in values.items() if value != home.get(name, value) and name not in _OWN_COLUMNS]  # fmt: skip
    without = run.ite_rmse[0] if run.lams[0] == 0 else None
    factual = [value for value in run.factual_mse if value is not None]
    return {
        "View": "●" if shown is not None and run.key == shown.key else "",
        "Preset": preset_id,
        "Changed": ", ".join(changed) or "–",
        "σ": ", ".join(f"{sigma:g}" for sigma in config.scenario.sigma),
        "Epochs": config.training.epochs,
        "Samples": config.scenario.n_samples,
        "Replicates": config.training.replicates,
        "ITE RMSE": best[1] if best else None,
        "at λ": lam_text(best[0]) if best else "–",
        "at λ = 0": without,
        "Factual MSE": min(factual) if factual else None,
        "Took": style.duration(run.seconds),
        "Device": run.device,
        "Trained": time.strftime("%d %b %H:%M", time.localtime(run.created)),
    }


_OWN_COLUMNS = frozenset(
    {"epochs", "samples", "replicates", "envs"} | {f"sigma{env}" for env in range(1, 11)}
)
