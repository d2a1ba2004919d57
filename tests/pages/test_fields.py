"""The sidebar as values: every config has a place in it, and every link becomes something that can be shown."""

from __future__ import annotations

import argparse
import ast
import json
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crl_core import PRESETS, RunConfig, Scenario, Training
from crl_core.config import LIMITS, MAX_ENVS, numbers
from crl_core.config.text import nearest_lam, written
from pages.shared import fields

ROOT = Path(__file__).parents[2]

NAMES = [field.name for field in fields.SINGLE] + [
    "sigma1",
    "sigma2",
    "offset1",
    "propensity2",
    "envs",
    "preset",
    "lams",
    "set",
]


def number(name: str) -> st.SearchStrategy[float]:
    low, high = LIMITS[name]
    return st.floats(low, high)


@st.composite
def configs(draw: st.DrawFn) -> RunConfig:
    n_envs = draw(st.integers(1, MAX_ENVS))

    def each(name: str) -> tuple[float, ...]:
        return tuple(draw(st.lists(number(name), min_size=n_envs, max_size=n_envs)))

    scenario = Scenario(
        n_samples=draw(st.integers(200, 20_000)),
        sigma=each("sigma"),
        offset=each("offset"),
        propensity=each("propensity"),
        cause_mean=each("cause_mean"),
        heterogeneity=draw(number("heterogeneity")),
        leak=draw(st.sampled_from([0.0, 1.0, 0.3])),
        dim_causal=draw(st.integers(1, 6)),
        mixing=draw(st.sampled_from(["none", "rotation", "nonlinear"])),
    )
    training = Training(
        lams=tuple(draw(st.lists(number("lams"), min_size=1, max_size=6))),
        epochs=draw(st.integers(1, 60)),
        replicates=draw(st.integers(1, 4)),
        hidden=draw(st.sampled_from([16, 64])),
        bandwidth=draw(st.sampled_from(["median", 1.0, 0.25])),
        align=draw(st.sampled_from(["environment", "treatment"])),
        seed=draw(st.integers(0, 2**31 - 1)),
    )
    return RunConfig(scenario=scenario, training=training)


@given(configs())
def test_any_config_can_be_opened_in_the_sidebar_and_comes_out_the_same(config: RunConfig) -> None:
    preset_id, values = fields.describe(config)
    assert fields.build(preset_id, values) == config


@pytest.mark.parametrize("preset_id", PRESETS)
def test_a_preset_is_described_by_its_own_name_alone(preset_id: str) -> None:
    found, values = fields.describe(PRESETS[preset_id].config)
    assert found == preset_id
    assert values == fields.defaults(preset_id)


@pytest.mark.parametrize("preset_id", PRESETS)
@pytest.mark.parametrize("n_envs", [1, 2, 3, 10])
def test_another_number_of_environments_is_what_the_scenario_makes_of_it(preset_id: str, n_envs: int) -> None:
    config = PRESETS[preset_id].config
    built = fields.build(preset_id, {"envs": n_envs})
    assert built == replace(config, scenario=config.scenario.with_envs(n_envs))


@given(
    st.dictionaries(
        st.sampled_from(NAMES),
        st.text("0123456789.-e, =training.hidden", max_size=20) | st.floats().map(str) | st.integers().map(str),
    )
)
def test_whatever_a_link_says_it_is_mended_into_a_sidebar_and_each_change_is_said(
    params: dict[str, str],
) -> None:
    mended, notes = fields.mend(params)
    assert len(notes) >= len(mended)
    preset_id = str(mended.get("preset", params.get("preset", "hospital")))
    assert preset_id in PRESETS
    for name, value in mended.items():
        field = fields.field_of(name)
        assert field is None or field.allows(value)


def test_a_link_with_good_values_is_left_alone() -> None:
    params = {
        "preset": "leaky",
        "sigma1": "0.35",
        "epochs": "3",
        "align": "treatment",
        "set": "training.hidden=32",
    }
    assert fields.mend(params) == ({}, [])


def test_a_bad_value_is_named_with_what_is_allowed_and_what_is_shown() -> None:
    _, notes = fields.mend({"sigma1": "-1"})
    assert notes == ["The link has sigma1 = -1; it must be a number from 0 to 3. Shown: 0.1."]


@pytest.mark.parametrize(
    "text", ["hidden=3", "training.nothing=1", "training.hidden", "scenario.sigma=a,b", "training.device=cpu"]
)
def test_more_settings_that_do_not_exist_are_refused_in_one_sentence(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        fields.build("hospital", {"set": text})


@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "1e999", "9" * 400, "9" * 5000])
@pytest.mark.parametrize(
    "name", ["scenario.sigma", "scenario.effect", "training.lams", "training.epochs", "training.bandwidth"]
)
def test_more_settings_without_a_finite_number_are_left_out_and_the_field_is_named(name: str, value: str) -> None:
    mended, notes = fields.mend({"set": f"{name}={value}"})
    assert mended == {"set": ""}
    assert len(notes) == 1
    assert f"{name.partition('.')[2]} is" in notes[0]


