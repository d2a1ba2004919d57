"""What people give is understood however their editor, shell or keyboard made it, and never taken for another thing."""

import codecs
import io
import json
import os
import sys
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crl_core import RunConfig
from crl_core.cli.program import main
from crl_core.data.user_files import MOST_BYTES, decode, expanded, folded, place, read_text
from crl_core.runs.bundle import BundleRefused, import_run
from crl_core.runs.labels import Label
from crl_core.runs.library import retagged, search, tags_of
from crl_core.runs.records import RunSummary
from crl_core.runs.store import RunStore, StoreError, default_root
from crl_core.studies.claims import load_claims, parse_claims
from tests.crl_core.made_up import made_up_result, store_in, tiny_config

Output = pytest.CaptureFixture[str]

# How editors and shells save a text: Notepad, PowerShell's `>`, an old Mac, a converter.
ENCODINGS = {
    "utf-8": b"",
    "utf-8-sig": b"",
    "utf-16-le": codecs.BOM_UTF16_LE,
    "utf-16-be": codecs.BOM_UTF16_BE,
    "utf-32-le": codecs.BOM_UTF32_LE,
    "utf-32-be": codecs.BOM_UTF32_BE,
}
LINE_ENDS = ("\n", "\r\n", "\r")
letters = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\0"), max_size=40)


# -- text --------------------------------------------------------------------------------------------------------------


@given(text=letters, encoding=st.sampled_from(list(ENCODINGS)), end=st.sampled_from(LINE_ENDS))
def test_a_text_is_read_the_same_from_every_encoding_and_line_end(text: str, encoding: str, end: str) -> None:
    written = f"{{ {text}\n".replace("\n", end)
    assert decode(ENCODINGS[encoding] + written.encode(encoding)) == f"{{ {text}\n"


@given(content=st.binary(max_size=60))
def test_any_bytes_are_text_or_refused_in_a_sentence(content: bytes) -> None:
    try:
        text = decode(content)
    except ValueError as error:
        text = str(error)
        assert text.startswith("this is not text; save")
    assert "\r" not in text


@pytest.mark.parametrize("encoding", list(ENCODINGS))
@pytest.mark.parametrize("marked", [True, False])
def test_a_config_saved_on_windows_names_the_same_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output, encoding: str, marked: bool
) -> None:
    """Found as: a config with a byte-order mark is "not JSON"."""
    store = RunStore(tmp_path / "cache", tmp_path / "none")
    store.save(made_up_result(tiny_config()))
    monkeypatch.setenv("CRL_CACHE", str(store.root))
    text = json.dumps(tiny_config().to_dict(), indent=1).replace("\n", "\r\n")
    content = (ENCODINGS[encoding] if marked else b"") + text.encode(encoding)
    (tmp_path / "config.json").write_bytes(content)
    assert main(["train", "--config", str(tmp_path / "config.json"), "--json", "-"]) == 0
    assert json.loads(capsys.readouterr().out)["key"] == tiny_config().key
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content), encoding="ascii"))
    assert main(["train", "--config", "-", "--json", "-"]) == 0
    assert json.loads(capsys.readouterr().out)["key"] == tiny_config().key


def test_json_that_a_notebook_has_read_with_its_byte_order_mark_is_a_config() -> None:
    assert RunConfig.from_json("\ufeff" + tiny_config().to_json()) == tiny_config()


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_claims_edited_on_windows_are_the_same_claims(tmp_path: Path, encoding: str) -> None:
    source = Path(sys.modules["crl_core.studies.claims"].__file__ or "").parent / "claims.toml"
    text = source.read_text(encoding="utf-8").replace("\n", "\r\n")
    (tmp_path / "claims.toml").write_bytes(text.encode(encoding))
    assert parse_claims(read_text(tmp_path / "claims.toml")) == load_claims()


def test_a_file_that_never_ends_is_not_read_for_ever(tmp_path: Path) -> None:
    with open(tmp_path / "long.json", "wb") as file:
        file.truncate(MOST_BYTES + 1)
    with pytest.raises(ValueError, match="more than 10 MB"):
        read_text(tmp_path / "long.json")


# -- paths -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder, and another that is the working one."""
    for name in ("home", "work"):
        (tmp_path / name).mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("LAB", "lab")
    monkeypatch.delenv("NOT_SET", raising=False)
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path / "home"


@pytest.mark.parametrize("written", ["~/x/lab", "$HOME/x/lab", "${HOME}/x/$LAB", "~/x/${LAB}"])
def test_home_and_variables_in_the_cache_are_no_folders_of_that_name(
    home: Path, monkeypatch: pytest.MonkeyPatch, written: str
) -> None:
    """Found as: CRL_CACHE='~/x' stores into ./~/x."""
    monkeypatch.setenv("CRL_CACHE", written)
    key = RunStore().save(made_up_result(tiny_config()))
    assert (home / "x" / "lab" / "runs" / key).is_dir()
    assert RunStore(written).root == home / "x" / "lab"
    assert not list(Path.cwd().iterdir())


