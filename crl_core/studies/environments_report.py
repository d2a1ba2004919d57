"""Report of the environments study: sentences, tables and figures, to show and to take home."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np

from crl_core.config.presets import PRESETS
from crl_core.config.text import seed_words
from crl_core.figures.by_envs import Line, by_envs_svg, range_of, spread
from crl_core.figures.palette import palette
from crl_core.measures.comparison import Difference, difference, together
from crl_core.measures.intervals import too_few
from crl_core.studies.environments import LAMS, N_FRESH, SETS, SHOWN, SIZES, EnvironmentsStudy


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One figure: a quantity against the number of environments."""

    id: str
    title: str
    series: str  # of the study
    label: str
    log: bool = False
    share: str = ""  # panels with the same word share their axis
    level: tuple[float, str] | None = None


UNSEEN = tuple(
    Panel(
        id=f"unseen.{item.id}",
        title=item.title,
        series=f"unseen.{item.id}.ite_rmse",
        label="Effect error",
        log=True,
        share="unseen",
    )
    for item in SETS.values()
)
LEFT_OUT = (
    Panel(
        id="left.ite",
        title="Effect error, environment left out",
        series="left_out.ite_rmse",
        label="Effect error",
        log=True,
    ),
    Panel(
        id="left.factual",
        title="Factual error, environment left out",
        series="left_out.factual_mse",
        label="factual error",
        log=True,
    ),
    Panel(id="gap", title="Generalisation gap", series="within.gap_ite", label="Effect error, worst − mean", log=True),
)
OVERLAP = (
    Panel(
        id="mixing",
        title="kNN mixing",
        series="within.knn_mixing",
        label="1 is full mixing",
        level=(1.0, "fully mixed"),
    ),
    Panel(
        id="auc",
        title="Domain-classifier AUC",
        series="within.domain_auc",
        label="0.5 cannot tell",
        level=(0.5, "chance"),
    ),
    Panel(
        id="mmd2",
        title="MMD², unbiased",
        series="within.mmd2_unbiased",
        label="MMD² between environments",
        level=(0.0, ""),
    ),
)


def lines_of(study: EnvironmentsStudy, panel: Panel) -> list[Line]:
    """λ = 0 and λ = 1 of a panel's series."""
    return [Line(name=f"λ = {lam:g}", values=study.at(panel.series, lam), strong=lam > 0) for lam in SHOWN]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """From one number of environments to another, seed by seed. None where either side is not defined."""

    better: int  # seeds
    seeds: int
    before: float  # medians
    after: float


def change(
    study: EnvironmentsStudy, series: str, lam: float, first: int, last: int, *, smaller_is_better: bool = True
) -> Change | None:
    """How a series moves from `first` to `last` environments at λ."""
    values = study.at(series, lam)
    before, after = values[SIZES.index(first)], values[SIZES.index(last)]
    if np.isnan(before).all() or np.isnan(after).all():
        return None
    worst = np.inf if smaller_is_better else -np.inf
    a, b = (np.where(np.isnan(v), worst, v) for v in (before, after))
    better = b < a if smaller_is_better else b > a
    return Change(better=int(better.sum()), seeds=len(better), before=spread(before)[1], after=spread(after)[1])


def sentences(study: EnvironmentsStudy) -> list[str]:
    """The answer in words, made of the numbers: what another environment bought in this world."""
    said = []
    for lam in SHOWN:
        for last in (3, max(SIZES)):
            parts = []
            for item in SETS.values():
                moved = change(study, f"unseen.{item.id}.ite_rmse", lam, 2, last)
                if moved is not None:
                    parts.append(f"{item.title.lower()} {_moved(moved)}")
            if parts:
                said.append(
                    f"From 2 to {last} environments at λ = {lam:g}, effect error on the unseen one: {'; '.join(parts)}."
                )
    overlap = [
        (name, change(study, f"within.{key}", 1.0, 2, 3, smaller_is_better=smaller))
        for name, key, smaller in (
            ("kNN mixing", "knn_mixing", False),
            ("domain AUC", "domain_auc", True),
            ("unbiased MMD²", "mmd2_unbiased", True),
        )
    ]
    parts = [f"{name} {_moved(moved)}" for name, moved in overlap if moved is not None]
    if parts:
        said.append(f"Overlap from 2 to 3 environments at λ = 1: {'; '.join(parts)}.")
    return said


