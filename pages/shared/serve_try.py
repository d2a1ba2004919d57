"""The exported model asked on the page: a unit in, the JSON that the endpoint would answer out."""

from __future__ import annotations

import json

import streamlit as st

from crl_core.export import exporter as exports
from crl_core.export.model_file import Model, read_model
from crl_core.serve.answers import first_answer
from pages.shared.run_view import RunInView
from pages.shared.style import panel_title, plain, quiet

_FORMATS = ("onnx", "onnx-int8")  # are run without torch, which the server of pages never loads
_MOST_FIELDS = 32
_COLUMNS = 4
_LABEL = "site-a"


@st.cache_resource(max_entries=8, show_spinner=False)
def _model(content: bytes, name: str) -> Model:
    return read_model(content, name)


def try_it(run: RunInView, found: exports.Exports) -> None:
    """A field a feature, or a held-out unit where there are too many; Predict runs the ONNX file itself."""
    name = next((item for item in found.formats if item in _FORMATS), None)
    with st.container(key="panel_serve_try"):
        panel_title("Try it", f"{_LABEL}, one unit; the answer is the endpoint's before its monitor has seen any")
        if name is None:
            quiet("This needs the ONNX file, which was not exported; install what it needs and measure again.")
            return
        try:
            model = _model(found.content(name), name)
        except (OSError, ValueError) as error:
            quiet(str(error))
            return
        if run.config.table is not None:
            quiet("A model of a table is asked with the table's own columns: see Ask, above.")
            return
        rows = _fields(run, model)
        left, right = st.columns(2)
        if not rows:
            return
        try:
            answer = first_answer(model, rows, _LABEL)
        except ValueError as error:
            st.error(plain(str(error)[:1].upper() + str(error)[1:]))
            return
        with left:
            quiet("The answer")
            st.code(json.dumps(answer, indent=1, ensure_ascii=False), language="json")
        with right:
            quiet("The request")
            st.code(exports.curl(rows if len(rows[0]) <= _MOST_FIELDS else []), language="bash", wrap_lines=True)
            outside = answer["outside_range"][0]
            if outside:
                quiet(f"Outside of what training saw: {', '.join(outside[:8])}. There the effect is a guess.")


def _fields(run: RunInView, model: Model) -> list[list[float]]:
    """The unit that Predict was last pressed for, a list of one row; empty before."""
    kept = f"serve.tried.{run.key}"
    features = model.metadata["features"]
    if len(features) > _MOST_FIELDS:
        most = len(run.view.x) - 1
        st.number_input(f"Held-out unit, 0 to {most}", 0, most, 0, key="serve.unit", format="%d", width=240)
    else:
        columns = st.columns(_COLUMNS)
        for place, item in enumerate(features):
            with columns[place % _COLUMNS]:
                st.number_input(
                    item["name"],
                    value=round(float(item["mean"]), 3),
                    step=None,
                    format="%.12g",
                    key=f"serve.feature.{place}",
                    help=f"Training saw {item['low']:.3g} to {item['high']:.3g}.",
                )
                quiet(f"{item['low']:.3g} to {item['high']:.3g}")

    def ask() -> None:  # a callback: it sees what was typed last
        own = run.view.x[int(st.session_state["serve.unit"])] if len(features) > _MOST_FIELDS else None
        typed = [st.session_state[f"serve.feature.{at}"] for at in range(len(features))] if own is None else own
        st.session_state[kept] = [float(value) for value in typed]

    st.button("Predict", key="serve.predict", on_click=ask)
    asked = st.session_state.get(kept)
    return [asked] if asked is not None and len(asked) == len(features) else []
