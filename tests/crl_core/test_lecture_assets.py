"""The scrubber's script is one bundle of plain files: all are in it, no name twice, and every line can be read."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from crl_core.lecture import assets

ROOM = Path(assets.__file__).parent
SCRIPTS = sorted((ROOM / "js").glob("*.js"))


@pytest.mark.parametrize("path", [*SCRIPTS, *sorted(ROOM.glob("*.css"))], ids=lambda path: path.name)
def test_a_line_of_script_or_style_has_at_most_120_columns(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    assert lines
    assert [number for number, line in enumerate(lines, start=1) if len(line) > 120] == []


def test_every_script_of_the_folder_is_in_the_bundle() -> None:
    bundle = assets.script()
    assert sum(len(path.read_text(encoding="utf-8").splitlines()) for path in SCRIPTS) <= len(bundle.splitlines())
    assert [path.name for path in SCRIPTS if path.read_text(encoding="utf-8") not in bundle] == []


def test_no_name_is_declared_twice_for_files_of_one_bundle_share_their_names() -> None:
    names = re.findall(r"^(?:async )?(?:function\*?|const|let|class) +(\w+)", assets.script(), re.M)
    assert len(names) > 60
    assert [name for name, count in Counter(names).items() if count > 1] == []
