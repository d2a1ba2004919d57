"""The Latent page shows the layout of each λ beside the input, and never without the measures."""

from __future__ import annotations

import numpy as np
import pytest

from crl_core.measures.evidence import gather
from crl_core.measures.projection import project_run
from crl_core.results import view_rows
from crl_core.runs.store import RunStore
from tests.lecture_runs import broken
from tests.pages.conftest import Open, Tiny, words
from tests.pages.figures import figures, numbers, rows_drawn, sound, titled, written

Parts = tuple[dict[str, np.ndarray], dict[str, np.ndarray]]


@pytest.fixture(scope="module")
def parts(tiny: Tiny) -> Parts:
    return gather(tiny.result), project_run(tiny.result)


@pytest.fixture
def complete(store: RunStore, tiny: Tiny, parts: Parts) -> None:
    store.save(tiny.result)
    store.add(tiny.config.key, "evidence", parts[0])
    store.add(tiny.config.key, "projection", parts[1])


def test_latent_and_input_lie_beside_each_other_row_for_row(open_app: Open, tiny: Tiny, complete: None) -> None:
    app = open_app("latent", **tiny.params, lam="1")
    assert not app.exception
    n = len(view_rows(tiny.config))
    assert rows_drawn(titled(app, "Latent at λ = 1")) == rows_drawn(titled(app, "Input x")) == n


def test_moving_lam_shows_the_layout_of_that_lam_in_the_same_window(
    open_app: Open, tiny: Tiny, complete: None, parts: Parts
) -> None:
    seen = []
    for lam in ("0", "10"):
        drawn = titled(open_app("latent", **tiny.params, lam=lam), f"Latent at λ = {lam}")
        x = np.concatenate(
            [numbers(t["x"]) for t in drawn["data"] if t.get("showlegend") is False and t["type"] == "scatter"]
        )
        seen.append((np.sort(x), drawn["layout"]["xaxis"]["range"]))
    assert seen[0][1] == seen[1][1]
    assert not np.allclose(seen[0][0], seen[1][0])


def test_the_measures_stand_beside_every_picture(open_app: Open, tiny: Tiny, complete: None, parts: Parts) -> None:
    for layout in ("t-SNE", "PCA"):
        app = open_app("latent", **tiny.params, lam="1")
        app.segmented_control(key="latent.layout").set_value(layout).run()
        assert not app.exception
        said = words(app).replace("\u00a0", " ")
        for measure in (
            "domain AUC",
            "kNN mixing",
            "MMD²",
            "p of MMD²",
            "R² of z",
            "R² of s",
            "effective rank",
        ):
            assert measure in said
        auc = parts[0]["domain_auc"].reshape(2, 4)[:, 2]
        assert f"{np.median(auc):.2f} [{auc.min():.2f}, {auc.max():.2f}]" in said


@pytest.mark.parametrize("colour", ["environment", "treatment", "z", "s"])
def test_rows_can_be_coloured_by_what_is_known_of_them(open_app: Open, tiny: Tiny, complete: None, colour: str) -> None:
    app = open_app("latent", **tiny.params, lam="1")
    app.segmented_control(key="latent.colour").set_value(colour).run()
    assert not app.exception
    drawn = titled(app, "Latent at λ = 1")
    assert rows_drawn(drawn) == len(view_rows(tiny.config))
    coloured = [t["marker"]["color"] for t in drawn["data"] if t.get("showlegend") is False]
    if colour in ("z", "s"):
        assert np.ptp(numbers(coloured[0])) > 0.5
    else:
        assert len(set(coloured)) == 2


def test_until_tsne_is_there_pca_stands_in_and_says_so(open_app: Open, tiny: Tiny, store: RunStore) -> None:
    store.save(tiny.result)
    app = open_app("latent", **tiny.params, lam="1")
    assert not app.exception
    said = words(app)
    assert "PCA stands in for it" in said
    assert "probes are not computed" in said
    assert rows_drawn(titled(app, "Latent at λ = 1")) == len(view_rows(tiny.config))


def test_a_sentence_says_what_the_latent_still_knows(open_app: Open, tiny: Tiny, complete: None) -> None:
    said = words(open_app("latent", **tiny.params, lam="10"))
    assert "be read from this latent (R²" in said


def test_lost_models_are_named_and_no_number_is_invented(open_app: Open, tiny: Tiny, store: RunStore) -> None:
    lost = broken(sound(tiny), diverged=1, collapsed=2)
    store.save(lost)
    store.add(tiny.config.key, "evidence", gather(lost))
    app = open_app("latent", **tiny.params, lam="0.1")
    assert not app.exception
    assert "diverged" in written(titled(app, "Latent at λ = 0.1"))
    assert "nan" not in words(app).lower()
    assert not any("NaN" in str(figure["layout"]) for figure in figures(app))


def test_without_a_run_the_page_offers_to_train(open_app: Open, tiny: Tiny) -> None:
    app = open_app("latent", **tiny.params)
    assert not app.exception
    assert "Train these settings" in {button.label for button in app.button}
    assert not figures(app)
