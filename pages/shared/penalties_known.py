"""Where the numbers of a contest come from, or that there are none yet."""

from __future__ import annotations

from crl_core.config.presets import Preset
from crl_core.studies.penalties import Contest, ContestSetting, baked_contests, command_of
from pages.shared import quiet, server_cache, style


def not_tried(preset: Preset, setting: ContestSetting) -> None:
    """What a click would do, and what has been measured of this preset."""
    known = [
        item.setting.words
        for item in baked_contests(server_cache.store().baked)
        if item.setting.preset == setting.preset
    ]
    style.notice(
        "This world has not been tried yet",
        "One click trains every penalty along its own λ path, for five replicates; what is done stays stored.",
        f"Measured already for {preset.title}: {'; '.join(known)}." if known else "",
    )


def provenance(contest: Contest, where: str, setting: ContestSetting) -> None:
    """Where the numbers come from, and the command that makes them again."""
    said = contest.setting
    if said.seed_words != setting.seed_words:
        where += f" Here it takes {setting.seed_words}."
    quiet(
        f"{where} {said.words[:1].upper()}{said.words[1:]}; {said.seed_words}, {said.epochs} epochs. {command_of(said)}"
    )
