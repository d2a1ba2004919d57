"""What the app is made of: the lock file says it exactly, and a command under which licences."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from crl_core.cli.licences import packages
from crl_core.cli.program import main

ROOT = Path(__file__).parents[1]


def pinned(file: str) -> dict[str, str]:
    text = (ROOT / file).read_text()
    return {name.lower(): version for name, version in re.findall(r"^([A-Za-z0-9._-]+)==([^\s\\+]+)", text, re.M)}


def test_the_lock_file_has_the_versions_of_the_requirements() -> None:
    """Where this fails, make it anew: the command stands in its first lines."""
    wanted, locked = pinned("requirements.txt"), pinned("requirements.lock")
    assert len(wanted) > 10
    assert wanted.items() <= locked.items()


def test_every_package_of_the_lock_file_has_hashes_and_nothing_the_app_leads_to_is_missing() -> None:
    text = (ROOT / "requirements.lock").read_text()
    entries = re.split(r"\n(?=[a-z0-9])", text)[1:]
    assert len(entries) == len(pinned("requirements.lock"))
    assert all("--hash=sha256:" in entry for entry in entries)
    assert not re.search(r"https?://|file://", text)
    there = {name for name, found in packages().items() if found is not None}
    assert there - {"setuptools"} <= {name.replace("_", "-") for name in pinned("requirements.lock")}


def test_a_command_lists_the_licences_and_none_asks_more_than_to_be_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["licences", "--json", "-"]) == 0
    rows = json.loads(capsys.readouterr().out)["packages"]
    assert {"streamlit", "torch", "numpy", "plotly"} <= {row["package"] for row in rows}
    assert all(row["licence"] != "unknown" for row in rows)
    assert [row for row in rows if re.search(r"\b(A?GPL|LGPL)", row["licence"])] == []


@pytest.mark.skipif(os.environ.get("CRL_AUDIT") != "1", reason="CRL_AUDIT=1 asks pypi.org, other tests no one outside.")
def test_no_package_of_the_lock_file_has_a_known_vulnerability() -> None:
    asked = [sys.executable, "-m", "pip_audit", "--disable-pip", "--require-hashes", "-r", "requirements.lock"]
    done = subprocess.run(
        [*asked, "-f", "json", "--timeout", "10"], cwd=ROOT, capture_output=True, text=True, timeout=300, check=False
    )
    if not done.stdout:
        pytest.skip(f"The database of vulnerabilities cannot be reached: {done.stderr.strip().splitlines()[-1]}")
    packages = json.loads(done.stdout)["dependencies"]
    unknown = [package["name"] for package in packages if "skip_reason" in package]
    assert [package for package in packages if package.get("vulns")] == []
    if unknown:
        pytest.skip(f"The database that answers does not know {len(unknown)} of {len(packages)} packages.")
