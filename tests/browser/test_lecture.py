"""The λ scrubber under a real hand: pointer, keys, play, resize, bad runs; the handout without a network; the page."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from playwright import sync_api as playwright

from crl_core import train
from crl_core.events import EpochEnded
from crl_core.figures import palette
from crl_core.lecture.assets import script
from crl_core.lecture.averages import averages_of
from crl_core.lecture.handout import handout_html
from crl_core.lecture.naming import Naming
from crl_core.lecture.shift import shift_arrays, shifted
from crl_core.lecture.story import figure
from crl_core.lecture.training_frames import training_frames
from crl_core.measures.so_far import SoFar
from crl_core.runs.store import RunStore
from tests import degenerate, tables
from tests.browser.conftest import start_server
from tests.browser.hand import N_ROWS, Hand, Open
from tests.crl_core.made_up import made_up_result
from tests.lecture_runs import LAMS, broken, config_of, evidence_of, run_of

pytestmark = pytest.mark.browser
LABELS = ["0", "0.01", "0.1", "1", "10"]


def test_the_handout_opens_from_disk_without_a_network_and_says_where_it_comes_from(opened: Open) -> None:
    hand = opened(run_of())
    result = run_of()
    assert hand.index == 0
    assert hand.figure("lam") == "0"
    hand.page.locator("summary").click()
    playwright.expect(hand.page.locator(".provenance dl")).to_contain_text(result.config.key)
    playwright.expect(hand.page.locator(".provenance dl")).to_contain_text("python -m crl_core train --preset hospital")


_ALPHA = """() => [...document.querySelectorAll('[data-view=effect] canvas')].map((c) =>
  [...c.getContext('2d').getImageData(0, 0, c.width, c.height).data].filter((_, i) => i % 4 === 3))"""


def test_printed_the_handout_is_a_sheet_of_two_pages_that_shows_all_and_the_screen_is_as_it_was(opened: Open) -> None:
    hand = opened(run_of())
    page, before = hand.page, hand.picture("effect")
    sheet = page.pdf(prefer_css_page_size=True)
    assert len(re.findall(rb"/Type /Page\b(?!s)", sheet)) == 2
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator(".lecture").get_attribute("data-theme") == "light"
    still, moving = (np.array(alpha) for alpha in page.evaluate(_ALPHA))
    assert (moving > 0).sum() > 1000
    assert (still >= moving).all()  # paper shows one canvas of two
    page.emulate_media(media="print")
    for told in ("What happens along λ", "Before: what will the penalty do", "The same again: python -m crl_core"):
        playwright.expect(page.locator("section.sheet")).to_contain_text(told)
        playwright.expect(page.locator("section.sheet")).to_be_visible()
    assert page.locator(".sheet li").count() >= 4
    page.emulate_media(media="screen")
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    playwright.expect(page.locator("section.sheet")).to_be_hidden()
    assert page.locator(".lecture").get_attribute("data-theme") == "dark"
    page.wait_for_timeout(200)
    assert hand.picture("effect") == before


def test_there_is_one_slider_for_lambda_with_a_name_a_value_and_a_text(opened: Open) -> None:
    hand = opened(run_of())
    assert hand.slider.count() == 1
    assert hand.slider.get_attribute("aria-valuemin") == "0"
    assert hand.slider.get_attribute("aria-valuemax") == "4"
    assert re.fullmatch(r"λ = 0, effect error [\d.]+", hand.text)


def test_a_drag_across_the_range_shows_the_numbers_of_each_model_it_passes(opened: Open) -> None:
    hand, result = opened(run_of()), run_of()
    hand.page.mouse.move(*hand.place(0))
    hand.page.mouse.down()
    for index, label in enumerate(LABELS):
        hand.page.mouse.move(*hand.place(index), steps=6)
        hand.settle(index)
        assert hand.figure("lam") == label
        median = np.median(result.by_lam(result.ite_rmse), axis=0)[index]
        assert float(hand.figure("ite_rmse")) == pytest.approx(median, abs=0.005)
        caption = hand.page.locator("[data-view=effect] .caption")
        assert f"its own error {figure(result.ite_rmse[index])}" in caption.inner_text()
        assert float(hand.figure("domain_auc")) == pytest.approx(
            np.median(result.by_lam(evidence_of(result)["domain_auc"]), axis=0)[index], abs=0.006
        )
    hand.page.mouse.up()
    hand.settle(4)


def test_between_two_models_the_nearest_ones_lambda_is_written(opened: Open) -> None:
    hand = opened(run_of())
    hand.page.mouse.move(*hand.place(1))
    hand.page.mouse.down()
    hand.page.mouse.move(*hand.place(1.4), steps=4)
    hand.settle(1)
    assert hand.figure("lam") == "0.01"
    hand.page.mouse.move(*hand.place(1.6), steps=4)
    hand.settle(2)
    hand.page.wait_for_timeout(120)
    hand.page.mouse.up()
    hand.page.wait_for_function("() => document.querySelector('.lecture').scrubber.position === 2")  # it snaps


def test_every_view_changes_with_lambda_and_comes_back_with_it(opened: Open) -> None:
    hand = opened(run_of())
    hand.drag(1, 0)  # from here on the handle is held by the same hand
    hand.settle(0)
    hand.page.wait_for_timeout(600)
    views = ("latent", "effect", "map", "training", "path")
    before = {view: hand.picture(view) for view in views}
    hand.drag(0, 3)
    hand.settle(3)
    hand.page.wait_for_timeout(600)
    for view in views:
        assert hand.picture(view) != before[view], view
    hand.drag(3, 0)
    hand.settle(0)
    hand.page.wait_for_timeout(600)
    for view in views:
        assert hand.picture(view) == before[view], view


def test_of_a_table_average_effects_stand_in_the_place_of_the_map_and_follow_lambda(opened: Open) -> None:
    with tables.tables_can_be_read():
        result = train(tables.config_of("blind"))
        along, _ = averages_of(result) or pytest.fail("a table has averages")
        hand = opened(result, evidence=False)
    panel = hand.page.locator("[data-view=map]")
    playwright.expect(panel.locator("h3")).to_have_text("Average effect along λ")
    playwright.expect(hand.page.locator("[data-word=ite_rmse]")).to_have_text("average effect")
    assert hand.figure("ite_rmse") == figure(along.ate.mean(axis=0)[0])
    before = hand.picture("map")
    hand.page.keyboard.press("End")
    hand.settle(2)
    hand.page.wait_for_timeout(600)
    assert hand.figure("ite_rmse") == figure(along.ate.mean(axis=0)[2])
    assert hand.text.startswith(f"λ = 10, average effect {hand.figure('ite_rmse')}")
    assert hand.picture("map") != before
    hand.page.keyboard.press("3")
    playwright.expect(panel.locator(".enlarge")).to_have_attribute("aria-pressed", "true")
    hand.page.keyboard.press("Home")
    hand.settle(0)
    assert "average effect" in hand.says()


def test_arrow_keys_step_and_home_and_end_go_to_the_ends(opened: Open) -> None:
    hand = opened(run_of())
    press = hand.page.keyboard.press
    for key, index in (
        ("ArrowRight", 1),
        ("ArrowRight", 2),
        ("ArrowLeft", 1),
        ("End", 4),
        ("ArrowRight", 4),
        ("Home", 0),
        ("ArrowLeft", 0),
    ):
        press(key)
        hand.settle(index)


def test_quick_presses_are_all_counted(opened: Open) -> None:
    hand = opened(run_of())
    for _ in range(3):
        hand.page.keyboard.press("ArrowRight")
    hand.settle(3)


def test_space_plays_to_the_end_and_stops_there(opened: Open) -> None:
    hand = opened(run_of())
    hand.page.get_by_label("Pace of play").select_option("quick")
    hand.slider.focus()
    hand.page.keyboard.press("Space")
    playwright.expect(hand.page.get_by_role("button", name="Pause")).to_be_visible()
    seen = set()
    while hand.page.get_by_role("button", name="Pause").count():
        seen.add(hand.index)
        hand.page.wait_for_timeout(60)
    assert hand.index == 4
    assert {1, 2, 3} <= seen
    hand.page.keyboard.press("Space")  # from the start again
    hand.page.wait_for_function("() => document.querySelector('.lecture').scrubber.position < 1.5")
    hand.page.keyboard.press("Space")  # and pause: it comes to rest on a model
    hand.page.wait_for_function("() => Number.isInteger(document.querySelector('.lecture').scrubber.position)")


def test_the_story_leads_through_its_steps_and_points_at_views(opened: Open) -> None:
    hand = opened(run_of())
    data = json.loads(hand.page.locator("#frames").text_content())
    assert len(data["story"]) >= 4
    for step in data["story"]:
        hand.page.keyboard.press("PageDown")
        hand.settle(step["index"])
        playwright.expect(hand.page.locator(".says")).to_have_text(step["sentence"])
        assert "pointed" in hand.page.locator(f"[data-view={step['point']}]").get_attribute("class")
    hand.page.keyboard.press("ArrowLeft")  # leaving the story: the sentence is again that of the λ in view
    hand.settle(data["story"][-1]["index"] - 1)
    playwright.expect(hand.page.locator(".says")).to_have_text(data["readings"][hand.index])


def test_digits_enlarge_a_view_and_escape_brings_all_back(opened: Open) -> None:
    hand = opened(run_of())
    for digit, view in enumerate(("latent", "effect", "map", "training"), start=1):
        plot = hand.page.locator(f"[data-view={view}] .plot")
        small = plot.bounding_box()["width"]
        hand.page.keyboard.press(str(digit))
        assert plot.bounding_box()["width"] > 2 * small
        playwright.expect(hand.slider).to_be_visible()  # λ can still be dragged
        hand.page.keyboard.press("Escape")
        assert plot.bounding_box()["width"] == pytest.approx(small)
    hand.page.keyboard.press("5")
    assert hand.page.locator("[data-view=path] .plot").bounding_box()["height"] > 400
    hand.drag(0, 2)
    hand.settle(2)


def test_f_fills_the_screen_and_the_drag_goes_on(opened: Open) -> None:
    hand = opened(run_of())
    hand.page.keyboard.press("f")
    hand.page.wait_for_function("() => document.fullscreenElement !== null")
    hand.drag(0, 3)
    hand.settle(3)
    hand.page.keyboard.press("f")
    hand.page.wait_for_function("() => document.fullscreenElement === null")


def test_the_projector_theme_is_a_key_away(opened: Open) -> None:
    hand = opened(run_of())
    root = hand.page.locator(".lecture")
    assert root.get_attribute("data-theme") == "dark"
    hand.page.keyboard.press("p")
    playwright.expect(root).to_have_attribute("data-theme", "projector")
    hand.page.keyboard.press("p")
    playwright.expect(root).to_have_attribute("data-theme", "dark")


def test_the_big_figures_are_forty_pixels_at_1280(opened: Open) -> None:
    hand = opened(run_of())
    size = hand.page.locator("[data-figure=ite_rmse]").evaluate("(e) => getComputedStyle(e).fontSize")
    assert float(size.removesuffix("px")) >= 40


def test_the_figures_keep_their_places_while_their_numbers_change(opened: Open) -> None:
    hand = opened(run_of())
    places = []
    for _ in LAMS:
        places.append(
            [
                hand.page.locator(f"[data-figure={n}]").bounding_box()["x"]
                for n in ("lam", "ite_rmse", "mmd2", "domain_auc")
            ]
        )
        hand.page.keyboard.press("ArrowRight")
        hand.page.wait_for_timeout(350)
    assert np.ptp(np.array(places), axis=0).max() < 1


def test_no_view_moves_when_sentences_grow_longer(opened: Open) -> None:
    hand = opened(run_of())
    hand.page.set_viewport_size({"width": 700, "height": 720})
    places = set()
    for key in ["Home", *["ArrowRight"] * len(LAMS), *["PageDown"] * 4]:
        hand.page.keyboard.press(key)
        hand.page.wait_for_timeout(250)
        places.add(hand.page.locator(".views").bounding_box()["y"])
    assert len(places) == 1


@pytest.mark.parametrize("width", [390, 700, 1024])
def test_nothing_sticks_out_of_a_narrow_window(opened: Open, width: int) -> None:
    hand = opened(run_of())
    hand.page.set_viewport_size({"width": width, "height": 900})
    hand.page.wait_for_timeout(200)
    assert hand.page.evaluate("document.documentElement.scrollWidth") <= width
    assert hand.slider.bounding_box()["height"] >= 60  # room for a thumb


def test_a_window_resized_while_dragging_keeps_the_hand_on_lambda(opened: Open) -> None:
    hand = opened(run_of())
    hand.page.mouse.move(*hand.place(1))
    hand.page.mouse.down()
    hand.page.mouse.move(*hand.place(2), steps=4)
    hand.settle(2)
    hand.page.set_viewport_size({"width": 1024, "height": 800})
    hand.page.wait_for_timeout(200)
    hand.settle(2)
    hand.page.mouse.move(*hand.place(4), steps=6)
    hand.settle(4)
    hand.page.mouse.up()
    hand.settle(4)


def test_touch_and_pen_drag_as_a_mouse_does(opened: Open) -> None:
    hand = opened(run_of(), has_touch=True)
    session = hand.page.context.new_cdp_session(hand.page)
    for kind, x in (("touchStart", 1), ("touchMove", 2), ("touchMove", 3)):
        px, py = hand.place(x)
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": px, "y": py}]})
        hand.page.wait_for_timeout(200)
    hand.settle(3)
    session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    hand.settle(3)


def test_with_reduced_motion_nothing_glides(opened: Open) -> None:
    hand = opened(run_of(), reduced_motion="reduce")
    hand.page.keyboard.press("End")
    hand.page.wait_for_timeout(50)
    assert hand.index == 4
    assert hand.page.evaluate("() => document.querySelector('.lecture').scrubber.position") == 4


def test_a_diverged_and_a_collapsed_lambda_say_so_and_the_drag_passes_over_them(opened: Open) -> None:
    result = broken(run_of(), diverged=1, collapsed=4)
    hand = opened(result)
    hand.drag(0, 1)
    hand.settle(1)
    assert hand.text == "λ = 0.01, diverged"
    assert hand.figure("ite_rmse") == figure(result.by_lam(result.ite_rmse)[1, 1])  # of the replicate that did not
    assert "diverged" in hand.says()
    hand.drag(1, 4)
    hand.settle(4)
    assert "collapsed" in hand.text
    hand.drag(4, 3)
    hand.settle(3)
    assert hand.figure("ite_rmse") != "–"


@pytest.mark.parametrize("n_envs", [1, 10])
def test_one_environment_and_ten_can_be_dragged(opened: Open, n_envs: int) -> None:
    hand = opened(run_of(n_envs=n_envs), evidence=n_envs > 1)
    assert hand.page.locator("[data-view=latent] .legend .chip").count() == n_envs
    hand.drag(0, 3)
    hand.settle(3)
    if n_envs == 1:
        assert hand.figure("mmd2") == "–"
        assert "only one environment" in hand.says()


def test_a_single_lambda_is_shown_and_drags_and_keys_do_no_harm(opened: Open) -> None:
    hand = opened(run_of(lams=(1.0,)))
    box = hand.slider.bounding_box()
    hand.page.mouse.move(box["x"] + 100, box["y"] + 50)
    hand.page.mouse.down()
    hand.page.mouse.move(box["x"] + 500, box["y"] + 50, steps=5)
    hand.page.mouse.up()
    for key in ("ArrowRight", "End", "Space", "PageDown"):
        hand.page.keyboard.press(key)
    assert hand.index == 0
    assert hand.figure("lam") == "1"
    playwright.expect(hand.page.get_by_role("heading", name="One λ was trained")).to_be_visible()


def test_shifting_sigma_predicts_what_numpy_predicts_and_says_what_it_is(opened: Open) -> None:
    for name in ("hospital", "sensors"):
        hand, result = opened(run_of(name)), run_of(name)
        hand.page.keyboard.press("End")
        hand.settle(4)
        hand.page.get_by_role("button", name="Shift σ").click()
        slider = hand.page.locator(".sliders input").nth(1)
        slider.fill("2.5")
        playwright.expect(hand.page.locator(".says")).to_contain_text("this model never saw these data")
        expected = shifted(result, (result.config.scenario.sigma[0], 2.5), N_ROWS)
        hand.page.wait_for_function("() => document.querySelector('.lecture').scrubber.probe.pending.length === 0")
        probe = hand.page.evaluate(
            "() => { const p = document.querySelector('.lecture').scrubber.probe; return [[...p.predicted], "
            "p.errors]; }"
        )
        assert np.allclose(probe[0], expected.ite_hat[4], atol=1e-3)
        assert np.allclose(probe[1], expected.ite_rmse, atol=1e-3)
        assert float(hand.figure("ite_rmse")) == pytest.approx(expected.ite_rmse[4], abs=0.006)
        assert hand.figure("mmd2") == "–"  # not known for the shifted rows
        hand.page.get_by_role("button", name="Back to the data").click()
        median = np.median(result.by_lam(result.ite_rmse), axis=0)[4]
        assert float(hand.figure("ite_rmse")) == pytest.approx(median, abs=0.006)


def test_more_of_the_run_that_arrives_while_sigma_is_shifted_leaves_the_probe_right(opened: Open) -> None:
    hand, result = opened(run_of()), run_of()
    hand.page.get_by_role("button", name="Shift σ").click()
    hand.page.locator(".sliders input").nth(1).fill("2.5")
    hand.page.wait_for_function("() => document.querySelector('.lecture').scrubber.probe.pending.length === 0")
    hand.page.evaluate(
        "() => document.querySelector('.lecture').scrubber.update("
        "JSON.parse(document.getElementById('frames').textContent))"
    )
    hand.slider.focus()
    hand.page.keyboard.press("End")
    hand.settle(4)
    hand.page.wait_for_function("() => document.querySelector('.lecture').scrubber.probe.pending.length === 0")
    expected = shifted(result, (result.config.scenario.sigma[0], 2.5), N_ROWS)
    errors = hand.page.evaluate("() => document.querySelector('.lecture').scrubber.probe.errors")
    assert np.allclose(errors, expected.ite_rmse, atol=1e-3)


@pytest.mark.parametrize(
    ("name", "mixing"), [("hospital", "none"), ("leaky", "none"), ("sensors", "rotation"), ("sensors", "nonlinear")]
)
def test_the_browsers_network_is_numpys_for_every_model_of_random_weights(
    chromium: playwright.Browser, name: str, mixing: str
) -> None:
    config = config_of(name, hidden=10, latent_dim=3)
    config = replace(config, scenario=replace(config.scenario, mixing=mixing))
    draw = np.random.default_rng(0)
    made_up = made_up_result(config)
    weights = {k: draw.uniform(-0.7, 0.7, v.shape).astype(np.float32) for k, v in made_up.weights.items()}
    result, sigma = replace(made_up, weights=weights), (1.3, 0.4)
    found = shift_arrays(result, 60, replicate=1)
    expected = shifted(result, sigma, 60, replicate=1)
    assert found is not None
    about, parts = found
    arrays = {f"probe.{part}": values for part, values in parts.items()}
    arrays |= {"env": expected.view.env, "ite": expected.view.ite}
    sent = {part: {"values": values.ravel().tolist(), "shape": values.shape} for part, values in arrays.items()}
    page = chromium.new_page()
    page.add_script_tag(content=script())
    effects, errors = page.evaluate(
        """([probe, arrays, n, sigma, models]) => {
             const p = makeProbe({ probe, arrays, n });
             p.shift(sigma);
             const all = Array.from({ length: models }, (_, m) => p.effects(m, new Float32Array(n)));
             return [all.map((one) => [...one]), all.map((one) => p.error(one))]; }""",
        [about, sent, 60, sigma, len(LAMS)],
    )
    page.close()
    np.testing.assert_allclose(effects, expected.ite_hat, atol=1e-4)
    np.testing.assert_allclose(errors, expected.ite_rmse, atol=1e-4)
    assert np.ptp(expected.ite_hat, axis=1).min() > 0.01  # the models are no constants


def test_with_large_networks_the_probe_is_not_offered(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crl_core.lecture.shift.MAX_WEIGHTS", 10)
    hand = opened(run_of())
    assert not hand.page.get_by_role("button", name="Shift σ").is_visible()


@pytest.mark.parametrize("epochs", [0, 1, 3])
def test_during_training_what_is_there_is_shown_and_can_be_dragged(
    chromium: playwright.Browser, tmp_path: Path, epochs: int
) -> None:
    result = run_of()
    history = {name: values for name, values in result.history.items() if name != "status"}
    so_far = [
        EpochEnded(epoch=e + 1, elapsed_s=1.0, status=result.status, **{k: v[e] for k, v in history.items()})
        for e in range(epochs)
    ]
    palettes = {name: palette(name) for name in ("dark", "light", "projector")}
    data = training_frames(
        result.config, SoFar(epochs=tuple(so_far)), naming=Naming(title="In training"), palettes=palettes
    )
    text = handout_html(result, n_rows=N_ROWS)
    head, rest = text.split('<script type="application/json" id="frames">')
    file = tmp_path / "training.html"
    file.write_text(
        f'{head}<script type="application/json" id="frames">{json.dumps(data)}</script>{rest.split("</script>", 1)[1]}'
    )
    page, trouble = chromium.new_page(), []
    page.on("pageerror", lambda error: trouble.append(str(error)))
    page.goto(file.as_uri())
    hand = Hand(page)
    hand.drag(0, 2)
    hand.settle(2)
    assert f"epoch {epochs} of 3" in hand.says()
    errors = result.history["ite_rmse"].reshape(3, -1, len(LAMS))
    assert hand.figure("ite_rmse") == ("–" if epochs == 0 else figure(np.median(errors[epochs - 1, :, 2])))
    assert trouble == []
    page.close()


# ---- at the edges ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", degenerate.RUNS)
def test_a_run_at_the_edge_of_what_can_be_asked_for_is_drawn_whole(opened: Open, name: str) -> None:
    result = degenerate.RUNS[name]()
    hand = opened(result, evidence=False)
    hand.page.keyboard.press("End")
    hand.settle(len(result.lams) - 1)
    for key in "12345":
        hand.page.keyboard.press(key)
        hand.page.wait_for_timeout(60)
    playwright.expect(hand.page.get_by_text("cannot be drawn")).to_have_count(0)


def test_where_every_lambda_diverged_none_is_called_unharmed(opened: Open) -> None:
    hand = opened(degenerate.RUNS["all diverged"](), evidence=False)
    assert hand.says() == "Training diverged at every λ: there are no numbers to show."


@pytest.mark.parametrize("part", ["still", "moving"])
@pytest.mark.parametrize("view", ["latent", "effect", "map", "training", "path"])
def test_a_picture_that_fails_says_so_in_its_place_and_the_others_follow_lambda(
    chromium: playwright.Browser, tmp_path: Path, view: str, part: str
) -> None:
    file = tmp_path / "handout.html"
    file.write_text(handout_html(run_of(), None, evidence_of(run_of()), "dark", n_rows=N_ROWS), encoding="utf-8")
    page, trouble = chromium.new_page(viewport={"width": 1280, "height": 720}), []
    page.on("pageerror", lambda error: trouble.append(str(error)))
    page.goto(file.as_uri())
    hand = Hand(page)
    fails = "() => { throw new RangeError('Invalid array length'); }"
    page.evaluate(f"() => {{ PAINTERS.{view}.{part} = {fails}; }}")
    page.set_viewport_size({"width": 1270, "height": 720})  # everything is drawn again
    words = page.locator(f"[data-view={view}] .failed")
    playwright.expect(words).to_have_text(
        "This picture cannot be drawn: Invalid array length. The rest of the page is not affected."
    )
    playwright.expect(page.locator(".failed:visible")).to_have_count(1)
    others = [other for other in ("latent", "effect", "map", "training", "path") if other != view]
    before = {other: hand.picture(other) for other in others}
    page.keyboard.press("End")
    hand.settle(4)
    page.wait_for_timeout(600)
    assert [other for other in others if hand.picture(other) == before[other]] == []
    assert trouble == []
    page.close()


def test_frames_that_cannot_be_read_are_said_in_words_and_whole_ones_are_drawn_again(
    chromium: playwright.Browser, tmp_path: Path
) -> None:
    file = tmp_path / "handout.html"
    file.write_text(handout_html(run_of(), None, None, "dark", n_rows=N_ROWS), encoding="utf-8")
    page, trouble = chromium.new_page(), []
    page.on("pageerror", lambda error: trouble.append(str(error)))
    page.goto(file.as_uri())
    hand = Hand(page)
    give = "(change) => { const data = JSON.parse(document.getElementById('frames').textContent); change(data);"
    give += " document.querySelector('.lecture').scrubber.update(data); }"
    page.evaluate(f"({give})((data) => {{ data.arrays.xy.b64 = '*'; }})")
    playwright.expect(page.get_by_role("heading", name="This lecture cannot be drawn")).to_be_visible()
    assert "The other pages are not affected." in hand.says()
    hand.page.mouse.click(*[side // 2 for side in (1280, 720)])
    page.keyboard.press("End")
    page.evaluate(f"({give})(() => {{}})")
    playwright.expect(page.get_by_role("heading", name="This lecture cannot be drawn")).to_have_count(0)
    page.keyboard.press("End")
    hand.settle(4)
    assert trouble == []
    page.close()


# ---- the page -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server with one sealed run that lacks its parts; the address of that run's lecture."""
    cache = tmp_path_factory.mktemp("app") / "cache"
    RunStore(cache).save(run_of())
    server = start_server(cache)
    lams = ",".join(f"{lam:g}" for lam in LAMS)
    settings = f"training.lams={lams} training.hidden=16 training.learning_rate=0.01"
    yield server.url("lecture", samples="1000", epochs="3", replicates="2", set=settings)
    server.stop()


