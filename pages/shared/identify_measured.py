"""Shipped measurements of recovering latents, over seeds: methods, staircase, price of alignment, all worlds."""

from __future__ import annotations

from typing import Any

import numpy as np
import streamlit as st

from crl_core.figures.identify import methods_strip, price_of_alignment, staircase, sub
from crl_core.figures.palette import Palette
from crl_core.identify.chance import chance, chance_in
from crl_core.identify.method_words import METHOD_WORDS
from crl_core.identify.presets import LATENT_PRESETS, TRADEOFF
from crl_core.identify.promises import Promise, promise_of
from crl_core.identify.shipped import BAKED, agreement, coordinates, of_method, shipped
from crl_core.measures.cautions import nothing_measured
from pages.shared import server_cache, style
from pages.shared.folds import fold
from pages.shared.run_view import warn
from pages.shared.style import quiet
from pages.shared.tables import chart, table

STATUS = {"pinned": "recovered", "mixed": "mixed", "open": "no promise"}


def measured(ink: Palette) -> None:
    """What was measured beforehand, over seeds."""
    content = shipped(server_cache.store().baked)
    st.subheader("Over seeds", anchor=False)
    if content is None:
        if problem := BAKED.problem(server_cache.store().baked):
            st.error(style.plain(problem))
        style.notice(
            "Nothing measured comes with this copy",
            "python -m crl_core bake --only identify measures it, in about a quarter of an hour.",
        )
        return
    worlds = content["worlds"]
    quiet(
        f"Measured before the program was shipped, {content['seeds']} seeds that no setting was tuned on (python -m "
        f"crl_core bake --only identify)."
    )
    name = st.segmented_control(
        "World",
        [n for n in worlds if len({r["method"] for r in worlds[n]}) > 1],
        default="each",
        key="identify.measured",
        required=True,
        format_func=lambda item: LATENT_PRESETS[item].title,
        label_visibility="collapsed",
        persist_state="session",
    )
    rows = worlds[name or "each"]
    names = list(dict.fromkeys(row["method"] for row in rows))
    known = chance_in(LATENT_PRESETS[name or "each"].world)
    if said := nothing_measured("method", [row["mcc"] for row in rows], "Measure this world again, on other seeds."):
        warn(said)
        return
    shorts = {METHOD_WORDS[item].short: of_method(rows, item) for item in names}
    labels = {METHOD_WORDS[item].short: METHOD_WORDS[item].uses_labels for item in names}
    ordered = dict(sorted(shorts.items(), key=lambda pair: -float(np.nanmedian(pair[1]))))
    with st.container(key="panel_identify_methods"):
        chart(methods_strip(ordered, labels, known.band, ink, title="Methods on the same data"), "identify.methods")
        quiet(
            f"Dots: replicates; bar: median; grey: random rotations, {known.median:.2f} in the median, and above "
            f"{known.high:.3f} one time in twenty. The fair control is the flow with shuffled or pooled labels: same "
            "model, data and restarts. iVAE, time-contrastive, β-VAE and the autoencoders ran in one untuned "
            "configuration each: their scores are no proof against the ideas."
        )

    def every_number() -> None:
        with st.container(key="identify_each"):
            cells = []
            for item in sorted(names, key=lambda item: list(ordered).index(METHOD_WORDS[item].short)):
                mcc, r2 = of_method(rows, item), of_method(rows, item, "r2")
                if np.isfinite(mcc).any():
                    cells.append(
                        (
                            METHOD_WORDS[item].short,
                            f"{np.nanmedian(mcc):.3f} [{np.nanmin(mcc):.2f}, {np.nanmax(mcc):.2f}]",
                            f"{np.nanmedian(r2):.2f}",
                            agreement(rows, item),
                        )
                    )
            table(("method", "MCC, median [least, largest]", "R²", "fits agree"), cells)
            quiet("R² and agreement of fits need no truth; they stay high where identification fails, too.")

    fold("Every number", "identify.every", every_number)
    fold("What each method is", "identify.what", _what_each_is)
    left, right = st.columns(2, gap="medium")
    with left, st.container(key="panel_identify_stairs"):
        stairs = content["staircase"]
        sizes = [int(count) for count in stairs]
        parts = [coordinates(stairs[str(count)]) for count in sizes]
        chart(
            staircase(sizes, parts, chance(4).band, ink, title="How many environments are enough?"),
            "identify.stairs",
        )
        quiet(
            "Four latents; each new environment changes one further latent (filled). An untouched block of two or "
            "more stays mixed; a single one does not."
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
        chart(
            price_of_alignment(
                lams, curves, chance_in(TRADEOFF).band, ink, title="What alignment costs identification"
            ),
            "identify.price",
        )
        quiet(
            "Three latents, an outcome that needs z₁ alone, and λ·MMD² added to the likelihood. Alignment removes "
            "exactly the differences by which latents are told apart: the map turns them into each other until no "
            "coordinate shows which environment a row is from."
        )
    failures(worlds)


def failures(worlds: dict[str, Any]) -> None:
    """Every world: scores of each latent, and what was predicted. What a world teaches stands above."""
    st.subheader("Predicted and recovered, world by world", anchor=False)
    cells = []
    for name, item in LATENT_PRESETS.items():
        promise = promise_of(item.world)
        told = _promised(promise)
        rows = worlds.get(name, ())
        each = coordinates(rows, promise.by)
        scores = ("–", "–", "–")  # not measured in this version
        if len(each):
            mcc, high = np.median(of_method(rows, promise.by)), chance_in(item.world).high
            middle = "  ".join(f"{value:.2f}" for value in np.median(each, axis=0))
            beyond = f"{mcc:.3f} ({'>' if mcc > high else '≤'}\u00a0{high:.3f})"
            scores = (beyond, middle, agreement(rows, promise.by))
            if promise.about == "noises":
                told += f"; the noises score {np.median(of_method(rows, 'flow', 'mcc_noise')):.2f}"
        cells.append((item.title, *scores, told))
    table(("world", "MCC (chance, 95 %)", "each latent", "fits agree", "predicted"), cells, words_from=4)
    quiet(
        "The flow, medians over seeds, against the latents; where edges are cut and a promise is made, the likelihood "
        "of cut edges. Fits agree: MCC between restarts, or between fits on other rows, without the truth; that is not "
        "yet being right. MCC hides a failure in two of four coordinates; the single scores do not."
    )


def _promised(promise: Promise) -> str:
    """The coordinates of each status."""
    members = {
        status: [f"{promise.letter}{sub(i)}" for i, found in enumerate(promise.status) if found == status]
        for status in dict.fromkeys(promise.status)
    }
    return "; ".join(f"{' '.join(names)} {STATUS[status]}" for status, names in members.items())


def _what_each_is() -> None:
    table(
        ("method", "what it does"),
        [(item.short, item.says) for item in METHOD_WORDS.values()],
        words_from=1,
    )
