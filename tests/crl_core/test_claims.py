"""Claims: verdicts from intervals, broken models, bad entries, the plan, and the key verdicts from scratch."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from crl_core.cli.program import main
from crl_core.config import MAX_MODELS, PER_ENV, RECIPE_VERSION
from crl_core.config.presets import preset
from crl_core.jobs.executors import Here
from crl_core.measures import baselines, evidence
from crl_core.results import RunResult
from crl_core.runs.store import RunStore
from crl_core.studies import claims as rooms
from crl_core.studies.claims import (
    QUANTITIES,
    Claim,
    ClaimSetting,
    load_claims,
    measure,
    median_interval,
    parse_claims,
    pick,
    plan,
    verdict_of,
)
from crl_core.studies.claims_run import BAKED, answer_to, baked_claims, content_of, run_claims, runs_of
from crl_core.studies.study_claims import STUDIES, claims_of
from tests.crl_core.made_up import made_up_result, store_in, without_truth

ENTRY = """
[[claim]]
id = "mine"
source = "somebody"
statement = "The error is small."
preset = "hospital"
quantity = "ite_rmse"
lam = 1.0
holds_if = "below"
threshold = 0.5
note = "A note."
"""


def made_up_run(
    claim: Claim, seeds: int = 4, **values: object
) -> dict[object, tuple[RunResult, dict[str, np.ndarray]]]:
    """The claim's runs with made-up numbers; `values` replace fields of every result."""
    runs = {}
    for setting, config in plan([claim], seeds, epochs=2).items():
        small = replace(config, training=replace(config.training, hidden=4, latent_dim=2))
        runs[setting] = (replace(made_up_result(small), **values), {})
    return runs


# -- verdicts ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("low", "high", "holds_if", "verdict"),
    [
        (0.1, 0.2, "below", "holds"),
        (0.1, 0.3, "below", "undecided"),
        (0.1, 0.4, "below", "undecided"),
        (0.3, 0.4, "below", "undecided"),
        (0.35, 0.4, "below", "does not hold"),
        (0.35, 0.4, "above", "holds"),
        (0.3, 0.4, "above", "undecided"),
        (0.1, 0.2, "above", "does not hold"),
        (0.35, np.inf, "below", "does not hold"),
        (-np.inf, 0.2, "above", "does not hold"),
    ],
)
def test_a_verdict_says_on_which_side_the_whole_interval_lies(
    low: float, high: float, holds_if: str, verdict: str
) -> None:
    assert verdict_of(low, high, holds_if, 0.3) == verdict


@given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=12), st.floats(-1e3, 1e3))
def test_a_claim_and_its_opposite_never_both_hold(values: list[float], threshold: float) -> None:
    low, high = median_interval(np.array(values))
    assert min(values) <= low <= np.median(values) <= high <= max(values)
    below, above = (verdict_of(low, high, side, threshold) for side in ("below", "above"))
    assert (below, above) in [
        ("holds", "does not hold"),
        ("does not hold", "holds"),
        ("undecided", "undecided"),
    ]


def test_the_interval_is_the_percentile_bootstrap_that_scipy_computes() -> None:
    values = np.random.default_rng(3).lognormal(size=11)
    theirs = scipy.stats.bootstrap(
        (values,),
        np.median,
        n_resamples=20_000,
        method="percentile",
        vectorized=True,
        rng=np.random.default_rng(1),
    ).confidence_interval
    ordered, ours = np.sort(values), median_interval(values)
    # With eleven values a resample's median is one of them, so the interval's ends are; scipy's too, up to one step.
    for mine, other in zip(ours, theirs, strict=True):
        place, theirs_at = np.searchsorted(ordered, mine), int(np.abs(ordered - other).argmin())
        assert ordered[place] == mine
        assert abs(int(place) - theirs_at) <= 1


