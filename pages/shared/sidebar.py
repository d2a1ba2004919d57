"""The sidebar: one bound widget for every field, so that the URL is the whole configuration and the λ in view.

Defaults:  a widget's default is the preset's value, so `?preset=leaky` alone is the leaky world as it comes, and the
           URL names only what differs from it.
Links:     a session's first run mends what a link asks for and cannot have, in the URL itself, and says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import streamlit as st

from crl_core.config import MAX_ENVS, RunConfig
from crl_core.config.presets import DEFAULT_PRESET, Preset
from crl_core.config.text import imagined, nearest_lam
from pages.shared import fields, job_panel, locks, moved, sidebar_place, sidebar_table, style, table_run
from pages.shared.asked import Controls as Controls
from pages.shared.fields import Field, Value, lam_text

ADVANCED = "sidebar.advanced"  # whether the fold is open
_CONTROLS = "sidebar.controls"
_NOTES = "sidebar.notes"
_N_ENVS = "sidebar.n_envs"
_DRAWN = "sidebar.drawn"  # the fields that have a widget
_PAGE = "sidebar.page"
_ENCODERS = (  # measured by benchmarks/encoders.py
    "Conv1d takes about 3 times as long. On “The hum and the label” it trusts the hum as much as the MLP does, and "
    "with batches of 128 it collapses at a λ where the MLP does not."
)
_FORMAT = "%.12g"  # a field shows the value in force with as many digits as it takes


def controls() -> Controls:
    """The sidebar's values in this run of the script."""
    found: Controls = st.session_state[_CONTROLS]
    return found


def move_lam(lam: float) -> None:
    """Set λ, unless a link holds it fast. For callbacks."""
    if not locks.locked("lam"):
        moved.move("lam", lam)


def set_view(preset_id: str, lam: float) -> None:
    """Put a preset, as it comes, and λ in view, whatever a link holds fast. Before the controls of a run are drawn."""
    _take_preset(preset_id)
    moved.move("lam", lam)


def arrived() -> bool:
    """Whether the session's first run has mended its link, so that controls are bound to the address."""
    return _CONTROLS in st.session_state


def _keep_link(page: str) -> None:
    """A page opened before the browser has bound the fields of the last one (a slow line, a busy machine) comes without
    their parameters, though the session knows them: set them by code, which the address follows."""
    if st.session_state.get(_PAGE, page) != page and _CONTROLS in st.session_state:
        for name in ("preset", "lam", *controls().values):
            if name in st.session_state and name not in st.query_params:
                st.session_state[name] = st.session_state[name]
    st.session_state[_PAGE] = page


def draw(page: str, of_lesson: Sequence[str] | None = None) -> Controls:
    """Draw the sidebar beside `page`. Called once a run, by the shell.

    of_lesson: the controls that a lesson leaves in reach; None outside lessons.
    """
    _arrive()
    moved.keep()
    _keep_link(page)
    own = table_run.current()
    with st.sidebar:
        found = _widgets() if own is None else sidebar_table.widgets(own, _lam_slider)
        st.session_state[_CONTROLS] = found
        with st.container(key="controls_train"):
            job_panel.sidebar_panel(found.config, found.problem, found.lam, show)
        moved.echo()
    sidebar_place.only_used(own is not None, of_lesson)
    for note in st.session_state.get(_NOTES, ()):
        st.warning(style.plain(note))  # above the page, where it is seen also with the sidebar closed
    return found


def choose_preset(preset_id: str) -> None:
    """Take another preset, as it comes, unless a link holds it fast. For callbacks."""
    if not locks.locked("preset"):
        _take_preset(preset_id)


def show(config: RunConfig) -> None:
    """Set the sidebar to `config`. For callbacks."""
    _take(*fields.describe(config))


def _assign(preset_id: str, values: Mapping[str, Any]) -> None:
    """Set fields by code. Those that have no widget yet are written into the URL here."""
    drawn: frozenset[str] = st.session_state.get(_DRAWN, frozenset())
    at_home = fields.defaults(preset_id, int(values["envs"]))
    for name, value in values.items():
        moved.move(name, value)
        if name not in drawn and value != at_home.get(name, value):
            st.query_params[name] = str(value)


