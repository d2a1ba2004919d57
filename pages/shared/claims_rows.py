"""The rows of the Claims page: what is claimed, what was measured of it, and the verdict; a fold a world."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from html import escape
from pathlib import Path
from typing import Any

import streamlit as st

from crl_core.config import FIRST_SEED
from crl_core.config.text import seed_words
from crl_core.figures import claim_strips
from crl_core.figures.palette import palette
from crl_core.studies.claims import Statement, middle_of
from crl_core.studies.claims_overview import World, by_world, study_of
from crl_core.studies.claims_run import SEEDS, answer_to
from crl_core.studies.study_claims import STUDIES
from pages.shared import style
from pages.shared.claims_matrix import MARKS, NONE, mark

_ANCHOR = Path(__file__).with_name("claims_anchor.js").read_text(encoding="utf-8")
_CSS = """
<style>
.crl-world-claims { border-top: 1px solid var(--hairline); padding: 0; }
.crl-world-claims:first-child { border-top: 0; }
.crl-world-claims summary { cursor: pointer; padding: .5rem 0; display: grid; gap: 0 .7rem; align-items: baseline;
  grid-template-columns: .7rem max-content minmax(0, 1fr) max-content; list-style: none; }
.crl-world-claims summary::-webkit-details-marker { display: none; }
.crl-world-claims summary::before { content: "▸"; color: var(--quiet); }
.crl-world-claims[open] summary::before { content: "▾"; }
.crl-world-claims summary b { font-weight: 650; font-size: .95rem; }
.crl-world-claims summary span { color: var(--quiet); font-size: .84rem; }
.crl-claim { display: grid; grid-template-columns: minmax(16rem, 5fr) minmax(13rem, 4fr) 9.5rem; gap: .2rem 1.6rem;
  align-items: center; padding: .75rem 0; border-top: 1px solid var(--hairline); }
.crl-claim.here { box-shadow: -1rem 0 0 var(--panel), calc(-1rem - 3px) 0 0 var(--accent); }
.crl-claim p { margin: 0; line-height: 1.42; }
.crl-claim .statement { font-size: .97rem; font-weight: 600; }
.crl-claim .statement a { color: var(--quiet); text-decoration: none; font-weight: 400; }
.crl-claim .small { font-size: .82rem; color: var(--quiet); margin-top: .15rem; }
.crl-claim .verdict { font-weight: 650; font-size: .97rem; display: flex; align-items: center; gap: .45rem; }
.crl-measured { font-size: .82rem; color: var(--quiet); margin: 0; padding: .6rem 0 .8rem 0;
  border-top: 1px solid var(--hairline); }
@media (max-width: 1100px) { .crl-claim { grid-template-columns: 1fr 9.5rem; } .crl-claim .words { grid-column: 1 / 3;
  } }
@media (max-width: 640px) { .crl-claim { grid-template-columns: 1fr; } .crl-claim .words { grid-column: auto; }
  .crl-world-claims summary { grid-template-columns: .7rem minmax(0, 1fr) max-content; }
  .crl-world-claims summary .about { display: none; grid-column: 2 / 4; grid-row: 2; }
  .crl-world-claims[open] summary .about { display: block; } }
