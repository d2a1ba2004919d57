"""What `ihdp` measures with the trial's sites: the real outcome made confounded (R6), and a site left out (R9)."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmarks.on_rows import Parts, effects_of, results_on
from benchmarks.targets import Figure, Target
from crl_core import RunConfig, train
from crl_core.config.table import table_config
from crl_core.config.text import altered
from crl_core.data.scm import MultiEnvData, Stream, rng_for
from crl_core.data.tables.columns import Raw
from crl_core.data.tables.examples import load_example
from crl_core.data.tables.making import table_source
from crl_core.data.tables.source import TableSource
from crl_core.measures.average_effects import average_effects
from crl_core.measures.baselines import Rows, least_squares_per_arm
from crl_core.metrics import ite_rmse

EXPERIMENT = 6.21  # IQ points, effect on the treated: the trial among children of white mothers
SPLITS, DRAWS, SITES = 6, 12, 4
COEFFICIENTS, CHANCES = (0.0, 0.1, 0.2, 0.3, 0.4), (0.6, 0.1, 0.1, 0.1, 0.1)
NO_COVARIATES = {"site", "treat", "iqsb.36", "momwhite", "momblack", "momhisp"}  # of Hill's 18 beside the sites
ON_TREATED = 4.0  # the mean effect there
MOST_SD = 10.0  # of the effect; the six of 50 published realisations above it would dominate every mean


def average_on_treated(name: str, raw: Raw, options: argparse.Namespace, seed: int) -> tuple[float, float, float]:
    """The effect on the treated that the program gives by default, that at the largest λ, and the chosen λ.

    seed: of the split and of the fits.
    """
    _, roles, treated, categories = load_example(name, options.tables)
    source = table_source(raw, roles, treated=treated, label=name, seed=seed, categories=categories)
    rows, _ = source.all_rows()
    config = table_config(source, arms_of(rows, source), seed=100 * seed)
    if options.quick:
        config = altered(config, steps=50, replicates=2, lams=(0.0, 30.0))
    found = average_effects(train(config), rows)
    att = found.att.mean(axis=0)
    return float(att[found.picked]), float(att[-1]), found.lam


def arms_of(rows: MultiEnvData, source: TableSource) -> np.ndarray:
    """Untreated and treated rows of each environment, [E, 2]."""
    return np.bincount(2 * rows.env + rows.t, minlength=2 * source.n_envs).reshape(-1, 2)


def confounded(options: argparse.Namespace) -> Target:
    raw = load_example("ihdp-confounded", options.tables)[0]
    splits = 1 if options.quick else SPLITS
    att, largest, lam = np.array(
        [average_on_treated("ihdp-confounded", raw, options, seed) for seed in range(splits)]
    ).T
    return Target(
        id="R6",
        what="IHDP made confounded, real outcome: effect on the treated, mean of fits; the trial found 6.2 ± 2.3 IQ "
        "points, the difference in means says 19.3",
        of=f"{splits} splits",
        figures=(
            Figure(name="effect", value=float(att.mean()), least=EXPERIMENT - 3, most=EXPERIMENT + 3, form=".1f"),
            Figure(name="mean error of a split", value=float(np.abs(att - EXPERIMENT).mean()), form=".1f"),
            Figure(name="median λ", value=float(np.median(lam)), form=".2g"),
            Figure(name="effect at the largest λ", value=float(largest.mean()), form=".1f"),
        ),
    )


# -- a site left out ---------------------------------------------------------------------------------------------------


def surface_b(x: np.ndarray, treated: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Mean outcomes untreated and treated, [n] each, by a draw of coefficients β of covariates x [n, d], one being 1.

    mu0 = exp((x + 1/2) β), mu1 = x β - ω, with ω such that the effect on the treated is 4; the noise's sd is 1.
    Source: Hill (2011), Bayesian nonparametric modeling for causal inference, JCGS 20, response surface B.
    """
    beta = rng.choice(COEFFICIENTS, x.shape[1], p=CHANCES)
    mu0, mu1 = np.exp((x + 0.5) @ beta), x @ beta
    return mu0, mu1 - ((mu1 - mu0)[treated].mean() - ON_TREATED)