def _arrive() -> None:
    """A session's first run: mend the link where it asks for what cannot be had, and say so."""
    if _NOTES in st.session_state:
        return
    params = st.query_params.to_dict()
    mended, notes = fields.mend(params)
    preset_id = str(mended.get("preset", params.get("preset", DEFAULT_PRESET)))
    at_home = {"preset": DEFAULT_PRESET, **fields.defaults(preset_id)}
    if "lam" in params:
        lams = fields.grid(preset_id, {**params, **mended})
        at_home["lam"] = nearest_lam(lams, fields.DEFAULT_LAM)
        try:
            asked = fields.number(params["lam"], "lams")
        except ValueError:
            asked = None
        if asked is None or asked < 0:
            mended["lam"] = at_home["lam"]
            notes.append(
                f"The link has λ = {params['lam'][:20]}; it must be a number ≥ 0. Shown: {lam_text(at_home['lam'])}."
            )
        elif asked not in lams:
            mended["lam"] = nearest_lam(lams, asked)
            notes.append(
                f"λ = {lam_text(asked)} is not trained in this run. Shown: the nearest, {lam_text(mended['lam'])}."
            )
        elif lam_text(asked) != params["lam"]:
            mended["lam"] = asked
    st.session_state[_NOTES] = notes
    if mended:
        # No widget is bound yet, so the URL itself can be put right; the next run reads it.
        for name, value in mended.items():
            if value == at_home.get(name):
                del st.query_params[name]
            else:
                st.query_params[name] = lam_text(value) if name == "lam" else str(value)
        st.rerun()


def _forget_notes() -> None:
    st.session_state[_NOTES] = []


def _changed(name: str) -> bool:
    """A field's callback: whether a hand changed it, after which the notes on the link are no longer of this page."""
    if by_hand := moved.by_hand(name):
        _forget_notes()
    return by_hand


def _take(preset_id: str, values: Mapping[str, Any]) -> None:
    _forget_notes()
    _assign(preset_id, {"preset": preset_id} | values)


def _take_preset(preset_id: str) -> None:
    _take(preset_id, fields.defaults(preset_id))


def _preset_changed() -> None:
    if _changed("preset"):
        _take_preset(st.session_state["preset"])


def _envs_changed() -> None:
    """Environments that stay keep their values; a new one gets what `Scenario.with_envs` gives it."""
    if not _changed("envs"):
        return
    state = st.session_state
    old_n, new_n = int(state.get(_N_ENVS, 2)), int(state["envs"])
    shown = fields.defaults(state["preset"], old_n)
    try:
        old = fields.build(
            state["preset"],
            {name: state.get(name, value) for name, value in shown.items()}
            | {"envs": old_n, fields.LAMS: "", fields.SET: ""},
        )
    except ValueError:
        return  # the sidebar says what is wrong; the preset's values are good enough to go on with
    grown = imagined(old, n_envs=new_n)
    if grown is None:
        return
    _assign(
        state["preset"],
        {"envs": new_n}
        | {
            fields.per_env_name(field, env): getattr(grown.scenario, field.attribute)[env]
            for field in fields.PER_ENV
            for env in range(old_n, new_n)
        },
    )


def _widgets() -> Controls:
    with st.container(key="controls_preset"):
        preset = sidebar_place.preset_by_title(_preset_changed)
        world_slot = st.container()
    values: dict[str, Value] = {}
    with st.container(key="controls_world"):
        n_envs = _envs_and_sigma(preset, values)
    lam_slot = st.container(key="controls_lam")  # filled below: which λ there are is known once all fields are read
    with st.container(key="controls_world_further"):
        home = fields.defaults(preset.id, n_envs)
        values["epochs"] = _number(fields.BY_NAME["epochs"], home)
        fold = st.expander("Advanced", key=ADVANCED, on_change="rerun")
        if fold.open or _is_changed(home.keys() - values.keys(), home):
            with fold:
                _advanced(preset, values, n_envs)
    st.session_state[_DRAWN] = frozenset(values)
    values = home | values  # thirty elements that nobody sees would cost a view a fifth of its time
    config, problem = None, None
    try:
        config = fields.build(preset.id, values)
    except ValueError as error:
        problem = str(error)
    with lam_slot:
        lam = _lam_slider((config or preset.config).training.lams)
    found = Controls(preset=preset, values=values, config=config, problem=problem, lam=lam)
    with world_slot:
        sidebar_place.graph(preset)
        sidebar_place.say_locked()
        st.html(f'<p class="crl-world">{found.sentence}</p>')
    return found


def _envs_and_sigma(preset: Preset, values: dict[str, Value]) -> int:
    """How many environments there are, which is returned, and σ of each."""
    home = fields.defaults(preset.id)
    values["envs"] = st.slider(
        "Environments",
        1,
        MAX_ENVS,
        value=int(home["envs"]),
        key="envs",
        bind="query-params",
        on_change=_envs_changed,
        disabled=locks.locked("world"),
        help="How many sites the data comes from. With one there is nothing to align.",
    )
    n_envs = int(values["envs"])
    st.session_state[_N_ENVS] = n_envs
    if n_envs == 1 and st.session_state.get("align", home["align"]) != "treatment":
        style.quiet("With one environment there is nothing to align: every λ trains the same network.")
    shown, names = fields.defaults(preset.id, n_envs), preset.env_names(n_envs)
    columns = st.columns(2) if n_envs > 3 else [st.container()]
    for env in range(n_envs):
        with columns[env % len(columns)]:
            name = fields.per_env_name(fields.SIGMA, env)
            label, help = f"σ{_subscript(env + 1)}", f"Standard deviation of s in {names[env]}."
            values[name] = _per_env(st.slider, fields.SIGMA, name, shown, label, help)
    return n_envs


