"""Penalties side by side: each along its own λ path, on the same data, seeds, initial weights and minibatches.

Judged:  at its own best λ (which needs the truth), at the λ that is best in the other seeds (which needs it, too, but
         is not chosen where it is judged), at the λ of least held-out factual error (which needs none), and at λ = 0,
         where all are the same network. λ of different penalties are not comparable: each has its own grid.
Grids:   go on by their own ratio, `STEP` λ at a time and `STEPS` times at most, while the least ITE RMSE of any seed is
         at the last λ. That asks for the truth, so it serves the two columns that know it: the λ of least factual error
         is chosen from the penalty's own grid alone.
Runs:    stored and taken from the store like any other, so a study that was left goes on where it was.
Refused: a penalty that cannot work in a setting is left out with the reason; the others go on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, get_args

import numpy as np

from crl_core.config import FIRST_SEED, LIMITS, Matching, RunConfig
from crl_core.config.penalty_words import PENALTY_WORDS, beyond
from crl_core.config.presets import PRESETS, preset
from crl_core.config.text import altered, seed_words
from crl_core.data.matching import Matches, matches
from crl_core.data.scm import aligned_groups
from crl_core.events import OK, finite
from crl_core.jobs.ensure_runs import Found, OnRun, RunsFailed, each_run, is_there
from crl_core.jobs.executors import Executor, Here
from crl_core.measures.cautions import cautions_of_runs, nothing_measured
from crl_core.measures.comparison import Difference, difference, together
from crl_core.measures.intervals import FEWEST
from crl_core.measures.lam_choice import best_elsewhere, choices
from crl_core.results import RunResult, data_of
from crl_core.runs.shipped import Shipped
from crl_core.runs.store import RunStore

EPOCHS, SEEDS, SHARED = 20, FEWEST, 32
STEP, STEPS = 4, 2  # a grid goes on by 4 λ, at most twice
# of the error at λ = 0: where most seeds choose 0 itself, an interval excludes 0 by a hair that is worth nothing
WORTH = 0.01
_DIGITS = 5  # of a figure that is kept


@dataclass(frozen=True, slots=True, kw_only=True)
class ContestSetting:
    """The setting of a contest of penalties: a preset, and what is changed in it.

    shared:   units that are seen in every environment.
    rare:     rows of the last environment, relative to the others'.
    gap:      means of z are +gap and −gap in turn; None leaves the preset's.
    matching: which rows are a pair, see `matching`.
    balanced: whether every batch holds as many rows of each environment.
    """

    preset: str
    shared: int = SHARED
    rare: float = 1.0
    gap: float | None = None
    matching: Matching = "shared"
    balanced: bool = False
    seeds: int = SEEDS
    epochs: int = EPOCHS
    first_seed: int = FIRST_SEED

    def config(self, penalty: str, lams: tuple[float, ...] | None = None) -> RunConfig:
        """The run of a penalty along its own grid. Raises ValueError if this setting does not allow it."""
        base = preset(self.preset)
        n_envs = base.scenario.n_envs
        means: dict[str, Any] = (
            {} if self.gap is None else {"cause_mean": tuple(self.gap * (-1) ** e for e in range(n_envs))}
        )
        training: dict[str, Any] = {
            "penalty": penalty,
            "lams": lams or PENALTY_WORDS[penalty].lams,
            "replicates": self.seeds,
            "epochs": self.epochs,
            "seed": self.first_seed,
            "matching": self.matching if penalty == "contrastive" else "shared",
            "balanced": self.balanced,
        }
        weights = (1.0,) * (n_envs - 1) + (self.rare,)
        return altered(base, shared_units=self.shared, env_weight=weights, **means, **training)

    def config_at(self, penalty: str, lam: float) -> RunConfig:
        """The run that has this λ: of the penalty's own grid, or of a step beyond it."""
        own = PENALTY_WORDS[penalty].lams
        step = next((lams for lams in steps_beyond(own) if lam in lams), None)
        return self.config(penalty, None if lam in own else step)

    @property
    def seed_words(self) -> str:
        return seed_words(self.seeds, self.first_seed)

    @property
    def words(self) -> str:
        """What of the preset was changed, in words."""
        said = [f"{self.shared} shared units" if self.shared else "no shared units"]
        if self.rare != 1:
            said.append(f"the last environment has {self.rare:g} of the others' rows")
        if self.gap is not None:
            said.append(f"means of z are ±{self.gap:g}")
        if self.balanced:
            said.append("balanced batches")
        if self.matching != "shared":
            said.append(f"pairs by {self.matching}")
        return ", ".join(said)


