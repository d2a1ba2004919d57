"""Effects on IHDP, where they are known: python benchmarks/ihdp.py --data FOLDER [--tables FOLDER] [--json FILE]

R1–R5, R9, R10: ihdp_npci_1-50.npz in the folder: 50 realisations, 747 rows, 25 covariates, officially 672 and 75.
R6, R9 new:     the trial's rows from the package econml, installed or in the other folder: see `ihdp_sites`.

ITE RMSE is √PEHE; "in" is on the rows that were trained on, "out" on those held out. A few realisations dominate every
mean, so that medians and counts stand beside it. Networks are trained as the program trains a table (`table_config`)
but for what a row says. No effect, and nothing of the held-out rows, chooses λ or when to stop.
"""

from __future__ import annotations

import argparse
import sys
from functools import lru_cache
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np

from benchmarks import ihdp_sites
from benchmarks.ihdp_sites import MOST_SD
from benchmarks.on_rows import Judged, Parts, cpu_seconds, effects_of, judged, results_on
from benchmarks.targets import Figure, Target, file_in, run
from crl_core import RunConfig
from crl_core.config.table import table_config
from crl_core.config.text import altered
from crl_core.data.scm import MultiEnvData
from crl_core.data.tables.columns import Raw
from crl_core.data.tables.making import table_source
from crl_core.measures.average_effects import average_effects, outcomes_at

FILE = "ihdp_npci_1-50.npz"
QUICK = {"steps": 50, "lams": (0.0, 1.0)}
FITS, MANY_FITS, SIGMAS = 5, 20, 1.64  # fits that are averaged; for a spread; how many of it make 90 % of a normal


def realisations(folder: str | None) -> list[Parts]:
    """Training and held-out rows of each, by the official split."""
    with np.load(file_in(folder, FILE, "the realisations of IHDP"), allow_pickle=False) as file:
        arrays = {name: file[name] for name in ("x", "t", "yf", "mu0", "mu1", "test_idx")}
    found = []
    for x, t, y, y0, y1, out in zip(*arrays.values(), strict=True):
        rows = MultiEnvData(x=x, t=t.astype(np.int64), env=np.zeros(len(t), dtype=np.int64), y=y, y0=y0, y1=y1)
        found.append((rows.rows(np.setdiff1d(np.arange(len(t)), out)), rows.rows(out.astype(np.int64))))
    return found


def config_of(parts: Parts, **values: Any) -> RunConfig:
    """The run that the program makes of such a table, with other values."""
    both = [np.concatenate([getattr(part, name) for part in parts]) for name in ("t", "y", "y0", "y1")]
    columns = dict(zip(("t", "y", "mu0", "mu1"), (column.astype(np.float64) for column in both), strict=True))
    x = np.concatenate([part.x for part in parts])
    columns |= {f"x{place + 1}": x[:, place] for place in range(x.shape[1])}
    roles: Any = dict.fromkeys(columns, "covariate") | {"t": "treatment", "y": "outcome", "mu0": "mu0", "mu1": "mu1"}
    table = table_source(Raw(columns=columns), roles, label="IHDP")
    return altered(table_config(table, np.bincount(both[0], minlength=2)[None]), **values)


@lru_cache(maxsize=4)
def _judged(folder: str | None, quick: bool, resample: str, refits: int) -> tuple[Judged, Judged, float]:
    """On held-out rows, on training rows, and CPU seconds for as many networks as one fit of each has."""
    each = realisations(folder)[: 3 if quick else None]
    config = config_of(each[0], resample=resample, replicates=refits, **QUICK if quick else {})
    with cpu_seconds() as spent:
        inside, outside = judged(config, each)
    return outside, inside, spent() / refits


def _of(found: Judged) -> str:
    return f"{len(found.one)} realisations"


def _errors(outside: np.ndarray, inside: np.ndarray, most: tuple[float, ...]) -> tuple[Figure, ...]:
    """Mean and median of ITE RMSE out and then in, [N] each, those that have a bound."""
    values = [summary(part) for part in (outside, inside) for summary in (np.mean, np.median)]
    names = ("out mean", "out median", "in mean", "in median")
    return tuple(
        Figure(name=name, value=float(value), most=bound)
        for name, value, bound in zip(names, values, most, strict=False)
    )


def _below(name: str, mine: np.ndarray, other: np.ndarray, share: float) -> Figure:
    """In how many realisations the error is below another; `share` of them at least, rounded down."""
    return Figure(name=name, value=float((mine < other).sum()), least=float(int(share * len(mine))), form=".0f")


def one_fit(options: argparse.Namespace) -> Target:
    outside, inside, _ = _judged(options.data, options.quick, "none", 1)
    return Target(
        id="R1",
        what="one fit, λ by validation error",
        of=_of(outside),
        figures=(
            *_errors(outside.at_own, inside.at_own, (1.55, 0.82, 1.15, 0.82)),
            _below("below least squares per arm in", outside.at_own, outside.straight, 43 / 50),
        ),
    )


