"""The page of unseen environments: every intervention on any stored run, alarms and truth, the table, the
certificate."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import numpy as np
import pytest

from crl_core.config import RECIPE_VERSION
from crl_core.data.interventions import INTERVENTIONS
from crl_core.events import DIVERGED
from crl_core.runs.store import RunStore
from crl_core.studies.detection_rates import Power, Rate, name_of
from tests.pages.conftest import Open, Tiny, words


def plots(app) -> int:  # type: ignore[no-untyped-def]
    return len(app.get("plotly_chart"))


def pick(app, label: str):  # type: ignore[no-untyped-def]
    kinds = (*app.selectbox, *app.slider, *app.button, *app.get("button_group"))
    return next(item for item in kinds if item.label == label)


def test_without_a_run_the_page_offers_to_train(open_app: Open, tiny: Tiny) -> None:
    app = open_app("unseen", **tiny.params)
    assert not app.exception
    assert "not been trained yet" in words(app)


def test_every_intervention_is_shown_with_its_gauges_and_the_truth(open_app: Open, tiny: Tiny, store: RunStore) -> None:
    store.save(tiny.result)
    app = open_app("unseen", **tiny.params)
    for name in INTERVENTIONS:
        pick(app, "What changes").set_value(name).run()
        assert not app.exception, name
        shown = words(app)
        assert shown.count('class="crl-gauge"') == 4, name
        assert any(
            quadrant in shown
            for quadrant in ("Alarm and wrong", "Alarm but right", "Silent and right", "Silent and wrong")
        )
        assert plots(app) == (2 if name == "none" else 4), name
    assert "Only the simulation knows" in shown


def test_a_dose_moves_the_findings(open_app: Open, tiny: Tiny, store: RunStore) -> None:
    store.save(tiny.result)
    app = open_app("unseen", **tiny.params)
    pick(app, "What changes").set_value("z-shift").run()
    pick(app, "Added to z").set_value(0.0).run()
    calm = words(app)
    pick(app, "Added to z").set_value(5.0).run()
    assert not app.exception
    assert "ALARM" in words(app)
    assert words(app) != calm


def test_a_certificate_can_be_taken_home(open_app: Open, tiny: Tiny, store: RunStore) -> None:
    store.save(tiny.result)
    app = open_app("unseen", **tiny.params)
    labels = {item.proto.label for item in app.get("download_button")}
    assert {"Certificate, HTML", "Markdown"} <= labels


def test_a_diverged_model_is_not_deployed(open_app: Open, tiny: Tiny, store: RunStore) -> None:
    status = tiny.result.status.copy()
    status[tiny.result.model(1.0)] = DIVERGED
    weights = {name: value.copy() for name, value in tiny.result.weights.items()}
    for value in weights.values():
        value[tiny.result.model(1.0)] = np.nan
    store.save(replace(tiny.result, status=status, weights=weights))
    app = open_app("unseen", **tiny.params, lam="1")
    assert not app.exception
    assert "There is no model to deploy" in words(app)


@pytest.fixture
def shipped(store: RunStore) -> Power:
    rows = tuple(
        Rate(
            intervention=what,
            dose=dose,
            seen=what == "none",
            n=200,
            lam=1.0,
            test=test,
            rejection_rate=rate,
            draws=100,
            by_seed=(rate,),
            errors_by_seed=(error,),
            unchanged_by_seed=(0.05,),
        )
        for what, dose, rate, error in (("none", 0.0, 0.04, 0.05), ("effect-untreated", 1.0, 0.03, 1.0))
        for test in ("pooled", "nearest", "residuals", "classifier")
    )
    power = Power(preset_id="hospital", seeds=5, rows=rows, dose_correlation={"1": (0.9,)})
    store.baked.mkdir(parents=True)
    (store.baked / "unseen.json").write_text(json.dumps(power.to_dict()))
    return power


def test_the_power_table_that_comes_along_is_drawn(open_app: Open, tiny: Tiny, store: RunStore, shipped: Power) -> None:
    store.save(tiny.result)
    app = open_app("unseen", **tiny.params)
    assert not app.exception
    assert plots(app) == 4
    table = next(part.value for part in app.get("html") if 'class="crl-rates"' in part.value)
    names, cells = re.findall(r'<th scope="row">(.*?)</th>', table), re.findall(r'class="rate ([^"]*)"', table)
    assert names == [name_of("none", 0.0), name_of("effect-untreated", 1.0)]
    assert [kinds.strip() for kinds in cells] == [""] * 4 + [
        "silent"
    ] * 4  # framed: no test sees that effects are wrong
    assert "1.000 wrong" in table
    assert "0.04 of batches alarm; true effect error 0.050" in table
    assert "Measured before the program was shipped" in words(app)
    assert not [button for button in app.button if button.label == "Measure it for this world"]


def test_a_world_without_a_table_offers_to_measure_it(open_app: Open, tiny: Tiny, store: RunStore) -> None:
    store.save(tiny.result)
    app = open_app("unseen", **tiny.params)
    assert [button for button in app.button if button.label == "Measure it for this world"]


def test_a_table_of_another_recipe_is_refused_in_a_sentence(
    open_app: Open, tiny: Tiny, store: RunStore, shipped: Power
) -> None:
    store.save(tiny.result)
    content = shipped.to_dict() | {"recipe_version": RECIPE_VERSION + 1}
    (store.baked / "unseen.json").write_text(json.dumps(content))
    app = open_app("unseen", **tiny.params)
    assert not app.exception
    assert "another version of the recipe" in app.error[0].value