def steps_beyond(lams: tuple[float, ...]) -> list[tuple[float, ...]]:
    """How a penalty's own grid may go on: its steps, as far as a λ is allowed."""
    most = LIMITS["lams"][1]
    further = [lam for lam in beyond(lams, STEP * STEPS) if lam <= most]
    return [tuple(further[at : at + STEP]) for at in range(0, len(further), STEP)]


def command_of(setting: ContestSetting) -> str:
    """The command that measures `setting`."""
    words = [f"python -m crl_core penalties --preset {setting.preset}"]
    words += [f"--gap {setting.gap:g}"] if setting.gap is not None else []
    words += [f"--rare {setting.rare:g}"] if setting.rare != 1 else []
    words += [f"--shared {setting.shared}"] if setting.shared != SHARED else []
    words += [f"--matching {setting.matching}"] if setting.matching != "shared" else []
    words += ["--balanced"] if setting.balanced else []
    words += [f"--epochs {setting.epochs}"] if setting.epochs != EPOCHS else []
    return " ".join([*words, f"--seeds {setting.seeds} --first-seed {setting.first_seed}"])


def pairings(setting: ContestSetting) -> dict[str, Matches | str]:
    """The pairs by each definition among the first seed's training rows; a sentence where there is none."""
    found: dict[str, Matches | str] = {}
    for how in get_args(Matching):
        try:
            config = replace(setting, matching=how).config("contrastive")
            found[how] = matches(data_of(config)[0], config.training.align, how)
        except ValueError as error:
            found[how] = str(error)
    return found


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Contestant:
    """One penalty's path, [R, L] held out; NaN for a model that broke, empty where it could not run.

    domain_auc: how well a kNN classifier tells the groups apart in the latent, .5 is chance.
    problem:    why it could not be judged or how many models broke, empty if all went well.
    own:        how many of `lams` are the penalty's own grid, from which λ is chosen without the truth.
    """

    penalty: str
    key: str
    lams: tuple[float, ...]
    ite_rmse: np.ndarray
    factual_mse: np.ndarray
    domain_auc: np.ndarray
    problem: str = ""
    own: int = 0

    @property
    def ran(self) -> bool:
        """Whether there is a usable model."""
        return bool(np.isfinite(self.ite_rmse).any())

    def picked(self, where: str) -> np.ndarray:
        """Index of λ of every seed [R], -1 where there is none; not to be changed. where: one of `WHERE`."""
        return _picked(self, where)

    def error(self, where: str) -> np.ndarray:
        """ITE RMSE of every seed [R] at that λ; infinite where no model is usable."""
        at = self.picked(where)
        return np.where(at >= 0, self.ite_rmse[np.arange(len(at)), np.maximum(at, 0)], np.inf)

    @property
    def at_end(self) -> int:
        """In how many seeds the least ITE RMSE is at the last λ, so that it is a bound and no best."""
        return int((self.picked("at_best") == len(self.lams) - 1).sum()) if self.ran else 0

    @property
    def end_words(self) -> str:
        """That the best λ is at the end of the grid; empty where it is inside."""
        return (
            f"at the end of its grid in {self.at_end} of {len(self.ite_rmse)} seeds: a bound, not a best"
            if self.at_end
            else ""
        )

    def lam(self, where: str) -> float:
        """The median over seeds of that λ; NaN where there is none."""
        at = self.picked(where)
        return float(np.median(np.asarray(self.lams)[at[at >= 0]])) if (at >= 0).any() else float("nan")

    def lams_picked(self, where: str) -> str:
        """The λ of all seeds, as one number or "0 to 0.7"."""
        at = self.picked(where)
        found = np.asarray(self.lams)[at[at >= 0]]
        if len(found) == 0:
            return "none"
        low, high = found.min(), found.max()
        return f"{low:g}" if low == high else f"{low:g} to {high:g}"

    def to_dict(self) -> dict[str, Any]:
        arrays = {name: [_rounded(row) for row in getattr(self, name)] for name in _CURVES}
        judged = {where: _rounded(self.error(where)) for where in WHERE} if self.ran else {}
        return (
            {"penalty": self.penalty, "key": self.key, "lams": list(self.lams), "problem": self.problem}
            | {"own": self.own, "at_end": self.at_end}
            | arrays
            | judged
        )

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Contestant:
        arrays = {name: np.array(content[name], dtype=np.float64) for name in _CURVES}
        return cls(
            penalty=content["penalty"],
            key=content["key"],
            lams=tuple(content["lams"]),
            problem=content["problem"],
            own=content.get("own", len(content["lams"])),  # none went on before
            **arrays,
        )