def test_the_interval_contains_exactly_the_medians_that_binomial_counting_gives() -> None:
    """P(median of a resample of 11 <= i-th smallest value) is a binomial tail; no resampling needed."""
    n, values = 11, np.arange(11.0)
    at_most = [scipy.stats.binom.sf(n // 2, n, (i + 1) / n) for i in range(n)]
    low = next(i for i, share in enumerate(at_most) if share > 0.025)
    high = next(i for i, share in enumerate(at_most) if share >= 0.975)
    assert median_interval(values) == (low, high)


def test_one_infinite_value_in_ten_moves_the_interval_but_leaves_the_median_finite() -> None:
    values = np.r_[np.linspace(0.1, 0.2, 9), np.inf]
    low, high = median_interval(values)
    assert np.isfinite([low, high]).all()
    assert median_interval(np.r_[np.full(4, 0.1), np.full(6, np.inf)])[1] == np.inf


# -- measuring ---------------------------------------------------------------------------------------------------------


def test_the_values_are_those_of_the_lam_that_the_claim_names() -> None:
    (claim,) = parse_claims(ENTRY)
    runs = made_up_run(claim)
    measured = measure(claim, runs)
    ((run, _),) = runs.values()
    assert measured.values == tuple(run.ite_rmse)
    assert measured.median == pytest.approx(np.median(run.ite_rmse))
    assert measured.keys == (run.config.key,)


def test_a_comparison_divides_seed_by_seed() -> None:
    (claim,) = parse_claims(ENTRY + "against = { lam = 0.0 }\n")
    runs = made_up_run(claim)
    ((run, _),) = runs.values()
    error = run.by_lam(run.ite_rmse)
    np.testing.assert_allclose(measure(claim, runs).values, error[:, 1] / error[:, 0])


@pytest.mark.parametrize("holds_if", ["below", "above"])
def test_a_diverged_model_has_an_infinite_error(holds_if: str) -> None:
    (claim,) = parse_claims(ENTRY.replace("below", holds_if))
    measured = measure(claim, made_up_run(claim, 5, ite_rmse=np.full(5, np.nan)))
    assert measured.values == (np.inf,) * 5
    assert measured.verdict == ("does not hold" if holds_if == "below" else "holds")
    assert measured.to_dict()["measured"] == [None] * 5
    json.dumps(measured.to_dict(), allow_nan=False)


@pytest.mark.parametrize("holds_if", ["below", "above"])
def test_what_is_not_defined_counts_against_the_claim(holds_if: str) -> None:
    (claim,) = parse_claims(ENTRY.replace("below", holds_if).replace("ite_rmse", "mmd2"))
    assert measure(claim, made_up_run(claim, 5, mmd2=np.full(5, np.nan))).verdict == "does not hold"


def test_the_u_shape_compares_the_better_end_with_a_point_fixed_beforehand() -> None:
    claim = next(c for c in load_claims() if c.quantity == "u_shape")
    error = np.tile([0.9, 0.5, 0.1, 0.01, 0.1, 0.2, 0.2, 0.3, 0.3], 2)
    error[-1] = np.nan  # diverged: infinitely wrong, so the other end is the lower one
    assert measure(claim, made_up_run(claim, 2, ite_rmse=error)).values == pytest.approx((3.0, 9.0))


def test_regret_is_the_error_at_the_least_factual_error_over_the_best() -> None:
    claim = next(c for c in load_claims() if c.quantity == "regret_factual")
    error, factual = np.arange(1.0, 10.0), np.full(9, 2.0)
    factual[4] = 1.0
    factual[8] = np.nan
    assert measure(claim, made_up_run(claim, 1, ite_rmse=error, factual_mse=factual)).values == (5.0,)


# -- entries -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (ENTRY + 'colour = "red"\n', "claim mine: it has no field colour; its fields are"),
        (ENTRY.replace('source = "somebody"\n', ""), "claim mine: source is missing"),
        (ENTRY.replace("threshold = 0.5\n", ""), "claim mine: threshold is missing"),
        (ENTRY.replace('"ite_rmse"', '"beauty"'), "claim mine: there is no quantity 'beauty'; choose one of ite_rmse"),
        (ENTRY.replace('"hospital"', '"hotel"'), "claim mine: there is no preset 'hotel'; choose one of hospital"),
        (ENTRY.replace('"below"', '"beneath"'), "claim mine: holds_if is 'beneath'; it must be"),
        (ENTRY.replace("lam = 1.0\n", ""), "claim mine: ite_rmse is measured at a lam: give it"),
        (ENTRY.replace("ite_rmse", "u_shape"), "claim mine: u_shape is measured along the path: leave lam out"),
        (ENTRY + "against = { colour = 1 }\n", "claim mine: against has no field colour"),
        (ENTRY + "scenario = { sigma = -1.0 }\n", "claim mine: sigma is -1; sigma must be a number"),
        (ENTRY + "scenario = { sgima = 1.0 }\n", "claim mine: a scenario has no field sgima"),
        (ENTRY.replace("threshold = 0.5", 'threshold = "low"'), "claim mine: threshold is 'low'"),
        (ENTRY.replace("lam = 1.0", "lam = -1.0"), "claim mine: lams is -1"),
        (ENTRY.replace("lam = 1.0", 'lam = "one"'), "claim mine: lams is"),
        (ENTRY.replace('preset = "hospital"\n', ""), "claim mine: preset is missing"),
        (ENTRY.replace("threshold = 0.5", "threshold = nan"), "claim mine: threshold is nan"),
        (ENTRY + "envs = 99\n", "claim mine: the number of environments is 99"),
        (ENTRY + ENTRY, "the claim id mine stands twice"),
        (ENTRY.replace('id = "mine"\n', ""), "claim without an id: id is missing"),
        ("[[claim]\n", "the list of claims is not TOML"),
        ('claim = "one"\n', "the list of claims"),
        ("claim = [1]\n", "the list of claims"),
    ],
)  # fmt: skip
def test_a_bad_entry_is_one_sentence(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=r"\.$") as error:
        parse_claims(text)
    sentence = str(error.value)
    assert sentence.startswith(says)
    assert "\n" not in sentence
    assert sentence.endswith(".")


