"""Is the outlook right in worlds it was not made on? python benchmarks/outlook.py --out DIR [--seed S] [--worlds 60]

Random worlds are drawn from a seeded generator, each is trained along a short λ path (three replicates), and what the
Scenario page expects is set beside what was measured. A world that lies in DIR is not trained again, so that words can
be tried anew at no cost; the outlook itself sees nothing but the scenario's numbers.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_args

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import torch

from crl_core import RunConfig, Scenario, Training, train
from crl_core.data.scm import Stream, rng_for
from crl_core.measures.baselines import fit_all
from crl_core.world.outlook import Word, outlook

LAMS = (0.0, 0.01, 0.1, 1.0, 10.0)
TRAINING = Training(
    lams=LAMS, replicates=3, epochs=25, standardise=True, weight_decay=0.0, seed=100, device="cpu"
)  # fmt: skip


def world(seed: int, index: int) -> RunConfig:
    """The `index`-th random world of a seed: another one for each, whatever the number of worlds."""
    rng = np.random.default_rng([seed, index])

    def one_of(values: Sequence[Any], weights: Sequence[float] | None = None) -> Any:
        return values[int(rng.choice(len(values), p=weights))]

    def each(low: float, high: float) -> tuple[float, ...]:
        return tuple(round(float(value), 2) for value in rng.uniform(low, high, n_envs))

    n_envs = one_of((1, 2, 3, 4), (0.05, 0.45, 0.25, 0.25))
    first = int(rng.integers(2))
    span = float(rng.uniform(0.05, 1.5))
    dims = one_of(((1, 1), (1, 5), (3, 1), (3, 5), (2, 10), (5, 20)))
    scenario = Scenario(
        n_samples=4000,
        sigma=one_of((each(0.1, 1.5), each(0.1, 1.5)[:1] * n_envs)),
        offset=one_of((each(-3, 3), (0.0,), each(-3, 3)[:1]), (0.7, 0.2, 0.1)),
        propensity=one_of(
            (tuple(float((env + first) % 2) for env in range(n_envs)), each(0.1, 0.9), (0.5,), each(0.1, 0.9)[:1]),
            (0.4, 0.3, 0.2, 0.1),
        ),
        interaction=one_of((0.0, 0.3, -1.0), (0.75, 0.15, 0.1)),
        heterogeneity=one_of((0.0, 0.5, 1.0, 1.5, 2.0)),
        noise=one_of((0.05, 0.3)),
        dim_causal=dims[0],
        dim_spurious=dims[1],
        mixing=one_of(("none", "rotation", "nonlinear"), (0.25, 0.35, 0.4)),
        cause_mean=one_of(((0.0,), each(-span, span)), (0.7, 0.3)),
        cause_scale=one_of(((1.0,), each(0.5, 1.5)), (0.85, 0.15)),
        confounding=one_of((0.0, 0.5, 1.0, 2.0), (0.6, 0.15, 0.15, 0.1)),
        env_weight=one_of(((1.0,), each(0.2, 1)), (0.8, 0.2)),
        surface=one_of(("linear", "waves"), (0.6, 0.4)),
    )
    if scenario.interaction == 0:
        scenario = replace(scenario, leak=one_of((0.0, 0.5, 1.0), (0.7, 0.15, 0.15)))
    align = one_of(("environment", "treatment"), (0.75, 0.25))
    return RunConfig(scenario=scenario, training=replace(TRAINING, align=align))


def measured(config: RunConfig) -> dict[str, Any]:
    """ITE RMSE and factual error of each replicate along λ, [R, L], and the baselines' ITE RMSE, [R] each."""
    result = train(config)
    shape = (config.training.replicates, len(LAMS))
    found: dict[str, list[float]] = {}
    for replicate in range(config.training.replicates):
        seed = config.training.seed + replicate
        for baseline in fit_all(*config.scenario.rows(seed), rng_for(seed, Stream.BASELINES)):
            found.setdefault(baseline.name, []).append(baseline.ite_rmse)
    assert result.ite_rmse is not None  # a scenario knows the effects
    return {
        "key": config.key,
        "config": config.to_dict(),
        "ite_rmse": result.ite_rmse.reshape(shape).tolist(),
        "factual_mse": result.factual_mse.reshape(shape).tolist(),
        "baselines": found,
    }


