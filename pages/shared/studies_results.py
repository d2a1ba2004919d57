"""What a study has found so far: a figure of means along its axes, verdicts, and the table."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from crl_core.figures import palette
from crl_core.figures.study_panel import MeanDot, study_panel
from crl_core.measures.lam_choice import words_of
from crl_core.metrics import METRIC
from crl_core.studies.grid.folder import StudyFolder, parquet
from crl_core.studies.grid.rows import averages, read_table
from crl_core.studies.grid.study_file import PRESET, Study
from pages.shared import server_cache, style
from pages.shared.runs_callbacks import open_run
from pages.shared.studies_plan import column_word, value_word
from pages.shared.tables import chart, table

_NONE = "–"
_MOST_PANELS = 9
_MOST_ROWS = 2_000  # that are shown; the files have all


def results(study: Study) -> None:
    """Figure, claims and table; nothing while there is no row."""
    text = StudyFolder(server_cache.store(), study.id).table_text()
    frame = _frame(text) if text else pd.DataFrame()
    if len(frame):
        _figure(study, frame)
    _claims(study)
    if len(frame):
        _table(study, frame, text)


@st.cache_resource(max_entries=8, show_spinner=False)
def _frame(text: str) -> pd.DataFrame:
    return read_table(text)


@st.cache_resource(max_entries=4, show_spinner=False)
def _parquet(text: str) -> bytes:
    return parquet(text)


# -- the figure --------------------------------------------------------------------------------------------------------


def _figure(study: Study, frame: pd.DataFrame) -> None:
    # Of the whole plan: what the first rows have is no choice that should stay.
    axes = [name for at, name in enumerate(study.columns) if len({p.at[at] for p in study.points}) > 1] or ["replicate"]
    with st.container(key="panel_studies_figure"):
        style.panel_title("Means along the axes", "over all that is not chosen here; bars: 95 % by Student’s t")
        x, group, panels, metric, at = _controls(study, axes, frame)
        by = list(dict.fromkeys(name for name in (x, group, panels) if name != _NONE))
        cells = averages(frame, by, metric, at)
        place = {name: index for index, name in enumerate(by)}

        def of(at: tuple[object, ...], name: str) -> str:
            return "" if name == _NONE else value_word(name, at[place[name]])

        dots: dict[str, list[MeanDot]] = {}
        for cell in cells:
            value = cell.at[place[x]]
            dots.setdefault(of(cell.at, panels), []).append(
                MeanDot(
                    x=value if isinstance(value, int | float) and not isinstance(value, bool) else value_word(x, value),
                    group="" if group in (_NONE, x) else of(cell.at, group),
                    mean=cell.mean,
                    low=cell.low,
                    high=cell.high,
                    n=cell.n,
                    broken=cell.broken,
                )
            )
        among = [dot for own in dots.values() for dot in own]
        shown = list(dots)[:_MOST_PANELS]
        known = METRIC[metric]
        word = partial(column_word, study)
        columns = st.columns(min(3, len(shown)))
        for index, name in enumerate(shown):
            with columns[index % len(columns)]:
                drawn = study_panel(
                    dots[name],
                    palette(style.theme()),
                    among=among,
                    title=name
                    if panels in (PRESET, "penalty")
                    else f"{word(panels)} {name}"
                    if name
                    else known.heading,
                    x_title=word(x),
                    y_title=known.word,
                    log=known.window is None,
                )
                chart(drawn, f"studies.figure.{index}")
        if len(dots) > _MOST_PANELS:
            style.quiet(f"The first {_MOST_PANELS} of {len(dots)} panels; the table has all.")


def _controls(study: Study, axes: list[str], frame: pd.DataFrame) -> tuple[str, str, str, str, str | float]:
    a, b, c, d, e = st.columns(5)
    key = f"studies.{study.id}"
    usual = [name for name in axes if name != "seed"] or axes
    word = partial(column_word, study)
    x = (
        a.selectbox(
            "Along", axes, format_func=word, index=axes.index(usual[0]), key=f"{key}.x", persist_state="session"
        )
        or axes[0]
    )
    others = [name for name in axes if name != x]
    first = next((name for name in usual if name != x), _NONE)
    group = _axis_or_none(b, "Colour", others, first, word, f"{key}.group")
    rest = [name for name in others if name != group]
    second = next((name for name in usual if name not in (x, group)), _NONE)
    panels = _axis_or_none(c, "Panels", rest, second, word, f"{key}.panels")
    metric = d.selectbox(
        "Figure",
        study.metrics,
        format_func=lambda name: METRIC[name].word,
        key=f"{key}.metric",
        persist_state="session",
    )
    lams = sorted(frame["lam"].unique())
    places: list[str | float] = [*study.rules, *lams]
    at = e.selectbox(
        "At",
        places,
        format_func=lambda at: words_of(at).title if isinstance(at, str) else f"λ = {at:g}",
        key=f"{key}.at",
        persist_state="session",
        help="A λ. A rule needs no truth, and picks one in each run and replicate; of a number the nearest counts.",
    )
    return x, group or _NONE, panels or _NONE, metric or study.metrics[0], places[0] if at is None else at


def _axis_or_none(
    column: DeltaGenerator, label: str, axes: list[str], first: str, word: Callable[[str], str], key: str
) -> str | None:
    """An axis that may be chosen, or none. first: what is chosen to begin with."""
    options = [_NONE, *axes]
    return column.selectbox(
        label, options, format_func=word, index=options.index(first), key=key, persist_state="session"
    )


# -- verdicts and the table --------------------------------------------------------------------------------------------


def _claims(study: Study) -> None:
    found = StudyFolder(server_cache.store(), study.id).claims()
    if not study.claims or found is None:
        return
    said = {entry["id"]: entry["verdict"] for entry in found["claims"]}
    with st.container(key="panel_studies_claims"):
        style.panel_title("Claims", "each over the seeds of the study")
        rows = [[said.get(claim.id, _NONE), claim.statement] for claim in study.claims]
        table(["Verdict", "Claim"], rows, words_from=1)


def _table(study: Study, frame: pd.DataFrame, text: str) -> None:
    with st.container(key="panel_studies_table"):
        style.panel_title("Table", "a row a run, λ and replicate; select a row to open its run")
        chosen = st.dataframe(
            frame.head(_MOST_ROWS),
            key=f"studies.table.{study.id}",
            hide_index=True,
            on_select="rerun",
            selection_mode="single-row",
            height=320,
        )
        rows = chosen.selection.rows
        key = str(frame["run"].iloc[rows[0]]) if rows and rows[0] < len(frame) else ""
        run = server_cache.store().summary(key) if key else None
        with st.container(horizontal=True):
            if key and run is not None:
                st.button(f"Open run {key}", key="studies.open", on_click=open_run, args=(run,))
            elif key:
                style.quiet(f"Run {key} is not stored any more; its numbers are in the table.")
            st.download_button("CSV", text, f"{study.id}.csv", "text/csv", key="studies.csv")
            st.download_button(
                "Parquet", _parquet(text), f"{study.id}.parquet", "application/octet-stream", key="studies.parquet"
            )
        if len(frame) > _MOST_ROWS:
            style.quiet(f"The first {_MOST_ROWS:,} of {len(frame):,} rows; the files have all.")
