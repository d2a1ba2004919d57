"""The panels of the Scenario page that are drawn from rows, and what of the preset was changed."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
import streamlit as st

from crl_core.config import RunConfig, Scenario
from crl_core.config import text as config_text
from crl_core.config.presets import PRESETS, Preset
from crl_core.config.text import N_ENVS, TRAINING
from crl_core.data.observations import OBSERVATIONS
from crl_core.data.scm import MultiEnvData, along, mean_outcomes
from crl_core.figures import images_by_env, outside, traces_by_env
from crl_core.figures.labels import cause_by_label
from crl_core.figures.palette import Palette
from crl_core.figures.scenario import outcome_by_arm, propensities, world_plane
from crl_core.studies.preset_verdicts import Earned, baked_verdicts, in_words
from crl_core.world.environments import EnvRow, arms_said, newcomer_said, propensity_spans
from pages.shared import server_cache
from pages.shared.folds import fold
from pages.shared.style import panel_title, quiet
from pages.shared.tables import beyond, chart, say, table

_MOVES = {"st": "the ST level", "t": "the height of T", "qrs": "the width of QRS", "qt": "the length of QT"}


def plane(shown: MultiEnvData, scenario: Scenario, n_rows: int, names: Sequence[str], ink: Palette) -> None:
    """The rows that are drawn, of `n_rows`, in the plane of cause and nuisance."""
    bars = max(scenario.dim_causal, scenario.dim_spurious) > 1
    drawn = world_plane(along(shown.z), along(shown.s), shown.env, shown.t, names, ink, bars=bars)
    chart(drawn, "scenario.plane")
    few = "" if n_rows == scenario.n_samples else f", drawn and counted here for a run of {scenario.n_samples}"
    quiet(f"{len(shown)} of {n_rows} rows{few}. {_given(scenario)}{beyond(outside(drawn))}")


def _given(scenario: Scenario) -> str:
    if scenario.observation == "ecg":
        return "The network is not given these numbers but the traces below: z moves the beat, s the level of the hum."
    if scenario.observation == "digits":
        return "The network is not given these numbers but the images below: z decides the digit, s the light."
    if scenario.dim_x > 2 or scenario.mixing != "none":
        return f"The network is given {scenario.dim_x} numbers a row that z and s are mixed into."
    return "The network is given exactly these two numbers, without the colour."


def given(data: MultiEnvData, scenario: Scenario, names: Sequence[str], ink: Palette) -> None:
    """The traces or images that the network is given; nothing where x is covariates."""
    if scenario.observation == "covariates":
        return
    title = "What the network is given"
    with st.container(key="panel_traces"):
        if scenario.observation == "digits":
            chart(images_by_env(data.x, data.y, data.env, names, ink, title=title), "scenario.images")
            quiet(
                f"A few rows of each label, on one scale of gray; {scenario.dim_x} pixels a row. z decides which digit "
                f"it is, and z > 0 is 5 or more; the lamp adds {scenario.light:g} · s to every pixel. No image stands "
                "among the rows that are trained on and among others as well."
            )
            return
        chart(traces_by_env(data.x, data.env, scenario.rate, names, ink, title=title), "scenario.traces")
        faded = ", in which a hum of random phase fades" if scenario.hum_phase == "random" and scenario.hum_mv else ""
        quiet(
            f"Thin: a few rows; thick: the mean of all rows{faded}. {scenario.samples} samples a row, "
            f"{scenario.rate:g} a second. z moves {' and '.join(_MOVES[name] for name in scenario.latents)}; s is the "
            "logarithm of the hum's level."
        )


def treated(data: MultiEnvData, scenario: Scenario, envs: Sequence[EnvRow], word: str, ink: Palette) -> None:
    """The share of treated rows in each environment, and where an arm is missing."""
    spans = propensity_spans(scenario, data)
    spread = bool((spans[:, 1] - spans[:, 0] > 0.01).any())
    shares = np.array([row.share for row in envs])
    chart(propensities(shares, spans, [row.name for row in envs], ink, spread=spread), "scenario.treated")
    for sentence in arms_said(envs, word):
        say(sentence)
    if spread:
        quiet("Bars: from the 5 % to the 95 % point of P(t = 1) over the units, which differ in z.")


def outcomes(shown: MultiEnvData, scenario: Scenario, names: Sequence[str], ink: Palette) -> None:
    """The outcome of each arm along the cause, with its mean; of a label, the cause of each."""
    bars = max(scenario.dim_causal, scenario.dim_spurious) > 1
    if scenario.outcome == "binary":
        drawn = cause_by_label(along(shown.z), shown.y, shown.env, names, ink, bars=bars)
        says = "Where yes and no overlap, z cannot tell the label: who tells it there takes it from elsewhere."
    else:
        means = partial(mean_outcomes, scenario)
        drawn = outcome_by_arm(along(shown.z), shown.y, shown.env, shown.t, names, means, ink, bars=bars)
        says = "The gap between the two lines is the effect. A line without points beside it is what has to be guessed."
    with st.container(key="panel_outcome"):
        chart(drawn, "scenario.outcome")
        quiet(says + beyond(outside(drawn)))


def environments(envs: Sequence[EnvRow], scenario: Scenario, preset: Preset) -> None:
    """The numbers of each environment, and what one more would look like."""
    panel_title(f"The {preset.env_word}s", "what the sliders set, and what came out of it")
    label = ("prevalence",) if scenario.outcome == "binary" else ()
    apart = [
        name for name in (*label, *OBSERVATIONS[scenario.observation].of_place) if len(set(getattr(scenario, name))) > 1
    ]
    lines = [
        (
            f"{row.name} (new)" if row.new else row.name,
            _number(row.sigma),
            _number(row.offset),
            _number(row.propensity),
            f"{_number(row.cause_mean)}, {_number(row.cause_scale)}",
            f"{100 * row.share:.3g} %",
            *(_number(getattr(scenario, name)[e]) for name in apart),
        )
        for e, row in enumerate(envs)
    ]
    table(["", "σ", "offset", "P(t = 1)", "z: mean, sd", "treated", *map(config_text.word_of, apart)], lines)
    quiet(newcomer_said(scenario, preset.env_names(scenario.n_envs + 1)))


def figures_of(preset: Preset) -> str:
    """The figures that a preset's verdict was earned with, in a sentence."""
    item = _measured().get(preset.id)
    return "" if item is None else in_words(item)


