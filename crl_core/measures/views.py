"""Views of a row that somebody who mistrusts a network would try before it, given to simple learners.

Of a trace: `trace_views`. Of an image, which the lamp lights as a whole:
each image centred:   less its own mean.
each image z-scored:  less its own mean, over its own standard deviation.
Neither is told a latent, nor which hospital took a row.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from crl_core.config import RunConfig
from crl_core.measures import trace_views
from crl_core.measures.trace_views import Recorder, own_scale, recorder_of

View = Callable[[np.ndarray], np.ndarray]  # [n, d] -> [n, any]


def centred(x: np.ndarray) -> np.ndarray:
    """Images [n, d], each less its mean."""
    return np.asarray(x - x.mean(axis=1, keepdims=True))


IMAGE_VIEWS: Mapping[str, View] = {"each image centred": centred, "each image z-scored": own_scale}
# name: the word for it in the margin of a figure.
WORDS: Mapping[str, str] = {
    "hum filtered out": "no hum",
    "each trace z-scored": "trace z",
    "clinical features": "clinical",
    "each image centred": "centred",
    "each image z-scored": "image z",
}
# name: what it is, for whom a figure's margin has no room.
SAID: Mapping[str, str] = {
    "hum filtered out": "without the sines at the mains' frequency and its multiples that fit it best",
    "each trace z-scored": "less its own mean, over its own standard deviation",
    "clinical features": "nine numbers that a cardiologist reads off the beat, ST level and hum power among them",
    "each image centred": "less its own mean",
    "each image z-scored": "less its own mean, over its own standard deviation",
}


def views_of(config: RunConfig) -> Mapping[str, View]:
    """The views of a run's rows by name; none where x is covariates."""
    if (recorder := recorder_of(config)) is not None:
        return {name: _through(view, recorder) for name, view in trace_views.VIEWS.items()}
    world = config.scenario
    return IMAGE_VIEWS if world is not None and world.observation == "digits" else {}


def _through(view: Callable[[np.ndarray, Recorder], np.ndarray], recorder: Recorder) -> View:
    return lambda x: view(x, recorder)
