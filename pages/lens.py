"""What would other papers have reported? One run's MMD read by other conventions, beside what chance alone gives."""

import numpy as np
import streamlit as st

from crl_core.data.scm import Stream, aligned_groups, rng_for
from crl_core.events import STATUS_WORDS
from crl_core.figures import along_lam, palette
from crl_core.figures.lens import chance_at_lam, reading_along_lam
from crl_core.measures.mmd_conventions import (
    CONVENTIONS,
    LEAST_BANDWIDTH,
    MOST_BANDWIDTH,
    SOURCES,
    Convention,
    Reading,
    Rule,
    as_trained,
    equal_weight,
    read,
    readable_groups,
)
from crl_core.measures.probes import effective_rank, latent_norm
from crl_core.results import mmd_rows
from pages.shared import RunInView, page_header, quiet, require, run_in_view
from pages.shared.style import notice, panel_title
from pages.shared.tables import chart, say, table, two

_DEFINITIONS = """
**MMD²** of two samples: mean kernel value within the first, plus that within the second, less twice that between them;
over several groups, the mean over their pairs.

**Biased** (V-statistic): a row's kernel with itself counts, so it is never below 0 and above 0 even without any
difference. **Unbiased** (U-statistic): it does not count; without a difference the estimate is 0 on average, and so
below 0 about as often as above.

**Bandwidth h**: how far the kernel sees. A fixed h sees a latent that merely shrinks as more alike; a median of
distances shrinks with it.

**Chance**: the same rows with their groups shuffled, that is, two samples of one distribution. **p** = (k + 1) / (n +
1), k of n shuffles at least as large; never 0. (alibi-detect reports k / n.)

**Length 1**: each latent divided by its length, as cfrnet does before it trains and measures.

**Latent norm**: root mean square distance from the centre. **Effective rank**: in how many directions the latent
spreads.
"""
_RULES: dict[str, Rule | float] = {
    "median distance": "median",
    "√(median d² / 2)": "half median",
    "√(median d² / 2), first group": "half median of the first",
    "0.1": 0.1,
    "0.3": 0.3,
    "1": 1.0,
    "3": 3.0,
    "10": 10.0,
}
_SHRUNK = 0.5  # of the norm at the smallest λ: below this a fixed bandwidth is said to be fooled

require()
run = run_in_view("MMD lens")
lams, n_lams = run.result.lams, len(run.result.lams)
mine = as_trained(run.config.training.bandwidth)
NAMED = {**CONVENTIONS, "this dashboard": mine}
by_env = run.config.training.align == "environment"
words_of_groups = f"{run.preset.env_word}s" if by_env else "treated and untreated"


@st.cache_resource(max_entries=4, show_spinner=False)
def latents(key: str, _run: RunInView) -> tuple[np.ndarray, np.ndarray]:
    """Latents of every λ of replicate 0 on the rows that MMD² is reported of, [L, n, k], and the rows' groups [n]."""
    rows = mmd_rows(_run.view)
    return _run.result.predict(rows.x)[0], aligned_groups(_run.config, rows)


@st.cache_resource(max_entries=64, show_spinner=False)
def reading(key: str, convention: Convention, at: int | None, _run: RunInView) -> Reading:
    """Of every λ, or of the one at index `at` alone."""
    phi, groups = latents(key, _run)
    rng = rng_for(_run.config.training.seed, Stream.OVERLAP)
    return read(phi if at is None else phi[at : at + 1], groups, convention, rng)


def h_text(rule: Rule | float) -> str:
    return next(
        (text for text, known in _RULES.items() if known == rule),
        f"{rule:g}" if not isinstance(rule, str) else rule,
    )


def h_of(text: str | None) -> Rule | float:
    """The bandwidth that was chosen or typed. Raises ValueError with a sentence for what is no number."""
    if text in _RULES:
        return _RULES[str(text)]
    try:
        return float(str(text).replace(",", "."))
    except ValueError:
        raise ValueError(
            f"The bandwidth is “{str(text)[:30]}”; choose a rule, or type a number from {LEAST_BANDWIDTH:g} to "
            f"{MOST_BANDWIDTH:g}."
        ) from None


def take_named() -> None:
    """Set every control to the convention that was clicked."""
    name = st.session_state["lens.named"]
    if name is None:
        return
    taken = NAMED[name]
    st.session_state["lens.estimator"] = taken.estimator
    st.session_state["lens.kernel"] = taken.kernel
    st.session_state["lens.bandwidth"] = h_text(taken.bandwidth)
    st.session_state["lens.root"] = "MMD" if taken.rooted else "MMD²"
    st.session_state["lens.latents"] = "length 1" if taken.unit else "as they are"