def test_the_claims_that_the_issue_names_are_there() -> None:
    ids = [claim.id for claim in load_claims()]
    named = (
        "recipe-factual",
        "recipe-with",
        "recipe-without",
        "recipe-forgets",
        "hospital-factual",
        "hospital-with",
        "hospital-without",
    )
    assert set(named) <= set(ids)
    assert len(ids) >= 18
    assert {claim.quantity for claim in load_claims()} <= set(QUANTITIES)


def test_a_claim_is_measured_as_its_preset_trains() -> None:
    recipe, twin = ("recipe", "recipe-standardised")
    claim = next(c for c in load_claims() if c.id == "recipe-with")
    (config,) = plan([claim], 5).values()
    assert config.training.standardise is preset(recipe).training.standardise is False
    other = replace(claim, setting=replace(claim.setting, preset=twin))
    assert len(plan([claim, other], 5)) == 2
    assert preset(twin).scenario == preset(recipe).scenario


def test_an_unknown_id_names_the_ones_there_are() -> None:
    with pytest.raises(ValueError, match="no claim nonsense; the claims are recipe-factual, "):
        pick(["nonsense"], load_claims())
    assert [claim.id for claim in pick(["hospital-with", "recipe-with"], load_claims())] == [
        "hospital-with",
        "recipe-with",
    ]


# -- the plan ----------------------------------------------------------------------------------------------------------


def test_claims_about_one_world_share_a_batched_run() -> None:
    hospital = [claim for claim in load_claims() if claim.id.startswith("hospital-")]
    (config,) = plan(hospital, 10).values()
    assert config.training.lams == (0.0, 1.0)
    assert config.training.replicates == 10
    assert config.scenario == preset("hospital").scenario


def test_copies_differ_from_two_hospitals_in_nothing_but_their_number() -> None:
    claim = next(c for c in load_claims() if c.id == "copies-help")
    copied, two = claim.setting.trained_on.scenario, preset("linear").scenario
    assert claim.against is not None
    assert claim.against.trained_on.scenario == two
    for name in PER_ENV:
        assert getattr(copied, name) == getattr(two, name) * 2
    assert replace(copied, **{name: getattr(two, name) for name in PER_ENV}) == two


def test_evidence_is_computed_only_where_a_claim_reads_it() -> None:
    wanted = {
        config.scenario: evidence
        for config, evidence in runs_of(pick(["recipe-forgets", "recipe-with", "hospital-with"], load_claims()), 2)
    }
    assert wanted == {preset("recipe").scenario: True, preset("hospital").scenario: False}


@pytest.mark.parametrize("seeds", [0, -1, 21, True, 2.5])
def test_an_impossible_number_of_seeds_is_one_sentence(seeds: object) -> None:
    with pytest.raises(ValueError, match=r"(seeds|replicates) is .* from 1 to 20"):
        runs_of(load_claims(), seeds)  # type: ignore[arg-type]


def test_the_whole_plan_fits_the_limits_with_the_most_seeds() -> None:
    assert max(config.training.n_models for config, _ in runs_of(load_claims(), 20)) <= MAX_MODELS


# -- the runs ----------------------------------------------------------------------------------------------------------