def test_a_relative_cache_is_the_same_folder_for_a_process_that_works_elsewhere(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CRL_CACHE", "runs")
    assert default_root() == Path.cwd() / "runs"


@pytest.mark.parametrize("written", ["$NOT_SET/x", "${NOT_SET}", "~nobody-of-that-name/x"])
def test_a_variable_or_user_that_is_not_there_is_said_and_nothing_is_made(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output, written: str
) -> None:
    with pytest.raises(ValueError, match=r"not set|not known here"):
        expanded(written)
    monkeypatch.setenv("CRL_CACHE", written)
    with pytest.raises(StoreError, match="CRL_CACHE"):
        RunStore()
    assert main(["runs", "list"]) == 2
    assert "CRL_CACHE cannot be used: the path" in capsys.readouterr().err
    monkeypatch.delenv("CRL_CACHE")
    with pytest.raises(SystemExit):
        main(["presets", "--json", written])
    assert "argument --json: the path" in capsys.readouterr().err
    assert not list(Path.cwd().iterdir())


def test_a_file_whose_name_holds_a_dollar_is_that_file(home: Path) -> None:
    Path("a$LAB.zip").touch()
    assert expanded("a$LAB.zip") == "a$LAB.zip"
    assert expanded("b$LAB.zip") == "blab.zip"
    assert expanded("5$.zip") == "5$.zip"
    assert expanded("./~/x") == "./~/x"


@given(path=st.text(st.characters(exclude_characters="$\0", exclude_categories=["Cs"])).filter(lambda t: t[:1] != "~"))
def test_a_path_without_home_or_variables_stays_as_it_is(path: str) -> None:
    assert expanded(path) == path


def test_every_path_argument_knows_home_and_says_where_a_relative_one_lies(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    monkeypatch.setenv("CRL_CACHE", "~/cache")
    (home / "config.json").write_text(tiny_config().to_json())
    assert main(["train", "--config", "~/config.json", "--json", "-"]) == 0
    key = json.loads(capsys.readouterr().out)["key"]
    assert main(["runs", "export", key, "~/r.zip"]) == 0
    assert f"is in {home}/r.zip," in capsys.readouterr().out
    assert main(["runs", "export", key, "r.zip", "--json", "$HOME/out.json"]) == 0
    assert f"is in r.zip in {Path.cwd()}, " in capsys.readouterr().out
    assert json.loads((home / "out.json").read_text())["exported"] == key
    monkeypatch.setenv("CRL_CACHE", "~/other")
    assert main(["runs", "import", "~/r.zip"]) == 0
    assert f"is imported into {home}/other." in capsys.readouterr().out
    assert main(["train", "--config", "$HOME/config.json", "--json", "-"]) == 0
    assert json.loads(capsys.readouterr().out)["cached"] is True
    for command in (["train", "--config", "no.json"], ["runs", "import", "no.zip"], ["serve", "no.onnx"]):
        assert main(command) == 2
        assert f" in {Path.cwd()}" in capsys.readouterr().err


def test_a_working_folder_that_was_deleted_is_said(home: Path) -> None:
    (home / "gone").mkdir()
    os.chdir(home / "gone")
    (home / "gone").rmdir()
    assert place("x") == " in a folder that is there no more"
    with pytest.raises(ValueError, match="there no more"):
        RunStore("x")
    os.chdir(home)


# -- names -------------------------------------------------------------------------------------------------------------


NAMES = st.text(st.characters(categories=["L", "M", "N"]), min_size=1, max_size=12)


@given(name=NAMES)
def test_a_name_is_the_same_name_however_its_letters_are_composed_and_in_any_case(name: str) -> None:
    composed, apart = (unicodedata.normalize(form, name) for form in ("NFC", "NFD"))
    assert folded(composed) == folded(apart) == folded(folded(name))
    assert folded(name.casefold()) == folded(name)


def summary_of(seed: int, label: Label) -> RunSummary:
    config = tiny_config(seed)
    return RunSummary(
        key=config.key,
        config=config,
        created=0.0,
        seconds=1.0,
        device="cpu",
        bytes=1,
        parts=(),
        pinned=False,
        baked=False,
        recipe_version=1,
        imported=None,
        label=label,
        figures={},
    )


KOENIG = unicodedata.normalize("NFD", "König")


def test_names_and_tags_are_found_and_removed_in_any_case_and_composition() -> None:
    run = summary_of(0, Label(name=KOENIG, tags=("Größe", "lecture")))
    assert run.label.name == "König"
    for text in ("könig", "KÖNIG", unicodedata.normalize("NFD", "kÖnig"), "grösse", "GRÖSSE"):
        assert search([run], text) == [run], text
    for tag in ("GRÖSSE", unicodedata.normalize("NFD", "größe"), " Lecture"):
        assert search([run], tags=[tag]) == [run], tag
        assert len(retagged(run.label, remove=[tag]).tags) == 1
    assert search([run], tags=["größ"]) == []


def test_a_tag_stands_once_in_the_spelling_that_came_first() -> None:
    label = retagged(Label(tags=("Über",)), add=["über", unicodedata.normalize("NFD", "ÜBER"), "neu"])
    assert label.tags == ("neu", "Über")
    assert Label.from_dict(label.to_dict()) == label
    runs = [summary_of(0, Label(tags=("Über",))), summary_of(1, Label(tags=("über", "neu")))]
    assert tags_of(runs) == ["neu", "Über"]
    assert search(runs, tags=["ÜBER"]) == runs


def test_a_key_typed_in_capitals_is_that_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output) -> None:
    monkeypatch.setenv("CRL_CACHE", str(tmp_path))
    key = RunStore().save(made_up_result(tiny_config()))
    assert main(["runs", "rename", key[:8].upper(), "Lecture"]) == 0
    assert f"Run {key}" in capsys.readouterr().out


def test_a_folder_given_as_a_bundle_is_told_to_be_one(tmp_path: Path) -> None:
    with pytest.raises(BundleRefused, match="it is a folder; pack it as a zip"):
        import_run(store_in(tmp_path), tmp_path)
