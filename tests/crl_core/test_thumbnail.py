"""The small causal graph of a world: as many arrows as the large one, dashed where environments differ."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from crl_core.config.presets import PRESETS
from crl_core.world.graph import edges, said
from crl_core.world.thumbnail import svg

SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize("name", PRESETS)
def test_a_thumbnail_has_the_arrows_of_its_world_inside_its_frame_and_says_them(name: str) -> None:
    scenario = PRESETS[name].config.scenario
    assert scenario is not None
    drawn = ET.fromstring(svg(scenario, "#789", PRESETS[name].env_word))
    lines, wanted = drawn.findall(SVG + "line"), edges(scenario)
    assert len(lines) == len(wanted) == len(drawn.findall(SVG + "polygon"))
    assert [line.get("stroke-dasharray") is not None for line in lines] == [arrow.by_env for arrow in wanted]
    assert {text.text for text in drawn.findall(SVG + "text")} >= {arrow.target for arrow in wanted} | {"t"}
    assert drawn.get("aria-label") == said(scenario, PRESETS[name].env_word)
    width, height = (float(drawn.get(side, 0)) for side in ("width", "height"))
    for line in lines:
        assert all(0 <= float(line.get(end, -1)) <= width for end in ("x1", "x2"))
        assert all(0 <= float(line.get(end, -1)) <= height for end in ("y1", "y2"))
