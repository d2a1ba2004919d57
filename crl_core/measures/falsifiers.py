"""Can a statistic on a deployment sample tell that the model's assumptions broke? Pure functions, with limits.

Level:    what a test says of rows that come from where the model was trained: at most this share of false alarms.
Meaning:  an alarm says that the rows differ, not that the effects are wrong; silence says that these statistics saw
          nothing, not that the effects are right. What no test here can see: an effect that changed in an arm without
          labels, or anything that moves neither latents nor observed outcomes.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from crl_core.measures.overlap import kernel_of, median_distance, permutation_p, squared_distances, standardised

LEVEL = 0.05
PERMUTATIONS = 199  # the smallest p is then 1 / 200
RATIO = 2.0  # residuals more than twice as large as held out
REFERENCE = 300  # held-out latents that a batch is compared with
MOST_ROWS = 500  # of a batch; more are thinned, and that is said
LEAST_ROWS = 10  # below it no test has power worth the name
_NEIGHBOURS = 5


# -- latents -----------------------------------------------------------------------------------------------------------


def latent_tests(
    deployed: np.ndarray, reference: np.ndarray, rng: np.random.Generator, permutations: int = PERMUTATIONS
) -> tuple[np.ndarray, np.ndarray]:
    """Latent MMD² [L] of a deployment batch against held-out training latents, of L models at once, and p [L].

    deployed, reference: [L, n, k] and [L, m, k]. All models share the permutations; each model's are one matrix
                         product.
    MMD²:   Gaussian kernel, median bandwidth of the pooled rows, biased V-statistic, not rooted.
    p:      (k + 1) / (n + 1), k of n relabellings at least as large; exact under exchangeability, so the level holds
            for any n. Reject at p <= `LEVEL`.
    Limits: pooled: a batch of one training environment alone may alarm where the latent still tells environments apart;
            power is in the latent only, so what the encoder throws away cannot be seen.
    Broken latents (not finite) have NaN. Raises: ValueError if a sample has fewer than 2 rows, or k differs.
    Source: Gretton et al. (2012), A Kernel Two-Sample Test, JMLR 13; p-value of Phipson and Smyth (2010).
    """
    n, m = deployed.shape[1], reference.shape[1]
    if min(n, m) < 2 or deployed.shape[2] != reference.shape[2]:
        raise ValueError(
            f"the samples have {n} and {m} rows of {deployed.shape[2]} and {reference.shape[2]} latents; "
            "both need two rows or more of the same width."
        )
    sign = np.concatenate([np.full(n, 1 / n), np.full(m, -1 / m)])
    weights = np.stack([sign, *(rng.permutation(sign) for _ in range(permutations))]).astype(
        np.float32
    )  # [P + 1, n + m]
    values, p = np.full(len(deployed), np.nan), np.full(len(deployed), np.nan)
    for at, rows in enumerate(np.concatenate([deployed, reference], axis=1)):
        if np.isfinite(rows).all():
            distance2 = squared_distances(rows)
            kernel = kernel_of(distance2, median_distance(distance2)).astype(np.float32)
            found = np.einsum("pn,pn->p", weights @ kernel, weights, dtype=np.float64)  # w' K w of every relabelling
            values[at] = max(found[0], 0.0)
            p[at] = permutation_p(found, rounding=1e-9)  # the kernel is float32
    return values, p


def latent_test(
    deployed: np.ndarray, reference: np.ndarray, rng: np.random.Generator, permutations: int = PERMUTATIONS
) -> tuple[float, float]:
    """`latent_tests` of one model: latents [n, k] and [m, k] -> MMD² and p."""
    value, p = latent_tests(deployed[None], reference[None], rng, permutations)
    return float(value[0]), float(p[0])


def nearest_test(
    deployed: np.ndarray,
    reference: np.ndarray,
    env: np.ndarray,
    rng: np.random.Generator,
    permutations: int = PERMUTATIONS,
) -> tuple[float, float, int]:
    """Against each training environment alone: MMD² and p of the nearest, and which it is.

    The p-value is the largest over environments: an alarm says that the batch is of none of them. For a batch of one
    site; a mixture of sites is of none of them and alarms rightly so. Conservative (level at most `LEVEL`).
    deployed: [n, k].  reference: [m, k].  env: [m]; environments with fewer than 2 rows are left out.
    """
    known = [int(e) for e in np.unique(env) if np.sum(env == e) >= 2]
    if not known:
        raise ValueError("no environment has two reference rows; give more held-out rows.")
    found = [(*latent_test(deployed, reference[env == e], rng, permutations), e) for e in known]
    return max(found, key=lambda item: (item[1], -item[0]))


def classifier_test(deployed: np.ndarray, reference: np.ndarray, rng: np.random.Generator) -> tuple[float, float]:
    """Second opinion: share of rows that a 5-nearest-neighbour classifier tells from training rows, and p.

    Both samples are thinned to one size and halved; the votes of the first half are judged on the second.
    p:      of the normal approximation to share right = 1/2, one-sided (Lopez-Paz and Oquab, 2017).
    Limits: less power than MMD² for small shifts at these sizes; the level holds from about 50 rows on.
    """
    n = min(len(deployed), len(reference)) // 2 * 2
    if n < LEAST_ROWS:
        raise ValueError(f"the smaller sample has {n} rows; the classifier test needs {LEAST_ROWS} or more.")
    rows = np.concatenate([rng.permutation(deployed)[:n], rng.permutation(reference)[:n]]).astype(np.float64)
    rows = standardised(rows)
    label = np.repeat([1, 0], n)
    fit = np.tile(np.arange(n) < n // 2, 2)
    distance2 = squared_distances(rows)[np.ix_(~fit, fit)]
    nearest = np.argpartition(distance2, _NEIGHBOURS - 1, axis=1)[:, :_NEIGHBOURS]
    votes = label[fit][nearest].mean(axis=1) > 0.5
    right = float(np.mean(votes == (label[~fit] == 1)))
    from scipy.stats import norm

    return right, float(norm.sf((right - 0.5) / np.sqrt(0.25 / n)))


# -- labels ------------------------------------------------------------------------------------------------------------


def residual_ratio(residual: np.ndarray, t: np.ndarray, held_out: np.ndarray, t_held_out: np.ndarray) -> np.ndarray:
    """RMS of a batch's factual residuals over that of held-out rows, untreated and treated, [2].

    NaN for an arm without rows.

    residual, t:  y - ŷᵗ and treatment of labelled deployment rows, [n].  held_out, t_held_out: of rows the network has
                  not seen, [m]; residuals of training rows would be too small where data are few.
    Alarm at more than `RATIO`. No level: chosen because it was never passed without a changed mechanism, while a test
    for any difference alarms at changes that leave the effects as they are.
    Limits: says nothing about an arm without labels, so a changed effect with nobody treated is invisible.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.array([_rms(residual[t == arm]) / _rms(held_out[t_held_out == arm]) for arm in (0, 1)])