def mean_of_fits(options: argparse.Namespace, resample: str = "bootstrap") -> Target:
    outside, inside, _ = _judged(options.data, options.quick, resample, FITS)
    ate = outside.mean_ate[np.arange(len(outside.picked)), outside.picked]
    return Target(
        id="R1b" if resample == "bootstrap" else "R1b plain",
        what=f"mean of {FITS} fits, "
        + ("as the program trains a table" if resample == "bootstrap" else "without bootstrap"),
        of=_of(outside),
        figures=(
            *_errors(outside.at_picked, inside.at_picked, (1.35, 0.68, 0.98, 0.68)),
            Figure(name="ATE error out", value=float(ate.mean()), most=0.18),
            _below("below least squares per arm in", outside.at_picked, outside.straight, 48 / 50),
            _below("below the mean at λ = 0 in", outside.at_picked, outside.mean[:, 0], 40 / 50),
        ),
    )


def no_penalty(options: argparse.Namespace) -> Target:
    outside, inside, _ = _judged(options.data, options.quick, "none", 1)
    return Target(
        id="R2",
        what="one fit without a penalty (TARNet)",
        of=_of(outside),
        figures=_errors(outside.one[:, 0, 0], inside.one[:, 0, 0], (1.65, 0.95)),
    )


def all_rows(options: argparse.Namespace) -> Target:
    each = realisations(options.data)[: 3 if options.quick else None]
    quick = {"steps": 50} if options.quick else {}
    config = config_of(each[0], resample="none", replicates=1, validation=0.0, lams=(2.0,), **quick)
    outside, inside = judged(config, each)
    return Target(
        id="R3",
        what="one fit to all training rows, last step, λ = 2",
        of=_of(outside),
        figures=_errors(outside.one[:, 0, 0], inside.one[:, 0, 0], (1.42, 0.72)),
    )


def speed(options: argparse.Namespace) -> Target:
    from benchmarks.one_at_a_time import compared  # which needs Lightning

    outside, _, spent = _judged(options.data, options.quick, "none", 1)
    parts = realisations(options.data)[0]
    steps = 50 if options.quick else 500
    config = config_of(parts, resample="none", replicates=1, steps=steps)
    found = compared(config, parts, rounds=1 if options.quick else 3)
    return Target(
        id="R4",
        what="a realisation's 9 λ × 500 steps: CPU seconds of all of them, and against networks trained one at a time",
        of=_of(outside),
        figures=(
            Figure(name="CPU s", value=spent, most=120.0, form=".0f"),
            Figure(name="CPU ms a step of a network", value=found.here_ms, form=".2f"),
            Figure(name="in PyTorch, times as much", value=found.torch_ms / found.here_ms, least=5.0, form=".1f"),
            Figure(name="in Lightning", value=found.lightning_ms / found.here_ms, least=10.0, form=".1f"),
        ),
    )


def regret(options: argparse.Namespace) -> Target:
    outside, _, _ = _judged(options.data, options.quick, "none", 1)
    factor = outside.at_own / outside.one[:, 0].min(axis=-1)
    return Target(
        id="R5",
        what="error at the chosen λ over the least along λ, one fit",
        of=_of(outside),
        figures=(
            Figure(name="median", value=float(np.median(factor)), most=1.10),
            Figure(name="mean", value=float(factor.mean()), most=1.20),
            Figure(name="largest", value=float(factor.max()), form=".1f"),
        ),
    )


def spread(options: argparse.Namespace) -> Target:
    ordinary = [parts for parts in realisations(options.data) if _effect_sd(parts) < MOST_SD]
    each = ordinary[: 2 if options.quick else 12]
    quick = {"steps": 50} if options.quick else {}
    config = config_of(each[0], replicates=4 if options.quick else MANY_FITS, lams=(1.0,), **quick)
    covered, one, mean = [], [], []
    for (_, rows), result in zip(each, results_on(config, each), strict=True):
        picked = average_effects(result, rows).picked
        assert picked is not None
        tau, ite = outcomes_at(result, rows, picked)[1], effects_of(rows)  # [K, n], [n]
        covered.append(np.mean(np.abs(tau.mean(axis=0) - ite) <= SIGMAS * tau.std(axis=0, ddof=1)))
        one.append(np.sqrt(np.mean((tau - ite) ** 2, axis=1)).mean())
        mean.append(np.sqrt(np.mean((tau.mean(axis=0) - ite) ** 2)))
    return Target(
        id="R10",
        what=f"{config.training.replicates} bootstrap fits at λ = 1: rows whose effect lies within {SIGMAS} sd of the "
        "mean, and what the mean errs less than one fit",
        of=f"{len(each)} realisations whose effects differ by less than {MOST_SD:g} sd of the noise",
        figures=(
            Figure(name="covered", value=float(np.mean(covered)), least=0.80),
            Figure(name="less error by", value=float(1 - np.sum(mean) / np.sum(one)), least=0.15),
        ),
    )


def left_out(options: argparse.Namespace) -> Target:
    each = ihdp_sites.by_site(realisations(options.data))
    return ihdp_sites.left_out("R9", "ordinary realisations", each, options.quick)


def _effect_sd(parts: Parts) -> float:
    return float(np.concatenate([effects_of(part) for part in parts]).std())


MEASURES = {
    "R1": one_fit,
    "R1b": mean_of_fits,
    "R1b-plain": lambda options: mean_of_fits(options, "none"),
    "R2": no_penalty,
    "R3": all_rows,
    "R4": speed,
    "R5": regret,
    "R6": ihdp_sites.confounded,
    "R9": left_out,
    "R9-new": ihdp_sites.left_out_of_draws,
    "R10": spread,
}

if __name__ == "__main__":
    sys.exit(run(__doc__ or "", MEASURES))