@lru_cache(maxsize=2048)  # every visitor of a page asks for the same
def _picked(row: Contestant, where: str) -> np.ndarray:
    if where == "at_others":
        return best_elsewhere(row.ite_rmse)
    if where == "at_zero":
        return np.where(np.isfinite(row.ite_rmse[:, 0]), 0, -1)
    seen = np.isfinite(row.ite_rmse) & (np.arange(len(row.lams)) < row.own)
    oracle, blind = choices(row.ite_rmse, np.where(seen, row.factual_mse, np.nan))[:2]
    return {"at_best": oracle, "at_blind": blind}[where].index


def _rounded(values: np.ndarray) -> list[float | None]:
    return [finite(float(f"{value:.{_DIGITS}g}")) for value in values]


_CURVES = ("ite_rmse", "factual_mse", "domain_auc")
WHERE: Mapping[str, str] = {
    "at_best": "own best λ",
    "at_others": "λ best in other replicates",
    "at_blind": "label-free λ",
    "at_zero": "λ = 0",
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Contest:
    """All penalties in one setting."""

    setting: ContestSetting
    rows: tuple[Contestant, ...]

    def of(self, penalty: str) -> Contestant:
        return next(row for row in self.rows if row.penalty == penalty)

    @property
    def ran(self) -> tuple[Contestant, ...]:
        return tuple(row for row in self.rows if row.ran)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self.setting) | {"rows": [row.to_dict() for row in self.rows]}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Contest:
        known = {"first_seed": 0} | dict(content)  # of before there was a choice
        setting = ContestSetting(**{f.name: known[f.name] for f in fields(ContestSetting)})
        return cls(setting=setting, rows=tuple(Contestant.from_dict(row) for row in content["rows"]))


def configs_of(
    setting: ContestSetting, penalties: Sequence[str] = (), lams: tuple[float, ...] | None = None
) -> tuple[dict[str, RunConfig], dict[str, str]]:
    """The run of each penalty (all if none is named), and the reason of each that cannot run.

    lams: a grid instead of the penalty's own, for one penalty only.
    Raises: ValueError for what no penalty can do anything with.
    """
    if setting.preset not in PRESETS:
        raise ValueError(f"there is no preset {setting.preset!r:.40}; choose one of {', '.join(PRESETS)}.")
    if setting.matching not in get_args(Matching):
        raise ValueError(
            f"there is no matching {setting.matching!r:.40}; choose one of {', '.join(get_args(Matching))}."
        )
    unknown = [name for name in penalties if name not in PENALTY_WORDS]
    if unknown:
        raise ValueError(f"there is no penalty {', '.join(unknown)}; the penalties are {', '.join(PENALTY_WORDS)}.")
    if lams is not None and len(penalties) != 1:
        raise ValueError(
            "one λ grid was given for several penalties, but their λ are not comparable; name one penalty, or leave "
            "the grid away: each penalty has its own."
        )
    base = setting.config("mmd", lams)
    rows, _ = data_of(base)
    if len(np.unique(aligned_groups(rows, base.training.align))) < 2:
        what = "treatment arm" if base.training.align == "treatment" else "environment"
        raise ValueError(f"{setting.preset} has one {what}, so no penalty has anything to compare; use two or more.")
    found, refused = {}, {}
    for name in penalties or PENALTY_WORDS:
        try:
            found[name] = setting.config(name, lams)
            if name == "contrastive":
                matches(rows, base.training.align, setting.matching)
        except ValueError as error:
            found.pop(name, None)
            refused[name] = str(error)
    if not found:
        raise ValueError(" ".join(refused.values()))
    return found, refused


