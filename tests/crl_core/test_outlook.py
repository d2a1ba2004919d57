"""What alignment can be expected to do: sizes agree with samples, words do not jump, sentences are true and whole."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks import outlook as benchmark
from crl_core import PRESETS, RunConfig, Scenario, sample
from crl_core.data.scm import along
from crl_core.world.assumptions import assumptions
from crl_core.world.outlook import Word, outlook
from crl_core.world.sizes import cause_gap, error_without_s, share_with_both, sizes
from tests.any_config import configs

HOSPITAL = PRESETS["linear"].config.scenario


# -- the sizes agree with what is drawn --------------------------------------------------------------------------------

WORLDS = {
    "several of everything": Scenario(
        sigma=(0.3, 1.0, 0.5),
        offset=(1.0, -1.0, 0.5),
        propensity=(0.2, 0.9, 0.5),
        cause_mean=(0.5, -0.3, 0.0),
        cause_scale=(1.0, 0.6, 1.4),
        confounding=1.0,
        heterogeneity=1.5,
        dim_causal=3,
        dim_spurious=4,
        env_weight=(1.0, 0.3, 0.6),
        surface="waves",
        n_samples=100_000,
    ),
    "y needs s": Scenario(
        offset=(1.0, -1.0), propensity=(0.2, 0.8), cause_mean=(0.5, -0.5), interaction=1.0, n_samples=100_000
    ),
    "s knows y": replace(HOSPITAL, leak=0.7, noise=0.3, confounding=1.0, propensity=(0.7, 0.2), n_samples=100_000),
}


@pytest.mark.parametrize("scenario", WORLDS.values(), ids=list(WORLDS))
def test_spreads_and_gaps_are_those_of_a_sample(scenario: Scenario) -> None:
    data, size = sample(scenario, 3), sizes(scenario, "environment")
    assert size is not None
    assert data.ite is not None and data.z is not None and data.s is not None  # noqa: PT018
    assert size.outcome_spread == pytest.approx(data.y.std(), rel=0.02)
    assert size.effect_spread == pytest.approx(data.ite.std(), rel=0.02, abs=0.01)
    shares = np.array([data.t[data.env == env].mean() for env in range(scenario.n_envs)])
    weight = np.bincount(data.env) / len(data)
    between = np.sqrt(weight @ (shares - data.t.mean()) ** 2)
    assert size.treated_gap == pytest.approx(between / data.t.std(), abs=0.02)
    for groups, align in ((data.env, "environment"), (data.t, "treatment")):
        found = sizes(scenario, align)  # type: ignore[arg-type]
        assert found is not None
        for values, gap in ((data.z, found.cause_gap), (data.s, found.nuisance_gap)):
            assert gap == pytest.approx(gap_by_hand(along(values), groups), rel=0.03, abs=0.02)


def gap_by_hand(values: np.ndarray, groups: np.ndarray) -> float:
    parts = [values[groups == group] for group in np.unique(groups)]
    squares = [
        (a.mean() - b.mean()) ** 2 / ((a.var() + b.var()) / 2) + np.log(a.std() / b.std()) ** 2
        for i, a in enumerate(parts)
        for b in parts[:i]
    ]
    return float(np.sqrt(np.mean(squares)))


@pytest.mark.parametrize("scenario", WORLDS.values(), ids=list(WORLDS))
@pytest.mark.parametrize("align", ["environment", "treatment"])
def test_what_a_latent_without_a_difference_misses_is_what_it_misses_on_rows(scenario: Scenario, align: str) -> None:
    data, size = sample(scenario, 4), sizes(scenario, align)  # type: ignore[arg-type]
    assert size is not None
    assert data.ite is not None and data.z is not None  # noqa: PT018
    groups, rank = (data.env if align == "environment" else data.t), np.empty(len(data))
    for group in np.unique(groups):
        mine = np.flatnonzero(groups == group)
        rank[mine[np.argsort(along(data.z)[mine])]] = (np.arange(len(mine)) + 0.5) / len(mine)
    cell = (rank * 200).astype(int)  # the latent: the rank of z within the group
    means = [np.array([data.y[(data.t == arm) & (cell == at)].mean() for at in range(200)]) for arm in (0, 1)]
    error = np.sqrt(np.mean(((means[1] - means[0])[cell] - data.ite) ** 2))
    assert size.aligned_error == pytest.approx(error, rel=0.06, abs=0.05)


def test_an_environment_of_few_rows_counts_little() -> None:
    """Two environments, one of them rare, tend to what the other one alone would say."""
    lopsided = Scenario(
        interaction=1.0, offset=(0.0, 5.0), sigma=(0.5, 3.0), propensity=(0.5, 1.0), env_weight=(1.0, 0.001),
        n_samples=100_000,
    )  # fmt: skip
    alone = error_without_s(lopsided.with_envs(1))
    assert error_without_s(lopsided) == pytest.approx(alone, rel=0.15)
    assert error_without_s(replace(lopsided, env_weight=(1.0,))) > 10 * alone  # type: ignore[operator]
    apart = Scenario(propensity=(0.5, 1.0), cause_mean=(0.0, 4.0), n_samples=10_000)
    assert share_with_both(apart) == pytest.approx(0.5, abs=0.05)
    assert share_with_both(replace(apart, env_weight=(1.0, 0.01))) == pytest.approx(1, abs=0.02)


def test_the_least_error_without_s_holds_for_weighted_environments() -> None:
    scenario = Scenario(
        interaction=0.5, offset=(1.0, -2.0), propensity=(0.2, 0.9), noise=0.3, env_weight=(1.0, 0.2), n_samples=100_000
    )
    data = sample(scenario, 1)
    assert data.z is not None and data.s is not None  # noqa: PT018
    z, s = along(data.z), along(data.s)
    known = np.array([s[data.t == arm].mean() for arm in (0, 1)])[data.t]
    best = 2 * z + scenario.interaction * z * known + data.t * scenario.effect
    assert error_without_s(scenario) == pytest.approx(np.mean((data.y - best) ** 2), rel=0.03)


# -- no step from a small difference -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"cause_scale": (1.0, 1.0)}, {"cause_scale": (1.0, 1.0001)}),
        ({"cause_mean": (0.0, 0.0)}, {"cause_mean": (0.0, 0.0001)}),
        (
            {"cause_mean": (1.0, 1.0), "cause_scale": (0.5, 0.5), "propensity": (0.1, 0.8), "confounding": -2.0},
            {"cause_mean": (1.0001, 1.0), "cause_scale": (0.5, 0.5), "propensity": (0.1, 0.8), "confounding": -2.0},
        ),
        (
            {"propensity": (0.5, 0.5), "offset": (2.0, 2.0)},
            {"propensity": (0.5, 0.5001), "offset": (2.0, 2.0001)},
        ),
        ({"propensity": (0.05, 0.05)}, {"propensity": (0.0499, 0.0499)}),
        ({"confounding": 0.0, "propensity": (0.5,)}, {"confounding": 0.0001, "propensity": (0.5,)}),
        ({"leak": 0.0}, {"leak": 0.0001}),
        ({"interaction": 0.0}, {"interaction": 0.0001}),
        ({"heterogeneity": 0.0}, {"heterogeneity": 0.0001}),
        ({"sigma": (0.0, 1.0)}, {"sigma": (0.0001, 1.0)}),
    ],
)
@pytest.mark.parametrize("align", ["environment", "treatment"])
def test_a_difference_of_a_ten_thousandth_changes_no_word(
    before: dict[str, object], after: dict[str, object], align: str
) -> None:
    one, other = (replace(HOSPITAL, **change) for change in (before, after))  # type: ignore[arg-type]
    a, b = (outlook(world, align) for world in (one, other))  # type: ignore[arg-type]
    assert a.word == b.word
    assert a.gain == pytest.approx(b.gain, abs=0.002)
    assert a.harm == pytest.approx(b.harm, abs=0.002)
    for at in (0, 1):  # the third counts treatments rarer than one in twenty, and says that it does
        x, y = (assumptions(world, align)[at] for world in (one, other))  # type: ignore[arg-type]
        assert x.status == y.status


worlds = st.builds(
    Scenario,
    sigma=st.tuples(st.floats(0.05, 2), st.floats(0.05, 2)),
    offset=st.tuples(st.floats(-3, 3), st.floats(-3, 3)),
    propensity=st.sampled_from([(0.0, 1.0), (0.5,), (0.1, 0.8), (1.0, 0.3)]),
    heterogeneity=st.floats(-2, 2),
    interaction=st.sampled_from([0.0, 0.5]),
    cause_mean=st.tuples(st.floats(-1.5, 1.5), st.floats(-1.5, 1.5)),
    cause_scale=st.tuples(st.floats(0.5, 1.5), st.floats(0.5, 1.5)),
    confounding=st.floats(-2, 2),
    dim_causal=st.sampled_from([1, 5]),
    dim_spurious=st.sampled_from([1, 5]),
    surface=st.sampled_from(["linear", "waves"]),
)


@settings(max_examples=200, deadline=None)
@given(scenario=worlds, data=st.data(), align=st.sampled_from(["environment", "treatment"]))
def test_the_grades_have_no_step_anywhere(scenario: Scenario, data: st.DataObject, align: str) -> None:
    name = data.draw(st.sampled_from(["sigma", "offset", "cause_mean", "cause_scale", "confounding", "heterogeneity"]))
    value = getattr(scenario, name)
    moved = (value[0] + 1e-4, *value[1:]) if isinstance(value, tuple) else value + 1e-4
    a, b = (outlook(world, align) for world in (scenario, replace(scenario, **{name: moved})))  # type: ignore[arg-type]
    assert a.gain == pytest.approx(b.gain, abs=0.005)
    assert a.harm == pytest.approx(b.harm, abs=0.005)


@settings(max_examples=200, deadline=None)
@given(
    gaps=st.tuples(st.floats(0, 3), st.floats(0, 3)).map(sorted),
    heterogeneity=st.floats(0, 2),
)
def test_the_farther_the_cause_is_apart_the_more_is_taken_away(gaps: list[float], heterogeneity: float) -> None:
    harms, found = [], []
    for gap in gaps:
        scenario = replace(HOSPITAL, cause_mean=(gap / 2, -gap / 2), heterogeneity=heterogeneity)
        size = sizes(scenario, "environment")
        assert size is not None
        harms.append(size.aligned_error)
        found.append(cause_gap(scenario, "environment"))
    assert found == pytest.approx(gaps, rel=1e-3)
    assert harms[0] <= harms[1] + 1e-9


@settings(max_examples=25, deadline=None)
@given(offsets=st.tuples(st.floats(0, 4), st.floats(0, 4)).map(sorted))
def test_the_farther_the_nuisance_is_apart_the_more_there_is_to_gain(offsets: list[float]) -> None:
    near, far = (outlook(replace(HOSPITAL, offset=(at, -at), sigma=(1.0, 1.0)), "environment").gain for at in offsets)
    assert near <= far + 1e-9


def test_a_cause_apart_by_little_and_by_much_have_words_of_their_own() -> None:
    def word(gap: float, **changes: object) -> str:
        return outlook(replace(HOSPITAL, cause_mean=(gap, 0.0), **changes), "environment").word  # type: ignore[arg-type]

    assert word(0.02) == "can help"
    assert word(1.0) == "takes the signal away"
    assert word(1.0, propensity=(0.5, 0.5), heterogeneity=0.0) == "nothing to gain"  # the difference goes with nothing


# -- sentences ---------------------------------------------------------------------------------------------------------


@settings(max_examples=80, deadline=None)
@given(config=configs())
def test_every_world_has_a_word_and_whole_sentences(config: RunConfig) -> None:
    scenario = config.scenario
    for align in ("environment", "treatment"):
        found = outlook(scenario, align, "ward")  # type: ignore[arg-type]
        assert found.word in get_args(Word)
        assert np.isfinite([found.gain, found.harm]).all()
        assert found.gain >= 0
        assert found.harm >= 0
        assert found.sentence.endswith(".")
        assert found.sentence[0].isupper() or found.sentence.startswith("s ")
        for wrong in ("nan", "None", "..", "  ", "{"):
            assert wrong not in found.sentence
        for item in assumptions(scenario, align, "ward"):  # type: ignore[arg-type]
            assert item.says.endswith(".")
            assert "nan" not in item.says


def test_a_treatment_that_follows_z_is_no_coin_flip() -> None:
    confounded = Scenario(sigma=(0.1, 1.0), propensity=(0.5, 0.5), confounding=2.0)
    found = outlook(confounded, "environment")
    assert found.word == "nothing to gain"
    assert "coin" not in found.sentence
    assert "drawn alike" not in found.sentence
    assert "Treatment follows z, in the same way in every environment" in found.sentence
    assert "is a coin flip" in outlook(replace(confounded, confounding=0.0), "environment").sentence
    alike = replace(confounded, confounding=0.0, propensity=(0.3, 0.3))
    assert "is drawn alike" in outlook(alike, "environment").sentence


def test_a_treatment_that_is_rare_is_not_said_to_be_never_seen() -> None:
    rare = outlook(replace(HOSPITAL, propensity=(0.04, 0.04)), "environment")
    assert "never seen" not in rare.sentence
    never = outlook(replace(HOSPITAL, propensity=(1.0, 1.0)), "environment")
    assert never.word == "cannot work"
    assert "never seen anywhere" in never.sentence
    apart = outlook(replace(HOSPITAL, cause_mean=(4.0, -4.0)), "environment")
    assert apart.word == "cannot work"
    assert "hardly a z in common" in apart.sentence


def test_s_is_taken_for_the_treatment_where_it_has_no_effect_too() -> None:
    """Each arm's outcome is extrapolated along s, whatever the difference between the arms."""
    found = outlook(replace(HOSPITAL, mixing="nonlinear", effect=0.0, heterogeneity=0.0), "environment")
    assert found.word == "can help"


