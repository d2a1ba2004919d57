"""Every button of every page is pressed once in a browser and does what it says; one that no test presses fails."""

from __future__ import annotations

import io
import json
import re
import struct
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pandas as pd
import pytest
from playwright.sync_api import Browser, Locator, Page, expect
from playwright.sync_api import TimeoutError as PlaywrightTimeout

from crl_core import train
from crl_core.config.presets import PRESETS
from crl_core.lessons.lesson import lessons
from crl_core.runs.store import RunStore
from crl_core.serve.app import create_app
from crl_core.serve.settings import Settings
from pages.shared.places import SECTIONS
from tests.browser.conftest import ROOT, WAIT_MS, Server, at_rest, start_server
from tests.browser.pressing import Visitor, buttons_in_source, is_pressed, presses
from tests.browser.test_app import TINY, params, said
from tests.browser.test_traces import tap_a_point
from tests.crl_core.test_own_tables import frame
from tests.crl_core.test_serve import Server as Endpoint
from tests.lecture_runs import LAMS, run_of
from tests.pages.test_edits import FILTER, link
from tests.pages.test_images import LAMP

pytestmark = pytest.mark.browser

SEEDED = {
    "samples": "1000",
    "epochs": "3",
    "replicates": "2",
    "set": f"training.lams={','.join(f'{lam:g}' for lam in LAMS)} training.hidden=16 training.learning_rate=0.01",
}
LONG = TINY | {"epochs": "1000", "samples": "20000", "replicates": "3"}  # can be watched and cancelled at leisure
GRADIENT = "Where it looks: the gradient, and what it cannot show"
ELSEWHERE = {"job-train_small"}  # needs a small machine: test_small_container.py


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, chromium: Browser) -> Iterator[Server]:
    """A server with five runs of its own, one of traces and one of images, and one of an older recipe."""
    cache = tmp_path_factory.mktemp("app") / "cache"
    store = RunStore(cache)
    for name in ("hospital", "shifted", "leaky"):
        store.save(run_of(name))
    store.save(train(FILTER))
    store.save(train(LAMP))
    with pytest.MonkeyPatch.context() as patch:
        for room in ("config.run", "runs.records"):
            patch.setattr(f"crl_core.{room}.RECIPE_VERSION", 0)
        store.save(run_of("recipe"))
    running = start_server(cache)
    yield running
    running.stop()


@pytest.fixture
def visitor(server: Server, page: Page) -> Iterator[Visitor]:
    """Whatever a test leaves under way is stopped, so that one that fails takes no other with it."""
    yield Visitor(server, page)
    store = RunStore(server.cache)
    for log in (server.cache / "runs").glob("*/events.jsonl"):
        if store.busy(log.parent.name):
            store.locks.ask_to_stop(log.parent.name)


def test_no_button_of_the_source_is_without_a_test_that_presses_it() -> None:
    names = buttons_in_source(ROOT / "pages")
    assert len(names) > 60
    assert {name for name in names if not is_pressed(name)} <= ELSEWHERE


# -- around every page -------------------------------------------------------------------------------------------------


@presses("Definitions")
def test_every_page_is_reached_from_the_bar_and_defines_its_words(visitor: Visitor) -> None:
    page = visitor.page
    visitor.open("serve")
    without = []
    for section, places in SECTIONS.items():
        for stem, title in ((place.stem, place.title) for place in places):
            if section:
                page.get_by_text(section, exact=True).first.click()
            page.locator("a").filter(has_text=re.compile(f"^{re.escape(title)}$")).last.click()
            page.wait_for_url(re.compile(rf"/{'' if stem == 'train' else stem}(\?|$)"))
            expect(page.locator("h1").or_(page.locator(".lecture .title")).first).to_be_visible()
            page.wait_for_timeout(100)
            visitor.settle()
            words = page.get_by_role("button", name="Definitions")
            if words.count() == 0:
                without.append(stem)
                continue
            visitor.press("Definitions", at=words)
            expect(page.get_by_test_id("stPopoverBody").locator("strong").first).to_be_visible()
            page.keyboard.press("Escape")
    assert without == ["lessons", "words", "runs"]


@presses("Advanced", "align")
def test_what_is_aligned_can_be_chosen_and_is_in_the_link(visitor: Visitor) -> None:
    visitor.open("scenario")
    visitor.press("Advanced", at=visitor.sidebar.locator("summary"))
    expect(visitor.of("align")).to_be_visible()
    visitor.settle()
    said_in_link = re.compile("align=treatment")
    visitor.press_until("align", "treatment", sees=lambda: visitor.page.wait_for_url(said_in_link))
    expect(visitor.main).to_contain_text("treated and untreated units alike")
    expect(visitor.sidebar).to_contain_text("Not trained yet")


@presses("Advanced", "encoder")
def test_an_encoder_of_signals_can_be_chosen_and_is_in_the_link(visitor: Visitor) -> None:
    visitor.open("scenario", preset="filter")
    visitor.press("Advanced", at=visitor.sidebar.locator("summary"))
    expect(visitor.of("encoder")).to_be_visible()
    visitor.settle()
    said_in_link = re.compile("encoder=conv1d")
    visitor.press_until("encoder", "conv1d", sees=lambda: visitor.page.wait_for_url(said_in_link))
    expect(visitor.sidebar).to_contain_text("Not trained yet")


@presses("run-train", "Watch it live", "job-cancel", "run-back", "job-train")
def test_a_page_without_its_run_trains_it_shows_the_way_to_watch_and_leads_back(visitor: Visitor) -> None:
    page = visitor.page
    visitor.open("effects", **TINY | {"samples": LONG["samples"]})
    visitor.press("job-train")
    expect(visitor.of("panel_effects_scatter").locator(".js-plotly-plot").first).to_be_visible()
    epochs = visitor.sidebar.get_by_role("spinbutton", name="Epochs")
    epochs.fill(LONG["epochs"])
    epochs.press("Enter")
    expect(visitor.main).to_contain_text("These settings have not been trained yet")
    visitor.press("run-back")
    expect(epochs).to_have_value(TINY["epochs"])
    expect(visitor.of("panel_effects_scatter").locator(".js-plotly-plot").first).to_be_visible()
    epochs.fill(LONG["epochs"])
    epochs.press("Enter")
    visitor.press("run-train")
    expect(visitor.main).to_contain_text(re.compile(r"Epoch [1-9]\d* of 1000"))  # it moves here, too
    with at_rest(visitor.server):
        visitor.open("lens", **TINY | {"samples": LONG["samples"], "epochs": LONG["epochs"]})
        expect(visitor.main).to_contain_text("This run is being trained")
        visitor.press("Watch it live", at=page.get_by_test_id("stPageLink").get_by_role("link"))
        expect(visitor.main).to_contain_text(re.compile(r"Epoch [1-9]\d* of 1000"))
    visitor.press("job-cancel")
    expect(visitor.main).to_contain_text(re.compile(r"Cancelled at epoch \d+"))


@presses("run-again")
def test_a_damaged_run_is_trained_again(visitor: Visitor) -> None:
    file = visitor.server.cache / "runs" / run_of("leaky").config.key / "result.joblib"
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    visitor.open("path", preset="leaky", **SEEDED)
    expect(visitor.main).to_contain_text("result.joblib")
    visitor.press("run-again")
    expect(visitor.of("panel_path_error").locator(".js-plotly-plot").first).to_be_visible()
    expect(visitor.main.get_by_text("result.joblib")).to_have_count(0)


