"""Which well-known claims hold? Each one measured over seeds, with the threshold that it names."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

import streamlit as st

from crl_core.config import RECIPE_VERSION
from crl_core.events import finite
from crl_core.figures import strips
from crl_core.figures.palette import Palette, palette
from crl_core.jobs.ensure_run import PassFailed, all_there
from crl_core.presets import PRESETS
from crl_core.runs.sealing import StoreError
from crl_core.studies.catalogue import LABS, LabClaim, lab_claims
from crl_core.studies.claims import QUANTITIES, Claim, Statement, load_claims
from crl_core.studies.claims_run import SEEDS, baked_claims, content_of, run_claims, runs_of
from pages.shared import many_runs, page_header, require, server_cache, style

_DEFINITIONS = """
**Verdict**: from the 95 % bootstrap interval of the median over seeds. *Holds*: all of it lies on the claim's side of
the threshold; *does not hold*: all of it on the other; *undecided*: it contains the threshold, so more seeds are
needed.

**A seed** is a replicate of a batched run: other data, other initial weights, other batches. Every dot is one; the bar
is the interval, the tick the median, the shaded side is where the claim is true.

**Ratios** compare two λ, or two worlds, seed by seed. A model that diverged has an infinite error; a value that is not
defined because of it counts against the claim.

**Laboratories** (unseen environments, penalties, identifiability) measure in their own way; each has its own list.

