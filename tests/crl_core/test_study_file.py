"""study.toml: what runs it is made of, and one sentence for what it cannot be."""

from __future__ import annotations

import json
import tomllib
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crl_core.config import FIRST_SEED, RunConfig
from crl_core.config.penalty_words import PENALTY_WORDS
from crl_core.config.presets import PRESETS, preset
from crl_core.config.settings import settings_of
from crl_core.config.text import N_ENVS, altered
from crl_core.runs.store import RunStore
from crl_core.studies.claims_run import runs_of
from crl_core.studies.grid import study_file
from crl_core.studies.grid.study_file import MOST_POINTS, Study, read_study, shipped, study_of
from tests.any_config import configs, drawing
from tests.crl_core.made_up import made_up_result, store_in, tiny_config


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> RunStore:
    return store_in(tmp_path_factory.mktemp("store"))


def keys(study: Study) -> list[str]:
    return [point.key for point in study.points]


def test_every_combination_of_axes_is_a_run_as_if_each_value_had_been_set_by_hand(store: RunStore) -> None:
    study = study_of(
        """
        penalties = ["MMD", "coral"]
        seeds = [7, 9]
        [base]
        preset = "shifted"
        set = { epochs = 4, sigma2 = 0.7 }
        [axes]
        n_samples = [500, 1000]
        "σ₁" = { from = 0.5, to = 2, points = 3, scale = "log" }
        """,
        store,
    )
    base = altered(preset("shifted"), epochs=4, sigma=(preset("shifted").scenario.sigma[0], 0.7))
    wanted = [
        (n, sigma, penalty, seed)
        for n, sigma, penalty, seed in product([500, 1000], [0.5, 1.0, 2.0], ["mmd", "coral"], [7, 9])
    ]
    assert study.columns == ("n_samples", "sigma1", "penalty", "seed")
    assert [point.at for point in study.points] == wanted
    for point, (n, sigma, penalty, seed) in zip(study.points, wanted, strict=True):
        grid = base.training.lams if penalty == base.training.penalty else PENALTY_WORDS[penalty].lams
        own = altered(base, n_samples=n, sigma=(sigma, 0.7), penalty=penalty, lams=grid, seed=seed)
        assert point.config == own
        assert point.key == own.key


def test_what_is_zipped_moves_together_and_worlds_are_an_axis_with_the_bases_changes_in_each(store: RunStore) -> None:
    study = study_of(
        """
        seeds = 2
        [base]
        set = { epochs = 3 }
        [axes]
        preset = ["hospital", "waves"]
        [[zipped]]
        n_envs = [2, 3]
        learning_rate = [0.01, 0.001]
        """,
        store,
    )
    assert [point.at for point in study.points] == [
        (world, *pair, seed)
        for world in ("hospital", "waves")
        for pair in ((2, 0.01), (3, 0.001))
        for seed in (FIRST_SEED, FIRST_SEED + 1)
    ]
    for point in study.points:
        world, n_envs, rate, seed = point.at
        assert point.config == altered(altered(preset(world), epochs=3, n_envs=n_envs), learning_rate=rate, seed=seed)


def test_a_range_is_linear_or_logarithmic_whole_where_the_setting_is_and_by_steps(store: RunStore) -> None:
    def values(text: str) -> list[Any]:
        return [point.at[0] for point in study_of(f"[axes]\n{text}", store).points]

    assert values("n_samples = { from = 500, to = 8000, points = 5, scale = 'log' }") == [500, 1000, 2000, 4000, 8000]
    assert values("epochs = { from = 1, to = 2, points = 9 }") == [1, 2]
    assert values("sigma2 = { from = 0, to = 1, step = 0.25 }") == [0, 0.25, 0.5, 0.75, 1]
    assert values("learning_rate = { from = 0.1, to = 0.001, points = 3, scale = 'log' }") == [0.1, 0.01, 0.001]


def test_a_run_that_comes_twice_stands_once_and_values_of_lists_are_words_in_the_table(store: RunStore) -> None:
    study = study_of("[axes]\nlams = [[0, 1], [0, 1.0], [0, 10]]\nseed = [1, 1]", store)
    assert [point.at for point in study.points] == [("0 1", 1), ("0 10", 1)]


def test_all_penalties_are_each_on_their_own_grid_unless_it_says_otherwise(store: RunStore) -> None:
    own = study_of('penalties = "all"\n[base]\nset = { shared_units = 32 }', store)
    assert {p.at[0]: p.config.training.lams for p in own.points} == {
        name: words.lams for name, words in PENALTY_WORDS.items()
    }
    same = study_of('own_grids = false\npenalties = "all"\n[base]\nset = { shared_units = 32 }', store)
    assert {p.config.training.lams for p in same.points} == {preset("hospital").training.lams}


