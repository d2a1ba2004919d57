"""A minute and a half of mixed use: nothing fails, nothing grows without end, nothing outlives the server."""

from __future__ import annotations

import pytest

from benchmarks.soak import soak
from tests.browser.conftest import free_port

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_mixed_use_fails_nowhere_and_leaves_nothing_behind() -> None:
    found = soak(1.5, free_port(), visitors=4)
    assert found.failures == []
    assert found.orphans == []
    assert found.done["views"] > 20
    assert found.done["trainings asked for"] > 2
    _, memory, files, threads = zip(*found.samples, strict=True)
    assert memory[-1] < 1.25 * memory[4]  # once every page has been seen
    assert files[-1] < 500  # Streamlit keeps three of each of up to 128 sessions that have left
    assert max(threads) < 40
