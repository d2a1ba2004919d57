"""Latent worlds: d hidden causes, E environments that change their scales and means, and a mixing that hides them.

    u_ei ~ N(mean_ei, scale_ei²)                         independent noises; environment 0 is the reference
    z_1 = u_1,  z_i = b_i z_{i-1} + u_i                  with edges; without, z = u
    x = A g(z)                                           g smooth and invertible, A [D, d] with orthonormal columns

Edges:    |b_i| ~ U(.8, 1.4) with a random sign. Soft interventions keep them; perfect ones cut the edge into a latent
          whose scale or mean differs from the reference.
Smooth:   three linear maps U diag(s) V, log s uniform so that s lies within 1/√c .. √c, with biases; u ↦ u/4 + ¾
          tanh(3u/2) between.
Coupling: four affine couplings, each scaling and moving half of the coordinates by a small random network of the other
          half.
Linear:   one such linear map, or `matrix` as given.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal, get_args

import numpy as np

from crl_core.config.numbers import NotANumber, numbers, tidy

Mixing = Literal["smooth", "coupling", "linear"]
Edges = Literal["none", "soft", "perfect"]
Table = tuple[tuple[float, ...], ...]
DIMS, ENVS, ROWS = (2, 5), (1, 11), (200, 20_000)
SCALES, MEANS = (0.05, 20.0), (-10.0, 10.0)
MAX_CONDITION = 1e4
N_CHOOSE, N_TEST = 1000, 1000  # rows an environment to choose restarts by, and to score


@dataclass(frozen=True, slots=True, kw_only=True)
class LatentWorld:
    """One latent world; with a seed it determines every row. Raises ValueError naming the field and what is allowed."""

    scales: tuple[tuple[float, ...], ...]  # [E, d], standard deviation of each noise in each environment
    means: tuple[tuple[float, ...], ...] = ()  # [E, d]; empty: all 0
    edges: Edges = "none"
    mixing: Mixing = "smooth"
    condition: float = 3.0  # c: greatest over smallest singular value of each random linear map, at most
    matrix: tuple[tuple[float, ...], ...] = ()  # [D, d], of a linear mixing; empty: random
    dim_x: int = 0  # D; 0: as many as latents
    n_rows: int = 2000  # an environment, to train on
    outcome: tuple[float, ...] = ()  # y = outcome · z + N(0, .1²); empty: no outcome

    def __post_init__(self) -> None:
        put = object.__setattr__
        put(self, "scales", _matrix("scales", self.scales, SCALES))
        n_envs, dim = len(self.scales), len(self.scales[0])
        _within("the number of latents", dim, DIMS)
        _within("the number of environments", n_envs, ENVS)
        put(self, "means", _matrix("means", self.means or [[0.0] * dim] * n_envs, MEANS))
        if (len(self.means), len(self.means[0])) != (n_envs, dim):
            raise ValueError(
                f"means are {len(self.means)} × {len(self.means[0])} and scales {n_envs} × {dim}; give one mean for "
                f"each scale."
            )
        for name, options in (("edges", get_args(Edges)), ("mixing", get_args(Mixing))):
            if getattr(self, name) not in options:
                raise ValueError(f"{name} is {getattr(self, name)!r}; it must be one of {', '.join(options)}.")
        _within("condition", self.condition, (1.0, 100.0))
        _within("n_rows", self.n_rows, ROWS)
        put(self, "n_rows", int(self.n_rows))
        put(self, "matrix", tuple(self.matrix))
        if self.matrix:
            self._check_matrix(dim)
        put(self, "dim_x", int(self.dim_x) or (len(self.matrix) if self.matrix else dim))
        if self.matrix and self.dim_x != len(self.matrix):
            raise ValueError(f"dim_x is {self.dim_x} and the matrix has {len(self.matrix)} rows; leave dim_x out.")
        if not dim <= self.dim_x <= 50:
            raise ValueError(
                f"dim_x is {self.dim_x} with {dim} latents; the observed dimension must be from {dim} to 50, "
                "or latents are lost before any method sees them."
            )
        put(self, "outcome", tuple(float(value) for value in self.outcome))
        if self.outcome and (len(self.outcome) != dim or not np.isfinite(self.outcome).all()):
            raise ValueError(
                f"outcome has {len(self.outcome)} coefficients; give one finite number for each of {dim} latents."
            )

    def _check_matrix(self, dim: int) -> None:
        if self.mixing != "linear":
            raise ValueError(f"a matrix needs mixing = 'linear'; it is {self.mixing!r}.")
        object.__setattr__(self, "matrix", _matrix("matrix", self.matrix, (-1e6, 1e6)))
        if len(self.matrix[0]) != dim or len(self.matrix) < dim:
            raise ValueError(
                f"matrix is {len(self.matrix)} × {len(self.matrix[0])}; it needs {dim} columns and at least as many "
                f"rows."
            )
        number = float(np.linalg.cond(np.array(self.matrix)))
        if not number <= MAX_CONDITION:
            raise ValueError(
                f"the mixing matrix is singular or nearly so (condition number {number:.3g}); up to {MAX_CONDITION:g} "
                f"is possible. "
                "Change a row, so that no latent disappears."
            )

    @property
    def dim(self) -> int:
        return len(self.scales[0])

    @property
    def n_envs(self) -> int:
        return len(self.scales)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON; `from_dict` gives the same world back."""
        return json.loads(json.dumps({item.name: getattr(self, item.name) for item in fields(self)}))  # type: ignore[no-any-return]

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> LatentWorld:
        """Raises ValueError naming a field that is not known, or as the class does."""
        known = {item.name for item in fields(cls)}
        unknown = sorted(set(content) - known)
        if unknown or "scales" not in content:
            raise ValueError(
                f"a world has no field {', '.join(unknown)}; there are {', '.join(sorted(known))}."
                if unknown
                else "a world needs scales: one row an environment, one column a latent."
            )
        return cls(**content)


