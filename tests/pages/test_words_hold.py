"""What pages say in words holds for worlds and runs that are unlike the presets: changed, alone, or all broken."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from crl_core import train
from crl_core.config.presets import PRESETS
from crl_core.events import COLLAPSED
from crl_core.runs.store import RunStore
from pages.shared import fields
from tests.pages.conftest import Open, Tiny, words


@pytest.mark.parametrize("page", ["train", "effects", "scenario"])
def test_a_changed_world_is_not_described_as_the_preset(open_app: Open, page: str) -> None:
    hospital = PRESETS["hospital"]
    home = words(open_app(page, samples="400"))
    assert "You changed this world" not in home
    changed = words(open_app(page, samples="400", propensity2="1.0"))
    assert f"You changed this world. As it came: {hospital.sentence}" in changed
    assert hospital.look_for not in changed


@pytest.mark.parametrize("page", ["path", "effects"])
def test_where_no_model_is_usable_none_is_chosen_and_none_is_called_unharmed(
    open_app: Open, store: RunStore, tiny: Tiny, page: str
) -> None:
    store.save(replace(tiny.result, status=np.full_like(tiny.result.status, COLLAPSED)))
    app = open_app(page, **tiny.params)
    assert not app.exception
    text = words(app)
    assert "are unharmed" not in text
    assert "With the truth one would choose" not in text
    said = {"path": "No λ of this run left a usable model", "effects": "no other λ of it is usable"}
    assert said[page] in text


@pytest.mark.parametrize("page", ["train", "latent", "path"])
def test_one_environment_alone_has_no_mmd(open_app: Open, store: RunStore, page: str) -> None:
    params = {"envs": 1, "epochs": 1, "samples": 200, "replicates": 1, "set": "training.lams=0,1"}
    store.save(train(fields.build("hospital", params)))
    app = open_app(page, **{name: str(value) for name, value in params.items()})
    assert not app.exception
    text = words(app)
    assert "<b>0.000</b><span>MMD²" not in text
    assert "the kernel still sees" not in text
