"""Which claims the Claims page shows: by verdict, by world and by words, all of it in the link."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from crl_core.studies.claims import Statement
from crl_core.studies.claims_overview import by_world, world_of
from pages.shared.claims_matrix import MARKS
from pages.shared.link_notes import say_in_vain

ANY, ALL_WORLDS = "all", "all worlds"


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """The claims that are asked for, and whether that is fewer than all."""

    claims: tuple[Statement, ...]
    narrowed: bool


def chosen(claims: Sequence[Statement], verdicts: Mapping[str, str]) -> Chosen:
    """Draw the controls; the claims that pass all three. verdicts: by claim id."""
    worlds = {world.title: world.id for world in by_world(claims)}
    say_in_vain({"verdict": [ANY, *MARKS], "about": [ALL_WORLDS, *worlds]})
    bound: dict[str, Any] = {"bind": "query-params", "persist_state": "session", "label_visibility": "collapsed"}
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium", key="claims_filter"):
        verdict = st.segmented_control(
            "Verdict",
            [ANY, *MARKS],
            default=ANY,
            key="verdict",
            required=True,
            width="content",
            **bound,
        )
        title = st.selectbox("World", [ALL_WORLDS, *worlds], key="about", width=250, **bound)
        text = st.text_input(
            "Words",
            key="words",
            placeholder="words of a claim",
            width=190,
            **bound,
        )
    kept = tuple(
        claim
        for claim in claims
        if verdict in (None, ANY, verdicts[claim.id])
        and worlds.get(title, world_of(claim).id) == world_of(claim).id
        and says(claim, text)
    )
    return Chosen(claims=kept, narrowed=len(kept) < len(claims))


def says(claim: Statement, text: str | None) -> bool:
    """Whether every word of `text` stands in a claim, in any case."""
    whole = " ".join((claim.id, claim.statement, claim.source, claim.note, claim.measured_as())).casefold()
    return all(word in whole for word in (text or "").casefold().split())