def _within(name: str, value: Any, limits: tuple[float, float]) -> None:
    low, high = limits
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
        raise ValueError(f"{name} is {value!r}; from {low:g} to {high:g} are possible.")


def _matrix(name: str, rows: Any, limits: tuple[float, float]) -> tuple[tuple[float, ...], ...]:
    """Rows of equal length within limits, as tuples of floats."""
    low, high = limits
    try:
        table = tuple(tuple(float(value) for value in row) for row in rows)
    except (TypeError, ValueError):
        raise ValueError(f"{name} must be a table of numbers: one row an environment, one column a latent.") from None
    if not table or not table[0] or any(len(row) != len(table[0]) for row in table):
        raise ValueError(
            f"{name} has rows of different lengths or none; give one row an environment, one column a latent."
        )
    for e, row in enumerate(table):
        for i, value in enumerate(row):
            if not low <= value <= high:  # also NaN
                hint = (
                    " A scale of 0 leaves nothing of a latent; 1 leaves it unchanged."
                    if name == "scales" and value == 0
                    else ""
                )
                raise ValueError(f"{name}[{e}][{i}] is {value:g}; it must be from {low:g} to {high:g}.{hint}")
    return table


def written_table(table: Table) -> str:
    """An environment a word, its numbers with commas: "1,1,1 2.5,1,1"."""
    return " ".join(",".join(f"{value:g}" for value in row) for row in table)


def read_table(text: str, name: str) -> Table:
    """What `written_table` wrote. Raises ValueError naming `name` and the word that cannot be read."""
    rows = []
    for word in tidy(text).split():
        try:
            rows.append(tuple(map(float, numbers(word))))
        except NotANumber:
            raise ValueError(
                f"{name} has {word!r:.40}; write an environment as numbers with commas, e.g. 2.5,1,1."
            ) from None
    return tuple(rows)


# -- rows --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Split:
    """One split: rows of every environment. A method may see x; z, noise and y are the truth."""

    x: np.ndarray  # [E, n, D]
    z: np.ndarray  # [E, n, d]
    noise: np.ndarray  # [E, n, d], u in the module's equations; equal to z without edges
    y: np.ndarray  # [E, n]; NaN without an outcome


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sample:
    """Three splits of one draw: to train on, to choose restarts by, and to score."""

    train: Split
    choose: Split
    test: Split


def sample_world(world: LatentWorld, seed: int, redraw: int = 0) -> Sample:
    """Draw edges, mixing and rows from `seed`.

    redraw: above 0, other rows to train on and to choose by, of the same edges and mixing; the test rows stay.
    Raises: ValueError if `seed` is not a whole number >= 0, or the mixing turns out nearly singular at the rows drawn.
    """
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise ValueError(f"seed is {seed!r}; it must be a whole number from 0.")
    structure, draws = (np.random.default_rng([seed, part]) for part in (0, 1))
    weights = structure.uniform(0.8, 1.4, world.dim) * structure.choice([-1.0, 1.0], world.dim)
    mix = _mixing_of(world, structure)

    def split(n: int, draws: np.random.Generator) -> Split:
        noise = np.array(world.means)[:, None] + np.array(world.scales)[:, None] * draws.standard_normal(
            (world.n_envs, n, world.dim)
        )
        z = _along_edges(world, noise, weights)
        y = np.full((world.n_envs, n), np.nan)
        if world.outcome:
            y = z @ np.array(world.outcome) + 0.1 * draws.standard_normal((world.n_envs, n))
        return Split(x=mix(z), z=z, noise=noise, y=y)

    train, choose, test = (split(n, draws) for n in (world.n_rows, N_CHOOSE, N_TEST))
    _check_condition(mix, test.z[0, :50])
    if redraw:
        others = np.random.default_rng([seed, 1, redraw])
        train, choose = split(world.n_rows, others), split(N_CHOOSE, others)
    return Sample(train=train, choose=choose, test=test)