def _is_changed(names: Iterable[str], home: Mapping[str, Value]) -> bool:
    """Whether one of these fields is not as it comes, so that its widget must be there to hold the address."""
    state, asked = st.session_state, st.query_params
    return any(name in asked or state.get(name, home[name]) != home[name] for name in names)


def _advanced(preset: Preset, values: dict[str, Value], n_envs: int) -> None:
    """All further fields."""
    shown, names = fields.defaults(preset.id, n_envs), preset.env_names(n_envs)
    for field in (fields.PROPENSITY, fields.OFFSET):
        st.caption(f"{field.label} in each {preset.env_word}")
        columns = st.columns(2)
        for env in range(n_envs):
            with columns[env % 2]:
                name = fields.per_env_name(field, env)
                widget = st.slider if field is fields.PROPENSITY else st.number_input
                values[name] = _per_env(widget, field, name, shown, names[env])
    columns = st.columns(2)
    for index, field in enumerate(field for field in fields.SINGLE if field.name not in ("epochs", "encoder")):
        with columns[index % 2] if not field.options else st.container():
            values[field.name] = _choice(field, shown) if field.options else _number(field, shown)
    values[fields.LAMS] = st.text_input(
        "λ grid",
        key=fields.LAMS,
        bind="query-params",
        placeholder=_as_it_comes(preset.config.training.lams),
        on_change=_changed,
        args=(fields.LAMS,),
        disabled=locks.locked("world"),
        help="The λ that are trained, with commas between them, such as 0, 0.1, 1, 10. Empty: the preset's. "
        "λ counts in units of the penalty, so that another penalty may need another grid.",
    )
    encoder_slot = st.container()  # whether x is a signal is known once the further settings are read
    values[fields.SET] = st.text_input(
        "More settings",
        key=fields.SET,
        bind="query-params",
        placeholder="training.hidden=32",
        on_change=_changed,
        args=(fields.SET,),
        disabled=locks.locked("world"),
        help="Anything else a config holds, written as on the command line, e.g. training.hidden=32 "
        "scenario.cause_mean=1,-1. It wins over the fields above.",
    )
    asked = st.session_state.get("encoder", st.query_params.get("encoder", shown["encoder"]))
    if asked != shown["encoder"] or fields.reads_signals(preset.id, values):
        with encoder_slot:
            values["encoder"] = _choice(fields.BY_NAME["encoder"], shown)
            style.quiet(_ENCODERS)


def _as_it_comes(lams: Sequence[float]) -> str:
    return f"{len(lams)} λ, {lam_text(lams[0])} to {lam_text(lams[-1])}"


def _lam_slider(lams: Sequence[float]) -> float:
    lam = st.select_slider(
        "λ shown",
        lams,
        value=nearest_lam(lams, fields.DEFAULT_LAM),
        format_func=lam_text,
        key="lam",
        bind="query-params",
        on_change=_changed,
        args=("lam",),
        disabled=locks.locked("lam"),
        help="Weight of the penalty. All λ are trained at once; this one is drawn. Arrow keys move it.",
    )
    return float(lam)


def _subscript(number: int) -> str:
    return "".join("₀₁₂₃₄₅₆₇₈₉"[int(digit)] for digit in str(number))


def _per_env(
    widget: Callable[..., float],
    field: Field,
    name: str,
    shown: Mapping[str, Value],
    label: str,
    help: str | None = None,
) -> float:
    """One environment's value of a field, as a slider or a number."""
    return widget(
        label,
        *field.range,
        value=float(shown[name]),
        step=field.step,
        format=_FORMAT,
        key=name,
        bind="query-params",
        help=help or None,
        on_change=_changed,
        args=(name,),
        disabled=locks.locked("world"),
    )


def _number(field: Field, shown: Mapping[str, Value]) -> Value:
    kind: Any = int if field.whole else float
    value: Value = st.number_input(
        field.label.replace("Heterogeneity", "Hetero\u00adgeneity"),  # the one word that its column cannot hold
        *field.range,
        value=kind(shown[field.name]),
        step=kind(field.step),
        format="%d" if field.whole else _FORMAT,
        key=field.name,
        bind="query-params",
        help=field.help,
        on_change=_changed,
        args=(field.name,),
        disabled=locks.locked("world"),
    )
    return value


def _choice(field: Field, shown: Mapping[str, Value]) -> Value:
    if field.name == "penalty":  # too many to stand side by side
        return sidebar_place.penalty_by_word(field, str(shown[field.name]), partial(_changed, field.name))
    value: Value | None = st.segmented_control(
        field.label,
        field.options,
        default=str(shown[field.name]),
        key=field.name,
        bind="query-params",
        required=True,
        help=field.help,
        on_change=_changed,
        args=(field.name,),
        disabled=locks.locked("world"),
    )
    return value if value is not None else shown[field.name]
