"""What the sidebar holds in a run of the script: the config that is asked for, and how its world is called."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from crl_core.config import RunConfig
from crl_core.config.presets import Preset
from crl_core.config.settings import title_of
from crl_core.config.text import TRAINING, differing
from crl_core.lecture.handout import naming_of
from crl_core.lecture.naming import Naming
from pages.shared import style
from pages.shared.fields import Value


@dataclass(frozen=True, slots=True, kw_only=True)
class Controls:
    """The sidebar's values. `config` is None where it cannot be trained; `problem` is then the sentence why."""

    preset: Preset
    values: Mapping[str, Value]
    config: RunConfig | None
    problem: str | None
    lam: float

    @property
    def changed(self) -> bool:
        """Whether this world differs from the preset's, so that the preset's words may be wrong about it."""
        if self.config is None:
            return False
        names = differing([self.preset.config, self.config])
        return bool(set(names) - (TRAINING - {"align", "penalty", "encoder"}) - {"n_samples"})

    @property
    def naming(self) -> Naming:
        """How it is called: as the preset, or as its table."""
        if self.config is None:
            return Naming.of(self.preset)
        if self.config.table is not None:
            return naming_of(self.config)
        return replace(Naming.of(self.preset), title=title_of(self.config))

    @property
    def sentence(self) -> str:
        """What this world is."""
        if self.config is not None and self.config.table is not None:
            table = self.config.table
            return f"{table.n_rows:,} rows of {style.count(table.n_envs, 'environment')}, from a table."
        return f"You changed this world. As it came: {self.preset.sentence}" if self.changed else self.preset.sentence

    @property
    def look_for(self) -> str:
        """What there is to see, where it is known."""
        if self.config is not None and self.config.table is not None:
            return self.sentence
        if not self.changed:
            return self.preset.look_for
        return (
            "This world is changed from the preset; the Scenario page says what its numbers let one expect of a "
            "penalty."
        )

    @property
    def env_names(self) -> tuple[str, ...]:
        n_envs = self.config.source.n_envs if self.config else int(self.values["envs"])
        return self.naming.env_names(n_envs)