def targets(world: LatentWorld) -> np.ndarray:
    """[E, d] bool: which latents an environment changes against the reference, environment 0."""
    scales, means = np.array(world.scales), np.array(world.means)
    return np.asarray((scales != scales[0]) | (means != means[0]))


def _along_edges(world: LatentWorld, noise: np.ndarray, weights: np.ndarray) -> np.ndarray:
    if world.edges == "none":
        return noise
    cut = targets(world) if world.edges == "perfect" else np.zeros((world.n_envs, world.dim), dtype=bool)
    z = noise.copy()
    for i in range(1, world.dim):
        z[..., i] += np.where(cut[:, i], 0.0, weights[i])[:, None] * z[..., i - 1]
    return z


class _Mixing:
    """x = A g(z) for one draw of the parameters."""

    def __init__(self, world: LatentWorld, rng: np.random.Generator) -> None:
        self.family = world.mixing
        d, c = world.dim, world.condition
        self.maps = [_linear_map(rng, d, c) for _ in range(1 if world.mixing == "linear" else 3)]
        self.biases = rng.normal(0, 0.3, (len(self.maps), d))
        self.nets = [(rng.normal(0, 1, (d, 8)), rng.normal(0, 1, 8), rng.normal(0, 0.35, (8, 2 * d))) for _ in range(4)]
        self.masks = [(np.arange(d) + step) % 2 == 0 for step in range(4)]
        self.turns = [_rotation(rng, d) for _ in range(4)]
        self.out = np.linalg.qr(rng.standard_normal((world.dim_x, d)))[0] if world.dim_x > d else np.eye(d)
        if world.matrix:
            self.maps, self.out = [np.array(world.matrix)], np.eye(world.dim_x)

    def __call__(self, z: np.ndarray) -> np.ndarray:
        u = z
        if self.family == "coupling":
            for (first, bias, second), mask, turn in zip(self.nets, self.masks, self.turns, strict=True):
                log_scale, shift = np.split(np.tanh((u * mask) @ first + bias) @ second, 2, axis=-1)
                u = np.where(mask, u, u * np.exp(0.6 * np.tanh(log_scale)) + shift) @ turn
        else:
            for step, (linear, bias) in enumerate(zip(self.maps, self.biases, strict=True)):
                u = u @ linear.T + (bias if self.family == "smooth" else 0.0)
                if step + 1 < len(self.maps):
                    u = 0.25 * u + 0.75 * np.tanh(1.5 * u)
        return np.asarray(u @ self.out.T)


def _mixing_of(world: LatentWorld, rng: np.random.Generator) -> _Mixing:
    return _Mixing(world, rng)


def _rotation(rng: np.random.Generator, d: int) -> np.ndarray:
    q, r = np.linalg.qr(rng.standard_normal((d, d)))
    return np.asarray(q * np.sign(np.diag(r)))


def _linear_map(rng: np.random.Generator, d: int, condition: float) -> np.ndarray:
    half = 0.5 * math.log(condition)
    return np.asarray(_rotation(rng, d) @ np.diag(np.exp(rng.uniform(-half, half, d))) @ _rotation(rng, d))


def jacobian_condition(mix: Any, z: np.ndarray, step: float = 1e-5) -> float:
    """Median condition number of the mixing's Jacobian at the rows of z [n, d], by central differences."""
    moves = step * np.eye(z.shape[-1])
    jacobian = np.stack([(mix(z + move) - mix(z - move)) / (2 * step) for move in moves], axis=-1)
    return float(np.median(np.linalg.cond(jacobian)))


def _check_condition(mix: _Mixing, z: np.ndarray) -> None:
    number = jacobian_condition(mix, z)
    if not number <= MAX_CONDITION:
        raise ValueError(
            f"the mixing is nearly singular at these rows (median condition number {number:.3g}; up to "
            f"{MAX_CONDITION:g} is possible). "
            "Use smaller scales and means, a smaller condition, or another seed."
        )


def single_targets(dim: int, n_envs: int, factor: float = 2.5) -> tuple[tuple[float, ...], ...]:
    """Scales [E, d]: 1 everywhere in environment 0; environment k multiplies latent k, counted round and round."""
    rows: list[Sequence[float]] = [[1.0] * dim]
    rows += [[factor if i == (k - 1) % dim else 1.0 for i in range(dim)] for k in range(1, n_envs)]
    return tuple(tuple(row) for row in rows)