def chosen() -> Convention:
    """The convention that the controls spell. Raises ValueError for a bandwidth that is none."""
    slot = st.container()
    with st.container(horizontal=True, gap="small", vertical_alignment="bottom", key="lens_parts"):
        keep = {"persist_state": "session"}
        estimator = st.segmented_control(
            "Estimate", ["biased", "unbiased"], default=mine.estimator, key="lens.estimator", required=True, **keep
        )
        kernel = st.segmented_control(
            "Kernel", ["exp(−d²/2h²)", "exp(−d²/h²)"], default=mine.kernel, key="lens.kernel", required=True, **keep
        )
        options = list(_RULES) if h_text(mine.bandwidth) in _RULES else [h_text(mine.bandwidth), *_RULES]
        bandwidth = st.selectbox(
            "Bandwidth h",
            options,
            index=options.index(h_text(mine.bandwidth)),
            key="lens.bandwidth",
            accept_new_options=True,
            width=240,
            placeholder="a rule or a number",
            **keep,
        )
        root = st.segmented_control("Report", ["MMD²", "MMD"], default="MMD²", key="lens.root", required=True, **keep)
        unit = st.segmented_control(
            "Latents", ["as they are", "length 1"], default="as they are", key="lens.latents", required=True, **keep
        )
    convention, problem = None, None
    try:
        convention = Convention(
            estimator=estimator or "biased",
            bandwidth=h_of(bandwidth),
            kernel=kernel or "exp(−d²/2h²)",
            rooted=root == "MMD",
            unit=unit == "length 1",
        )
    except ValueError as error:
        problem = error
    name = next((name for name, known in NAMED.items() if known == convention), None)
    with slot:
        st.session_state["lens.named"] = name
        st.segmented_control("Read it as", list(NAMED), key="lens.named", on_change=take_named)
    if convention is None:
        raise ValueError(str(problem)) from None
    return convention


def value_text(value: float, digits: int = 3) -> str:
    """So many digits, and a minus that is one."""
    if not np.isfinite(value):
        return "–"
    return np.format_float_positional(value, digits, unique=False, fractional=False, trim="-").replace("-", "−")


def range_text(found: Reading, at: int) -> str:
    """What chance gives."""
    return (
        "–"
        if not np.isfinite(found.value[at])
        else f"{value_text(found.low[at], 2)} to {value_text(found.high[at], 2)}"
    )


def weight_text(lam: float | None) -> str:
    return "–" if lam is None else value_text(lam)


def formula(named: Convention) -> str:
    """A convention in a sentence."""
    return (
        f"{named.estimator.capitalize()}, {named.kernel}, h "
        f"{'= ' if not isinstance(named.bandwidth, str) else 'by '}{h_text(named.bandwidth)}."
    )


def apart(found: Reading, at: int) -> bool:
    return bool(found.p_value[at] <= 0.05)


def reading_sentence(name: str, found: Reading, at: int, as_reported: Reading) -> str:
    """What this reading says of the λ in view, and whether the trained one agrees."""
    value, p = found.value[at], found.p_value[at]
    if not np.isfinite(value):
        return f"The model at λ = {run.lam:g} {run.status}: there is no latent to read here; {run.others}."
    verdict = (
        f"it still tells the {words_of_groups} apart"
        if apart(found, at)
        else f"chance would do, so it does not tell the {words_of_groups} apart"
    )
    text = (
        f"Read {name}, {symbol} at λ = {run.lam:g} is {value_text(value)}. Two samples of one distribution give "
        f"{range_text(found, at)} in nine of ten shuffles (p = {p:.3f}): {verdict}."
    )
    if found is not as_reported and apart(found, at) != apart(as_reported, at):
        text += (
            f" The reading that was trained gives {value_text(as_reported.value[at])} (p = "
            f"{as_reported.p_value[at]:.3f}): "
            "same latents, another answer."
        )
    return text


page_header(
    "MMD lens",
    f"{run.preset.title}: the same latents, their MMD as other sources compute it. This changes what is reported on "
    f"this page, "
    "never what was trained.",
    _DEFINITIONS,
)
phi, groups = latents(run.key, run)
kept = readable_groups(groups)
if len(kept) < 2:
    notice(
        "An MMD is not defined here",
        f"There is one {run.preset.env_word} only, so there is nothing to compare."
        if run.config.scenario.n_envs == 1 and by_env
        else "Fewer than two groups have the 6 rows that a reading needs. Use more samples.",
        "Raise the number of environments in the sidebar and train again.",
    )
    st.stop()

with st.container(key="panel_lens_controls"):
    try:
        convention = chosen()
    except ValueError as error:
        st.error(str(error))
        convention = mine
colours = palette(run.theme)
at = lams.index(run.lam)
symbol = "MMD" if convention.rooted else "MMD²"
spelled = next((f"as {name} does" for name, known in NAMED.items() if known == convention), "by these choices")
found = reading(run.key, convention, None, run)
as_reported = reading(run.key, mine, None, run) if convention != mine else found

