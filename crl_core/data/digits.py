"""Images of 8 × 8 pixels, and the camera that takes them: what a hospital's rows look like where x is an image.

Image:  one of the 1,797 handwritten digits that come with scikit-learn, pixels from 0 (dark) to 1. The cause z decides
        which: images stand in the order of their digit, and a row has the one at its place among all patients, half of
        whom say yes, ½ Φ(z - d) + ½ Φ(z + d), with d the separation. So digits 5 to 9 are those of z > 0, and however
        far the labels lie apart, all of a label's digits are equally frequent.
Camera: the lamp adds light · s to every pixel, then noise is added: x = image + light · s + N(0, pixel_noise²).
Pools:  a seed sets 597 of the images apart. Rows that are trained on have the other 1,200, all others these, so that no
        image stands in both; within a pool rows may share an image.
Source: Alpaydin, Kaynak (1998), Optical Recognition of Handwritten Digits, UCI Machine Learning Repository.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from crl_core.data.streams import Stream, rng_for

SIDE = 8
PIXELS = SIDE * SIDE
N_TRAINED = 1200  # images that training rows are of
_BRIGHTEST = 16.0  # as scikit-learn has them
_YES_FROM = 5  # digits from it on are those of z > 0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Camera:
    """What takes the images.

    pixel_noise: standard deviation; of each row that of its hospital, [n].  light: of a unit of s.
    """

    pixel_noise: np.ndarray
    light: float


@lru_cache(maxsize=1)
def all_images() -> tuple[np.ndarray, np.ndarray]:
    """The images [1797, 64], pixels from 0 to 1, and the digit that each shows [1797]; not to be written to."""
    from sklearn.datasets import load_digits  # slow to load, and who serves a model takes no images

    found = load_digits()
    images, digit = found.data / _BRIGHTEST, found.target.astype(np.int64)
    for array in (images, digit):
        array.flags.writeable = False
    return images, digit


def pool(seed: int, *, trained: bool) -> np.ndarray:
    """Which images training rows, or all other rows, are of, by digit and then as scikit-learn has them, [1200 or 597].

    They are places in `all_images`.
    """
    order = rng_for(seed, Stream.MIXING).permutation(len(all_images()[1]))
    own = np.sort(order[:N_TRAINED] if trained else order[N_TRAINED:])
    return np.asarray(own[np.argsort(all_images()[1][own], kind="stable")])


def which(z: np.ndarray, separation: float, trained: np.ndarray, seed: int) -> np.ndarray:
    """The image of each row, as a place in `all_images`, [n].  z: [n].  trained: [n] bool."""
    from scipy.special import ndtr  # slow to load, and few worlds are of digits

    place = (ndtr(z - separation) + ndtr(z + separation)) / 2
    found = np.empty(len(z), dtype=np.int64)
    for mine in (True, False):
        rows, images = trained == mine, pool(seed, trained=mine)
        low = int(np.searchsorted(all_images()[1][images], _YES_FROM))
        yes = z > 0  # both halves of the places have their own half of the digits
        share = np.clip(2 * place - yes, 0, 1)
        size = np.where(yes, len(images) - low, low)
        at = np.where(yes, low, 0) + np.minimum((share * size).astype(np.int64), size - 1)
        found[rows] = images[at[rows]]
    return found


def taken(images: np.ndarray, s: np.ndarray, camera: Camera, rng: np.random.Generator | None) -> np.ndarray:
    """What the camera makes of images [n, 64] under the light s [n], [n, 64].

    rng: of the pixels' noise, drawn whatever the camera is, so that another camera's image of the same rows differs by
         the camera alone. None: without noise.
    """
    x = images + camera.light * s[:, None]
    return x if rng is None else x + camera.pixel_noise[:, None] * rng.standard_normal(x.shape)
