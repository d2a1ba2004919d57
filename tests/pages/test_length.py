"""A page reads in a breath: title, controls, result, explanation; what holds answers or draws lives elsewhere."""

from __future__ import annotations

from pathlib import Path

import pytest

PAGES = sorted((Path(__file__).parents[2] / "pages").glob("*.py"))
MOST_LINES = 110


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_reads_in_a_breath(page: Path) -> None:
    n_lines = len(page.read_text(encoding="utf-8").splitlines())
    assert n_lines <= MOST_LINES, f"pages/{page.name} has {n_lines} lines; what draws moves to pages/shared"
