"""How often each test alarms, for every intervention: the table that comes with the program, or measured here."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from math import isfinite

import streamlit as st

from crl_core.config.text import seed_words
from crl_core.figures import Palette
from crl_core.figures.base import decimals
from crl_core.jobs.ensure_runs import RunsFailed, is_there
from crl_core.runs.sealing import StoreError
from crl_core.studies.detection_rates import (
    BAKED,
    DRAWS,
    Case,
    Power,
    Rate,
    baked_power,
    by_quadrant,
    cautions,
    config_of,
    name_of,
    run_power,
)
from pages.shared import many_runs, server_cache
from pages.shared.run_view import warn
from pages.shared.style import panel_title, plain, quiet

_SEEDS, _DRAWS = 3, 4  # of a table that is measured here, while somebody waits
_TESTS = {
    "pooled": "MMD², all",
    "nearest": "MMD², nearest",
    "residuals": "residuals",
    "classifier": "classifier",
}
_CSS = """
<style>
.crl-four { display: grid; grid-template-columns: 1fr 1fr; gap: .6rem; margin: .3rem 0 .8rem 0; }
.crl-four div { border: 1px solid var(--hairline); border-radius: 8px; padding: .5rem .8rem; font-size: .86rem;
  line-height: 1.5; }
.crl-four b { display: block; font-size: 1rem; }
@media (max-width: 640px) { .crl-four { grid-template-columns: 1fr; } }
.crl-rates-room { container-type: inline-size; }
.crl-rates { border-collapse: separate; border-spacing: 3px; width: 100%; font-size: .8rem; line-height: 1.3;
  font-variant-numeric: tabular-nums; }