@pytest.fixture
def lecture(chromium: playwright.Browser, app: str) -> Iterator[Hand]:
    page = chromium.new_page(viewport={"width": 1280, "height": 720})
    page.goto(app)
    page.locator(".lecture").wait_for(timeout=60_000)
    yield Hand(page)
    page.close()


def test_on_the_page_a_drag_sends_nothing_until_it_ends_and_then_the_url_follows(lecture: Hand) -> None:
    page, sent = lecture.page, []
    lecture.drag(2, 0)
    lecture.settle(0)
    page.wait_for_function("() => location.search.includes('lam=0')")
    page.wait_for_timeout(1000)
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    session.on("Network.webSocketFrameSent", lambda frame: sent.append(frame))
    page.mouse.move(*lecture.place(0))
    page.mouse.down()
    page.mouse.move(*lecture.place(3), steps=30)
    lecture.settle(3)
    page.wait_for_timeout(120)
    assert sent == []
    page.mouse.up()
    page.wait_for_function("() => !location.search.includes('lam=0')")  # λ = 1 is where the sidebar starts
    assert sent


def test_on_the_page_lambda_moved_in_the_sidebar_moves_the_handle(lecture: Hand) -> None:
    lecture.drag(3, 1)
    lecture.settle(1)
    lecture.page.wait_for_function("() => location.search.includes('lam=0.01')")
    thumb = lecture.page.get_by_role("slider", name="λ shown")
    thumb.focus()
    thumb.press("ArrowRight")
    lecture.settle(2)


