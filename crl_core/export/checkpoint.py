"""Files of one run besides the bundle: a checkpoint for plain PyTorch, figures as CSV, how to cite it."""

from __future__ import annotations

import csv
import io
import math
import time
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from crl_core import network
from crl_core.config import RECIPE_VERSION, RunConfig, Scenario
from crl_core.config.penalty_words import PENALTY_WORDS
from crl_core.config.presets import PRESETS
from crl_core.config.text import nearest, preset_of, reproducing_command
from crl_core.data.digits import SIDE
from crl_core.data.ecg import R_AT
from crl_core.events import STATUS_WORDS
from crl_core.metrics import kept_in
from crl_core.network import CHANNELS, KERNELS, POOLED, STRIDE
from crl_core.results import RunResult
from crl_core.runs.bundle_arrays import to_safetensors

_LOADING = """\
from safetensors.torch import load_file
from torch import {names}

def mlp(*sizes):
    layers = [layer for n, m in zip(sizes, sizes[1:]) for layer in (nn.Linear(n, m), nn.ELU())]
    return nn.Sequential(*layers[:-1])
{also}
net = nn.ModuleDict({{"encoder": {encoder}, "control": mlp({head}), "treated": mlp({head})}})
net.load_state_dict(load_file("{file}"))
x = zeros(1, {dim_x})  # {columns}; as drawn, not standardised
phi = net["encoder"](x)
effect = {treated} - {control}  # the individual treatment effect of each row
"""
_CONVOLUTION = """
class MeanAndMax(nn.Module):
    def forward(self, rows):
        return cat([rows.mean(dim=-1), rows.amax(dim=-1)], dim=-1)

convolution = nn.Sequential(
    nn.Unflatten(-1, (1, {dim_x})),
{layers}
    MeanAndMax(),
    nn.Linear({pooled}, {latent}),
)
"""


# -- checkpoint --------------------------------------------------------------------------------------------------------


def file_stem(config: RunConfig) -> str:
    """The beginning of the names of a run's files."""
    return f"crl-{config.key}"


def checkpoint_name(result: RunResult, lam: float, replicate: int = 0) -> str:
    m = result.model(lam, replicate)
    return f"{file_stem(result.config)}-lambda-{result.lam[m]:g}-replicate-{replicate}.safetensors"


def state_dict(result: RunResult, lam: float, replicate: int = 0) -> dict[str, np.ndarray]:
    """`network.state_dict` of the model of one λ."""
    return network.state_dict(result.weights, _model(result, lam, replicate))


def loading_example(result: RunResult, lam: float, replicate: int = 0) -> str:
    """Python that rebuilds the network of `checkpoint` with torch and safetensors alone."""
    config = result.config
    hidden, latent, dim_x = config.training.hidden, config.training.latent_dim, config.dim_x
    outcome = 'net["{}"](phi)' + (".sigmoid()" if config.source.two_outcomes else "")
    slides = config.training.encoder == "conv1d"
    return _LOADING.format(
        names="cat, nn, zeros" if slides else "nn, zeros",
        also=_convolution(dim_x, latent) if slides else "",
        encoder="convolution" if slides else f"mlp({dim_x}, {hidden}, {hidden}, {latent})",
        head=f"{latent}, {hidden // 2}, 1",
        file=checkpoint_name(result, lam, replicate),
        dim_x=dim_x,
        columns=_columns(config),
        treated=outcome.format("treated"),
        control=outcome.format("control"),
    )


def _convolution(dim_x: int, latent: int) -> str:
    sizes = zip(CHANNELS, CHANNELS[1:], KERNELS, strict=False)
    layers = [
        f"    nn.Conv1d({given}, {made}, {kernel}, stride={STRIDE}),\n    nn.ELU()," for given, made, kernel in sizes
    ]
    return _CONVOLUTION.format(dim_x=dim_x, layers="\n".join(layers), pooled=POOLED, latent=latent)


def _columns(config: RunConfig) -> str:
    """What the columns of x are, in few words."""
    if config.table is not None:
        return ", ".join(config.table.features)
    scenario = config.scenario
    if scenario.observation == "ecg":
        return trace_said(scenario)
    if scenario.observation == "digits":
        return f"{scenario.dim_x} pixels, {SIDE} rows of {SIDE}, 0 to 1 before lamp and noise"
    if scenario.mixing != "none":
        return f"{scenario.dim_x} mixed covariates"
    return f"causal covariates ({scenario.dim_causal}), then spurious ({scenario.dim_spurious})"


def trace_said(scenario: Scenario) -> str:
    """What a row of samples is, for who sends one; "" where x is covariates."""
    if scenario.observation != "ecg":
        return ""
    beat = f"an R peak {1000 * R_AT:g} ms after the first"
    return f"{scenario.samples} samples of an ECG in mV, {scenario.rate:g} a second, {beat}"


def checkpoint(result: RunResult, lam: float, replicate: int = 0) -> bytes:
    """A safetensors file of one λ's network; its metadata say what it is and how it is loaded.

    Raises: ValueError if the model diverged (it has no weights) or there is no such replicate.
    """
    m = _model(result, lam, replicate)
    arrays = state_dict(result, lam, replicate)
    if not all(np.isfinite(array).all() for array in arrays.values()):
        raise ValueError(f"The model of λ = {result.lam[m]:g} diverged and has no weights; choose another λ.")
    metadata = {
        "format": "pt",
        "what": "CFRNet: outcome without treatment and with it, through one representation",
        "run": result.config.key,
        "lam": repr(float(result.lam[m])),
        "replicate": str(replicate),
        "status": STATUS_WORDS[int(result.status[m])],
        "config": result.config.to_json(),
        "reproduce": reproducing_command(result.config),
        "load": loading_example(result, lam, replicate),
    }
    return to_safetensors(arrays, metadata)


