"""The Environments page: the stored study, none, out of date, another world, and its reports."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from crl_core.runs.store import RunStore
from crl_core.studies.environments import BAKED, LAMS, SIZES, runs_of
from crl_core.studies.environments_report import headline
from pages.shared import server_cache
from tests.crl_core.made_up import plain_answer, wait_until
from tests.crl_core.test_ensure_runs import Cancellable
from tests.pages.conftest import Open, words

SHIPPED = Path(__file__).parents[2] / "cache" / "baked" / BAKED.file
N_FIGURES = 9


def ship(store: RunStore) -> dict[str, object]:
    store.baked.mkdir(parents=True)
    shutil.copy(SHIPPED, store.baked / BAKED.file)
    return plain_answer(SHIPPED)


def figures(app) -> int:  # type: ignore[no-untyped-def]
    return len(app.get("plotly_chart"))


def test_the_first_visit_sees_the_answer_its_figures_and_what_is_not_defined(open_app: Open, store: RunStore) -> None:
    ship(store)
    study = BAKED.read(store.baked)
    assert study is not None
    app = open_app("environments")
    assert not app.exception
    shown = words(app)
    assert headline(study) in shown
    assert f"seeds {study.first_seed} to {study.first_seed + study.seeds - 1}" in shown
    assert "These could not be left out: of 2 environments, 1 and 2" in shown
    assert "Measured before the program was shipped" in shown
    assert figures(app) == N_FIGURES
    assert "nan" not in shown.lower()


def test_a_world_that_was_not_studied_offers_one_click(open_app: Open, store: RunStore) -> None:
    ship(store)
    app = open_app("environments", preset="leaky")
    assert not app.exception
    assert "This world has not been studied yet" in words(app)
    assert figures(app) == 0
    assert [button.label for button in app.button if "study" in button.label] == ["Run the study here"]


@pytest.mark.parametrize("change", [{"recipe_version": 0}, {"series": {}}])
def test_a_stored_study_that_cannot_be_used_is_one_sentence(
    open_app: Open, store: RunStore, change: dict[str, object]
) -> None:
    content = ship(store) | change
    (store.baked / BAKED.file).write_text(json.dumps(content))
    app = open_app("environments")
    assert not app.exception
    assert app.error[0].value.startswith("The stored study ")
    assert figures(app) == 0


def test_values_that_are_not_defined_leave_a_page_without_nan(open_app: Open, store: RunStore) -> None:
    content = ship(store)
    series: dict[str, object] = content["series"]  # type: ignore[assignment]
    nothing = np.full((len(SIZES), 5, len(LAMS)), None).tolist()
    content["series"] = series | {"within.knn_mixing": nothing, "unseen.range.ite_rmse": nothing}
    (store.baked / BAKED.file).write_text(json.dumps(content))
    app = open_app("environments")
    assert not app.exception
    assert figures(app) == N_FIGURES
    assert "nan" not in words(app).lower()
    assert "not defined" in words(app)


def test_one_click_submits_the_next_runs_and_keeps_the_queue_short(open_app: Open, store: RunStore) -> None:
    ship(store)
    app = open_app("environments")
    executor = server_cache.jobs().executor = Cancellable(store, slots=1)
    next(button for button in app.button if button.label == "Run the study here").click().run()
    assert not app.exception
    wanted = [config.key for config, _ in runs_of("hospital")]
    wait_until(lambda: server_cache.jobs().state(wanted[1]).active)
    assert [job.key for job in executor.jobs] == wanted[:1]
    assert not any(server_cache.jobs().state(key).active for key in wanted[2:])
    assert f"Run 1 of {len(wanted)}" in words(app)
    server_cache.background().stop(*server_cache.background().under_way())
