"""The λ scrubber on a page: everything is sent once, dragging stays in the browser, λ comes back on release."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import streamlit as st

from crl_core.lecture.assets import script, style
from crl_core.lecture.frames import curve_before
from pages.shared import lecture_stage, sidebar
from pages.shared.component import component, said
from pages.shared.last_run import Before

KEY = "lecture.scrubber"
_AT = "lecture.at"  # λ that browser and sidebar agree on
_SENT = "lecture.sent"  # (λ, turn): where the browser was last told to go

_STYLE = """
.lecture-frame { container-type: inline-size; --tall: max(36rem, calc(100vh - 8.2rem)); }
/* A phone on its side is too low for four pictures in a row: two and two, and the page scrolls. */
@media (max-height: 480px) and (hover: none) { .lecture-frame { max-width: 50rem; } }
"""

_HTML = '<div class="lecture-frame">\n<div class="root"></div></div>'

# The page's script: keeps one scrubber for each mount, and gives it new frames when they come.
_GLUE = """
const mounted = new WeakMap(), lastSeen = new Map();

function themeOf(host) {
  const colour = getComputedStyle(host).getPropertyValue("--st-background-color").trim();
  const hex = /^#([0-9a-f]{6})/i.exec(colour), parts = hex ? rgb(colour.slice(0,
    7)) : (colour.match(/[0-9.]+/g) || [0, 0, 0]).slice(0, 3).map(Number);
  return parts[0] * 0.3 + parts[1] * 0.59 + parts[2] * 0.11 > 128 ? "light" : "dark";
}

export default function (component) {
  const { parentElement, data, setStateValue, setTriggerValue } = component;
  const host = parentElement.host || parentElement;
  const frames = { ...data.frames, lam: data.lam, lam_turn: data.turn, stage: data.stage, before: data.before };
  const stamp = data.stamp + "|" + data.turn + "|" + JSON.stringify([data.stage, data.before]);
  let it = mounted.get(parentElement);
  if (it && it.root.isConnected) {
    if (it.stamp !== stamp) { it.stamp = stamp; it.place = data.frames.key + "|" + data.turn;
      it.handle.update(frames); }
    else it.handle.restyle();
  } else {
    const root = parentElement.querySelector(".root");
    const before = lastSeen.get(data.frames.key + "|" + data.turn);
    if (before !== undefined) frames.lam = before;
    it = { root, stamp, place: data.frames.key + "|" + data.turn };
    it.handle = mountScrubber(root, frames, {
      theme: () => themeOf(host),
      settled: (lam) => { lastSeen.clear(); lastSeen.set(it.place, lam); it.setState("lam", lam); },
      train: (sigma) => it.setTrigger("train", sigma),
      choose: (preset) => it.setTrigger("preset", preset),
      go: () => it.setTrigger("go", true),
    });
    mounted.set(parentElement, it);
    if (document.activeElement === document.body) root.querySelector("[role=slider]").focus({ preventScroll: true });
  }
  it.setState = setStateValue; it.setTrigger = setTriggerValue;
  return () => { it.handle.destroy(); mounted.delete(parentElement); };
}
"""


def _follow() -> None:
    """Set sidebar and URL to the λ that was released in the browser."""
    lam = said(KEY).get("lam")
    if lam is not None:
        sidebar.move_lam(lam)
        st.session_state[_AT] = lam


def _behind(frames: Mapping[str, Any], before: Before | None) -> dict[str, Any] | None:
    """The curve of before, of what the first lane of the path shows; None where that run has no such numbers."""
    known = before.along(frames["lanes"][0]) if before is not None and frames["lanes"] else None
    return None if known is None else curve_before(*known, frames["lams"])


def scrubber(
    frames: Mapping[str, Any],
    stamp: str,
    lam: float,
    on_train: Callable[[Sequence[float]], None],
    stage: Mapping[str, Any] | None,
    before: Before | None = None,
) -> None:
    """Show the frames. `stamp` names their version: equal stamps are taken for equal frames.

    lam:      λ of the sidebar; where somebody moved it there, the handle goes to it.
    stage:    what is offered in full screen, see `lecture_stage`.
    before:   the run whose curve stays behind the main one of the path.
    on_train: called with one σ an environment when somebody wants to train for the σ they dragged to.
    """
    sent: tuple[float, int] = st.session_state.get(_SENT, (lam, 0))
    if st.session_state.get(_AT, lam) != lam:
        sent = (lam, sent[1] + 1)
    st.session_state[_SENT], st.session_state[_AT] = sent, lam

    def wish() -> None:
        sigma = said(KEY).get("train")
        if sigma:
            on_train([float(value) for value in sigma])

    def chosen() -> None:
        if preset := said(KEY).get("preset"):
            lecture_stage.choose(str(preset))

    component("lambda_scrubber", _HTML, _GLUE_AND_SCRIPT, style() + _STYLE)(
        key=KEY,
        data={
            "frames": dict(frames),
            "stamp": stamp,
            "lam": sent[0],
            "turn": sent[1],
            "stage": stage,
            "before": _behind(frames, before),
        },
        default={"lam": lam},
        on_lam_change=_follow,
        on_train_change=wish,
        on_preset_change=chosen,
        on_go_change=lecture_stage.train,
        height="content",
    )


_GLUE_AND_SCRIPT = script() + _GLUE