@presses("run-older")
def test_a_run_of_an_older_recipe_is_looked_at(visitor: Visitor) -> None:
    visitor.open("path", preset="recipe", **SEEDED)
    visitor.press("run-older")
    expect(visitor.main).to_contain_text("This run was made by version 0 of the recipe")
    expect(visitor.of("panel_path_error").locator(".js-plotly-plot").first).to_be_visible()


# -- data --------------------------------------------------------------------------------------------------------------


@presses(
    "data-file-*",
    "data-*-before",
    "data-confirm",
    "Categories, a signal, and true effects",
    "Load another table",
    "data-leave",
)
def test_a_table_of_ones_own_is_loaded_confirmed_and_forgotten(visitor: Visitor) -> None:
    visitor.open("data")
    visitor.pressed.add("data-file-*")
    content = frame().to_csv(index=False).encode()
    visitor.main.locator("input[type=file]").set_input_files(
        {"name": "trial.csv", "mimeType": "text/csv", "buffer": content}
    )
    expect(visitor.world).to_have_text("trial.csv")
    visitor.unfold("Categories, a signal, and true effects", "True mean outcome, untreated")
    visitor.press("data-*-before", at=visitor.main.get_by_test_id("stCheckbox").locator("label"))
    visitor.settle()
    visitor.press("data-confirm")
    expect(visitor.main).to_contain_text("What can this table tell?")
    expect(visitor.main).to_contain_text("So it was said.")
    visitor.settle()
    visitor.unfold("Load another table", "It takes the place of this one")
    gone = visitor.main.get_by_text("Load a file, say what its columns are").first
    visitor.press_until("data-leave", sees=gone.wait_for)


@presses(
    *("data-again", "data-confirm", "Load another table", "data-leave"),
    *(
        "data-lams",
        "data-train",
        "table-align",
        "table-lams",
        "table-leave",
        "rows-chosen",
        "effects-csv",
        "planted-shape",
        "planted-start",
    ),
    *("unseen-file-*", "unseen-html", "unseen-md", "serve-make", "serve-download"),
    *("serve-maps", "serve-bundle", "serve-notebook"),
    *(
        "Average effects along λ",
        "Effects of the rows",
        "What its rows hold: arms, overlap and balance, on “Your table”",
    ),
)
def test_a_table_goes_all_the_way_from_its_file_to_an_endpoint_that_scores_a_new_row(visitor: Visitor) -> None:
    """Upload, first curves, average effects along λ, every row's effect, planted effects, a second batch, export,
    serve, the run taken home; then nothing of it is left."""

    def drop(name: str, table: pd.DataFrame) -> None:
        content = {"name": name, "mimeType": "text/csv", "buffer": table.to_csv(index=False).encode()}
        visitor.main.locator("input[type=file]").first.set_input_files(content)

    def go(page: str) -> None:
        visitor.page.get_by_test_id("stTopNavLinkContainer").get_by_text(page, exact=True).click()
        visitor.settle()

    visitor.open("data")
    drop("ward-7.csv", frame())
    visitor.press("data-confirm", at=visitor.main.get_by_role("button", name="Confirm roles"))
    visitor.press("data-lams", "own list")
    expect(visitor.main.get_by_role("textbox", name="Own list of λ")).to_be_visible()
    visitor.press("data-lams", "quick (4 λ)")
    visitor.settle()
    visitor.press("data-train", at=visitor.main.get_by_role("button", name="Train on this table"))
    expect(visitor.world).to_have_text("Table “ward-7.csv”")
    expect(visitor.sidebar).to_contain_text("Already trained", timeout=8 * WAIT_MS)
    assert "ward" not in visitor.page.url

    go("Your table")
    visitor.press("Average effects along λ", at=visitor.main.get_by_role("link", name="Average effects along λ"))
    expect(visitor.of("panel_path_average")).to_contain_text("Chosen: λ =")
    expect(visitor.of("panel_path_average").locator(".js-plotly-plot").first).to_be_visible()
    visitor.sidebar.get_by_role("slider", name="λ shown").press("End")
    visitor.press("rows-chosen")
    expect(visitor.of("rows-chosen")).to_have_count(0)
    go("Your table")
    visitor.press("Effects of the rows", at=visitor.main.get_by_role("link", name="Effects of the rows"))
    expect(visitor.of("panel_effects_average")).to_contain_text("doubly robust")
    home = pd.read_csv(io.BytesIO(visitor.take("effects-csv")))
    assert len(home) == len(frame())
    assert list(home["site"]) == list(frame()["site"])  # in the file's order
    assert home["effect"].mean() == pytest.approx(2, abs=1)

    visitor.press("planted-shape", "differs by columns")
    visitor.settle()
    visitor.press("planted-start")
    expect(visitor.of("panel_planted")).to_contain_text("sd a row", timeout=8 * WAIT_MS)
    expect(visitor.of("panel_planted").locator(".js-plotly-plot").first).to_be_visible()

    goes(visitor, "Questions", "Will it hold elsewhere?")
    visitor.pressed.add("unseen-file-*")
    later = frame(seed=5)
    later["age"] += 60
    drop("later.csv", later)
    expect(visitor.of("panel_unseen_tests")).to_contain_text("later.csv")
    expect(visitor.of("panel_unseen_tests")).to_contain_text("ALARM")
    assert b"<html" in visitor.take("unseen-html")[:200].lower()
    assert visitor.take("unseen-md").startswith(b"# ")

    goes(visitor, "Runs", "Export & serve")
    visitor.press("serve-make")
    expect(visitor.of("panel_serve_use")).to_be_visible(timeout=8 * WAIT_MS)
    file = visitor.server.cache.parent / "model"
    file.write_bytes(visitor.take("serve-download"))
    endpoint = Endpoint(create_app(file, Settings()))
    status, answer, _ = endpoint.ask(body={"rows": [{"sex": "unheard of", "seen": "1999-01-11"}]})
    endpoint.close()
    assert status == 200
    assert len(answer["ite"]) == 1
    assert {"1 row with no age, which is taken for the median of training."} < set(answer["notes"])
    for maps in (False, True):
        with zipfile.ZipFile(io.BytesIO(visitor.take("serve-bundle"))) as bundle:
            assert ("projection.npz" in bundle.namelist()) == maps
            assert b'"private"' not in bundle.read("config.json")
        if not maps:
            visitor.press("serve-maps", at=visitor.of("serve-maps").locator("label"))
            visitor.settle()
    assert 'FILE = \\"\\"' in visitor.take("serve-notebook").decode()

    go("Scenario")
    link = "What its rows hold: arms, overlap and balance, on “Your table”"
    visitor.press(link, at=visitor.main.get_by_role("link", name=link))
    expect(visitor.world).to_have_text("ward-7.csv")
    visitor.press("table-align", at=visitor.of("table-align").get_by_text("arms", exact=True))
    expect(visitor.sidebar).to_contain_text("Not trained yet")
    visitor.press("table-lams", at=visitor.of("table-lams").get_by_text("usual (9 λ)", exact=True))
    visitor.settle()
    expect(visitor.sidebar).to_contain_text("9 λ × 5 replicates")
    visitor.press("table-leave", at=visitor.sidebar.get_by_role("button", name="Back to simulated worlds"))
    expect(visitor.of("table-leave")).to_have_count(0)
    own = [path for path in (visitor.server.cache / "runs").iterdir() if b'"private"' in manifest_of(path)]
    assert len(own) == 1
    visitor.press("data-again", at=visitor.main.get_by_role("button", name="Show this table again"))
    expect(visitor.sidebar).to_contain_text("Only this session sees it")
    visitor.unfold("Load another table", "It takes the place of this one")
    visitor.press("data-leave")
    expect(visitor.of("table-leave")).to_have_count(0)
    for _ in range(100):
        if not own[0].exists():
            break
        visitor.page.wait_for_timeout(200)
    assert not own[0].exists()