.crl-rates th { font-weight: 400; text-align: right; padding: 0 .5rem 0 0; color: var(--ink); }
.crl-rates thead th { text-align: center; color: var(--quiet); padding: 0 .1rem .2rem .1rem; }
.crl-rates td { padding: .2rem .1rem; text-align: center; color: var(--ink); }
.crl-rates .rate { background: color-mix(in srgb, var(--full) var(--share), var(--none)); width: 15%; }
.crl-rates .often { color: var(--ink-on-full); font-weight: 700; }
.crl-rates .silent { outline: 2px solid var(--ink); outline-offset: -1px; }
.crl-rates .wrong { font-weight: 700; }
@container (max-width: 520px) {  /* no room for the names beside the figures: each above its own */
  .crl-rates tr { display: grid; grid-template-columns: repeat(var(--columns), minmax(0, 1fr)); gap: 3px;
    align-items: stretch; margin-top: .35rem; font-size: .74rem; }
  .crl-rates thead th { font-size: .68rem; padding: 0; }
  .crl-rates thead th:first-child { display: none; }
  .crl-rates tbody th { grid-column: 1 / -1; text-align: left; }
  .crl-rates td { width: auto !important; display: grid; place-content: center; }
}
</style>
"""


def power_table(preset_id: str, ink: Palette) -> None:
    """Rejection rates over seeds beside the true error; a click away where they have not been measured."""
    power = baked_power(server_cache.store().baked, preset_id)
    where = f"Measured before the program was shipped: {DRAWS} batches a seed."
    if power is None and (problem := BAKED.problem(server_cache.store().baked)):
        st.error(plain(problem))
    with st.container(key="panel_unseen_power"):
        panel_title(
            "How often does each test alarm?",
            f"{preset_id}: share of batches over seeds; framed: silent although the effects are wrong",
        )
        if power is None:
            power = _measured(preset_id)
            where = f"Measured on this machine: {_SEEDS} seeds, {_DRAWS} batches each."
        if power is not None:
            warn(cautions(power))
        if power is not None and power.rows:
            _draw(power, where, ink)


def _measured(preset_id: str) -> Power | None:
    """The table of runs that are stored here; None, with a button or a sentence, where there is none."""
    try:
        config = config_of(preset_id, _SEEDS)
    except ValueError as error:  # the run has effects, and the preset that it began with has none
        quiet(str(error)[:1].upper() + str(error)[1:])
        return None
    if not many_runs.panel(
        f"unseen.runs.{preset_id}", [(config, False)], start="Measure it for this world", again=False
    ):
        return None
    if not is_there(config, server_cache.store()):
        return None
    try:
        return _run_power(preset_id)
    except (RunsFailed, StoreError) as error:
        st.error(plain(str(error)))
        return None


@st.cache_resource(max_entries=4, show_spinner="Measuring the tests' power, about half a minute")
def _run_power(preset_id: str) -> Power:
    return run_power(preset_id, server_cache.store(), seeds=_SEEDS, draws=_DRAWS, sizes=(200,), lams=(0.0, 1.0))


def _draw(power: Power, where: str, ink: Palette) -> None:
    lams, sizes = sorted({row.lam for row in power.rows}), sorted({row.n for row in power.rows})
    with st.container(horizontal=True):
        lam = st.segmented_control(
            "λ", lams, default=lams[-1], key="unseen.power_lam", required=True, format_func=lambda v: f"{v:g}"
        )
        n = st.segmented_control("Rows in a batch", sizes, default=200, key="unseen.power_n", required=True)
    cases = power.cases(lam, n)
    st.html(_CSS + four_quadrants(cases, ink))
    panel_title(f"Rejection rates at λ = {lam:g}, {n} rows", "share of the batches that alarm")
    st.html(rates_table(cases, ink))
    quiet(
        f"{where} {seed_words(power.seeds, power.first_seed).capitalize()}. The batches of a seed share their 300 "
        "reference latents, so they err together. In the four boxes the monitor is latent MMD² against all "
        "environments, or residuals. Effect error: the median true error, known only in simulation. The command: "
        f"python -m crl_core unseen --preset {power.preset_id} --first-seed {power.first_seed}."
    )


def four_quadrants(cases: Mapping[Case, Mapping[str, Rate]], ink: Palette) -> str:
    """Every intervention in its place: does latent MMD² or the residual ratio alarm, and are the effects wrong?"""
    boxes = []
    for name, members in by_quadrant(cases).items():
        look = f' style="border:2px solid {ink["text"]}"' if name == "silent and wrong" else ""
        told = escape("; ".join(name_of(*case) for case in members) or "none")
        boxes.append(f"<div{look}><b>{name[:1].upper() + name[1:]}</b>{told}</div>")
    return f'<div class="crl-four">{"".join(boxes)}</div>'


def rates_table(cases: Mapping[Case, Mapping[str, Rate]], ink: Palette) -> str:
    """Rejection rates as a table: a line for every intervention, a column for every test, and the true error.

    A test that is silent where the effects are wrong has a frame.
    """
    if not cases:
        return '<p class="crl-quiet">Nothing has been measured yet.</p>'
    tests = [test for test in _TESTS if all(test in found for found in cases.values())]
    head = "".join(
        f'<th scope="col">{escape(name)}</th>' for name in ("", *(_TESTS[test] for test in tests), "effect error")
    )
    lines = []
    for case, found in cases.items():
        first = next(iter(found.values()))
        error = decimals(first.ite_rmse, 3)
        cells = "".join(_rate(found[test], error) for test in tests)
        truth = f'<td class="wrong">{error} wrong</td>' if first.wrong else f"<td>{error}</td>"
        lines.append(f'<tr><th scope="row">{escape(name_of(*case))}</th>{cells}{truth}</tr>')
    look = f"--columns: {len(tests) + 1}; --full: {ink['accent']}; --none: {ink['grid']}"
    inks = f"--ink: {ink['text']}; --ink-on-full: {ink['panel']}"
    return (
        f'<div class="crl-rates-room"><table class="crl-rates" style="{look}; {inks}"><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(lines)}</tbody></table></div>"
    )


def _rate(rate: Rate, error: str) -> str:
    """A cell, as bright as its test alarms often."""
    often = rate.rejection_rate > 0.5
    kinds = ("often" if often else "") + (" silent" if rate.wrong and not often else "")
    share = 100 * rate.rejection_rate if isfinite(rate.rejection_rate) else 0.0
    says = decimals(rate.rejection_rate, 2)
    told = f"{says} of batches alarm; true effect error {error}"
    return f'<td class="rate {kinds}" style="--share: {share:.0f}%" title="{told}">{says}</td>'