def _moved(moved: Change) -> str:
    return f"{_n(moved.before)} → {_n(moved.after)} (better in {moved.better} of {moved.seeds} seeds)"


def headline(study: EnvironmentsStudy) -> str:
    """The answer in a line: whether the error falls from two environments to the most, set by set, together (Holm)."""
    series = {item.title.lower(): f"unseen.{item.id}.ite_rmse" for item in SETS.values()}
    moved = {name: change(study, values, 1.0, 2, max(SIZES)) for name, values in series.items()}
    apart = together([_compared(study, values, 1.0, 2, max(SIZES)) for values in series.values()])
    words = [f"{name}: {_verdict(one, found)}" for (name, one), found in zip(moved.items(), apart, strict=True) if one]
    if not words:
        return "No effect error is known here, so nothing can be said of what another environment buys."
    joined, few = "; ".join(words), too_few(study.seeds)
    return (
        f"From 2 to {max(SIZES)} environments at λ = 1, the effect error on one that no network has seen: {joined}."
        + (f" No verdicts: these are {few}." if few else "")
    )


def _compared(study: EnvironmentsStudy, series: str, lam: float, first: int, last: int) -> Difference:
    """Logarithm of an error with `last` environments over that with `first`, paired by seed; NaN if a network broke."""
    values = study.at(series, lam)
    with np.errstate(divide="ignore"):
        before, after = (np.log(values[SIZES.index(size)]) for size in (first, last))
    whole = np.isfinite(before).all() and np.isfinite(after).all()
    seeds = np.arange(study.seeds)
    return difference(before, after if whole else np.full(study.seeds, np.nan), seeds, seeds, pair=True)


def _verdict(moved: Change, apart: Difference) -> str:
    says = "lower" if apart.mean < 0 else "higher"
    if not apart.known:
        says = "no verdict, a network broke"
    elif not apart.seen:
        says = "no verdict" if apart.too_few else "no difference seen"
    medians = f"{_n(moved.before)} → {_n(moved.after)}"
    return f"{says} ({medians}, lower in {moved.better} of {moved.seeds} seeds)"


def why_not(study: EnvironmentsStudy) -> str:
    """Which environments could not be left out, and why; empty if all could."""
    missing = [
        f"of {size} environments, " + " and ".join(str(left + 1) for left in range(size) if left not in fold)
        for size, fold in zip(SIZES, study.folds, strict=True)
        if len(fold) < size
    ]
    if not missing:
        return ""
    return (
        f"These could not be left out: {'; '.join(missing)}. The others treat everyone or no one, so that one arm "
        "would have no units to learn from."
    )


# -- choosing λ --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleRow:
    """What a rule picks with one number of environments: λ and regret in each seed, or why it has no pick."""

    envs: int
    rule: str
    lams: tuple[float, ...]
    regrets: tuple[float, ...]
    reason: str = ""