def goes(visitor: Visitor, menu: str, page: str) -> None:
    """Open a page of a menu in the bar."""
    visitor.page.get_by_test_id("stTopNavSection").filter(has_text=menu).click()
    visitor.page.get_by_test_id("stTopNavPopover").get_by_text(page, exact=True).click()
    visitor.settle()


def manifest_of(run: Path) -> bytes:
    file = run / "manifest.json"
    return file.read_bytes() if file.exists() else b""


@presses(
    *("data-file-*", "data-confirm", "data-keep", "Its runs in the Library", "data-kept_open"),
    *("Load another table", "data-leave", "Forget this table", "data-forget"),
)
def test_a_table_is_kept_opened_by_another_session_and_forgotten(visitor: Visitor) -> None:
    page, folder = visitor.page, visitor.server.cache / "tables"
    visitor.open("data")
    visitor.pressed.add("data-file-*")
    content = frame().to_csv(index=False).encode()
    visitor.main.locator("input[type=file]").set_input_files(
        {"name": "ward-8.csv", "mimeType": "text/csv", "buffer": content}
    )
    visitor.press("data-confirm", at=visitor.main.get_by_role("button", name="Confirm roles"))
    visitor.press("data-keep", at=visitor.main.get_by_role("button", name="Keep on this machine"))
    expect(visitor.main).to_contain_text("The rows of ward-8.csv are kept on this machine.")
    assert len(list(folder.iterdir())) == 1
    link = "Its runs in the Library"
    visitor.press(link, at=visitor.main.get_by_role("link", name=link))
    expect(visitor.main.locator("h1")).to_have_text("Library")
    visitor.open("data")  # as another session
    expect(visitor.main).to_contain_text("Load a file, say what its columns are")
    visitor.press("data-kept_open", at=visitor.main.get_by_role("button", name="Open this table"))
    expect(visitor.world).to_have_text("ward-8.csv")
    expect(visitor.main).to_contain_text("What can this table tell?")
    visitor.settle()
    visitor.unfold("Load another table", "It takes the place of this one")
    visitor.press("data-leave", at=visitor.main.get_by_role("button", name="Put this table away"))
    expect(visitor.main).to_contain_text("Load a file, say what its columns are")
    visitor.press("data-kept_open", at=visitor.main.get_by_role("button", name="Open this table"))
    expect(visitor.world).to_have_text("ward-8.csv")
    visitor.settle()
    forget = visitor.main.get_by_test_id("stPopover").filter(has_text="Forget this table").get_by_role("button")
    visitor.press("Forget this table", at=forget)
    visitor.press("data-forget", at=page.get_by_role("button", name="Delete its rows"))
    expect(visitor.main).to_contain_text("ward-8.csv is forgotten")
    expect(visitor.main).to_contain_text("Load a file, say what its columns are")
    assert list(folder.iterdir()) == []


@presses("data-take", "Load another table", "data-leave")
def test_an_example_is_loaded_with_its_roles(visitor: Visitor) -> None:
    visitor.open("data")
    visitor.press("data-take")
    expect(visitor.of("data-confirm")).to_be_visible()
    visitor.unfold("Load another table", "It takes the place of this one")
    visitor.press("data-leave")
    expect(visitor.main).to_contain_text("Load a file, say what its columns are")


# -- scenario, latent, effects -----------------------------------------------------------------------------------------


@presses("When does alignment help? All worlds, and what was measured on them")
def test_the_scenario_lists_all_worlds_and_saves_a_figure(visitor: Visitor) -> None:
    visitor.open("scenario")
    visitor.unfold("When does alignment help? All worlds, and what was measured on them", "Verdict")
    figure = visitor.of("panel_plane").locator(".js-plotly-plot")
    figure.hover()
    with visitor.page.expect_download() as coming:
        figure.locator(".modebar-btn[data-title*='Download']").click()
    assert coming.value.suggested_filename == "scenario-plane.svg"
    assert Path(coming.value.path()).read_bytes().startswith(b"<svg")


@presses("latent-layout", "latent-colour")
def test_latents_are_laid_out_and_coloured_as_chosen(visitor: Visitor) -> None:
    visitor.open("latent")
    legend = visitor.of("panel_latent").locator(".legendtext")
    expect(legend.filter(has_text="hospital A")).to_have_count(1)
    visitor.press("latent-layout", "PCA")
    expect(visitor.main).to_contain_text(re.compile(r"PCA of \d+ held-out rows"))
    visitor.press("latent-colour", "treatment")
    expect(legend.filter(has_text="treated").first).to_be_visible()
    expect(legend.filter(has_text="hospital A")).to_have_count(0)


@presses("effects-split")
def test_effects_are_split_by_environment(visitor: Visitor) -> None:
    visitor.open("effects")
    panels = visitor.of("panel_effects_scatter").locator(".subplot")
    expect(panels).to_have_count(1)
    visitor.press("effects-split", "each environment")
    expect(panels).to_have_count(2)


@presses("edits-edit", "effects-split")
def test_the_same_hearts_are_recorded_otherwise(visitor: Visitor) -> None:
    visitor.open("effects", **link(FILTER))
    panel = visitor.of("panel_edits")
    expect(panel.locator(".js-plotly-plot")).to_have_count(2)
    expect(panel.locator(".legendtext").filter(has_text="through the other hospital's machine")).to_have_count(1)
    expect(panel).to_contain_text("Through the other hospital's machine, the effects move by")
    visitor.press("edits-edit", "without the hum")
    expect(panel.locator(".legendtext").filter(has_text="without the hum")).to_have_count(1)
    expect(panel).to_contain_text("Without the hum, the effects move by")
    visitor.settle()
    panel.get_by_role("slider", name="Held-out row").press("End")
    expect(panel.locator(".gtitle").first).to_contain_text("Row 80, hospital B")
    visitor.press("effects-split", "each environment")
    expect(visitor.of("panel_effects_scatter").locator(".subplot")).to_have_count(2)
    expect(panel.locator(".legendtext").filter(has_text="without the hum")).to_have_count(1)


