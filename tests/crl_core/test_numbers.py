"""Numbers as people write them: understood where they say one thing, refused with both readings where they say two."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crl_core.cli.output import path_given
from crl_core.cli.program import _parser, main
from crl_core.config.numbers import NotANumber, number
from crl_core.config.text import read, written
from crl_core.identify.latent_worlds import read_table


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


def test_in_a_setting_of_several_numbers_a_comma_stands_between_two_and_other_marks_are_understood() -> None:
    assert read("training.lams=0,1,10") == ("training", "lams", [0, 1, 10])
    assert read("scenario.offset=\u22122,2") == ("scenario", "offset", [-2, 2])
    assert read("scenario.propensity=20%") == ("scenario", "propensity", 0.2)


@pytest.mark.parametrize("name", ["scenario.noise", "training.bandwidth", "training.learning_rate"])
def test_in_a_setting_of_one_number_a_comma_is_refused_with_both_readings(name: str) -> None:
    with pytest.raises(ValueError, match=r"“0,2” can be read as 0\.2 or as 0 and 2; write 0\.2"):
        read(f"{name}=0,2")


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


# -- every option of every command -------------------------------------------------------------------------------------


def _options(parser: argparse.ArgumentParser, name: str = "") -> Iterator[tuple[str, argparse.Action]]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for word, below in action.choices.items():
                yield from _options(below, f"{name} {word}".strip())
        else:
            yield name, action


OPTIONS = [(name, action) for name, action in _options(_parser())]
NUMERIC = {  # command, option: is it the option that says it must be whole? Of `train` the config does.
    "train --lam": False,
    "train --epochs": False,
    "train --seed": False,
    "train --replicates": False,
    "train --envs": False,
    "train --sigma": False,
    "presets --seeds": True,
    "presets --first-seed": True,
    "claims --seeds": True,
    "claims --first-seed": True,
    "environments --seeds": True,
    "environments --first-seed": True,
    "unseen --seeds": True,
    "unseen --first-seed": True,
    "unseen --draws": True,
    "unit-tests --seeds": True,
    "unit-tests --first-seed": True,
    "penalties --lam": False,
    "penalties --seeds": True,
    "penalties --first-seed": True,
    "penalties --epochs": True,
    "penalties --shared": True,
    "penalties --gap": False,
    "penalties --rare": False,
    "identify --seeds": True,
    "identify --first-seed": True,
    "identify --dim-x": True,
    "identify --redraws": True,
    "table --group-environments": True,
    "table --lam": False,
    "table --replicates": False,
    "table --steps": False,
    "table --seed": False,
    "table --planted": False,
    "export --lam": False,
    "export --replicate": True,
    "serve --port": True,
    "serve --max-rows": True,
    "serve --timeout": False,
    **dict.fromkeys(
        (
            f"{command} --workers"
            for command in ("claims", "environments", "penalties", "unseen", "study plan", "study run")
        ),
        True,
    ),
    "study run --retries": True,
}
READ = {
    f"{name} {action.option_strings[0]}": action.type
    for name, action in OPTIONS
    if action.option_strings and action.type not in (None, path_given)
}


def test_every_option_that_takes_a_number_is_tried_here_and_reads_it_by_the_one_function() -> None:
    assert set(READ) == set(NUMERIC)
    assert not [name for name, action in OPTIONS if action.type in (int, float)]
    assert not [
        name
        for name, action in OPTIONS
        if isinstance(action.default, (int, float)) and action.type is None and action.nargs != 0
    ]


def _said(command: str, text: str) -> float | str:
    """The number that an option reads, or the sentence of its refusal."""
    try:
        return READ[command](text)  # type: ignore[operator,return-value]
    except argparse.ArgumentTypeError as error:
        return str(error)


@pytest.mark.parametrize("command", NUMERIC)
def test_an_option_understands_a_number_as_people_write_it_and_never_reads_another(command: str) -> None:
    whole = NUMERIC[command]
    several = command.endswith(("--lam", "--sigma")) and "export" not in command
    for text in ("7", " 7 ", "+7", "7.0", "7e0", "\uff17"):
        assert _said(command, text) == 7
    for text in ("12e0", "1.2e1", "\uff11\uff12", "12\u2009", "\u202f12"):
        assert _said(command, text) == 12
    if "seeds" not in command.split("--")[1]:  # at most 20 of them
        for space in " \u00a0\u2007\u2009\u202f'\u2019":
            assert _said(command, f"2{space}000") == 2000
    for text in ("1,000", "2,500", "1\uff0c000"):
        assert "can be read as" in str(_said(command, text)), text
    assert "as 1 or as 1000" in str(_said(command, "1.000"))
    for text in ("30 %", "30%", "30\u202f%", "0,5 %"):
        assert "can be read as" in str(_said(command, text)), text
    for text in ("", "much", "1 2", "1_000", "5 apples", "--1", "0x10", "nan%"):
        assert isinstance(_said(command, text), str), text
    if whole:
        assert "whole number" in str(_said(command, "0,2"))
        assert "whole number" in str(_said(command, "2.5"))
    elif several:
        assert "0.2 or as 0 2" in str(_said(command, "0,2"))
    else:
        for text in ("0,2", ",2", ".2", "0.2", "2e-1", "\uff10\uff0e\uff12", "0\uff0c2"):
            assert _said(command, text) == 0.2
    if "seeds" not in command.split("--")[1]:
        for sign in "-\u2212\u2013\uff0d":
            assert str(_said(command, f"{sign}3")).removeprefix("first seed is ").split(";")[0] == "-3"


@pytest.mark.parametrize(
    ("command", "text", "value"),
    [
        ("train --epochs", "5 epochs", 5),
        ("train --replicates", "3\u00a0replicates", 3),
        ("train --sigma", "0.2 σ", 0.2),
        ("train --sigma", "0.2σ", 0.2),
        ("train --lam", "10 λ", 10),
        ("train --envs", "3 environments", 3),
        ("penalties --seeds", "5 seeds", 5),
        ("penalties --shared", "32 units", 32),
        ("claims --seeds", "5 seeds", 5),
        ("serve --timeout", "2,5 s", 2.5),
        ("serve --timeout", "10 seconds", 10),
        ("serve --max-rows", "1 000 rows", 1000),
        ("export --lam", "0,1", 0.1),
    ],
)
def test_an_option_understands_its_own_unit(command: str, text: str, value: float) -> None:
    assert _said(command, text) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1,000,000", 1_000_000),
        ("1.000.000", 1_000_000),
        ("1,234.5", 1234.5),
        ("1.234,5", 1234.5),
        ("10'000", 10_000),
        ("1\u202f234,5", 1234.5),
    ],
)
def test_two_marks_or_one_twice_say_which_of_them_groups(text: str, value: float) -> None:
    assert number(text) == value


@pytest.mark.parametrize("text", ["1,000", "2.5,1,000 1,1,1", "10,050"])
def test_a_list_never_holds_half_of_a_number(text: str) -> None:
    with pytest.raises(ValueError, match="can be read as"):
        read_table(text, "scales")
