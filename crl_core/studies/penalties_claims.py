"""Measure the claims about penalties, one value a seed each."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from crl_core.config import FIRST_SEED
from crl_core.config.penalty_words import PENALTY_WORDS
from crl_core.config.presets import PRESETS
from crl_core.jobs.executors import Executor
from crl_core.runs.store import RunStore
from crl_core.studies.penalties import Contest, ContestSetting, run_contest

_EPOCHS = 24  # 1,500 steps of 128 rows
_WEAK = (0.0, 0.01, 0.03)  # weights of the contrastive penalty, fixed beforehand
_ONE = (0.0, 1.0)
_TYPICAL = ("mmd", "coral", "wasserstein", "adversarial", "vrex")


def ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    return np.asarray(above / below)


def measure_claims(
    ids: Sequence[str],
    seeds: int,
    store: RunStore,
    executor: Executor | None = None,
    first_seed: int = FIRST_SEED,
) -> dict[str, np.ndarray]:
    """[seeds] values of each claim of penalties_claims.toml. Raises as `run_contest`."""

    def contest(penalties: Sequence[str], lams: tuple[float, ...] | None = None, **setting: object) -> Contest:
        usual = {"preset": "hospital", "seeds": seeds, "first_seed": first_seed, "epochs": _EPOCHS}
        where = ContestSetting(**usual | setting)  # type: ignore[arg-type]
        return run_contest(where, store, penalties, lams, executor)

    def at(found: Contest, penalty: str, *places: int) -> np.ndarray:
        values = found.of(penalty).ite_rmse[:, list(places)]
        return np.asarray(np.where(np.isfinite(values), values, np.inf).mean(axis=1))

    def apart_z(name: str) -> np.ndarray:
        pairs = contest(["contrastive"], _WEAK, gap=1.0)
        if name == "contrastive-shared":
            return ratio(at(pairs, "contrastive", 1, 2), at(pairs, "contrastive", 0))
        mmd = contest(["mmd"], _ONE, gap=1.0)
        if name == "mmd-other-patients":
            return ratio(at(mmd, "mmd", 1), at(mmd, "mmd", 0))
        return ratio(at(pairs, "contrastive", 1, 2), at(mmd, "mmd", 1))

    def few(_: str) -> np.ndarray:
        pairs = contest(["contrastive"], _WEAK, rare=0.1, balanced=True)
        mmd = contest(["mmd"], _ONE, rare=0.1, balanced=True)
        return ratio(at(pairs, "contrastive", 1, 2), at(mmd, "mmd", 1))

    def fewer(_: str) -> np.ndarray:
        both = contest(["mmd", "contrastive"], rare=0.02, balanced=True)
        return ratio(both.of("contrastive").error("at_best"), both.of("mmd").error("at_best"))

    def plain(_: str) -> np.ndarray:
        return ratio(at(contest(["contrastive"], _WEAK), "contrastive", 1, 2), at(contest(["mmd"], _ONE), "mmd", 1))

    def rare(_: str) -> np.ndarray:
        random, balanced = (contest(["mmd"], _ONE, rare=0.01, shared=0, balanced=b) for b in (False, True))
        return ratio(at(random, "mmd", 1), at(balanced, "mmd", 1))

    def erm(name: str) -> np.ndarray:
        own = {
            "preset": name.removeprefix("erm-"),
            "epochs": 20,
            "shared": 0,
        }
        found = [
            contest([each], PENALTY_WORDS[each].lams[::2], **own).of(each)  # half of its grid: costs half
            for each in _TYPICAL
        ]
        return np.asarray(np.median([row.error("at_blind") / row.error("at_zero") for row in found], axis=0))

    ways: dict[str, Callable[[str], np.ndarray]] = {
        "contrastive-shared": apart_z,
        "contrastive-mmd": apart_z,
        "mmd-other-patients": apart_z,
        "contrastive-few": few,
        "contrastive-fewer": fewer,
        "mmd-plain": plain,
        "balanced-rare": rare,
    } | {f"erm-{name}": erm for name in PRESETS}
    return {name: ways[name](name) for name in ids}