def worlds(preset: Preset) -> None:
    """Every preset with its verdict and the figures behind it, folded; `preset` is the one that is shown."""
    measured = _measured()

    def drawn() -> None:
        table(
            ["World", "λ = 0", "chosen λ", "best baseline", "Verdict", "Why"],
            [(other.title, *_medians(measured.get(name)), other.verdict, other.why) for name, other in PRESETS.items()],
            words_from=4,
            strong=list(PRESETS).index(preset.id),
        )
        if preset.id in measured:
            seeds = measured[preset.id].seeds
            quiet(
                "Figures are effect errors, of a label the share that is wrong in a next hospital; medians over "
                f"{seeds} seeds that nothing was tuned on; λ is the largest that predicts at most twice as badly as "
                "the best. python -m crl_core presets --measure prints them with their intervals."
            )

    fold("When does alignment help? All worlds, and what was measured on them", "scenario.worlds", drawn)


def _measured() -> dict[str, Earned]:
    return baked_verdicts(server_cache.store().baked)


def _medians(item: Earned | None) -> tuple[str, str, str]:
    if item is None:
        return "", "", ""
    zero, picked, best = item.medians
    return f"{zero:.2g}", f"{picked:.2g}", f"{best:.2g}"


def _number(value: float) -> str:
    return f"{value:g}".replace("-", "−")


def changes(config: RunConfig, preset: Preset) -> list[str]:
    """What of the world, and of what is aligned, is not as the preset has it."""
    return [
        "number of environments" if change.name == N_ENVS else change.word
        for change in config_text.changes(preset.config, config)
        if change.name not in TRAINING - {"align", "encoder"}
    ]
