"""What a step frees is there for the next step, and for the system once the path is trained."""

import resource
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
_STEPS = """
import ctypes, resource, sys
import torch
from crl_core.training.heap import kept_pages
def steps():
    for _ in range(20):
        parts = [torch.ones(1_000_000) for _ in range(10)]  # 40 MB of temporaries
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
def resident():
    return int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize()
torch.set_num_threads(1)
ctypes.CDLL(None).mallopt(-3, 2**20)  # M_MMAP_THRESHOLD, near where it begins; how it grows depends on the addresses
steps()
begun = faults()
steps()
without = faults() - begun
with kept_pages():
    steps()
    begun = faults()
    steps()
    kept, during = faults() - begun, resident()
print(without, kept, during - resident())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's rule")
def test_a_step_asks_for_no_new_pages_and_they_go_back_afterwards() -> None:
    found = subprocess.run([sys.executable, "-c", _STEPS], capture_output=True, text=True, check=True, cwd=ROOT)
    without, kept, given_back = map(int, found.stdout.split())
    assert without > 40_000_000 // resource.getpagesize()  # all that a step takes, over and over
    assert kept < without / 10
    assert given_back > 20_000_000