def stored(config: RunConfig, path: Path) -> dict[str, Any]:
    """What was measured of `config`: from the file, or trained now and put there."""
    if path.exists():
        found: dict[str, Any] = json.loads(path.read_text())
        if found["key"] == config.key:
            return found
    found = measured(config)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(found))
    return found


GAIN = 0.8  # of the error at λ = 0, or less, counts as a gain


@dataclass(frozen=True)
class Finding:
    """A world's word and what was measured of it: medians over replicates."""

    word: Word
    helps: bool  # some λ gains 20 % or more, and lowers the error in every replicate
    beats: bool  # so does the best λ beat the best of the simple baselines
    at: dict[float, float]  # λ -> median error as a share of that at λ = 0

    @classmethod
    def of(cls, config: RunConfig, found: dict[str, Any]) -> Finding:
        error = np.array(found["ite_rmse"], dtype=float)  # [R, L]; a model that diverged has NaN
        median = np.median(error, axis=0)
        share = median / median[0]
        gains = (share <= GAIN) & (error < error[:, :1]).all(axis=0)
        baseline = min(float(np.median(values)) for values in found["baselines"].values())
        return cls(
            word=outlook(config.scenario, config.training.align).word,
            helps=bool(gains.any()),
            beats=bool(gains.any() and np.nanmin(median[1:]) < baseline),
            at=dict(zip(LAMS, share.tolist(), strict=True)),
        )


def table(findings: Sequence[Finding]) -> str:
    """The confusion table: a row a word, what was measured in its worlds."""
    lines = [
        "| expectation | worlds | some λ gains ≥ 20 % | and beats the simple baselines | λ = 0.1 better / same / worse "
        "| λ = 1 | λ = 10 |",
        "|---|---|---|---|---|---|---|",
    ]
    for word in get_args(Word):
        of_word = [item for item in findings if item.word == word]
        if not of_word:
            continue
        counts = [
            str(sum(counted)) for counted in zip(*((True, item.helps, item.beats) for item in of_word), strict=True)
        ]
        turns = [_turn([item.at[lam] for item in of_word]) for lam in (0.1, 1.0, 10.0)]
        lines.append(f"| {word} | {' | '.join(counts + turns)} |")
    help_, signal = ([item for item in findings if item.word == word] for word in ("can help", "takes the signal away"))
    lines.append("")
    lines.append(
        f"“can help” is right in {sum(item.helps for item in help_)} of {len(help_)} worlds, “takes the signal away” "
        f"at λ = 10 in {sum(item.at[10.0] > 1.1 for item in signal)} of {len(signal)}."
    )
    return "\n".join(lines)


def _turn(shares: Sequence[float]) -> str:
    """How many are better by a tenth, the same, and worse by a tenth."""
    better, worse = sum(share < 0.9 for share in shares), sum(share > 1.1 for share in shares)
    return f"{better} / {len(shares) - better - worse} / {worse}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--worlds", type=int, default=60)
    options = parser.parse_args()
    torch.set_num_threads(1)
    findings = []
    for index in range(options.worlds):
        config = world(options.seed, index)
        found = stored(config, options.out / f"{options.seed}-{index:03d}.json")
        findings.append(Finding.of(config, found))
        print(f"\r{index + 1} of {options.worlds}", end="", file=sys.stderr, flush=True)
    print(f"\n{options.worlds} random worlds of seed {options.seed}, {TRAINING.replicates} replicates each:\n")
    print(table(findings))


if __name__ == "__main__":
    main()
