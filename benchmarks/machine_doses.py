"""Whether a monitor sees another machine, on the presets `filter` and `hum-label`: python benchmarks/machine_doses.py
[--json benchmarks/machine_doses.json] [--draws N]

Each machine's intervention along five doses, on the runs that come along: the share of batches of 200 rows on which a
test alarms, and how right the model is. `benchmarks/readme.py` puts the JSON into the README.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from crl_core import RunStore, preset
from crl_core.cli.table import text_table
from crl_core.data.interventions import OF_MACHINE
from crl_core.studies.along_dose import DRAWS, along_dose
from crl_core.studies.detection_rates import name_of

LAMS = {"filter": (0.0, 10.0), "hum-label": (0.0, 20.0)}
HEAD = ("preset", "λ", "the same hearts, with", "latent MMD² alarms", "residuals alarm", "how right")


def measured(draws: int) -> dict[str, list[dict[str, Any]]]:
    """By preset, what `along_dose` finds of every intervention on the machine at every λ of `LAMS`."""
    found: dict[str, list[dict[str, Any]]] = {}
    for name, lams in LAMS.items():
        run = RunStore().load(preset(name).key)
        found[name] = [asdict(along_dose(run, what, lam, draws=draws)) for what in OF_MACHINE for lam in lams]
    return found


def lines(found: dict[str, list[dict[str, Any]]]) -> list[tuple[str, ...]]:
    """A line for every preset, dose and λ."""
    return [
        (
            name,
            f"{item['lam']:g}",
            name_of(item["intervention"], dose),
            *(f"{100 * item['alarms'][test][at]:.0f} %" for test in ("pooled", "residuals")),
            right(item["right"], at),
        )
        for name, items in found.items()
        for item in items
        for at, dose in enumerate(item["doses"])
    ]


def right(values: dict[str, list[float]], at: int) -> str:
    if "ite_rmse" in values:
        return f"ITE RMSE {values['ite_rmse'][at]:.2f}"
    return f"{100 * values['accuracy'][at]:.0f} % right, AUC {values['auc'][at]:.2f}"


def markdown(found: dict[str, list[dict[str, Any]]]) -> str:
    """The README's table: the doses of a preset, λ and intervention side by side."""
    head = ("preset", "λ", "machine", "doses", "latent MMD² alarms", "residuals alarm", "how right")
    rows = [head, tuple("---" for _ in head)]
    for name, items in found.items():
        for item in items:
            word, values = next(iter(item["right"].items()))
            rows.append(
                (
                    f"`{name}`",
                    f"{item['lam']:g}",
                    item["intervention"],
                    _beside(item["doses"], "{:g}"),
                    *(f"{_beside(item['alarms'][test], '{:.0%}')}" for test in ("pooled", "residuals")),
                    f"{'ITE RMSE' if word == 'ite_rmse' else word} {_beside(values, '{:.2f}')}",
                )
            )
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _beside(values: list[float], form: str) -> str:
    return " · ".join(form.format(value) for value in values)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", metavar="FILE", type=Path)
    parser.add_argument("--draws", type=int, default=DRAWS)
    options = parser.parse_args()
    found = measured(options.draws)
    print(text_table(HEAD, lines(found)))
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