def test_runs_that_are_missing_are_trained_kept_and_taken_from_the_store_the_next_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, claims = store_in(tmp_path), pick(["recipe-with", "recipe-without"], load_claims())
    heard: list[object] = []
    first = run_claims(claims, 2, store, Here(store, heard.append), epochs=1)
    assert len(store.keys()) == 1
    assert [len(item.values) for item in first] == [2, 2]
    assert heard
    heard.clear()
    assert run_claims(claims, 2, store, Here(store, heard.append), epochs=1) == first
    assert heard == []
    assert store.missing_parts(store.keys()[0]) == ("evidence", "projection")


def test_evidence_is_added_to_a_stored_run_and_the_projection_never(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    run_claims(pick(["recipe-without"], load_claims()), 1, store, epochs=1)
    before = store.keys()
    (measured,) = run_claims(pick(["recipe-forgets"], load_claims()), 1, store, epochs=1)
    assert np.isfinite(measured.values).all()
    added = sorted(set(store.keys()) - set(before))
    assert [store.missing_parts(key) for key in added] == [("projection",)]


def test_the_command_prints_what_the_issue_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CRL_CACHE", str(tmp_path))
    monkeypatch.setattr("crl_core.studies.claims_run.EPOCHS", 1)
    monkeypatch.setattr(run_claims, "__kwdefaults__", {**run_claims.__kwdefaults__, "epochs": 1})
    assert main(["claims", "--seeds", "2", "--only", "recipe-without", "--json", "-"]) == 0
    printed = capsys.readouterr()
    content = json.loads(printed.out)
    (entry,) = content["claims"]
    assert set(entry) >= {
        "id",
        "source",
        "statement",
        "preset",
        "measured",
        "median",
        "interval",
        "threshold",
        "verdict",
    }
    assert entry["id"] == "recipe-without"
    assert len(entry["measured"]) == 2
    assert entry["verdict"] == "needs five seeds"
    assert "run 1 of 1: recipe" in printed.err
    assert main(["claims", "--seeds", "2", "--only", "recipe-without"]) == 0
    assert "recipe-without" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--seeds", "0"], "from 1 to 20"),
        (["--seeds", "many"], "invalid number of seeds"),
        (["--only", "nonsense"], "there is no claim nonsense"),
        (["--only"], "--only"),
    ],
)
def test_bad_arguments_are_one_line(arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    try:
        status = main(["claims", *arguments])
    except SystemExit as error:
        status = int(error.code or 0)
    said = capsys.readouterr().err
    assert status == 2
    assert says in said
    assert len(said.strip().splitlines()) == 1


def test_the_answers_that_come_with_the_program_are_about_the_claims_as_they_are_now() -> None:
    content = baked_claims(RunStore().baked)
    assert content is not None
    assert content["recipe_version"] == RECIPE_VERSION
    assert content["seeds"] >= 10
    baked = {entry["id"]: entry for entry in content["claims"]}
    for claim in load_claims():
        assert baked[claim.id]["threshold"] == claim.threshold
        assert baked[claim.id]["statement"] == claim.statement
        assert len(baked[claim.id]["measured"]) == content["seeds"]
        values = [np.nan if v is None else v for v in baked[claim.id]["measured"]]
        counted = np.where(np.isnan(values), np.inf if claim.holds_if == "below" else -np.inf, values)
        assert baked[claim.id]["verdict"] == verdict_of(*median_interval(counted), claim.holds_if, claim.threshold)


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"claims": 3}', "not json"])
def test_a_damaged_stored_answer_counts_as_none(tmp_path: Path, text: str) -> None:
    (tmp_path / BAKED.file).write_text(text)
    assert baked_claims(tmp_path) is None


# -- science -----------------------------------------------------------------------------------------------------------

# At the smallest size at which each verdict comes out with room to spare: (seeds, epochs, rows) -> verdicts.
KEY_VERDICTS = {
    (5, 30, 4000): {
        "recipe-factual": "holds",
        "recipe-with": "holds",
        "recipe-without": "does not hold",
        "recipe-forgets": "does not hold",
        "alignment-destroys-shifted": "holds",
        "overlap-mixing-grows": "holds",
        "overlap-mmd-shrinks": "holds",
    },
    (10, 60, 5000): {
        "hospital-factual": "holds",
        "hospital-with": "does not hold",
        "hospital-without": "holds",
        "linear-without": "does not hold",
        "copies-help": "does not hold",
    },
}


