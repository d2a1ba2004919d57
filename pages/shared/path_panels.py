"""The panels of the λ path page: the effect error and every rule's choice, what anyone can measure, and the rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from crl_core.figures import Level, along_lam, empty, error_along_lam, palette
from crl_core.measures.curves import earlier
from crl_core.measures.lam_choice import Choice, picked_text, words_of
from crl_core.metrics import METRIC, Metric
from pages.shared.run_view import RunInView
from pages.shared.style import quiet
from pages.shared.tables import chart, spread, table

_GHOSTS = 6  # earlier epochs drawn under the curve
_SHORT = {
    "constant effect": "constant",
    "least squares with t": "LS with t",
    "least squares per arm": "LS per arm",
    "random forest per arm": "forest",
}  # for the margin of a figure; the caption says what they are


def effect_error(run: RunInView, found: Sequence[Choice]) -> None:
    """ITE RMSE along λ, with baselines, earlier epochs, and below it a lane for each rule's choice."""
    drawn = error_along_lam(
        run.result.lams,
        run.result.by_lam(run.result.ite_rmse),
        run.result.by_lam(run.result.status),
        run.lam,
        palette(run.theme),
        title=METRIC["ite_rmse"].title,
        references=_baselines(run),
        earlier=earlier(run.result, "ite_rmse", _GHOSTS),
        choices=found,
    )
    chart(drawn, "path.ite_rmse")
    count = run.config.training.replicates
    band = f"median of {count} replicates, band smallest to largest" if count > 1 else "one replicate"
    beside = (
        f"Baselines and further rules are {run.waiting}."
        if run.evidence is None
        else "Dashed: baselines fitted on the same rows (LS: least squares; forest: random forest for each arm)."
    )
    quiet(
        f"Held out; {band}. Faint: earlier epochs. Leftmost, λ = 0: TARNet, plain ERM. {beside} Lanes: the λ each rule "
        "picks, its mark as large as its replicates are many, and its regret; the oracle knows the truth, which only a "
        "simulation has."
    )


def along(run: RunInView, metric: Metric) -> None:
    """A metric along λ, beside the levels that it is compared with."""
    values, colours = run.metric(metric), palette(run.theme)
    references, says = _beside(run, metric.name)
    if values is None:
        drawn = empty(metric.heading, f"This is {run.waiting}.", colours, height=250)
    else:
        drawn = along_lam(
            run.result.lams,
            run.result.by_lam(values),
            run.result.by_lam(run.result.status),
            run.lam,
            colours,
            title=metric.heading,
            y_title=metric.word,
            linear=metric.window,
            references=references,
        )
    chart(drawn, f"path.{metric.name}")
    quiet(says)


def _beside(run: RunInView, name: str) -> tuple[list[Level], str]:
    """The levels that a metric is compared with, and what it says."""
    if name == "factual_mse":
        known, leaks = run.config.source.noise, run.config.table is None and run.config.scenario.leak != 0
        noise = 0.0 if known is None or leaks else known**2  # where s leaks y, the noise can be read from x
        says = "Squared error of the outcome received, held out: what a user can see."
        says += " On average nobody gets below the noise, a line known only in simulation." if noise > 0 else ""
        return [Level(name="noise", value=noise, truth=True)] if noise > 0 else [], says
    if name == "mmd2":
        of_input = np.empty(0) if run.evidence is None else run.evidence["x_mmd2"]
        finite = of_input[np.isfinite(of_input)]
        lowers = "what the penalty lowers" if run.config.training.penalty == "mmd" else "not the penalty of this run"
        level = [Level(name="input x", value=float(np.median(finite)))] if len(finite) else []
        return level, f"Between {run.groups} in the latent, held out: {lowers}."
    if name == "domain_auc":
        return [Level(name="chance", value=0.5)], f"How well a classifier tells the {run.groups} apart in the latent."
    return [], "Held out."


def rules(run: RunInView, found: Sequence[Choice], without_pick: Mapping[str, str]) -> None:
    """Every rule's pick and what it costs; the rules that have none, with the reason."""
    lines = [
        (
            words_of(choice.rule).title,
            picked_text(choice, run.result.lams, counted=True),
            spread(choice.ite_rmse, 3),
            spread(choice.regret),
            words_of(choice.rule).needs,
        )
        for choice in found
    ]
    lines += [(words_of(name).title, "–", "–", "–", f"No pick: {why}.") for name, why in without_pick.items()]
    table(["Choosing λ", "λ picked", "ITE RMSE", "regret", "What it looks at"], lines, words_from=4, strong=0)
    quiet(
        (
            "Median [smallest, largest] over replicates; in brackets behind λ, how many picked it. "
            if run.config.training.replicates > 1
            else ""
        )
        + "Choosing λ without the truth is an open problem: no rule is best in every world here."
    )


def _baselines(run: RunInView) -> list[Level]:
    """A level for each baseline, its median over replicates."""
    if run.evidence is None:
        return []
    rows = zip(run.evidence["baseline_names"], run.evidence["baseline_ite_rmse"], strict=True)
    return [
        Level(name=_SHORT.get(str(name), str(name)), value=float(np.nanmedian(row)))
        for name, row in rows
        if np.isfinite(row).any()
    ]
