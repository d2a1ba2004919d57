"""The command `licences`: what the app is made of, and under which licences."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

from crl_core.cli.output import put

SAYS = "the packages that the app needs, theirs included, each with its licence"
REQUIREMENTS = Path(__file__).parents[2] / "requirements.txt"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def add_licences_command(command: Callable[..., Any]) -> None:
    """Add it with `command(name, what does it, text)`."""
    command("licences", _licences, SAYS)


def packages() -> dict[str, Distribution | None]:
    """All packages that `requirements.txt` leads to, by name; None for one that is not installed here."""
    found: dict[str, Distribution | None] = {}
    waiting = [line for line in REQUIREMENTS.read_text(encoding="utf-8").splitlines() if _NAME.match(line)]
    while waiting:
        needed = Requirement(waiting.pop())
        name = needed.name.lower().replace("_", "-")
        if name in found or (needed.marker is not None and not needed.marker.evaluate({"extra": ""})):
            continue  # known, or for another platform, another Python or an extra that nobody asked for
        try:
            found[name] = distribution(name)
        except PackageNotFoundError:
            found[name] = None
            continue
        waiting += found[name].requires or []  # type: ignore[union-attr]
    return dict(sorted(found.items()))


def licence_of(package: Distribution) -> str:
    """As the package says it: an expression, else its classifiers, else the first line of its text."""
    said = package.metadata
    classifiers = [c.split(" :: ")[-1] for c in said.get_all("Classifier") or [] if c.startswith("License ::")]
    there = set(said)
    if "License-Expression" in there:
        return said["License-Expression"]
    return ", ".join(classifiers) or (said["License"] if "License" in there else "unknown").split("\n")[0]


def _licences(options: argparse.Namespace) -> int:
    rows = [
        {"package": name, "version": each.version, "licence": licence_of(each)}
        for name, each in packages().items()
        if each is not None
    ]
    wide = max(len(f"{row['package']} {row['version']}") for row in rows)
    put(
        options.json,
        {"packages": rows},
        lambda: "\n".join(f"{row['package'] + ' ' + row['version']:<{wide}}  {row['licence']}" for row in rows),
    )
    return 0
