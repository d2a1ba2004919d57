"""The lecture while its run trains: what was seen of the models is drawn, of every kind of rows."""

from __future__ import annotations

import json

import numpy as np
import pytest

from crl_core import RunConfig, preset
from crl_core.config.text import altered
from crl_core.figures import palette
from crl_core.lecture.naming import Naming
from crl_core.lecture.packed_arrays import unpack
from crl_core.lecture.training_frames import training_frames
from crl_core.measures.so_far import SoFar, so_far
from crl_core.measures.view_samples import N_UNITS, PLANE_SIZE, ViewSampler
from crl_core.training.path import train_path
from tests import tables

PALETTES = {name: palette(name) for name in ("dark", "light", "projector")}
LAMS = (0.0, 1.0)


def small(name: str) -> RunConfig:
    return altered(preset(name), n_samples=1200, epochs=2, replicates=1, lams=LAMS)


def seen_of(config: RunConfig) -> SoFar:
    return so_far(train_path(config, watch=ViewSampler(config)))


def frames_of(config: RunConfig, seen: SoFar) -> dict:
    found = training_frames(config, seen, naming=Naming(title="w"), palettes=PALETTES, progress=(0.5, "half"))
    return json.loads(json.dumps(found, allow_nan=False))


@pytest.mark.parametrize("name", ["hospital", "filter"])
def test_latents_effects_and_map_are_those_last_seen(name: str) -> None:
    config = small(name)
    seen = seen_of(config)
    data, views = frames_of(config, seen), seen.views
    assert views is not None
    assert (data["state"], data["epoch"], data["n"]) == ("training", 2, N_UNITS)
    assert data["progress"] == {"share": 0.5, "words": "half"}
    np.testing.assert_allclose(unpack(data["arrays"]["xy"]), views.xy, atol=1e-3)
    spec = data["scatter"]
    np.testing.assert_allclose(
        unpack(data["arrays"]["ite_hat"]), np.clip(views.effects, spec["low"], spec["high"]), atol=1e-3
    )
    assert data["map"]["size"] == PLANE_SIZE
    assert unpack(data["arrays"]["map"]).shape == (2, PLANE_SIZE, PLANE_SIZE)
    assert unpack(data["arrays"]["plane"]).shape == (N_UNITS, 2)
    assert "200 held-out" in data["captions"]["latent"]["caption"]
    assert "waits" not in data["captions"]["map"]


@pytest.mark.parametrize(
    ("name", "waits"), [("hum-label", "the trace and its edits come after training"), ("lamp", "no map of these data")]
)
def test_of_a_label_what_is_said_of_each_row_is_drawn_and_that_there_is_no_map_is_said(name: str, waits: str) -> None:
    config = small(name)
    data = frames_of(config, seen_of(config))
    said = unpack(data["arrays"]["ite_hat"])
    assert said.min() >= 0
    assert said.max() <= 1
    assert data["map"] is None
    assert data["captions"]["map"]["waits"] == waits


def test_of_a_table_whose_effects_nobody_knows_latents_and_estimates_are_drawn() -> None:
    config = tables.config_of("blind")
    with tables.tables_can_be_read():
        data = frames_of(config, seen_of(config))
    assert data["map"] is None
    assert data["scatter"]["by_env"]
    assert "ite" not in data["arrays"]
    assert np.isfinite(unpack(data["arrays"]["xy"])).all()
    assert data["captions"]["map"]["title"] == "Average effect along λ"


def test_before_anything_was_seen_the_panels_say_when_they_will_be_there() -> None:
    data = frames_of(small("hospital"), SoFar())
    assert (data["n"], data["scatter"], data["map"]) == (0, None, None)
    assert data["captions"]["map"]["waits"] == data["captions"]["effect"]["caption"] == "appears with the first epoch"
