"""How often each test alarms, for every intervention: the table that comes with the program, or measured here."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

import numpy as np
import streamlit as st

from crl_core.config.text import seed_words
from crl_core.figures import Palette
from crl_core.figures.unseen import power_map
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
from pages.shared.style import panel_title, quiet
from pages.shared.tables import chart

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
</style>
"""


def power_table(preset_id: str, ink: Palette) -> None:
    """Rejection rates over seeds beside the true error; a click away where they have not been measured."""
    power = baked_power(server_cache.store().baked, preset_id)
    where = f"Measured before the program was shipped: {DRAWS} batches a seed."
    if power is None and (problem := BAKED.problem(server_cache.store().baked)):
        st.error(problem)
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
    config = config_of(preset_id, _SEEDS)
    if not many_runs.panel(
        f"unseen.runs.{preset_id}", [(config, False)], start="Measure it for this world", again=False
    ):
        return None
    if not is_there(config, server_cache.store()):
        return None
    try:
        return _run_power(preset_id)
    except (RunsFailed, StoreError) as error:
        st.error(str(error))
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
    tests = [test for test in _TESTS if all(test in found for found in cases.values())]
    first = [found[tests[0]] for found in cases.values()]
    st.html(_CSS + four_quadrants(cases, ink))
    drawn = power_map(
        [name_of(*case) for case in cases],
        [_TESTS[test] for test in tests],
        np.array([[found[test].rejection_rate for test in tests] for found in cases.values()]),
        np.array([row.ite_rmse for row in first]),
        np.array([row.wrong for row in first]),
        ink,
        title=f"Rejection rates at λ = {lam:g}, {n} rows",
    )
    chart(drawn, "unseen.power")
    quiet(
        f"{where} {seed_words(power.seeds, power.first_seed).capitalize()}. The batches of a seed share their 300 "
        "reference latents, so they err together. In the four boxes the monitor is latent MMD² against all "
        "environments, or residuals. ITE RMSE: the median true error, known only in simulation. The command: "
        f"python -m crl_core unseen --preset {power.preset_id} --first-seed {power.first_seed}."
    )


def four_quadrants(cases: Mapping[Case, Mapping[str, Rate]], ink: Palette) -> str:
    """Every intervention in its place: does latent MMD² or the residual ratio alarm, and are the effects wrong?"""
    boxes = []
    for name, members in by_quadrant(cases).items():
        bad = name == "silent and wrong"
        look = f' style="border-color:{ink["bad"]}"' if bad else ""
        title = f' style="color:{ink["bad"]}"' if bad else ""
        told = escape("; ".join(name_of(*case) for case in members) or "none")
        boxes.append(f"<div{look}><b{title}>{name[:1].upper() + name[1:]}</b>{told}</div>")
    return f'<div class="crl-four">{"".join(boxes)}</div>'