@presses(GRADIENT, "latent-layout", "latent-beside")
def test_a_tapped_point_shows_its_trace_and_the_gradient_unfolds(visitor: Visitor) -> None:
    visitor.open("latent", **link(FILTER), lam="1")
    stands_in = visitor.main.get_by_text("PCA stands in for it")
    expect(stands_in).to_be_visible()
    visitor.press("latent-layout", "PCA")
    expect(stands_in).to_be_hidden()  # else the picture may be drawn anew below the tap
    visitor.settle()
    trace = visitor.of("panel_trace").locator(".gtitle").first
    row = tap_a_point(visitor.page, lambda x, y: visitor.page.mouse.click(x, y))
    expect(trace).to_contain_text(f"Row {row + 1}, hospital")
    visitor.sidebar.get_by_role("slider", name="λ shown").press("End")
    expect(visitor.of("panel_latent").locator(".gtitle").first).to_contain_text("Latent at λ = 10")
    expect(trace).to_contain_text(f"Row {row + 1}, hospital")
    visitor.settle()
    visitor.press("latent-beside", "input x")
    expect(visitor.of("panel_input").locator(".gtitle").first).to_contain_text("Input x")
    visitor.open("effects", **link(FILTER))
    plots = visitor.of("panel_edits").locator(".js-plotly-plot")
    expect(plots).to_have_count(2)
    visitor.unfold(GRADIENT, "the edit above is the number to trust")
    expect(plots).to_have_count(5)
    visitor.settle()


@presses("edits-light")
def test_the_same_digits_are_taken_under_another_lamp(visitor: Visitor) -> None:
    visitor.open("effects", **link(LAMP))
    panel = visitor.of("panel_edits")
    expect(panel.locator(".js-plotly-plot")).to_have_count(2)
    expect(panel.locator(".xtick").filter(has_text="turned over")).to_have_count(1)
    visitor.press("edits-light", "without the lamp")
    expect(panel.locator(".xtick").filter(has_text="without the")).to_have_count(1)
    expect(panel).to_contain_text("Without the lamp, the share of labels that flip is")


# -- lecture -----------------------------------------------------------------------------------------------------------


@presses(
    "lessons-first",
    "share-waits",
    "lessons-begin-*",
    "lessons-language",
    "lessons-moving",
    "lessons-forget",
    "lessons-sheet",
    "lessons-handout",
    "lessons-all",
    "Explore freely",
    "Teach with it",
    "For a course page",
    "As text, to copy",
    "lesson-reveal",
    "lesson-skip",
    "lesson-next",
    "lesson-back",
    "lesson-stay",
    "lesson-finish",
    "lesson-leave",
    "lesson-whole-*",
    "lessons-result-*",
)
def test_lessons_are_begun_read_left_finished_forgotten_and_taught_with(visitor: Visitor) -> None:
    visitor.open("lessons")
    main = visitor.main
    visitor.press("lessons-language", "Deutsch")
    expect(main).to_contain_text(lessons("de")["coin"].title)
    visitor.of("lessons-language").get_by_text("English", exact=True).click()
    expect(main).to_contain_text("The machine gives it away")
    visitor.press("lessons-moving", at=visitor.of("lessons-moving").locator("label"))
    expect(main.locator(".crl-moving")).to_be_visible()
    visitor.press("Teach with it", at=main.locator("summary").filter(has_text="Teach with it"))
    expect(main.locator("img[alt^='QR code']")).to_be_visible()
    visitor.press("share-waits", at=visitor.of("share-waits").locator("label"))
    expect(main.get_by_test_id("stCode").first).to_contain_text("reveal=off")
    visitor.press("For a course page", at=main.locator("summary").filter(has_text="For a course page"))
    expect(main.get_by_text("<iframe").first).to_be_visible()
    visitor.press("lessons-first")
    card = visitor.of("lesson_card")
    expect(card).to_contain_text("step 1 of 5")
    visitor.settle()
    visitor.press("lesson-leave")
    expect(visitor.of("panel_lesson_coin")).to_contain_text("not begun")
    visitor.settle()
    visitor.press("lessons-begin-*", at=visitor.of("lessons-begin-4").get_by_role("button"))
    for step in range(1, 6):
        expect(card).to_contain_text(f"step {step} of 5")
        visitor.settle()
        if step == 1:
            visitor.press("lesson-whole-*", at=card.locator("[class*=st-key-lesson-whole] label"))
            expect(main.locator(".st-key-panel_equations")).to_be_visible()
        elif step == 2:
            visitor.press("lesson-skip")
            expect(card).to_contain_text("skipped")
            visitor.settle()
            visitor.press("lesson-back")
            expect(card).to_contain_text("step 1 of 5")
            visitor.settle()
            visitor.press("lesson-next")
            expect(card).to_contain_text("step 2 of 5")
        elif step == 3:
            visitor.press("lesson-skip")
        elif step == 4:
            visitor.press("lesson-stay")
            expect(visitor.of("lesson-reveal").get_by_role("button")).to_be_enabled()
            visitor.settle()
            visitor.press("lesson-reveal")
        if 1 < step < 5:
            expect(card.locator(".crl-lesson-found")).to_be_visible()
        visitor.settle()
        visitor.press("lesson-finish" if step == 5 else "lesson-next")
    expect(main).to_contain_text("The code stands for")
    visitor.settle()
    assert b"AUC 0.93" in visitor.take("lessons-sheet")
    assert b"AUC 0.93" not in visitor.take("lessons-handout")
    visitor.unfold("As text, to copy", "A coin leaves nothing to gain")
    visitor.press("lessons-all")
    expect(visitor.of("panel_lesson_coin")).to_contain_text("done")
    visitor.settle()
    visitor.press("lessons-result-*", at=visitor.of("lessons-result-4").get_by_role("button"))
    expect(main).to_contain_text("The code stands for")
    visitor.settle()
    visitor.press("lessons-all")
    visitor.press("lessons-forget")
    expect(visitor.of("panel_lesson_coin")).to_contain_text("not begun")
    visitor.settle()
    visitor.press("Explore freely", at=main.get_by_role("link", name="Explore freely"))
    expect(main.get_by_role("heading", name="Train", exact=True)).to_be_visible()


@presses("lecture-share", "lecture-handout")
def test_the_lecture_is_shared_as_a_link_a_code_and_a_frame(visitor: Visitor) -> None:
    visitor.open("lecture")
    visitor.press("lecture-share")
    dialogue = visitor.page.get_by_role("dialog")
    expect(dialogue.locator("img[alt^='QR code']")).to_be_visible()
    expect(dialogue.get_by_test_id("stCode").first).to_contain_text("/lecture")
    visitor.page.keyboard.press("Escape")
    expect(dialogue).to_have_count(0)
    visitor.take("lecture-handout")


@presses(
    "lecture-handout",
    *(f"scrubber-{act}" for act in ("back", "story", "next", "play", "projector", "full", "enlarge")),
)
def test_the_lecture_tells_its_story_plays_enlarges_and_is_handed_out(visitor: Visitor) -> None:
    visitor.open("lecture")
    page = visitor.page

    def does(what: str) -> Locator:
        return page.locator(f".lecture [data-do={what}]")

    assert visitor.take("lecture-handout").lower().startswith(b"<!doctype html")
    for act in ("story", "next", "back"):
        before = does("story").inner_text()
        visitor.press(f"scrubber-{act}", at=does(act))
        expect(does("story")).not_to_have_text(before)
    lam = page.locator(".lecture [data-figure=lam]")
    page.locator(".lecture [role=slider]").focus()
    page.keyboard.press("Home")
    expect(lam).to_have_text("0")
    visitor.press("scrubber-play", at=does("play"))
    expect(does("play")).to_have_text("Pause")
    expect(lam).not_to_have_text("0")
    does("play").click()
    expect(does("play")).to_have_text("Play")
    visitor.press("scrubber-projector", at=does("projector"))
    expect(does("projector")).to_have_attribute("aria-pressed", "true")
    visitor.press("scrubber-full", at=does("full"))
    page.wait_for_function("document.fullscreenElement !== null")
    does("full").click()
    page.wait_for_function("document.fullscreenElement === null")
    for large in page.locator(".lecture .enlarge").all():
        visitor.press("scrubber-enlarge", at=large)
        expect(large).to_have_attribute("aria-pressed", "true")
        large.click()
        expect(large).to_have_attribute("aria-pressed", "false")