def test_on_the_page_the_drag_goes_on_when_the_server_is_lost(lecture: Hand) -> None:
    session = lecture.page.context.new_cdp_session(lecture.page)
    lecture.page.mouse.move(*lecture.place(2))
    lecture.page.mouse.down()
    lecture.page.mouse.move(*lecture.place(1), steps=5)
    lecture.settle(1)
    session.send(
        "Network.emulateNetworkConditions",
        {"offline": True, "latency": 0, "downloadThroughput": 0, "uploadThroughput": 0},
    )
    lecture.page.context.set_offline(True)
    lecture.page.mouse.move(*lecture.place(4), steps=10)
    lecture.settle(4)
    lecture.page.mouse.up()
    lecture.drag(4, 0)
    lecture.settle(0)


def test_on_the_page_the_parts_that_are_missing_are_named(lecture: Hand) -> None:
    playwright.expect(lecture.page.get_by_text("PCA stands in")).to_be_visible()
    assert lecture.figure("domain_auc") == "–"


def test_on_the_page_the_handout_can_be_taken_home(lecture: Hand, tmp_path: Path) -> None:
    with lecture.page.expect_download() as waiting:
        lecture.page.get_by_role("button", name="Handout").click()
    file = tmp_path / "taken.html"
    waiting.value.save_as(file)
    text = file.read_text(encoding="utf-8")
    assert run_of().config.key in text
    assert len(text.encode()) < 3_000_000
