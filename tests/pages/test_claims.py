"""The Claims page: stored answers, none, out of date, and measured here."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from crl_core.config import FIRST_SEED
from crl_core.runs.store import RunStore
from crl_core.studies import claims_run
from crl_core.studies.claims import load_claims, pick
from crl_core.studies.claims_own import entry_of, own_claim
from crl_core.studies.claims_run import BAKED, baked_claims, content_of, run_claims, runs_of
from pages.shared import server_cache
from tests.crl_core.made_up import wait_until
from tests.crl_core.test_ensure_runs import Cancellable
from tests.pages.conftest import Open, Tiny, words

SHIPPED = Path(__file__).parents[2] / "cache" / "baked" / BAKED.file


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two claims about one small world, so that their runs take a moment."""
    claims = pick(["recipe-with", "recipe-without"], load_claims())
    monkeypatch.setattr("crl_core.studies.claims.load_claims", lambda: claims)
    monkeypatch.setattr(claims_run.runs_of, "__defaults__", (10, 1, FIRST_SEED))
    monkeypatch.setattr(
        claims_run.run_claims, "__kwdefaults__", {"epochs": 1, "first_seed": FIRST_SEED, "on_run": None}
    )


def ship(store: RunStore) -> dict[str, object]:
    """The answers that come with the program; the content of all, as the page sees it."""
    store.baked.mkdir(parents=True)
    for path in SHIPPED.parent.glob("claims*.json"):
        shutil.copy(path, store.baked)
    content = baked_claims(store.baked)
    assert content is not None
    return dict(content)


def test_the_first_visit_sees_every_claim_with_its_verdict(open_app: Open, store: RunStore) -> None:
    content = ship(store)
    app = open_app("claims")
    assert not app.exception
    shown = words(app)
    for entry in content["claims"]:  # type: ignore[attr-defined]
        assert entry["verdict"] in shown
    assert "Measured before the program was shipped, seeds 100 to 109." in shown
    assert shown.count('class="crl-strip"') == len(content["claims"])  # type: ignore[arg-type]
    values = [value for entry in content["claims"] for value in entry["measured"]]  # type: ignore[attr-defined]
    assert shown.count('class="dot"') == sum(value is not None for value in values)
    assert "nan" not in shown.lower().replace("finance", "")
    assert [button.label for button in app.button if button.label.startswith("Put")] == ["Put them to the test here"]


def test_every_mark_of_the_matrix_says_its_verdict_and_leads_to_its_strip(open_app: Open, store: RunStore) -> None:
    content = ship(store)
    shown = words(open_app("claims"))
    marks = re.findall(r'<a class="crl-mark [a-z]+" href="#claim-([\w-]+)" target="_self" title="([^"]+)"', shown)
    said = {entry["id"]: entry["verdict"] for entry in content["claims"]}  # type: ignore[attr-defined]
    assert {name: title.split(":")[0].lower() for name, title in marks} == said
    assert sorted(re.findall(r'id="claim-([\w-]+)"', shown)) == sorted(said)
    assert "<details" in shown
    assert "<details open" not in shown.replace(' class="crl-world-claims"', "")


def test_a_link_shows_the_claims_of_one_verdict_one_world_and_some_words_unfolded(
    open_app: Open, store: RunStore
) -> None:
    content = ship(store)
    entries = content["claims"]
    app = open_app("claims")
    app.segmented_control(key="verdict").set_value("undecided").run()
    found = set(re.findall(r'id="claim-([\w-]+)"', words(app)))
    assert found == {entry["id"] for entry in entries if entry["verdict"] == "undecided"}  # type: ignore[attr-defined]
    assert "<details open" in words(app).replace(' class="crl-world-claims"', "")
    app.selectbox(key="about").set_value("Digits, labels").run()
    assert "No claim fits" in words(app)
    app.segmented_control(key="verdict").set_value("all").run()
    app.text_input(key="words").set_value("RAW pixels").run()
    assert re.findall(r'id="claim-([\w-]+)"', words(app)) == ["signals-lamp-baseline"]


def test_a_claim_about_the_run_in_view_is_judged_on_its_replicates_and_written_to_be_kept(
    open_app: Open, store: RunStore, tiny: Tiny
) -> None:
    ship(store)
    store.save(tiny.result)
    app = open_app("claims", **tiny.params)
    assert not app.exception
    shown = words(app)
    assert "A claim about your run" in shown
    assert "2 replicates; a verdict needs 5" in shown
    app.number_input(key="claims.own_bound").set_value(0.25).run()
    app.segmented_control(key="claims.own_is").set_value("above").run()
    lam = app.selectbox(key=f"claims.own_lam.{tiny.config.key}").value
    assert entry_of(own_claim(tiny.config, "ite_rmse", lam, "above", 0.25)) in [code.value for code in app.code]
    app.selectbox(key="claims.own_quantity").set_value("r2_s").run()
    assert "This quantity needs probes of the latent" in app.error[0].value