@presses(*(f"scrubber-{act}" for act in ("keys", "scene", "scene-back", "go")))
def test_a_lecture_is_given_from_a_full_screen_with_other_worlds_and_training_in_it(visitor: Visitor) -> None:
    page = visitor.page
    page.set_viewport_size({"width": 1280, "height": 720})
    visitor.open("lecture")
    title, path = page.locator(".lecture .title"), page.locator(".lecture [data-view=path] .plot")

    def does(what: str) -> Locator:
        return page.locator(f".lecture [data-do={what}]").first

    def is_full() -> bool:
        return bool(page.evaluate("document.fullscreenElement !== null"))

    page.locator(".lecture [role=slider]").focus()
    page.keyboard.press("f")
    page.wait_for_function("document.fullscreenElement !== null")
    for number in range(4):
        page.keyboard.press("p" if number == 3 else "PageDown")
        page.wait_for_timeout(300)
        box = path.bounding_box()
        assert box is not None
        assert box["height"] >= 220
        large = page.locator(".lecture .views .panel").evaluate_all("all => all.map(e => e.offsetHeight)")
        assert max(large) >= 220
    visitor.press("scrubber-keys", at=does("keys"))
    expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog", name="Keys")).to_be_hidden()
    assert is_full()
    visitor.press("scrubber-scene", at=does("scene"))
    expect(title).to_have_text(PRESETS["shifted"].title)
    expect(does("story")).to_have_text(re.compile("Story 1 of"))
    visitor.press("scrubber-scene-back", at=does("scene-back"))
    expect(title).to_have_text(PRESETS["hospital"].title)
    expect(does("story")).to_have_text(re.compile("Story 1 of"))
    page.keyboard.press("s")
    expect(title).to_have_text(PRESETS["shifted"].title)
    page.keyboard.press("Shift+S")
    expect(title).to_have_text(PRESETS["hospital"].title)
    page.locator(".lecture .preset").select_option("shifted")
    expect(title).to_have_text(PRESETS["shifted"].title)
    page.locator(".lecture .preset").select_option("hospital")
    expect(title).to_have_text(PRESETS["hospital"].title)
    assert is_full()
    page.evaluate("document.exitFullscreen()")
    epochs = visitor.sidebar.get_by_role("spinbutton", name="Epochs")
    epochs.fill("500")  # longer than it is watched
    epochs.press("Enter")
    expect(visitor.main).to_contain_text("epochs 50 → 500")
    page.locator(".lecture [role=slider]").focus()
    page.keyboard.press("f")
    page.wait_for_function("document.fullscreenElement !== null")
    page.locator(".lecture").evaluate("e => { e.dataset.same = true; }")
    visitor.press("scrubber-go", at=does("go"))
    expect(page.locator(".lecture .progress")).to_contain_text(re.compile(r"Epoch [1-9]\d* of 500"))
    expect(page.locator(".lecture[data-same]")).to_have_count(1)  # one mounted anew would have left the full screen
    assert is_full()
    page.evaluate("document.exitFullscreen()")
    visitor.sidebar.get_by_role("button", name="Cancel").click()
    expect(visitor.main).to_contain_text(re.compile("Cancelled|have not been computed"))


@presses(*(f"scrubber-{act}" for act in ("edit", "trace-next", "trace-back", "face")))
def test_the_lecture_records_a_trace_again_steps_to_the_next_and_turns_to_the_map(visitor: Visitor) -> None:
    visitor.open("lecture", **link(FILTER))
    page = visitor.page
    panel = page.locator(".lecture [data-view=map]")
    which, answer = panel.locator(".which"), panel.locator("[data-traced=answer]")
    first = which.inner_text()
    for act, text in (("trace-next", re.compile(r"hospital|environment")), ("trace-back", first)):
        before = which.inner_text()
        visitor.press(f"scrubber-{act}", at=panel.locator(f"[data-do={act}]"))
        expect(which).not_to_have_text(before)
        expect(which).to_have_text(text)
    for edit in panel.locator("[data-do=edit]").all():
        visitor.press("scrubber-edit", at=edit)
        expect(edit).to_have_attribute("aria-pressed", "true")
        expect(answer).to_contain_text("→")
        expect(panel.locator("[data-do=edit][aria-pressed=true]")).to_have_count(1)
    for title in ("What the model believes", "What it looks at"):
        visitor.press("scrubber-face", at=panel.locator("[data-do=face]"))
        expect(panel.locator("h3")).to_have_text(title)
    expect(answer).to_contain_text("→")  # as it was left


@presses("scrubber-shift", "scrubber-unshift", "scrubber-train")
def test_the_lecture_trains_for_the_sigma_that_was_dragged_to(visitor: Visitor) -> None:
    visitor.open("lecture", **SEEDED)
    page = visitor.page
    box = page.locator(".lecture .shift")
    visitor.press("scrubber-shift", at=page.locator(".lecture [data-do=shift]"))
    expect(box).to_be_visible()
    visitor.press("scrubber-unshift", at=page.locator(".lecture [data-do=unshift]"))
    expect(box).to_be_hidden()
    page.locator(".lecture [data-do=shift]").click()
    box.locator("input").nth(1).fill("2.5")
    visitor.press("scrubber-train", at=page.locator(".lecture [data-do=train]"))
    page.wait_for_url(re.compile("sigma2=2.5"))
    expect(visitor.sidebar).to_contain_text("Already trained")
    expect(page.locator(".lecture")).to_be_visible()


@presses("job-train", "job-cancel")
def test_while_a_run_is_trained_lambda_stays_where_the_lecture_was_dragged_to(visitor: Visitor) -> None:
    visitor.open("lecture", **LONG, seed="3")
    page = visitor.page
    visitor.press("job-train")
    expect(page.locator(".lecture .far")).to_contain_text(re.compile(r"Epoch [1-9]\d* of 1000"))
    lam = visitor.sidebar.get_by_role("slider", name="λ shown")
    page.locator(".lecture [role=slider]").focus()
    page.keyboard.press("Home")
    page.wait_for_timeout(3000)  # it is drawn anew every second
    expect(lam).to_have_attribute("aria-valuetext", "0")
    expect(page.locator(".lecture [data-figure=lam]")).to_have_text("0")
    assert params(page)["lam"] == ["0"]
    visitor.press("job-cancel")
    expect(visitor.sidebar).to_contain_text(re.compile(r"Cancelled at epoch \d+"))


# -- questions ---------------------------------------------------------------------------------------------------------


@presses("verdict", "claims-own_is", "Keep this claim")
def test_claims_are_narrowed_by_verdict_and_one_about_the_run_in_view_is_kept(visitor: Visitor) -> None:
    visitor.open("claims")
    marks = visitor.of("panel_claims_matrix").locator("a.crl-mark")
    visitor.press("verdict", "undecided")
    expect(visitor.of("panel_claims_matrix").locator("a.crl-mark:not(.undecided)")).to_have_count(0)
    visitor.page.wait_for_url(re.compile("verdict=undecided"))
    marks.first.click()
    visitor.page.wait_for_url(re.compile("#claim-"))
    expect(visitor.main.locator(".crl-claim.here")).to_be_in_viewport()
    own = visitor.of("panel_claims_own")
    visitor.turn_to("claims-own_is", "above", own)
    expect(own).to_contain_text("claimed: above 0.1 →")
    visitor.unfold("Keep this claim", 'holds_if = "above"')