def _rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(values)))) if len(values) else float("nan")


def alarms(ratio: np.ndarray) -> bool:
    """Whether the residuals of any labelled arm are more than `RATIO` times as large as held out."""
    return bool(np.any(ratio > RATIO))


# -- what comes in -----------------------------------------------------------------------------------------------------


def checked_rows(
    x: Any, dim_x: int, rng: np.random.Generator, most: int = MOST_ROWS
) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """A deployment batch fit for testing: rows [n, d], their places in the batch [n], and sentences on changes.

    Raises: ValueError in one sentence for a batch that cannot be tested: not a table of numbers, another number of
            features, fewer than `LEAST_ROWS` rows, values that are not finite.
    """
    try:
        rows = np.asarray(x, dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError("the batch is not a table of numbers; give one row a unit and one column a feature.") from None
    if rows.ndim != 2 or rows.shape[1] != dim_x:
        columns = rows.shape[1] if rows.ndim == 2 else 0
        what = f"{columns} features" if rows.ndim == 2 else f"{rows.ndim} dimensions"
        raise ValueError(f"the batch has {what}; this model was trained on rows of {dim_x} features.")
    if len(rows) < LEAST_ROWS:
        raise ValueError(
            f"the batch has {len(rows)} row{'' if len(rows) == 1 else 's'}; give {LEAST_ROWS} or more, better 200: "
            "a few rows cannot show a distribution."
        )
    if not np.isfinite(rows).all():
        bad = int((~np.isfinite(rows).all(axis=1)).sum())
        raise ValueError(
            f"{bad} of {len(rows)} rows hold values that are missing or infinite; leave them out or mend them."
        )
    said = []
    kept = np.arange(len(rows))
    if len(rows) > most:
        kept = np.sort(rng.choice(len(rows), most, replace=False))
        said.append(f"{len(rows):,} rows came; {most} of them, drawn at random, were tested.")
    if (rows == rows[0]).all():
        said.append("All rows are the same: this is one point, not a population, and every test but a lookup is blunt.")
    return rows[kept], kept, said


def as_arms(t: Any, n: int) -> np.ndarray | None:
    """Treatments [n] of 0 and 1, None where there are none. Raises ValueError."""
    return (
        None
        if t is None
        else _column("treatments", t, n, lambda v: np.isin(v, (0, 1)).all(), "0 or 1").astype(np.int64)
    )


def as_outcomes(y: Any, n: int) -> np.ndarray | None:
    """Outcomes [n], None where there are none. Raises ValueError."""
    return None if y is None else _column("outcomes", y, n, lambda v: np.isfinite(v).all(), "finite numbers")


def _column(what: str, values: Any, n: int, allowed: Any, words: str) -> np.ndarray:
    try:
        column = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError(f"the {what} are not numbers; give {words}, one a row.") from None
    if column.shape != (n,) or not allowed(column):
        raise ValueError(f"there are {column.size} {what} for {n} rows, or some are not {words}; give one a row.")
    return column