def test_two_large_errors_on_a_curved_surface_are_not_set_against_each_other() -> None:
    bent = replace(HOSPITAL, mixing="nonlinear", cause_mean=(0.6, -0.6))
    assert outlook(bent, "environment").word == "cannot say"
    assert outlook(replace(bent, mixing="none"), "environment").word == "takes the signal away"


def test_a_world_in_which_nothing_varies_has_a_word() -> None:
    still = Scenario(effect=0.0, noise=0.0, cause_scale=(0.0,))
    assert outlook(still, "environment").word == "nothing to gain"


def test_nothing_is_said_to_be_removed() -> None:
    for preset in PRESETS.values():
        sentence = outlook(preset.config.scenario, preset.config.training.align).sentence
        assert "remove" not in sentence
        assert "forg" not in sentence


def test_a_word_says_for_which_lam() -> None:
    for name in ("hospital", "shifted", "confounded", "sensors"):
        preset = PRESETS[name].config
        assert "λ" in outlook(preset.scenario, preset.training.align).sentence


def test_waves_among_many_mixed_inputs_and_noise_alone_are_not_decided() -> None:
    many = Scenario(surface="waves", mixing="rotation", dim_causal=5, dim_spurious=20, n_samples=4000, heterogeneity=1)
    assert outlook(many, "environment").word == "cannot say"
    assert outlook(replace(many, mixing="none"), "environment").word != "cannot say"
    noisy = Scenario(sigma=(1.0, 1.0), offset=(2.0, -2.0), noise=0.3)
    assert outlook(noisy, "environment").word == "cannot say"