@presses("claims-seeds", "claims-runs-*-start", "claims-runs-*-cancel")
def test_claims_are_put_to_the_test_with_as_many_seeds_as_chosen(visitor: Visitor) -> None:
    visitor.open("claims")
    visitor.turn_to("claims-seeds", "5", visitor.main.get_by_text(re.compile(r"^Trains \d+ runs")))
    visitor.begin_and_end("claims-runs-*-start")


@presses(
    "environments-seeds",
    "environments-html",
    "environments-md",
    "environments-runs-*-start",
    "environments-runs-*-cancel",
    "Choosing λ without the truth",
    "Every number",
)
def test_the_study_of_environments_is_taken_home_and_run_here(visitor: Visitor) -> None:
    visitor.open("environments")
    assert b"<html" in visitor.take("environments-html")[:200].lower()
    assert visitor.take("environments-md").startswith(b"# ")
    visitor.unfold("Choosing λ without the truth", "least domain AUC")
    visitor.unfold("Every number", "quantity")
    visitor.turn_to("environments-seeds", "10", visitor.main.get_by_text(re.compile(r"Trains \d+ runs")))
    visitor.begin_and_end("environments-runs-*-start")


@presses(
    "pairs",
    "balanced",
    "penalties-quantity",
    "penalties-against_where",
    "penalties-unit_tests_where",
    "penalties-heat_where",
    "Every number, and what each penalty is",
    "All penalties along λ",
    "What a pair is, by each definition",
    "penalties-runs-*-start",
    "penalties-runs-*-cancel",
)
def test_a_world_of_penalties_is_chosen_read_and_trained(visitor: Visitor) -> None:
    page = visitor.page
    visitor.open("penalties")
    visitor.press("penalties-quantity", "Factual error")
    expect(visitor.main).to_contain_text("Held out; what can be seen without the truth.")
    visitor.unfold("Every number, and what each penalty is", "formula")
    visitor.unfold("What a pair is, by each definition", "units in none")
    visitor.press("All penalties along λ", at=page.get_by_text("All penalties along λ"))
    expect(visitor.of("panel_penalty_irm").locator(".js-plotly-plot")).to_be_visible()
    visitor.press("penalties-heat_where", "own best λ")
    visitor.settle()
    title = visitor.of("panel_penalties_against").locator(".gtitle")
    visitor.turn_to("penalties-against_where", "own best λ", title)
    unit_tests = visitor.main.locator("table").filter(has_text="passes")
    visitor.turn_to("penalties-unit_tests_where", "by the test", unit_tests)
    visitor.press("pairs", "rank")
    page.wait_for_url(re.compile("pairs=rank"))
    expect(visitor.main).to_contain_text("This world has not been tried yet")
    visitor.press("balanced", at=visitor.of("balanced").locator("label"))
    page.wait_for_url(re.compile("balanced=true"))
    visitor.begin_and_end("penalties-runs-*-start")


@presses("penalties-two_where", "penalties-runs-*-start")
def test_a_penalty_is_trained_to_its_end_and_seen_at_either_lambda(visitor: Visitor) -> None:
    visitor.open("penalties", preset="linear")
    field = visitor.main.get_by_role("combobox", name="Penalties")
    field.press("Backspace")  # contrastive pairs
    expect(visitor.main).to_contain_text("The networks of MMD² are not stored on this machine")
    visitor.settle()
    visitor.press("penalties-runs-*-start", at=visitor.main.get_by_role("button", name="Train them to see"))
    title = visitor.of("panel_penalties_latents")
    expect(title).to_be_visible(timeout=8 * WAIT_MS)
    visitor.turn_to("penalties-two_where", "label-free λ", title)


@presses("lens-named", "Choose how the MMD is computed", "lens-estimator", "lens-kernel", "lens-root", "lens-latents")
def test_every_choice_of_a_reading_is_said_and_a_named_one_sets_them_all(visitor: Visitor) -> None:
    visitor.open("lens")
    says = visitor.main.get_by_text(re.compile(r"^Read .* at λ = "))
    visitor.unfold("Choose how the MMD is computed", "Estimate")
    for name, option in (
        ("lens-named", "cfrnet"),
        ("lens-estimator", "biased"),
        ("lens-kernel", "exp(−d²/2h²)"),
        ("lens-root", "MMD"),
        ("lens-latents", "as they are"),
    ):
        visitor.turn_to(name, option, says)


@presses("unseen-n", "unseen-again", "unseen-html", "unseen-md", "unseen-runs-*-start", "unseen-runs-*-cancel")
def test_a_deployment_is_drawn_again_certified_and_its_alarms_measured(visitor: Visitor) -> None:
    visitor.open("unseen")
    tests = visitor.of("panel_unseen_tests")
    visitor.turn_to("unseen-again", "Another draw", tests)
    visitor.turn_to("unseen-n", "500", tests)
    assert b"<html" in visitor.take("unseen-html")[:200].lower()
    assert visitor.take("unseen-md").startswith(b"# ")
    visitor.begin_and_end("unseen-runs-*-start")
    start = visitor.main.get_by_role("button", name="Measure it for this world")
    start.click()
    expect(visitor.main).to_contain_text("Run 1 of 1")
    for world in ("shifted", "hospital"):  # what was asked for one world is not trained for another
        visitor.sidebar.get_by_role("combobox", name=re.compile("Preset")).click()
        visitor.page.get_by_role("option", name=PRESETS[world].title, exact=True).click()
        expect(start).to_have_count(1 if world == "shifted" else 0)
    with suppress(PlaywrightTimeout):  # it ended before the hand was there: then its answer is measured
        visitor.main.get_by_role("button", name="Cancel").click(timeout=8_000)
    expect(start.or_(visitor.of("unseen-power_n")).first).to_be_visible(timeout=3 * WAIT_MS)


@presses("unseen-power_lam", "unseen-power_n")
def test_alarm_rates_are_shown_for_another_lambda_and_more_rows(visitor: Visitor) -> None:
    visitor.open("unseen", preset="hospitals")
    titles = visitor.of("panel_unseen_power").locator(".crl-panel")
    for name, option, says in (("lam", "0", "λ = 0, 200 rows"), ("n", "500", "λ = 0, 500 rows")):
        visitor.press(f"unseen-power_{name}", option)
        expect(titles.filter(has_text=says)).to_be_visible()


def cancel_identify(visitor: Visitor) -> None:
    """Cancel a training, which takes seconds; where it ended before the hand was there, that of the next draw."""
    cancel = visitor.of("identify-cancel").get_by_role("button")
    for _ in range(5):
        cancel.or_(visitor.of("identify-another")).first.wait_for()
        with suppress(PlaywrightTimeout):
            cancel.click(timeout=8_000)
            visitor.of("identify-train").wait_for(timeout=10_000)
            visitor.pressed.add("identify-cancel")
            break
        visitor.press("identify-another")
    expect(visitor.of("identify-train")).to_be_visible()


