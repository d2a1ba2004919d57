"""The Effects page where nobody knows the true effects: estimates with their spread, and what the rows say of them."""

from __future__ import annotations

import numpy as np
import streamlit as st

from crl_core.events import OK
from crl_core.export.checkpoint import file_stem
from crl_core.export.effects_file import effects_csv
from crl_core.figures import effects_by_env, gain_by_share_treated, palette, predicted_against_found
from crl_core.figures.base import number
from crl_core.measures.doubly_robust import FLOOR, Estimate
from crl_core.measures.effect_words import spread_words
from crl_core.metrics import ite_rmse
from pages.shared import effects_columns, path_averages, row_views, table_run
from pages.shared.row_views import effect_said
from pages.shared.run_view import RunInView, page_header
from pages.shared.style import figure, notice, panel_title, quiet
from pages.shared.tables import chart, say, table


def header_numbers(run: RunInView) -> list[tuple[str, str]]:
    """The large figures."""
    found, at = row_views.average(run), run.result.lams.index(run.lam)
    checked = row_views.checked(run)
    line, means = checked.calibration, checked.verdict.kind != "worthless"
    slope = "–" if not (means and np.isfinite(line.slope)) else f"{line.slope:.2f} ± {line.se:.2f}"
    return [
        (f"{run.lam:g}", "λ shown"),
        (effect_said(run, float(np.nanmean(found.ate[:, at]))), "average effect"),
        (effect_said(run, float(np.nanmean(found.att[:, at]))), "on the treated"),
        (slope.replace("-", "−"), "slope: 1 as predicted, 0 none" if means else "slope: means nothing here"),
    ]


def without_effect(run: RunInView) -> None:
    """The head of the page where treatment has no part in the outcome."""
    page_header(
        "The outcome is a yes or no that treatment has no part in, so there is no effect to "
        "estimate. The network predicts the label.",
        label_numbers(run),
    )


def label_numbers(run: RunInView) -> list[tuple[str, str]]:
    """The large figures of a world whose outcome is a label that treatment has no part in."""
    return [(f"{run.lam:g}", "λ shown"), (figure(run.at_lam(run.result.factual_mse)), "factual error, held out")]


def draw(run: RunInView) -> None:
    """Everything below the header."""
    at, ink = run.result.lams.index(run.lam), palette(run.theme)
    if (run.result.by_lam(run.result.status)[:, at] != OK).all():
        notice(f"No fit at λ = {run.lam:g} is usable", "Choose a smaller λ, or train with a smaller learning rate.")
        return
    rows, found, checked = row_views.rows_of(run)[0], row_views.of_rows(run), row_views.checked(run)
    path_averages.offer_chosen(run)
    say(checked.verdict.words)
    left, right = st.columns([11, 9])
    with left, st.container(key="panel_effects_rows", height="stretch"):
        title = f"Estimated effects at λ = {run.lam:g}"
        chart(effects_by_env(found.effects, rows.env, run.env_names, ink, title=title), "effects.rows")
        quiet(
            f"All {len(rows):,} rows, the mean of {len(found.effects)} fits. Points: the mean of an environment with "
            "its range over fits."
        )
    with right, st.container(key="panel_effects_thirds", height="stretch"):
        drawn = predicted_against_found(checked.thirds.groups, ink, title="Predicted and found, by thirds of τ̂")
        chart(drawn, "effects.thirds")
        line = checked.calibration
        quiet(
            f"{line.n:,} rows, each by the fits that did not see it. Found: doubly robust, ± 1.96 standard errors. "
            f"{line.n_clipped:,} of them are hardly ever given the other treatment; the more they are, the less this "
            "means."
        )
    left, right = st.columns([9, 11])
    with left, st.container(key="panel_effects_policy", height="stretch"):
        chart(gain_by_share_treated(checked.policy, ink, title="Whom to treat first?"), "effects.policy")
        quiet(
            "Gain in the mean outcome, where a larger one is better, of treating the rows of largest τ̂ first; "
            "pointwise 95 % band."
        )
    with right, st.container(key="panel_effects_average", height="stretch"):
        _averages(run)
    effects_columns.draw(run)
    take_home(run)


def _averages(run: RunInView) -> None:
    """The average effect by every way there is."""
    found, at, checked = row_views.average(run), run.result.lams.index(run.lam), row_views.checked(run)
    levels = row_views.levels(run)
    inside = ~row_views.known(run).clipped
    in_overlap = row_views.of_rows(run).averages(inside)

    def of_fits(values: np.ndarray) -> str:
        spread = f" ± {effect_said(run, float(np.nanstd(values, ddof=1)), signed=False)}" if len(values) > 1 else ""
        return effect_said(run, float(np.nanmean(values))) + spread

    def robust(item: Estimate) -> str:
        return f"{effect_said(run, item.value)} ± {effect_said(run, item.se, signed=False)}"

    panel_title("Average effect", "by four ways that agree where the table can tell")
    table(
        ["", "all", "on the treated", "overlap rows"],
        [
            (f"network, λ = {run.lam:g}", of_fits(found.ate[:, at]), of_fits(found.att[:, at]), of_fits(in_overlap)),
            ("doubly robust", robust(checked.average), robust(checked.treated), robust(checked.in_overlap)),
            (
                "least squares per arm",
                effect_said(run, levels.least_squares),
                effect_said(run, levels.least_squares_treated),
                "–",
            ),
            ("difference in means", effect_said(run, levels.naive), "–", "–"),
        ],
        strong=0,
    )
    quiet(
        f"Overlap rows: the {checked.n_overlap:,} of {len(inside):,} whose propensity lies in "
        f"[{FLOOR:g}, {1 - FLOOR:g}], so that either treatment might have come. It is another question than that of "
        "all rows, and one that the table can answer."
    )
    quiet(f"± of the network: standard deviation over fits; of doubly robust: standard error. {spread_words()}")


def mean_of_fits(run: RunInView) -> str:
    """How far off the mean over fits is on held-out rows, where a table's true effects are known."""
    rows, train = row_views.rows_of(run)
    assert rows.ite is not None
    test = np.setdiff1d(np.arange(len(rows)), train)
    found = row_views.of_rows(run)
    mean = float(ite_rmse(found.effect[test], rows.ite[test]))
    return (
        f"A row's effect is the mean of {len(found.effects)} fits: its error is {number(mean)}, where single fits err "
        f"by {number(run.at_lam(run.result.ite_rmse) or np.nan)}."
    )


def take_home(run: RunInView) -> None:
    """Every row's effect as CSV, for whoever has the table here."""
    own = table_run.current()
    if own is None or own.rows != run.config.table:
        return
    found = row_views.of_rows(run)
    mine, at = own.table, own.source.all_rows()[1]
    content = row_views.once(
        run,
        f"csv at {run.lam:g}",
        lambda: effects_csv(mine.raw, mine.roles, at, found, row_views.known(run)),
    )
    st.download_button(
        "Every row's effect, as CSV",
        content,
        file_name=f"{file_stem(run.config)}-effects-lambda-{run.lam:g}.csv",
        mime="text/csv",
        key="effects.csv",
        on_click="ignore",
    )
    quiet(
        "A line for each row that is used: both outcomes, the effect, its spread and interval over fits, its "
        "propensity, and the table's own id, environment and treatment. It leaves this session only by this button."
    )
