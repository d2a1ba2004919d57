"""Can the cause be recovered at all? Identifiability from several environments: predicted, trained live, and measured."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from crl_core.cli_identify import command_of
from crl_core.figures import palette
from crl_core.figures.identify import (
    correlation_matrix,
    methods_strip,
    price_of_alignment,
    scatter_matrix,
    staircase,
    sub,
    while_training,
)
from crl_core.identify.live import State, Trainer
from crl_core.identify.method_words import METHOD_WORDS
from crl_core.identify.predict import predict
from crl_core.identify.presets import LATENT_PRESETS
from crl_core.identify.shipped import coordinates, of_method, shipped
from crl_core.identify.worlds import World
from pages.shared import page_header, quiet, require, services, style
from pages.shared.tables import chart, say, table

_DEFINITIONS = """
**World**: latents z (independent, or along a chain) are mixed by a smooth invertible map into what is observed. Environment 1 is the
reference; every other one changes the scale of some latents, as the matrix says. No label on the latents and no outcome is used.

**Flow**: an invertible map, the same for all environments, to coordinates that are Gaussian and independent in each, fitted by exact
maximum likelihood; three restarts, chosen by likelihood on rows kept for that, never by the truth.

**MCC**: mean absolute correlation of true and recovered latents after the best one-to-one assignment, found on half of the
reference environment's test rows and taken on the other half. **Chance**: what a random rotation of the truth scores: .90 for two latents,
.83 for three, .78 for four. **Linear R²** of z from what was recovered stays high for any rotation: it does not test identification.