@presses(
    "Scales",
    "Means",
    "identify-train",
    "identify-cancel",
    "identify-another",
    "identify-measured",
    "Every number",
    "What each method is",
)
def test_a_latent_world_is_trained_cancelled_and_drawn_anew(visitor: Visitor) -> None:
    page = visitor.page
    visitor.open("identify")
    panel = visitor.of("panel_identify_matrix")
    for tab in ("Means", "Scales"):
        visitor.press(tab, at=panel.get_by_role("tab", name=tab))
        expect(panel.get_by_role("tab", name=tab)).to_have_attribute("aria-selected", "true")
    expect(panel.get_by_test_id("stDataFrame").first).to_be_visible()
    visitor.turn_to("identify-measured", "Four latents, each changed once", visitor.of("panel_identify_methods"))
    visitor.unfold("Every number", "fits agree")
    visitor.unfold("What each method is", "what it does")
    visitor.press("identify-train")
    cancel_identify(visitor)
    visitor.press("identify-train")
    expect(page.get_by_text(re.compile(r"[\d.]+ CPU seconds"))).to_be_visible(timeout=2 * WAIT_MS)
    drawn = int(params(page).get("draw", ["0"])[0])
    visitor.press("identify-another")
    page.wait_for_url(re.compile(rf"draw={drawn + 1}\b"))
    cancel_identify(visitor)


# -- runs --------------------------------------------------------------------------------------------------------------


def select(visitor: Visitor, *rows: int) -> None:
    """Tick rows of the library's table, counted from 0."""
    box = visitor.main.get_by_test_id("stDataFrame")
    for row in rows:
        box.click(position={"x": 16, "y": 34 + 33 * row + 16})


def search(visitor: Visitor, text: str) -> None:
    field = visitor.main.get_by_role("textbox", name="Search")
    field.fill(text)
    field.press("Enter")
    expect(visitor.main.get_by_text(re.compile(r"^\d+ of \d+ runs"))).to_be_visible()
    visitor.settle()


STUDY = """
title = "Two penalties"
penalties = ["mmd", "coral"]
own_grids = false
[base]
set = { n_samples = 20000, epochs = 1000, replicates = 3, lams = [0, 1] }
"""


@presses(
    "studies-start", "studies-cancel", "studies-open", "studies-csv", "studies-parquet", "The file", "studies-file-*"
)
def test_a_study_is_dropped_started_cancelled_carried_out_and_a_run_of_it_opened(visitor: Visitor) -> None:
    page, main = visitor.page, visitor.main

    def drop(name: str, text: str) -> None:
        content = {"name": f"{name}.toml", "mimeType": "application/toml", "buffer": text.encode()}
        main.locator("input[type=file]").set_input_files(content)
        expect(visitor.of("panel_studies_plan")).to_contain_text(f"study run {name}.toml")
        visitor.settle()

    visitor.open("studies")
    visitor.pressed.add("studies-file-*")
    drop("long", STUDY)
    visitor.unfold("The file", "own_grids = false")
    visitor.press("studies-start")
    panel = visitor.of("panel_studies_watch")
    expect(panel).to_contain_text(re.compile(r"0 of 2 runs\. .*Epoch [1-9]"), timeout=5 * WAIT_MS)
    visitor.press("studies-cancel")
    expect(panel).to_contain_text("It was left before its end", timeout=2 * WAIT_MS)
    drop("short", STUDY.replace("epochs = 1000", "epochs = 2").replace("n_samples = 20000", "n_samples = 400"))
    visitor.press("studies-start")
    expect(panel).to_contain_text("2 of 2 runs done.", timeout=5 * WAIT_MS)
    visitor.settle()
    figure = visitor.of("panel_studies_figure")
    expect(figure.locator(".js-plotly-plot").first).to_be_visible()
    assert visitor.take("studies-csv").splitlines()[0].startswith(b"run,penalty,lam")
    assert visitor.take("studies-parquet").startswith(b"PAR1")
    grid = visitor.of("panel_studies_table").get_by_test_id("stDataFrame")
    grid.scroll_into_view_if_needed()
    grid.click(position={"x": 18, "y": 52})
    visitor.press("studies-open")
    page.wait_for_url(re.compile("epochs=2"))


@presses("runs-every", "runs-edit")
def test_a_search_is_in_the_link_all_settings_are_a_switch_away_and_a_name_is_typed_into_the_table(
    visitor: Visitor,
) -> None:
    page, key = visitor.page, run_of("leaky").config.key
    visitor.open("runs")
    search(visitor, f"{key} epochs=3")
    page.wait_for_url(re.compile(rf"q={key}"))
    page.reload()
    visitor.settle()
    expect(visitor.main.get_by_text(re.compile(r"^1 of \d+ runs"))).to_be_visible()
    grid = visitor.main.get_by_test_id("stDataFrame")
    visitor.press("runs-every", at=visitor.of("runs-every").locator("label"))
    expect(grid).to_contain_text("λ = 0")
    visitor.press("runs-edit", at=visitor.of("runs-edit").locator("label"))
    expect(visitor.main).to_contain_text("Double-click a field")
    visitor.settle()
    field = page.locator("#portal textarea, #portal input").first
    for _ in range(5):  # the grid takes no click while it is being drawn
        grid.dblclick(position={"x": 60, "y": 52})
        with suppress(PlaywrightTimeout):
            field.wait_for(timeout=2_000)
            break
    field.fill("leak at night")
    field.press("Enter")
    visitor.settle()
    for _ in range(100):
        if RunStore(visitor.server.cache).summary(key).label.name == "leak at night":  # type: ignore[union-attr]
            break
        page.wait_for_timeout(100)
    visitor.press("runs-edit", at=visitor.of("runs-edit").locator("label"))
    expect(grid).to_have_count(1)  # for a moment the table of the fields stands beside it
    expect(grid).to_contain_text("leak at night")


@presses("runs-sweep-grids", "runs-sweep-start", "runs-sweep-cancel", "runs-sweep-again")
def test_a_sweep_is_queued_named_watched_and_cancelled(visitor: Visitor) -> None:
    visitor.open("runs", **LONG)
    panel = visitor.of("panel_runs_sweep")
    choice = panel.get_by_role("combobox", name=re.compile("First setting"))
    choice.click()
    choice.fill("penalty")
    choice.press("Enter")
    values = panel.get_by_role("textbox", name="Its values")
    expect(values).to_have_attribute("placeholder", "mmd, coral")
    values.fill("mmd, coral")
    values.press("Enter")
    expect(panel).to_contain_text("2 runs; about")
    expect(panel).to_contain_text("“CORAL”")
    visitor.settle()
    visitor.press("runs-sweep-grids", at=visitor.of("runs-sweep-grids").locator("label"))
    visitor.settle()
    visitor.press("runs-sweep-start")
    expect(panel).to_contain_text(re.compile(r"0 of 2 runs ended\. “.*”: Epoch [1-9]"), timeout=5 * WAIT_MS)
    visitor.press("runs-sweep-cancel")
    expect(panel).to_contain_text("0 runs of 2 stored.", timeout=2 * WAIT_MS)
    visitor.press_until("runs-sweep-again", sees=values.wait_for)


