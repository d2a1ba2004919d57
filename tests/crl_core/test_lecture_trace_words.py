"""What the trace panel writes and where it draws, whatever a run holds: asked of its scripts under Node."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.crl_core.lecture_axes import Axes

HUM = "without the hum"


@pytest.fixture(scope="module")
def js() -> Iterator[Axes]:
    asked = Axes(["frames", "edits", "trace"])
    yield asked
    asked.close()


def frames(
    before: float = 0.98,
    after: float = 0.03,
    *,
    label: bool = True,
    truth: float | None = 1.0,
    size: float | None = 0.512,
    status: int = 0,
    edits: int = 1,
) -> dict[str, Any]:
    """Of one model and two traces, of which the second has these answers."""
    arrays: dict[str, Any] = {
        "trace.x": {"shape": [1 + edits, 2, 3], "values": [0.0] * 6 * (1 + edits)},
        "trace.answers": {"shape": [1 + edits, 1, 2], "values": [0.5, before] + [0.5, after] * edits},
        "trace.env": {"shape": [2], "values": [0, 1]},
    }
    if truth is not None:
        arrays["trace.truth"] = {"shape": [2], "values": [0.0, truth]}
    one = {"name": HUM, "brief": HUM, "value": [size], "low": [size], "high": [size]}
    panel = {"label": label, "held_out": 800, "idle": "Nothing can move.", "edits": [one] * edits}
    return {
        "status": [status],
        "envs": ["hospital A", "hospital B"],
        "lam_labels": ["0"],
        "arrays": arrays,
        "trace": panel,
    }


def words(js: Axes, *, on: bool = False, **known: Any) -> dict[str, str]:
    said: dict[str, str] = js.ask(
        "traceWords(given.frames, { at: 1, edit: 0, on: given.on }, 0)", frames=frames(**known), on=on
    )
    return said


def test_as_recorded_the_chance_and_the_label_are_written_and_with_the_edit_both_chances(js: Axes) -> None:
    assert words(js) == {
        "answer": "0.98",
        "of": "chance of yes; the label is yes",
        "size": "51 %",
        "ofAll": "of 800 labels flip",
    }
    flipped = words(js, on=True)
    assert (flipped["answer"], flipped["of"]) == ("0.98 → 0.03", "flips: yes → no; the label is yes")
    assert words(js, on=True, after=0.6)["of"] == "stays yes; the label is yes"
    assert words(js, on=True, before=0.2, after=0.1, truth=0.0)["of"] == "stays no; the label is no"


def test_of_an_effect_it_is_written_how_far_it_moves_and_what_it_is_in_truth(js: Axes) -> None:
    known = {"label": False, "before": -1.62, "after": -0.76, "truth": 0.13, "size": 0.65}
    assert words(js, **known) == {
        "answer": "−1.62",
        "of": "effect τ̂; simulated truth 0.13",
        "size": "0.65",
        "ofAll": "RMS change of τ̂",
    }
    moved = words(js, on=True, **known)
    assert (moved["answer"], moved["of"]) == ("−1.62 → −0.76", "moves +0.86; simulated truth 0.13")
    assert words(js, on=True, **known | {"truth": None})["of"] == "moves +0.86"


def test_a_diverged_a_collapsed_and_an_unmovable_trace_are_said_in_words(js: Axes) -> None:
    lost = words(js, on=True, before=math.nan, after=math.nan, size=None, status=1)
    assert (lost["answer"], lost["size"]) == ("– → –", "–")
    assert lost["of"] == "diverged at this λ: it answers nothing; the label is yes"
    assert words(js, on=True, status=2)["of"].startswith("collapsed at this λ: the same answer to every trace")
    silent = words(js, on=True, edits=0)
    assert (silent["answer"], silent["size"], silent["ofAll"]) == ("0.98", "–", "Nothing can move.")


@pytest.mark.parametrize(
    ("share", "text"),
    [(0.0, "0 %"), (0.004, "0.4 %"), (0.0284, "2.8 %"), (0.0996, "10 %"), (0.512, "51 %"), (1.0, "100 %"), (None, "–")],
)
def test_a_small_share_keeps_a_digit_behind_the_point(js: Axes, share: float | None, text: str) -> None:
    assert words(js, size=share)["size"] == text


def test_for_an_ear_the_trace_its_hospital_and_both_numbers_are_in_one_sentence(js: Axes) -> None:
    heard = js.ask("traceHeard(given.frames, { at: 1, edit: 0, on: true }, 0)", frames=frames())
    assert heard == (
        "Trace 2 of 2, hospital B, without the hum: 0.98 to 0.03, flips: yes to no; the label is yes. "
        "51 % of labels flip without the hum"
    )
    effect = js.ask("sizeHeard(given.frames, { at: 1, edit: 0 }, 0)", frames=frames(label=False, size=0.65))
    assert effect == "effects move by 0.65 without the hum"
    assert js.ask("sizeHeard(given.frames, { at: 1, edit: 0 }, 0)", frames=frames(size=None)) == ""


ANY = st.one_of(st.floats(), st.none(), st.floats(-1e3, 1e3))


@given(
    values=st.tuples(ANY, ANY, ANY, ANY),
    label=st.booleans(),
    on=st.booleans(),
    status=st.integers(0, 2),
    edits=st.integers(0, 1),
)
def test_whatever_a_run_holds_a_missing_number_is_a_dash_and_never_a_word_of_the_machine(
    js: Axes, values: tuple[Any, ...], label: bool, on: bool, status: int, edits: int
) -> None:
    before, after, truth, size = values
    known = {"before": before, "after": after, "truth": truth, "size": size}
    said = words(js, on=on, label=label, status=status, edits=edits, **known)
    assert all(said.values())
    text = " ".join(said.values())
    assert not [word for word in ("NaN", "null", "undefined", "Infinity") if word in text]


@given(w=st.floats(60, 3000), h=st.floats(60, 2000), gap=st.floats(8, 30))
def test_the_two_pictures_never_lie_on_each_other_nor_outside(js: Axes, w: float, h: float, gap: float) -> None:
    trace, along = js.ask("traceBoxes(given.w, given.h, given.gap)", w=w, h=h, gap=gap)
    for box in (trace, along):
        assert box["left"] >= 0
        assert box["right"] <= w
        assert box["top"] >= 0
        assert box["bottom"] <= h
    assert trace["right"] <= along["left"] or trace["bottom"] <= along["top"]


@given(sizes=st.lists(ANY, min_size=1, max_size=6), label=st.booleans())
def test_the_axis_of_the_curve_holds_every_size_and_begins_at_nothing(js: Axes, sizes: list[Any], label: bool) -> None:
    sizes = [abs(v) if isinstance(v, float) else v for v in sizes]
    edit = {"value": sizes, "high": sizes}
    axis = js.ask("sizeAxis(given)", label=label, edits=[edit])
    assert axis["low"] <= 0 < axis["high"]
    if not label:
        known = [v for v in sizes if v is not None and math.isfinite(v) and v < 1e140]
        assert all(v <= axis["high"] for v in known)