def rules(study: EnvironmentsStudy) -> list[RuleRow]:
    """Leave-one-environment-out factual error beside held-out factual error and overlap, over the study's λ."""
    rows = []
    for place, envs in enumerate(SIZES):
        error = study.series["seen.inside.ite_rmse"][place]
        scores = {
            "least factual error on the environment left out": study.series["left_out.factual_mse"][place],
            "least factual error, held-out rows": study.series["within.factual_mse"][place],
            "least domain AUC": study.series["within.domain_auc"][place],
        }
        for name, score in scores.items():
            if envs == 2 and name.endswith("left out"):
                rows.append(
                    RuleRow(
                        envs=envs,
                        rule=name,
                        lams=(),
                        regrets=(),
                        reason="not defined: with one environment left there is nothing to align",
                    )
                )
                continue
            if np.isnan(score).all():
                rows.append(RuleRow(envs=envs, rule=name, lams=(), regrets=(), reason="not defined in this world"))
                continue
            known = np.where(np.isnan(score), np.inf, score)
            picks = known.argmin(axis=1)
            effect = np.where(np.isnan(error), np.inf, error)
            regret = effect[np.arange(len(picks)), picks] / effect.min(axis=1)
            rows.append(
                RuleRow(
                    envs=envs,
                    rule=name,
                    lams=tuple(LAMS[p] for p in picks),
                    regrets=tuple(float(r) for r in regret),
                )
            )
    return rows


def rule_cells(row: RuleRow) -> tuple[str, str, str, str]:
    """Environments, rule, picks and regret as text."""
    if row.reason:
        return str(row.envs), row.rule, "–", row.reason
    counts = {lam: row.lams.count(lam) for lam in LAMS if lam in row.lams}
    picks = ", ".join(f"{lam:g}" + (f" (×{n})" if n > 1 else "") for lam, n in counts.items())
    least, middle, largest = spread(np.array(row.regrets))
    return str(row.envs), row.rule, picks, f"{middle:.2f} [{least:.2f}, {largest:.2f}]"


def table_cells(study: EnvironmentsStudy, panels: tuple[Panel, ...]) -> list[list[str]]:
    """Table of all numbers, a line a panel and λ: median [least, largest] for each number of environments."""
    return [
        [panel.title, line.name, *(_spread(values) for values in line.values)]
        for panel in panels
        for line in lines_of(study, panel)
    ]


def _spread(values: np.ndarray) -> str:
    least, middle, largest = spread(values)
    return "not defined" if np.isnan(middle) else f"{_n(middle)} [{_n(least)}, {_n(largest)}]"


def _n(value: float) -> str:
    if not np.isfinite(value):
        return "broken"
    return f"{value:.2g}" if 0 < abs(value) < 0.1 else f"{value:.2f}"


# -- the report --------------------------------------------------------------------------------------------------------

HEADER = ["quantity", "λ", *(f"{size} environments" for size in SIZES)]
RULE_HEADER = ["environments", "rule", "λ picked", "regret"]
_SECTIONS = (
    ("On an environment that no network has seen", UNSEEN),
    ("Leaving one environment out", LEFT_OUT),
    ("Overlap of the environments in the latent", OVERLAP),
)


def setting(study: EnvironmentsStudy) -> str:
    """How it was measured, in two sentences."""
    return (
        f"World: {PRESETS[study.preset_id].title.lower()} ({study.preset_id}). Every training set has the same number "
        f"of rows; {study.epochs} epochs, {seed_words(study.seeds, study.first_seed)}. Figures are medians with the "
        f"least and the largest over seeds; an environment that was not trained on is judged on {N_FRESH:,} fresh "
        f"rows. Lower and higher: by Student's t of log errors, paired by seed, {len(SETS)} comparisons at once (Holm)."
    )


def markdown(study: EnvironmentsStudy) -> str:
    """The report as Markdown; the figures are pictures inside the file."""
    parts = [f"# What does another environment buy?\n\n{setting(study)}\n\n**{headline(study)}**\n"]
    parts += [f"- {sentence}" for sentence in sentences(study)]
    for title, panels in _SECTIONS:
        parts.append(f"\n## {title}\n\n{_words_of(study, panels)}\n")
        parts.append(_markdown_table(HEADER, table_cells(study, panels)))
        parts += [f"\n![{panel.title}]({_data_uri(_svg(study, panel, panels))})" for panel in panels]
    parts.append("\n## Choosing λ without the truth\n")
    parts.append(_markdown_table(RULE_HEADER, [list(rule_cells(row)) for row in rules(study)]))
    parts.append(f"\nAgain: `{_again(study)}`\n")
    return "\n".join(parts)


