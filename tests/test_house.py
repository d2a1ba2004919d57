"""The code is formatted, linted and typed, and the README's commands are the ones that are run."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.slow
@pytest.mark.parametrize("command", [("ruff", "check", "."), ("ruff", "format", "--check", "."), ("mypy",)])
def test_the_code_is_clean(command: tuple[str, ...]) -> None:
    done = run(*command)
    assert done.returncode == 0, done.stdout + done.stderr


def test_continuous_integration_runs_the_readmes_test_command() -> None:
    blocks = re.findall(r"```sh\n(.*?)\n```", (ROOT / "README.md").read_text(), re.S)
    command = next(block for block in blocks if "pytest" in block)
    assert command in (ROOT / ".ci" / "run").read_text().splitlines()


@pytest.mark.parametrize("document", ["readme", "audit"])
def test_a_documents_tables_are_what_was_measured(document: str) -> None:
    done = subprocess.run([sys.executable, f"benchmarks/{document}.py", "--check"], cwd=ROOT, check=False)
    assert done.returncode == 0, f"run: python benchmarks/{document}.py"


def test_no_machine_path_or_open_end_is_left_in_the_sources() -> None:
    files = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False).stdout.split()
    pattern = re.compile(r"/(?:tmp|work|root|home)/[a-z]|\b(?:TODO|FIXME|XXX)\b")
    for name in files:
        if name.endswith((".py", ".md", ".toml", ".js", ".css", ".txt", ".yml")) and name != "tests/test_house.py":
            found = pattern.findall((ROOT / name).read_text(errors="replace")) if (ROOT / name).exists() else []
            assert not found, f"{name}: {found}"