# -- the benchmark -----------------------------------------------------------------------------------------------------


def test_a_random_world_is_the_same_every_time_and_another_for_each_index() -> None:
    drawn = [benchmark.world(5, index) for index in range(20)]
    assert drawn == [benchmark.world(5, index) for index in range(20)]
    assert len({config.key for config in drawn}) == 20
    assert drawn[0].key != benchmark.world(6, 0).key


def test_a_world_that_was_measured_is_not_trained_again_unless_it_is_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained: list[str] = []

    def measured(config: RunConfig) -> dict[str, object]:
        trained.append(config.key)
        return {"key": config.key}

    monkeypatch.setattr(benchmark, "measured", measured)
    first, second = benchmark.world(5, 0), benchmark.world(5, 1)
    for config in (first, first, second):
        benchmark.stored(config, tmp_path / "world.json")
    assert trained == [first.key, second.key]


def test_a_gain_needs_all_replicates_and_a_fifth_of_the_error() -> None:
    config = benchmark.world(5, 0)

    def found(*rows: tuple[float, ...]) -> benchmark.Finding:
        error = [[1.0, *row] for row in rows]
        return benchmark.Finding.of(config, {"ite_rmse": error, "baselines": {"constant": [0.6], "none": [9.0]}})

    assert found((1, 1, 0.7, 3), (1, 1, 0.7, 3), (1, 1, 0.9, 3)).helps
    assert not found((1, 1, 0.7, 3), (1, 1, 0.7, 3), (1, 1, 1.1, 3)).helps
    assert not found((1, 1, 0.9, 3), (1, 1, 0.9, 3), (1, 1, 0.9, 3)).helps
    assert not found((1, 1, 0.7, 3), (1, 1, 0.7, 3), (1, 1, 0.7, 3)).beats
    assert found((1, 1, 0.5, 3), (1, 1, 0.5, 3), (1, 1, 0.5, 3)).beats
    text = benchmark.table([found((1, 1, 0.5, 3), (1, 1, 0.5, 3), (1, 1, 0.5, 3))])
    assert "| 1 | 1 | 1 | 0 / 1 / 0 | 1 / 0 / 0 | 0 / 0 / 1 |" in text
