"""The Data page: a file comes, its roles are said and confirmed, what it can tell stands first; nothing gets lost."""

from __future__ import annotations

import gc
import io
import zipfile
from collections.abc import Iterator

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from crl_core.data.tables import source as tables
from crl_core.data.tables.columns import Raw, TableRefused
from crl_core.data.tables.reading import read_table
from crl_core.runs.store import RunStore
from pages.shared import data_load, own_table
from tests.crl_core.test_own_tables import frame, schools
from tests.crl_core.test_table_reading import parquet
from tests.crl_core.test_table_signals import frame as traces
from tests.crl_core.test_table_verdict import confounded
from tests.pages.conftest import Open, words

CANARY = "canary-7141"


@pytest.fixture(autouse=True)
def read_here(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Files are read in this process: reading apart has its own tests, and takes a second each time."""
    monkeypatch.setattr(data_load, "read_apart", read_table)
    yield
    for content in list(tables._LOADED):
        tables.forget(content)


def upload(app: AppTest, table: pd.DataFrame | bytes, name: str = "trial.csv") -> AppTest:
    content = table if isinstance(table, bytes) else table.to_csv(index=False).encode()
    return app.file_uploader[0].set_value((name, content, "text/csv")).run()


def field(app: AppTest, name: str) -> AppTest:
    (found,) = [item for item in (*app.selectbox, *app.multiselect, *app.checkbox) if str(item.key).endswith(name)]
    return found


def confirmed(app: AppTest) -> AppTest:
    app.button(key="data.confirm").click().run()
    assert not app.exception, app.exception[0].value
    return app


def said(app: AppTest) -> str:
    assert not app.exception, app.exception[0].value
    return words(app)


def drawn(app: AppTest) -> str:
    """All figures, as they are sent."""
    return " ".join(item.proto.spec for item in app.get("plotly_chart"))


def test_without_a_table_there_is_one_place_to_drop_a_file_and_what_becomes_of_it(open_app: Open) -> None:
    app = open_app("data")
    assert len(app.file_uploader) == 1
    text = said(app)
    assert "written to no disk" in text
    assert "What can this table tell?" not in text
    assert own_table.OwnTable.__name__ not in text


def test_a_file_is_shown_with_guessed_roles_and_judged_only_once_they_are_confirmed(open_app: Open) -> None:
    app = upload(open_app("data"), frame())
    text = said(app)
    assert "trial.csv" in text
    assert "400 rows, 7 columns" in text
    assert "What can this table tell?" not in text
    roles = app.dataframe[0].value.set_index("Column")
    assert roles.loc["site", "Role"] == "environment"
    assert roles.loc["y", "Role"] == "outcome"
    assert roles.loc["sex", "Kind"] == "text"
    assert roles.loc["age", "Missing"] == f"{100 * frame()['age'].isna().mean():.3g} %"
    assert roles.loc["site", "Values"] == 2
    text = said(confirmed(app))
    assert "What can this table tell?" in text
    assert "<b>like a trial</b>" in text
    assert "Treated means treated = 1, untreated 0" in text
    assert "Nobody has said so." in text
    for figure in ("Arms in each environment", "Overlap of the arms", "Where the arms differ"):
        assert figure in drawn(app)
    field(app, "before").check().run()
    assert "So it was said." in said(app)
    assert "What can this table tell?" in words(app)  # what is said of the time needs no look again


def test_a_changed_role_has_to_be_confirmed_again(open_app: Open) -> None:
    app = confirmed(upload(open_app("data"), frame()))
    field(app, "environment").select("sex").run()
    text = said(app)
    assert "What can this table tell?" not in text
    assert app.dataframe[0].value.set_index("Column").loc["site", "Role"] == "covariate"
    assert "Environments are the values of sex" in said(confirmed(app))


def test_which_value_means_treated_is_asked_where_it_is_not_plain_and_turns_the_sign(open_app: Open) -> None:
    table = frame()
    table["treated"] = table["treated"].map({0: "usual care", 1: "new drug"})
    app = upload(open_app("data"), table)
    app.button(key="data.confirm").click().run()
    assert "say which of them means treated" in said(app)
    signs = []
    for value in ("new drug", "usual care"):
        field(app, "treated.treated").select(value).run()
        text = said(confirmed(app))
        assert f"Treated means treated = {value}" in text
        signs.append("difference in means, −" in text)
    assert signs == [False, True]


def test_nsw_like_arms_are_not_to_be_trusted_and_the_first_lines_say_why(open_app: Open) -> None:
    app = upload(open_app("data"), confounded(12.0))
    text = said(confirmed(app))
    assert "<b>do not trust</b><span>what this table can tell</span>" in text
    first = text.index("Do not trust an effect that is estimated from this table")
    assert first < text.index("Do treated and untreated rows overlap?")
    assert "the method decides what is found" in text


def test_rows_left_out_and_notes_of_the_reader_are_told(open_app: Open) -> None:
    table = frame()
    table.loc[:9, "y"] = np.nan
    table["age"] = table["age"].astype(object)
    table.loc[20, "age"] = np.inf
    app = upload(open_app("data"), table)
    assert "1 cells hold an infinite number" in said(app)
    text = said(confirmed(app))
    assert "390 of 400 rows" in text
    assert "y (outcome) is missing" in text


def test_roles_that_cannot_be_are_refused_and_nothing_is_lost(open_app: Open) -> None:
    app = upload(open_app("data"), frame())
    field(app, "outcome").select("seen").run()
    app.button(key="data.confirm").click().run()
    assert "The outcome seen is no number and has more than two values" in said(app)
    assert field(app, "outcome").value == "seen"
    field(app, "outcome").select("treated").run()
    assert "treated is chosen as outcome and treatment" in words(app)
    assert app.button(key="data.confirm").disabled
    field(app, "outcome").select("y").run()
    assert "What can this table tell?" in said(confirmed(app))


def test_roles_stay_while_other_pages_are_looked_at(open_app: Open) -> None:
    app = upload(open_app("data"), frame())
    field(app, "environment").select("sex").run()
    field(app, "ignore").select("seen").run()
    app.switch_page("pages/scenario.py").run()
    app.switch_page("pages/data.py").run()
    roles = app.dataframe[0].value.set_index("Column")["Role"]
    assert roles["sex"] == "environment"
    assert roles["seen"] == "left out"
    confirmed(app).switch_page("pages/scenario.py").run()
    app.switch_page("pages/data.py").run()
    assert "What can this table tell?" in said(app)


# -- bad files ---------------------------------------------------------------------------------------------------------


def zipped() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("trial.csv", "a,b\n1,2\n")
    return file.getvalue()


NESTED = parquet(pa.table({"a": [1, 2], "tags": [["x"], ["y", "z"]]}))
BAD = {
    "empty": (b"", "is empty"),
    "one column": (b"a\n1\n2\n", "has one column"),
    "duplicate names": (b"a,b,a\n1,2,3\n", "both called a"),
    "a million rows": (b"a,b\n" + b"1,2\n" * 1_000_000, "more than 200,000 rows"),
    "5,000 columns": (",".join(f"c{i}" for i in range(5000)).encode() + b"\n1\n", "5,000 columns"),
    "wrong encoding": ("a,b\n1,grün\n".encode("latin-1"), "UTF-8"),
    "zip": (zipped(), "a zip archive"),
    "nested": (NESTED, "tags holds lists"),
}


@pytest.mark.parametrize("name", list(BAD))
def test_a_file_that_is_no_table_costs_one_sentence_and_the_table_before_stays(open_app: Open, name: str) -> None:
    content, sentence = BAD[name]
    app = upload(open_app("data"), content, "bad.csv")
    text = said(app)
    assert "bad.csv was not read" in text
    assert sentence in text
    assert len(app.file_uploader) == 1  # ready for the next
    confirmed(upload(app, frame()))
    assert "was not read" not in words(app)
    text = said(upload(app, content, "bad.csv"))
    assert sentence in text
    assert "What can this table tell?" in text


ODD = {
    "decimal comma": (lambda t: t.to_csv(index=False, sep=";", decimal=",").encode(), ""),
    "mixed types": (lambda t: t.assign(mixed=["x", *map(str, range(len(t) - 1))]), "it is read as text"),
    "Excel's errors": (lambda t: t.assign(ratio=np.where(t.index < 9, "#DIV/0!", "1.5")), "an error of Excel"),
    "all missing": (lambda t: t.assign(gone=np.nan), ""),
    "formulas": (lambda t: t.assign(note=np.resize(["=1+1", "@SUM(A1)"], len(t))), ""),
    "old dates": (lambda t: t.assign(seen=np.resize(["1850-01-02", "0099-12-31"], len(t))), ""),
    "other": (lambda t: t.assign(job=np.resize(["(other)", "(missing)", "a"], len(t))), ""),
    "markup": (lambda t: t.assign(site=np.resize(["<b>a</b>", "$x$ [l](u)"], len(t))), ""),
    "tiny numbers": (lambda t: t.assign(small=np.resize([1e-300, -1e-300, 0.0], len(t))), ""),
    "large numbers": (lambda t: t.assign(big=np.resize([1e15, -1e15, 1.0], len(t))), ""),
}


@pytest.mark.parametrize("name", list(ODD))
def test_an_odd_table_is_judged_all_the_same(open_app: Open, name: str) -> None:
    change, note = ODD[name]
    app = upload(open_app("data"), change(frame()))
    assert note in said(app)
    text = said(confirmed(app))
    assert "What can this table tell?" in text
    assert "nan" not in text.lower().split()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda t: t.assign(treated=1), "has one value only"),
        (lambda t: t.assign(treated=(t.index < 4).astype(int)), "4 rows have the treatment 1; 10 are the least"),
        (lambda t: t.assign(site=np.where(t.index < 20, "tiny", "large")), "tiny has 20 rows; 30 are the least"),
        (lambda t: t.head(60), "60 rows can be used"),
        (lambda t: t.assign(y=3.5), "the same in all rows"),
        (lambda t: t.assign(age=np.resize([1e300, 1.0], len(t))), "numbers beyond ±1e+15"),
    ],
)
def test_a_table_that_cannot_tell_anything_is_refused_when_it_is_confirmed(
    open_app: Open, change: object, sentence: str
) -> None:
    app = upload(open_app("data"), change(frame()))  # type: ignore[operator]
    for name, column in (("treatment", "treated"), ("outcome", "y"), ("environment", "site")):
        field(app, name).select(column).run()
    app.button(key="data.confirm").click().run()
    assert sentence in said(app)
    assert len(app.dataframe) == 1


def test_an_environment_with_one_arm_is_named(open_app: Open) -> None:
    table = frame()
    table["site"] = np.where(table["treated"] == 1, "recruited", "survey")
    text = said(confirmed(upload(open_app("data"), table)))
    assert "recruited and survey: one arm only." in text
    assert "erases the confounders" in text


# -- whose it is -------------------------------------------------------------------------------------------------------


def test_nothing_of_a_table_is_in_the_address_in_a_file_or_with_another_session(
    open_app: Open, store: RunStore
) -> None:
    table = frame()
    table["site"] = table["site"] + CANARY
    app = confirmed(upload(open_app("data"), table))
    assert CANARY in drawn(app)
    assert "data" not in " ".join(app.query_params)
    assert CANARY not in str(app.query_params)
    for file in store.root.parent.rglob("*"):
        assert not file.is_file() or CANARY.encode() not in file.read_bytes(), file
    other = open_app("data")
    assert CANARY not in said(other) + drawn(other)
    assert "What can this table tell?" not in words(other)


def rows_of(seed: int = 0) -> Raw:
    return read_table(frame(seed).to_csv(index=False).encode())


def test_rows_are_forgotten_with_the_last_session_that_has_them(monkeypatch: pytest.MonkeyPatch) -> None:
    sessions: list[dict[str, object]] = [{}, {}]

    def in_session(number: int) -> None:
        monkeypatch.setattr(st, "session_state", sessions[number])

    for number in (0, 1):
        in_session(number)
        own_table.confirm(own_table.take("trial.csv", rows_of()))
    assert len(tables._LOADED) == 2  # the same table twice
    first, second = (session["data.table"].source for session in sessions)  # type: ignore[attr-defined]
    assert first.content != second.content  # a stranger cannot guess what the rows are kept under
    in_session(0)
    own_table.leave()
    gc.collect()
    assert own_table.current() is None
    in_session(1)
    kept = own_table.current()
    assert kept is not None
    assert kept.source is not None
    assert len(kept.source.rows(0)[0]) == 320
    del kept
    own_table.take("next.csv", rows_of(seed=1))
    gc.collect()
    assert tables._LOADED == {}


def test_a_table_is_current_only_while_its_roles_are_confirmed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(st, "session_state", {})
    table = own_table.take("trial.csv", rows_of())
    assert own_table.loaded() is table
    assert own_table.current() is None
    own_table.confirm(table)
    table = own_table.current()
    assert table is not None
    own_table.say(table, dict(table.roles), table.treated, table.categories, None, True)
    assert own_table.current() is not None
    own_table.say(table, dict(table.roles) | {"sex": "ignore"}, table.treated, table.categories, None, True)
    assert own_table.current() is None
    with pytest.raises(TableRefused):
        own_table.confirm(own_table.say(table, dict(table.roles) | {"y": "ignore"}, "", frozenset(), None, True))
    assert own_table.loaded() is not None


def test_a_run_of_columns_is_declared_one_signal_and_a_beginning_of_none_is_told(open_app: Open) -> None:
    app = upload(open_app("data"), traces())
    (beginning,) = [item for item in app.text_input if str(item.key).endswith("signal")]
    beginning.set_value("eeg").run()
    assert "no column is a sample of the signal" in said(app)
    assert app.button(key="data.confirm").disabled
    beginning.set_value("ecg").run()
    kinds = app.dataframe[0].value.set_index("Column")["Kind"]
    assert kinds["ecg7"] == "sample"
    assert kinds["age"] == "number"
    assert "What can this table tell?" in said(confirmed(app))
    beginning.set_value("").run()
    assert "What can this table tell?" not in said(app)  # other roles are confirmed again


def test_a_trace_with_a_gap_is_refused_when_it_is_confirmed(open_app: Open) -> None:
    table = traces()
    table.loc[6, "ecg7"] = np.nan
    app = upload(open_app("data"), table)
    (beginning,) = [item for item in app.text_input if str(item.key).endswith("signal")]
    beginning.set_value("ecg").run()
    assert "row 7 has a gap in the signal, the first at ecg7" in said(confirmed(app))


def test_a_table_that_was_kept_has_its_signal_when_it_is_opened_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(st, "session_state", {})
    raw = read_table(traces().to_csv(index=False).encode())
    table = own_table.take("traces.csv", raw)
    table = own_table.confirm(own_table.say(table, dict(table.roles), "", frozenset(), None, False, "ecg"))
    assert table.by_content is not None
    tables.load(table.by_content, table.columns)
    again = own_table.open_kept(table.by_content, table.columns)
    assert again.signal == "ecg"
    assert again.source is not None
    assert len(again.source.signal) == 20


def test_a_table_can_be_left(open_app: Open) -> None:
    app = confirmed(upload(open_app("data"), frame()))
    app.button(key="data.leave").click().run()
    assert len(app.file_uploader) == 1
    assert "What can this table tell?" not in said(app)


def test_small_environments_are_taken_together_and_how_many_is_a_choice(open_app: Open) -> None:
    app = upload(open_app("data"), schools())
    field(app, "environment").select("site").run()
    (number,) = [item for item in app.number_input if "group" in str(item.key)]
    assert number.value == 9
    text = said(confirmed(app))
    assert "site has 12 values: the 9 largest are environments of their own" in text
    assert "Its smaller ones together are (other)." in text
    app.number_input(key=number.key).set_value(3).run()
    assert "What can this table tell?" not in said(app)
    assert "the 3 largest" in said(confirmed(app))