**Adding a claim** is adding one entry to `crl_core/studies/claims.toml`, or to the laboratory's
`crl_core/studies/<name>_claims.toml`.
"""
_MARKS = {"holds": "✓", "does not hold": "✕", "undecided": "?"}
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

require()


@st.cache_resource(max_entries=8, show_spinner="Measuring the stored runs")
def measured_here(seeds: int, stamp: tuple[float, ...]) -> Mapping[str, Any]:
    """Every claim on runs that are stored here; `stamp` says when they were."""
    found: Mapping[str, Any] = finite(content_of(run_claims(load_claims(), seeds, server_cache.store()), seeds))
    return found


def stamp(seeds: int) -> tuple[float, ...]:
    summaries = [server_cache.store().summary(config.key) for config, _ in runs_of(load_claims(), seeds)]
    return tuple(item.created for item in summaries if item is not None)


def main() -> None:
    seeds = st.session_state.get("claims.seeds") or SEEDS
    wanted = runs_of(load_claims(), seeds)
    baked = baked_claims(server_cache.store().baked)
    content, where = None, ""
    try:
        if all_there(wanted, server_cache.store()):
            content, where = measured_here(seeds, stamp(seeds)), f"Measured on this machine, {seeds} seeds."
            labs = () if baked is None else tuple(entry for entry in baked["claims"] if entry.get("lab"))
            content = {**content, "claims": [*content["claims"], *labs]}
    except (PassFailed, StoreError) as error:
        st.error(str(error))
    if content is None and baked is not None:
        content = baked
        where = f"Measured before the program was shipped, {baked.get('seeds')} seeds."
        if baked.get("recipe_version") != RECIPE_VERSION:
            where += " An older version of the recipe trained these networks; the numbers of this one may differ."
    head(content)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.segmented_control(
            "Seeds",
            [5, 10, 20],
            default=SEEDS,
            key="claims.seeds",
            required=True,
            width="content",
            help="Replicates in each batched run; more seeds, narrower intervals.",
        )
        many_runs.panel(f"claims.pass.{seeds}", wanted, start="Put them to the test here", again=content is not None)
    if content is None:
        style.notice(
            "Nothing has been measured yet",
            "Run the claims here; each takes its place as a row of this page.",
        )
        return
    style.quiet(
        f"{where} Shaded: where the claim is true. A dot is a seed; tick and bar are their median and its 95 % "
        f"interval."
    )
    rows(content)


def head(content: Mapping[str, Any] | None) -> None:
    every = (*load_claims(), *(claim for lab in LABS for claim in lab_claims(lab)))
    entries = [] if content is None else [stored(claim, content) for claim in every]
    verdicts = [entry["verdict"] for entry in entries if entry is not None]
    figures = [(str(verdicts.count(name)), name) for name in _MARKS if content is not None]
    page_header(
        "Claims put to the test",
        "What teaching material says about these worlds, as exact statements with a threshold, each measured over "
        "seeds. "
        "Which world a claim is made in decides most of them.",
        _DEFINITIONS,
        figures,
    )


def stored(claim: Statement, content: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """What `content` says about a claim, if it is about this very claim."""
    about = {
        "threshold": claim.threshold,
        "holds_if": claim.holds_if,
        "quantity": claim.quantity,
        **claim.where(),
    }
    for entry in content["claims"]:
        if entry.get("id") == claim.id:
            return entry if all(entry.get(name) == value for name, value in about.items()) else None
    return None


def rows(content: Mapping[str, Any]) -> None:
    """A panel a world, a row a claim."""
    colours = palette(style.theme())
    st.html(strips.CSS + _CSS)
    worlds = dict.fromkeys(claim.world.preset for claim in load_claims())
    for preset_id in worlds:
        claims = [claim for claim in load_claims() if claim.world.preset == preset_id]
        with st.container(key=f"panel_claims_{preset_id}"):
            style.panel_title(PRESETS[preset_id].title, f"{preset_id}: {PRESETS[preset_id].sentence}")
            st.html("".join(row(claim, setting(claim), stored(claim, content), colours) for claim in claims))
    for lab in LABS.values():
        own = lab_claims(lab.id)
        if not own:
            continue
        with st.container(key=f"panel_claims_{lab.id}"):
            style.panel_title(lab.title, lab.sentence)
            entries = [stored(claim, content) for claim in own]
            st.html(
                "".join(
                    row(claim, lab_setting(claim), entry, colours) for claim, entry in zip(own, entries, strict=True)
                )
            )
            seeds = max((len(entry["measured"]) for entry in entries if entry is not None), default=SEEDS)
            style.quiet(
                f"Measured before the program was shipped, {seeds} seeds: python -m crl_core claims --lab {lab.id} "
                f"--seeds {seeds}"
            )


def lab_setting(claim: LabClaim) -> str:
    return f"{claim.quantity}, {claim.setting}"


def setting(claim: Claim) -> str:
    """What is measured and where, in a line."""
    quantity, world, other = QUANTITIES[claim.quantity], claim.world, claim.against
    where = "along the whole path" if world.lam is None else f"at λ = {world.lam:g}"
    if world.scenario:
        where += ", with the environments that the claim names"
    if other is None:
        return f"{quantity.title}, {where}"
    beside = other.preset if other.setting != world.setting else ""
    if other.lam is not None and (other.lam != world.lam or not beside):
        beside = f"{beside} at λ = {other.lam:g}".strip()
    return f"{quantity.title}, {where}, over that {'' if beside.startswith('at') else 'of '}{beside}"


def unbroken(text: str) -> str:
    """HTML whose equations stay on one line."""
    return escape(text).replace(" = ", "\u00a0=\u00a0")


def row(claim: Statement, label: str, entry: Mapping[str, Any] | None, colours: Palette) -> str:
    words = (
        f'<div class="words"><p class="statement">{unbroken(claim.statement)}</p>'
        f'<p class="small">Source: {escape(claim.source)}. {unbroken(claim.note)}</p></div>'
    )
    if entry is None:
        return (
            f'<div class="crl-claim">{words}<p class="small">Not measured in this version: run the claims '
            f"again.</p><i></i></div>"
        )
    line = strips.strip(
        entry["measured"],
        median=entry["median"],
        interval=entry["interval"],
        threshold=claim.threshold,
        holds_if=claim.holds_if,
        label=label,
        colours=colours,
    )
    verdict = str(entry["verdict"])
    colour = {"holds": colours["text"], "does not hold": colours["bad"]}.get(verdict, colours["muted"])
    low, high = (strips.number(end) for end in entry["interval"])
    return (
        f'<div class="crl-claim">{words}<div>{line}<p class="small">{unbroken(label)}</p></div>'
        f'<div><p class="verdict" style="color:{colour}">{_MARKS.get(verdict, "")} {escape(verdict)}</p>'
        f'<p class="small">median {strips.number(entry["median"])}<br>[{low}, {high}]</p></div></div>'
    )


main()
