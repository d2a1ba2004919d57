"""Pages move while their run trains: pictures change in the same place, until the final one is there."""

from __future__ import annotations

import re
from typing import Any

import psutil
import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import WAIT_MS, Server, at_rest, told
from tests.browser.test_app import settled
from tests.crl_core.made_up import wait_until

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def server(own_server: Server) -> Server:
    return own_server


RUN = {"samples": "2000", "epochs": "150", "replicates": "1", "set": "training.lams=0,0.1,1,10"}
WATCHED = RUN | {"epochs": "300"}  # ten seconds and more: the lecture is looked at while it trains, without a rest
LOOKS = 3  # while it trains
VIEWS = ("latent", "effect", "map")
# What stands in a panel while its page says that a run is in training, and the epochs that the page names.
RECORDER = """(panel) => {
  window.pictures = new Set(); window.epochs = new Set();
  setInterval(() => {
    const main = document.querySelector('[data-testid=stMain]');
    const picture = main && main.querySelector(`.st-key-${panel} .js-plotly-plot`);
    if (!picture || !picture.checkVisibility() || !main.innerText.includes('In training')) return;
    window.pictures.add(picture.querySelector('.cartesianlayer').innerHTML);  // what is drawn, not what was asked for
    const epoch = /Epoch (\\d+) of EPOCHS, .* left/.exec(main.innerText);
    if (epoch) window.epochs.add(epoch[1]);
  }, 100);
}""".replace("EPOCHS", RUN["epochs"])


def begin(page: Page) -> None:
    page.get_by_test_id("stSidebar").get_by_role("button", name="Train", exact=True).click(timeout=WAIT_MS)


def train_a_little(server: Server, worker: psutil.Process) -> None:
    """Until its models were looked at again, and an epoch ended after that."""

    def events() -> list[str]:
        return re.findall("ViewSampled|EpochEnded", told(server))

    before = len(events())
    worker.resume()
    wait_until(lambda: "ViewSampled EpochEnded" in " ".join(events()[before:]), 2 * WAIT_MS / 1000)
    worker.suspend()


def pictures(lecture: Locator) -> dict[str, Any]:
    """What the canvas that moves shows in each view."""
    found: dict[str, Any] = lecture.evaluate(
        "(root, views) => Object.fromEntries(views.map((view) =>"
        " [view, root.querySelector(`[data-view=${view}] canvas:last-of-type`).toDataURL()]))",
        list(VIEWS),
    )
    return found


def test_every_panel_of_the_lecture_moves_while_it_trains_and_ends_with_the_final_picture(
    server: Server, page: Page
) -> None:
    page.goto(server.url("lecture", **WATCHED, seed="31"))
    begin(page)
    lecture = page.locator(".lecture")
    bar, far = lecture.get_by_role("progressbar", name="Training"), lecture.locator(".far")
    expect(far).to_contain_text(re.compile(rf"Epoch \d+ of {WATCHED['epochs']}, .* left"), timeout=90_000)
    expect(lecture.locator("[data-view=latent] .caption")).to_contain_text(
        "PCA of the 16-d representation, 200 held-out"
    )
    lecture.evaluate("root => { root.marked = true; }")
    first = pictures(lecture)
    expect(far).not_to_have_text(far.inner_text())
    page.wait_for_timeout(3000)
    second = pictures(lecture)
    assert [view for view in VIEWS if first[view] == second[view]] == []
    assert 0 < int(bar.get_attribute("aria-valuenow") or 0) <= 100
    expect(lecture.locator("[data-view=latent] .caption")).to_contain_text(
        "t-SNE of the 16-d representation, 400", timeout=120_000
    )
    expect(bar).to_be_hidden()
    assert lecture.evaluate("root => root.marked")  # never taken away, so that full screen is kept
    third = pictures(lecture)
    assert [view for view in VIEWS if second[view] == third[view]] == []


PAGES = {  # page -> a panel that moves, and what stands there once the run is finished
    "latent": ("panel_latent", "domain AUC"),
    "effects": ("panel_effects_scatter", "Baselines"),
    "path": ("panel_path_error", "cost of choosing blind"),
}


def test_latents_effects_and_the_path_move_while_they_train_and_give_way_to_the_finished_run(
    server: Server, page: Page
) -> None:
    """In three windows, one of which trains."""
    windows = {name: page if name == "latent" else page.context.new_page() for name in PAGES}
    for name, window in windows.items():
        window.add_init_script(f"({RECORDER})('{PAGES[name][0]}')")
        window.goto(server.url(name, **RUN, seed="32"))
        settled(window)
    with at_rest(server) as worker:
        for window in windows.values():  # the first begins the run, the others join it
            begin(window)
            expect(window.get_by_test_id("stMain")).to_contain_text("In training")
        for looks in range(LOOKS):
            train_a_little(server, worker)
            for window in windows.values():
                window.wait_for_function("looks => window.epochs.size > looks", arg=looks)
        for name, window in windows.items():
            expect(window.get_by_test_id("stMain")).to_contain_text("In training")
            assert window.evaluate("window.pictures.size") >= 2, f"{name} moved in the same place"
    for name, window in windows.items():
        main = window.get_by_test_id("stMain")
        expect(main).to_contain_text(PAGES[name][1], timeout=180_000)
        expect(main).not_to_contain_text("In training")