@presses(
    *("runs-open", "runs-pin", "runs-delete", "runs-undo", "Name, tags, note", "Save", "runs-check", "runs-empty"),
)
def test_a_run_is_opened_named_pinned_deleted_and_brought_back(visitor: Visitor) -> None:
    key, page = run_of("shifted").config.key, visitor.page
    visitor.open("runs")
    search(visitor, key)
    select(visitor, 0)
    said(page, f"Run {key}.")
    visitor.press("runs-open")
    page.wait_for_url(re.compile("preset=shifted.*samples=1000|samples=1000.*preset=shifted"))
    visitor.press("Name, tags, note", at=visitor.main.get_by_test_id("stPopover").get_by_role("button"))
    page.get_by_role("textbox", name="Name").fill("third lecture")
    visitor.press("Save", at=page.get_by_test_id("stFormSubmitButton").get_by_role("button"))
    expect(visitor.main.get_by_test_id("stDataFrame")).to_contain_text("third lecture")
    page.keyboard.press("Escape")
    for becomes in ("Unpin", "Pin"):
        visitor.press("runs-pin")
        expect(visitor.of("runs-pin").get_by_role("button", name=becomes, exact=True)).to_be_visible()
    visitor.press("runs-delete")
    said(page, f"Run {key} was moved to the trash.")
    said(page, "No run fits")
    visitor.press("runs-undo")
    expect(visitor.main.get_by_test_id("stDataFrame")).to_contain_text("third lecture")
    visitor.press("runs-check")
    said(page, "Every byte of every run is as it was stored.")
    visitor.press("runs-empty")
    said(page, re.compile(r"The trash is empty\.|\d+ runs? deleted for good\."))  # others may have put one there


TAKEN = ("bundle", "checkpoint", "notebook", "metrics", "curves", "figures", "citation", "bibtex")


@presses(*(f"runs-take-{what}" for what in TAKEN), "Cite this run", "Load the network", "runs-import-*", "runs-delete")
def test_a_run_is_taken_home_in_every_form_and_brought_in_again(visitor: Visitor) -> None:
    key, page = run_of("hospital").config.key, visitor.page
    visitor.open("runs")
    search(visitor, key)
    select(visitor, 0)
    panel = visitor.of("panel_take_home")
    for tab, words in (("Load the network", "safetensors"), ("Cite this run", key)):
        visitor.press(tab, at=panel.get_by_role("tab", name=tab))
        expect(panel.get_by_test_id("stCode").filter(has_text=words).filter(visible=True).first).to_be_visible()
    files = {what: visitor.take(f"runs-take-{what}") for what in TAKEN}
    assert files["bundle"].startswith(b"PK\x03\x04")
    (length,) = struct.unpack("<Q", files["checkpoint"][:8])
    assert json.loads(files["checkpoint"][8 : 8 + length])
    assert json.loads(files["notebook"])["cells"]
    assert b"ite_rmse" in files["metrics"].splitlines()[0]
    assert b"epoch" in files["curves"].splitlines()[0]
    assert files["figures"].lower().startswith(b"<!doctype html")
    assert key in files["citation"].decode()
    assert files["bibtex"].decode().startswith(f"@software{{crl-explorer-{key},")
    visitor.press("runs-delete")
    said(page, f"Run {key} was moved to the trash.")
    with page.expect_file_chooser() as asked:
        visitor.press(
            "runs-import-*", at=visitor.main.locator("[data-testid=stFileUploader] button").filter(has_text="Upload")
        )
    asked.value.set_files({"name": "run.zip", "mimeType": "application/zip", "buffer": files["bundle"]})
    said(page, f"Run {key} is imported.")


@presses("runs-compare", "compare-layout", "compare-open_A", "compare-open_B")
def test_two_runs_of_the_library_are_compared_and_either_is_opened(visitor: Visitor) -> None:
    page = visitor.page
    visitor.open("runs")
    search(visitor, "hospital")
    select(visitor, 0, 1)
    visitor.press("runs-compare")
    expect(page.get_by_role("heading", name="Compare")).to_be_visible()
    expect(visitor.of("panel_compare_effects").locator(".js-plotly-plot").first).to_be_visible()
    assert len(params(page)["runs"]) == 2
    visitor.press("compare-layout", "PCA")
    expect(visitor.of("panel_compare_latent").locator(".gtitle").filter(has_text="PCA")).to_be_visible()
    links = []
    for letter in "AB":
        visitor.press(f"compare-open_{letter}")
        said(page, "Opening a run sets the sidebar to it")
        page.wait_for_timeout(300)
        visitor.settle()
        links.append(page.url)
    assert links[0] != links[1]


@presses("compare-nearest", "compare-pair")
def test_a_first_comparison_is_a_click_away(visitor: Visitor) -> None:
    visitor.open("compare")
    visitor.press("compare-pair")
    expect(visitor.of("panel_compare_effects").locator(".js-plotly-plot").first).to_be_visible()
    visitor.open("compare", runs=PRESETS["hospital"].config.key)
    visitor.press("compare-nearest")
    expect(visitor.of("panel_compare_effects").locator(".js-plotly-plot").first).to_be_visible()


@presses("job-train")
def test_what_a_stored_run_lacks_is_computed(visitor: Visitor) -> None:
    visitor.open("path", preset="shifted", **SEEDED)
    expect(visitor.main).to_contain_text("Baselines and further rules are not computed yet")
    visitor.press("job-train", "Compute what is missing")
    expect(visitor.main).to_contain_text("Dashed: baselines fitted on the same rows")


@presses(
    *("serve-make", "serve-format", "serve-download", "serve-again", "serve-dockerfile"),
    *("Serve", "Ask", "Without this program", "Dockerfile", "serve-predict", "serve-read"),
)
def test_a_model_is_exported_in_a_format_with_what_to_type(visitor: Visitor) -> None:
    visitor.open("serve", lam="1.9")
    visitor.press("serve-make")
    expect(visitor.of("panel_serve_busy")).to_contain_text("formats written")
    panel = visitor.of("panel_serve_use")
    expect(panel).to_be_visible(timeout=3 * WAIT_MS)
    visitor.press("serve-format", "ONNX int8")
    expect(visitor.of("serve-download")).to_have_text("Download ONNX int8")
    assert len(visitor.take("serve-download")) > 1000
    for tab, words in (
        ("Ask", "curl"),
        ("Without this program", "import"),
        ("Dockerfile", "FROM"),
        ("Serve", "python -m crl_core serve"),
    ):
        visitor.press(tab, at=panel.get_by_role("tab", name=tab, exact=True))
        expect(panel.get_by_test_id("stCode").filter(has_text=words).filter(visible=True).first).to_be_visible()
    panel.get_by_role("tab", name="Dockerfile").click()
    assert b"FROM" in visitor.take("serve-dockerfile")
    tried = visitor.of("panel_serve_try")
    tried.get_by_role("spinbutton").first.fill("99")
    tried.get_by_role("spinbutton").first.press("Enter")
    visitor.settle()
    visitor.press("serve-predict")
    expect(tried).to_contain_text('"outside_range"')
    expect(tried).to_contain_text("Outside of what training saw")
    watch = visitor.of("panel_serve_watch")
    watch.get_by_role("textbox", name="Address").fill("http://127.0.0.1:9")
    watch.get_by_role("textbox", name="Address").press("Enter")
    visitor.settle()
    visitor.press("serve-read")
    expect(watch).to_contain_text("Nothing listens at http://127.0.0.1:9")
    visitor.press("serve-again")
    expect(visitor.of("panel_serve_busy")).to_be_visible()
