"""What a whole run lacks, so that no figure of it can be taken at its word: what happened, and what to change.

The same sentences stand on every page of the run, on the command line, in its JSON and in an exported model. A study
of several runs says theirs, and where not one of its figures is a number.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache

import numpy as np

from crl_core.config import RunConfig
from crl_core.data.ecg import folded
from crl_core.data.scm import HELD_OUT, sample
from crl_core.events import OK, STATUS_WORDS
from crl_core.results import RunResult, data_of

_PLENTY = 60  # units expected in an arm; with fewer, the rows themselves are looked at
_MEANS = {
    "diverged": "a diverged model has no finite loss, so its figures and pictures are empty",
    "collapsed": "a collapsed model gives the same answer to everyone, so nothing can be read from its figures",
}


def cautions_of(result: RunResult) -> tuple[str, ...]:
    """Of a run that has been trained; empty where nothing is amiss everywhere."""
    return tuple(
        text for text in (nothing_usable(result.config, result.status), *cautions_before(result.config)) if text
    )


def cautions_of_model(result: RunResult, m: int) -> tuple[str, ...]:
    """Of one model that is taken out of its run: how it ended, where others ended better, and what the run lacks."""
    usable = result.status == OK
    if usable[m] or not usable.any():
        return cautions_of(result)
    word = STATUS_WORDS[int(result.status[m])]
    alone = (
        f"The model of λ = {result.lam[m]:g}, replicate {result.replicate[m]}, {word}; {_MEANS[word]}. "
        f"{int(usable.sum())} of the run's {len(usable)} models are usable: take another λ."
    )
    return (alone, *cautions_of(result))


def cautions_of_runs(configs: Mapping[str, RunConfig]) -> tuple[str, ...]:
    """Of a study's runs, by name, before they are trained: each caution once, with the runs' names unless it is of
    all."""
    named: dict[str, list[str]] = {}
    for name, config in configs.items():
        for text in cautions_before(config):
            named.setdefault(text, []).append(name)
    return tuple(text if len(of) == len(configs) else f"{', '.join(of)}: {text}" for text, of in named.items())


def nothing_measured(what: str, values: Iterable[float | None], change: str) -> tuple[str, ...]:
    """Of a study's figures, where not one is a number. what: was measured, e.g. "penalty"; change: the way out."""
    if any(value is not None and np.isfinite(value) for value in values):
        return ()
    return (
        f"No {what} has a number: every model diverged or collapsed, or could not be trained, so there is nothing to "
        f"compare. {change}",
    )


@lru_cache(maxsize=256)
def cautions_before(config: RunConfig) -> tuple[str, ...]:
    """Of a config, before anything is trained on it: no effect or no label to learn, or no groups to compare."""
    found = (_untaught(config), _one_label(config), _uncompared(config), _hum_folded(config))
    return tuple(text for text in found if text)


def nothing_usable(config: RunConfig, status: np.ndarray) -> str:
    """Where not one model is usable. status [M]: index into STATUS_WORDS."""
    if (status == OK).any():
        return ""
    words = [STATUS_WORDS[int(code)] for code in status]
    kinds = list(dict.fromkeys(words))
    count = len(words)
    who = "The only model" if count == 1 else f"All {count} models"
    if len(kinds) > 1:
        who = f"No model is usable: {' and '.join(f'{words.count(kind)} of {count} {kind}' for kind in kinds)}"
    else:
        who = f"{who} {kinds[0]}"
    training = config.training
    ways = {
        "diverged": f"a lower learning rate (now {training.learning_rate:g})",
        "collapsed": f"more epochs (now {training.epochs})",
    }
    smaller = [f"λ below {training.lams[0]:g}"] if training.lams[0] > 0 else []  # λ = 0 failed too: λ is not to blame
    return (
        f"{who}; {'; '.join(_MEANS[kind] for kind in kinds)}. "
        f"Train again with {' or '.join([*(ways[kind] for kind in kinds), *smaller])}."
    )