@pytest.mark.parametrize("text", ["0, 0.1, 10", "10,0.1 ,0", "0, 0.1, 10, 10"])
def test_a_grid_of_ones_own_is_trained_and_comes_back_from_its_run(text: str) -> None:
    config = fields.build("hospital", {fields.LAMS: text})
    assert config.training.lams == (0.0, 0.1, 10.0)
    assert fields.grid("hospital", {fields.LAMS: text}) == config.training.lams
    assert fields.grid("hospital", {fields.LAMS: text, fields.SET: "training.lams=0,1"}) == (0.0, 1.0)
    preset_id, values = fields.describe(config)
    assert (preset_id, values[fields.LAMS], values[fields.SET]) == ("hospital", "0,0.1,10", "")


def test_a_grid_that_cannot_be_read_is_named_and_a_link_with_it_shows_the_presets() -> None:
    with pytest.raises(ValueError, match=r"“λ grid”: .*many"):
        fields.build("hospital", {fields.LAMS: "0, many"})
    assert fields.grid("hospital", {fields.LAMS: "0, many"}) == PRESETS["hospital"].config.training.lams
    mended, said = fields.mend({"preset": "hospital", "lams": "0, many"})
    assert mended == {fields.LAMS: ""}
    assert "The link's λ grid was left out" in said[0]


def test_lam_in_a_link_goes_to_the_nearest_of_the_grid_with_zero_a_decade_below() -> None:
    assert nearest_lam((0.0, 0.1, 1.0), 0.5) == 1.0
    assert nearest_lam((0.0, 0.1, 1.0), 0.02) == 0.0
    assert nearest_lam((0.0,), 7.0) == 0.0


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("noise", "0,004", 0.004),
        ("propensity1", "20%", 0.2),
        ("offset1", "\u22121,5", -1.5),
        ("samples", "10\u202f000", 10000),
    ],
)
def test_a_link_with_a_number_as_people_write_it_is_understood_and_says_how(name: str, text: str, value: float) -> None:
    mended, said = fields.mend({name: text})
    assert mended == {name: value}
    assert "read as" in said[0]


@pytest.mark.parametrize(("name", "text"), [("noise", "1,000"), ("samples", "10.000"), ("offset1", "50%")])
def test_a_link_with_a_number_of_two_readings_is_refused_with_both(name: str, text: str) -> None:
    mended, said = fields.mend({name: text})
    assert mended[name] == fields.defaults("hospital")[name]
    assert "can be read as" in said[0]


def test_every_number_field_shows_all_digits_of_its_value() -> None:
    """A float field has `%.12g`, a whole one `%d`; a format that depends on the field names one of these two."""
    fields_found = 0
    for path in sorted((ROOT / "pages").rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            if node.func.attr not in ("number_input", "NumberColumn") or "runs_table" in path.name:  # that one is read
                continue
            form = next((ast.unparse(word.value) for word in node.keywords if word.arg == "format"), "")
            assert "_FORMAT" in form or form in ("'%d'", "'%.12g'"), f"{path.name}:{node.lineno}"
            fields_found += 1
    assert fields_found >= 3


JS = """
const { number } = require(process.argv[1]);
const asked = JSON.parse(require("fs").readFileSync(0, "utf8"));
const read = ([text, unit, whole]) => {
  try { return Number(number(text, unit, whole)); } catch (e) { return e.message; }
};
process.stdout.write(JSON.stringify(asked.map(read)));
"""
_SIGNS = "0123456789" * 3 + "000,,..  ''-+eE%\u202f\u2009\u2212\uff0c\uff10\u2019epochsx"


def _texts() -> list[str]:
    rng = np.random.default_rng(0)
    drawn = ["".join(rng.choice(list(_SIGNS), rng.integers(1, 9))) for _ in range(4000)]
    values = [*rng.normal(size=300).round(3), *rng.integers(0, 10**7, 300), *(10.0 ** rng.uniform(-8, 8, 300))]
    return drawn + [written(value.item()) for value in values] + [f"{value:,}" for value in values]


@pytest.mark.parametrize("whole", [False, True])
def test_the_browser_reads_a_typed_number_as_the_command_line_does(whole: bool) -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("Node is missing.")
    texts = _texts()
    asked = json.dumps([(text, "epochs", whole) for text in texts])
    script = ROOT / "pages" / "shared" / "number_fields.js"
    done = subprocess.run([node, "-e", JS, str(script)], input=asked, capture_output=True, text=True, check=True)
    refusals = 0
    for text, js in zip(texts, json.loads(done.stdout), strict=True):
        try:
            ours: float | str = numbers.option(unit="epochs", whole=whole)(text)
        except argparse.ArgumentTypeError as error:
            ours = str(error)
        refusals += isinstance(ours, str)
        assert isinstance(js, str) == isinstance(ours, str), f"{text!r}: {ours} here, {js} there"
        if isinstance(ours, str):
            assert ("can be read as" in js) == ("can be read as" in ours), f"{text!r}: {ours} here, {js} there"
        else:
            assert js == pytest.approx(ours, rel=1e-15), text
    assert 100 < refusals < len(texts) - 100
