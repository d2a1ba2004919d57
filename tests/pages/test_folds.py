"""What lies in a fold is drawn once it is opened."""

from __future__ import annotations

from streamlit.testing.v1 import AppTest


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
