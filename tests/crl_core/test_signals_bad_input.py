"""What cannot be recorded, or cannot be told, is one clear sentence: on the command line, and in the sidebar."""

from __future__ import annotations

import pytest

from crl_core import RunConfig, preset
from crl_core.cli.program import main
from crl_core.config.text import altered
from crl_core.measures.cautions import cautions_before
from crl_core.results import data_of
from pages.shared import fields

REFUSED = [
    ("scenario.samples=64", "64 samples at 160 a second are 0.40 s, less than a beat of 0.8 s; raise scenario.samples"),
    ("scenario.rate=500", "128 samples at 500 a second are 0.26 s, less than a beat of 0.8 s"),
    ("scenario.samples=16", "samples must be a whole number from 64 to 256"),
    ("scenario.rate=fast", "rate is 'fast'; rate must be a number from 100 to 500"),
    ("scenario.rate=nan", "rate must be a number from 100 to 500"),
    ("scenario.rate=inf", "rate must be a number from 100 to 500"),
    ("scenario.rate=0", "rate is 0; rate must be a number from 100 to 500"),
    ("scenario.highpass=0.01,0.5", "highpass is (0.01, 0.5); it must be 0 for none, or 0.05 or more"),
    ("scenario.highpass=-1", "highpass is -1; highpass must be a number from 0 to 1"),
    ("scenario.notch=2", "notch must be a number from 0 to 1"),
    ("scenario.hum_hz=0", "hum_hz must be a number from 50 to 60"),
    ("scenario.prevalence=1", "prevalence must be a number from 0.005 to 0.995"),
    ("scenario.prevalence=0,1", "prevalence must be a number from 0.005 to 0.995"),
]


@pytest.mark.parametrize(("setting", "says"), REFUSED)
def test_a_machine_that_cannot_be_is_refused_in_one_line(
    setting: str, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", "--preset", "hum-label", "--no-cache", "--set", setting]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert says in captured.err


@pytest.mark.parametrize(("setting", "says"), REFUSED)
def test_the_sidebar_refuses_it_in_the_same_words(setting: str, says: str) -> None:
    with pytest.raises(ValueError, match=r"\.$") as refused:
        fields.build("hum-label", {"set": setting})
    assert says in str(refused.value)


def label(**values: object) -> RunConfig:
    return altered(preset("hum-label"), **values)


def test_a_filter_of_zero_hertz_is_none_and_trains_without_a_word() -> None:
    config = label(highpass=(0.0, 0.0), n_samples=200)
    assert cautions_before(config) == ()
    assert float(data_of(config)[0].x.mean()) > 0.02  # a high-pass would take the mean away


@pytest.mark.parametrize(
    ("rate", "says"),
    [
        (100.0, "exactly half of the 100 samples a second, so its phase decides how much of it a trace shows"),
        (110.0, ""),
    ],
)
def test_a_hum_at_half_the_rate_is_said_and_below_it_is_not(rate: float, says: str) -> None:
    found = cautions_before(label(rate=rate, hum_hz=50.0))
    assert (says in found[0]) if says else found == ()


def test_a_hum_above_half_the_rate_is_said_with_where_it_is_folded_to() -> None:
    (said,) = cautions_before(label(rate=110.0, hum_hz=60.0))
    assert "above half of the 110 samples a second, so it stands in the traces at 50 Hz" in said
    assert "Raise scenario.rate above 120" in said


@pytest.mark.parametrize(("share", "every"), [(0.005, "no"), (0.995, "every")])
def test_hospitals_with_one_label_are_said(share: float, every: str) -> None:
    config = label(prevalence=share, n_samples=100, seed=3, replicates=1)
    train, _ = data_of(config)
    assert len({*train.y.tolist()}) == 1  # the premise
    (said,) = cautions_before(config)
    assert f"One label is never seen: {every} training row has the label" in said
    assert "scenario.prevalence" in said


def test_held_out_rows_of_one_label_are_said() -> None:
    for seed in range(40):
        config = label(prevalence=0.01, n_samples=100, seed=seed, replicates=1)
        train, held_out = (set(rows.y.tolist()) for rows in data_of(config))
        said = cautions_before(config)
        if len(train) == 2 and len(held_out) == 1:
            assert "no held-out row has the label" in said[0]
            assert "AUC is not defined" in said[0]
            break
    else:
        pytest.fail("no seed has such rows")
    assert cautions_before(label()) == ()


def test_how_many_replicates_lack_a_label_is_counted() -> None:
    config = label(prevalence=0.01, n_samples=100, replicates=4)
    lacking = sum(len(set(data_of(config, replicate)[0].y.tolist())) == 1 for replicate in range(4))
    assert 0 < lacking < 4
    assert f"of {lacking} of 4 replicates has the label" in cautions_before(config)[0]
