"""Location and spread of covariates and outcome over the training rows, for networks that are given neither raw."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from crl_core.data.scm import MultiEnvData


@dataclass(frozen=True, slots=True, kw_only=True)
class Scales:
    """x_mean, x_sd: [d].  y_mean, y_sd: numbers. A column that does not vary is moved, but not stretched."""

    x_mean: np.ndarray
    x_sd: np.ndarray
    y_mean: np.ndarray
    y_sd: np.ndarray

    @classmethod
    def of(cls, train: MultiEnvData, *, together: Sequence[int] = ()) -> Scales:
        """Those of the training rows, both arms together. together: columns of x that have one mean and one sd."""
        x_mean, x_sd = train.x.mean(axis=0), _sd(train.x)
        if places := list(together):
            numbers = train.x[:, places].ravel()
            x_mean[places], x_sd[places] = numbers.mean(), _sd(numbers)
        return cls(x_mean=x_mean, x_sd=x_sd, y_mean=np.asarray(train.y.mean()), y_sd=_sd(train.y))

    @classmethod
    def raw(cls, dim_x: int) -> Scales:
        """Those that leave every number as it is, to the bit."""
        return cls(x_mean=np.zeros(dim_x), x_sd=np.ones(dim_x), y_mean=np.zeros(()), y_sd=np.ones(()))

    def of_logits(self) -> Scales:
        """The same of covariates; an outcome of 0 and 1 stays as it is."""
        return replace(self, y_mean=np.zeros(()), y_sd=np.ones(()))

    def x(self, values: np.ndarray) -> np.ndarray:
        return np.asarray((values - self.x_mean) / self.x_sd)

    def y(self, values: np.ndarray) -> np.ndarray:
        return np.asarray((values - self.y_mean) / self.y_sd)


def _sd(values: np.ndarray) -> np.ndarray:
    sd = values.std(axis=0)
    rounding = 1e-12 * np.abs(values).max(axis=0)  # what is left of a constant column
    return np.where(sd > rounding, sd, 1.0)
