"""What a whole run lacks is said, with what to change; the command line says it too."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crl_core import PRESETS, RunConfig, Scenario
from crl_core.cli.program import main
from crl_core.cli.table import run_table
from crl_core.config.text import altered
from crl_core.events import COLLAPSED, DIVERGED, OK
from crl_core.measures import cautions
from crl_core.measures.cautions import cautions_before, cautions_of, nothing_usable
from crl_core.results import data_of
from tests.crl_core.made_up import made_up_result, tiny_config


def with_scenario(config: RunConfig, **values: object) -> RunConfig:
    return replace(config, scenario=replace(config.scenario, **values))  # type: ignore[arg-type]


@pytest.mark.parametrize("preset", PRESETS.values(), ids=lambda item: item.id)
def test_nothing_is_amiss_in_a_preset(preset: object) -> None:
    assert cautions_before(preset.config) == ()  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("codes", "words", "mend"),
    [
        ((DIVERGED,), "diverged", "lower learning rate"),
        ((COLLAPSED,), "collapsed", "more epochs"),
        ((DIVERGED, COLLAPSED), "No model is usable", "lower learning rate"),
    ],
)
def test_a_run_without_one_usable_model_says_so_and_what_to_change(
    codes: tuple[int, ...], words: str, mend: str
) -> None:
    result = made_up_result(tiny_config())
    status = np.resize(codes, len(result.status))
    (said, *_) = cautions_of(replace(result, status=status))
    assert words in said
    assert mend in said
    status[-1] = OK
    assert nothing_usable(result.config, status) == ""


@pytest.mark.parametrize(("propensity", "word"), [(0.0, "no"), (1.0, "every")])
def test_a_treatment_that_is_never_seen_is_said_and_no_lambda_is_praised(propensity: float, word: str) -> None:
    config = with_scenario(tiny_config(), propensity=propensity)
    result = made_up_result(config)
    (said,) = cautions_of(result)
    assert f"{word} training row is treated" in said
    assert "scenario.propensity" in said
    assert "least effect error" not in run_table(result, cached=False)


def test_one_environment_alone_has_nothing_to_compare() -> None:
    config = with_scenario(tiny_config(), propensity=0.5)
    alone = replace(config, scenario=config.scenario.with_envs(1))
    assert "nothing to compare" in cautions_before(alone)[0]
    assert cautions_before(replace(alone, training=replace(alone.training, align="treatment"))) == ()


def test_the_command_line_warns_on_standard_error_and_ends_with_0(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CRL_CACHE", str(tmp_path))
    words = "train --preset hospital --lam 0 1 --epochs 1 --replicates 1 --device cpu --no-cache"
    small = "--set scenario.n_samples=400 --set scenario.propensity=1"
    assert main([*words.split(), *small.split()]) == 0
    out, err = capsys.readouterr()
    assert "warning: One treatment is never seen" in err
    assert "no effect can be learnt" in err
    assert "warning" not in out
    assert "least effect error" not in out


@given(
    n_samples=st.integers(100, 1000),
    propensity=st.lists(st.sampled_from([0.0, 0.02, 0.3, 0.98, 1.0]), min_size=2, max_size=4),
)
def test_rows_that_need_not_be_drawn_hold_both_treatments(n_samples: int, propensity: list[float]) -> None:
    world = Scenario(n_samples=n_samples, sigma=(1.0,) * len(propensity), propensity=tuple(propensity))
    config = altered(tiny_config(), scenario=world)
    if cautions._both_expected(config):
        assert 0 < np.mean(data_of(config)[0].t) < 1
    elif set(propensity) <= {0.0} or set(propensity) <= {1.0}:
        assert any("never seen" in text for text in cautions_before(config))
