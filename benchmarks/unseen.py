"""How fast the falsifiers and their page are: python benchmarks/unseen.py [--json FILE]

Permutations: 1,000 relabellings of 200 deployed and 300 reference latents for all 16 models of a path (budget 1 s on
two cores), and the same one relabelling after the other in plain NumPy, for a ratio. Page: one step of the dose through
Streamlit's own test driver, without a browser (budget p50 ≤ 200 ms).
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from crl_core import PRESETS, RunStore
from crl_core.data.interventions import deploy
from crl_core.measures.falsifiers import latent_tests
from crl_core.measures.overlap import kernel_of, median_distance, squared_distances
from crl_core.results import predict, view_rows

PERMUTATIONS = 1000


def permutations() -> dict[str, float]:
    config = PRESETS["hospitals"].config
    run = RunStore().load(config.key)
    first = {name: value[: len(run.lams)] for name, value in run.weights.items()}
    reference = predict(first, view_rows(config).x[:300])[0]
    deployed = predict(first, deploy(config.scenario, "z-shift", 0.5, 200, 0).x)[0]
    taken = []
    for _ in range(5):
        start = time.perf_counter()
        latent_tests(deployed, reference, np.random.default_rng(0), PERMUTATIONS)
        taken.append(time.perf_counter() - start)
    start = time.perf_counter()
    one_by_one(deployed[0], reference[0])
    alone = (time.perf_counter() - start) * len(deployed)
    return {"unseen_permutations_s": median(taken), "unseen_permutations_ratio": alone / median(taken)}


def one_by_one(deployed: np.ndarray, reference: np.ndarray) -> None:
    """The same test of one model, a relabelling at a time."""
    rows, n = np.concatenate([deployed, reference]), len(deployed)
    distance2 = squared_distances(rows)
    kernel = kernel_of(distance2, median_distance(distance2))
    rng = np.random.default_rng(0)
    for _ in range(PERMUTATIONS):
        order = rng.permutation(len(rows))
        a, b = order[:n], order[n:]
        kernel[np.ix_(a, a)].mean() + kernel[np.ix_(b, b)].mean() - 2 * kernel[np.ix_(a, b)].mean()


def page() -> dict[str, float]:
    from streamlit.testing.v1 import AppTest

    from pages.shared import server_cache

    server_cache._warm = lambda manager: manager  # no worker: nothing is trained here
    app = AppTest.from_file(str(Path(__file__).parents[1] / "app.py"), default_timeout=60)
    app.query_params["preset"] = "hospitals"
    app.run()
    app.switch_page("pages/unseen.py").run()
    assert not app.exception, app.exception
    taken = []
    for step in range(24):
        slider = next(item for item in app.slider if item.label == "Mean of s")
        start = time.perf_counter()
        slider.set_value(-6.0 + 0.5 * step).run()
        taken.append(1000 * (time.perf_counter() - start))
    server_cache.jobs().close()
    return {"unseen_dose_p50_ms": median(taken[4:])}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        import os

        found = permutations()
        os.environ["CRL_CACHE"] = folder
        found |= page()
    for name, value in found.items():
        print(f"{name:28} {value:.3g}")
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
