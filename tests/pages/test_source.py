"""A run of a table on the pages: everything that needs rows only is drawn, everything else says what it needs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from crl_core import PRESETS, RunConfig, train
from crl_core.measures.evidence import gather
from crl_core.measures.projection import project_run
from crl_core.results import RunResult, view_rows
from crl_core.runs.store import RunStore
from pages.shared import sidebar
from pages.shared.places import TITLES
from pages.shared.sidebar import Controls
from tests.pages.conftest import Open, words
from tests.pages.figures import figures, numbers, rows_drawn, titled
from tests.pages.test_compare import compare
from tests.tables import KINDS, config_of, tables_can_be_read


@dataclass(frozen=True)
class Trained:
    kind: str
    result: RunResult
    evidence: dict[str, np.ndarray]
    projection: dict[str, np.ndarray]

    @property
    def config(self) -> RunConfig:
        return self.result.config

    def save(self, store: RunStore) -> str:
        key = store.save(self.result)
        store.add(key, "evidence", self.evidence)
        store.add(key, "projection", self.projection)
        return key


@pytest.fixture(scope="module", autouse=True)
def readable() -> Iterator[None]:
    with tables_can_be_read():
        yield


@pytest.fixture(scope="module", params=list(KINDS))
def table(request: pytest.FixtureRequest, readable: None) -> Trained:
    result = train(config_of(request.param))
    return Trained(request.param, result, gather(result), project_run(result))


@pytest.fixture
def opened(table: Trained, store: RunStore, open_app: Open, monkeypatch: pytest.MonkeyPatch) -> Open:
    """The app at a page, with the table's config where a scenario's fields would be in the sidebar."""
    table.save(store)
    asked = Controls(preset=PRESETS["hospital"], values={}, config=table.config, problem=None, lam=1.0)
    monkeypatch.setattr(sidebar, "_widgets", lambda: asked)
    return open_app


def said(app: AppTest) -> str:
    assert not app.exception, app.exception[0].value
    return words(app).replace("\u00a0", " ")


@pytest.mark.parametrize("page", list(TITLES))
def test_every_page_opens_on_a_table_and_invents_no_number(page: str, opened: Open) -> None:
    assert "nan" not in said(opened(page)).lower()


def test_latents_lie_in_the_colours_of_the_tables_sites_without_probes_for_what_nobody_knows(
    table: Trained, opened: Open
) -> None:
    app = opened("latent")
    text = said(app)
    assert "z and s of this data are not known, so no probe looks for them" in text
    assert "R² of z" not in text
    auc = table.evidence["domain_auc"].reshape(2, 3)[:, 1]
    assert f"{np.median(auc):.2f} [{auc.min():.2f}, {auc.max():.2f}]" in text
    drawn = titled(app, "Latent at λ = 1")
    assert rows_drawn(drawn) == len(view_rows(table.config))
    assert {"north", "south"} <= {trace.get("name") for trace in drawn["data"]}
    assert app.segmented_control(key="latent.colour").options == ["environment", "treatment", "outcome", "a covariate"]


def test_the_lambda_path_shows_what_can_be_known(table: Trained, opened: Open) -> None:
    app = opened("path")
    text = said(app)
    assert ("The true effects of this data are not known" in text) == (table.kind == "blind")
    assert "Table “Trial of 2019”" in text
    assert "One trained network for every λ" in text
    assert "the noise" not in text
    medians = np.median(table.result.by_lam(table.result.factual_mse), axis=0)
    lines = [numbers(trace["y"]) for trace in titled(app, "Factual error")["data"] if "y" in trace]
    assert any(len(line) == 3 and np.allclose(line, medians, rtol=1e-5) for line in lines)


def test_two_splits_of_a_table_are_compared_seed_by_seed(table: Trained, store: RunStore) -> None:
    other = train(config_of(table.kind, learning_rate=0.02))
    app = compare(table.save(store), store.save(other))
    text = said(app)
    assert "B − A is paired: 2 seeds in both, which draw the same units" in text
    assert "learning rate" in text
    title = "Effect error along λ" if table.kind == "judged" else "Factual error along λ"
    assert title in str([figure["layout"]["title"]["text"] for figure in figures(app)])
    buttons = {button.key: button.disabled for button in app.button}
    assert buttons["compare.open_A"]
    assert buttons["compare.open_B"]


@pytest.mark.parametrize(
    ("page", "says"),
    [
        ("scenario", "The rows come from a table, of which none are known"),
        ("unseen", "No equations of this data are known to intervene on"),
        ("train", "300 rows of 2 environments, from a table"),
        ("runs", "Select a row to open, name, compare or delete"),
    ],
)
def test_a_page_says_what_it_would_need(page: str, says: str, opened: Open) -> None:
    assert says in said(opened(page))


def test_effects_are_drawn_without_a_map_where_they_alone_are_known(table: Trained, opened: Open) -> None:
    text = said(opened("effects"))
    if table.kind == "judged":
        assert "There is no effect map: the equations of this data are not known" in text
    else:
        assert "The true effects of this data are not known, so the rows themselves are asked" in text