@pytest.fixture
def no_baselines(monkeypatch: pytest.MonkeyPatch) -> None:
    """They take a third of the time of these runs, and none of these verdicts looks at one."""
    monkeypatch.setattr(baselines, "BASELINES", {})
    monkeypatch.setattr(evidence, "_OF_ROWS", {})  # nor is it remembered that there were none


@pytest.mark.slow
@pytest.mark.usefixtures("no_baselines")
@pytest.mark.parametrize(("seeds", "epochs", "rows"), list(KEY_VERDICTS))
def test_the_key_verdicts_come_out_from_scratch(tmp_path: Path, seeds: int, epochs: int, rows: int) -> None:
    def smaller(setting: ClaimSetting | None) -> Any:
        return setting and replace(setting, scenario=(*setting.scenario, ("n_samples", rows)))

    expected = KEY_VERDICTS[seeds, epochs, rows]
    asked = [
        replace(claim, setting=smaller(claim.setting), against=smaller(claim.against))
        for claim in pick(list(expected), load_claims())
    ]
    measured = run_claims(asked, seeds, store_in(tmp_path), epochs=epochs)
    assert {item.claim.id: item.verdict for item in measured} == expected


@pytest.mark.slow
def test_least_factual_error_picks_a_bad_lam_where_the_label_leaks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rooms, "PATH", (0.0, 0.3, 10.0))  # as few λ as bring it out
    (measured,) = run_claims(pick(["factual-error-picks-lam"], load_claims()), 5, store_in(tmp_path), epochs=40)
    assert measured.verdict == "does not hold"
    assert measured.median > 3


def test_content_of_names_seeds_epochs_and_recipe() -> None:
    assert content_of([], 7, 3, 5) == {
        "recipe_version": RECIPE_VERSION,
        "seeds": 7,
        "first_seed": 5,
        "epochs": 3,
        "claims": [],
    }
    assert rooms.LEVEL == 0.95


@pytest.mark.parametrize("quantity", ["ite_rmse", "u_shape", "regret_factual"])
def test_a_claim_about_effects_on_a_run_without_truth_is_refused_in_a_sentence(quantity: str) -> None:
    with pytest.raises(
        ValueError, match=r"has no effect error, since its true effects are not known; .* simulated world"
    ):
        QUANTITIES[quantity].of(without_truth(made_up_result()), {}, 0)
    assert np.isfinite(QUANTITIES["factual_mse"].of(without_truth(made_up_result()), {}, 0)).all()


# -- on screen ---------------------------------------------------------------------------------------------------------


def test_an_answer_is_that_of_the_claim_as_it_stands_and_none_where_it_has_changed() -> None:
    claim, other = (c for c in load_claims() if c.id in ("recipe-with", "recipe-without"))
    entry = {
        "id": claim.id,
        "threshold": claim.threshold,
        "holds_if": claim.holds_if,
        "quantity": claim.quantity,
        "preset": claim.setting.preset,
    }
    assert answer_to(claim, {"claims": [entry]}) is entry
    assert answer_to(other, {"claims": [entry]}) is None
    for name in ("threshold", "holds_if", "quantity", "preset"):
        assert answer_to(claim, {"claims": [entry | {name: "another"}]}) is None


def test_what_is_measured_is_a_line_that_names_quantity_lam_and_what_stands_beside_it() -> None:
    (claim,) = parse_claims(ENTRY)
    assert claim.measured_as() == "effect error, held out, at λ = 1"
    beside = replace(claim, against=replace(claim.setting, lam=0.0))
    assert beside.measured_as() == "effect error, held out, at λ = 1, over that at λ = 0"
    elsewhere = replace(claim, against=replace(claim.setting, preset="leaky", lam=0.0))
    assert elsewhere.measured_as() == "effect error, held out, at λ = 1, over that of leaky at λ = 0"
    path = replace(claim, quantity="u_shape", setting=replace(claim.setting, lam=None))
    assert path.measured_as().endswith(", along the whole path")


def test_a_laboratorys_claim_says_its_quantity_and_setting() -> None:
    for claim in (claim for study in STUDIES for claim in claims_of(study)):
        said = f"{claim.quantity}, {claim.setting}"
        assert claim.measured_as().startswith(said)
        assert ("random rotations" in claim.measured_as()) == bool(claim.chance)
