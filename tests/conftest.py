"""What property tests draw: the same in every run of the suite, so that two runs agree; fresh where asked to explore.

`pytest -m hypothesis --hypothesis-profile=explore` draws anew (and `--hypothesis-seed N` repeats such a run).
Neither has a deadline: how long an example takes depends on what else the machine does.
"""

import functools
import gc
import itertools
import os
import tempfile

import pytest
from hypothesis import settings
from streamlit.components.v2 import manifest_scanner

settings.register_profile("the same for all", deadline=None, derandomize=True)
settings.register_profile("explore", deadline=None, print_blob=True)
settings.load_profile("the same for all")

# Every new AppTest reads the metadata of every installed package anew, for half of the time that a page's test takes;
# what is installed does not change while the suite runs.
manifest_scanner.scan_component_manifests = functools.cache(manifest_scanner.scan_component_manifests)


# Runs are sealed with a key of the tests, never with the one of who runs them; workers and servers inherit it.
_KEPT = tempfile.TemporaryDirectory(prefix="crl-tests-") if "CRL_SEAL_KEY" not in os.environ else None
if _KEPT is not None:
    os.environ["CRL_SEAL_KEY"] = os.path.join(_KEPT.name, "seal.key")


def pytest_xdist_auto_num_workers() -> int:
    """One more than cores, since many tests wait; four at most: each may start a server and a browser."""
    return min(4, 1 + (len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1))


def pytest_configure(config: pytest.Config) -> None:
    """Where several workers share the cores, one thread each: more wait for each other, for a third of their time."""
    if config.getoption("numprocesses", None):
        os.environ.setdefault("OMP_NUM_THREADS", "1")


def pytest_collection_finish() -> None:
    """Modules and tests stay to the end; to look through them at every collection is a sixth of a page's test."""
    gc.freeze()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Who looks at pages waits, and who computes does not: all workers but one begin with the tests in browsers, and
    the last with the slow ones of the rest. All end with small ones, which others can take over.

    Workers are handed equal parts of this list. As collected, the first would get all browsers, and the others would
    wait at the end for the last of its long tests.
    """
    workers = getattr(config, "workerinput", {}).get("workercount", 1)
    if workers == 1:
        return
    hands: list[list[pytest.Item]] = [[] for _ in range(workers)]
    rest: list[pytest.Item] = []
    for _, found in itertools.groupby(items, lambda item: item.path):  # a file's tests share its server
        tests = list(found)
        if any(test.get_closest_marker("browser") for test in tests):
            min(hands[:-1], key=len).extend(tests)
        else:
            slow = any(test.get_closest_marker("slow") for test in tests)
            (hands[-1] if slow else rest).extend(tests)
    left = iter(rest)
    for hand in hands:
        hand += itertools.islice(left, max(0, -(-len(items) // workers) - len(hand)))
    items[:] = itertools.chain.from_iterable(hands)