def run_contest(
    setting: ContestSetting,
    store: RunStore,
    penalties: Sequence[str] = (),
    lams: tuple[float, ...] | None = None,
    executor: Executor | None = None,
    on_run: OnRun | None = None,
) -> Contest:
    """The contest of all penalties; one that fails is there with the reason. Raises ValueError, StoreError.

    lams:     as for `configs_of`; a grid that is given does not go on.
    executor: trains what is not stored; default here and now.
    """
    configs, refused = configs_of(setting, penalties, lams)
    found = {name: _absent(name, "", why) for name, why in refused.items()}
    wanted = list(configs.values())
    while wanted:
        going_on = []
        for config, run in each_run([(each, True) for each in wanted], store, executor or Here(store), on_run):
            name = config.training.penalty
            found[name] = _with(found.get(name), name, config, run)
            step = None if lams or isinstance(run, RunsFailed) else next_step(found[name])
            going_on += [setting.config(name, step)] if step else []
        wanted = going_on
    return Contest(setting=setting, rows=tuple(found[name] for name in penalties or PENALTY_WORDS))


def _with(row: Contestant | None, name: str, config: RunConfig, run: Found | RunsFailed) -> Contestant:
    """A penalty's row with a further run: of its own grid, or of a step beyond it."""
    if isinstance(run, RunsFailed):
        return _absent(name, config.key, str(run)) if row is None else replace(row, problem=f"its grid ends: {run}")
    more = judged(run[0], run[1]["domain_auc"])
    return more if row is None else joined(row, more)


def next_step(row: Contestant) -> tuple[float, ...] | None:
    """The λ by which a row's grid goes on; None where its best is inside, and where it has gone on far enough."""
    steps = steps_beyond(PENALTY_WORDS[row.penalty].lams)
    taken = (len(row.lams) - row.own) // STEP
    return steps[taken] if row.at_end and taken < len(steps) else None


def joined(row: Contestant, more: Contestant) -> Contestant:
    """A row whose grid goes on with that of `more`."""
    ite_rmse, factual_mse, domain_auc = (np.hstack([getattr(row, name), getattr(more, name)]) for name in _CURVES)
    return replace(
        row,
        lams=row.lams + more.lams,
        problem=_broken(row.penalty, np.isfinite(ite_rmse)),
        ite_rmse=ite_rmse,
        factual_mse=factual_mse,
        domain_auc=domain_auc,
    )


def runs_of(setting: ContestSetting, configs: Mapping[str, RunConfig], store: RunStore) -> list[RunConfig]:
    """The runs of a contest as far as they are known: `configs`, and the steps beyond grids that are stored.

    The step after a run that is not stored is not known before that is.
    """
    wanted = list(configs.values())
    for name, config in configs.items():
        row: Contestant | None = None
        while is_there(config, store, evidence=True):
            evidence = store.part(config.key, "evidence")
            assert evidence is not None
            row = _with(row, name, config, (store.load(config.key), evidence))
            step = next_step(row)
            if step is None:
                break
            config = setting.config(name, step)
            wanted.append(config)
    return wanted


def _absent(name: str, key: str, why: str) -> Contestant:
    none = np.empty((0, 0))
    return Contestant(penalty=name, key=key, lams=(), ite_rmse=none, factual_mse=none, domain_auc=none, problem=why)


def judged(run: RunResult, domain_auc: np.ndarray) -> Contestant:
    """A trained path; domain_auc [M]. Models that broke are counted and left out; without truth nothing is judged."""
    if run.ite_rmse is None:
        return _absent(
            run.config.training.penalty,
            run.config.key,
            "the true effects are not known here; penalties are compared on simulated worlds",
        )
    usable = run.by_lam(run.status) == OK
    curves = {
        name: np.where(usable, run.by_lam(values), np.nan)
        for name, values in (
            ("ite_rmse", run.ite_rmse),
            ("factual_mse", run.factual_mse),
            ("domain_auc", domain_auc),
        )
    }
    name = run.config.training.penalty
    problem = _broken(name, usable)
    return Contestant(penalty=name, key=run.config.key, lams=run.lams, problem=problem, own=len(run.lams), **curves)


