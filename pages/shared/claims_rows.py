"""The rows of the Claims page: what is claimed, what was measured of it, and the verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import streamlit as st

from crl_core.config import FIRST_SEED
from crl_core.config.presets import PRESETS
from crl_core.config.text import seed_words
from crl_core.figures import claim_strips
from crl_core.figures.palette import Palette, palette
from crl_core.studies.claims import Claim, Statement, middle_of
from crl_core.studies.claims_run import SEEDS, answer_to
from crl_core.studies.study_claims import STUDIES, claims_of
from pages.shared import style

MARKS = {"holds": "✓", "does not hold": "✕", "undecided": "?"}  # of those that are counted
_CSS = """
<style>
.crl-claim { display: grid; grid-template-columns: minmax(16rem, 5fr) minmax(13rem, 4fr) 9.5rem; gap: .2rem 1.6rem;
  align-items: center;
  padding: .75rem 0; border-bottom: 1px solid var(--hairline); }
.crl-claim:last-child { border-bottom: 0; padding-bottom: .1rem; }
.crl-claim p { margin: 0; line-height: 1.42; }
.crl-claim .statement { font-size: .97rem; font-weight: 600; }
.crl-claim .small { font-size: .82rem; color: var(--quiet); margin-top: .15rem; }
.crl-claim .verdict { font-weight: 650; font-size: .97rem; }
@media (max-width: 1100px) { .crl-claim { grid-template-columns: 1fr 9.5rem; } .crl-claim .words { grid-column: 1 / 3;
  } }
@media (max-width: 640px) { .crl-claim { grid-template-columns: 1fr; } .crl-claim .words { grid-column: auto; } }
</style>
"""


def panels(claims: Sequence[Claim], content: Mapping[str, Any]) -> None:
    """A panel a preset of `claims`, then one a study; a line a claim. content: see `claims_run.content_of`."""
    st.html(claim_strips.CSS + _CSS)
    for preset_id in dict.fromkeys(claim.setting.preset for claim in claims):
        with st.container(key=f"panel_claims_{preset_id}"):
            style.panel_title(PRESETS[preset_id].title, f"{preset_id}: {PRESETS[preset_id].sentence}")
            _rows([claim for claim in claims if claim.setting.preset == preset_id], content)
    for study in STUDIES.values():
        own = claims_of(study.id)
        if not own:
            continue
        with st.container(key=f"panel_claims_{study.id}"):
            style.panel_title(study.title, study.sentence)
            answers = _rows(own, content)
            found = [answer for answer in answers if answer is not None]
            seeds = max((len(answer["measured"]) for answer in found), default=SEEDS)
            first = next((answer["first_seed"] for answer in found if "first_seed" in answer), FIRST_SEED)
            style.quiet(
                f"Measured before the program was shipped, {seed_words(seeds, first)}: python -m crl_core claims "
                f"--lab {study.id} --seeds {seeds} --first-seed {first}"
            )


def _rows(claims: Sequence[Statement], content: Mapping[str, Any]) -> list[Mapping[str, Any] | None]:
    """Draw the claims; their answers."""
    colours = palette(style.theme())
    answers = [answer_to(claim, content) for claim in claims]
    st.html("".join(_row(claim, answer, colours) for claim, answer in zip(claims, answers, strict=True)))
    return answers


def _unbroken(text: str) -> str:
    """HTML whose equations stay on one line."""
    return escape(text).replace(" = ", "\u00a0=\u00a0")


def _row(claim: Statement, entry: Mapping[str, Any] | None, colours: Palette) -> str:
    words = (
        f'<div class="words"><p class="statement">{_unbroken(claim.statement)}</p>'
        f'<p class="small">Source: {escape(claim.source)}. {_unbroken(claim.note)}</p></div>'
    )
    label, middle = claim.measured_as(), middle_of(claim)
    if entry is None:
        return (
            f'<div class="crl-claim">{words}<p class="small">Not measured in this version: run the claims '
            f"again.</p><i></i></div>"
        )
    line = claim_strips.strip(
        entry["measured"],
        median=entry[middle],
        interval=entry["interval"],
        threshold=claim.threshold,
        holds_if=claim.holds_if,
        label=label,
        colours=colours,
    )
    verdict = str(entry["verdict"])
    colour = {"holds": colours["text"], "does not hold": colours["bad"]}.get(verdict, colours["muted"])
    low, high = (claim_strips.number(end) for end in entry["interval"])
    return (
        f'<div class="crl-claim">{words}<div>{line}<p class="small">{_unbroken(label)}</p></div>'
        f'<div><p class="verdict" style="color:{colour}">{MARKS.get(verdict, "")} {escape(verdict)}</p>'
        f'<p class="small">{middle} {claim_strips.number(entry[middle])}<br>[{low}, {high}]</p></div></div>'
    )
