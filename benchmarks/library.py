"""How fast the library of runs is with thousands of them: python benchmarks/library.py [--runs N] [--json FILE]

The runs are synthetic but sealed like any other. Opening and filtering the page are measured through Streamlit's own
test driver, which runs the script as the server does, without a browser: warm means that this server has shown the page
before.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from crl_core import RunConfig, RunStore, Scenario, Training
from crl_core.runs.labels import Label
from crl_core.runs.library import Library, search
from tests.crl_core.made_up import made_up_result

ROOT = Path(__file__).parents[1]


def timed(act: Callable[[], object], times: int = 5) -> float:
    """Median seconds."""
    taken = []
    for _ in range(times):
        start = time.perf_counter()
        act()
        taken.append(time.perf_counter() - start)
    return median(taken)


def fill(store: RunStore, n_runs: int) -> None:
    """Tiny sealed runs that differ in seed, σ and epochs; every tenth has a name and tags."""
    rng = np.random.default_rng(0)
    for seed in range(n_runs):
        config = RunConfig(
            scenario=Scenario(n_samples=200, sigma=(0.1, float(rng.integers(1, 40)) / 10)),
            training=Training(
                lams=(0.0, 1.0), replicates=1, epochs=int(rng.integers(1, 4)), hidden=4, latent_dim=2, seed=seed
            ),
        )
        key = store.save(made_up_result(config))
        if seed % 10 == 0:
            store.label(key, Label(name=f"number {seed}", tags=("lecture",) if seed % 20 else ("draft", "lecture")))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=2000, metavar="N")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["CRL_CACHE"] = folder
        store = RunStore(folder, Path(folder) / "none")
        fill(store, options.runs)
        found = {"library_runs": options.runs}
        found["library_from_folders_s"] = timed(lambda: Library(store).rebuild(), 1)
        found["library_from_index_s"] = timed(lambda: Library(store).runs())
        library = Library(store)
        runs = library.runs()
        found["library_warm_s"] = timed(library.runs)
        found["library_search_ms"] = 1000 * timed(lambda: search(runs, "number 12", ("lecture",)))
        found |= page()
    for name, value in found.items():
        print(f"{name:28} {value:.3g}")
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n")
    return 0


def page() -> dict[str, float]:
    """The page itself: the first time, again, and after a word was typed into the search."""
    from streamlit.testing.v1 import AppTest

    from pages.shared import server_cache

    server_cache._warm = lambda manager: manager  # no worker: nothing is trained here

    def opened() -> AppTest:
        app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=120)
        app.run()
        start = time.perf_counter()
        app.switch_page("pages/runs.py").run()
        taken.append(time.perf_counter() - start)
        assert not app.exception, app.exception
        return app

    taken: list[float] = []
    for _ in range(4):
        app = opened()
    box = next(item for item in app.text_input if item.label == "Search")
    words = iter(("number 1", "number 12", "epochs 2", "sigma", "hospital"))
    filtering = timed(lambda: box.set_value(next(words)).run())
    server_cache.jobs().close()
    return {
        "library_open_first_s": taken[0],
        "library_open_warm_s": median(taken[1:]),
        "library_filter_ms": 1000 * filtering,
    }


if __name__ == "__main__":
    sys.exit(main())
