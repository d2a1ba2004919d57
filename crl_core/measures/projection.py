"""Pictures of latents in two dimensions, aligned along λ, so that points move with λ instead of shuffling.

t-SNE: the λ in view is laid out first; then, walking outwards, each λ starts from its neighbour's layout and is turned
       onto it (rotation, reflection and size, which mean nothing in t-SNE; so one window fits all). Distances between
       clusters mean nothing either.
PCA:   the first two principal axes of each λ, signs and rotation turned onto the neighbour's; instant.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.linalg import orthogonal_procrustes
from sklearn.manifold import TSNE

from crl_core.data.scm import Stream, rng_for
from crl_core.measures.overlap import standardised
from crl_core.results import RunResult, view_rows

OnProgress = Callable[[int, int], None]

PERPLEXITY = 30.0
FIRST_STEPS = 500
NEXT_STEPS = 250  # the fewest that scikit-learn allows; from a neighbour's layout they suffice
# Norm of the gradient at which such a layout rests. On trained runs most rest after 100 steps and the walk takes a
# third less time. Starting from the neighbour costs up to .013 of a layout's trustworthiness, on average over λ;
# resting early .003 more.
SETTLED = 3e-3


def project_run(
    result: RunResult, lam_in_view: float = 0.0, progress: OnProgress | None = None
) -> dict[str, np.ndarray]:
    """t-SNE of replicate 0's view rows: "tsne_xy" [L, n_view, 2] along λ, "tsne_x" [n_view, 2] of the inputs; float32.

    progress(done, total) is called after each layout; it may raise to stop.
    """
    n_lams = len(result.lams)
    view = view_rows(result.config)
    phi = result.predict(view.x)[0]
    rng = rng_for(result.config.training.seed, Stream.PROJECTION)
    tell = progress or (lambda done, total: None)
    xy = project_path(phi, result.model(lam_in_view), rng, lambda done, _: tell(done, n_lams + 1))
    inputs = _layout(standardised(view.x), None, rng)
    tell(n_lams + 1, n_lams + 1)
    return {"tsne_xy": xy, "tsne_x": inputs.astype(np.float32)}


def project_path(
    phi: np.ndarray, start: int, rng: np.random.Generator, progress: OnProgress | None = None
) -> np.ndarray:
    """Aligned t-SNE of latents along λ, [L, n, k] -> [L, n, 2] float32, beginning at index `start`.

    A λ whose latents are broken (not finite) or all alike is left out: its points are NaN and its neighbours skip it.
    """
    usable = _usable(phi)
    xy = np.full((*phi.shape[:2], 2), np.nan, dtype=np.float32)
    for done, (index, neighbour) in enumerate(_walk(usable, start), 1):
        begin = None if neighbour is None else xy[neighbour].astype(np.float64)
        layout = _layout(standardised(phi[index].astype(np.float64)), begin, rng)
        xy[index] = layout if begin is None else _sized_as(turned_onto(layout, begin), begin)
        if progress is not None:
            progress(done, int(usable.sum()))
    return xy


def pca_path(phi: np.ndarray) -> np.ndarray:
    """First two principal components of each λ's latents, each turned onto its neighbour's, [L, n, k] -> [L, n, 2]."""
    xy = np.full((*phi.shape[:2], 2), np.nan, dtype=np.float32)
    for index, neighbour in _walk(_usable(phi), 0):
        centred = standardised(phi[index].astype(np.float64))
        left, size, _ = np.linalg.svd(centred, full_matrices=False)
        layout = left[:, :2] * size[:2]
        xy[index] = layout if neighbour is None else turned_onto(layout, xy[neighbour])
    return xy


def turned_onto(layout: np.ndarray, target: np.ndarray) -> np.ndarray:
    """`layout` [n, 2], centred, rotated and reflected as close to `target` as it goes; its size is kept."""
    centred = layout - layout.mean(axis=0)
    rotation, _ = orthogonal_procrustes(centred, target - target.mean(axis=0))
    return np.asarray(centred @ rotation)


def _sized_as(layout: np.ndarray, target: np.ndarray) -> np.ndarray:
    """`layout` with the root mean square size of `target`; more steps of t-SNE would only spread it further."""
    return np.asarray(layout * np.sqrt(np.square(target).sum() / np.square(layout).sum()))


def _usable(phi: np.ndarray) -> np.ndarray:
    finite = np.isfinite(phi).all(axis=(1, 2))
    return np.asarray(finite & (np.where(finite[:, None, None], phi, 0).std(axis=1).max(axis=1) > 1e-8))


def _walk(usable: np.ndarray, start: int) -> list[tuple[int, int | None]]:
    """Usable indices from the one nearest `start` outwards, each with the laid-out neighbour that it begins from."""
    indices = np.flatnonzero(usable)
    if len(indices) == 0:
        return []
    first = int(indices[np.abs(indices - start).argmin()])
    steps: list[tuple[int, int | None]] = [(first, None)]
    for side in (indices[indices > first], indices[indices < first][::-1]):
        previous = first
        for index in side:
            steps.append((int(index), previous))
            previous = int(index)
    return sorted(steps, key=lambda step: abs(step[0] - first))


def _layout(rows: np.ndarray, begin: np.ndarray | None, rng: np.random.Generator) -> np.ndarray:
    """t-SNE of rows [n, k] from PCA, or from the layout `begin` [n, 2]; [n, 2]."""
    seed = int(rng.integers(2**31))
    perplexity = min(PERPLEXITY, max(1.0, (len(rows) - 1) / 3))
    if begin is None:
        tsne = TSNE(perplexity=perplexity, max_iter=FIRST_STEPS, random_state=seed, init="pca", angle=0.7)
    else:  # no exaggeration: it would pull the neighbour's layout apart before settling
        tsne = TSNE(
            perplexity=perplexity,
            max_iter=NEXT_STEPS,
            min_grad_norm=SETTLED,
            random_state=seed,
            init=begin,
            early_exaggeration=1.0,
            angle=0.7,
        )
    # Rows that coincide have no neighbours of their own; a hair's breadth keeps t-SNE's search well defined.
    layout = tsne.fit_transform(rows + 1e-6 * rng.standard_normal(rows.shape))
    return np.asarray(layout - layout.mean(axis=0), dtype=np.float64)
