"""A table of one's own in a real browser: dropped, confirmed, judged; and seen by nobody else."""

from __future__ import annotations

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Server
from tests.browser.pressing import Visitor
from tests.browser.test_app import params, settled
from tests.browser.test_room import SIZES, faults
from tests.crl_core.test_own_tables import frame
from tests.crl_core.test_table_verdict import confounded

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def server(own_server: Server) -> Server:
    return own_server


CANARY = "canary-5512"


def drop(visitor: Visitor, name: str, content: bytes) -> None:
    field = visitor.main.locator("input[type=file]").first
    field.set_input_files({"name": name, "mimeType": "text/csv", "buffer": content})


def test_a_file_is_dropped_confirmed_and_judged_and_another_visitor_sees_nothing_of_it(
    server: Server, page: Page, other_page: Page
) -> None:
    one, other = Visitor(server, page), Visitor(server, other_page)
    one.open("data")
    other.open("data")
    table = confounded(12.0)
    table["note"] = CANARY
    table.loc[::2, "note"] = "plain"
    drop(one, f"{CANARY}.csv", table.to_csv(index=False).encode())
    expect(one.world).to_have_text(f"{CANARY}.csv")
    expect(one.main).not_to_contain_text("What can this table tell?")
    one.settle()
    one.press("data-confirm")
    expect(one.main).to_contain_text("Do not trust an effect that is estimated from this table")
    expect(one.main.get_by_text("Do treated and untreated rows overlap?")).to_be_in_viewport()
    for panel in ("overlap", "arms", "balance"):
        expect(one.of(f"panel_data_{panel}").locator(".js-plotly-plot").first).to_be_visible()
    assert CANARY not in page.url
    assert not {name for name in params(page) if name not in ("preset", "lam")}

    drop(other, "trial.csv", frame().to_csv(index=False).encode())
    expect(other.world).to_have_text("trial.csv")
    other.press("data-confirm")
    expect(other.main).to_contain_text("like a trial")
    expect(other.main).not_to_contain_text(CANARY)
    expect(one.world).to_have_text(f"{CANARY}.csv")
    stranger = page.context.new_page()  # another tab is another session
    stranger.goto(page.url)
    expect(stranger.get_by_test_id("stMain")).to_contain_text("Your table")
    assert CANARY not in (stranger.get_by_test_id("stMain").text_content() or "")
    for file in server.cache.parent.rglob("*"):
        assert not file.is_file() or CANARY.encode() not in file.read_bytes(), file


def test_a_file_that_is_no_table_costs_a_sentence_and_the_next_is_read(server: Server, page: Page) -> None:
    visitor = Visitor(server, page)
    visitor.open("data")
    drop(visitor, "trial.csv", b"PK\x03\x04 not a table")
    expect(visitor.main).to_contain_text("The file is a zip archive or an Excel workbook")
    drop(visitor, "trial.csv", frame().to_csv(index=False).encode())
    expect(visitor.world).to_have_text("trial.csv")
    expect(visitor.main).not_to_contain_text("zip archive")


@pytest.mark.parametrize("n_envs", [1, 10])
def test_words_have_room_before_and_after_roles_are_confirmed(server: Server, window: Page, n_envs: int) -> None:
    page = window
    page.goto(server.url("data"))
    visitor = Visitor(server, page)
    settled(page)
    table = frame(n=1500).rename(columns={"age": "age at the first visit, in years"})
    table["site"] = np.resize([f"clinic of the town no. {i}" for i in range(n_envs)], len(table))
    drop(visitor, "a file with a rather long name, of the year 2019.csv", table.to_csv(index=False).encode())
    expect(visitor.of("data-confirm")).to_be_visible()
    settled(page)
    before = faults(page, SIZES)
    visitor.press("data-confirm")
    expect(visitor.main).to_contain_text("What can this table tell?")
    settled(page)
    after = faults(page, SIZES)
    assert not any(before.values()), before
    assert not any(after.values()), after
