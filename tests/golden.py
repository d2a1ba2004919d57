"""Golden results: what small runs of every preset gave when they were last looked at. `python -m tests.golden`

Prints what differs from `golden.json` beyond the tolerance. A change of the recipe changes them on purpose: raise
RECIPE_VERSION, write them anew with `python -m tests.golden --write`, and say in the commit why they moved.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from crl_core import RunConfig, train
from crl_core.config import RECIPE_VERSION
from crl_core.config.presets import PRESETS
from crl_core.results import RunResult

FILE = Path(__file__).with_name("golden.json")
FIGURES = ("factual_mse", "mmd2", "ite_rmse", "ate_error")
TOLERANCE = 2e-3  # relative: other processors add in another order, and training carries that on


def small(name: str) -> RunConfig:
    """A preset with few rows, epochs and λ, as trained in a second."""
    config = PRESETS[name].config
    training = replace(
        config.training, lams=(0.0, 1.0), replicates=1, epochs=3, device="cpu", hidden=min(config.training.hidden, 32)
    )
    return replace(config, scenario=replace(config.scenario, n_samples=600), training=training)


def figures(result: RunResult) -> dict[str, list[float | None]]:
    found = {}
    for name in FIGURES:
        values = getattr(result, name)
        if values is not None:
            found[name] = [float(f"{value:.6g}") if np.isfinite(value) else None for value in values]
    return found


def differences(name: str, found: dict[str, list[float | None]], golden: dict[str, list[float | None]]) -> list[str]:
    """What is not as it was, a line each."""
    said = []
    for figure in sorted({*found, *golden}):
        was, is_ = golden.get(figure), found.get(figure)
        same = (
            was is not None
            and is_ is not None
            and np.allclose(np.array(was, float), np.array(is_, float), TOLERANCE, 1e-6, equal_nan=True)
        )
        if not same:
            said.append(f"{name}: {figure} was {was} and is {is_}")
    return said


def read() -> dict[str, dict[str, list[float | None]]]:
    content = json.loads(FILE.read_text(encoding="utf-8"))
    if content["recipe_version"] != RECIPE_VERSION:
        raise ValueError("the recipe has another version; look at the numbers, then python -m tests.golden --write")
    results: dict[str, dict[str, list[float | None]]] = content["results"]
    return results


def main() -> int:
    found = {name: figures(train(small(name))) for name in PRESETS}
    if "--write" in sys.argv:
        lines = [f"    {json.dumps(name)}: {json.dumps(values)}" for name, values in found.items()]
        head = f'{{\n  "recipe_version": {json.dumps(RECIPE_VERSION)},\n  "results": {{\n'
        text = head + ",\n".join(lines) + "\n  }\n}\n"
        FILE.write_text(text, encoding="utf-8")
        return 0
    said = [line for name, values in found.items() for line in differences(name, values, read()[name])]
    print("\n".join(said) or f"{len(found)} presets give what they gave.")
    return bool(said)


if __name__ == "__main__":
    sys.exit(main())
