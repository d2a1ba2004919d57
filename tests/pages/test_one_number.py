"""One λ has one number: whoever reads the effect error of a run at a λ finds the same on every page."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from crl_core.config.text import altered
from crl_core.runs.store import RunStore
from pages.shared.style import figure
from tests.pages.conftest import Open, Tiny, words
from tests.pages.test_lecture import sent


@pytest.mark.parametrize("lam", [0.0, 1.0, 10.0])
def test_the_effect_error_at_a_lam_is_one_number_on_every_page(
    lam: float, open_app: Open, tiny: Tiny, store: RunStore
) -> None:
    store.save(tiny.result)
    at = tiny.result.lams.index(lam)
    median = float(np.median(tiny.result.by_lam(tiny.result.ite_rmse)[:, at]))
    for page in ("train", "effects", "path"):
        app = open_app(page, **tiny.params, lam=f"{lam:g}")
        assert not app.exception
        found = re.search(r"<b>([^<]+)</b><span>effect error</span>", words(app))
        assert found is not None
        assert found[1] == figure(median)
    other = altered(tiny.config, seed=9)
    store.save(replace(tiny.result, config=other))
    app = open_app("compare", **tiny.params, lam=f"{lam:g}", runs=[tiny.config.key, other.key])
    assert not app.exception
    assert re.search(rf'<td data-of="A">{re.escape(figure(median))}</td>', words(app))
    least = open_app("runs").dataframe[0].value["Least error"]
    medians = np.median(tiny.result.by_lam(tiny.result.ite_rmse), axis=0)
    np.testing.assert_allclose(least, [medians.min()] * 2, rtol=1e-6)
    frames = sent(open_app("lecture", **tiny.params, lam=f"{lam:g}"))["frames"]
    assert frames["metrics"]["ite_rmse"]["value"][at] == pytest.approx(median, rel=1e-5)
    assert frames["metrics"]["ite_rmse"]["own"][at] == pytest.approx(tiny.result.ite_rmse[at], rel=1e-5)