def test_a_claim_about_settings_that_are_not_trained_says_to_train_them(open_app: Open, store: RunStore) -> None:
    ship(store)
    shown = words(open_app("claims"))
    assert "has not been trained yet. Train it first" in shown


def test_without_stored_answers_the_page_says_how_to_get_them(open_app: Open) -> None:
    app = open_app("claims")
    assert not app.exception
    assert "Nothing has been measured yet" in words(app)


def test_answers_of_an_older_recipe_are_called_so(open_app: Open, store: RunStore) -> None:
    content = ship(store) | {"recipe_version": 0}
    (store.baked / BAKED.file).write_text(json.dumps(content))
    app = open_app("claims")
    assert "claims was made by another version of the recipe" in app.error[0].value
    assert "Not measured in this version: run the claims again." in words(app)  # and those of laboratories stay


def test_a_claim_that_has_changed_since_is_not_shown_with_its_old_numbers(open_app: Open, store: RunStore) -> None:
    content = ship(store)
    content["claims"][0]["threshold"] = 123.0  # type: ignore[index]
    (store.baked / BAKED.file).write_text(json.dumps(content))
    shown = words(open_app("claims"))
    assert shown.count("Not measured in this version: run the claims again.") == 1
    assert shown.count('class="crl-strip"') == len(content["claims"]) - 1  # type: ignore[arg-type]


def test_values_that_are_not_finite_are_drawn_as_broken_seeds(open_app: Open, store: RunStore) -> None:
    content = ship(store)
    entry = content["claims"][0]  # type: ignore[index]
    entry |= {"measured": [None] * 10, "median": None, "interval": [None, None], "verdict": "does not hold"}
    (store.baked / BAKED.file).write_text(json.dumps(content))
    app = open_app("claims")
    assert not app.exception
    assert words(app).count("not finite, a model broke") == 10


def test_a_damaged_stored_answer_is_no_crash(open_app: Open, store: RunStore) -> None:
    store.baked.mkdir(parents=True)
    (store.baked / BAKED.file).write_text("{")
    app = open_app("claims")
    assert not app.exception
    assert "Nothing has been measured yet" in words(app)


def test_runs_that_are_stored_here_are_measured_here(few: None, open_app: Open, store: RunStore) -> None:
    claims = pick(["recipe-with", "recipe-without"], load_claims())
    measured = run_claims(claims, 10, store, epochs=1)
    app = open_app("claims")
    assert not app.exception
    shown = words(app)
    assert "Measured on this machine, seeds 100 to 109." in shown
    assert [entry["verdict"] in shown for entry in content_of(measured, 10)["claims"]] == [True, True]
    assert not [button for button in app.button if button.label == "Put them to the test here"]


def test_the_button_submits_the_runs_and_cancel_takes_it_back(few: None, open_app: Open, store: RunStore) -> None:
    app = open_app("claims")
    executor = server_cache.jobs().executor = Cancellable(store, slots=1)
    next(button for button in app.button if button.label == "Put them to the test here").click().run()
    assert not app.exception
    ((config, _),) = runs_of(pick(["recipe-with", "recipe-without"], load_claims()))
    wait_until(lambda: [(job.key, job.parts) for job in executor.jobs] == [(config.key, frozenset())])
    assert "Run 1 of 1" in words(app)
    next(
        button for button in app.button if button.label == "Cancel" and button.key == "claims.runs.10.cancel"
    ).click().run()
    assert not app.exception
    assert executor.stopped == [config.key]
    assert [button for button in app.button if button.label == "Put them to the test here"]


def test_runs_that_are_refused_say_why(few: None, open_app: Open, store: RunStore) -> None:
    app = open_app("claims")

    def refuse(*_: object, **__: object) -> str:
        raise ValueError("20 runs are waiting already; wait until one has ended, or cancel one.")

    server_cache.jobs().submit = refuse  # type: ignore[method-assign,assignment]
    next(button for button in app.button if button.label == "Put them to the test here").click().run()
    app.run()
    assert not app.exception
    assert "20 runs are waiting already" in words(app)
