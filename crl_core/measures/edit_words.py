"""What an edit of the recording shows, in sentences: what moved, why nothing could, and what mends the machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from crl_core.config import Scenario
from crl_core.data.observations import OBSERVATIONS
from crl_core.measures.edits import EDITS, OF_IMAGES, Edit

_HUM, _MACHINE = EDITS
BRIEF: Mapping[Edit, str] = {_HUM: _HUM, _MACHINE: "other machine"}  # where there is little room
# What is seen, by what, of what.
_WORDS = {"ecg": ("trace", "recorder", "Hearts"), "digits": ("image", "lamp", "Digits")}


def limits_said(scenario: Scenario) -> str:
    """What an edit shows, and what it does not."""
    each, machine, what = _WORDS[scenario.observation]
    return (
        f"{what}, treatments and outcomes are the same, and so is every random draw; only the {machine} is another "
        "one. So what moves, the network takes from the machine. That does not say which of the two answers is right, "
        f"nor that a network which is not moved is right: one that gives every {each} the same answer is moved by "
        "nothing."
    )


def first_edit(scenario: Scenario) -> Edit:
    """The edit to show first: the other machine where machines differ, else the hum; the lamp turned over."""
    if scenario.observation == "digits":
        return OF_IMAGES[-1]
    return _HUM if idle_said(scenario, _MACHINE) else _MACHINE


def idle_said(scenario: Scenario, edit: Edit) -> str:
    """Why an edit can move nothing here; empty where it can."""
    if edit in OF_IMAGES:
        return "" if scenario.light > 0 else "There is no lamp in this world, so nothing can move."
    if edit == _HUM:
        return "" if scenario.hum_mv > 0 else "There is no hum in this world, so nothing can move."
    of_place = OBSERVATIONS[scenario.observation].of_place
    alike = all(len(set(getattr(scenario, name))) == 1 for name in of_place)
    return "The machines of all hospitals are alike, so nothing can move." if alike else ""


def moved_said(sizes: np.ndarray, lams: Sequence[float], lam: float, edit: Edit, *, label: bool) -> str:
    """How far the answers move at the first λ and at the λ in view, medians over replicates.

    sizes: `Moved.size` of some replicates, [R, L].
    """
    what = f"{edit[0].upper()}{edit[1:]}"
    at = list(lams).index(lam)
    middle = [float(np.median(known)) if len(known := column[np.isfinite(column)]) else np.nan for column in sizes.T]
    if not np.isfinite(middle[at]):
        return f"There is no usable model at λ = {lam:g}, so nothing is said of it."

    def said(place: int) -> str:
        return f"{100 * middle[place]:.1f} %" if label else f"{middle[place]:.2f}"

    first = f"{said(0)} at λ = {lams[0]:g} and " if at and np.isfinite(middle[0]) else ""
    if label:
        return f"{what}, the share of labels that flip is {first}{said(at)} at λ = {lam:g}, in view."
    return f"{what}, the effects move by {first}{said(at)} at λ = {lam:g}, in view (root mean square)."


def mended_said(scenario: Scenario, edit: Edit) -> str:
    """What somebody who knows the machine would do instead of aligning; empty where nothing so simple helps."""
    if edit in OF_IMAGES:
        centred = "take from every image its own mean brightness"
        return (
            f"If you know the lamp, mend the image: {centred} before any training, at λ = 0." if scenario.light else ""
        )
    if edit == _HUM:
        unfiltered = scenario.hum_mv > 0 and min(scenario.notch) < 1
        ways = [f"a notch at {scenario.hum_hz:g} Hz in every hospital takes the hum out"] if unfiltered else []
    else:
        ways = [way for name, way in _ways(scenario).items() if len(set(getattr(scenario, name))) > 1]
    if not ways:
        return ""
    lost = " What the amplifier's saturation took away does not come back." if scenario.saturation else ""
    return f"If you know the machine, mend the machine: {', and '.join(ways)} before any training, at λ = 0.{lost}"


def _ways(scenario: Scenario) -> dict[str, str]:
    return {
        "highpass": f"send every trace through the high-pass of {max(scenario.highpass):g} Hz as well",
        "gain": "divide every trace by its own spread",
        "notch": f"give every trace the deepest notch at {scenario.hum_hz:g} Hz",
    }
