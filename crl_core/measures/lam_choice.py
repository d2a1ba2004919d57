"""Choosing λ: the oracle that knows the truth, what a user would choose without it, and what the difference costs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from crl_core.events import OK
from crl_core.results import RunResult

CHEAP = 1.1  # a regret below this is next to nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleWords:
    """How a rule is called on screen. How it picks is in `selection`, which needs scikit-learn; words do not."""

    short: str  # for the margin of a figure
    title: str
    needs: str  # what it looks at


RULE_WORDS: Mapping[str, RuleWords] = {
    "oracle": RuleWords(short="oracle", title="oracle", needs="the true effects, known only in simulation"),
    "factual": RuleWords(short="factual", title="least factual error", needs="held-out outcomes"),
    "largest": RuleWords(
        short="largest λ",
        title="largest λ within twice the least factual error",
        needs="held-out outcomes",
    ),
    "auc": RuleWords(
        short="least AUC",
        title="least domain AUC within twice the least factual error",
        needs="held-out outcomes and environments",
    ),
    "r_score": RuleWords(
        short="R-score",
        title="R-score",
        needs="held-out outcomes, models of outcome and treatment, overlap of the arms",
    ),
    "nearest": RuleWords(
        short="neighbours",
        title="matched nearest-neighbour effect error",
        needs="held-out outcomes, matches across arms",
    ),
    "left_out": RuleWords(
        short="left-out",
        title="leave-one-environment-out factual error",
        needs="outcomes of an environment that training did not see; some of the λ, first replicate",
    ),
}


WIDE = ("largest", "auc")  # rules that give some factual error away
RULES = tuple(rule for rule in RULE_WORDS if rule != "oracle")  # those that do not see the truth


def words_of(rule: str) -> RuleWords:
    """The words for a rule; for one that has none yet, its id."""
    return RULE_WORDS.get(rule, RuleWords(short=rule, title=rule, needs=""))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Choice:
    """One rule's λ in every replicate. `index` -1 and NaN where the rule has nothing to choose from."""

    rule: str  # id
    knows_truth: bool
    index: np.ndarray  # [R] index of λ
    ite_rmse: np.ndarray  # [R] of the chosen models
    regret: np.ndarray  # [R] ITE RMSE chosen over ITE RMSE of the oracle, >= 1


def picked_by(rule: str, evidence: Mapping[str, np.ndarray]) -> np.ndarray:
    """Index of λ that a rule of a run's evidence picks in every replicate, [R]; -1 where it is not defined."""
    return np.asarray(evidence["rule_pick"][list(evidence["rule_ids"]).index(rule)])


def least(values: np.ndarray) -> np.ndarray:
    """Index of the smallest finite value of each row, [R, L] -> [R]; -1 for a row without one."""
    found = np.where(np.isfinite(values), values, np.inf)
    return np.where(np.isfinite(values).any(axis=1), found.argmin(axis=1), -1)


