"""Findings on a deployed batch: its quadrant, the tests as gauges, and the truth along the dose."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np
import streamlit as st

from crl_core.figures import Palette, palette
from crl_core.figures.unseen import along_dose
from crl_core.measures.falsifiers import LEVEL, PERMUTATIONS, RATIO
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
.crl-gauge { display: grid; grid-template-columns: minmax(0, 1.7fr) minmax(2.5rem, 1.6fr) minmax(4.2rem, .6fr);
  gap: .1rem clamp(.4rem, 1.5vw, 1rem); align-items: center;
  padding: .5rem 0; border-bottom: 1px solid var(--hairline); }
.crl-gauge:last-child { border-bottom: 0; }
.crl-gauge b { font-size: .95rem; } .crl-gauge .small { grid-column: 1 / 4; font-size: .8rem; color: var(--quiet); }
.crl-gauge .track { position: relative; height: .8rem; border-radius: .4rem; background: var(--hairline); }
.crl-gauge .fill { position: absolute; left: 0; top: 0; bottom: 0; border-radius: .4rem; }
.crl-gauge .at { position: absolute; top: -.25rem; bottom: -.25rem; width: 2px; }
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


def headline(found: Deployment, ink: Palette) -> None:
    """Do the tests alarm, and are the effects wrong?"""
    name = found.quadrant
    colour = ink["bad"] if name == "silent and wrong" else ink["text"]
    st.html(
        f'{_CSS}<div class="crl-quadrant"><b '
        f'style="color:{colour}">{name[:1].upper() + name[1:]}</b><span>{escape(_MEANS[name])}</span></div>'
    )


def tests_and_truth(run: RunInView, here: Scene, asked: Asked, found: Deployment) -> None:
    """What a monitor sees on the left, and on the right what it cannot."""
    left, right = st.columns([3, 2])
    with left, st.container(key="panel_unseen_tests", height="stretch"):
        panel_title("What a monitor sees", "line: threshold; a full bar is far beyond it")
        gauges(found.report.findings, palette(run.theme))
        for note in found.report.notes:
            quiet(note)
        _certificate(run.key, here, asked, found)
    with right, st.container(key="panel_unseen_dose", height="stretch"):
        _truth(run, here, asked, found)


def gauges(findings: Sequence[Finding], ink: Palette) -> None:
    """Every test as a bar."""
    st.html(_CSS + "".join(gauge(finding, ink) for finding in findings))


def gauge(finding: Finding, ink: Palette) -> str:
    """One test as a bar: full is far beyond its threshold."""
    share, line = _fill(finding)
    state = {True: "ALARM", False: "quiet", None: "not made"}[finding.alarm]
    colour = ink["bad"] if finding.alarm else ink["muted"]
    return (
        f'<div class="crl-gauge"><b>{escape(TITLES[finding.test][:1].upper() + TITLES[finding.test][1:])}</b><div '
        f'class="track" role="img" aria-label="{escape(finding.words)}"><i class="fill" '
        f'style="width:{100 * share:.1f}%;background:{colour}"></i><i class="at" '
        f'style="left:{100 * line:.1f}%;background:{ink["text"]}"></i></div><span class="state" '
        f'style="color:{colour}">{state}</span><span class="small">{escape(finding.words)}</span></div>'
    )


def _fill(finding: Finding) -> tuple[float, float]:
    """How full the bar is, and where its threshold lies, both from 0 to 1."""
    if finding.alarm is None or not np.isfinite(finding.statistic):
        return 0.0, 0.5
    if finding.p is None:  # a ratio
        return min(1.0, 0.5 * finding.statistic / RATIO), 0.5
    end = np.log10(PERMUTATIONS + 1.0)  # p on a log scale, 1 at the left
    return min(1.0, -np.log10(max(finding.p, 1e-9)) / end), -np.log10(LEVEL) / end


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
        panel_title("What only the simulation knows", "ITE RMSE of this network")
        say(f"{found.error:.3f} here, {found.usual:.3f} on unchanged rows.")
        return
    curves = curves_along_dose(run.key, run.lam, item.id, found.report.n_rows, here.model)
    drawn = along_dose(curves.doses, curves.mmd2, asked.dose, ink, title="Latent MMD²", dose_title=item.dose)
    chart(drawn, "unseen.dose_mmd2")
    drawn = along_dose(
        curves.doses,
        curves.right["ite_rmse"],
        asked.dose,
        ink,
        title="True ITE RMSE",
        dose_title=item.dose,
        threshold=WRONG * found.usual,
        truth=True,
    )
    chart(drawn, "unseen.dose_error")
    quiet(
        f"Only the simulation knows the true error. Dashed: {WRONG:g} times that of unchanged rows; above it the "
        f"effects are called wrong."
    )
