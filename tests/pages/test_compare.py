"""The Compare page: runs side by side under one λ, by a link, with what can go wrong between runs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from crl_core import preset
from crl_core.figures.palette import palette
from crl_core.measures.comparison import difference, signed
from crl_core.results import RunResult, predict, view_rows
from crl_core.runs.store import RunStore
from pages.shared.compare_runs import name_of
from tests.crl_core.made_up import made_up_result, without_truth
from tests.lecture_runs import broken
from tests.pages.conftest import Tiny, words
from tests.pages.figures import figures, numbers, rows_drawn, sound, titled, written

ROOT = Path(__file__).parents[2]


def compare(*keys: str, lam: str = "1", **params: str) -> AppTest:
    """The page as a link opens it."""
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    for name, value in (params | {"lam": lam}).items():
        app.query_params[name] = value
    if keys:
        app.query_params["runs"] = list(keys)
    return app.switch_page("pages/compare.py").run()


def press(app: AppTest, key: str) -> AppTest:
    return next(button for button in app.button if button.key == key).click().run()


def chosen(app: AppTest) -> list[str]:
    return list(app.session_state["compare.runs"])


@pytest.fixture
def one(tiny: Tiny, store: RunStore) -> RunResult:
    result = sound(tiny)
    store.save(result)
    return result


@pytest.fixture
def other(tiny: Tiny, store: RunStore) -> RunResult:
    """The same replicates with half the effect error, of a run that differs in one setting."""
    config = replace(tiny.config, training=replace(tiny.config.training, learning_rate=0.002))
    result = sound(tiny)
    result = replace(result, config=config, ite_rmse=result.ite_rmse / 2)
    store.save(result)
    return result


def test_an_empty_store_says_how_to_fill_it(store: RunStore) -> None:
    app = compare()
    assert not app.exception
    assert "Nothing is stored yet" in words(app)
    assert not figures(app)


def test_at_first_visit_the_hospitals_with_and_without_a_shift_are_a_click_away(store: RunStore) -> None:
    pair = [preset(name) for name in ("hospital", "shifted")]
    for config in pair:
        store.save(made_up_result(config))
    app = compare()
    assert "Choose two to eight runs" in words(app)
    app = press(app, "compare.pair")
    assert not app.exception
    assert chosen(app) == [config.key for config in pair]
    assert app.query_params["runs"] == [config.key for config in pair]


def test_one_run_is_offered_its_nearest_neighbour(one: RunResult, other: RunResult, store: RunStore) -> None:
    store.save(made_up_result(preset("sensors")))
    app = compare(one.config.key)
    assert "One run is chosen" in words(app)
    app = press(app, "compare.nearest")
    assert chosen(app) == [one.config.key, other.config.key]


def test_only_the_settings_that_differ_are_shown(one: RunResult, other: RunResult) -> None:
    said = words(compare(one.config.key, other.config.key))
    assert "learning rate" in said
    assert "0.002" in said
    assert "batch size" not in said


def test_curves_of_both_runs_are_their_medians_in_the_runs_colours(one: RunResult, other: RunResult) -> None:
    app = compare(one.config.key, other.config.key)
    assert not app.exception
    lines = [t for t in titled(app, "Effect error along")["data"] if t.get("mode") == "lines+markers"]
    for line, result, colour in zip(lines, (one, other), palette("dark")["runs"], strict=False):
        np.testing.assert_allclose(numbers(line["y"]), np.median(result.by_lam(result.ite_rmse), axis=0), rtol=1e-6)
        assert line["line"]["color"] == colour
    epochs = titled(app, "Effect error, held out")["data"]
    at = one.lams.index(1.0)
    expected = np.median(one.history["ite_rmse"].reshape(-1, 2, 4), axis=1)[:, at]
    np.testing.assert_allclose(numbers(epochs[0]["y"]), expected, rtol=1e-5)
    assert [trace["line"]["color"] for trace in epochs] == palette("dark")["runs"][:2]


def test_the_difference_is_paired_and_said(one: RunResult, other: RunResult) -> None:
    said = words(compare(one.config.key, other.config.key))
    a, b = (run.by_lam(run.ite_rmse)[:, run.lams.index(1.0)] for run in (one, other))
    found = difference(a, b, np.arange(2), np.arange(2), pair=True)
    assert f"{signed(found.mean)} [{signed(found.low, 2)}, {signed(found.high, 2)}]" in said.replace("\u00a0", " ")
    assert "from 2 of the 5 seeds that a verdict takes: no conclusion." in said
    assert "B − A is paired: 2 seeds in both" in said
    assert "lower than" not in said
    assert "0 [0, 0], too few" in said.replace("\u00a0", " ")  # the factual error, which is the same in both


def test_from_five_seeds_on_a_difference_is_concluded(one: RunResult, store: RunStore) -> None:
    training = replace(one.config.training, lams=(0.0, 1.0), replicates=5)
    runs = []
    for rate, error in ((0.001, 1.0), (0.002, 0.5)):
        config = replace(one.config, training=replace(training, learning_rate=rate))
        run = made_up_result(config)
        runs.append(replace(run, ite_rmse=error + np.tile(np.linspace(0, 0.1, 5)[:, None], 2).ravel() * error))
        store.save(runs[-1])
    said = words(compare(*(run.config.key for run in runs)))
    assert "B is lower than A by 0.525" in said
    assert "in each of 5 pairs of replicates" in said
    assert "no difference seen [0, 0]" in said.replace("\u00a0", " ")  # of the factual error, which is the same in both
    assert "too few" not in said


def test_scatters_lie_on_the_same_axes_and_hold_the_models_estimates(one: RunResult, other: RunResult) -> None:
    drawn = titled(compare(one.config.key, other.config.key), "Estimated against true")
    layout = drawn["layout"]
    assert layout["xaxis"]["range"] == layout["xaxis2"]["range"]
    assert layout["yaxis"]["range"] == layout["yaxis2"]["range"]
    view, m = view_rows(one.config), one.lams.index(1.0)
    _, y0, y1 = predict({name: value[m : m + 1] for name, value in one.weights.items()}, view.x)
    low, high = layout["yaxis"]["range"]
    mine = [t for t in drawn["data"] if t.get("legendgroup") == "env0" and t.get("xaxis") == "x"]
    expected = np.clip((y1 - y0)[0][view.env == 0], low, high)
    np.testing.assert_allclose(numbers(mine[0]["y"]), expected, rtol=1e-4, atol=1e-5)


def test_lam_moves_every_run_and_no_axis(one: RunResult, other: RunResult) -> None:
    drawn = [
        titled(compare(one.config.key, other.config.key, lam=lam), "Estimated against true") for lam in ("0", "10")
    ]
    assert drawn[0]["layout"]["yaxis"]["range"] == drawn[1]["layout"]["yaxis"]["range"]


def test_a_run_of_another_grid_shows_its_nearest_lam_and_says_so(one: RunResult, store: RunStore) -> None:
    config = preset("hospitals")
    config = replace(
        config,
        scenario=replace(config.scenario, n_samples=400),
        training=replace(config.training, lams=(0.0, 2.5), replicates=2, epochs=4),
    )
    store.save(made_up_result(config))
    app = compare(one.config.key, config.key, lam="1.9")
    assert not app.exception
    said = words(app)
    assert "the nearest is shown" in said
    assert "B at λ = 2.5" in said
    assert "is not paired: rows, environments or dimensions differ" in said
    assert "hospital D" in written(titled(app, "Latents"))


def test_runs_of_different_penalties_are_each_shown_at_their_own_lam_that_no_truth_has_chosen(
    one: RunResult, tiny: Tiny, store: RunStore
) -> None:
    coral = replace(tiny.config, training=replace(tiny.config.training, penalty="coral"))
    result = replace(sound(tiny), config=coral)
    least = np.array(result.factual_mse)
    least[2 :: len(result.lams)] = 1e-3  # of every replicate at the third λ
    store.save(replace(result, factual_mse=least))
    app = compare(one.config.key, coral.key, lam="0")
    own = one.lams[int(np.argmin(np.median(one.by_lam(one.factual_mse), axis=0)))]
    assert not app.exception
    assert "is not λ of another: each is shown at its own λ" in words(app)
    assert f"A at λ = {own:g}, B at λ = {result.lams[2]:g}." in words(app)
    assert "λ = 0 was not trained" not in words(app)


def test_a_diverged_lam_is_a_sentence_in_its_picture_and_no_number(one: RunResult, tiny: Tiny, store: RunStore) -> None:
    config = replace(tiny.config, training=replace(tiny.config.training, learning_rate=0.9))
    gone = replace(broken(sound(tiny), diverged=2, collapsed=0), config=config)
    store.save(gone)
    app = compare(one.config.key, config.key, lam="1", **{"set": "training.lams=0,0.1,1,10"})
    assert not app.exception
    effects = titled(app, "Estimated against true")
    assert "diverged" in written(effects)
    assert rows_drawn(effects) > 0
    assert "nan" not in words(app).lower()


def test_an_unknown_key_is_a_sentence_and_the_others_stay(one: RunResult, other: RunResult) -> None:
    app = compare(one.config.key, "<b>nothing</b>", other.config.key)
    assert not app.exception
    assert len(app.error) == 1
    assert "is not stored here" in app.error[0].value
    assert chosen(app) == [one.config.key, other.config.key]
    assert figures(app)


def test_a_run_deleted_while_it_is_open_leaves_with_a_sentence(
    one: RunResult, other: RunResult, store: RunStore
) -> None:
    app = compare(one.config.key, other.config.key)
    store.delete(other.config.key)
    app.run()
    assert not app.exception
    assert other.config.key in app.error[0].value
    assert chosen(app) == [one.config.key]


def test_the_choice_is_in_the_link_and_survives_another_page(one: RunResult, other: RunResult) -> None:
    app = compare(one.config.key, other.config.key)
    assert app.query_params["runs"] == [one.config.key, other.config.key]
    app.switch_page("pages/runs.py").run()
    app.switch_page("pages/compare.py").run()
    assert not app.exception
    assert chosen(app) == [one.config.key, other.config.key]


def test_a_link_with_nine_runs_shows_eight_in_the_curves_four_in_pictures_and_says_so(
    store: RunStore, tiny: Tiny
) -> None:
    keys = []
    for seed in range(9):
        config = replace(tiny.config, training=replace(tiny.config.training, seed=seed))
        store.save(replace(sound(tiny), config=config))
        keys.append(config.key)
    app = compare(*keys)
    assert not app.exception
    assert chosen(app) == keys[:8]
    assert f"run {keys[8]} is left out" in app.error[0].value
    lines = [t for t in titled(app, "Effect error along")["data"] if t.get("mode") == "lines+markers"]
    assert [line["name"] for line in lines] == [
        "A  base",
        *(f"{'ABCDEFGH'[seed]}  seed {seed}" for seed in range(1, 8)),
    ]
    assert len({(line["line"]["color"], line["line"]["dash"]) for line in lines}) == 8
    assert "Pictures of the first 4 runs, A to D." in words(app)
    assert not any(name.startswith("xaxis5") for name in titled(app, "Estimated against true")["layout"])


def test_chips_say_what_sets_each_run_apart(one: RunResult, other: RunResult) -> None:
    app = compare(one.config.key, other.config.key)
    chips = app.multiselect(key="compare.runs")
    assert {"A  base", "B  learning rate 0.002"} <= set(chips.options)


def test_a_runs_name_is_its_world_and_what_was_changed() -> None:
    config = preset("leaky")
    title = "The sensor that leaks the answer"
    assert name_of(config) == title
    changed = replace(config, training=replace(config.training, seed=4, epochs=9))
    assert name_of(changed) == f"{title}, epochs 9, seed 4"


def test_runs_whose_true_effects_are_not_known_are_compared_in_what_is(tiny: Tiny, store: RunStore) -> None:
    config = replace(tiny.config, training=replace(tiny.config.training, learning_rate=0.002))
    keys = [store.save(without_truth(run)) for run in (sound(tiny), replace(sound(tiny), config=config))]
    app = compare(*keys)
    assert not app.exception
    assert "Factual error along λ" in str([f["layout"]["title"]["text"] for f in figures(app)])
    assert "Effect error: no difference between A and B can be stated" in words(app)
    assert "A is paired" in words(app)
