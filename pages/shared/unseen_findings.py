"""Findings on a deployed batch: its quadrant, the tests as gauges, and the truth along the dose."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import streamlit as st

from crl_core.figures import Palette, palette
from crl_core.figures.unseen import along_dose
from crl_core.studies.certificate import Certificate, certificate
from crl_core.studies.deployed import TITLES, Finding, Reference
from crl_core.studies.deployed_view import Deployment, DoseCurves, Scene, dose_curves
from crl_core.studies.detection_rates import WRONG, name_of
from pages.shared.run_view import RunInView
from pages.shared.style import panel_title, quiet
from pages.shared.tables import chart, say
from pages.shared.unseen_controls import Asked

_CSS = """
<style>
.crl-quadrant { display: flex; flex-wrap: wrap; gap: .4rem 1.6rem; align-items: baseline; }
.crl-quadrant b { font-size: 1.5rem; }
.crl-quadrant span { color: var(--quiet); max-width: 46rem; line-height: 1.45; }
.crl-gauge { display: grid; grid-template-columns: minmax(0, 1fr) max-content; gap: .1rem 1rem; align-items: center;
  padding: .5rem 0; border-bottom: 1px solid var(--hairline); }
.crl-gauge:last-child { border-bottom: 0; }
.crl-gauge b { font-size: .95rem; } .crl-gauge .small { grid-column: 1 / 3; font-size: .8rem; color: var(--quiet); }
.crl-gauge .state { font-weight: 650; text-align: right; }
</style>
"""
_MEANS = {
    "alarm and wrong": "The tests notice, and the effects are wrong: what a monitor is for.",
    "alarm but right": (
        "The tests notice that the rows differ, yet the effects are not called wrong: an alarm is no verdict on the "
        "effects."
    ),
    "silent and right": "Nothing is noticed, and the effects are about as right as on unchanged rows.",
    "silent and wrong": "Nothing is noticed, and the effects are wrong. No test on these rows can know it.",
}


def headline(found: Deployment) -> None:
    """Do the tests alarm, and are the effects wrong?"""
    name = found.quadrant
    st.html(
        f'{_CSS}<div class="crl-quadrant"><b>{name[:1].upper() + name[1:]}</b><span>{escape(_MEANS[name])}</span></div>'
    )


def tests_and_truth(run: RunInView, here: Scene, asked: Asked, found: Deployment) -> None:
    """What a monitor sees on the left, and on the right what it cannot."""
    left, right = st.columns([2, 3])
    with left, st.container(key="panel_unseen_tests", height="stretch"):
        panel_title("What a monitor sees", "four tests of these rows, without the truth")
        gauges(found.report.findings, palette(run.theme))
        for note in found.report.notes:
            quiet(note)
        _certificate(run.key, here, asked, found)
    with right, st.container(key="panel_unseen_dose", height="stretch"):
        _truth(run, here, asked, found)


def gauges(findings: Sequence[Finding], ink: Palette) -> None:
    """Every test in a line."""
    st.html(_CSS + "".join(gauge(finding, ink) for finding in findings))


def gauge(finding: Finding, ink: Palette) -> str:
    """One test: whether it alarms, and the figure that says so."""
    state = {True: "ALARM", False: "quiet", None: "not made"}[finding.alarm]
    colour = ink["bad"] if finding.alarm else ink["muted"]
    return (
        f'<div class="crl-gauge"><b>{escape(TITLES[finding.test][:1].upper() + TITLES[finding.test][1:])}</b>'
        f'<span class="state" style="color:{colour}">{state}</span>'
        f'<span class="small">{escape(finding.words)}</span></div>'
    )


def _certificate(key: str, here: Scene, asked: Asked, found: Deployment) -> None:
    """The findings as a report to take home."""
    sample = f"Simulated deployment, {name_of(asked.intervention.id, asked.dose)}"
    certificate_buttons(certificate(here.model, found.report, sample=sample), key)


def certificate_buttons(made: Certificate, name: object) -> None:
    """The certificate as files."""
    with st.container(horizontal=True):
        for label, text, ending, kind in (
            ("Certificate, HTML", made.html(), "html", "text/html"),
            ("Markdown", made.markdown(), "md", "text/markdown"),
        ):
            file = f"certificate-{name}.{ending}"
            st.download_button(label, text, file, kind, on_click="ignore", key=f"unseen.{ending}")


@st.cache_resource(max_entries=64, show_spinner=False)
def curves_along_dose(key: str, lam: float, intervention: str, n: int, _model: Reference) -> DoseCurves:
    """What becomes of the model of run `key` at λ along the dose, computed once."""
    return dose_curves(_model, intervention, n)


def _truth(run: RunInView, here: Scene, asked: Asked, found: Deployment) -> None:
    """Latent MMD² and the true error along the dose; two figures where there is no dose."""
    item, ink = asked.intervention, palette(run.theme)
    if item.low == item.high:
        panel_title("What only the simulation knows", "effect error of this network")
        say(f"{found.error:.3f} here, {found.usual:.3f} on unchanged rows.")
        return
    curves = curves_along_dose(run.key, run.lam, item.id, found.report.n_rows, here.model)
    left, right = st.columns(2)
    drawn = along_dose(curves.doses, curves.mmd2, asked.dose, ink, title="Latent MMD²", dose_title=item.dose)
    with left:
        chart(drawn, "unseen.dose_mmd2")
    drawn = along_dose(
        curves.doses,
        curves.right["ite_rmse"],
        asked.dose,
        ink,
        title="True effect error",
        dose_title=item.dose,
        threshold=WRONG * found.usual,
        truth=True,
    )
    with right:
        chart(drawn, "unseen.dose_error")
    quiet(
        f"Only the simulation knows the true error. Dashed: {WRONG:g} times that of unchanged rows; above it the "
        f"effects are called wrong."
    )
