"""What comes with the program is by its own recipe: runs of every preset, claims, the environments study."""

from __future__ import annotations

import json
from pathlib import Path

from crl_core import PRESETS, RunStore
from crl_core.config import RECIPE_VERSION
from crl_core.config.presets import DEFAULT_PRESET
from crl_core.identify import shipped as latents
from crl_core.runs.records import PART_NAMES
from crl_core.studies.claims import load_claims
from crl_core.studies.claims_run import baked_claims
from crl_core.studies.environments import baked_environments
from crl_core.studies.preset_verdicts import FIRST_SEED, SEEDS, baked_verdicts
from crl_core.studies.study_claims import STUDIES, claims_of

BAKED = Path(__file__).parents[1] / "cache" / "baked"


def stale(root: Path) -> list[str]:
    """Presets whose baked run is missing, damaged, incomplete, or older than the recipe."""
    store = RunStore(root, BAKED)
    keys = {name: item.config.key for name, item in PRESETS.items()}
    return [
        name
        for name, key in keys.items()
        if not store.intact(key) or any(store.part(key, part) is None for part in PART_NAMES)
    ]


def test_every_preset_has_an_intact_run_of_the_present_recipe_with_all_its_parts(tmp_path: Path) -> None:
    store = RunStore(tmp_path, BAKED)
    assert stale(tmp_path) == []
    assert {run.key for run in store.summaries()} == {item.config.key for item in PRESETS.values()}
    assert all(run.recipe_version == RECIPE_VERSION and run.baked for run in store.summaries())


def test_a_run_of_an_older_recipe_would_be_noticed(tmp_path: Path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr("crl_core.config.run.RECIPE_VERSION", RECIPE_VERSION + 1)
    assert stale(tmp_path) == list(PRESETS)


def test_claims_and_studies_that_come_along_are_of_the_present_recipe() -> None:
    files = sorted(BAKED.glob("*.json"))
    assert {"claims.json", "environments.json"} <= {file.name for file in files}
    for file in files:
        content = json.loads(file.read_text())
        flows = file.name in (latents.BAKED.file, "claims-identify.json")  # no runs; they have a version of their own
        assert content["recipe_version"] == (latents.BAKED.version if flows else RECIPE_VERSION), file.name
    assert baked_environments(BAKED, DEFAULT_PRESET) is not None


def test_the_verdict_on_every_preset_is_the_one_that_was_measured_on_fresh_seeds() -> None:
    measured = baked_verdicts(BAKED)
    assert {name: item.verdict for name, item in measured.items()} == {n: item.verdict for n, item in PRESETS.items()}
    assert {(item.seeds, item.first_seed) for item in measured.values()} == {(SEEDS, FIRST_SEED)}


def test_three_worlds_of_different_kinds_help_two_of_them_with_many_dimensions() -> None:
    worlds = [item.config.scenario for item in PRESETS.values() if item.verdict == "helps"]
    kinds = {(world.mixing, world.surface) for world in worlds}
    assert len(worlds) >= 3
    assert len(kinds) >= 2
    assert sum(world.dim_x >= 10 for world in worlds) >= 2


def test_what_comes_along_stays_small() -> None:
    assert sum(path.stat().st_size for path in BAKED.rglob("*") if path.is_file()) < 28_000_000


def test_every_claim_of_every_laboratory_has_its_answer_and_its_threshold_is_the_present_one() -> None:
    found = baked_claims(BAKED)
    assert found is not None
    answers = {entry["id"]: entry for entry in found["claims"]}
    claims = (*load_claims(), *(claim for study in STUDIES for claim in claims_of(study)))
    assert set(answers) == {claim.id for claim in claims}
    for claim in claims:
        own = answers[claim.id]
        assert (own["threshold"], own["holds_if"], own["statement"]) == (
            claim.threshold,
            claim.holds_if,
            claim.statement,
        )
