"""Which λ estimates effects best, which one would be chosen without the truth, and what does the difference cost?"""

import numpy as np
import streamlit as st

from crl_core.events import OK
from crl_core.figures import Reference, along_lam, empty, error_along_lam, palette
from crl_core.measures.lam_choice import Choice, choices, words_of
from crl_core.metrics import DRAWN
from pages.shared import RunInView, figure, page_header, quiet, require, run_in_view
from pages.shared.tables import chart, say, table

_DEFINITIONS = """
**ITE RMSE** (√PEHE) = √mean((τ̂ − τ)²) on held-out rows; needs the truth, which only a simulation has. **Factual MSE**:
squared error of the outcome under the treatment received, held out; anyone can compute it.

**MMD²** between environments in the latent: Gaussian kernel exp(−‖a − b‖² / 2h²), biased estimate (V-statistic), no
root, h the median distance of the pooled sample. λ means nothing without these choices.

**Domain AUC**: how well a classifier tells the environments apart in the latent; 0.5 is chance.

**Oracle**: the λ with the least ITE RMSE. **Regret** of a rule: ITE RMSE of the λ that it picks over that of the
oracle, in each replicate; 1 is perfect.

**λ = 0** is TARNet: plain empirical risk minimisation (ERM), the network without a penalty. It stands left of a break,
since a logarithmic axis has no 0.
"""
_GHOSTS = 6  # earlier epochs drawn under the curve
_SHORT = {
    "constant effect": "constant",
    "least squares with t": "LS with t",
    "least squares per arm": "LS per arm",
    "random forest per arm": "forest",
}  # for the margin of a figure; the caption says what they are

require()
run = run_in_view("λ path")
colours = palette(run.theme)
lams, n_replicates = run.result.lams, run.config.training.replicates


def spread(values: np.ndarray | None) -> np.ndarray:
    """[M] -> [R, L]; NaN where there is nothing."""
    return run.result.by_lam(values)


def earlier_epochs(run: RunInView) -> list[tuple[int, np.ndarray]]:
    """Some earlier epochs of the effect error, closer together at the beginning: (epoch, median over replicates
    [L])."""
    history = run.result.history.get("ite_rmse")
    if history is None or len(history) < 3:
        return []
    picked = np.unique(np.rint(np.geomspace(1, len(history) - 1, _GHOSTS)).astype(int))
    return [(int(epoch), median(spread(history[epoch - 1]))) for epoch in picked]


def median(values: np.ndarray) -> np.ndarray:
    """Over the replicates that have a number, [R, L] -> [L]."""
    none = ~np.isfinite(values).any(axis=0)
    return np.where(none, np.nan, np.nanmedian(np.where(none, 0.0, values), axis=0))


def baselines(run: RunInView, what: str) -> list[Reference]:
    """A level for each baseline, its median over replicates."""
    if run.evidence is None:
        return []
    names = [str(name) for name in run.evidence["baseline_names"]]
    rows = run.evidence[what]
    return [
        Reference(name=_SHORT.get(name, name), value=float(np.nanmedian(row)))
        for name, row in zip(names, rows, strict=True)
        if np.isfinite(row).any()
    ]


def all_choices(run: RunInView) -> tuple[list[Choice], dict[str, str]]:
    """The oracle and every rule; for a rule that has no pick, the reason."""
    rules: dict[str, np.ndarray] = {}
    reasons: dict[str, str] = {}
    if run.evidence is not None and "rule_ids" in run.evidence:
        for rule, picks, why in zip(
            run.evidence["rule_ids"], run.evidence["rule_pick"], run.evidence["rule_reason"], strict=True
        ):
            if (name := str(rule)) == "factual":
                continue
            if (picks >= 0).any():
                rules[name] = picks
            else:
                reasons[name] = str(why[0])
    usable = spread(run.result.status) == OK  # as for the rules of the evidence: a broken model is not picked
    ite_rmse, factual_mse = spread(run.result.ite_rmse), spread(run.result.factual_mse)
    return choices(np.where(usable, ite_rmse, np.nan), np.where(usable, factual_mse, np.nan), rules), reasons


def pick_text(choice: Choice, between: str = ", ") -> str:
    """The λ that were picked, each once."""
    picked = sorted({int(index) for index in choice.index if index >= 0})
    return between.join(f"{lams[index]:g}" for index in picked) or "–"


def range_text(values: np.ndarray, digits: int = 2) -> str:
    finite = values[np.isfinite(values)]
    if len(finite) == 0:
        return "–"
    words = f"{np.median(finite):.{digits}f}"
    return words if len(finite) == 1 else f"{words} [{finite.min():.{digits}f}, {finite.max():.{digits}f}]"


def verdict(oracle: Choice, factual: Choice) -> str:
    """What choosing without the truth costs here, in a sentence."""
    known = factual.regret[np.isfinite(factual.regret)]
    if len(known) == 0:
        return "No λ of this run left a usable model, so there is nothing to choose from."
    cost = float(np.median(known))
    words = (
        f"With the truth one would choose λ = {pick_text(oracle, ' or ')}; by held-out factual error λ = "
        f"{pick_text(factual, ' or ')}. "
    )
    if cost < 1.1:
        return words + "Here the difference costs next to nothing."
    many = f" (median of {len(known)} replicates, {known.min():.1f} to {known.max():.1f})" if len(known) > 1 else ""
    return words + f"The difference costs a factor of {cost:.1f} in effect error{many}."


