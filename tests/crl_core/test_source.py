"""Rows that no scenario draws go the whole way: training, store, bundle, lecture, export, lists; truth where it is."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from crl_core import RunConfig, RunStore, Training, preset
from crl_core.cli.config import config_of as config_typed
from crl_core.cli.program import _parser, main
from crl_core.config.text import altered, changes, differing, nearest, preset_of, reproducing_command, value_of
from crl_core.data.scm import joined, sample, split
from crl_core.events import StepsTaken, ViewSampled
from crl_core.export.checkpoint import checkpoint, citation, history_csv, loading_example, metrics_csv
from crl_core.export.figure_page import figures_of
from crl_core.export.model_file import read_model
from crl_core.export.models import export_model
from crl_core.export.models.network import metadata_text, subject
from crl_core.export.notebook import notebook
from crl_core.figures import palette
from crl_core.jobs import cost
from crl_core.jobs.train_and_store import train_and_store
from crl_core.lecture.frames import frames
from crl_core.lecture.handout import handout_html, naming_of
from crl_core.lecture.shift import shift_arrays, shifted
from crl_core.measures.average_effects import average_effects, average_levels
from crl_core.measures.comparison import differing_settings, same_draws
from crl_core.network import elu, state_dict
from crl_core.results import N_MMD, N_VIEW, RunResult, data_of, view_rows
from crl_core.runs.bundle import BundleRefused, export_bytes, import_run
from crl_core.runs.bundle_arrays import evidence_specs, history_specs, metric_specs, projection_specs
from crl_core.runs.eventlog import read_entries
from crl_core.runs.library import Library, search
from crl_core.studies.certificate import certificate
from crl_core.studies.deployed import batch_report, reference_of
from crl_core.training.collapse import explained_variance
from tests.crl_core.made_up import store_in, without_truth
from tests.tables import KINDS, N_HELD_OUT, N_ROWS, TRAINING, config_of, tables_can_be_read, whole

NEED_EFFECTS = {"ite_rmse", "ate_error", "ite_rmse_by_env"}


@dataclass(frozen=True)
class Stored:
    """A table's run, trained, measured and sealed by the program's own way of carrying one out."""

    kind: str
    store: RunStore
    result: RunResult

    @property
    def config(self) -> RunConfig:
        return self.result.config

    @property
    def evidence(self) -> dict[str, np.ndarray]:
        found = self.store.part(self.config.key, "evidence")
        assert found is not None
        return found


@pytest.fixture(scope="module", autouse=True)
def readable() -> Iterator[None]:
    with tables_can_be_read():
        yield


@pytest.fixture(scope="module", params=list(KINDS))
def run(request: pytest.FixtureRequest, readable: None, tmp_path_factory: pytest.TempPathFactory) -> Stored:
    config, store = config_of(request.param), store_in(tmp_path_factory.mktemp("store"))
    outcome = train_and_store(config, store)
    assert (outcome.ending, outcome.reason) == ("trained", None)
    return Stored(request.param, store, store.load(config.key))


# -- a scenario is one -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["hospital", "sensors"])
def test_a_scenario_as_a_source_says_what_its_rows_are_before_they_are_drawn(name: str) -> None:
    config = preset(name)  # type: ignore[arg-type]
    source, scenario = config.source, replace(config.scenario, n_samples=300)
    assert source is config.scenario
    source = scenario
    train, held_out = source.rows(3)
    drawn = sample(scenario, 3)
    for rows, index in zip((train, held_out), split(drawn, 3), strict=True):
        np.testing.assert_array_equal(rows.x, drawn.x[index])
        np.testing.assert_array_equal(rows.y, drawn.y[index])
    assert (len(train) + len(held_out), len(held_out)) == (source.n_rows, source.n_held_out)
    assert train.x.shape[1:] == source.x_shape == (len(source.features),)
    assert len(source.env_names) == source.n_envs == len(np.unique(drawn.env))
    assert source.knows == {"effects", "latents", "equations"}


# -- what a run is -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_a_config_with_a_table_comes_back_from_json_and_holds_no_row(kind: str) -> None:
    config = config_of(kind)
    assert RunConfig.from_json(config.to_json()) == config
    assert RunConfig.from_json(config.to_json()).source.label == "Trial of 2019"
    assert set(config.to_dict()) == {"config_version", "table", "training"}
    assert config.scenario is None
    assert config.dim_x == 4


def test_a_table_is_known_by_its_content_and_kind_and_not_by_its_label() -> None:
    config = config_of("blind")
    assert config_of("blind", label="another name").key == config.key
    assert len({config.key, config_of("blind", content="other").key, config_of("judged").key}) == 3


def test_rows_come_from_exactly_one_place() -> None:
    table, scenario = config_of("blind").table, preset("recipe").scenario
    with pytest.raises(ValueError, match="from a scenario or from a table; this config has neither, give one"):
        RunConfig(training=Training())
    with pytest.raises(ValueError, match="this config has both, give one"):
        RunConfig(scenario=scenario, table=table, training=Training())
    both = config_of("blind").to_dict() | {"scenario": {}}
    with pytest.raises(ValueError, match="this config has both"):
        RunConfig.from_dict(both)


@pytest.mark.parametrize("table", [None, 3, {}, {"kind": ["blind"]}, {"kind": "spreadsheet"}])
def test_a_table_of_no_kind_that_is_known_is_refused(table: object) -> None:
    with pytest.raises(ValueError, match="of no kind that this program reads; it reads blind, judged"):
        RunConfig.from_dict({"table": table})


@pytest.mark.parametrize("label", ["", "two\nlines", "<b>", "x" * 201])
def test_a_name_that_could_not_be_shown_is_refused(label: str) -> None:
    content = config_of("blind").to_dict()
    content["table"]["label"] = label
    with pytest.raises(ValueError, match="give one line of printable text"):
        RunConfig.from_dict(content)


def test_a_table_too_large_for_one_run_is_refused_by_its_rows() -> None:
    table = replace(config_of("blind").table, n_rows=10_000_000)  # type: ignore[type-var]
    with pytest.raises(ValueError, match=r"× 10000000 samples is 1\.2 times what one run may ask for"):
        RunConfig(table=table, training=replace(TRAINING, epochs=40))


# -- in words ----------------------------------------------------------------------------------------------------------


def test_a_table_has_no_preset_and_no_command_and_says_so() -> None:
    config = config_of("blind")
    name, changed = nearest(config)
    assert name == "table “Trial of 2019”"
    assert [change.name for change in changed] == [
        "lams", "replicates", "epochs", "batch_size", "learning_rate", "hidden", "latent_dim",
    ]  # fmt: skip
    assert preset_of(config) is None
    assert reproducing_command(config) == "# there is no command without the file of the table “Trial of 2019”"


def test_what_differs_from_a_table_is_its_rows_and_what_training_does() -> None:
    table, world = config_of("blind"), preset("hospital")
    assert differing([table, config_of("blind", label="another name")]) == []
    assert differing([table, config_of("blind", seed=4)]) == ["seed"]
    assert differing([table, config_of("judged")]) == ["rows"]
    found = differing([table, world])
    assert found[0] == "rows"
    assert not set(found) & set(world.to_dict()["scenario"])
    assert [value_of(config, "rows") for config in (table, world)] == ["Trial of 2019", "hospital"]
    first = differing_settings([table, world])[0]
    assert (first.name, first.values) == ("rows", ("Trial of 2019", "hospital"))
    assert changes(world, world) == ()


def test_equal_seeds_split_one_table_alike_and_no_other() -> None:
    table = config_of("blind")
    assert same_draws(table, config_of("blind", seed=7, label="another name"))
    assert not same_draws(table, config_of("blind", content="other"))
    assert not same_draws(table, preset("hospital"))


def typed(folder: Path, *words: str) -> RunConfig:
    file = folder / "run.json"
    file.write_text(config_of("blind").to_json())
    return config_typed(_parser().parse_args(["train", "--config", str(file), *words]))


def test_a_table_is_trained_from_a_config_file_and_its_training_can_be_set(tmp_path: Path) -> None:
    assert typed(tmp_path, "--epochs", "5", "--set", "training.hidden=4") == config_of("blind", epochs=5, hidden=4)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--envs", "3"], "--envs and --sigma change a scenario, and --config has a table"),
        (["--sigma", "1"], "--envs and --sigma change a scenario"),
        (["--set", "scenario.noise=1"], "--config has a table and no scenario; set fields of training only"),
    ],
)
def test_what_only_a_scenario_has_cannot_be_set_for_a_table(words: list[str], says: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=says):
        typed(tmp_path, *words)


# -- trained -----------------------------------------------------------------------------------------------------------


def plain_outcomes(result: RunResult, m: int, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """ŷ⁰ and ŷ¹ of model m, layer by layer as torch has them."""
    layers = {name: value.astype(np.float64) for name, value in state_dict(result.weights, m).items()}

    def layer(name: str, rows: np.ndarray) -> np.ndarray:
        return np.asarray(rows @ layers[f"{name}.weight"].T + layers[f"{name}.bias"])

    phi = layer("encoder.4", elu(layer("encoder.2", elu(layer("encoder.0", x)))))
    y0, y1 = (layer(f"{arm}.2", elu(layer(f"{arm}.0", phi)))[:, 0] for arm in ("control", "treated"))
    return y0, y1


def test_figures_are_those_of_the_tables_own_held_out_rows(run: Stored) -> None:
    rows, result = whole("trial"), run.result
    for m, replicate in enumerate(result.replicate):
        held_out = np.sort(np.random.default_rng(result.config.training.seed + replicate).permutation(N_ROWS)[:80])
        x, t, y, env = rows.x[held_out], rows.t[held_out], rows.y[held_out], rows.env[held_out]
        y0_hat, y1_hat = plain_outcomes(result, m, x)
        error = (np.where(t == 1, y1_hat, y0_hat) - y) ** 2
        assert result.factual_mse[m] == pytest.approx(error.mean(), rel=1e-4)
        by_env = [error[env == e].mean() for e in (0, 1)]
        np.testing.assert_allclose(result.factual_mse_by_env[m], by_env, rtol=1e-4)
        if run.kind == "judged":
            assert rows.y0 is not None
            assert rows.y1 is not None
            assert result.ite_rmse is not None
            assert result.ate_error is not None
            off = (y1_hat - y0_hat) - (rows.y1 - rows.y0)[held_out]
            assert result.ite_rmse[m] == pytest.approx(np.sqrt((off**2).mean()), rel=1e-4)
            assert result.ate_error[m] == pytest.approx(abs(off.mean()), rel=1e-3, abs=1e-5)


def test_what_needs_effects_is_there_exactly_where_they_are_known(run: Stored) -> None:
    known = run.kind == "judged"
    for name in NEED_EFFECTS:
        assert (getattr(run.result, name) is not None) == known
    assert ("ite_rmse" in run.result.history) == known
    assert view_rows(run.config).z is None


def test_evidence_holds_what_needs_no_latents(run: Stored) -> None:
    found, known = run.evidence, run.kind == "judged"
    for name in ("domain_auc", "knn_mixing", "mmd2_p", "latent_norm"):
        assert np.isfinite(found[name]).all()
    assert np.isnan(found["r2_z_ridge"]).all()
    assert np.isfinite(found["baseline_factual_mse"]).all()
    assert np.isfinite(found["baseline_ite_rmse"]).all() == known
    constant = list(found["baseline_names"]).index("constant effect")
    train, held_out = data_of(run.config)
    means = np.array([train.y[train.t == arm].mean() for arm in (0, 1)])
    expected = np.mean((means[held_out.t] - held_out.y) ** 2)
    assert found["baseline_factual_mse"][constant, 0] == pytest.approx(expected)
    assert (found["rule_pick"] >= 0).any()


def test_events_tell_the_run_from_beginning_to_end(run: Stored) -> None:
    entries, _ = read_entries(run.store.events_path(run.config.key))
    events = [entry.event for entry in entries if not isinstance(entry.event, StepsTaken | ViewSampled)]
    assert [type(event).__name__ for event in events][:10] == ["RunStarted", *["EpochEnded"] * 8, "RunFinished"]
    assert type(events[-1]).__name__ == "RunCompleted"
    assert (events[0].n_train, events[0].n_held_out) == (N_ROWS - N_HELD_OUT, N_HELD_OUT)
    assert (events[1].ite_rmse is None) == (run.kind == "blind")


def test_a_model_of_an_outcome_that_hardly_depends_on_x_has_not_collapsed() -> None:
    rng = np.random.default_rng(0)
    rows = replace(whole("trial"), y=rng.standard_normal(N_ROWS))
    train, held_out = np.arange(N_ROWS) % 2 == 0, np.arange(N_ROWS) % 2 == 1

    def explained(y: np.ndarray) -> float:
        both = replace(rows, y=y)
        return explained_variance(both.rows(train), both.rows(held_out))

    assert explained(rows.y + 0.05 * rows.x[:, 0]) < 0.05
    within = np.mean([(3 * rows.x[rows.t == arm, 0]).var() for arm in (0, 1)])
    assert explained(rows.y + 3 * rows.x[:, 0]) == pytest.approx(within, rel=0.1)
    assert explained(rows.y + 3 * rows.x[:, 0] ** 2) > 1  # no line explains it, near rows do


def test_the_cost_counts_the_tables_rows_and_columns() -> None:
    def products(hidden: int) -> int:
        return 4 * hidden + hidden**2 + 2 * hidden * 3 + 2 * (hidden // 2)

    config, epochs, models = config_of("blind"), 8, 6
    trained, judged = (N_ROWS - N_HELD_OUT) // 32 * 32, N_HELD_OUT + N_MMD
    more = (
        cost._PRODUCT * (trained + cost._JUDGED * judged) * (products(10) - products(8)) + cost._UNIT * trained * 3 * 2
    )
    assert cost.work(altered(config, hidden=10)) - cost.work(config) == pytest.approx(epochs * models * more)


# -- kept and sent -----------------------------------------------------------------------------------------------------


def test_a_bundle_takes_the_run_elsewhere_as_it_is(run: Stored, tmp_path: Path) -> None:
    there, key = store_in(tmp_path), run.config.key
    content = export_bytes(run.store, key)
    assert import_run(there, content) == key
    found = there.load(key)
    assert found.config == run.config
    assert found.config.source.label == "Trial of 2019"
    np.testing.assert_array_equal(found.factual_mse, run.result.factual_mse)
    np.testing.assert_array_equal(found.weights["encoder.0.weight"], run.result.weights["encoder.0.weight"])
    assert (found.ite_rmse is None) == (run.kind == "blind")
    for name in ("evidence", "projection"):
        assert there.part(key, name) is not None
    assert export_bytes(there, key) == content


def test_a_bundle_demands_effects_exactly_where_the_table_knows_them(run: Stored) -> None:
    known = run.kind == "judged"
    assert (set(metric_specs(run.config)) & NEED_EFFECTS == NEED_EFFECTS) == known
    assert ("ite_rmse" in history_specs(run.config)) == known
    assert not metric_specs(run.config)["factual_mse"].optional
    assert projection_specs(run.config)["tsne_x"].shape == (min(N_VIEW, N_HELD_OUT), 2)
    assert set(evidence_specs(run.config)) == set(run.evidence)


def test_a_run_that_lacks_the_effects_its_table_knows_is_no_bundle(run: Stored, tmp_path: Path) -> None:
    store = store_in(tmp_path)
    if run.kind == "judged":
        key = store.save(without_truth(run.result))
    else:
        invented = np.ones(len(run.result.lam))
        key = store.save(replace(run.result, ite_rmse=invented))
    with pytest.raises(BundleRefused, match=r"metrics\.npz does not hold the arrays"):
        export_bytes(store, key)


def test_a_bundle_of_a_kind_of_table_that_is_not_known_is_refused_in_a_sentence(
    run: Stored, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = export_bytes(run.store, run.config.key)
    monkeypatch.setattr("crl_core.data.source.READERS", {})
    with pytest.raises(BundleRefused, match="of no kind that this program reads"):
        import_run(store_in(tmp_path), content)


# -- listed ------------------------------------------------------------------------------------------------------------


def test_the_run_is_listed_shown_and_found_by_its_tables_label(
    run: Stored, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CRL_CACHE", str(run.store.root))
    key = run.config.key
    assert main(["runs", "list", "--search", "trial of"]) == 0
    assert f"{key}  table “Trial of 2019” +7" in capsys.readouterr().out
    assert main(["runs", "list", "--json", "-"]) == 0
    mine = next(item for item in json.loads(capsys.readouterr().out)["runs"] if item["key"] == key)
    assert mine["preset"] is None
    assert mine["config"]["table"]["content"] == "trial"
    assert (mine["ite_rmse"] == [None] * 3) == (run.kind == "blind")
    assert main(["runs", "show", key]) == 0
    assert ("unknown" in capsys.readouterr().out) == (run.kind == "blind")
    assert main(["runs", "show", key, "--json", "-"]) == 0
    shown = json.loads(capsys.readouterr().out)["models"]
    assert [model["factual_mse"] for model in shown] == run.result.factual_mse.tolist()
    assert [item.key for item in search(Library(run.store).runs(), "2019 hidden")] == [key]


# -- taken home --------------------------------------------------------------------------------------------------------


def test_numbers_and_curves_as_csv_leave_out_what_nobody_knows(run: Stored) -> None:
    rows = list(csv.DictReader(io.StringIO(metrics_csv(run.result))))
    assert [float(row["factual_mse"]) for row in rows] == run.result.factual_mse.tolist()
    assert ("ite_rmse" in rows[0]) == ("ate_error" in rows[0]) == (run.kind == "judged")
    assert ("ite_rmse" in history_csv(run.result).splitlines()[0]) == (run.kind == "judged")


def test_a_checkpoint_and_a_model_file_name_the_tables_columns(run: Stored) -> None:
    assert "x = zeros(1, 4)  # age, weight, dose, scanner; as drawn" in loading_example(run.result, 1.0)
    assert b"Trial of 2019" in checkpoint(run.result, 1.0)
    made_of = subject(run.result, 1.0)
    metadata = json.loads(metadata_text(made_of.metadata))
    assert [item["name"] for item in metadata["features"]] == ["age", "weight", "dose", "scanner"]
    train, held_out = data_of(run.config)
    assert metadata["features"][0]["mean"] == pytest.approx(train.x[:, 0].mean())
    assert ("ite_rmse" in metadata["metrics"]) == (run.kind == "judged")
    assert RunConfig.from_dict(metadata["config"]) == run.config
    model = read_model(export_model(made_of, "torchscript"), "model.pt")
    assert model.features == ("age", "weight", "dose", "scanner")
    y0, y1, _ = model.run(held_out.x.astype(np.float32))
    expected = plain_outcomes(run.result, 1, held_out.x)
    np.testing.assert_allclose((y0, y1), expected, rtol=1e-3, atol=1e-4)


def test_notebook_citation_handout_and_certificate_say_what_they_need(run: Stored) -> None:
    cells = json.loads(notebook(run.result, 0.0))["cells"]
    assert "the table “Trial of 2019”, which is not in here" in "".join(cells[0]["source"])
    code = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
    compile(code, "notebook", "exec")
    assert ("ite_rmse" in code) == (run.kind == "judged")
    command = reproducing_command(run.config)
    cited = citation(run.result, 0.0)
    assert f"run {run.config.key} (table “Trial of 2019”)" in cited
    assert command in cited
    assert command in handout_html(run.result, None, run.evidence)
    findings = batch_report(
        reference_of(run.result, 1.0), view_rows(run.config).x, np.random.default_rng(0), permutations=19
    )
    assert command in certificate(reference_of(run.result, 1.0), findings).markdown()


def test_the_figure_page_draws_effects_where_they_are_known(run: Stored) -> None:
    parts = {name: run.store.part(run.config.key, name) for name in ("evidence", "projection")}
    drawn = figures_of(run.result, 1.0, run.config.source.env_names, parts)
    assert {"factual-error", "mmd2", "domain-auc", "latents"} <= set(drawn)
    assert ({"effect-error", "effects"} <= set(drawn)) == (run.kind == "judged")


def test_the_lecture_has_no_map_and_no_sigma_to_shift(run: Stored) -> None:
    parts: Any = run.store.part(run.config.key, "projection")
    palettes = {name: palette(name) for name in ("dark", "light", "projector")}  # type: ignore[arg-type]
    data = frames(run.result, parts, run.evidence, naming=naming_of(run.config), palettes=palettes)
    assert (data["map"], data["probe"]) == (None, None)
    assert data["title"] == "Table “Trial of 2019”"
    assert data["envs"] == ["north", "south"]
    assert data["picture"] == "t-SNE"
    assert ("ite_rmse" in data["metrics"]) == (run.kind == "judged")
    assert all(data["readings"])
    assert "nan" not in json.dumps([data["readings"], data["story"]]).lower()
    rows = joined(*data_of(run.config))
    along, levels = average_effects(run.result, rows), average_levels(rows)
    np.testing.assert_allclose(data["average"]["ate"]["value"], along.ate.mean(axis=0))
    np.testing.assert_allclose(data["average"]["att"]["high"], along.att.max(axis=0))
    assert [level["value"] for level in data["average"]["levels"]] == [
        *(levels.naive, levels.least_squares, levels.least_squares_treated),
    ]
    assert data["captions"]["map"]["title"] == "Average effect along λ"
    assert ("average effect" in data["readings"][0]) == (run.kind != "judged")
    assert any(step["point"] == "map" for step in data["story"]) == (run.kind != "judged")
    json.dumps(data, allow_nan=False)
    assert shift_arrays(run.result, 40) is None
    with pytest.raises(ValueError, match="the rows of the table “Trial of 2019” have no σ to shift"):
        shifted(run.result, (1.0, 1.0), 40)
