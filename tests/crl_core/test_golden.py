"""Numbers can be trusted: presets give what they gave, on one thread or two, and single precision costs little."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from crl_core import train
from crl_core.config.presets import PRESETS
from tests import golden

ROOT = Path(__file__).parents[2]
THREADS = 1e-4  # relative: sums of several threads are added in another order
PRECISION = 0.02  # relative, of float32 against float64 after three epochs


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_gives_what_it_gave(name: str) -> None:
    """Where this fails on purpose, see `tests/golden.py`."""
    assert not golden.differences(name, golden.figures(train(golden.small(name))), golden.read()[name])


def test_a_changed_number_is_found() -> None:
    was = golden.read()["hospital"]
    moved = was | {"ite_rmse": [None if value is None else value * 1.01 for value in was["ite_rmse"]]}
    (line,) = golden.differences("hospital", moved, was)
    assert line.startswith("hospital: ite_rmse was [")


@pytest.mark.slow
def test_one_thread_and_two_agree() -> None:
    code = (
        "import sys, json, torch\nfrom crl_core import train\nfrom tests import golden\n"
        "from crl_core.training import threads\nthreads.WORTH_SHARING = 0  # small as they are\n"
        "torch.set_num_threads(int(sys.argv[1]))\n"
        "print(json.dumps({name: golden.figures(train(golden.small(name))) for name in sys.argv[2:]}))"
    )
    names = ("hospital", "filter", "lamp")
    one, two = (
        subprocess.run(
            [sys.executable, "-c", code, threads, *names], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout
        for threads in ("1", "2")
    )
    first, second = (golden.json.loads(text) for text in (one, two))
    for name in names:
        assert first[name].keys() == second[name].keys()
        for figure, values in first[name].items():
            said = f"{name}: {figure}"
            other = np.array(second[name][figure], float)
            np.testing.assert_allclose(np.array(values, float), other, THREADS, 1e-6, err_msg=said)


@pytest.mark.parametrize("name", ["hospital", "leaky", "filter"])
def test_single_precision_costs_little(name: str) -> None:
    single, double = (train(golden.small(name), dtype=dtype) for dtype in ("float32", "float64"))
    for figure in ("factual_mse", "mmd2"):
        np.testing.assert_allclose(getattr(single, figure), getattr(double, figure), PRECISION, 1e-4)


def test_training_asks_for_algorithms_that_give_the_same_bits_each_time() -> None:
    assert torch.are_deterministic_algorithms_enabled()
    first, second = (train(golden.small("hospital")) for _ in range(2))
    for name in first.weights:
        np.testing.assert_array_equal(first.weights[name], second.weights[name])