def best_elsewhere(values: np.ndarray) -> np.ndarray:
    """For each replicate the λ with the least median over the *other* replicates, [R, L] -> [R]; -1 without others.

    What a choice gains where it was not made: at its own least value a replicate beats any fixed λ by construction.
    A value that is not finite counts as the worst.
    """
    worst = np.where(np.isfinite(values), values, np.inf)
    if len(worst) < 2:
        return np.full(len(worst), -1)
    # of an even number the upper middle, since half of infinity is no median
    others = [np.sort(np.delete(worst, row, axis=0), axis=0)[(len(worst) - 1) // 2] for row in range(len(worst))]
    return least(np.stack(others))


def chosen(rule: str, index: np.ndarray, ite_rmse: np.ndarray, *, knows_truth: bool = False) -> Choice:
    """What choosing `index` [R] costs, given the ITE RMSE of every λ, [R, L]."""
    rows = np.arange(len(index))
    picked = np.where(index >= 0, ite_rmse[rows, np.maximum(index, 0)], np.nan)
    oracle = least(ite_rmse)
    best = np.where(oracle >= 0, ite_rmse[rows, np.maximum(oracle, 0)], np.nan)
    regret = np.full(len(index), np.nan)
    known = np.isfinite(picked) & (best > 0)
    with np.errstate(over="ignore"):  # beside an oracle that errs by next to nothing
        regret[known] = picked[known] / best[known]
    return Choice(rule=rule, knows_truth=knows_truth, index=index, ite_rmse=picked, regret=regret)


def choices(
    ite_rmse: np.ndarray, factual_mse: np.ndarray, rules: Mapping[str, np.ndarray] | None = None
) -> list[Choice]:
    """The oracle, the least held-out factual error, and further rules.

    ite_rmse, factual_mse: [R, L], held out.  rules: id -> index of λ it picks, [R]; -1 for no pick.
    """
    found = [
        chosen("oracle", least(ite_rmse), ite_rmse, knows_truth=True),
        chosen("factual", least(factual_mse), ite_rmse),
    ]
    return found + [chosen(name, np.asarray(index), ite_rmse) for name, index in (rules or {}).items()]


def choices_of(result: RunResult, evidence: Mapping[str, np.ndarray] | None) -> tuple[list[Choice], dict[str, str]]:
    """`choices` on a run whose effects are known or not, with every rule of its evidence; and why a rule has no pick.

    A model that broke is picked by nobody. Without the truth, errors and regrets are NaN. On a table the rules that
    give factual error away are not asked: where little of an outcome can be explained, every λ is within their bound.
    """
    off = WIDE if result.config.table is not None else ()
    rules: dict[str, np.ndarray] = {}
    reasons: dict[str, str] = {}
    if evidence is not None and "rule_ids" in evidence:
        for rule, picks, why in zip(evidence["rule_ids"], evidence["rule_pick"], evidence["rule_reason"], strict=True):
            if str(rule) in ("factual", *off):  # the first is one of `choices` anyhow
                continue
            if (picks >= 0).any():
                rules[str(rule)] = picks
            else:
                reasons[str(rule)] = str(why[0])
    usable = result.by_lam(result.status) == OK
    unknown = np.full(usable.shape, np.nan)
    ite_rmse = unknown if result.ite_rmse is None else result.by_lam(result.ite_rmse)
    factual_mse = result.by_lam(result.factual_mse)
    found = choices(np.where(usable, ite_rmse, np.nan), np.where(usable, factual_mse, np.nan), rules)
    return found, reasons


def picked_text(choice: Choice, lams: Sequence[float], between: str = ", ", *, counted: bool = False) -> str:
    """The λ that were picked, each once, in order: "0.1, 1"; a dash where none was.

    counted: with the number of replicates where several λ were picked: "0.1 (2), 1 (1)".
    """
    picked = Counter(sorted(int(index) for index in choice.index if index >= 0))
    many = counted and len(picked) > 1
    return between.join(f"{lams[index]:g}" + (f" ({count})" if many else "") for index, count in picked.items()) or "–"


def cost_of(choice: Choice) -> float | None:
    """Median regret over the replicates that have one; None where none has."""
    known = choice.regret[np.isfinite(choice.regret)]
    return float(np.median(known)) if len(known) else None


def cost_said(oracle: Choice, factual: Choice, lams: Sequence[float]) -> str:
    """What choosing by held-out factual error instead of by the truth costs, in a sentence."""
    cost, known = cost_of(factual), factual.regret[np.isfinite(factual.regret)]
    if cost is None:
        return "No λ of this run left a usable model, so there is nothing to choose from."
    words = (
        f"With the truth one would choose λ = {picked_text(oracle, lams, ' or ')}; by held-out factual error λ = "
        f"{picked_text(factual, lams, ' or ')}. "
    )
    if cost < CHEAP:
        return words + "Here the difference costs next to nothing."
    many = f" (median of {len(known)} replicates, {known.min():.1f} to {known.max():.1f})" if len(known) > 1 else ""
    return words + f"The difference costs a factor of {cost:.1f} in effect error{many}."
