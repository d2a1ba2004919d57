"""Laboratories: their lists are checked like the main one, and their claims get the same verdicts in the same file."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import scipy.stats

from crl_core.cli.program import main
from crl_core.config import FIRST_SEED
from crl_core.measures.intervals import of_rate
from crl_core.studies import study_claims
from crl_core.studies.claims import Measured, judged, load_claims
from crl_core.studies.claims_run import answer_to, baked_claims, content_of, seeds_of
from crl_core.studies.study_claims import STUDIES, claims_of, measure_study, parse_study_claims
from tests.crl_core.made_up import store_in

ENTRY = """
[[claim]]
id = "mine"
source = "somebody"
statement = "The statistic is small."
quantity = "rejection rate"
setting = "hospitals, λ = 1"
holds_if = "below"
threshold = 0.5
note = "A note."
"""


def test_every_claim_has_an_id_of_its_own_across_all_lists() -> None:
    ids = [claim.id for claim in (*load_claims(), *(c for study in STUDIES for c in claims_of(study)))]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (('setting = "hospitals, λ = 1"\n', ""), "setting is missing"),
        (('"below"', '"under"'), "'under'; it must be"),
        (("0.5", '"half"'), "threshold is 'half'; it must be a number"),
        (("quantity", "quantities"), "no field quantities"),
    ],
)
def test_a_wrong_entry_is_refused_with_its_id_and_what_is_allowed(change: tuple[str, str], says: str) -> None:
    with pytest.raises(ValueError, match=f"claim mine: .*{says}"):
        parse_study_claims("unseen", ENTRY.replace(*change))


@pytest.fixture
def one_lab(monkeypatch: pytest.MonkeyPatch) -> Callable[[np.ndarray], None]:
    """Only one laboratory, with the claim above, which measures what the test says."""

    def install(values: np.ndarray) -> None:
        module = ModuleType("a_laboratory")

        def measure_claims(ids: Sequence[str], seeds: int, *_: object) -> dict[str, np.ndarray]:
            return dict.fromkeys(ids, values[:seeds])

        module.measure_claims = measure_claims  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "a_laboratory", module)
        study = study_claims.Study(id="unseen", title="T", sentence="S", module="a_laboratory", page="unseen")
        monkeypatch.setattr(study_claims, "STUDIES", {"unseen": study})
        monkeypatch.setattr("crl_core.cli.studies.STUDIES", {"unseen": study})
        claims = parse_study_claims("unseen", ENTRY)
        for room in ("crl_core.studies.study_claims", "crl_core.cli.studies"):
            monkeypatch.setattr(f"{room}.claims_of", lambda _: claims)

    return install


def test_a_value_that_is_not_defined_counts_against_the_claim(
    one_lab: Callable[[np.ndarray], None], tmp_path: Path
) -> None:
    store = store_in(tmp_path)
    for values, verdict in (
        (np.full(6, 0.1), "holds"),
        (np.full(6, 0.9), "does not hold"),
        (np.full(6, np.nan), "does not hold"),
    ):
        one_lab(values)
        (measured,) = measure_study(parse_study_claims("unseen", ENTRY), 6, store)
        assert measured.verdict == verdict
    assert measured.to_dict()["measured"] == [None] * 6


def test_the_command_line_measures_one_laboratory_and_writes_what_the_page_reads(
    one_lab: Callable[[np.ndarray], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CRL_CACHE", str(tmp_path / "cache"))
    one_lab(np.linspace(0.1, 0.2, 10))
    target = tmp_path / "claims-unseen.json"
    assert main(["claims", "--lab", "unseen", "--seeds", "5", "--json", str(target)]) == 0
    (entry,) = json.loads(target.read_text())["claims"]
    assert (entry["id"], entry["lab"], entry["verdict"], len(entry["measured"])) == (
        "mine",
        "unseen",
        "holds",
        5,
    )
    merged = baked_claims(tmp_path)
    assert merged is not None
    assert [item["id"] for item in merged["claims"]] == ["mine"]


def test_answers_of_laboratories_stand_after_those_about_paths(tmp_path: Path) -> None:
    assert baked_claims(tmp_path) is None
    (tmp_path / "claims-b.json").write_text(json.dumps(content_of([], 3) | {"claims": [{"id": "b"}]}))
    (tmp_path / "claims.json").write_text(json.dumps(content_of([], 10) | {"claims": [{"id": "a"}]}))
    (tmp_path / "claims-broken.json").write_text("{")
    merged = baked_claims(tmp_path)
    assert merged is not None
    assert (merged["seeds"], [item["id"] for item in merged["claims"]]) == (10, ["a", "b"])


def test_an_unknown_claim_or_laboratory_is_refused_in_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["claims", "--lab", "paths", "--only", "nonsense"]) == 2
    assert "there is no claim nonsense" in capsys.readouterr().err
    with pytest.raises(SystemExit) as ended:
        main(["claims", "--lab", "nonsense"])
    assert ended.value.code == 2


def rate(values: list[float], *, batches: int = 20, holds_if: str = "below", threshold: float = 0.1) -> Measured:
    (claim,) = parse_study_claims("unseen", ENTRY)
    claim = replace(claim, batches=batches, holds_if=holds_if, threshold=threshold)  # type: ignore[arg-type]
    return judged(claim, np.array(values))


def test_one_seed_that_alarms_in_a_third_of_its_batches_counts_although_the_median_is_silent() -> None:
    """The stored values of `unseen-level`: their median is 0."""
    found = rate([0, 0, 0.05, 0.30, 0, 0, 0.10, 0, 0.05, 0])
    assert (found.verdict, found.median, found.mean) == ("undecided", 0.0, pytest.approx(0.05))
    assert found.interval[1] > 0.1
    assert rate([0.0] * 10).verdict == "holds"
    assert rate([0.0] * 9 + [1.0]).verdict == "undecided"
    assert found.to_dict()["mean"] == pytest.approx(0.05)
    assert rate([1.0] * 5, holds_if="above", threshold=0.95).verdict == "holds"
    assert rate([1.0] * 4 + [np.nan], holds_if="above", threshold=0.95).verdict == "undecided"


def test_the_interval_of_a_rate_is_clopper_pearsons_where_seeds_differ_no_more_than_batches_do() -> None:
    low, high = of_rate(np.array([0.05, 0.1, 0.0, 0.05, 0.05]), 20)
    theirs = scipy.stats.binomtest(5, 100).proportion_ci(0.95, "exact")
    assert low <= theirs.low
    assert high >= theirs.high
    assert (low, high) == (pytest.approx(theirs.low, abs=0.01), pytest.approx(theirs.high, abs=0.03))
    wide = of_rate(np.array([0.25, 0.0, 0.0, 0.0, 0.0]), 20)
    assert wide[1] > high + 0.1
    assert of_rate(np.array([0.5]), 20) == (0.0, 1.0)


@pytest.mark.parametrize("spread", [None, 10.0, 1.0])
def test_a_rate_at_the_threshold_gets_a_verdict_in_seven_of_a_hundred_passes_at_most(spread: float | None) -> None:
    """Ten seeds of twenty batches whose rates are one, or spread over seeds as a beta distribution."""
    rng, passes = np.random.default_rng(0), 1000
    own = np.full((passes, 10), 0.2) if spread is None else rng.beta(0.2 * spread, 0.8 * spread, (passes, 10))
    found = [of_rate(row, 20) for row in rng.binomial(20, own) / 20]
    assert np.mean([not low <= 0.2 <= high for low, high in found]) <= 0.07


def test_below_five_seeds_a_claim_gets_no_verdict_and_the_command_says_why(
    one_lab: Callable[[np.ndarray], None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("CRL_CACHE", str(tmp_path / "cache"))
    one_lab(np.full(10, 0.1))
    for seeds, verdict in (("3", "NEEDS FIVE SEEDS"), ("5", "HOLDS")):
        assert main(["claims", "--lab", "unseen", "--seeds", seeds, "--first-seed", "7"]) == 0
        said = capsys.readouterr().out
        assert verdict in said
        assert ("No verdicts: these are 3 of the 5 seeds that a verdict takes." in said) == (seeds == "3")
        assert f"Over seeds 7 to {6 + int(seeds)}" in said


def test_stored_answers_say_their_seeds_and_rates_among_them_are_judged_as_rates() -> None:
    content = baked_claims(Path(__file__).parents[2] / "cache" / "baked")
    assert content is not None
    first = {entry["id"]: entry["first_seed"] for entry in content["claims"]}
    assert {"recipe-with", "unseen-level", "mmd-plain", "identify-each"} <= first.keys()
    own = {claim.id: study.first_seed for study in STUDIES.values() for claim in claims_of(study.id)}
    assert first == {name: own.get(name, FIRST_SEED) for name in first}
    assert set(own.values()) == {FIRST_SEED, 300}
    assert seeds_of(content).startswith("seeds ")
    claims = {claim.id: claim for claim in claims_of("unseen")}
    for name, claim in claims.items():
        answer = answer_to(claim, content)
        assert answer is not None
        assert ("mean" in answer) == (claim.batches > 0)
        if claim.batches:
            assert answer["verdict"] == judged(claim, np.array(answer["measured"])).verdict, name


ABOVE = """[[claim]]
id = "made-up"
source = "nobody"
statement = "MCC above .95."
quantity = "MCC"
setting = "three latents"
holds_if = "above"
threshold = 0.95
note = "."
chance = "each"
"""


def test_a_claim_about_an_mcc_must_lie_beyond_what_random_rotations_score() -> None:
    """Values of .953 to .958 are above .95 in every seed, and one rotation in eighteen scores as much."""
    values = np.linspace(0.953, 0.958, 10)
    (bold,) = parse_study_claims("identify", ABOVE.replace('chance = "each"\n', ""))
    (careful,) = parse_study_claims("identify", ABOVE)
    assert judged(bold, values).verdict == "holds"
    assert judged(careful, values).verdict == "does not hold"
    assert judged(careful, values + 0.02).verdict == "holds"
    assert careful.bar == pytest.approx(0.962, abs=0.001)
    assert "95 % of random rotations score below 0.962" in careful.measured_as()
    assert careful.where()["beyond_chance"] == pytest.approx(0.962, abs=0.001)
    (five,) = parse_study_claims("identify", ABOVE.replace('"each"', '"each-5"'))
    assert five.bar == 0.95  # chance is lower than what is claimed
    assert judged(five, values).verdict == "holds"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (('chance = "each"', 'chance = "nowhere"'), "claim made-up: there is no latent world 'nowhere'"),
        (
            ('holds_if = "above"', 'holds_if = "below"'),
            "chance is for an MCC that is claimed to lie above",
        ),
    ],
)
def test_chance_that_cannot_be_is_refused_in_a_line(change: tuple[str, str], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        parse_study_claims("identify", ABOVE.replace(*change))
