"""Make anew the answers of all studies that come with the program, each in its file beside the baked runs.

Runs that the answers need are taken from the store, or trained. What decides how long a study takes is an argument; the
defaults are what is shipped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from crl_core.config.presets import DEFAULT_PRESET, PRESETS
from crl_core.identify import shipped as latents
from crl_core.identify.latent_worlds import LatentWorld, single_targets
from crl_core.identify.method_words import METHOD_WORDS
from crl_core.identify.presets import FIRST_SEED, TRADEOFF, latent_preset
from crl_core.jobs.executors import Executor
from crl_core.runs.store import RunStore
from crl_core.studies import claims_run, detection_rates, environments, penalties, preset_verdicts, unit_tests
from crl_core.studies.claims import Claim, load_claims
from crl_core.studies.environments_report import report_content
from crl_core.studies.study_claims import STUDIES, StudyClaim, claims_of, measure_study

Say = Callable[[str], None]  # hears what is measured now

# Three worlds with verdicts of their own, and the hospitals with other patients in each, where pairs and populations
# disagree. The others are measured when asked for: a contest is ten penalties along their paths.
CONTEST_SETTINGS = tuple(
    penalties.ContestSetting(preset=name, gap=gap, seeds=5)
    for name in (DEFAULT_PRESET, "linear", "leaky")
    for gap in ((None, 1.0) if name == DEFAULT_PRESET else (None,))
)
_CONTROLS = ("flow", "flow-shuffled", "flow-pooled")
LATENT_WORLDS: Mapping[str, tuple[str, ...]] = {
    "each": tuple(METHOD_WORDS),
    "each-4": (*_CONTROLS, "ivae", "beta-vae", "gevd", "fastica", "pca"),
    "untouched-pair": ("flow",),
    "untouched-one": ("flow",),
    "same-ratio": ("flow",),
    "chain": ("flow",),
    "linear": ("flow", "fastica", "gevd", "pca"),
    "each-5": ("flow", "flow-shuffled"),
    "perfect": ("causes", "flow", "flow-causes", "fastica", "pca"),
    "perfect-smooth": ("flow-causes", "flow"),
    "one": ("flow", "fastica", "pca"),
}


def bake_presets(
    store: RunStore,
    executor: Executor,
    say: Say,
    *,
    presets: Sequence[str] = tuple(PRESETS),
    **smaller: Any,
) -> Path:
    """What alignment earns in each preset.

    smaller: settings of `preset_verdicts.measure`.
    """
    say("presets: what alignment earns")
    measured = preset_verdicts.measure(presets, store, executor, **smaller)
    return preset_verdicts.BAKED.write(store.baked, preset_verdicts.to_dict(measured))


def bake_claims(
    store: RunStore,
    executor: Executor,
    say: Say,
    *,
    claims: Sequence[Claim] | None = None,
    seeds: int = claims_run.SEEDS,
    epochs: int = claims_run.EPOCHS,
) -> Path:
    """The claims about λ paths."""
    say("claims about λ paths")
    measured = claims_run.run_claims(load_claims() if claims is None else claims, seeds, store, executor, epochs=epochs)
    return claims_run.BAKED.write(store.baked, claims_run.content_of(measured, seeds, epochs))


def bake_study_claims(
    study: str,
    store: RunStore,
    executor: Executor,
    say: Say,
    *,
    claims: Sequence[StudyClaim] | None = None,
    seeds: int | None = None,
) -> Path:
    """The claims of one study."""
    say(f"claims: {STUDIES[study].title}")
    seeds, first_seed = STUDIES[study].seeds if seeds is None else seeds, STUDIES[study].first_seed
    asked = claims_of(study) if claims is None else claims
    content = claims_run.content_of(
        measure_study(asked, seeds, store, executor, first_seed), seeds, first_seed=first_seed
    )
    return claims_run.shipped_claims(f"claims-{study}").write(store.baked, content)


def bake_environments(
    store: RunStore,
    executor: Executor,
    say: Say,
    *,
    seeds: int = environments.SEEDS,
    epochs: int = environments.EPOCHS,
) -> Path:
    """What another environment buys in the first visit's world."""
    say(f"environments: {DEFAULT_PRESET}")
    study = environments.run_environments(DEFAULT_PRESET, seeds, store, executor, epochs=epochs)
    return environments.BAKED.write(store.baked, report_content(study))


