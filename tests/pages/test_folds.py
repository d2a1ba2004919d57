"""What lies in a fold is drawn once it is opened."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from pages.shared import folds
from tests.pages.conftest import Open, Tiny


def page() -> None:
    import streamlit as st

    from pages.shared.folds import fold

    fold("Every number", "some.fold", lambda: st.write("drawn"))


def test_a_fold_is_drawn_when_it_is_open_and_not_before() -> None:
    app = AppTest.from_function(page).run()
    assert [box.label for box in app.expander] == ["Every number"]
    assert not app.markdown
    app.session_state["some.fold"] = True
    assert [text.value for text in app.run().markdown] == ["drawn"]


@pytest.mark.parametrize("page", ["lessons", "claims", "studies"])
def test_code_that_lies_in_a_fold_is_not_sent_with_the_page_since_a_browser_loads_a_megabyte_to_show_it(
    open_app: Open, tiny: Tiny, monkeypatch: pytest.MonkeyPatch, page: str
) -> None:
    monkeypatch.setattr(folds, "is_open", lambda box: bool(box.open))  # in tests of pages all are open
    app = open_app(page, **tiny.params)
    assert app.expander
    assert not app.code