def test_combinations_that_cannot_be_are_listed_with_the_reason_and_the_rest_is_offered(store: RunStore) -> None:
    study = study_of("[axes]\nn_envs = [2, 3]\nsigma3 = [0.5]\nreplicates = [1, 200]", store)
    assert [point.at for point in study.points] == [(3, 0.5, 1)]
    assert [which for which, _ in study.impossible] == [
        "n_envs 2, sigma3 0.5, replicates 1",
        "n_envs 2, sigma3 0.5, replicates 200",
        "n_envs 3, sigma3 0.5, replicates 200",
    ]
    assert "there are 2 environments" in study.impossible[0][1]
    assert "replicates" in study.impossible[2][1]


def test_the_base_is_a_preset_a_config_a_stored_run_or_nothing_at_all(store: RunStore, tmp_path: Path) -> None:
    config = tiny_config()
    (tmp_path / "run.json").write_text(config.to_json())
    store.save(made_up_result(config))
    assert keys(study_of("", store)) == [preset("hospital").key]
    assert keys(study_of("[base]\nconfig = 'run.json'", store, folder=tmp_path)) == [config.key]
    assert keys(study_of(f"[base]\nrun = '{config.key}'", store)) == [config.key]
    (tmp_path / "own.toml").write_text("[base]\nconfig = 'run.json'")
    assert keys(read_study(tmp_path / "own.toml", store)) == [config.key]


def test_a_claim_brings_its_runs_and_a_rule_its_evidence(store: RunStore) -> None:
    plain = study_of("[base]\nset = { epochs = 2 }", store)
    assert not any(evidence for _, evidence in plain.runs.values())
    assert all(e for _, e in study_of("[measure]\nrules = ['left_out']", store).runs.values())
    assert all(e for _, e in study_of("[measure]\nmetrics = ['domain_auc']", store).runs.values())
    assert not any(e for _, e in study_of("[measure]\nrules = ['factual']", store).runs.values())
    claimed = study_of("seeds = 5\n[measure]\nclaims = ['hospital-with']", store)
    own = {config.key for config, _ in runs_of(claimed.claims, 5, first_seed=FIRST_SEED)}
    assert own
    assert list(claimed.runs) == [*keys(claimed), *own]


def test_a_comment_changes_no_study_and_a_seed_does(store: RunStore) -> None:
    text = "title = 'a'\nseeds = [1, 2]"
    same = study_of(f"# why\n{text}", store)
    assert study_of(text, store).id == same.id != study_of("title = 'a'\nseeds = [1, 3]", store).id


@pytest.mark.parametrize("name", shipped())
def test_every_shipped_study_can_be_carried_out_whole(store: RunStore, name: str) -> None:
    study = read_study(name, store)
    assert study.impossible == ()
    assert study.title
    assert study.asks
    assert study.points
    assert len({len(point.at) for point in study.points} | {len(study.columns)}) == 1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("title = ", "not TOML"),
        ("axis = 3", "the study has no axis; it has asks, axes, base"),
        ("[base]\nprset = 'waves'", "base has no prset; it has config, preset"),
        ("[base]\npreset = 'nowhere'", "nowhere"),
        ("[base]\npreset = 'waves'\nrun = 'abc'", "base has preset and run; give one"),
        ("[base]\nrun = '../../etc/passwd'", "no such run is stored here"),
        ("[base]\ntable = 'mine'", "no table of that name is kept here"),
        ("[base]\nconfig = 'run.json'", "a file of another machine"),
        ("[base]\nset = { epoch = 3 }", "there is no setting epoch; settings are preset, n_envs"),
        ("[base]\nset = { epochs = 0 }", "base.set: epochs is 0"),
        ("[axes]\nwheels = [3, 4]", "there is no setting wheels"),
        ("[axes]\nepochs = 3", "epochs is 3; it must be a list of values, or a range"),
        ("[axes]\nepochs = []", "it must be a list of values"),
        ("[axes]\nepochs = [{}]", "{} is no value"),
        ("[axes]\nepochs = [2001-01-01]", "is no value"),
        ("[axes]\npreset = ['waves', 'moon']", "there is no preset 'moon'"),
        ("[axes]\npenalty = ['mdd']", "no run of the study can be; penalty mdd"),
        ("[axes]\nepochs = { from = 1, to = 9 }", "say how many points it has, or its step"),
        ("[axes]\nepochs = { from = 1, to = 9, step = 0 }", "its step leads from one end to the other"),
        ("[axes]\nsigma1 = { from = 0, to = 1, points = 3, scale = 'log' }", "ends above 0"),
        ("[axes]\nsigma1 = { from = 0, to = inf, points = 3 }", "from and to are its ends"),
        ("[axes]\nsigma1 = { begin = 0 }", "sigma1 has no begin; it has from, points, scale, step, to"),
        ("seeds = 'many'", "seeds is 'many'; it must be a number of seeds"),
        ("seeds = [1, 'two']", "every seed is a whole number"),
        ("seeds = { first = 1, count = 0 }", "it must be a number of seeds"),
        ("seeds = 3\n[axes]\nseed = [1]", "seed is on two axes"),
        ("penalties = ['mmd']\n[axes]\npenalty = ['coral']", "leave it in one of them"),
        ("zipped = [3]", "zipped is a list of tables"),
        ("[[zipped]]\nn_envs = [2, 3]\nepochs = [4]", "lists of the same length (n_envs 2, epochs 1)"),
        ("own_grids = 'no'", "own_grids is 'no'; it must be true or false"),
        ("[measure]\nmetrics = ['beauty']", "measure.metrics has 'beauty'; it is a list of"),
        ("[measure]\nmetrics = []", "measure.metrics is empty"),
        ("[measure]\nrules = ['oracle']", "measure.rules has 'oracle'"),
        ("[measure]\nclaims = 3", "measure.claims has 3"),
        ("seeds = 30\n[measure]\nclaims = ['hospital-with']", "at most 20 seeds, and there are 30"),
        (
            "seeds = [1, 3]\n[measure]\nclaims = ['hospital-with']",
            "these are 1, 3; take 1 to 2, or leave out the claims",
        ),
        ("title = 3", "title is 3; it must be a text"),
        ("base = 3", "base is 3; it must be a table"),
    ],
)
def test_what_a_study_cannot_be_is_one_sentence_that_names_the_entry(store: RunStore, text: str, words: str) -> None:
    with pytest.raises(ValueError, match=r"\.$") as refused:
        study_of(text, store)
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)