def html(study: EnvironmentsStudy) -> str:
    """The report as one HTML file without any link."""
    parts = [f"<h1>What does another environment buy?</h1><p>{escape(setting(study))}</p>"]
    parts.append(f"<p><b>{escape(headline(study))}</b></p><ul>")
    parts += [f"<li>{escape(sentence)}</li>" for sentence in sentences(study)]
    parts.append("</ul>")
    for title, panels in _SECTIONS:
        parts.append(f"<h2>{escape(title)}</h2><p>{escape(_words_of(study, panels))}</p><div class=figures>")
        parts += [_svg(study, panel, panels) for panel in panels]
        parts.append("</div>" + _html_table(HEADER, table_cells(study, panels)))
    parts.append("<h2>Choosing λ without the truth</h2>")
    parts.append(_html_table(RULE_HEADER, [list(rule_cells(row)) for row in rules(study)]))
    parts.append(f"<p>Again: <code>{_again(study)}</code></p>")
    body = "\n".join(parts)
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>What does another environment buy?</title><style>'
        "body{font:15px/1.5 Verdana,sans-serif;max-width:1060px;margin:2rem auto;padding:0 1rem;color:#14181d}"
        "table{border-collapse:collapse;margin:1rem 0;font-size:13px}td,th{border-bottom:1px solid "
        "#dcdad3;padding:.3rem .8rem .3rem 0;"
        "text-align:left}.figures{display:flex;flex-wrap:wrap;gap:1rem}svg{flex:1 1 "
        "300px;max-width:460px;height:auto;border:1px solid #dcdad3}"
        f"</style><body>{body}</body></html>\n"
    )


def _again(study: EnvironmentsStudy) -> str:
    """The command that measures it."""
    return (
        f"python -m crl_core environments --preset {study.preset_id} --seeds {study.seeds} "
        f"--first-seed {study.first_seed}"
    )


def _words_of(study: EnvironmentsStudy, panels: tuple[Panel, ...]) -> str:
    if panels is UNSEEN:
        return " ".join(f"{item.title}: {item.sentence}" for item in SETS.values())
    if panels is LEFT_OUT:
        return (
            f"Environments between the first two, each left out in turn; the gap is of the runs with all of them. "
            f"{why_not(study)}"
        )
    return (
        "Of the latents on held-out rows, environments between the first two; AUC and mixing on standardised latents. "
        "MMD² is the unbiased estimate: the biased one grows as the same rows are shared by more environments."
    )


def limits_of(study: EnvironmentsStudy, panel: Panel, panels: tuple[Panel, ...]) -> tuple[float, float] | None:
    """The common axis of panels that share one; None if the panel has its own."""
    if not panel.share:
        return (0.0, 1.1) if panel.level is not None and panel.level[0] > 0 else None
    return range_of([line for p in panels if p.share == panel.share for line in lines_of(study, p)], panel.log)


def _svg(study: EnvironmentsStudy, panel: Panel, panels: tuple[Panel, ...]) -> str:
    return by_envs_svg(
        SIZES,
        lines_of(study, panel),
        palette("light"),
        title=panel.title,
        label=panel.label,
        log=panel.log,
        limits=limits_of(study, panel, panels),
    )


def _data_uri(svg: str) -> str:
    return "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode()


def _markdown_table(header: list[str], rows: list[list[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _html_table(header: list[str], rows: list[list[str]]) -> str:
    def cells(tag: str, row: list[str]) -> str:
        return "<tr>" + "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in row) + "</tr>"

    return f"<table>{cells('th', header)}{''.join(cells('td', row) for row in rows)}</table>"


def report_content(study: EnvironmentsStudy) -> dict[str, Any]:
    """What `environments --json` prints: the study, and its answer in words."""
    return study.to_dict() | {"headline": headline(study), "sentences": sentences(study)}
