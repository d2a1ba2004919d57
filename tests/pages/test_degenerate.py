"""Runs at the edges of what can be asked for open on every page that draws them."""

from __future__ import annotations

import json
import math

import pytest

from crl_core.measures.evidence import gather
from crl_core.measures.projection import project_run
from crl_core.runs.store import RunStore
from pages.shared import fields
from tests import degenerate
from tests.pages.conftest import Open

DRAWING = ("train", "lecture", "effects", "path", "latent", "lens", "unseen", "scenario", "compare")


@pytest.mark.parametrize("name", degenerate.RUNS)
def test_every_page_that_draws_a_run_opens_on_it(open_app: Open, store: RunStore, name: str) -> None:
    result = degenerate.RUNS[name]()
    store.save(result)
    if name in degenerate.TRAINED:
        store.add(result.config.key, "evidence", gather(result))
        store.add(result.config.key, "projection", project_run(result))
    preset_id, values = fields.describe(result.config)
    home = fields.defaults(preset_id)
    link = {name: str(value) for name, value in values.items() if value != home.get(name)}
    for page in DRAWING:
        also = {"runs": result.config.key} if page == "compare" else {}
        app = open_app(page, preset=preset_id, **link, **also)
        assert not app.exception, page
        for element in app.get("plotly_chart"):
            drawn = json.loads(element.proto.spec)
            assert [end for end in _ends(drawn["layout"]) if end is None or not math.isfinite(end)] == [], page


def _ends(layout: dict[str, dict[str, list[float | None]]]) -> list[float | None]:
    axes = [look for name, look in layout.items() if name.startswith(("xaxis", "yaxis"))]
    return [end for look in axes for end in look.get("range", [])]
