"""What all figures share: the frame, axes that stay where they are, the legend, the view of having no rows."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import plotly.graph_objects as go
import plotly.io
from _plotly_utils.utils import to_typed_array_spec  # type: ignore[import-untyped]

from crl_core.figures.palette import FONT, Palette

Trace = dict[str, Any]
KNOWN_ONLY = "truth (known only in simulation)"
ARM_NAMES = ("untreated", "treated")
ARM_SYMBOLS = np.array(["circle", "diamond"])  # treatment is symbol, on every page
_TITLE = 34  # pixels of the title's line
_LEGEND_ROW = 20  # pixels of a row of the legend
_SHORT_LEGEND = 6  # entries; a phone may give each a row of its own


class Drawn(go.Figure):  # type: ignore[misc]
    """A figure that stays the dicts it was written as until somebody changes it, or looks into it as Plotly's own.

    Plotly checks and copies every value of a figure when it is made, which was more than half of what a page costs the
    server; the tests compare what a browser gets with what Plotly makes of the same dicts.
    """

    def __init__(self, data: Any = None, layout: dict[str, Any] | None = None, **more: Any) -> None:
        self.__dict__["_written"] = None if layout is None else {"data": list(data), "layout": layout}
        if layout is None:  # a copy
            super().__init__(data, **more)

    def __getattr__(self, name: str) -> Any:
        """What Plotly's own figure would have by now."""
        written = self.__dict__.get("_written")
        if written is None or not name.startswith("_") or name.startswith("__"):
            raise AttributeError(name)
        self.__dict__["_written"] = None
        super().__init__(**written)
        return getattr(self, name)

    def to_dict(self) -> dict[str, Any]:
        """As Plotly's, ready for JSON."""
        written = self.__dict__["_written"]
        if written is None:
            plain: dict[str, Any] = super().to_dict()
            return plain
        layout = {"template": _template()} | _packed(written["layout"])
        return {"data": [_packed(trace) for trace in written["data"]], "layout": layout}


def written(drawn: go.Figure) -> dict[str, Any]:
    """A figure's traces ("data") and "layout" as plain dicts with arrays as they are; not to be changed."""
    if isinstance(drawn, Drawn) and drawn.__dict__["_written"] is not None:
        found: dict[str, Any] = drawn.__dict__["_written"]
        return found
    return {"data": [trace.to_plotly_json() for trace in drawn.data], "layout": drawn.layout.to_plotly_json()}


@cache
def _template() -> dict[str, Any]:
    """What Plotly's figures are given of their default look; not to be changed."""
    found: dict[str, Any] = _packed(plotly.io.templates[plotly.io.templates.default].to_plotly_json())
    return found


def _packed(value: Any) -> Any:
    """New dicts and lists; an array of numbers as Plotly's typed array, anything else to be written as it is."""
    if isinstance(value, dict):
        return {name: _packed(each) for name, each in value.items()}
    if isinstance(value, np.ndarray) and value.size and value.dtype == np.float64:
        shape = {"shape": ", ".join(map(str, value.shape))} if value.ndim > 1 else {}
        return {"dtype": "f8", "bdata": b64encode(value.tobytes()).decode("ascii")} | shape
    if isinstance(value, np.ndarray):
        return to_typed_array_spec(value)
    return [_packed(each) for each in value] if isinstance(value, (list, tuple)) else value


def rgba(colour: str, opacity: float) -> str:
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity:g})"


def axis(colours: Palette, title: str = "", *, ticks: bool = True, **more: Any) -> dict[str, Any]:
    look: dict[str, Any] = {
        "title": {
            "text": title,
            "standoff": 7,
            "font": {"color": colours["muted"], "size": 11.5 * colours["scale"]},
        },
        "gridcolor": colours["grid"],
        "linecolor": colours["grid"],
        "zeroline": False,
        "showgrid": ticks,
        "showticklabels": ticks,
        "tickfont": {"color": colours["muted"]},
        "automargin": False,
    }
    return look | more


def square(anchor: str = "x") -> tuple[dict[str, Any], dict[str, Any]]:
    """What the x axis `anchor` and its y axis are given where both have one range: the line of truth rises by 45°."""
    return (
        {"constrain": "domain", "constraintoward": "left"},
        {"constrain": "domain", "constraintoward": "top", "scaleanchor": anchor},
    )


