"""A table of our own making: 1,200 patients of four clinics, and a programme that lowers blood pressure. Nobody in it
is real, and its true effects are known.

Clinics differ in age, blood pressure, waiting time and how readily they take patients into the programme:

    b = (systolic - 145) / 15    a = (age - 58) / 12    h = (hba1c - 6.3) / 0.9    year = years since 2021-01-01
    c = 1 of who smokes, 1/2 of who did, 0 of who never has    f = 1 of women, 0 of men

    P(programme) = sigmoid(α_clinic + 1.1 b + 0.5 a - 0.4 f)       who is worse off is taken in
    mu0 = 139 + 8 b + 1.5 b² + 3 a + 2 c + 1.5 h - year            mmHg after six months without it
    mu1 = mu0 - 8 - 5 tanh(b) + 2 a + 3 c                          and with it
    systolic_after = mu0 or mu1, as treated, + 7 · N(0, 1)

What decides who is treated is recorded of everybody. Of the rest, cells are missing: bmi by clinic, hba1c of the young,
smoker and insurance at random; and some patients never came back. Insurance and waiting time have no part in the
outcome, and bmi none but through systolic.

`controlled`, of the second table: systolic_after below 140, so that mu0 and mu1 are Φ((140 - mu) / 7).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import expit, ndtr

from crl_core.data.scm import Stream, rng_for

N_ROWS, SEED = 1200, 18
NOISE, HIGH = 7.0, 140.0  # mmHg
INSURANCE = {"statutory": 0.63, "private": 0.23, "state aid": 0.133, "seafarer": 0.007}
SMOKER = {"never": 0.5, "former": 0.3, "current": 0.2}
_START = np.datetime64("2021-01-01")


@dataclass(frozen=True, slots=True, kw_only=True)
class Clinic:
    """share: of the patients.  ready: α, the log odds of the programme for the middle patient.  age, systolic: means.
    wait: its mean in days.  no_bmi: share of patients who were not weighed."""

    share: float
    ready: float
    age: float
    systolic: float
    wait: float
    no_bmi: float


CLINICS = {
    "Harbour": Clinic(share=0.34, ready=-0.9, age=55, systolic=142, wait=9, no_bmi=0.03),
    "Hillside": Clinic(share=0.28, ready=-0.1, age=61, systolic=148, wait=16, no_bmi=0.05),
    "Old Mill": Clinic(share=0.22, ready=0.5, age=58, systolic=145, wait=23, no_bmi=0.22),
    "Parkway": Clinic(share=0.16, ready=-0.5, age=63, systolic=151, wait=30, no_bmi=0.08),
}


def clinics(*, binary: bool = False, n: int = N_ROWS, seed: int = SEED) -> pd.DataFrame:
    """The table, as it would be written down, [n, 15]; equal seeds give equal cells.

    binary:   the outcome is `controlled`, yes or no, instead of `systolic_after` in mmHg.
    mu0, mu1: means of the outcome untreated and treated, which only a simulation knows; a probability if `binary`.
    """
    rng = rng_for(seed, Stream.DATA)
    place = rng.choice(len(CLINICS), n, p=[clinic.share for clinic in CLINICS.values()])
    at = {name: np.array([getattr(clinic, name) for clinic in CLINICS.values()])[place] for name in Clinic.__slots__}
    table = pd.DataFrame({"patient": [f"P{1001 + i}" for i in range(n)], "clinic": np.array([*CLINICS])[place]})
    table["enrolled"] = _START + rng.integers(0, 3 * 365, n)
    table["age"] = np.clip(np.rint(rng.normal(at["age"], 11)), 25, 90).astype(int)
    table["sex"] = rng.choice(["f", "m"], n)
    table["smoker"] = rng.choice([*SMOKER], n, p=[*SMOKER.values()])
    table["insurance"] = rng.choice([*INSURANCE], n, p=[*INSURANCE.values()])
    table["bmi"] = np.clip(np.round(rng.normal(28, 4.5, n), 1), 17, 50)
    table["hba1c"] = np.round(5.2 + rng.gamma(2, 0.4, n) + 0.01 * (table["age"] - 40), 1)
    table["systolic"] = np.clip(np.rint(rng.normal(at["systolic"], 14) + 0.8 * (table["bmi"] - 28)), 105, 210)
    table["waiting_days"] = rng.poisson(at["wait"])
    table["programme"] = np.where(rng.random(n) < propensity(table), "yes", "no")

    mu0, mu1 = mean_outcomes(table)
    after = np.where(table["programme"] == "yes", mu1, mu0) + NOISE * rng.standard_normal(n)
    came_back = rng.random(n) > 0.02
    if binary:
        table["controlled"] = pd.Series(np.where(after < HIGH, "yes", "no"), dtype=object).where(came_back)
        mu0, mu1 = (np.round(ndtr((HIGH - mu) / NOISE), 4) for mu in (mu0, mu1))
    else:
        table["systolic_after"] = pd.Series(np.round(after, 1)).where(came_back)
        mu0, mu1 = np.round(mu0, 2), np.round(mu1, 2)
    table["mu0"], table["mu1"] = mu0, mu1

    gone = rng.random((4, n))
    table["bmi"] = table["bmi"].where(gone[0] > at["no_bmi"])
    table["hba1c"] = table["hba1c"].where(gone[1] > np.where(table["age"] < 50, 0.35, 0.08))
    table["smoker"] = table["smoker"].where(gone[2] > 0.05)
    table["insurance"] = table["insurance"].where(gone[3] > 0.02)
    return table


def propensity(table: pd.DataFrame) -> np.ndarray:
    """Chance that a patient is taken into the programme, [n]. Needs clinic, age, sex and systolic."""
    ready = table["clinic"].map({name: clinic.ready for name, clinic in CLINICS.items()})
    b, a, women = (table["systolic"] - 145) / 15, (table["age"] - 58) / 12, table["sex"] == "f"
    return np.asarray(expit(ready + 1.1 * b + 0.5 * a - 0.4 * women))


def mean_outcomes(table: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """mu0 and mu1 in mmHg, [n] each, of patients of whom nothing is missing."""
    b, a = (table["systolic"] - 145) / 15, (table["age"] - 58) / 12
    h, c = (table["hba1c"] - 6.3) / 0.9, table["smoker"].map({"never": 0.0, "former": 0.5, "current": 1.0})
    year = (table["enrolled"] - _START).dt.days / 365.25
    mu0 = 139 + 8 * b + 1.5 * b**2 + 3 * a + 2 * c + 1.5 * h - year
    return np.asarray(mu0), np.asarray(mu0 - 8 - 5 * np.tanh(b) + 2 * a + 3 * c)
