"""A trace under the finger: an edit is pressed, and the diagnosis flips or not. By hand, key, thumb and ear."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from playwright import sync_api as playwright

from crl_core import preset, train
from crl_core.config import RunConfig, Scenario, Training
from crl_core.lecture.story import figure
from crl_core.lecture.traces import N_TRACES
from crl_core.measures.edits import EDITS, moved
from crl_core.results import RunResult
from crl_core.runs.store import RunStore
from tests.browser.conftest import FINDER, Server
from tests.browser.hand import Hand, Open
from tests.browser.test_room import faults
from tests.lecture_runs import broken

pytestmark = pytest.mark.browser
HUM, MACHINE = EDITS
PHONE, TABLET, LAPTOP = (390, 844), (700, 900), (1280, 720)


@cache
def run(name: str = "hum-label", **scenario: object) -> RunResult:
    world = replace(preset(name).scenario, n_samples=600, **scenario)  # type: ignore[arg-type]
    training = Training(lams=(0.0, 0.1, 1.0, 10.0), epochs=12, replicates=2, hidden=16, learning_rate=0.01)
    return train(RunConfig(scenario=world, training=training))


class Trace:
    """The panel of a scrubber."""

    def __init__(self, hand: Hand) -> None:
        self.page = hand.page
        self.panel = hand.page.locator("[data-view=map]")

    def read(self, name: str) -> str:
        return self.panel.locator(f"[data-traced={name}]").inner_text()

    def button(self, edit: str) -> playwright.Locator:
        return self.panel.get_by_title(edit)

    @property
    def which(self) -> str:
        return self.panel.locator(".which").inner_text()

    def share(self) -> float:
        """Per cent of labels that flip."""
        return float(self.read("size").removesuffix(" %"))

    def still(self) -> None:
        """Until one recording has become the other."""
        self.page.wait_for_function(
            "() => { const t = document.querySelector('.lecture').scrubber.trace; return t.come === (t.on ? 1 : 0); }"
        )


def test_without_the_hum_the_labels_flip_at_no_penalty_and_hardly_any_does_at_the_lambda_to_go_to(
    server: Server, page: playwright.Page
) -> None:
    """The preset as it is chosen in the sidebar; the numbers are those of its stored run."""
    page.goto(server.url("lecture"))
    page.get_by_test_id("stSidebar").get_by_role("combobox", name=re.compile("Preset")).click()
    page.get_by_role("option", name="The hum and the label").click()
    playwright.expect(page.locator(".lecture .title")).to_have_text("The hum and the label")
    hand = Hand(page)
    trace, lams = Trace(hand), preset("hum-label").training.lams
    result = RunStore(server.cache).load(preset("hum-label").key)
    expected, to = moved(result, HUM).flips, lams.index(20.0)
    page.mouse.move(*hand.place(lams.index(1.0)))
    hand.drag(lams.index(1.0), 0)
    hand.settle(0)
    edit = trace.panel.get_by_role("button", name=HUM)
    edit.click()
    playwright.expect(edit).to_have_attribute("aria-pressed", "true")
    assert trace.share() > 40
    assert trace.share() == pytest.approx(100 * expected[0], abs=0.5)
    assert "flips" in trace.read("of")  # the trace that comes first
    edit.click()
    hand.drag(0, to)
    hand.settle(to)
    assert trace.share() < 10
    assert trace.share() == pytest.approx(100 * expected[to], abs=0.05)
    edit.click()
    playwright.expect(trace.panel.locator("[data-traced=answer]")).to_contain_text("→")
    assert hand.text.endswith(f"{trace.read('size')} of labels flip {HUM}")


def test_the_numbers_under_the_finger_are_those_of_each_model_it_passes(opened: Open) -> None:
    for name, edit in (("hum-label", HUM), ("filter", MACHINE)):
        hand, sizes = opened(run(name)), moved(run(name), edit).size
        trace = Trace(hand)
        trace.button(edit).click()
        hand.page.mouse.move(*hand.place(0, 4))
        hand.page.mouse.down()
        for index in range(4):
            hand.page.mouse.move(*hand.place(index, 4), steps=5)
            hand.settle(index)
            if name == "filter":
                assert trace.read("size") == figure(sizes[index])
            else:
                assert trace.share() == pytest.approx(100 * sizes[index], abs=0.51)
        hand.page.mouse.up()


def test_one_key_shows_the_trace_as_the_edit_has_it_and_back(opened: Open) -> None:
    hand = opened(run())
    trace = Trace(hand)
    before = hand.picture("map")
    assert "→" not in trace.read("answer")
    hand.page.keyboard.press("e")
    trace.still()
    assert re.fullmatch(r"−?\d\.\d\d → −?\d\.\d\d", trace.read("answer"))
    assert hand.picture("map") != before
    playwright.expect(trace.button(HUM)).to_have_attribute("aria-pressed", "true")
    hand.page.keyboard.press("e")
    trace.still()
    hand.page.wait_for_timeout(100)
    assert "→" not in trace.read("answer")
    assert hand.picture("map") == before


def test_a_key_steps_through_all_traces_of_all_hospitals_and_back(opened: Open) -> None:
    hand = opened(run())
    trace, seen = Trace(hand), []
    for _ in range(N_TRACES):
        seen.append(trace.which)
        hand.page.keyboard.press("n")
    assert trace.which == seen[0]
    assert len(set(seen)) == N_TRACES
    names = [re.sub(r" \d.*", "", which) for which in seen]
    assert {name: names.count(name) for name in names} == dict.fromkeys(set(names), N_TRACES // 2)
    hand.page.keyboard.press("Shift+N")
    assert trace.which == seen[-1]
    dots = trace.panel.locator(".which").evaluate("(e) => e.style.getPropertyValue('--dot')")
    assert dots == f"var(--env{'AB'.index(seen[-1].split()[1])})"


def test_the_map_has_the_panel_at_a_key_and_a_trace_key_brings_the_trace_back(opened: Open) -> None:
    hand = opened(run("filter"))
    trace = Trace(hand)
    title = trace.panel.locator("h3")
    playwright.expect(title).to_have_text("What it looks at")
    hand.page.keyboard.press("t")
    playwright.expect(title).to_have_text("What the model believes")
    playwright.expect(trace.panel.locator(".traced")).to_be_hidden()
    hand.page.keyboard.press("e")
    playwright.expect(title).to_have_text("What it looks at")
    assert "→" in trace.read("answer")
    assert Trace(opened(run())).panel.locator(".face").is_hidden()  # of a label there is no map


def test_the_trace_is_ringed_among_all_rows_and_the_edit_moves_it_among_the_answers(opened: Open) -> None:
    hand = opened(run(), reduced_motion="reduce")
    views = ("latent", "effect")

    def pictures() -> dict[str, bytes]:
        hand.page.wait_for_timeout(200)
        return {view: hand.picture(view) for view in views}

    first = pictures()
    hand.page.keyboard.press("n")
    other = pictures()
    assert [view for view in views if other[view] == first[view]] == []
    hand.page.keyboard.press("Shift+N")
    assert pictures() == first
    hand.page.keyboard.press("e")
    edited = pictures()
    assert edited["latent"] == first["latent"]  # where the row lies as it was recorded
    assert edited["effect"] != first["effect"]


def test_the_story_presses_the_edit_and_points_at_the_panel(opened: Open) -> None:
    made = run("filter")
    hand = opened(made)
    trace = Trace(hand)
    hand.page.evaluate(
        """() => { const data = JSON.parse(document.getElementById('frames').textContent);
          const step = (point, edit) => ({ index: 0, sentence: `${point} ${edit}`, point, edit });
          data.story = [step("map", false), step("trace", true), step("latent", false)];
          document.querySelector('.lecture').scrubber.update(data); }"""
    )
    title, answer = trace.panel.locator("h3"), trace.panel.locator("[data-traced=answer]")
    hand.page.keyboard.press("PageDown")
    playwright.expect(title).to_have_text("What the model believes")
    hand.page.keyboard.press("PageDown")
    playwright.expect(title).to_have_text("What it looks at")
    playwright.expect(trace.panel).to_have_class(re.compile("pointed"))
    playwright.expect(answer).to_contain_text("→")
    hand.page.keyboard.press("PageDown")
    playwright.expect(trace.panel).not_to_have_class(re.compile("pointed"))
    playwright.expect(answer).not_to_contain_text("→")


def test_what_is_pressed_is_said_to_an_ear_and_what_is_dragged_is_said_by_the_slider(opened: Open) -> None:
    hand = opened(run())
    heard = hand.page.get_by_role("status")
    hand.page.keyboard.press("e")
    playwright.expect(heard).to_have_text(re.compile(r"^Trace \d+ of 12, .+, without the hum: .* of labels flip"))
    before = heard.inner_text()
    hand.page.keyboard.press("End")
    hand.settle(3)
    assert heard.inner_text() == before  # λ is the slider's to say
    assert hand.text.startswith("λ = 10, ")
    assert f"{Trace(hand).read('size')} of labels flip without the hum" in hand.text


def test_with_reduced_motion_the_edit_is_there_at_once(opened: Open) -> None:
    hand = opened(run(), reduced_motion="reduce")
    hand.page.keyboard.press("e")
    hand.page.wait_for_timeout(60)
    assert hand.page.evaluate("() => document.querySelector('.lecture').scrubber.trace.come") == 1


def test_a_diverged_and_a_collapsed_lambda_are_said_in_the_panel(opened: Open) -> None:
    hand = opened(broken(run(), diverged=1, collapsed=2))
    trace = Trace(hand)
    for index, words in ((1, "diverged"), (2, "collapsed")):
        hand.drag(0, index)
        hand.settle(index)
        assert words in trace.read("of")
    hand.drag(2, 1)
    hand.settle(1)
    assert (trace.read("answer"), trace.read("size")) == ("–", "–")


def test_a_world_whose_machines_are_alike_and_silent_shows_its_traces_and_says_that_nothing_moves(opened: Open) -> None:
    hand = opened(run(hum_mv=0.0))
    trace = Trace(hand)
    playwright.expect(trace.panel).to_contain_text("There is no hum in this world, so nothing can move.")
    hand.page.keyboard.press("e")
    hand.page.keyboard.press("n")
    assert "→" not in trace.read("answer")
    playwright.expect(hand.page.get_by_text("cannot be drawn")).to_have_count(0)


@pytest.mark.parametrize("lost", ["all diverged", "weights of zero"])
def test_a_run_without_one_usable_model_is_drawn_whole(opened: Open, lost: str) -> None:
    result, value = run(), np.float32(np.nan if lost == "all diverged" else 0)
    weights = {name: np.full_like(weight, value) for name, weight in result.weights.items()}
    status = np.full_like(result.status, lost == "all diverged")
    hand = opened(replace(result, weights=weights, status=status), evidence=False)
    for key in ("e", "n", "3", "End", "3"):
        hand.page.keyboard.press(key)
        hand.page.wait_for_timeout(60)
    assert Trace(hand).read("size") == ("–" if lost == "all diverged" else "0 %")
    playwright.expect(hand.page.get_by_text("cannot be drawn")).to_have_count(0)


@pytest.mark.parametrize("theme", ["dark", "projector"])
@pytest.mark.parametrize("name", ["filter", "hum-label"])
def test_no_word_of_the_panel_is_cut_or_covered_in_any_window(opened: Open, name: str, theme: str) -> None:
    hand = opened(run(name), theme=theme, bypass_csp=True)  # the finder is asked from outside
    hand.page.context.add_init_script(path=FINDER)
    hand.page.reload()
    hand.slider.wait_for()
    for key in ("e", "3", "3"):
        hand.page.keyboard.press(key)
        found = faults(hand.page, [PHONE, TABLET, LAPTOP, (1920, 1080)])
        assert not any(found.values()), found


def test_on_a_phone_the_panel_has_the_whole_width_and_buttons_for_a_thumb(opened: Open) -> None:
    hand = opened(run("filter"))
    hand.page.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})
    hand.page.wait_for_timeout(200)
    trace = Trace(hand)
    assert hand.page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]
    assert trace.panel.bounding_box()["width"] > 0.85 * PHONE[0]
    for button in trace.panel.locator(".choose button").all():
        box = button.bounding_box()
        assert min(box["width"], box["height"]) >= 30
    size = trace.panel.locator("[data-traced=answer]").evaluate("(e) => parseFloat(getComputedStyle(e).fontSize)")
    assert size >= 24


def test_the_panels_numbers_are_large_in_a_room(opened: Open) -> None:
    hand = opened(run())
    answer = hand.page.locator("[data-traced=answer]")
    size = "(e) => parseFloat(getComputedStyle(e).fontSize)"
    assert answer.evaluate(size) >= 30
    hand.page.keyboard.press("3")
    assert answer.evaluate(size) >= 48


def test_another_run_begins_with_its_own_first_trace_as_recorded(opened: Open) -> None:
    hand = opened(run())
    hand.page.keyboard.press("e")
    hand.page.keyboard.press("n")
    hand.page.evaluate(
        """() => { const data = JSON.parse(document.getElementById('frames').textContent);
          data.key = "another"; data.trace.first = 2; document.querySelector('.lecture').scrubber.update(data); }"""
    )
    trace = Trace(hand)
    assert trace.which.endswith("3/12")
    assert "→" not in trace.read("answer")


def test_when_the_last_epoch_brings_the_traces_the_panel_appears(opened: Open) -> None:
    hand = opened(run())
    give = "(change) => { const data = JSON.parse(document.getElementById('frames').textContent); change(data);"
    give += " document.querySelector('.lecture').scrubber.update(data); }"
    lacking = "(data) => { data.trace = null; data.captions.trace = undefined; }"
    hand.page.evaluate(f"({give})({lacking})")
    trace = Trace(hand)
    playwright.expect(trace.panel.locator(".traced")).to_be_hidden()
    hand.page.keyboard.press("e")  # there is nothing to edit yet
    hand.page.evaluate(f"({give})(() => {{}})")
    playwright.expect(trace.panel.locator(".traced")).to_be_visible()
    assert "→" not in trace.read("answer")


def test_a_world_of_covariates_has_no_traces_to_show(opened: Open) -> None:
    scenario = Scenario(n_samples=400)
    plain = train(RunConfig(scenario=scenario, training=Training(lams=(0.0, 1.0), epochs=1, replicates=1, hidden=8)))
    hand = opened(plain, evidence=False)
    playwright.expect(hand.page.locator(".traced")).to_be_hidden()
    playwright.expect(hand.page.locator("[data-do=face]")).to_be_hidden()
    hand.page.keyboard.press("e")
    hand.page.keyboard.press("t")
    playwright.expect(hand.page.locator("[data-view=map] h3")).to_have_text("What the model believes")
