"""The scatter of the Library: any figure of the runs shown against any setting that varies among them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import streamlit as st

from crl_core.config.settings import Setting
from crl_core.figures import palette
from crl_core.figures.runs_scatter import RunDot, runs_scatter
from crl_core.measures.across_runs import WHERE_WORDS, at_lam
from crl_core.metrics import METRIC, SHOWN, Metric
from crl_core.runs.store import RunSummary
from pages.shared import style
from pages.shared.runs_numbers import MOST_READ, best_baseline, values_of
from pages.shared.runs_table import shown_settings, titles, value_text
from pages.shared.tables import chart

_NO_GROUP = "all alike"


def panel(runs: Sequence[RunSummary], choose: Callable[[int], None]) -> None:
    """The figure and what it shows. choose: told the place in `runs` of the dot that is clicked."""
    settings = {setting.name: setting for setting in shown_settings(runs)}
    with st.container(key="panel_runs_scatter", height="stretch"):
        style.panel_title("What changes the error", "a dot a run, its median; the bar reaches over its replicates")
        if not settings or len(runs) < 2:
            style.quiet("The runs shown do not differ in a setting; find or train some that do, for instance a sweep.")
            return
        metric, where, setting, group = _controls(settings)
        shown = runs[:MOST_READ]
        log = metric.window is None
        dots = [_dot(name, run, metric, where, setting, group) for name, run in zip(titles(shown), shown, strict=True)]
        word = metric.word
        drawn = runs_scatter(
            dots,
            palette(style.theme()),
            title=f"{word[0].upper()}{word[1:]}, {WHERE_WORDS[where]}",  # type: ignore[index]
            x_title=setting.word,
            y_title=f"{word}, held out" if metric.held_out else word,
            log=log,
        )
        chart(drawn, "runs.scatter", on_tap=choose)
        more = f" The first {MOST_READ} of {len(runs)} runs." if len(runs) > MOST_READ else ""
        style.quiet(f"Click a dot to select its run.{more}{_truth(metric, where)}")


def _controls(settings: dict[str, Setting]) -> tuple[Metric, str, Setting, Setting | None]:
    metrics = {metric.name: metric for metric in SHOWN}
    a, b, c, d = st.columns(4)
    metric = a.selectbox(
        "Figure",
        list(metrics),
        index=list(metrics).index("ite_rmse"),
        format_func=lambda name: metrics[name].word,
        key="runs.scatter.metric",
        persist_state="session",
    )
    where = b.selectbox(
        "At",
        list(WHERE_WORDS),
        format_func=WHERE_WORDS.__getitem__,
        key="runs.scatter.where",
        persist_state="session",
        help="The least over λ is known only with the truth. Label-free: at the λ of the least held-out factual error, "
        "which anybody can choose.",
    )
    words = {name: setting.word for name, setting in settings.items()}
    against = c.selectbox(
        "Against", list(settings), format_func=words.__getitem__, key="runs.scatter.x", persist_state="session"
    )
    others = [name for name in settings if name != against]
    colour = d.selectbox(
        "Colour and shape",
        [_NO_GROUP, *others],
        index=1 if others else 0,
        format_func=lambda name: words.get(name, name),
        key="runs.scatter.group",
        persist_state="session",
    )
    setting = settings.get(against) or next(iter(settings.values()))
    return METRIC[metric or "ite_rmse"], where or "least", setting, settings.get(colour or "")


def _dot(name: str, run: RunSummary, metric: Metric, where: str, setting: Setting, group: Setting | None) -> RunDot:
    known, nothing = values_of(run), np.full((1, len(run.lams)), np.nan)
    value, own = setting.of(run.config), None if group is None else group.of(run.config)
    plain = isinstance(value, int | float) and not isinstance(value, bool)
    baseline = best_baseline(run) if metric.name == "ite_rmse" else None
    return RunDot(
        name=name,
        x=value if value is None or plain else value_text(setting, value),
        values=at_lam(where, known.get(metric.name, nothing), known.get("factual_mse", nothing), run.lams),  # type: ignore[arg-type]
        group="" if group is None else "–" if own is None else group.told(own),
        baseline=baseline[1] if baseline else None,
    )


def _truth(metric: Metric, where: str) -> str:
    if where == "least" and metric.needs_truth:
        return " Which λ is best, and which baseline, is known only in simulation."
    return ""