</style>
"""


def answers_to(claims: Sequence[Statement], content: Mapping[str, Any]) -> dict[str, Mapping[str, Any] | None]:
    """By claim id, the answer of each; None where there is none. content: see `claims_run.content_of`."""
    return {claim.id: answer_to(claim, content) for claim in claims}


def verdicts_of(answers: Mapping[str, Mapping[str, Any] | None]) -> dict[str, str]:
    """By claim id, its verdict in words."""
    return {name: NONE if answer is None else str(answer["verdict"]) for name, answer in answers.items()}


def folds(claims: Sequence[Statement], answers: Mapping[str, Mapping[str, Any] | None], *, opened: bool) -> None:
    """A fold a world, a line a claim. opened: whether the folds are, to begin with."""
    theme = style.theme()
    worlds = "".join(_fold(world, own, answers, theme, opened) for world, own in by_world(claims).items())
    with st.container(key="panel_claims_worlds"):
        st.html(f'{claim_strips.CSS}{_CSS}<div style="--ink:{palette(theme)["text"]}">{worlds}</div>')
    st.html(f"<script>(() => {{\n{_ANCHOR}}})()</script>", unsafe_allow_javascript=True)


def _fold(
    world: World,
    claims: Sequence[Statement],
    answers: Mapping[str, Mapping[str, Any] | None],
    theme: str,
    opened: bool,
) -> str:
    verdicts = verdicts_of({claim.id: answers[claim.id] for claim in claims})
    counts = "\u2002".join(
        f"{MARKS[name]}\u00a0{count}" for name in MARKS if (count := list(verdicts.values()).count(name))
    )
    words = ", ".join(f"{count} {name}" for name in MARKS if (count := list(verdicts.values()).count(name)))
    rows = "".join(_row(claim, answers[claim.id], theme) for claim in claims)
    return (
        f'<details class="crl-world-claims"{" open" if opened else ""}><summary id="world-{world.id}">'
        f'<b role="heading" aria-level="2">{escape(world.title)}</b><span class="about">{escape(world.sentence)}</span>'
        f'<span class="count" role="img" aria-label="{words}">{counts}</span></summary>{rows}'
        f"{_measured(claims, answers)}</details>"
    )


def _measured(claims: Sequence[Statement], answers: Mapping[str, Mapping[str, Any] | None]) -> str:
    """With which command the claims of a study were measured, which are not measured here."""
    lines = []
    for study in dict.fromkeys(study_of(claim) for claim in claims):
        found = [answer for claim in claims if study_of(claim) == study and (answer := answers[claim.id]) is not None]
        if not study or not found:
            continue
        seeds = max((len(answer["measured"]) for answer in found), default=SEEDS)
        first = next((answer["first_seed"] for answer in found if "first_seed" in answer), FIRST_SEED)
        lines.append(
            f"{STUDIES[study].title}: measured before the program was shipped, {seed_words(seeds, first)}: "
            f"python -m crl_core claims --lab {study} --seeds {seeds} --first-seed {first}"
        )
    return "".join(f'<p class="crl-measured">{escape(line)}</p>' for line in lines)


def _unbroken(text: str) -> str:
    """HTML whose equations stay on one line."""
    return escape(text).replace(" = ", "\u00a0=\u00a0")


@lru_cache(maxsize=2048)  # a third of what a view of the page takes
def _strip(values: tuple[float | None, ...], interval: tuple[float | None, ...], theme: str, **more: Any) -> str:
    return claim_strips.strip(values, interval=interval, colours=palette(theme), **more)


def _row(claim: Statement, entry: Mapping[str, Any] | None, theme: str) -> str:
    words = (
        f'<div class="words"><p class="statement">{_unbroken(claim.statement)} '
        f'<a href="#claim-{escape(claim.id)}" target="_self" aria-label="Link to this claim">#</a></p>'
        f'<p class="small">Source: {escape(claim.source)}. {_unbroken(claim.note)}</p></div>'
    )
    label, middle = claim.measured_as(), middle_of(claim)
    row = f'<div class="crl-claim" id="claim-{escape(claim.id)}">'
    if entry is None:
        return f'{row}{words}<p class="small">Not measured in this version: run the claims again.</p><i></i></div>'
    line = _strip(
        tuple(entry["measured"]),
        tuple(entry["interval"]),
        theme,
        median=entry[middle],
        threshold=claim.threshold,
        holds_if=claim.holds_if,
        label=label,
    )
    verdict = str(entry["verdict"])
    low, high = (claim_strips.number(end) for end in entry["interval"])
    return (
        f'{row}{words}<div>{line}<p class="small">{_unbroken(label)}</p></div>'
        f'<div><p class="verdict">{mark(verdict)}{escape(verdict)}</p>'
        f'<p class="small">{middle} {claim_strips.number(entry[middle])}<br>[{low}, {high}]</p></div></div>'
    )
