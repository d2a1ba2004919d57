"""Our Adam against torch's own class, and what it spares a process."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from crl_core.training.adam import Adam


@given(st.integers(0, 2**31), st.sampled_from([0.0, 1e-4, 0.1]), st.booleans())
def test_its_steps_are_those_of_torchs_class_to_the_last_bit(seed: int, weight_decay: float, fused: bool) -> None:
    drawn = torch.Generator().manual_seed(seed)
    start = [torch.randn(shape, generator=drawn) for shape in ((7,), (3, 5))]
    here, there = ([value.clone().requires_grad_() for value in start] for _ in range(2))
    ours = Adam(here, lr=0.01, weight_decay=weight_decay, fused=fused)
    theirs = torch.optim.Adam(there, lr=0.01, weight_decay=weight_decay, fused=fused)
    for step in range(5):
        for params, optimiser in ((here, ours), (there, theirs)):
            optimiser.zero_grad()
            sum(((param - step) ** 4).sum() for param in params).backward()  # type: ignore[union-attr]
            optimiser.step()
    for ours_now, theirs_now in zip(here, there, strict=True):
        assert torch.equal(ours_now, theirs_now)


@pytest.mark.parametrize("penalty", ["mmd", "adversarial"])
def test_a_process_that_trains_never_imports_torchs_compiler(penalty: str) -> None:
    code = (
        "import sys; from crl_core import RunConfig, Scenario, Training, train\n"
        f"train(RunConfig(scenario=Scenario(n_samples=100), training=Training(lams=(1.0,), replicates=1, epochs=1,"
        f" hidden=4, device='cpu', penalty={penalty!r})))\n"
        "print('torch._dynamo' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "False"
