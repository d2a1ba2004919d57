"""What the lecture offers in full screen, where the sidebar cannot be reached: presets, scenes, and Train."""

from __future__ import annotations

from typing import Any

from crl_core.config.presets import PRESETS
from crl_core.lecture.story import texts
from pages.shared import job_panel, sidebar
from pages.shared.asked import Controls


def stage_of(asked: Controls) -> dict[str, Any] | None:
    """Presets by title, the scenes, and what training costs where the settings are not trained; None beside a table."""
    config = asked.config
    if config is None or config.table is not None:
        return None
    state = job_panel.state_of(config.key)
    rests = not state.active and state.phase not in ("finished", "completed")
    return {
        "preset": asked.preset.id,
        "presets": [{"id": name, "title": preset.title} for name, preset in PRESETS.items()],
        "scenes": [{"preset": name, "title": PRESETS[name].title} for name in texts()["scenes"]],
        "cost": job_panel.cost_line(config) if rests else "",
    }


def choose(preset_id: str) -> None:
    """Another preset, as the sidebar would choose it. A callback."""
    if preset_id in PRESETS:
        sidebar.choose_preset(preset_id)


def train() -> None:
    """Train what the sidebar asks for. A callback."""
    asked = sidebar.controls()
    if asked.config is not None:
        job_panel.train(asked.config, asked.lam)