def _untaught(config: RunConfig) -> str:
    """Where one treatment is never given in the training rows of a replicate."""
    if _both_expected(config) or _both_among_few(config):
        return ""
    # Drawing a replicate of a large world takes seconds, so that one is looked at.
    large = config.table is None and config.scenario.in_memory != config.scenario
    looked_at = range(1 if large else config.training.replicates)
    shares = [float(np.mean(data_of(config, replicate)[0].t)) for replicate in looked_at]
    empty = [share for share in shares if share in (0.0, 1.0)]
    if not empty:
        return ""
    everyone = "every" if empty[0] == 1.0 else "no"
    where = "" if len(empty) == len(shares) else f" of {len(empty)} of {len(shares)} replicates"
    return (
        f"One treatment is never seen: {everyone} training row{where} is treated, so no effect can be learnt and no "
        "λ is better than another. Change the share treated (scenario.propensity), or use more samples."
    )


def _both_expected(config: RunConfig) -> bool:
    """Whether both treatments are so frequent that no rows need be drawn to know that they occur: of n independent
    units with probabilities p none is treated with a probability below exp(-Σ p)."""
    if config.table is not None or config.scenario.confounding:
        return False
    scenario = config.scenario
    treated = sum(n * p for n, p in zip(scenario.env_sizes, scenario.propensity, strict=True))
    return bool(min(treated, scenario.n_samples - treated) > _PLENTY)


def _both_among_few(config: RunConfig) -> bool:
    """Whether in a large world both treatments are frequent among as many rows as fit into memory; so they are among
    all of them."""
    if config.table is not None or (few := config.scenario.in_memory) == config.scenario:
        return False
    treated = int(sample(few, config.training.seed).t.sum())
    return min(treated, few.n_samples - treated) > _PLENTY


def _one_label(config: RunConfig) -> str:
    """Where one label is never given in the training rows, or in the held-out rows, of a replicate."""
    scenario = config.scenario
    if scenario is None or scenario.outcome != "binary":
        return ""
    yes = sum(n * p for n, p in zip(scenario.env_sizes, scenario.prevalence, strict=True))
    if HELD_OUT * min(yes, scenario.n_samples - yes) > _PLENTY:
        return ""
    parts = [data_of(config, replicate) for replicate in range(config.training.replicates)]
    for part, rows, so in (
        (0, "training", "nothing can be predicted and no λ is better than another"),
        (1, "held-out", "an accuracy is that of always saying the same, and AUC is not defined"),
    ):
        shares = [float(np.mean(each[part].y)) for each in parts]
        if empty := [share for share in shares if share in (0.0, 1.0)]:
            where = "" if len(empty) == len(shares) else f" of {len(empty)} of {len(shares)} replicates"
            return (
                f"One label is never seen: {'every' if empty[0] == 1.0 else 'no'} {rows} row{where} has the label, so "
                f"{so}. Change the share that has it (scenario.prevalence), or use more samples."
            )
    return ""


def _hum_folded(config: RunConfig) -> str:
    """Where the samples of a trace are too far apart for its hum."""
    scenario = config.scenario
    if scenario is None or scenario.observation != "ecg" or scenario.hum_hz < scenario.rate / 2:
        return ""
    if scenario.hum_hz == scenario.rate / 2:
        return (
            f"A hum of {scenario.hum_hz:g} Hz is exactly half of the {scenario.rate:g} samples a second, so its phase "
            f"decides how much of it a trace shows. Raise scenario.rate above {2 * scenario.hum_hz:g} to see all of it."
        )
    return (
        f"A hum of {scenario.hum_hz:g} Hz is above half of the {scenario.rate:g} samples a second, so it stands in the "
        f"traces at {folded(scenario.hum_hz, scenario.rate):g} Hz. Raise scenario.rate above {2 * scenario.hum_hz:g} "
        "to see it where it is."
    )


def _uncompared(config: RunConfig) -> str:
    """Where the penalty has one group only."""
    if config.source.n_envs > 1 or config.training.align == "treatment":
        return ""
    return (
        "There is one environment only, so the penalty has nothing to compare and every λ trains the same network. "
        "Use more environments, or align treated and untreated (training.align=treatment)."
    )