found, without_pick = all_choices(run)
oracle, factual = found[0], found[1]
has_truth = run.result.ite_rmse is not None
cost = factual.regret[np.isfinite(factual.regret)]
page_header(
    "λ path",
    f"{run.preset.title}: one trained network for every λ, {n_replicates} times over. The curve says what the penalty "
    f"buys; the lanes below "
    "it say which λ one would have chosen.",
    _DEFINITIONS,
    [
        (f"{run.lam:g}", "λ in view"),
        (figure(run.at_lam(run.result.ite_rmse)), "ITE RMSE"),
        (
            figure(float(np.nanmedian(oracle.ite_rmse)) if np.isfinite(oracle.ite_rmse).any() else None),
            "ITE RMSE, oracle",
        ),
        (f"×{np.median(cost):.1f}" if len(cost) else "–", "cost of choosing blind"),
    ],
)
status = spread(run.result.status).astype(int)
waiting = "being computed" if run.computing else "not computed yet"
with st.container(key="panel_path_error"):
    if has_truth:
        drawn = error_along_lam(
            lams,
            spread(run.result.ite_rmse),
            status,
            run.lam,
            colours,
            title="Effect error: ITE RMSE (√PEHE)",
            references=baselines(run, "baseline_ite_rmse"),
            earlier=earlier_epochs(run),
            choices=found,
        )
        chart(drawn, "path.ite_rmse")
        band = f"median of {n_replicates} replicates, band smallest to largest" if n_replicates > 1 else "one replicate"
        quiet(
            f"Held out; {band}. Faint: earlier epochs. Leftmost, λ = 0: TARNet, plain ERM. "
            + (
                "Dashed: baselines fitted on the same rows (LS: least squares; forest: random forest for each arm). "
                if run.evidence is not None
                else f"Baselines and further rules are {waiting}. "
            )
            + (
                "Lanes: the λ each rule picks in each replicate, and its regret; the oracle knows the truth, which "
                "only a simulation has."
            )
        )
        say(verdict(oracle, factual))
    else:
        quiet("The true effects of this data are not known, so no λ has an effect error.")

# Where s leaks the outcome, its noise can be read from x, and is no floor.
noise = run.config.scenario.noise**2 if run.config.scenario.leak == 0 else 0.0
groups = "environments" if run.config.training.align == "environment" else "treatment arms"


def beside(name: str) -> tuple[list[Reference], str]:
    """Levels that a metric is compared with, and what it says."""
    if name == "factual_mse":
        says = "Squared error of the outcome received, held out: what a user can see."
        says += " On average nobody gets below the noise, a line known only in simulation." if noise > 0 else ""
        return [Reference(name="noise", value=noise, truth=True)] if noise > 0 else [], says
    if name == "mmd2":
        x = [] if run.evidence is None else run.evidence["x_mmd2"][np.isfinite(run.evidence["x_mmd2"])]
        lowers = "what the penalty lowers" if run.config.training.penalty == "mmd" else "not the penalty of this run"
        says = f"Between {groups} in the latent, held out: {lowers}."
        return [Reference(name="input x", value=float(np.median(x)))] if len(x) else [], says
    if name == "domain_auc":
        return [Reference(name="chance", value=0.5)], f"How well a classifier tells the {groups} apart in the latent."
    return [], "Held out."


others = [m for m in DRAWN if m.name != "ite_rmse" and (has_truth or not m.needs_truth)]
for column, metric in zip(st.columns(len(others)), others, strict=True):
    with column, st.container(key=f"panel_path_{metric.name}", height="stretch"):
        values, (references, says) = run.metric(metric), beside(metric.name)
        if values is None:
            drawn = empty(metric.heading, f"This is {waiting}.", colours, height=250)
        else:
            drawn = along_lam(
                lams,
                spread(values),
                status,
                run.lam,
                colours,
                title=metric.heading,
                y_title=metric.word,
                linear=metric.window,
                references=references,
            )
        chart(drawn, f"path.{metric.name}")
        quiet(says)

if has_truth:
    with st.container(key="panel_path_rules"):
        lines = [
            (
                words_of(choice.rule).title,
                pick_text(choice),
                range_text(choice.ite_rmse, 3),
                range_text(choice.regret),
                words_of(choice.rule).needs,
            )
            for choice in found
        ]
        lines += [(words_of(name).title, "–", "–", "–", f"No pick: {why}.") for name, why in without_pick.items()]
        table(
            ["Choosing λ", "λ picked", "ITE RMSE", "regret", "What it looks at"],
            lines,
            words_from=4,
            strong=0,
        )
        quiet(
            ("Median [smallest, largest] over replicates. " if n_replicates > 1 else "")
            + "Choosing λ without the truth is an open problem: no rule is best in every world here."
        )
