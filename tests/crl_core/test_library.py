"""The library: what is written on runs, the index that folders can always rebuild, search, and people at the same
run."""

from __future__ import annotations

import json
import multiprocessing
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crl_core import RunConfig, preset, train
from crl_core.config import RECIPE_VERSION
from crl_core.config.text import altered, nearest
from crl_core.runs.bundle import export_bytes, import_run
from crl_core.runs.labels import MAX_NAME, MAX_NOTE, MAX_TAG, Label, read_label
from crl_core.runs.library import Library, Usage, retagged, search, tags_of
from crl_core.runs.sealing import StoreError
from crl_core.runs.store import RunNotFound, RunStore
from tests.crl_core.made_up import assert_same, made_up_result, store_in, tiny_config


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    own = store_in(tmp_path)
    for seed in range(3):
        own.save(made_up_result(tiny_config(seed)))
    return own


KEYS = [tiny_config(seed).key for seed in range(3)]


# -- labels ------------------------------------------------------------------------------------------------------------


def test_a_name_tags_and_a_note_stay_with_the_run_through_trash_and_verify(store: RunStore) -> None:
    label = Label(name="First try", tags=("lecture", "draft"), note="line one\nline two")
    store.label(KEYS[0], label)
    assert store.summary(KEYS[0]).label == label  # type: ignore[union-attr]
    store.delete(KEYS[0])
    store.restore(KEYS[0])
    assert store.summary(KEYS[0]).label == label  # type: ignore[union-attr]
    assert store.verify() == []
    store.label(KEYS[0], Label())
    assert store.summary(KEYS[0]).label == Label()  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"name": "x" * (MAX_NAME + 1)}, "the name has 81 characters; at most 80"),
        ({"name": "a\x00b"}, "the name holds control characters"),
        ({"name": "a\nb"}, "control characters"),
        ({"name": 3}, "must be text"),
        ({"tags": ("x" * (MAX_TAG + 1),)}, "a tag has 25 characters"),
        ({"tags": ("a,b",)}, "a comma"),
        ({"tags": tuple(map(str, range(13)))}, "13 tags; at most 12"),
        ({"tags": "lecture"}, "give a list of words"),
        ({"note": "x" * (MAX_NOTE + 1)}, "the note has 2001"),
        ({"note": "\x1b[31m"}, "control characters"),
    ],
)
def test_a_label_that_cannot_be_is_refused_in_a_sentence(wrong: dict[str, object], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Label(**wrong)  # type: ignore[arg-type]


@given(st.text(max_size=60), st.lists(st.text(max_size=20), max_size=5), st.text(max_size=300))
def test_whatever_label_is_accepted_comes_back_as_it_was(name: str, tags: list[str], note: str) -> None:
    try:
        label = Label(name=name, tags=tuple(tags), note=note)
    except ValueError:
        return
    assert Label.from_dict(json.loads(json.dumps(label.to_dict()))) == label


def test_a_name_given_ahead_is_the_runs_from_the_moment_it_is_stored(store: RunStore) -> None:
    config = tiny_config(9)
    store.label_ahead(config.key, Label(name="seed 9"))
    assert store.summary(config.key) is None
    assert store.verify() == []
    store.save(made_up_result(config))
    assert store.summary(config.key).label.name == "seed 9"  # type: ignore[union-attr]
    store.label_ahead(config.key, Label(name="too late"))
    assert store.summary(config.key).label.name == "seed 9"  # type: ignore[union-attr]


def test_a_run_of_another_number_of_environments_is_found_by_words(store: RunStore) -> None:
    config = altered(tiny_config(4), n_envs=3)
    store.save(made_up_result(config))
    assert [run.key for run in search(store.summaries(), "3 environments")] == [config.key]


def test_a_damaged_label_costs_the_label_and_nothing_else(store: RunStore) -> None:
    (store.root / "runs" / KEYS[0] / "label.json").write_text('{"name": 3')
    assert store.summary(KEYS[0]).label == Label()  # type: ignore[union-attr]
    assert store.verify() == []
    assert_same(store.load(KEYS[0]), made_up_result(tiny_config(0)))


def test_a_baked_run_cannot_be_labelled_and_says_so(tmp_path: Path) -> None:
    own = store_in(tmp_path)
    own.save(made_up_result())
    own.root.joinpath("runs").rename(own.baked)
    with pytest.raises(StoreError, match="comes with the program and cannot be changed"):
        own.label(tiny_config().key, Label(name="mine"))


# -- two people at the same run ----------------------------------------------------------------------------------------


def test_the_second_of_two_who_rename_a_run_is_told_what_stands_there_now(store: RunStore) -> None:
    seen = read_label(store.root / "runs" / KEYS[0])
    store.label(KEYS[0], Label(name="hers"), was=seen)
    with pytest.raises(StoreError, match="it is now “hers”"):
        store.label(KEYS[0], Label(name="his"), was=seen)
    assert store.summary(KEYS[0]).label.name == "hers"  # type: ignore[union-attr]
    store.label(KEYS[0], Label(name="hers"), was=seen)  # the same wish twice is no quarrel


def test_renaming_or_deleting_a_run_that_another_has_deleted_says_so(store: RunStore) -> None:
    store.delete(KEYS[0])
    for act in (lambda: store.label(KEYS[0], Label(name="late")), lambda: store.delete(KEYS[0])):
        with pytest.raises(RunNotFound, match="it was deleted, or never trained here"):
            act()
    store.restore(KEYS[0])
    assert store.summary(KEYS[0]).label == Label()  # type: ignore[union-attr]


# -- the index ---------------------------------------------------------------------------------------------------------


def test_the_library_lists_what_the_folders_hold_and_follows_every_change(store: RunStore) -> None:
    library = Library(store)

    def same() -> bool:
        return sorted(library.runs(), key=lambda run: run.key) == sorted(store.summaries(), key=lambda run: run.key)

    assert same()
    store.label(KEYS[1], Label(name="named", tags=("a",)))
    assert same()
    store.pin(KEYS[1])
    assert same()
    store.delete(KEYS[0])
    assert same()
    assert len(library.runs()) == 2
    store.restore(KEYS[0])
    assert same()
    shutil.rmtree(store.root / "runs" / KEYS[2])  # by hand
    assert same()
    used = Usage.of(library.runs(), store)
    assert (used.n_runs, used.quota_bytes) == (2, store.quota_bytes)
    files = [path for path in (store.root / "runs").rglob("*.joblib") if path.is_file()]
    assert used.bytes == sum(path.stat().st_size for path in files) > 0


@pytest.mark.parametrize("text", [None, "", "{", "[]", '{"format": 1, "rows": {"x": 3}}', '{"format": 99, "rows": {}}'])
def test_an_index_that_is_missing_damaged_or_foreign_is_built_again(store: RunStore, text: str | None) -> None:
    Library(store).runs()
    index = store.root / "index.json"
    index.unlink() if text is None else index.write_text(text)
    assert {run.key for run in Library(store).runs()} == set(KEYS)
    assert set(json.loads(index.read_text())["rows"]) == set(KEYS)


def test_an_index_that_lies_about_a_changed_folder_is_not_believed(store: RunStore) -> None:
    Library(store).runs()
    store.label(KEYS[0], Label(name="after the index was written"))
    found = {run.key: run for run in Library(store).runs()}
    assert found[KEYS[0]].label.name == "after the index was written"


def test_a_fresh_library_takes_unchanged_runs_from_the_index_alone(
    store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    Library(store).runs()
    monkeypatch.setattr(RunStore, "row", lambda *_: pytest.fail("a folder was read"))
    assert len(Library(store).runs()) == 3
    with pytest.raises(pytest.fail.Exception):
        Library(store).rebuild()


def test_a_run_that_cannot_be_read_is_left_out_and_the_others_stay(store: RunStore) -> None:
    (store.root / "runs" / KEYS[0] / "manifest.json").write_text("{}")
    assert {run.key for run in Library(store).runs()} == set(KEYS[1:])


def _label_often(root: str, key: str, word: str) -> None:
    store = RunStore(root, Path(root) / "none")
    library = Library(store)
    for turn in range(15):
        store.label(key, Label(name=f"{word} {turn}"))
        library.runs()


def test_two_programs_that_write_the_index_at_once_lose_nothing(store: RunStore) -> None:
    writers = [
        multiprocessing.get_context("spawn").Process(target=_label_often, args=(str(store.root), key, word))
        for key, word in zip(KEYS, ("one", "two"), strict=False)
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
        assert writer.exitcode == 0
    names = {run.key: run.label.name for run in Library(RunStore(store.root, store.baked)).runs()}
    assert names == {KEYS[0]: "one 14", KEYS[1]: "two 14", KEYS[2]: ""}


# -- search ------------------------------------------------------------------------------------------------------------


def test_search_finds_names_tags_notes_keys_presets_and_what_was_changed(store: RunStore) -> None:
    store.label(KEYS[0], Label(name="Kalender", tags=("lecture",), note="für Dienstag"))
    store.label(KEYS[1], Label(name="Second", tags=("lecture", "draft")))
    runs = Library(store).runs()

    def found(text: str = "", *tags: str) -> set[str]:
        return {run.key for run in search(runs, text, tags)}

    assert found() == set(KEYS)
    assert found("kalEnder") == {KEYS[0]}
    assert found("FÜR dienstag") == {KEYS[0]}
    assert found(KEYS[2][:7]) == {KEYS[2]}
    assert found("linear hidden") == set(KEYS)
    assert found("lecture") == {KEYS[0], KEYS[1]} == found("", "lecture")
    assert found("", "lecture", "draft") == {KEYS[1]}
    assert found("nothing of the kind") == set()
    assert tags_of(runs) == ["draft", "lecture"]
    label = Label(name="n", tags=("lecture", "draft"))
    assert retagged(label, add=["x"], remove=["draft"]) == Label(name="n", tags=("lecture", "x"))


def test_a_run_is_described_by_its_nearest_preset_and_what_differs() -> None:
    for name in ("hospital", "leaky", "sensors"):
        assert nearest(preset(name)) == (name, ())
    leaky = preset("leaky")
    changed = RunConfig(scenario=leaky.scenario, training=replace(leaky.training, epochs=7, device="cpu"))
    preset_id, found = nearest(changed)
    assert (preset_id, [str(change) for change in found]) == ("leaky", ["epochs 7"])


# -- exchange ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def trained(tmp_path: Path) -> RunStore:
    """A store with one run that was really trained: an export checks every array."""
    own = store_in(tmp_path / "trained")
    own.save(train(tiny_config()))
    return own


def test_an_imported_run_keeps_its_date_its_label_and_says_when_it_came(trained: RunStore, tmp_path: Path) -> None:
    trained.label(KEYS[0], Label(name="sent", tags=("t",), note="n"))
    before = trained.summary(KEYS[0])
    other = store_in(tmp_path / "other")
    import_run(other, export_bytes(trained, KEYS[0]))
    after = other.summary(KEYS[0])
    assert before is not None
    assert after is not None
    assert (after.created, after.label) == (before.created, before.label)
    assert before.imported is None
    assert after.imported is not None
    assert after.imported >= before.created


def test_a_bundle_of_an_older_recipe_is_imported_and_labelled_as_such(
    trained: RunStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected, content = trained.load(KEYS[0]), export_bytes(trained, KEYS[0])
    for room in ("config.run", "runs.records", "runs.bundle"):
        monkeypatch.setattr(f"crl_core.{room}.RECIPE_VERSION", RECIPE_VERSION + 1)
    other = store_in(tmp_path / "other")
    assert import_run(other, content) == KEYS[0]
    (run,) = Library(other).runs()
    assert (run.outdated, run.recipe_version) == (True, RECIPE_VERSION)
    assert search([run], "outdated") == [run]
    assert_same(other.load(KEYS[0]), expected)
    assert export_bytes(other, KEYS[0])[:4] == b"PK\x03\x04"
