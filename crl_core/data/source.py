"""Where rows come from: a `Source` says how many there are and of what shape, what is known of their truth, and gives
them.

Truth has three grades. Who needs rows asks the source; who needs an equation asks the scenario, the one source that has
any; who needs truth asks the rows, whose fields are None where it is not known. A run's config names its source, so a
source is a frozen value: it hashes, compares, and comes back from JSON. It need not hold its rows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, Protocol

from crl_core.data.fields import shown
from crl_core.data.scm import MultiEnvData

# effects: y0 and y1 of every row.  latents: z and s.  equations: what an intervention would do; the config's scenario.
Truth = Literal["effects", "latents", "equations"]
_MOST_WORDS = 200  # characters of a label or a name


class Source(Protocol):
    """A contract; all of it holds for every seed, and is known without a row being read.

    label:      how the source is called on screen; no part of a run's key.
    knows:      which grades of truth all rows carry. With "effects", metrics that need them are demanded of a run.
    n_rows:     of a replicate, training and held out together; `n_held_out` of them are held out.
    n_envs:     environments, 1 to `MAX_ENVS`; `env` of a row is below it. `env_names` names them, in order.
    x_shape:    of one row's x; `features` names its columns, in order.
    signal:     places among x's columns of the numbers that are one trace, in order of time, or one image; () where x
                has none. They have one scale.
    two_outcomes: whether y is 0 or 1, so that what a model gives of it is a probability.
    noise:      standard deviation of y around the mean that x and t give it; None where that is not known.
    """

    @property
    def label(self) -> str: ...
    @property
    def knows(self) -> frozenset[Truth]: ...
    @property
    def n_rows(self) -> int: ...
    @property
    def n_held_out(self) -> int: ...
    @property
    def n_envs(self) -> int: ...
    @property
    def env_names(self) -> tuple[str, ...]: ...
    @property
    def x_shape(self) -> tuple[int, ...]: ...
    @property
    def features(self) -> tuple[str, ...]: ...
    @property
    def signal(self) -> tuple[int, ...]: ...
    @property
    def two_outcomes(self) -> bool: ...
    @property
    def noise(self) -> float | None: ...

    def rows(self, seed: int) -> tuple[MultiEnvData, MultiEnvData]:
        """The training rows and the held-out rows of a replicate; replicate r of a run asks with `training.seed + r`.

        The same seed gives the same bits, in every process. Both parts have rows of each arm.
        Raises: ValueError with one sentence where the rows are not here, e.g. a table that was not loaded again.
        """
        ...

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values from which the source is made again: of a table "kind" (see `READERS`), "label", and all
        that decides its rows."""
        ...


# Makes a source again of what its `to_dict` wrote, by its "kind"; raises ValueError with one sentence.
READERS: dict[str, Callable[[Mapping[str, Any]], Source]] = {}


def source_of(content: Any) -> Source:
    """The source that wrote `content`, which may come from a stranger. Raises ValueError with one sentence."""
    kind = content.get("kind") if isinstance(content, Mapping) else None
    if not isinstance(kind, str) or kind not in READERS:
        known = f"it reads {', '.join(sorted(READERS))}" if READERS else "it reads none"
        raise ValueError(f"the table is {shown(content)}, of no kind that this program reads; {known}.")
    source = READERS[kind](content)
    for name in (source.label, *source.env_names, *source.features):  # they are shown, and stand in comments of code
        if not 0 < len(name) <= _MOST_WORDS or not name.isprintable() or "<" in name:
            raise ValueError(f"the table has the name {shown(name)}; give one line of printable text without <.")
    return source