def _model(result: RunResult, lam: float, replicate: int) -> int:
    replicates = result.config.training.replicates
    if not 0 <= replicate < replicates:
        raise ValueError(f"replicate is {replicate}; it must be from 0 to {replicates - 1}.")
    return result.model(lam, replicate)


# -- tables ------------------------------------------------------------------------------------------------------------


def metrics_csv(result: RunResult, evidence: Mapping[str, np.ndarray] | None = None) -> str:
    """Final held-out figures as CSV, a line a model; an empty cell where there is no number.

    evidence: of the run, where it has one: its figures follow.
    """
    errors_first = sorted(kept_in("result"), key=lambda metric: not metric.unit)
    found = {metric.name: getattr(result, metric.name) for metric in errors_first}
    columns = {name: values for name, values in found.items() if values is not None}
    for name in (metric.name for metric in kept_in("by_env") if metric.name in columns):
        table = getattr(result, f"{name}_by_env")
        columns |= {f"{name}_env_{env + 1}": table[:, env] for env in range(table.shape[1])}
    columns |= {metric.name: getattr(result, metric.name) for metric in kept_in("derived")}
    columns |= {m.name: evidence[m.name] for m in kept_in("evidence") if evidence is not None and m.name in evidence}
    rows = (
        [
            result.lam[m],
            result.replicate[m],
            STATUS_WORDS[int(result.status[m])],
            *(v[m] for v in columns.values()),
        ]
        for m in range(len(result.lam))
    )
    return _csv(["lambda", "replicate", "status", *columns], rows)


def history_csv(result: RunResult) -> str:
    """Curves as CSV, a line an epoch and model; an empty cell where there is no number."""
    columns = {name: values for name, values in result.history.items() if name != "status"}
    epochs, models = result.history["loss"].shape
    rows = (
        [epoch + 1, result.lam[m], result.replicate[m], *(values[epoch, m] for values in columns.values())]
        for epoch in range(epochs)
        for m in range(models)
    )
    return _csv(["epoch", "lambda", "replicate", *columns], rows)


def _csv(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(header)
    writer.writerows([_cell(value) for value in row] for row in rows)
    return buffer.getvalue()


def _cell(value: object) -> object:
    """A number as text that reads back as the same number."""
    if isinstance(value, (float, np.floating)):
        return repr(float(value)) if math.isfinite(value) else ""
    return value


# -- citation ----------------------------------------------------------------------------------------------------------

AUTHORS = "CRL Explorer contributors"
_BIBTEX = str.maketrans(
    {sign: f"\\{sign}" for sign in "{}#$%&_"}
    | {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
)


def citation(result: RunResult, created: float, recipe_version: int = RECIPE_VERSION) -> str:
    """How to cite a run: by whom, what it is, and the command that makes it again.

    created: seconds since 1970.  recipe_version: the one that made the run.
    """
    config, training = result.config, result.config.training
    day = time.strftime("%Y-%m-%d", time.gmtime(created))
    models = (
        f"{len(training.lams)} λ × {training.replicates} replicates, {training.epochs} epochs, seed {training.seed}"
    )
    best = _least(result)
    return "\n".join(
        [
            f"{AUTHORS}: CRL Explorer, recipe version {recipe_version}, run {config.key_in(recipe_version)} "
            f"({_world(result)}), {day}.",
            f"CFRNets with λ·{PENALTY_WORDS[training.penalty].short} between "
            f"{'treatment arms' if training.align == 'treatment' else 'environments'}; {models}; "
            f"trained on {result.device}.",
            *([best] if best else []),
            f"Reproduce: {reproducing_command(config)}",
            "",
        ]
    )


def bibtex(result: RunResult, created: float, recipe_version: int = RECIPE_VERSION) -> str:
    """The same as an entry of a BibTeX file, in UTF-8; the version is the recipe's. Arguments as of `citation`."""
    key = result.config.key_in(recipe_version)
    year, month, day = time.strftime("%Y-%m-%d", time.gmtime(created)).split("-")
    fields = {
        "author": f"{{{AUTHORS}}}",
        "title": f"{{CRL Explorer}}, run {key}: {_world(result).translate(_BIBTEX)}",
        "version": f"recipe {recipe_version}",
        "year": year,
        "month": str(int(month)),
        "day": str(int(day)),
        "note": f"Reproduce: {reproducing_command(result.config)}".translate(_BIBTEX),
    }
    lines = ",\n".join(f"  {name} = {{{value}}}" for name, value in fields.items())
    return f"@software{{crl-explorer-{key},\n{lines}\n}}\n"


def _world(result: RunResult) -> str:
    """The title of the run's world, or what it is made of where it is none's."""
    config, name = result.config, preset_of(result.config)
    of_its_own = config.source.label if config.table is None else nearest(config)[0]
    return PRESETS[name].title if name else of_its_own


def _least(result: RunResult) -> str | None:
    if result.ite_rmse is None:
        return None
    by_lam = result.by_lam(result.ite_rmse)
    whole = np.isfinite(by_lam).all(axis=0)
    if not whole.any():
        return None
    medians = np.where(whole, np.median(np.where(whole, by_lam, np.inf), axis=0), np.inf)
    index = int(medians.argmin())
    error = f"{medians[index]:.4g} at λ = {result.lams[index]:g}"
    return f"Least held-out effect error (ITE RMSE, median over replicates): {error}."
