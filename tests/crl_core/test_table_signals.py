"""A run of a table's columns that is one signal: found by name, scaled as a whole, refused where it is no trace."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from crl_core import RunConfig, train
from crl_core.cli.program import main
from crl_core.config.table import table_config
from crl_core.config.text import altered
from crl_core.data.tables.columns import Raw, Role, TableRefused
from crl_core.data.tables.making import table_source
from crl_core.data.tables.private import private_rows
from crl_core.data.tables.reading import read_table
from crl_core.data.tables.signals import samples_of
from crl_core.data.tables.source import TableSource, encoded_rows, forget, load_again
from crl_core.export.exporter import make
from crl_core.network import one_model, predict
from crl_core.results import of_table
from crl_core.serve.app import create_app
from crl_core.serve.settings import Settings
from crl_core.training.scales import Scales
from crl_core.world.table_checks import look_at
from tests.crl_core.made_up import store_in
from tests.crl_core.test_serve import Server

N, T = 240, 20
SAMPLES = [f"ecg{at}" for at in range(T)]
ROLES: dict[str, Role] = {"y": "outcome", "t": "treatment", "age": "covariate"}


def frame() -> pd.DataFrame:
    """A bump of millivolts whose height the outcome follows; the columns stand in the order of an alphabet."""
    rng = np.random.default_rng(5)
    height = rng.normal(1, 0.2, N)
    bump = np.exp(-0.5 * np.square((np.arange(T) - 8) / 2))
    trace = height[:, None] * bump + 0.01 * rng.standard_normal((N, T))
    t = rng.integers(0, 2, N)
    y = 3 * height + t + 0.1 * rng.standard_normal(N)
    columns = {"y": y, "t": t, "age": np.round(rng.normal(50, 10, N), 1)}
    return pd.DataFrame(columns | {name: trace[:, int(name[3:])] for name in sorted(SAMPLES)})


def read(table: pd.DataFrame) -> Raw:
    return read_table(table.to_csv(index=False).encode())


def source(signal: str = "ecg", table: pd.DataFrame | None = None, roles: dict[str, Role] | None = None) -> TableSource:
    beside: dict[str, Role] = dict.fromkeys(SAMPLES, "covariate")
    return table_source(
        read(frame() if table is None else table), roles or ROLES | beside, label="a table", signal=signal
    )


def small(of: object) -> RunConfig:
    config = table_config(of, np.array([[120, 120]]), lams=(0.0, 1.0), replicates=1, steps=20)  # type: ignore[arg-type]
    return altered(config, hidden=8, latent_dim=4, device="cpu")


# -- which columns --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", ["ecg{}", "ecg_{}", "ECG{}", "ecg{:04d}"])
@pytest.mark.parametrize("first", [0, 1])
def test_samples_are_found_by_their_beginning_and_come_in_order_of_their_numbers(shape: str, first: int) -> None:
    names = [shape.format(at) for at in range(first, first + 30)]
    mixed = ["age", "ecg", "ecg_rate", "ecgs1", *sorted(names)]
    assert samples_of(mixed, "ecg") == tuple(names)


@pytest.mark.parametrize(
    ("names", "says"),
    [
        (["age", "ecg", "egg1"], "no column is a sample of the signal 'ecg'"),
        ([f"ecg{at}" for at in range(30) if at not in (7, 8)], "after ecg6 the signal goes on with ecg9"),
        ([f"ecg{at}" for at in range(15)], "has 15 samples; 16 are the least"),
        ([f"ecg{at}" for at in range(2, 30)], "first sample is ecg2; number samples from 0 or from 1"),
        ([*(f"ecg{at}" for at in range(20)), "ecg_3"], "both sample 3 of one signal"),
    ],
)
def test_a_run_of_columns_that_is_no_signal_is_refused_in_one_sentence(names: list[str], says: str) -> None:
    with pytest.raises(TableRefused) as refused:
        samples_of(names, "ecg")
    assert says in str(refused.value)
    assert str(refused.value).endswith(".")


def change(row: int, name: str, to: object) -> Callable[[pd.DataFrame], pd.DataFrame]:
    def changed(table: pd.DataFrame) -> pd.DataFrame:
        table = table.astype({name: object})
        table.loc[row, name] = to
        return table

    return changed


def flat(table: pd.DataFrame) -> pd.DataFrame:
    table.loc[[4, 9], SAMPLES] = 0.25
    return table


REFUSED: list[tuple[Callable[[pd.DataFrame], pd.DataFrame], str]] = [
    (change(6, "ecg7", None), "row 7 has a gap in the signal, the first at ecg7"),
    (change(6, "ecg7", "lead off"), "ecg7 is a sample of the signal and holds something else than numbers"),
    (flat, "2 rows (such as 5, 10) have one value in all samples"),
    (lambda table: table.drop(columns="ecg11"), "after ecg10 the signal goes on with ecg12"),
    (lambda table: table.rename(columns={"ecg11": "lead11"}), "after ecg10 the signal goes on with ecg12"),
    (lambda table: table[["y", "t", "age", *SAMPLES[:9]]], "has 9 samples; 16 are the least"),
    (lambda table: table[["y", "t", "age"]], "no column is a sample of the signal 'ecg'"),
]


@pytest.mark.parametrize(("change", "says"), REFUSED)
def test_the_command_refuses_a_signal_that_is_none_in_one_line(
    change: Callable[[pd.DataFrame], pd.DataFrame], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "trial.csv"
    file.write_text(change(frame()).to_csv(index=False))
    assert main(["table", str(file), "--outcome", "y", "--treatment", "t", "--signal", "ecg"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert says in captured.err


def test_a_gap_in_a_row_that_has_no_outcome_refuses_nothing() -> None:
    table = frame()
    table.loc[6, ["y", "ecg7"]] = np.nan
    assert source(table=table).n_rows == N - 1


def test_a_sample_with_a_role_of_its_own_or_that_is_ignored_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(TableRefused, match="ecg3 is a sample of the signal, and the environment as well"):
        source(roles=ROLES | {"ecg3": "environment"})
    with pytest.raises(TableRefused, match="ecg3 is a sample of the signal, and the category as well"):
        table_source(read(frame()), ROLES, label="x", signal="ecg", categories=frozenset(["ecg3"]))
    (tmp_path / "trial.csv").write_text(frame().to_csv(index=False))
    command = ["table", str(tmp_path / "trial.csv"), "--outcome", "y", "--treatment", "t", "--signal", "ecg"]
    assert main([*command, "--ignore", "ecg3"]) == 2
    assert "ecg3 is to be ignored and is a sample of the signal" in capsys.readouterr().err


# -- one scale ------------------------------------------------------------------------------------------------------


def test_samples_have_one_mean_and_one_deviation_of_the_training_rows_and_other_covariates_their_own() -> None:
    table = source()
    rows, _ = table.rows(0)
    names = list(table.features)
    assert [names[place] for place in table.signal] == SAMPLES
    assert len(names) == T + 1
    scales = Scales.of(rows, together=small(table).scaled_together)
    numbers = [float(rows.x[row, names.index(name)]) for row in range(len(rows)) for name in SAMPLES]
    mean = sum(numbers) / len(numbers)
    sd = (sum((number - mean) ** 2 for number in numbers) / len(numbers)) ** 0.5
    for name in SAMPLES:
        assert scales.x_mean[names.index(name)] == pytest.approx(mean)
        assert scales.x_sd[names.index(name)] == pytest.approx(sd)
    age = rows.x[:, names.index("age")]
    assert scales.x_mean[names.index("age")] == pytest.approx(age.mean())
    assert scales.x_sd[names.index("age")] == pytest.approx(age.std())


def test_where_all_covariates_are_samples_it_is_the_run_that_scales_the_whole_row_to_the_bit() -> None:
    alone = frame().drop(columns="age")
    roles: dict[str, Role] = {"y": "outcome", "t": "treatment", **dict.fromkeys(SAMPLES, "covariate")}
    declared = train(small(source(table=alone, roles=roles)))
    whole = train(altered(small(source("", alone, roles)), x_scale="whole"))
    plain = train(small(source("", alone, roles)))
    for name, weights in declared.weights.items():
        np.testing.assert_array_equal(weights, whole.weights[name])
    assert any((weights != plain.weights[name]).any() for name, weights in declared.weights.items())


def test_by_columns_is_by_columns_for_a_signal_too() -> None:
    assert altered(small(source()), x_scale="columns").scaled_together == ()


def test_a_signal_is_another_run_and_a_table_without_one_is_written_as_before() -> None:
    with_signal, without = source(), source("")
    assert "signal" not in json.dumps(without.to_dict())
    assert small(with_signal).key != small(without).key
    assert TableSource.from_dict(json.loads(json.dumps(with_signal.to_dict()))) == with_signal
    assert with_signal.signal == TableSource.from_dict(with_signal.to_dict()).signal
    assert without.signal == ()


def test_columns_of_a_stranger_that_are_no_signal_are_refused() -> None:
    for spoil in ({"signal": 3}, {"signal": "eeg"}, {"signal": "ecg", "missing": True}):
        content = source().to_dict()
        place = next(at for at, column in enumerate(content["columns"]) if column["name"] == "ecg4")
        content["columns"][place] |= spoil
        with pytest.raises(ValueError, match=r"\.$"):
            TableSource.from_dict(content)


def test_private_rows_are_scaled_as_their_table_is_and_say_nothing_of_a_signal_they_do_not_have() -> None:
    table = source()
    rows = private_rows(table)
    assert rows.signal == table.signal
    config = small(rows)
    assert RunConfig.from_json(config.to_json()).source == rows
    private, own = train(config).weights, train(small(table)).weights
    for name, weights in private.items():
        np.testing.assert_array_equal(weights, own[name])
    assert "signal" not in private_rows(source("")).to_dict()


@pytest.mark.parametrize("signal", [7, [0, 0], [-1], [T + 1], [True], ["0"]])
def test_a_garbled_signal_of_private_rows_is_refused(signal: object) -> None:
    content = small(private_rows(source())).to_dict()
    content["table"]["signal"] = signal
    with pytest.raises(ValueError, match="train the table again"):
        RunConfig.from_dict(content)


def test_of_a_signal_that_tells_the_treatment_the_sample_that_tells_most_is_named_and_no_other() -> None:
    table = frame()
    for place in (5, 6, 7):
        table[f"ecg{place}"] += place * table["t"]
    raw = read(table)
    told = [item for item in look_at(source(table=table), raw).findings if "alone tells the treatment" in item.sentence]
    assert [item.columns for item in told] == [("ecg5",)]  # each tells all of it; the first is named
    apart = [item for item in look_at(source("", table), raw).findings if "alone tells the treatment" in item.sentence]
    assert [item.columns for item in apart] == [("ecg5",), ("ecg6",), ("ecg7",)]


# -- taken along ----------------------------------------------------------------------------------------------------


def test_other_rows_of_a_model_are_traces_as_well() -> None:
    table, other = source(), frame().iloc[:30]
    x, _, _ = encoded_rows(table, read(other))
    np.testing.assert_allclose(x[:, table.signal[3]], other["ecg3"])
    with pytest.raises(TableRefused, match="row 7 has a gap in the signal, the first at ecg7"):
        encoded_rows(table, read(change(6, "ecg7", None)(other)))


def test_the_command_trains_on_a_signal_and_says_which_inputs_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "trial.csv").write_text(frame().to_csv(index=False))
    command = ["table", str(tmp_path / "trial.csv"), "--outcome", "y", "--treatment", "t", "--signal", "ECG"]
    assert main([*command, "--look"]) == 0
    assert "become 21 inputs, 20 of them the samples of one signal." in capsys.readouterr().out
    assert main([*command, "--lam", "0", "1", "--replicates", "1", "--steps", "60", "--json", "-"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["signal"] == SAMPLES
    assert RunConfig.from_dict(found["config"]).scaled_together


def test_who_reads_the_file_again_as_the_notebook_does_trains_the_same_network_on_the_same_signal() -> None:
    table = source()
    result = train(small(private_rows(table)))
    config = RunConfig.from_json(of_table(result, table).config.to_json())
    forget(table.content)
    assert isinstance(config.table, TableSource)
    load_again(config.table, read(frame()))
    assert config.scaled_together == table.signal
    again = train(config)
    for name, weights in result.weights.items():
        np.testing.assert_array_equal(weights, again.weights[name])


@pytest.mark.slow
def test_the_endpoint_takes_a_row_with_its_samples_and_refuses_one_that_is_no_trace(tmp_path: Path) -> None:
    table, store = source(), store_in(tmp_path)
    result = train(small(private_rows(table)))
    store.save(result)
    file = tmp_path / "model.onnx"
    file.write_bytes(make(store, result, 0.0).content("onnx"))
    running = Server(create_app(file, Settings()))
    try:
        row = {name: float(value) for name, value in frame().loc[3, ["age", *SAMPLES]].items()}
        status, answer, _ = running.ask(body={"rows": [row]})
        assert status == 200
        x, _, _ = encoded_rows(table, read(frame()))
        _, y0, y1 = predict(one_model(result.weights, 0), x[3:4])
        assert answer["ite"][0] == pytest.approx(float(y1[0, 0] - y0[0, 0]), abs=1e-4)
        without_age = {name: value for name, value in row.items() if name != "age"}
        status, answer, _ = running.ask(body={"rows": [without_age]})
        assert status == 200
        assert answer["notes"] == ["1 row with no age, which is taken for the median of training."]
        holed = {name: value for name, value in row.items() if name != "ecg5"}
        for bad, says in (
            (holed, "rows.1 has no ecg5, a sample of its signal"),
            (row | {"ecg5": None}, "rows.1 has no ecg5, a sample of its signal"),
            (row | dict.fromkeys(SAMPLES, 0.5), "rows.1 has one value in all samples of its signal"),
            (row | {"ecg5": "loud"}, "a cell of ecg5 cannot be read"),
        ):
            status, answer, _ = running.ask(body={"rows": [row, bad]})
            assert status == 422
            assert says in answer["error"]
        example = create_app(file, Settings()).openapi()["components"]["schemas"]["EffectsRequest"]["examples"][0]
        assert set(example["rows"][1]) == set(SAMPLES)
        assert running.ask(body=example)[0] == 200
    finally:
        running.close()
