"""What simple learners make of a label, told of it in the trial and asked in a next hospital.

Each is given the covariates, and of a trace or an image its views as well (`views`). None sees the next hospital, nor
which hospital a row is of.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from crl_core.config import RunConfig
from crl_core.data.scm import Stream, rng_for
from crl_core.measures.doubly_robust import scaled_logistic
from crl_core.measures.prediction import elsewhere, judged
from crl_core.measures.views import views_of
from crl_core.results import data_of


def _forest(seed: int) -> Any:
    from sklearn.ensemble import RandomForestClassifier

    return RandomForestClassifier(100, min_samples_leaf=5, random_state=seed)


def _boosting(seed: int) -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier

    return HistGradientBoostingClassifier(max_iter=60, max_leaf_nodes=15, early_stopping=False, random_state=seed)


LEARNERS: Mapping[str, Callable[[int], Any]] = {
    "logistic regression": lambda seed: scaled_logistic(),
    "random forest": _forest,
    "gradient boosting": _boosting,
}


def wrong_in_next(config: RunConfig, replicate: int) -> dict[str, float]:
    """Share of wrong labels in a next hospital, by learner and view: "random forest, clinical features".

    Raises: ValueError if the outcome is a number, or the rows are not of a simulation.
    """
    if not config.without_effect:
        raise ValueError("a next hospital is drawn of a simulated label; this run has none. Set scenario.outcome.")
    seed = config.training.seed + replicate
    train = data_of(config, replicate)[0]
    asked = elsewhere(config.scenario, seed)["next"]
    views = {"": (train.x, asked.x)} | {name: (view(train.x), view(asked.x)) for name, view in views_of(config).items()}
    own = int(rng_for(seed, Stream.BASELINES).integers(2**31))
    found = {}
    for view, (x, at) in views.items():
        for name, new in LEARNERS.items():
            with threadpool_limits(1, user_api="openmp"):
                chance = new(own).fit(x, train.y).predict_proba(at)[:, 1]
            found[f"{name}, {view}" if view else name] = 1 - judged(np.asarray(chance), asked.y)[0]
    return found
