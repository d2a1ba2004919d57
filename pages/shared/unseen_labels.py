"""The Unseen page of a label that treatment has no part in: how often it is right somewhere new, and who notices."""

from __future__ import annotations

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from crl_core.figures import palette
from crl_core.figures.labels import right_along_dose
from crl_core.figures.unseen import along_dose
from crl_core.studies.along_dose import LabelDeployed, label_deployed
from crl_core.studies.deployed import Reference, reference_of
from pages.shared import edits_panel, prediction_panel
from pages.shared.run_view import RunInView, page_header
from pages.shared.style import notice, panel_title, quiet
from pages.shared.tables import chart
from pages.shared.unseen_controls import Asked, asked_deployment
from pages.shared.unseen_findings import curves_along_dose, gauges


def draw(run: RunInView) -> None:
    """The whole page."""
    head = st.container()
    asked = asked_deployment(run.config.scenario)
    if run.status == "diverged":
        _header(head, run, asked, [(f"{run.lam:g}", "λ shown")])
        notice("There is no model to deploy", f"At λ = {run.lam:g} the first replicate diverged; {run.others}.")
    else:
        _deployed(head, run, asked)
    prediction_panel.draw(run)
    edits_panel.draw(run)
    if run.config.scenario.observation == "covariates":
        notice(
            "Nothing to record again", "x is covariates here: no machine stands between the patient and the network."
        )


def _header(head: DeltaGenerator, run: RunInView, asked: Asked, numbers: list[tuple[str, str]]) -> None:
    with head:
        page_header(
            "The outcome is a yes or no that treatment has no part in, so no effect can be wrong "
            f"somewhere new; a label can. {asked.intervention.sentence}",
            numbers,
            terms="unseen.labels",
        )


def _deployed(head: DeltaGenerator, run: RunInView, asked: Asked) -> None:
    model = _model(run.key, run.lam, run)
    found = _found(run.key, run.lam, asked.intervention.id, asked.dose, asked.n, asked.draw, model)
    alarms = sum(bool(finding.alarm) for finding in found.report.findings)
    numbers = [
        (f"{run.lam:g}", "λ shown"),
        (f"{alarms}", f"of {len(found.report.findings)} tests alarm"),
        (f"{100 * found.usual['accuracy']:.1f} %", "right, unchanged"),
        (f"{100 * found.here['accuracy']:.1f} %", f"right here, AUC {found.here['auc']:.2f}"),
    ]
    _header(head, run, asked, numbers)
    left, right = st.columns([3, 2])
    with left, st.container(key="panel_unseen_tests", height="stretch"):
        panel_title("What a monitor sees", "line: threshold; a full bar is far beyond it")
        gauges(found.report.findings, palette(run.theme))
        for note in found.report.notes:
            quiet(note)
    with right, st.container(key="panel_unseen_dose", height="stretch"):
        _along(run, asked, found, model)


def _along(run: RunInView, asked: Asked, found: LabelDeployed, model: Reference) -> None:
    """How right labels are, and latent MMD², along the dose; two figures where there is no dose."""
    item, ink = asked.intervention, palette(run.theme)
    if item.low == item.high:
        panel_title("Who knows the labels sees", "share that is right, and AUC")
        quiet(f"{100 * found.here['accuracy']:.1f} % are right, AUC {found.here['auc']:.2f}.")
        return
    curves = curves_along_dose(run.key, run.lam, item.id, asked.n, model)
    drawn = right_along_dose(
        curves.doses,
        curves.right["accuracy"],
        curves.right["auc"],
        asked.dose,
        ink,
        title="Labels that are right",
        dose_title=item.dose,
    )
    chart(drawn, "unseen.dose_right")
    drawn = along_dose(curves.doses, curves.mmd2, asked.dose, ink, title="Latent MMD²", dose_title=item.dose)
    chart(drawn, "unseen.dose_mmd2")
    quiet("Only who knows the labels of the new rows sees the upper figure; a monitor sees the lower one.")


@st.cache_resource(max_entries=8, show_spinner=False)
def _model(key: str, lam: float, _run: RunInView) -> Reference:
    return reference_of(_run.result, lam)


@st.cache_resource(max_entries=32, show_spinner=False)
def _found(key: str, lam: float, intervention: str, dose: float, n: int, draw: int, _model: Reference) -> LabelDeployed:
    return label_deployed(_model, intervention, dose, n, draw)