def test_ten_million_runs_are_refused_before_any_is_made(store: RunStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(study_file, "_points", lambda *_: pytest.fail("it began to make them"))
    with pytest.raises(ValueError, match=rf"10,000,000 runs, and a study has at most {MOST_POINTS:,}"):
        study_of("seeds = 10000\n[axes]\nepochs = { from = 1, to = 1000, points = 1000 }", store)


def test_a_file_that_is_not_there_is_one_sentence(store: RunStore) -> None:
    with pytest.raises(ValueError, match=r"no-such.toml: No such file or directory; give a study.toml, or one of"):
        read_study("no-such.toml", store)


@drawing(40, 2000)
@given(configs())
def test_every_setting_of_any_config_is_an_axis(store: RunStore, tmp_path: Path, config: RunConfig) -> None:
    """Each with the value that it has: nothing changes, whatever the setting."""
    (tmp_path / "run.json").write_text(config.to_json())
    for setting in settings_of(config):
        if setting.field == N_ENVS and config.scenario.n_envs == 1:
            continue
        text = f"[base]\nconfig = 'run.json'\n[axes]\n{setting.name} = [{_toml(setting.of(config))}]"
        study = study_of(text, store, folder=tmp_path)
        assert keys(study) == [config.key], setting


def _toml(value: Any) -> str:
    return f"[{', '.join(map(_toml, value))}]" if isinstance(value, tuple) else json.dumps(value)


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
ENTRIES = st.recursive(
    SCALARS.filter(lambda value: value is not None),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["from", "to", "points", "step", "scale", "first", "count", "preset", "set"]), inner
        )
    ),
    max_leaves=6,
)
NAMES = ["epochs", "penalty", "sigma2", "n_envs", "preset", "seed", "lams", "offset", "balanced", "bandwidth", "x"]


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    st.fixed_dictionaries(
        {},
        optional={
            **dict.fromkeys(("title", "seeds", "penalties", "own_grids", "base", "measure"), ENTRIES),
            "axes": st.dictionaries(st.sampled_from(NAMES), ENTRIES, max_size=3),
            "zipped": st.lists(st.dictionaries(st.sampled_from(NAMES), ENTRIES, max_size=2), max_size=2) | ENTRIES,
        },
    )
)
def test_any_content_is_a_study_or_one_sentence(store: RunStore, content: dict[str, Any]) -> None:
    text = "\n".join(f"{name} = {_inline(value)}" for name, value in content.items())
    tomllib.loads(text)
    try:
        study = study_of(text, store)
    except ValueError as error:
        said = str(error)
    else:
        said = "."
        assert all(point.config.key == point.key for point in study.points)
    assert said.endswith(".")
    assert len(said) < 2000


def _inline(value: Any) -> str:
    """A value as TOML has it in a line."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{name} = {_inline(item)}" for name, item in value.items()) + " }"
    if isinstance(value, list):
        return f"[{', '.join(map(_inline, value))}]"
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, str):
        return json.dumps("".join(filter(str.isprintable, value)), ensure_ascii=False)
    return json.dumps(value)


def test_presets_are_all_worlds_of_one_axis(store: RunStore) -> None:
    study = study_of(f"[axes]\npreset = {json.dumps(list(PRESETS))}", store)
    assert [point.config for point in study.points] == [item.config for item in PRESETS.values()]
