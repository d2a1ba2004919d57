"""Numbers as people write them: understood where they say one thing, refused with both readings where they say two."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crl_core.cli.program import main
from crl_core.config.numbers import NotANumber, number
from crl_core.config.text import read, written


@given(st.integers(-(10**12), 10**12) | st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_as_the_program_writes_it_is_read_as_itself(value: float) -> None:
    assert number(written(value)) == value
    assert number(written(value).replace("-", "\u2212")) == value


@pytest.mark.parametrize(
    ("text", "field", "value"),
    [
        ("0,2", "noise", 0.2),
        (",5", "noise", 0.5),
        ("0,25", "noise", 0.25),
        ("0,200", "noise", 0.2),
        ("\u22120.5", "interaction", -0.5),
        ("10\u202f000", "n_samples", 10000),
        ("10\u00a0000", "n_samples", 10000),
        ("10 000", "n_samples", 10000),
        ("20%", "propensity", 0.2),
        ("20 %", "propensity", 0.2),
        ("12,5\u202f%", "propensity", 0.125),
        ("50 epochs", "epochs", 50),
        (" 7 ", "seed", 7),
        ("1e-3", "learning_rate", 1e-3),
    ],
)
def test_what_says_one_number_is_understood(text: str, field: str, value: float) -> None:
    assert number(text, field) == value


@pytest.mark.parametrize(
    ("text", "field", "one", "other"),
    [
        ("1,000", "noise", "1.000", "1000"),
        ("1.000", "epochs", "1", "1000"),
        ("10.000", "n_samples", "10", "10000"),
        ("20%", "noise", "0.2", "20"),
    ],
)
def test_what_says_two_numbers_is_refused_with_both(text: str, field: str, one: str, other: str) -> None:
    with pytest.raises(ValueError, match="can be read as") as caught:
        number(text, field)
    assert f"as {one} or as {other}" in str(caught.value)


@pytest.mark.parametrize("text", ["", "much", "1,2,3", "1 2", "1_000", "5 apples", "--1"])
def test_what_says_no_number_is_none(text: str) -> None:
    with pytest.raises(NotANumber):
        number(text, "noise")


def test_in_a_setting_a_comma_stands_between_two_numbers_and_other_marks_are_understood() -> None:
    assert read("scenario.noise=0,2") == ("scenario", "noise", [0, 2])  # refused by the config, never another number
    assert read("training.lams=0,1,10") == ("training", "lams", [0, 1, 10])
    assert read("scenario.offset=\u22122,2") == ("scenario", "offset", [-2, 2])
    assert read("scenario.propensity=20%") == ("scenario", "propensity", 0.2)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("--lam 0 0,1", "0.1 or as 0 1"),
        ("--sigma 0,1 0,5", "0.1 or as 0 1"),
        ("--epochs 1.000", "as 1 or as 1000"),
        ("--set scenario.n_samples=10.000", "as 10 or as 10000"),
    ],
)
def test_the_command_line_names_both_readings_in_one_line(
    arguments: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        status = main(["train", *arguments.split()])
    except SystemExit as stop:
        status = int(str(stop.code))
    said = capsys.readouterr().err
    assert status == 2
    assert words in said
    assert said.count("\n") == 1
