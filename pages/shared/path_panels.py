"""The panels of the λ path page: the effect error and every rule's choice, what anyone can measure, and the rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from crl_core.figures import Level, along_lam, empty, error_along_lam, palette
from crl_core.measures.baselines import best_said, ranked, views_said, word_of
from crl_core.measures.curves import earlier
from crl_core.measures.lam_choice import Choice, picked_text, words_of
from crl_core.metrics import DRAWN, METRIC, Metric
from pages.shared import last_run
from pages.shared.lam_tap import chart_along
from pages.shared.run_view import RunInView
from pages.shared.style import quiet
from pages.shared.tables import say, spread, table

LEFT_OUT = (
    "Each environment in turn is left out of a shorter training of some of the λ, first replicate; mean factual error "
    "on its rows."
)
_GHOSTS = 6  # earlier epochs drawn under the curve
_LEVELS = 4  # baselines drawn: the best ones; more would cover each other


def effect_error(run: RunInView, found: Sequence[Choice]) -> None:
    """ITE RMSE along λ, with baselines, earlier epochs, and below it a lane for each rule's choice."""
    before = last_run.before(run.config)
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
        before=None if before is None else before.along("ite_rmse"),
    )
    chart_along(drawn, "path.ite_rmse", run.result.lams)
    if before is not None:
        say(before.says(run.result))
    count = run.config.training.replicates
    band = f"median of {count} replicates, band smallest to largest" if count > 1 else "one replicate"
    beside = (
        f"Baselines and further rules are {run.waiting}."
        if run.evidence is None
        else f"Dashed: baselines fitted on the same rows, the best {_LEVELS} (LS: least squares; forest: random "
        f"forest for each arm; z: x z-scored per environment). {best_said(run.evidence)} "
        f"{views_said(ranked(run.evidence)[:_LEVELS])}"
    )
    quiet(
        f"On held-out rows; {band}. Pale curves: earlier epochs. A tap on a point takes its λ. Leftmost, λ = 0: no "
        f"penalty (TARNet, plain ERM). {beside} Marks below, a row for each rule: the λ it picks, larger where more "
        "replicates do, and its error as a multiple of the least; the oracle knows the truth, which only a simulation "
        "has."
    )


def there(run: RunInView) -> list[Metric]:
    """The metrics drawn below the effect error: those that this run has, or will have once its evidence is there."""
    n_envs, knows = run.config.source.n_envs, run.config.source.knows
    found = [m for m in DRAWN if m.name != "ite_rmse" and (m.needs is None or m.needs in knows)]
    found = [m for m in found if run.result.ite_rmse is not None or not m.needs_truth]
    found = [m for m in found if n_envs >= m.least_envs]
    return [m for m in found if run.evidence is None or run.metric(m) is not None]


def along(run: RunInView, metric: Metric, page: str = "path") -> None:
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
    chart_along(drawn, f"{page}.{metric.name}", run.result.lams)
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
        return [Level(name="chance", value=0.5)], f"How well a classifier, the best of three, tells {run.groups} apart."
    if name == "use_effect_rms":
        return [], "How far the estimated effect moves as s moves and z stays, ∂τ̂/∂s, root mean square; in truth 0."
    if name == "generalisation_gap":
        return [], "Factual error in the environment where it is largest, less its mean over environments, held out."
    if name == "left_out_mse":
        return [], LEFT_OUT
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
    table(["Choosing λ", "λ picked", "effect error", "regret", "What it looks at"], lines, words_from=4, strong=0)
    quiet(
        (
            "Median [smallest, largest] over replicates; in brackets behind λ, how many picked it. "
            if run.config.training.replicates > 1
            else ""
        )
        + "Choosing λ without the truth is an open problem: no rule is best in every world here."
    )


def _baselines(run: RunInView) -> list[Level]:
    """A level for each of the best baselines, its median over replicates."""
    return [Level(name=word_of(item.name), value=item.ite_rmse) for item in ranked(run.evidence)[:_LEVELS]]
