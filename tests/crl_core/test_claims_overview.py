"""Every claim has its place in the overview: a world, and a kind."""

from __future__ import annotations

from itertools import chain

import pytest

from crl_core.config.presets import PRESETS
from crl_core.studies.claims import load_claims
from crl_core.studies.claims_overview import KINDS, by_world, kind_of, study_of, world_of
from crl_core.studies.study_claims import STUDIES, all_claims, claims_of


def test_every_claim_stands_once_in_the_world_that_it_is_made_of() -> None:
    found = by_world(all_claims())
    assert sorted(claim.id for claim in chain(*found.values())) == sorted(claim.id for claim in all_claims())
    for claim in load_claims():
        assert world_of(claim).title == PRESETS[claim.setting.preset].title
    presets = [world.id for world in found if world.id in PRESETS]
    assert presets == sorted(presets, key=list(PRESETS).index)


@pytest.mark.parametrize(("claim", "kind"), [
    ("recipe-with", "effect"),
    ("recipe-factual", "prediction"),
    ("recipe-mmd-falls", "kept"),
    ("signals-filter-zero", "effect"),
    ("signals-label-next", "prediction"),
    ("signals-label-gradient", "kept"),
    ("signals-told-by-hum", "kept"),
    ("erm-leaky", "penalty"),
    ("unseen-level", "monitor"),
    ("identify-each", "recovery"),
])  # fmt: skip
def test_a_claim_is_sorted_by_what_it_measures(claim: str, kind: str) -> None:
    (found,) = (item for item in all_claims() if item.id == claim)
    assert kind_of(found) == kind


def test_every_kind_and_every_study_has_claims() -> None:
    assert {kind_of(claim) for claim in all_claims()} == set(KINDS)
    for study in STUDIES:
        assert {study_of(claim) for claim in claims_of(study)} == {study}
    assert {study_of(claim) for claim in load_claims()} == {""}


def test_a_statement_of_no_known_list_is_refused_with_what_to_do() -> None:
    with pytest.raises(TypeError, match="add its world here"):
        world_of(object())  # type: ignore[arg-type]
