"""Which penalties pass the linear unit-tests of invariance: prediction where a feature that helped no longer does.

Trained:  as every run is (a bent encoder; one head, since all rows are untreated), on standardised rows. The authors'
          models are linear. Squared error, of classes as ±1; the authors take cross-entropy for classes. Standardising
          alone makes the faint animal of problem 2 as loud as its background; once rotated (2s) it does not.
Error:    on test rows, mean over environments: squared error of problem 1, share of wrong signs of the others.
λ:        `largest` within twice the least held-out factual error of the training environments; `oracle`, the λ of
          least test error, beside it: no method, but a bound on what any choice of λ could reach.
Pass:     a seed within 10 % of the oracle's error, or within one wrong row in a hundred where classes are told; a
          problem in more than half of the seeds. The oracle is the network at λ = 0, trained on rows as the test's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from crl_core.config import FIRST_SEED, LIMITS, RECIPE_VERSION, RunConfig
from crl_core.config.penalty_words import PENALTY_WORDS
from crl_core.config.presets import DEFAULT_PRESET, preset
from crl_core.config.text import altered
from crl_core.data.unit_tests import PROBLEMS, UnitTest
from crl_core.events import OK, finite
from crl_core.measures.cautions import nothing_measured
from crl_core.measures.lam_choice import least
from crl_core.measures.selection import affordable
from crl_core.results import RunResult
from crl_core.runs.shipped import Shipped

SEEDS, EPOCHS = 5, 30
FEWEST_SEEDS = 5  # below it there are errors, but no verdict
N_TEST = 1000  # rows of an environment, as many as to learn from
WITHIN, FLOOR = 1.1, 0.01  # of the oracle's error; added to it where rows are classified
WHERE: Mapping[str, str] = {"largest": "λ chosen without the test", "oracle": "λ chosen by the test"}
_HIDDEN, _LATENT = 16, 8
_DIGITS = 5  # of a figure that is kept

OnPath = Callable[[str, str], None]  # hears problem and penalty, "oracle" among these, as each begins


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class UnitTestPath:
    """One penalty on one problem, [R, L]: test error and held-out factual error; NaN for a model that broke."""

    problem: str
    penalty: str
    lams: tuple[float, ...]
    error: np.ndarray
    factual_mse: np.ndarray

    def picked(self, where: str) -> np.ndarray:
        """Index of λ of every seed, [R], -1 where no model is usable. where: largest, oracle."""
        if where == "oracle":
            return least(self.error)
        cheap = np.isfinite(self.error) & affordable(self.factual_mse)
        return np.asarray(np.where(cheap, np.arange(len(self.lams)), -1).max(axis=1))

    def errors(self, where: str) -> np.ndarray:
        """Test error of every seed at that λ, [R]; infinite where no model is usable."""
        at = self.picked(where)
        return np.where(at >= 0, self.error[np.arange(len(at)), np.maximum(at, 0)], np.inf)

    def at_edge(self) -> int:
        """Seeds in which the largest λ of the grid has the least test error, so that more might do better."""
        return int((least(self.error) == len(self.lams) - 1).sum())


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class UnitTests:
    """All paths over seeds `first_seed` to `first_seed + seeds - 1`.

    oracle: problem -> its test error in every seed, [R].
    """

    seeds: int
    first_seed: int
    epochs: int
    oracle: Mapping[str, np.ndarray]
    paths: tuple[UnitTestPath, ...]

    @property
    def problems(self) -> tuple[str, ...]:
        return tuple(self.oracle)

    @property
    def penalties(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(path.penalty for path in self.paths))

    def of(self, problem: str, penalty: str) -> UnitTestPath:
        return next(path for path in self.paths if (path.problem, path.penalty) == (problem, penalty))

    def without_penalty(self, problem: str) -> np.ndarray:
        """Test error of every seed at λ = 0, where all penalties are one network, [R]."""
        error = next(path for path in self.paths if path.problem == problem).error[:, 0]
        return np.where(np.isfinite(error), error, np.inf)

    def seeds_passed(self, problem: str, errors: np.ndarray) -> int:
        """In how many seeds test errors [R] are near the oracle's."""
        oracle = self.oracle[problem]
        room = FLOOR if UnitTest(problem=problem).classifies else 0.0  # type: ignore[arg-type]
        return int((errors <= np.maximum(WITHIN * oracle, oracle + room)).sum())

    def passed(self, penalty: str, where: str) -> tuple[str, ...] | None:
        """The problems that a penalty passes; None below `FEWEST_SEEDS` seeds."""
        return self._passed({name: self.of(name, penalty).errors(where) for name in self.problems})

    def passed_without_penalty(self) -> tuple[str, ...] | None:
        """The same of the network at λ = 0."""
        return self._passed({name: self.without_penalty(name) for name in self.problems})

    def _passed(self, errors: Mapping[str, np.ndarray]) -> tuple[str, ...] | None:
        if self.seeds < FEWEST_SEEDS:
            return None
        return tuple(name for name, values in errors.items() if 2 * self.seeds_passed(name, values) > self.seeds)

    def to_dict(self) -> dict[str, Any]:
        return {
            "recipe_version": RECIPE_VERSION,
            "seeds": self.seeds,
            "first_seed": self.first_seed,
            "epochs": self.epochs,
            "oracle": {name: _rounded(errors) for name, errors in self.oracle.items()},
            "paths": [
                {"problem": path.problem, "penalty": path.penalty, "lams": list(path.lams)}
                | {name: [_rounded(row) for row in getattr(path, name)] for name in ("error", "factual_mse")}
                for path in self.paths
            ],
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> UnitTests:
        paths = tuple(
            UnitTestPath(
                problem=path["problem"],
                penalty=path["penalty"],
                lams=tuple(path["lams"]),
                error=np.array(path["error"], dtype=np.float64),
                factual_mse=np.array(path["factual_mse"], dtype=np.float64),
            )
            for path in content["paths"]
        )
        oracle = {name: np.array(errors, dtype=np.float64) for name, errors in content["oracle"].items()}
        numbers = {name: int(content[name]) for name in ("seeds", "first_seed", "epochs")}
        return cls(**numbers, oracle=oracle, paths=paths)


def _rounded(values: np.ndarray) -> list[float | None]:
    return [finite(float(f"{value:.{_DIGITS}g}")) for value in values]


def grid(penalty: str) -> tuple[float, ...]:
    """0 and every other λ of the penalty's own grid, its largest among them and its weakest not: half the cost."""
    return (0.0, *PENALTY_WORDS[penalty].lams[3::2])


def run_unit_tests(
    seeds: int = SEEDS,
    first_seed: int = FIRST_SEED,
    penalties: Sequence[str] = (),
    problems: Sequence[str] = (),
    *,
    epochs: int = EPOCHS,
    on_path: OnPath | None = None,
) -> UnitTests:
    """Train every penalty (all if none is named) on every problem. Nothing is stored but what is returned.

    Raises: ValueError for a penalty or a problem that there is not, or seeds that are not possible.
    """
    low, high = LIMITS["replicates"]
    if not low <= seeds <= high:
        raise ValueError(f"seeds is {seeds}; from {low:g} to {high:g} are possible.")
    _check(penalties, PENALTY_WORDS, "penalty", "penalties")
    _check(problems, PROBLEMS, "problem", "problems")
    say = on_path or (lambda problem, penalty: None)

    def trained(source: UnitTest, penalty: str, lams: tuple[float, ...]) -> UnitTestPath:
        config = altered(
            preset(DEFAULT_PRESET),
            table=source,
            lams=lams,
            replicates=seeds,
            epochs=epochs,
            hidden=_HIDDEN,
            latent_dim=_LATENT,
            penalty=penalty,
            matching="rank" if penalty == "contrastive" else "shared",  # no unit is seen twice
            standardise=True,
            seed=first_seed,
        )
        return _tested(config)

    oracle, paths = {}, []
    for problem in problems or PROBLEMS:
        source = UnitTest(problem=problem)  # type: ignore[arg-type]
        say(problem, "oracle")
        oracle[problem] = trained(replace(source, shuffled=True), "mmd", (0.0,)).error[:, 0]
        for penalty in penalties or PENALTY_WORDS:
            say(problem, penalty)
            paths.append(trained(source, penalty, grid(penalty)))
    return UnitTests(seeds=seeds, first_seed=first_seed, epochs=epochs, oracle=oracle, paths=tuple(paths))


def _check(names: Sequence[str], known: Sequence[str] | Mapping[str, Any], one: str, several: str) -> None:
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ValueError(f"there is no {one} {', '.join(unknown)}; the {several} are {', '.join(known)}.")


def _tested(config: RunConfig) -> UnitTestPath:
    from crl_core.training import train  # torch, loaded only where something is measured

    run, source = train(config), config.source
    assert isinstance(source, UnitTest)
    usable = run.by_lam(run.status) == OK
    errors = np.stack([error_on_test(run, source, replicate) for replicate in range(config.training.replicates)])
    return UnitTestPath(
        problem=source.problem,
        penalty=config.training.penalty,
        lams=run.lams,
        error=np.where(usable, errors, np.nan),
        factual_mse=np.where(usable, run.by_lam(run.factual_mse), np.nan),
    )


def error_on_test(run: RunResult, source: UnitTest, replicate: int) -> np.ndarray:
    """Error of a replicate's models on its test rows, along λ, [L]."""
    rows = source.test(run.config.training.seed + replicate, N_TEST)
    _, y_hat, _ = run.predict(rows.x, replicate)
    with np.errstate(invalid="ignore", over="ignore"):  # of a diverged model
        wrong = np.sign(y_hat) != rows.y if source.classifies else np.square(y_hat - rows.y)
    return np.asarray(wrong.mean(axis=1))


BAKED = Shipped(study="unit-tests", settings=("seeds", "first_seed", "epochs"), parse=UnitTests.from_dict)


def cautions(found: UnitTests) -> tuple[str, ...]:
    """What the table lacks as a whole."""
    errors = [float(value) for path in found.paths for value in path.error.flat]
    return nothing_measured("penalty", errors, "Try other seeds (--first-seed).")


def baked_unit_tests(folder: Path) -> UnitTests | None:
    """What comes with the program; None where it cannot be used."""
    return BAKED.read(folder)
