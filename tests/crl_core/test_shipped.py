"""What comes with the program: one envelope, one reader, and a command that makes it anew."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from crl_core import PRESETS, preset
from crl_core.cli import bake as command
from crl_core.cli.program import main
from crl_core.config import RECIPE_VERSION
from crl_core.identify import shipped as latents
from crl_core.jobs.executors import Here
from crl_core.runs.sealing import StoreError
from crl_core.runs.shipped import Shipped
from crl_core.studies import bake, claims_run, detection_rates, environments, penalties, preset_verdicts, unit_tests
from crl_core.studies.claims import load_claims, pick
from crl_core.studies.penalties import ContestSetting
from crl_core.studies.study_claims import STUDIES, claims_of
from tests.crl_core.made_up import plain_answer, store_in

COMMITTED = Path(__file__).parents[2] / "cache" / "baked"
EVERY: list[Shipped] = [  # type: ignore[type-arg]
    preset_verdicts.BAKED,
    claims_run.BAKED,
    *(claims_run.shipped_claims(f"claims-{study}") for study in STUDIES),
    environments.BAKED,
    penalties.BAKED,
    unit_tests.BAKED,
    detection_rates.BAKED,
    latents.BAKED,
]


@pytest.mark.parametrize("item", EVERY, ids=lambda item: item.study)
def test_a_committed_answer_is_read_as_it_was_written_and_the_same_out_of_an_envelope(
    item: Shipped,  # type: ignore[type-arg]
    tmp_path: Path,
) -> None:
    plain = plain_answer(COMMITTED / item.file)
    seen: list[object] = []
    listening = replace(item, parse=lambda answer: seen.append(answer) or item.parse(answer))
    assert listening.read(COMMITTED) is not None
    assert item.problem(COMMITTED) is None
    assert seen[0] == plain
    item.write(tmp_path, plain)
    envelope = json.loads((tmp_path / item.file).read_text())
    assert list(envelope) == ["study", "recipe_version", "settings", "content"]
    assert (envelope["study"], envelope["recipe_version"]) == (item.study, item.version)
    assert set(envelope["settings"]) == set(item.settings)
    assert listening.read(tmp_path) is not None
    assert {"version": item.version, **seen[-1]} == {"version": item.version, "recipe_version": item.version, **plain}  # type: ignore[dict-item]


def test_every_file_that_comes_along_has_its_reader_and_can_be_made_anew() -> None:
    assert {item.study for item in EVERY} == set(bake.ANSWERS) == {path.stem for path in COMMITTED.glob("*.json")}
    assert not set(PRESETS) & {"runs", *bake.ANSWERS}


@pytest.mark.parametrize("item", EVERY, ids=lambda item: item.study)
@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda text: "{", "is damaged"),
        (lambda text: "[]", "is damaged"),
        (lambda text: text[: len(text) // 2], "is damaged"),
        (lambda text: "\udcff", "is damaged"),
        (lambda text: json.dumps(json.loads(text) | {"recipe_version": -1}), "another version of the recipe"),
        (lambda text: json.dumps(json.loads(text) | {"content": {}}), "is damaged"),
        (lambda text: json.dumps(json.loads(text) | {"settings": 3}), "is damaged"),
    ],
)
def test_an_answer_that_cannot_be_used_counts_as_none_and_one_sentence_says_why(
    item: Shipped,  # type: ignore[type-arg]
    change: Callable[[str], str],
    says: str,
    tmp_path: Path,
) -> None:
    assert item.read(tmp_path) is None
    assert item.problem(tmp_path) is None  # nothing is there, so nothing is wrong
    path = item.write(tmp_path, plain_answer(COMMITTED / item.file))
    path.write_text(change(path.read_text()), errors="surrogateescape")
    assert item.read(tmp_path) is None
    problem = item.problem(tmp_path)
    assert problem is not None
    assert says in problem
    assert problem.endswith(f"run it again: python -m crl_core bake --only {item.study}.")


def test_an_answer_that_cannot_be_written_says_where(tmp_path: Path) -> None:
    (tmp_path / "baked").write_text("")
    with pytest.raises(StoreError, match=r"penalties\.json"):
        penalties.BAKED.write(tmp_path / "baked", {"contests": []})


# -- made anew, small --------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_every_study_writes_an_envelope_that_its_page_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, said = store_in(tmp_path), list[str]()
    here = Here(store)
    few = pick(["recipe-with", "recipe-without"], load_claims())
    bake.bake_claims(store, here, said.append, claims=few, seeds=2, epochs=1)
    bake.bake_study_claims("identify", store, here, said.append, claims=[], seeds=2)
    small = replace(preset("hospital"), scenario=replace(preset("hospital").scenario, n_samples=300))
    monkeypatch.setattr(environments, "preset", lambda _: small)
    monkeypatch.setattr(environments, "N_FRESH", 200)
    bake.bake_environments(store, here, said.append, seeds=1, epochs=1)
    of_setting = ContestSetting.config
    monkeypatch.setattr(
        ContestSetting,
        "config",
        lambda setting, penalty, lams=None: replace(
            (config := of_setting(setting, penalty, (0.0, 1.0))),
            scenario=replace(config.scenario, n_samples=1500),
            training=replace(config.training, hidden=8, batch_size=512),
        ),
    )
    bake.bake_penalties(store, here, said.append, settings=[ContestSetting(preset="hospital", seeds=1, epochs=1)])
    bake.bake_unit_tests(store, here, said.append, seeds=1, epochs=1, penalties=["mmd"], problems=["3"])
    none = detection_rates.Spec("none", 0.0)
    bake.bake_unseen(store, here, said.append, seeds=1, draws=2, epochs=1, sizes=(100,), only=(none,))
    bake.bake_identify(store, here, said.append, seeds=1, worlds={"one": ("pca",)}, stairs=(2,), steps=2)

    claims = claims_run.baked_claims(store.baked)
    assert claims is not None
    assert [entry["id"] for entry in claims["claims"]] == ["recipe-with", "recipe-without"]
    assert (claims["seeds"], claims["epochs"], claims["recipe_version"]) == (2, 1, RECIPE_VERSION)
    assert claims_run.baked_problems(store.baked) == ""
    study = environments.baked_environments(store.baked, "hospital")
    assert study is not None
    again = environments.run_environments("hospital", 1, store, here, epochs=1)
    for name, values in again.series.items():
        np.testing.assert_array_equal(study.series[name], values)  # to the bit, null for NaN and back
    (contest,) = penalties.baked_contests(store.baked)
    assert contest.setting == ContestSetting(preset="hospital", seeds=1, epochs=1)
    tested = unit_tests.baked_unit_tests(store.baked)
    assert tested is not None
    assert (tested.seeds, tested.epochs, tested.problems, tested.penalties) == (1, 1, ("3",), ("mmd",))
    power = detection_rates.baked_power(store.baked, "hospitals")
    assert power is not None
    assert {row.intervention for row in power.rows} == {"none"}
    found = latents.shipped(store.baked)
    assert found is not None
    assert (found["seeds"], list(found["worlds"]), list(found["staircase"])) == (1, ["one"], ["2"])
    assert found["tradeoff"]
    for path in store.baked.glob("*.json"):
        assert set(json.loads(path.read_text())) == {"study", "recipe_version", "settings", "content"}
    told = list(dict.fromkeys(line.split(":")[0] for line in said))
    assert told == ["claims about λ paths", "claims", "environments", "penalties", "unit tests", "unseen", "identify"]


def test_the_command_makes_all_of_it_or_what_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made: list[str] = []
    studies = {name: lambda store, *_, name=name: made.append(name) or store.baked / name for name in bake.ANSWERS}
    monkeypatch.setattr(command, "ANSWERS", studies)
    monkeypatch.setattr(command, "bake", lambda presets, *_: made.extend(presets) or list(presets))
    monkeypatch.setattr(command, "remove_outdated", lambda _: [])
    assert main(["bake"]) == 0
    assert made == [*PRESETS, *bake.ANSWERS]
    made.clear()
    assert main(["bake", "--only", "hospital", "claims-unseen", "--json", "-"]) == 0
    assert made == ["hospital", "claims-unseen"]
    printed = json.loads(capsys.readouterr().out.split("\n", 1)[1])
    assert printed == {"baked": ["hospital"], "removed": [], "studies": ["claims-unseen"]}
    assert main(["bake", "--only", "nonsense"]) == 2
    assert "nothing called nonsense to bake; choose from runs, " in capsys.readouterr().err


@pytest.mark.parametrize("study", ["penalties", "identify"])
def test_the_former_ways_name_the_new_command(study: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([study, "--bake"]) == 2
    assert f"python -m crl_core bake --only {study}" in capsys.readouterr().err


def test_the_answers_of_a_laboratory_are_measured_over_as_many_seeds_as_were_shipped() -> None:
    for study in STUDIES.values():
        answer = claims_run.shipped_claims(f"claims-{study.id}").read(COMMITTED)
        assert answer is not None
        assert answer["seeds"] == study.seeds
        assert len(answer["claims"]) == len(claims_of(study.id))
