"""What pages compute of a config before anything is trained: any config that is allowed goes through all of it."""

from __future__ import annotations

from hypothesis import given

from crl_core import RunConfig
from crl_core.config.presets import PRESETS, env_names
from crl_core.config.text import differing, imagined, nearest, reproducing_command
from crl_core.data.interventions import INTERVENTIONS, limits
from crl_core.figures import palette
from crl_core.jobs.cost import estimate_seconds, smaller
from crl_core.measures.cautions import cautions_before
from crl_core.results import data_of
from crl_core.studies.environments import pick
from crl_core.world.assumptions import assumptions
from crl_core.world.environments import arms_said, env_rows, newcomer_said, propensity_spans, spread_over
from crl_core.world.equations import equations, notes
from crl_core.world.graph import dot, said
from crl_core.world.outlook import outlook
from pages.shared import fields
from tests.any_config import MANY, configs, drawing


@drawing(few=20, many=MANY)
@given(configs())
def test_every_page_can_say_what_it_says_of_a_config_before_it_is_trained(config: RunConfig) -> None:
    scenario, align = config.scenario, config.training.align
    preset_id, _ = fields.describe(config)
    assert set(fields.defaults(preset_id, scenario.n_envs)) >= {"envs"}
    assert reproducing_command(config)
    assert smaller(config).training.replicates == 1
    assert estimate_seconds(config, []) > 0
    for word in ("hospital", "environment"):
        assert outlook(scenario, align, word).sentence
        assert assumptions(scenario, align, word)
        assert said(scenario, word)
        assert dot(scenario, palette("dark"), word)
    assert equations(scenario)
    notes(scenario)
    assert newcomer_said(scenario, env_names(scenario.n_envs + 1, "hospital"))
    for name in INTERVENTIONS:
        low, high = limits(scenario, name)
        assert low <= high
    for n_envs in range(1, 11):
        other = imagined(config, n_envs=n_envs)
        assert other is None or other.scenario.n_envs == n_envs
    imagined(config, sigma=(1.0,) * scenario.n_envs)
    assert pick(scenario, [0]).n_envs == 1
    assert nearest(config)[0] in PRESETS
    assert differing([config, config]) == []
    if scenario.n_samples <= 2000:  # rows are drawn
        train, _ = data_of(config)
        assert cautions_before(imagined(config, replicates=1) or config) is not None
        rows = env_rows(scenario, train.env, train.t, env_names(scenario.n_envs, "hospital"), 2)
        assert arms_said(rows, "hospital")
        assert len(spread_over(train.env, scenario.n_envs, 100)) <= 100
        assert propensity_spans(scenario, train).shape == (scenario.n_envs, 2)