def draws(raw: Raw, n: int) -> list[MultiEnvData]:
    """Rows of the confounded table with sites as environments and outcomes by n ordinary draws of the surface.

    The networks' covariates are those of a child; the outcome has a coefficient of all sites but the last, too.
    Ordinary: the effect's standard deviation is below `MOST_SD`, as in 44 of the 50 published realisations.
    """
    own = [cells for name, cells in raw.columns.items() if name not in NO_COVARIATES]
    x = np.stack(
        [(cells - cells.mean()) / cells.std() if len(np.unique(cells)) > 2 else cells for cells in own], axis=1
    )
    names, site = np.unique(raw.columns["site"].astype(str), return_inverse=True)
    t = raw.columns["treat"].astype(np.int64)
    at = (site[:, None] == np.arange(len(names) - 1)).astype(np.float64)
    every = np.concatenate([np.ones((len(t), 1)), x, at], axis=1)
    rng, found = rng_for(0, Stream.DATA), []
    while len(found) < n:
        mu0, mu1 = surface_b(every, t == 1, rng)
        y = np.where(t == 1, mu1, mu0) + rng.standard_normal(len(t))
        if (mu1 - mu0).std() < MOST_SD:
            found.append(MultiEnvData(x=x, t=t, env=site, y=y, y0=mu0, y1=mu1))
    return found


def config_of(rows: MultiEnvData, **values: Any) -> RunConfig:
    """The run that the program makes of such a table with sites, with other values."""
    columns: dict[str, np.ndarray] = {f"x{place + 1}": rows.x[:, place] for place in range(rows.x.shape[1])}
    columns |= {"t": rows.t.astype(np.float64), "y": rows.y}
    columns["site"] = np.array([f"site {place}" for place in rows.env], dtype=object)
    roles: Any = dict.fromkeys(columns, "covariate") | {"t": "treatment", "y": "outcome", "site": "environment"}
    source = table_source(Raw(columns=columns), roles, label="IHDP, sites")
    return altered(table_config(source, arms_of(rows, source)), **values)


def by_site(each: Sequence[Parts]) -> list[MultiEnvData]:
    """The ordinary ones among published realisations, with sites as environments instead of among the covariates."""
    found = []
    for parts in each:
        x, t, y, y0, y1 = (
            np.concatenate([getattr(part, name) for part in parts]) for name in ("x", "t", "y", "y0", "y1")
        )
        indicators = x[:, -7:]  # of all sites but the last
        site = np.where(indicators.any(axis=1), indicators.argmax(axis=1), 7)
        if (y1 - y0).std() < MOST_SD:
            found.append(MultiEnvData(x=x[:, :-7], t=t, env=site, y=y, y0=y0, y1=y1))
    return found


def left_out_of_draws(options: argparse.Namespace) -> Target:
    """From the package alone."""
    each = draws(load_example("ihdp-confounded", options.tables)[0], 2 if options.quick else DRAWS)
    return left_out("R9 new", "new draws of outcomes", each, options.quick)


def left_out(id: str, what: str, each: Sequence[MultiEnvData], quickly: bool) -> Target:
    """Each of the sites with most treated rows left out in turn, of the first tables."""
    each = each[: 2 if quickly else DRAWS]
    sites = np.argsort(-np.bincount(each[0].env[each[0].t == 1]), kind="stable")[: 1 if quickly else SITES]
    quick = {"steps": 50} if quickly else {}
    config = config_of(each[0], resample="none", replicates=1, lams=(0.0, 1.0), **quick)
    assert config.training.align == "environment"
    errors, straight = [], []
    for site in sites:
        parts: list[Parts] = [
            (d.rows(np.flatnonzero(d.env != site)), d.rows(np.flatnonzero(d.env == site))) for d in each
        ]
        errors += [result.ite_rmse for result in results_on(config, parts)]
        for train_rows, rows in parts:
            y0, y1 = least_squares_per_arm(Rows(x=train_rows.x, t=train_rows.t, y=train_rows.y, at=rows.x, seed=0))
            straight.append(ite_rmse((y1 - y0)[None], effects_of(rows))[0])
    error = np.stack(errors)  # [draws × sites, λ]
    return Target(
        id=id,
        what="one site left out, its effects by networks that saw the other seven: λ = 1, which makes sites alike, "
        "against λ = 0",
        of=f"{len(each)} {what} × {len(sites)} sites",
        figures=(
            Figure(name="less error in", value=float((error[:, 1] < error[:, 0]).sum()),
                   least=float(int(0.75 * len(error))), form=".0f"),
            Figure(name="mean at λ = 0", value=float(error[:, 0].mean())),
            Figure(name="at λ = 1", value=float(error[:, 1].mean())),
            Figure(name="median at λ = 0", value=float(np.median(error[:, 0]))),
            Figure(name="at 1", value=float(np.median(error[:, 1]))),
            Figure(name="least squares per arm", value=float(np.mean(straight))),
        ),
    )  # fmt: skip