def _broken(penalty: str, usable: np.ndarray) -> str:
    """How many models broke, in words. usable: [R, L]."""
    broken = int((~usable).sum())
    if not usable.any():
        return "no λ left a usable model; use smaller weights"
    by_it = ", with their classifier or by it" if penalty == "adversarial" else ""
    return f"{broken} of {usable.size} models diverged or collapsed{by_it}" if broken else ""


@lru_cache(maxsize=64)
def cautions(contest: Contest) -> tuple[str, ...]:
    """What the whole contest lacks: nothing to learn or to compare in its world, or no usable model of any penalty."""
    setting = contest.setting
    configs = {
        PENALTY_WORDS[row.penalty].short: setting.config(row.penalty, row.lams) for row in contest.rows if row.lams
    }
    errors = [float(value) for row in contest.rows for value in row.ite_rmse.flat]
    way = f"Use smaller λ (--lam), more epochs (now {setting.epochs}) or another preset."
    return (*cautions_of_runs(configs), *nothing_measured("penalty", errors, way))


@lru_cache(maxsize=2048)
def against(a: Contestant, b: Contestant, where: str, b_where: str = "") -> Difference:
    """Logarithm of b's ITE RMSE over a's, paired by seed, over seeds with usable models.

    Of errors that a penalty divides by ten in each seed, the difference varies as much as they do; the ratio does not.
    where: one of `WHERE`; b_where: for b, if it is another.
    """
    errors = (a.error(where), b.error(b_where or where))
    first, second = (np.log(np.where(np.isfinite(error) & (error > 0), error, np.nan)) for error in errors)
    seeds = np.arange(len(first))
    return difference(first, second, seeds, seeds, pair=True)


def ratio_words(apart: Difference) -> str:
    """The ratio of errors that `against` found, as "0.12 [0.05, 0.3]"."""
    if not apart.known:
        return "–"
    mean, low, high = (f"{np.exp(value):.2g}" for value in (apart.mean, apart.low, apart.high))
    return f"{mean} [{low}, {high}]" if apart.has_interval else mean


@lru_cache(maxsize=256)
def from_none(contest: Contest, where: str) -> Mapping[str, Difference]:
    """`against` λ = 0, of each penalty; judged together: p by Holm over all that ran."""
    rows = contest.ran
    found = together([against(row, row, "at_zero", where) for row in rows])
    return {row.penalty: one for row, one in zip(rows, found, strict=True)}


def ratios(contest: Contest, where: str) -> dict[str, tuple[float, bool, str]]:
    """Of each penalty that ran: its error over that at λ = 0, in the geometric mean over seeds with usable models (NaN
    without any), whether the difference is seen (`changes`), and the λ that the seeds pick."""
    known, seen = from_none(contest, where), changes(contest, where)
    return {
        name: (float(np.exp(apart.mean)) if apart.known else np.nan, name in seen, contest.of(name).lams_picked(where))
        for name, apart in known.items()
    }


def changes(contest: Contest, where: str) -> dict[str, float]:
    """By what share each penalty changes the error at λ = 0, in the (geometric) mean over seeds with usable models.

    Only those that are seen, by Holm, and by more than `WORTH`.
    """
    found = {name: float(np.expm1(apart.mean)) for name, apart in from_none(contest, where).items() if apart.seen}
    return {name: change for name, change in found.items() if abs(change) > WORTH}


def better_than_none(contest: Contest, where: str) -> tuple[list[str], list[str]]:
    """Penalties whose mean error is seen to be below, and above, that at λ = 0."""
    found = changes(contest, where)
    return [name for name, change in found.items() if change < 0], [
        name for name, change in found.items() if change > 0
    ]


def contest_of(setting: ContestSetting, contests: Sequence[Contest]) -> Contest | None:
    """The contest of this setting among `contests`, over whichever seeds."""
    seeds, first = setting.seeds, setting.first_seed
    return next((item for item in contests if replace(item.setting, seeds=seeds, first_seed=first) == setting), None)


def _parse(content: Mapping[str, Any]) -> tuple[Contest, ...]:
    return tuple(Contest.from_dict(item) for item in content["contests"])


BAKED = Shipped(study="penalties", settings=(), parse=_parse)  # every contest holds its own setting


def baked_contests(folder: Path) -> tuple[Contest, ...]:
    """The contests that come with the program; none where they cannot be used."""
    return BAKED.read(folder) or ()
