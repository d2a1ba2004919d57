"""A Jupyter notebook that trains a run again, compares the figures, and draws its three main pictures.

It needs this program and Plotly, which it draws with; the whole configuration is inside. Of a person's table it asks
for the file, and goes on only with the rows that the run was trained on.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from crl_core.data.tables.source import TableSource
from crl_core.events import finite
from crl_core.export.checkpoint import citation
from crl_core.metrics import METRIC
from crl_core.results import RunResult

_IMPORTS = """\
import json

import numpy as np
import plotly.graph_objects as go

from crl_core import RunConfig, train
from crl_core.measures.projection import pca_path
from crl_core.results import predict, view_rows"""

_TRAIN = """\
config = RunConfig.from_json(CONFIG)
print("run", config.key)
result = train(config)  # about {seconds:.0f} s on {device}, where the run was made
print("took", round(result.seconds, 1), "s on", result.device)"""

_TABLE = """\
from pathlib import Path

from crl_core.data.tables.reading import read_table
from crl_core.data.tables.source import load_again
from crl_core.measures.average_effects import average_effects

FILE = ""  # the path of the table's file; where this is empty, it is asked for

table = RunConfig.from_json(CONFIG).table
load_again(table, read_table(Path(FILE or input(f"The file of {table.label}: ")).read_bytes()))
rows, _ = table.all_rows()
print(len(rows), "rows, the same as then")"""

_COMPARE = """\
recorded = np.array(json.loads(RECORDED), dtype=float)  # WORD of every model when the run was made
difference = np.nanmax(np.abs(result.NAME - recorded)) if np.isfinite(recorded).any() else 0.0
print(f"largest difference of any model's WORD from the record: {difference:.2g}")
# The same machine and libraries give 0; another processor or version rounds differently,
# and training carries that on."""

_LAMS = """\
lams = np.array(result.lams)
shown = [f"{lam:g}" for lam in lams]  # λ as a category, since λ = 0 has no place on a log axis
"""

_ERROR = """\
error = result.by_lam(result.ite_rmse)  # [replicates, λ]
figure = go.Figure(go.Scatter(x=shown, y=np.median(error, axis=0), name="median", mode="lines+markers"))
for name, edge in (("smallest", error.min(axis=0)), ("largest", error.max(axis=0))):
    figure.add_scatter(x=shown, y=edge, name=name, mode="lines", line={"dash": "dot", "width": 1})
figure.update_layout(title="Counterfactual error along λ", xaxis_title="λ", yaxis_title="ITE RMSE (held out)")
figure.show()"""

_AVERAGES = """\
found = average_effects(result, rows)
figure = go.Figure(go.Scatter(x=shown, y=found.ate.mean(axis=0), mode="lines+markers"))
figure.add_hline(
    y=rows.y[rows.t == 1].mean() - rows.y[rows.t == 0].mean(), line_dash="dot", annotation_text="difference in means"
)
figure.update_layout(title="Average effect along λ", xaxis_title="λ", yaxis_title="mean of the fits")
figure.show()
print("λ of least validation error:", found.lam)"""

_MMD = """\
mmd2 = result.history["mmd2"].reshape(config.training.epochs, config.training.replicates, len(lams))
epochs = np.arange(1, config.training.epochs + 1)
figure = go.Figure()
for index, name in enumerate(shown):
    figure.add_scatter(x=epochs, y=np.median(mmd2[:, :, index], axis=1), name=f"λ = {name}", mode="lines")
figure.update_layout(title="MMD² while training", xaxis_title="epoch", yaxis_title="MMD² (held out, median)")
figure.show()"""

_LATENTS = """\
view = view_rows(config)  # held-out rows of replicate 0
weights = {name: value[: len(lams)] for name, value in result.weights.items()}
phi, y0_hat, y1_hat = predict(weights, view.x)
# [λ, rows, 2]; each λ turned onto its neighbour. For t-SNE: crl_core.measures.projection.project_run(result)
xy = pca_path(phi)
figure = go.Figure()
for env in np.unique(view.env):
    rows = view.env == env
    figure.add_scatter(x=xy[0][rows, 0], y=xy[0][rows, 1], name=f"environment {env + 1}", mode="markers")
steps = [
    {"label": name, "method": "restyle", "args": [{
        "x": [xy[i][view.env == env, 0] for env in np.unique(view.env)],
        "y": [xy[i][view.env == env, 1] for env in np.unique(view.env)],
    }]}
    for i, name in enumerate(shown)
]
figure.update_layout(title="Latents, aligned along λ (PCA)", sliders=[
    {"steps": steps, "currentvalue": {"prefix": "λ = "}}
])
figure.show()"""


def notebook(result: RunResult, created: float) -> str:
    """The .ipynb as text, in nbformat 4.5, without the effect error where the truth is not known.

    created: when the run was made, seconds since 1970.
    """
    truth, table = result.ite_rmse is not None, isinstance(result.config.table, TableSource)
    checked = METRIC["ite_rmse" if truth else "factual_mse"]
    recorded = json.dumps(finite(getattr(result, checked.name)))
    drawn = [_code(_LAMS.rstrip())]
    if truth:
        drawn += [_markdown("## Counterfactual error against λ"), _code(_ERROR)]
    if table:
        drawn += [_markdown("## Average effects against λ"), _code(_AVERAGES)]
    cells = [
        _markdown(
            f"# Run {result.config.key}\n\n"
            "Trains the run again from its configuration and draws it. Start Jupyter in the folder of CRL Explorer, "
            "with its "
            f"requirements installed, and run all cells.{_needs(result)}\n\n```\n" + citation(result, created) + "```"
        ),
        _code(_IMPORTS),
        _code(f'CONFIG = r"""{result.config.to_json(indent=1)}"""\nRECORDED = "{recorded}"'),
        *([_markdown("## The table"), _code(_TABLE)] if table else ()),
        _code(_TRAIN.format(seconds=max(1.0, result.seconds), device=result.device)),
        _code(_COMPARE.replace("NAME", checked.name).replace("WORD", checked.word)),
        *drawn,
        _markdown("## MMD² between what is aligned"),
        _code(_MMD),
        _markdown("## Latents"),
        _code(_LATENTS),
    ]
    content = {
        "cells": [
            cell | {"id": hashlib.sha256(f"{place}{cell['source']}".encode()).hexdigest()[:8]}
            for place, cell in enumerate(cells)
        ],
        "metadata": {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def _needs(result: RunResult) -> str:
    """What else has to be there, since it is not in the notebook."""
    table = result.config.table
    if table is None:
        return ""
    if isinstance(table, TableSource):
        return " It asks for the file of its table, which is not in here."
    return f" Its rows come from the table “{table.label}”, which is not in here: load it in the first cell."


def _markdown(text: str) -> dict[str, Any]:
    return {"cell_type": "markdown", "metadata": {}, "source": text.splitlines(keepends=True)}


def _code(text: str) -> dict[str, Any]:
    lines = text.splitlines(keepends=True)
    return {"cell_type": "code", "execution_count": None, "metadata": {}, "outputs": [], "source": lines}