def bake_penalties(
    store: RunStore, executor: Executor, say: Say, *, settings: Sequence[penalties.ContestSetting] = CONTEST_SETTINGS
) -> Path:
    """The penalties side by side, setting by setting."""
    found = []
    for setting in settings:
        say(f"penalties: {setting.preset}, {setting.words}")
        found.append(penalties.run_contest(setting, store, executor=executor))
    return penalties.BAKED.write(store.baked, {"contests": [contest.to_dict() for contest in found]})


def bake_unit_tests(store: RunStore, executor: Executor, say: Say, **smaller: Any) -> Path:
    """The penalties on six problems of others' making. No runs.

    smaller: arguments of `unit_tests.run_unit_tests`.
    """

    def on_path(problem: str, penalty: str) -> None:
        say(f"unit tests: problem {problem}, {penalty}")

    return unit_tests.BAKED.write(store.baked, unit_tests.run_unit_tests(**smaller, on_path=on_path).to_dict())


def bake_unseen(store: RunStore, executor: Executor, say: Say, **smaller: Any) -> Path:
    """How often the falsifiers alarm.

    smaller: settings of `detection_rates.run_power`.
    """
    say("unseen: hospitals")
    power = detection_rates.run_power("hospitals", store, executor=executor, **smaller)
    return detection_rates.BAKED.write(store.baked, power.to_dict())


def bake_identify(
    store: RunStore,
    executor: Executor,
    say: Say,
    *,
    seeds: int = 10,
    worlds: Mapping[str, tuple[str, ...]] = LATENT_WORLDS,
    stairs: Iterable[int] = range(1, 7),
    steps: int | None = None,
) -> Path:
    """Latents recovered: methods world by world, a staircase of environments, the price of alignment. No runs."""
    from crl_core.identify.flows.recover import STEPS, recover  # torch, loaded only where something is measured
    from crl_core.identify.flows.tradeoff import tradeoff

    # Fitted again on other rows where agreement is the lesson; elsewhere restarts tell it, at no further cost.
    redraws = {"perfect": 2}
    own, steps = list(range(FIRST_SEED, FIRST_SEED + seeds)), STEPS if steps is None else steps
    rows, staircase = {}, {}
    for name, methods in worlds.items():
        say(f"identify: world {name}")
        found = recover(latent_preset(name), own, methods, steps=steps, redraws=redraws.get(name, 0))
        rows[name] = [row.to_dict() for row in found]
    for n_envs in stairs:
        say(f"identify: staircase, {n_envs} environments")
        world = LatentWorld(scales=single_targets(4, n_envs))
        staircase[str(n_envs)] = [row.to_dict() for row in recover(world, own, steps=steps)]
    say("identify: trade-off")
    content = {
        "seeds": seeds,
        "worlds": rows,
        "staircase": staircase,
        "tradeoff": tradeoff(TRADEOFF, own[:5], steps),
    }
    return latents.BAKED.write(store.baked, _short(content))


def _short(value: Any) -> Any:
    """The same content with figures of four decimals."""
    if isinstance(value, dict):
        return {name: _short(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_short(item) for item in value]
    return round(value, 4) if isinstance(value, float) else value


# What `bake --only` may name: the file, and how it is made.
ANSWERS: Mapping[str, Callable[[RunStore, Executor, Say], Path]] = {
    "presets": bake_presets,
    "claims": bake_claims,
    **{f"claims-{study}": partial(bake_study_claims, study) for study in STUDIES},
    "environments": bake_environments,
    "penalties": bake_penalties,
    "unit-tests": bake_unit_tests,
    "unseen": bake_unseen,
    "identify": bake_identify,
}
