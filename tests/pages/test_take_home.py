"""The Runs page: files of a run to take home, and bundles to bring in."""

from __future__ import annotations

from streamlit.testing.v1 import AppTest

from crl_core.runs.bundle import export_bytes
from crl_core.runs.store import RunStore
from tests.pages.conftest import Open, Tiny
from tests.pages.test_runs import choose


def upload(app: AppTest, content: bytes) -> AppTest:
    return app.file_uploader[0].set_value(("run.zip", content, "application/zip")).run()


def downloads(app: AppTest) -> dict[str, bool]:
    """Labels of the download buttons, and whether one can be pressed."""
    return {item.proto.label: not item.proto.disabled for item in app.get("download_button")}


def test_a_chosen_run_can_be_taken_home_at_the_lambda_in_view(open_app: Open, tiny: Tiny, store: RunStore) -> None:
    store.save(tiny.result)
    app = choose(open_app("runs", **tiny.params, lam="1"), 0)
    assert not app.exception
    assert downloads(app) == dict.fromkeys(
        (
            "Bundle",
            "Network at λ = 1",
            "Notebook",
            "Numbers, CSV",
            "Curves, CSV",
            "Figures, HTML",
            "Citation, text",
            "Citation, BibTeX",
        ),
        True,
    )
    shown = " ".join(code.value for code in app.code)
    assert tiny.config.key in shown
    assert "python -m crl_core train" in shown
    assert "load_state_dict" in shown
    assert "@software{crl-explorer-" in shown


def test_a_bundle_is_imported_once_and_then_said_to_be_there(open_app: Open, tiny: Tiny, store: RunStore) -> None:
    store.save(tiny.result)
    content = export_bytes(store, tiny.config.key)
    store.delete(tiny.config.key)
    app = upload(open_app("runs"), content)
    assert not app.exception
    assert app.success[0].value == f"Run {tiny.config.key} is imported."
    assert store.keys() == [tiny.config.key]
    app = upload(app, content)
    assert not app.exception
    assert "stored here already; nothing was changed" in app.info[0].value


def test_a_file_that_is_no_bundle_is_refused_in_one_sentence(open_app: Open, tiny: Tiny, store: RunStore) -> None:
    app = upload(open_app("runs"), b"PK, but not really")
    assert not app.exception
    assert "cannot be imported" in app.error[0].value
    assert store.keys() == []
