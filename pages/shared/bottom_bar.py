"""λ, preset, Train and the way to all else, at the lower edge of a phone; its style sheet hides it elsewhere."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from crl_core.config.presets import PRESETS
from pages.shared import job_panel, locks, sidebar
from pages.shared.asked import Controls
from pages.shared.component import component, said
from pages.shared.fields import lam_text

KEY = "bottom_bar"
_HTML, _JS, _CSS = (
    Path(__file__).with_name(f"{KEY}.{kind}").read_text(encoding="utf-8") for kind in ("html", "js", "css")
)


def draw(controls: Controls) -> None:
    """Draw the bar of a page of one run. It does what the sidebar's controls do, by the same callbacks."""
    config = controls.config
    lams = (config or controls.preset.config).training.lams
    word, act = ("Train", None) if config is None else job_panel.next_step(config, controls.lam, sidebar.show)

    def move() -> None:
        at = said(KEY).get("lam")
        if at is not None and at < len(lams):
            sidebar.move_lam(lams[at])

    def choose() -> None:
        if (preset := said(KEY).get("preset")) in PRESETS:
            sidebar.choose_preset(preset)

    def train() -> None:
        if act is not None and said(KEY).get("train"):
            act()
            if refusal := st.session_state.get("job.refusal"):
                st.toast(refusal)  # the sidebar, which says it too, is closed on a phone

    own_table = config is not None and config.table is not None
    component(KEY, _HTML, _JS, _CSS)(
        key=KEY,
        data={
            "lams": [lam_text(lam) for lam in lams],
            "at": min(range(len(lams)), key=lambda at: abs(lams[at] - controls.lam)),
            "presets": {id: preset.title for id, preset in PRESETS.items()},
            "preset": "" if own_table else controls.preset.id,
            "train": word,
            "can_train": act is not None and not locks.locked("train"),
        },
        on_lam_change=move,
        on_preset_change=choose,
        on_train_change=train,
        height="content",
    )