say(reading_sentence(spelled, found, at, as_reported))
left, right = st.columns([3, 2])
with left, st.container(key="panel_lens_path", height="stretch"):
    drawn = reading_along_lam(
        lams, found.value, found.low, found.high, found.p_value, run.lam, colours, title=f"{symbol} along λ"
    )
    chart(drawn, "lens.path")
    lost = [
        f"λ = {lam:g} ({STATUS_WORDS[int(word)]})"
        for lam, word in zip(lams, run.result.status[:n_lams], strict=True)
        if word
    ]
    quiet(
        (
            f"{len(groups)} held-out rows of the first replicate. The axis is linear as far as chance reaches, "
            f"logarithmic beyond."
        )
        + (f" Without a model to trust: {', '.join(lost)}." if lost else "")
    )
with right, st.container(key="panel_lens_chance", height="stretch"):
    drawn = chance_at_lam(
        found.null[at], float(found.value[at]), symbol, colours, title=f"Against chance at λ = {run.lam:g}"
    )
    chart(drawn, "lens.chance")
    quiet(
        f"{found.null.shape[1]} shuffles of the groups (bars) and the reading (line). An arrow: too far out to be "
        f"drawn to scale."
    )

left, right = st.columns([6, 5])
readings = {name: reading(run.key, named, at, run) for name, named in NAMED.items()}
ours = float(readings["this dashboard"].value[0])
current = next((index for index, known in enumerate(NAMED.values()) if known == convention), None)
with left, st.container(key="panel_lens_named", height="stretch"):
    panel_title("The same latents, read four ways", f"MMD² at λ = {run.lam:g}")
    table(
        ["Convention", "MMD²", "chance", "p", "λ of equal weight"],
        [
            (
                name,
                value_text(one.value[0]),
                range_text(one, 0),
                f"{one.p_value[0]:.3f}" if np.isfinite(one.p_value[0]) else "–",
                weight_text(equal_weight(run.lam, ours, float(one.value[0]))),
            )
            for name, one in readings.items()
        ],
        strong=current,
    )
    quiet(
        "λ of equal weight: the λ′ at which λ′ times that reading is as large a penalty as this run's λ times its "
        "own, on these "
        "latents; where a reading is not above 0 there is none. It is another number at every λ: no single factor "
        "turns the λ of one "
        "paper into that of another."
    )
with right, st.container(key="panel_lens_differ", height="stretch"):
    panel_title("What they differ in", "h as it comes out on these latents")
    table(
        ["Convention", "h", "What it computes"],
        [
            (name, value_text(readings[name].bandwidth[0]), f"{formula(named)} {SOURCES[name]}.")
            for name, named in NAMED.items()
        ],
        words_from=2,
        strong=current,
    )

norm, rank = np.full((1, n_lams), np.nan), np.full((1, n_lams), np.nan)
trusted = np.isfinite(phi).all(axis=(1, 2))
norm[0, trusted], rank[0, trusted] = latent_norm(phi[trusted]), effective_rank(phi[trusted])
status = run.result.status[:n_lams][None]
left, right = st.columns(2)
with left, st.container(key="panel_lens_norm"):
    chart(
        along_lam(lams, norm, status, run.lam, colours, title="Latent norm along λ", y_title="latent norm"),
        "lens.norm",
    )
with right, st.container(key="panel_lens_rank"):
    limits = (0.0, max(2.0, float(np.nanmax(rank)) * 1.08)) if np.isfinite(rank).any() else (0.0, 2.0)
    chart(
        along_lam(
            lams,
            rank,
            status,
            run.lam,
            colours,
            title="Effective rank along λ",
            y_title="effective rank",
            linear=limits,
        ),
        "lens.rank",
    )
start = next((float(value) for value in norm[0] if np.isfinite(value) and value > 0), float("nan"))
here = float(norm[0, at])
if np.isfinite(here) and np.isfinite(start):
    shrunk = f"At λ = {run.lam:g} the latent is {two(here / start)} times as large as at λ = {lams[0]:g}. "
    fixed = not isinstance(convention.bandwidth, str) and not convention.unit
    quiet(
        shrunk
        + (
            "With a fixed h part of the fall of this reading is that shrinking, not alignment."
            if fixed and here / start < _SHRUNK
            else "A latent that shrinks lowers an MMD of fixed bandwidth without any alignment; a median bandwidth or "
            "latents of length 1 "
            "do not let that count."
        )
    )
missing = sorted(set(np.unique(groups)) - set(kept))
if missing:
    names = [run.env_names[g] if by_env else ("untreated", "treated")[g] for g in missing]
    quiet(f"Left out for having fewer than 6 of these rows: {', '.join(names)}.")
