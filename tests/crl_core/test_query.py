"""The library's search line: what it finds, and what it says of what it does not understand."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crl_core.config.text import altered
from crl_core.runs.labels import Label
from crl_core.runs.library import search
from crl_core.runs.query import FIGURES, Condition, parse
from crl_core.runs.records import RunSummary
from tests.crl_core.made_up import made_up_result, store_in, tiny_config

CONFIGS = (
    tiny_config(0),
    altered(tiny_config(7), sigma=(0.1, 2.0)),
    altered(tiny_config(8), penalty="coral", n_envs=3),
    altered(tiny_config(9), standardise=False, noise=0.5),
)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[RunSummary]:
    store = store_in(tmp_path_factory.mktemp("query"))
    for config in CONFIGS:
        store.save(made_up_result(config))
    store.label(CONFIGS[1].key, Label(name="Noisy B", tags=("paper", "draft")))
    by_key = {run.key: run for run in store.summaries()}
    return [by_key[config.key] for config in CONFIGS]


def found(runs: list[RunSummary], text: str) -> list[int]:
    kept = search(runs, text)
    return [at for at, run in enumerate(runs) if run in kept]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", [0, 1, 2, 3]),
        ("seed=7", [1]),
        ("seed = 7", [1]),
        ("seed≥8", [2, 3]),
        ("seed != 7", [0, 2, 3]),
        ("σ₂>1", [1]),
        ("sigma2>1", [1]),
        ("Sigma_2 > 1", [1]),
        ("sigma>=2", [1]),  # in one environment or the other
        ("sigma3>0", [2]),  # which the others do not have
        ("sigma3!=99", [2]),
        ("E=3", [2]),
        ("envs<3", [0, 1, 3]),
        ("penalty=CORAL", [2]),
        ("penalty!=coral", [0, 1, 3]),
        ("standardised=no", [3]),
        ("outcomenoise>0,1", [3]),
        ("tag:paper", [1]),
        ("TAG:Paper tag:draft", [1]),
        ("tag:pap", []),
        ("noisy", [1]),
        ('"Noisy B" seed=7', [1]),
        ("noisy seed=8", []),
        ("samples=200", [0, 1, 2, 3]),
        ("lams=1", [0, 1, 2, 3]),
    ],
)
def test_a_search_finds_the_runs_it_describes(runs: list[RunSummary], text: str, expected: list[int]) -> None:
    assert found(runs, text) == expected


def test_figures_are_compared_with_the_least_effect_error_and_its_lam(runs: list[RunSummary]) -> None:
    least = [min(error for error in run.figures["ite_rmse"] if error is not None) for run in runs]
    middle = sorted(least)[1]
    below = [at for at, error in enumerate(least) if error <= middle]
    assert found(runs, f"ite<={middle!r}") == found(runs, f"error<={middle!r}") == below
    at_zero = [at for at, run in enumerate(runs) if run.figures["ite_rmse"][0] == least[at]]
    assert found(runs, "λ=0") == found(runs, "lambda=0") == at_zero
    unknown = [replace(run, figures=dict.fromkeys(run.figures, (None,) * 2)) for run in runs]
    assert search(unknown, "ite<1000") == []
    assert set(FIGURES) >= {"ite", "lambda", "ite0"}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("sgima2=1", "There is no setting “sgima2”; the nearest is sigma2."),
        ("xyzzy=1", "There is no setting “xyzzy”; write e.g. seed=7,"),
        ("seed=", "“seed=” is no comparison"),
        ("1<seed<3", "There is no setting “1”"),
        ("seed<3<4", "“seed<3<4” is no comparison"),
        ("=7", "“=7” has no name in front of it"),
        ("seed=seven", "seed is a number, and “seven” is none"),
        ("penalty=corel", "penalty is never “corel”; the nearest is coral."),
        ("penalty>coral", "penalty is a word, which is not more or less than another; write penalty=coral."),
        ("preset=hopsital", "preset is never “hopsital”; the nearest is hospital."),
        ("standardised=maybe", "standardised is never “maybe”; there are yes, no."),
        ("tag:", "tag: has no tag behind it; write one, e.g. tag:paper."),
        ("n_samples=1.000,5.0", "n_samples is a number, and “1.000,5.0” is none"),
    ],
)
def test_what_is_not_understood_is_one_sentence_with_the_way_out(text: str, says: str) -> None:
    with pytest.raises(ValueError) as error:  # noqa: PT011 (the whole sentence is compared below)
        parse(text)
    assert str(error.value).startswith(says)


SIGNS: dict[str, Callable[[float, float], bool]] = {
    "=": operator.eq, "!=": operator.ne, "≠": operator.ne, "<": operator.lt, "≤": operator.le, "<=": operator.le,
    ">": operator.gt, "≥": operator.ge, ">=": operator.ge,
}  # fmt: skip


@given(
    st.sampled_from(["seed", "Seed"]),
    st.sampled_from(list(SIGNS)),
    st.integers(0, 12),
    st.sampled_from(["", " "]),
)
def test_a_comparison_is_the_one_of_its_sign_with_or_without_spaces(
    name: str, sign: str, value: int, space: str
) -> None:
    (condition,) = parse(f"{name}{space}{sign}{space}{value}").conditions
    for config in CONFIGS:
        run = replace(_summary(), config=config)
        assert condition.holds(run) == SIGNS[sign](config.training.seed, value)


def _summary() -> RunSummary:
    return RunSummary(
        key="0" * 16, config=CONFIGS[0], created=0.0, seconds=1.0, device="cpu", bytes=1, parts=(), pinned=False,
        baked=False, recipe_version=2, imported=None, label=Label(),
        figures={"ite_rmse": (0.5, 0.25), "factual_mse": (1.0, 2.0), "mmd2": (1.0, 2.0)},
    )  # fmt: skip


@given(st.text(alphabet='abσ₂λ =<>!≤≠:"7.,tag', max_size=40))
def test_whatever_is_typed_is_a_search_or_one_sentence(text: str) -> None:
    sentence = ""
    try:
        query = parse(text)
    except ValueError as error:
        sentence = str(error)
    if sentence:
        assert sentence.endswith(".")
        assert "\n" not in sentence
        return
    assert all(isinstance(condition, Condition) for condition in query.conditions)
    search([_summary()], text)


@given(st.lists(st.text(alphabet="abcdef", min_size=1, max_size=5), max_size=4))
def test_words_without_a_sign_are_looked_for_all_of_them(words: list[str]) -> None:
    assert list(parse(" ".join(words)).words) == words


def test_a_store_answers_the_same_search_from_the_command_line(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    store.save(made_up_result(CONFIGS[1]))
    assert [run.key for run in search(store.summaries(), "seed=7 sigma2=2")] == [CONFIGS[1].key]