**Predicted** is this program's own argument for Gaussian noises and a fit without error, made from the matrix before anything is
trained; it is no theorem quoted from elsewhere. The page shows beside it what was recovered.
"""
_POLL_S, MOST_SEED = 0.4, 10_000
Table = tuple[tuple[float, ...], ...]
_STATUS = {"pinned": "recovered", "mixed": "stays mixed", "open": "no promise"}

require()
ink = palette(style.theme())


@st.cache_resource(show_spinner=False)
def trainer() -> Trainer:
    return Trainer(services.store().root / "identify", services.jobs())


def asked_world() -> tuple[World, int, State] | None:
    """The world and seed that the controls say, and what is known of its training; None, with a sentence, where it cannot be."""
    keep: dict[str, Any] = {"persist_state": "session"}
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium", key="identify_controls"):
        name = st.selectbox(
            "World",
            list(LATENT_PRESETS),
            key="world",
            bind="query-params",
            format_func=lambda item: LATENT_PRESETS[item].title,
            width=320,
            **keep,
        )
        preset = LATENT_PRESETS[name]
        mixing = st.selectbox(
            "Mixing", ["smooth", "coupling", "linear"], index=["smooth", "coupling", "linear"].index(preset.world.mixing),
            key=f"identify.mixing.{name}", width=150, help="The family of the map that hides the latents.", **keep,
        )  # fmt: skip
        edges = st.selectbox(
            "Edges", ["none", "soft", "perfect"], index=["none", "soft", "perfect"].index(preset.world.edges),
            key=f"identify.edges.{name}", width=150, help="A chain z₁ → z₂ → …; soft interventions keep the edges, perfect ones cut them.", **keep,
        )  # fmt: skip
        extra = st.number_input(
            "Further observed",
            0,
            10,
            0,
            key="identify.extra",
            width=150,
            help="Observed dimensions beyond the latents.",
            **keep,
        )
        seed = int(
            st.number_input("Seed", 0, MOST_SEED, 0, key="draw", width=130, bind="query-params", **keep)
        )
    say(preset.lesson)
    left, right = st.columns([1, 1.15], gap="medium")
    with left, st.container(key="panel_identify_matrix"):
        style.panel_title(
            "Intervention matrix",
            "what each environment does to each latent; the first row is the reference. Edit, add or remove rows.",
        )
        scales, means = matrices(name, preset.world)
    try:
        world = replace(
            preset.world, scales=scales, means=means, mixing=mixing, edges=edges, dim_x=preset.world.dim + int(extra)
        )  # fmt: skip
    except ValueError as error:
        with right:
            st.error(style.plain(str(error)[:1].upper() + str(error)[1:]))
        return None
    with right, st.container(key="panel_identify_promise"):
        promised(world)
    state = trainer().state(world, seed)
    with right:
        button(world, seed, state)
        quiet(command_of(name, world, seed))
    return world, seed, state


def matrices(name: str, world: World) -> tuple[Table, Table]:
    """Scales and means of each latent in each environment, as edited; means follow the number of rows of the scales."""
    columns = [f"z{sub(i)}" for i in range(world.dim)]
    of_scales, of_means = st.tabs(["Scales", "Means"])
    with of_scales:
        edited = st.data_editor(
            pd.DataFrame(world.scales, columns=columns), num_rows="dynamic", key=f"identify.matrix.{name}", width="stretch"
        )  # fmt: skip
    n_envs = len(edited)
    with of_means:
        start = [world.means[e] if e < world.n_envs else (0.0,) * world.dim for e in range(n_envs)]
        moved = st.data_editor(
            pd.DataFrame(start, columns=columns), key=f"identify.means.{name}.{n_envs}", width="stretch"
        )
    return tuple(
        tuple(tuple(map(float, row)) for row in part.to_numpy(np.float64)) for part in (edited, moved)
    )  # type: ignore[return-value]


def promised(world: World) -> None:
    """What the matrix promises, before any training."""
    promise = predict(world)
    style.panel_title("Predicted, before any training", "from the matrix alone")
    for sentence in promise.words:
        say(sentence)


def button(world: World, seed: int, state: State) -> None:
    """What can be done now, and what went wrong."""
    with st.container(horizontal=True, vertical_alignment="center"):
        if state.active:
            st.button("Cancel", key="identify.cancel", on_click=trainer().cancel, args=(world, seed))
        elif state.done:
            st.button("Train on another draw", key="identify.another", on_click=_another, args=(world, seed))
            quiet("The same world and seed give the same again.")
        else:
            st.button("Train", type="primary", key="identify.train", on_click=_train, args=(world, seed))
            quiet("Three restarts of the flow, a few seconds of one core.")
    problem = st.session_state.pop("identify.problem", None) or (
        state.problem if state.phase == "failed" else ""
    )
    if problem:
        st.error(style.plain(problem[:1].upper() + problem[1:]))


def training(world: World, seed: int, state: State) -> None:
    """What comes of it, as it comes."""
    if state.active:
        st.fragment(watch, run_every=_POLL_S)(world, seed)
    else:
        show(world, state)


def _another(world: World, seed: int) -> None:
    following = (seed + 1) % (MOST_SEED + 1)
    st.session_state["draw"] = following
    _train(world, following)


def _train(world: World, seed: int) -> None:
    try:
        trainer().start(world, seed)
    except ValueError as error:
        st.session_state["identify.problem"] = str(error)


def watch(world: World, seed: int) -> None:
    """A fragment: draws itself again until the training ends."""
    state = trainer().state(world, seed)
    if not state.active:
        st.rerun()
    show(world, state)


def show(world: World, state: State) -> None:
    """The correlation matrix as it is, MCC over steps, and once done the scatter and the verdict."""
    letter = "z" if world.edges == "none" else "ε"
    looks, done = state.looks, state.done
    matrix = np.array(done["matrix"] if done else looks[-1]["matrix"] if looks else np.empty((0, 0)))
    waiting = {
        "queued": f"Waits for {style.count(state.ahead, 'run')} before it."
        if state.ahead
        else "The flow starts.",
        "running": "The flow starts.",
    }.get(state.phase, "Press Train; this fills while the flow learns.")
    left, right = st.columns(2, gap="medium")
    with left, st.container(key="panel_identify_live"):
        chart(
            correlation_matrix(
                matrix, ink, title="True against recovered, |correlation|", letter=letter, waiting=waiting
            ),
            "identify.live",
        )
    steps, mcc = [look["step"] for look in looks], [look["mcc"] for look in looks]
    with right, st.container(key="panel_identify_steps"):
        total = looks[-1]["of"] if looks else 1
        floor = done["floor"] if done else None
        chart(
            while_training(steps, mcc, floor, total, ink, title="MCC while the flow learns", waiting=waiting),
            "identify.steps",
        )
    if not done:
        return
    left, right = st.columns([1, 1.5], gap="medium")
    with left, st.container(key="panel_identify_verdict"):
        style.panel_title("Predicted beside recovered", "this draw; figures over seeds are below")
        verdict(world, done)
    with right, st.container(key="panel_identify_scatter"):
        drawn = scatter_matrix(
            np.array(done["truth"]), np.array(done["found"]), ink, title="True × recovered", letter=letter
        )
        chart(drawn, "identify.scatter")
        quiet(
            "Test rows of the reference environment, standardised. A line, straight or bent, in one panel a row: recovered. A cloud: not."
        )


def verdict(world: World, done: dict[str, Any]) -> None:
    """Predicted beside recovered, a row a latent."""
    promise = predict(world)
    letter = "z" if world.edges == "none" else "ε"
    rows = [
        (
            f"{letter}{sub(i)}",
            _STATUS[status],
            f"{value:.3f}",
            "recovered" if value >= 0.95 else "not recovered",
        )
        for i, (status, value) in enumerate(zip(promise.status, done["per_coordinate"], strict=True))
    ]
    table(("latent" if world.edges == "none" else "noise", "predicted", "score", "at .95"), rows)
    words = f"MCC {done['mcc']:.3f}; a random rotation scores {done['floor']:.2f}. Linear R² {done['r2']:.3f}, Spearman {done['spearman']:.3f}."
    if world.edges != "none":
        words += f" Against the latents themselves the MCC is {done['mcc_latents']:.3f}: the noises are recovered, not the latents."
    say(words)
    quiet(f"{done['cpu_seconds']:.1f} CPU seconds.")


def measured() -> None:
    """What was measured beforehand, over seeds."""
    content = shipped(services.store().baked)
    st.subheader("Over seeds", anchor=False)
    if content is None:
        style.notice(
            "Nothing measured comes with this copy",
            "python -m crl_core identify --bake measures it, in about a quarter of an hour.",
        )
        return
    worlds = content["worlds"]
    quiet(
        f"Measured before the program was shipped, {content['seeds']} seeds that no setting was tuned on (python -m crl_core identify --bake)."
    )
    name = st.segmented_control(
        "World", [n for n in worlds if len({r["method"] for r in worlds[n]}) > 1], default="each", key="identify.measured", required=True,
        format_func=lambda item: LATENT_PRESETS[item].title, label_visibility="collapsed", persist_state="session",
    )  # fmt: skip
    rows = worlds[name or "each"]
    names = list(dict.fromkeys(row["method"] for row in rows))
    floor = float(np.median([row["floor"] for row in rows]))
    shorts = {METHOD_WORDS[item].short: of_method(rows, item) for item in names}
    labels = {METHOD_WORDS[item].short: METHOD_WORDS[item].uses_labels for item in names}
    ordered = dict(sorted(shorts.items(), key=lambda pair: -float(np.nanmedian(pair[1]))))
    left, right = st.columns([1.25, 1], gap="medium")
    with left, st.container(key="panel_identify_methods"):
        chart(
            methods_strip(ordered, labels, floor, ink, title="Methods on the same data"), "identify.methods"
        )
        quiet(
            "Dots: seeds; bar: median. The fair control is the flow with shuffled or pooled labels: same model, data and restarts. iVAE, "
            "time-contrastive, β-VAE and the autoencoders ran in one untuned configuration each: their scores are no proof against the ideas."
        )
    with right, st.container(key="panel_identify_each"):
        cells = []
        for item in names:
            mcc, r2 = of_method(rows, item), of_method(rows, item, "r2")
            if np.isfinite(mcc).any():
                cells.append(
                    (
                        METHOD_WORDS[item].short,
                        f"{np.nanmedian(mcc):.3f} [{np.nanmin(mcc):.2f}, {np.nanmax(mcc):.2f}]",
                        f"{np.nanmedian(r2):.2f}",
                    )
                )
        style.panel_title("MCC beside linear R²", "R² stays high where identification fails")
        table(("method", "MCC, median [least, largest]", "R²"), cells)
    left, right = st.columns(2, gap="medium")
    with left, st.container(key="panel_identify_stairs"):
        stairs = content["staircase"]
        sizes = [int(count) for count in stairs]
        parts = [coordinates(stairs[str(count)]) for count in sizes]
        base = float(np.median([row["floor"] for row in stairs[str(sizes[-1])]]))
        chart(
            staircase(sizes, parts, base, ink, title="How many environments are enough? Four latents"),
            "identify.stairs",
        )
        quiet(
            "Each new environment changes one further latent (filled). An untouched block of two or more stays mixed; a single one does not."
        )
    with right, st.container(key="panel_identify_price"):
        rows = content["tradeoff"]
        lams = sorted({row["lam"] for row in rows})
        curves = {
            title: np.array([[row[field] for row in rows if row["lam"] == lam] for lam in lams])
            for title, field in (
                ("MCC", "mcc"),
                ("R² of the outcome from one coordinate", "outcome"),
                ("MMD² between environments", "mmd2"),
            )
        }
        base = float(np.median([row["floor"] for row in rows]))
        chart(
            price_of_alignment(lams, curves, base, ink, title="What alignment costs identification"),
            "identify.price",
        )
        quiet(
            "Three latents, an outcome that needs z₁ alone, and λ·MMD² added to the likelihood. Alignment removes exactly the differences by "
            "which latents are told apart: turned into each other, no coordinate shows an environment, and none is a latent."
        )
    failures(worlds)


def failures(worlds: dict[str, Any]) -> None:
    """Worlds in which failing is the lesson: scores of each latent, and what was predicted."""
    st.subheader("Predicted and recovered, world by world", anchor=False)
    cells = []
    for name, rows in worlds.items():
        world, noise = LATENT_PRESETS[name].world, LATENT_PRESETS[name].world.edges != "none"
        each = coordinates(rows)
        if not len(each):
            continue
        promise = ("noises " if noise else "") + ", ".join(
            _STATUS[status] for status in dict.fromkeys(predict(world).status)
        )
        middle = "  ".join(f"{value:.2f}" for value in np.median(each, axis=0))
        mcc = np.median(of_method(rows, "flow"))
        more = f" The noises score {np.median(of_method(rows, 'flow', 'mcc_noise')):.2f}." if noise else ""
        cells.append(
            (LATENT_PRESETS[name].title, f"{mcc:.3f}", middle, promise, LATENT_PRESETS[name].lesson + more)
        )
    table(("world", "MCC", "each latent", "predicted", "lesson"), cells, words_from=3)
    quiet(
        "The flow, medians over seeds, against the latents. MCC hides a failure in two of four coordinates; the single scores do not."
    )


def main() -> None:
    page_header(
        "Can the cause be recovered at all?",
        "Alignment hides the differences between environments; identifiability uses them. A laboratory of its own: the sidebar's world is not used here.",
        _DEFINITIONS,
    )
    found = asked_world()
    if found is not None:
        training(*found)
    measured()


main()
