"""A figure reaches the browser as Plotly itself would send it, though Plotly does not look at it on the way."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import plotly.graph_objects as go
import plotly.io
import pytest

from crl_core.figures import base, palette
from crl_core.runs.store import RunStore
from tests.pages.conftest import opened, served
from tests.pages.figures import figures

PAGES = {  # and how many figures at least
    "lecture": 0,
    "scenario": 3,
    "train": 0,
    "latent": 2,
    "effects": 3,
    "path": 3,
    "lens": 2,
    "unseen": 2,
    "identify": 1,
    "compare": 0,
    "claims": 0,
    "environments": 2,
    "penalties": 2,
    "runs": 0,
    "serve": 0,
}


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunStore]:
    """The app with the runs that come with it."""
    with pytest.MonkeyPatch.context() as patched:
        yield from served(RunStore(root=tmp_path_factory.mktemp("cache")), patched)


def of_plotly(drawn: base.Drawn) -> dict[str, Any]:
    plain = base.written(drawn)
    checked: dict[str, Any] = go.Figure(data=plain["data"], layout=plain["layout"]).to_dict()
    return checked


def without_nothing(value: Any) -> Any:
    """Plotly leaves out what is None, and fills in two empty lists."""
    if isinstance(value, dict):
        kept = {name: without_nothing(each) for name, each in value.items() if each is not None}
        return {name: each for name, each in kept.items() if each not in ([], {})}
    return [without_nothing(each) for each in value] if isinstance(value, list) else value


@pytest.mark.parametrize("page", PAGES)
def test_a_page_draws_what_plotlys_own_figures_would_draw(
    shipped: RunStore, page: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick = figures(opened(page, preset="hospital"))
    assert len(quick) >= PAGES[page]
    monkeypatch.setattr(base.Drawn, "to_dict", of_plotly)
    for sent, checked in zip(quick, figures(opened(page, preset="hospital")), strict=True):
        assert without_nothing(sent) == without_nothing(checked)


def drawn() -> base.Drawn:
    found = base.figure("A title", [{"type": "scatter", "x": [1, 2], "y": [3.0, 4.0]}], palette("dark"), height=200)
    assert isinstance(found, base.Drawn)
    return found


def test_a_figure_can_be_changed_as_any_of_plotlys() -> None:
    changed = drawn()
    changed.update_layout(height=300)
    changed.data[0].name = "one"
    sent = json.loads(plotly.io.to_json(changed))
    assert (sent["layout"]["height"], sent["data"][0]["name"]) == (300, "one")
    assert sent["layout"]["title"]["text"] == "<b>A title</b>"
    assert json.loads(plotly.io.to_json(go.Figure(drawn())))["data"] == json.loads(plotly.io.to_json(drawn()))["data"]


def test_a_figure_with_a_misspelt_property_is_found_out() -> None:
    """By these tests, which ask for Plotly's own; a page does not."""
    wrong = base.figure("A title", [{"type": "scatter", "xx": [1, 2]}], palette("dark"), height=200)
    with pytest.raises(ValueError, match="xx"):
        of_plotly(wrong)