def figure(
    title: str,
    traces: Sequence[Trace],
    colours: Palette,
    *,
    height: int,
    legend_items: int = 0,
    margin: dict[str, int] | None = None,
    outside: int = 0,
    **layout: Any,
) -> go.Figure:
    """A titled figure on a panel.

    height:       of a figure with a short legend; a longer legend takes nothing from the picture on a phone.
    legend_items: entries of the legend under the title.
    outside:      points moved onto the edge.
    """
    scale = colours["scale"]
    legend_rows = -(-legend_items // (2 if legend_items <= _SHORT_LEGEND else 3))  # as many as a narrow panel needs
    height += round(_LEGEND_ROW * scale) * max(0, legend_items - _SHORT_LEGEND)
    edge = {"l": 50, "r": 12, "t": round(_TITLE * scale), "b": round(46 * scale)} | (margin or {})
    key_top = 1 - round(_TITLE * scale - 4) / height
    edge["t"] += legend_rows * round(_LEGEND_ROW * scale) + (6 if legend_rows else 0)
    return Drawn(
        data=[_without_infinities(trace) for trace in traces],
        layout={
            "title": {
                "text": f"<b>{title}</b>",
                "x": 0,
                "xref": "container",
                "xanchor": "left",
                "y": 1,
                "yref": "container",
                "yanchor": "top",
                "pad": {"l": 0, "t": 6},
                "font": {"size": 14 * scale, "color": colours["text"]},
            },
            "font": {"family": FONT, "size": 12 * scale, "color": colours["muted"]},
            "paper_bgcolor": colours["panel"],
            "plot_bgcolor": colours["panel"],
            "margin": edge,
            "height": height,
            "showlegend": legend_items > 0,
            "legend": {
                "orientation": "h",
                "x": 0,
                "xanchor": "left",
                "xref": "container",
                "y": key_top,
                "yref": "container",
                "yanchor": "top",
                "bgcolor": "rgba(0,0,0,0)",
                "itemsizing": "trace",
                "maxheight": 0.9,  # where it has less, it scrolls and hides entries
                "font": {"size": 11.5 * scale, "color": colours["text"]},
            },
            "hovermode": "closest",
            "hoverlabel": {
                "bgcolor": colours["panel"],
                "bordercolor": colours["grid"],
                "font": {"family": FONT, "color": colours["text"]},
            },
            "modebar": {
                "bgcolor": "rgba(0,0,0,0)",
                "color": colours["muted"],
                "activecolor": colours["text"],
            },
            "dragmode": "pan",
            "meta": {"outside": outside},
        }
        | layout,
    )


def _without_infinities(trace: Trace) -> Trace:
    """The trace with what is infinite as missing (NaN): it has no place on an axis."""
    clean = dict(trace)
    for name, values in trace.items():
        if isinstance(values, dict):
            clean[name] = _without_infinities(values)
        elif isinstance(values, np.ndarray) and values.dtype.kind == "f" and np.isinf(values).any():
            clean[name] = np.where(np.isinf(values), np.nan, values)
        elif isinstance(values, list):
            clean[name] = [None if isinstance(value, float) and np.isinf(value) else value for value in values]
    return clean


def empty(title: str, why: str, colours: Palette, *, height: int) -> go.Figure:
    """A titled figure without rows that says why there is nothing to see."""
    hidden = {"visible": False, "range": [0, 1], "fixedrange": True}
    words = "<br>".join(_lines(why, 44))
    note = {
        "text": words,
        "x": 0.5,
        "y": 0.5,
        "xref": "paper",
        "yref": "paper",
        "showarrow": False,
        "font": {"color": colours["muted"], "size": 12.5 * colours["scale"]},
    }
    return figure(title, [], colours, height=height, xaxis=hidden, yaxis=hidden, annotations=[note])


def _lines(text: str, width: int) -> list[str]:
    lines = [""]
    for word in text.split():
        if len(lines[-1]) + len(word) >= width:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return lines


def outside(drawn: go.Figure) -> int:
    """How many points a figure shows at its edge because they lie beyond it."""
    return int((written(drawn)["layout"].get("meta") or {}).get("outside", 0))


def env_legend(env_names: Sequence[str], colours: Palette) -> list[Trace]:
    """Entries of the legend: environment is colour. A click hides the environment's points (`legendgroup`)."""
    return [
        key_entry(name, colours["envs"][e], "circle", colours, legendgroup=f"env{e}")
        for e, name in enumerate(env_names)
    ]


def arm_legend(colours: Palette, coloured: bool = False) -> list[Trace]:
    """Entries of the legend: treatment is symbol."""
    return [
        key_entry(
            name,
            colours["arms"][arm] if coloured else colours["muted"],
            str(ARM_SYMBOLS[arm]) + ("-open" if coloured and arm == 0 else ""),
            colours,
            legendgroup=f"arm{arm}",
        )
        for arm, name in enumerate(ARM_NAMES)
    ]


def truth_legend(colours: Palette, name: str = KNOWN_ONLY) -> Trace:
    return {
        "type": "scatter",
        "mode": "lines",
        "x": [None],
        "y": [None],
        "name": name,
        "hoverinfo": "skip",
        "line": {"color": colours["truth"], "width": 1.2},
    }


def key_entry(name: str, colour: str, symbol: str, colours: Palette, **more: Any) -> Trace:
    """An entry of the legend, without a point in the figure."""
    return {
        "type": "scatter",
        "mode": "markers",
        "x": [None],
        "y": [None],
        "name": name,
        "hoverinfo": "skip",
        "marker": {"color": colour, "symbol": symbol, "size": 8 * colours["scale"]},
    } | more


def truth_line(x: Sequence[float], y: Sequence[float], colours: Palette, **more: Any) -> Trace:
    """Truth is a thin line in the colour of text."""
    return {
        "type": "scatter",
        "mode": "lines",
        "x": list(x),
        "y": list(y),
        "showlegend": False,
        "line": {"color": colours["truth"], "width": 1.2},
        "hoverinfo": "skip",
    } | more


def number(value: float) -> str:
    """A figure of three digits, whole where it is in the thousands, for a label or a hover text."""
    if not np.isfinite(value):
        return "not defined"
    return f"{value:,.0f}" if 999.5 <= abs(value) < 1e6 else f"{value:.3g}"


def decimals(value: float, count: int) -> str:
    """A figure of so many decimals for a table or a cell; a dash where there is none."""
    return "–" if not np.isfinite(value) else f"{value:.{count}f}" if abs(value) < 1e6 else f"{value:.2e}"


def note(
    text: str, x: float, xanchor: str, y: float, yref: str, colour: str, colours: Palette, **more: Any
) -> dict[str, Any]:
    """A short text at a place of the figure, without an arrow; x in shares of the paper."""
    return {
        "text": text,
        "x": x,
        "xref": "paper",
        "xanchor": xanchor,
        "y": y,
        "yref": yref,
        "yanchor": "middle",
        "showarrow": False,
        "font": {"color": colour, "size": 11 * colours["scale"]},
    } | more
