"""Six problems without treatment that ask one thing: is a spurious feature left alone that predicts well everywhere?

An environment's rows have an invariant block v and a spurious block w, d = 5 coordinates each; x = [v, w], or that
times a random rotation, the same in every environment ("s": scrambled). Three environments to learn from.

1  v ~ N(0, σ_e²), ỹ = v A + N(0, σ_e²), w = ỹ B + N(0, 1), y = Σ ỹ       cause and effect, noise differs by environment
   σ = .1, 1.5, 2; entries of A and B are N(0, 1/d²)
2  v = .01 (a + N(0, .1)), w = b + N(0, .1), y = sign Σ v                  cows (a = 1) and camels (-1), grass and sand
   P(a = 1) = .3, .5, .7; P(b = a) = .95, .97, .99
3  v = .1 y + N(0, .1²), w = μ_e y + N(0, .1²), y = ±1, half each          a small margin that stays, a large that moves
   μ_e ~ N(0, I), one an environment

Test rows: the same environments, with w dealt anew among the rows of each, so that w says nothing of y any more.
Source:    Aubin, Słowik, Arjovsky, Bottou, Lopez-Paz (2021), Linear unit-tests for invariance discovery; variances of
           A and B, and y as a sum, as the authors' program has them.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

import numpy as np

from crl_core.data.scm import MultiEnvData, Stream, rng_for
from crl_core.data.source import Truth

Problem = Literal["1", "1s", "2", "2s", "3", "3s"]
PROBLEMS: tuple[Problem, ...] = get_args(Problem)
D, N_ENVS = 5, 3  # coordinates of a block, environments
N_TRAIN = 1000  # rows of an environment
SIGMA = (0.1, 1.5, 2.0)
COWS, AGREES = (0.3, 0.5, 0.7), (0.95, 0.97, 0.99)  # P(a = 1) and P(b = a) by environment
FAINT = 0.01  # scale of the animal beside its background
MARGIN = 0.1
_TITLES = {"1": "cause and effect", "2": "cows and camels", "3": "small invariant margin"}


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitTest:
    """One of the problems as a source of rows; y of problems 2 and 3 is ±1. Nobody is treated: t is 0 everywhere.

    n_train, n_validation: rows of an environment, to learn from and held out.
    shuffled: whether the rows to learn from are already as the test rows are: what only an oracle has.
    Runs on it are not stored, so no reader makes it again from its `to_dict`.
    """

    problem: Problem
    n_train: int = N_TRAIN
    n_validation: int = N_TRAIN // 4
    shuffled: bool = False

    @property
    def label(self) -> str:
        return f"{self.problem}: {_TITLES[self.problem[0]]}{', rotated' if self.scrambled else ''}"

    @property
    def scrambled(self) -> bool:
        return self.problem.endswith("s")

    @property
    def classifies(self) -> bool:
        """Whether y is a class."""
        return self.problem[0] != "1"

    @property
    def knows(self) -> frozenset[Truth]:
        return frozenset()

    @property
    def n_rows(self) -> int:
        return N_ENVS * (self.n_train + self.n_validation)

    @property
    def n_held_out(self) -> int:
        return N_ENVS * self.n_validation

    @property
    def n_envs(self) -> int:
        return N_ENVS

    @property
    def env_names(self) -> tuple[str, ...]:
        return tuple(f"environment {e + 1}" for e in range(N_ENVS))

    @property
    def signal(self) -> tuple[int, ...]:
        return ()

    @property
    def two_outcomes(self) -> bool:
        return False

    @property
    def x_shape(self) -> tuple[int, ...]:
        return (2 * D,)

    @property
    def features(self) -> tuple[str, ...]:
        return tuple(f"x{k + 1}" for k in range(2 * D))

    @property
    def noise(self) -> float | None:
        return None

    def rows(self, seed: int) -> tuple[MultiEnvData, MultiEnvData]:
        """Rows to learn from and held-out rows, both of the training environments."""
        return self._draw(seed, 0, self.n_train, self.shuffled), self._draw(seed, 1, self.n_validation, self.shuffled)

    def test(self, seed: int, n: int) -> MultiEnvData:
        """Fresh rows, `n` an environment, in which the spurious block is dealt anew."""
        return self._draw(seed, 2, n, shuffled=True)

    def to_dict(self) -> dict[str, Any]:
        return {"kind": "unit-test", **asdict(self)}

    def _draw(self, seed: int, part: int, n: int, shuffled: bool) -> MultiEnvData:
        """`n` rows of each environment. The world (A, B, μ and the rotation) depends on `seed` alone."""
        world, rng = rng_for(seed, Stream.MIXING), rng_for(seed, Stream.DATA).spawn(3)[part]
        equations = {"1": _cause_and_effect, "2": _cows_and_camels, "3": _small_margin}[self.problem[0]]
        v, w, y = equations(n, world, rng)  # [E, n, d], [E, n, d], [E, n]
        if shuffled:
            w = np.stack([rng.permutation(of_env) for of_env in w])
        x = np.concatenate([v, w], axis=2).reshape(-1, 2 * D)
        if self.scrambled:
            x = x @ np.linalg.qr(world.standard_normal((2 * D, 2 * D)))[0]
        env = np.repeat(np.arange(N_ENVS), n)
        return MultiEnvData(x=x, t=np.zeros_like(env), env=env, y=y.reshape(-1))


Blocks = tuple[np.ndarray, np.ndarray, np.ndarray]


def _cause_and_effect(n: int, world: np.random.Generator, rng: np.random.Generator) -> Blocks:
    a, b = world.standard_normal((2, D, D)) / D
    sigma = np.array(SIGMA)[:, None, None]
    v, noise, own = rng.standard_normal((3, N_ENVS, n, D))
    v = sigma * v
    y = v @ a + sigma * noise
    return v, y @ b + own, y.sum(axis=2)


def _cows_and_camels(n: int, world: np.random.Generator, rng: np.random.Generator) -> Blocks:
    is_cow, agrees = (rng.random((N_ENVS, n)) < np.array(share)[:, None] for share in (COWS, AGREES))
    animal = np.where(is_cow, 1.0, -1.0)
    background = np.where(agrees, animal, -animal)
    v, w = np.stack([animal, background])[..., None] + np.sqrt(0.1) * rng.standard_normal((2, N_ENVS, n, D))
    return FAINT * v, w, np.where(v.sum(axis=2) > 0, 1.0, -1.0)


def _small_margin(n: int, world: np.random.Generator, rng: np.random.Generator) -> Blocks:
    y = np.where(np.arange(n) < n // 2, 1.0, -1.0) * np.ones((N_ENVS, 1))
    mu = world.standard_normal((N_ENVS, 1, D))
    v, w = MARGIN * rng.standard_normal((2, N_ENVS, n, D))
    return v + MARGIN * y[..., None], w + mu * y[..., None], y
