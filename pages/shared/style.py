"""CSS and HTML that the theme in `.streamlit/config.toml` cannot express: hairline panels, tabular numbers."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterable
from html import escape
from pathlib import Path

import streamlit as st

from crl_core.figures.palette import Palette, Theme, palette
from crl_core.jobs.cost import duration as duration
from pages.shared.glossary import explained
from pages.shared.masks import MASKED, masked

_CSS = """
<style>
.stMainBlockContainer { padding: 4.2rem 2.4rem 2.5rem 2.4rem; max-width: 1500px;
  overflow-x: clip; } /* a slider's hidden input stands out of a phone */
.stSidebar [data-testid="stSidebarUserContent"] { padding-bottom: 2rem; }
.stSidebar [data-testid="stSidebarHeader"] { height: 2.4rem; margin-bottom: 0; }
.stApp { font-variant-numeric: tabular-nums; }
.stApp h1 { padding: 0 0 .1rem 0; letter-spacing: -.01em; }
.stHeading [data-testid="stMarkdownContainer"] { margin-bottom: 0; }
.stApp h3 { padding: 0; font-size: 1rem; }
[class*="st-key-panel"] { border: 1px solid var(--hairline); border-radius: 8px; background: var(--panel);
  padding: .8rem 1rem .9rem 1rem; }
[data-testid="stColumn"]:has(> div [class*="st-key-panel"]) { min-width: min(100%, 17rem); }
[data-testid="stHorizontalBlock"]:has(> [data-testid="stColumn"]:nth-child(3)) > [data-testid="stColumn"]:has(>
  div [class*="st-key-panel"]) {
  min-width: min(100%, 12rem); }
@media (max-width: 900px) { .stApp [data-testid="stColumn"]:has(> div [class*="st-key-panel"]) {
  min-width: 100% !important; } }
[class*="st-key-panel"] h3 { font-size: .95rem; }
.stMain [data-testid="stElementContainer"], .stMain [data-testid="stLayoutWrapper"] { max-width: 100%; }
.stApp button .stMarkdownEllipsis, .stApp button .stMarkdownEllipsis p { white-space: normal; overflow: visible; }
[data-testid="stElementContainer"]:has(.crl-spoken) { position: absolute; } /* it is read aloud, and takes no room */
.stApp a:focus-visible, .stApp summary:focus-visible, .crl-word:focus-visible {
  outline: 2px solid var(--accent); outline-offset: 2px; }
.stButtonGroup [data-selected="true"] p { color: var(--chosen); }
@media (min-width: 901px) { .katex-display { overflow: visible !important; } } /* it fits; a phone scrolls it */
@media (hover: none), (max-width: 640px) {  /* a finger would have to aim around it, and it covers what stands above */
  .js-plotly-plot .modebar-container, .stMain [data-testid="stElementToolbar"] { display: none; } }
@media (max-width: 640px) { .stMain .stButtonGroup button { height: auto; }  /* a long choice takes two lines */
  .stMain .stButtonGroup button * { white-space: normal; overflow: visible; text-align: start; } }
.stMain .st-key-bottom_bar { position: absolute; width: 0; } /* what it shows is fixed; it leaves no gap here */
@media (max-width: 640px), (max-height: 480px) and (hover: none) {  /* a phone, upright or on its side */
  .stMainBlockContainer:has(.st-key-bottom_bar) { padding-bottom: 6rem; }  /* the bar covers no end of a page */
  [data-testid="stExpandSidebarButton"] { width: auto; min-width: 44px; min-height: 44px; }
  [data-testid="stExpandSidebarButton"]::after { content: "Menu"; font-size: .95rem; margin-left: .3rem; }
  [data-testid="stSidebarNavLink"] { min-height: 36px; }
  .stApp button, .stApp summary, .stApp [role="tab"], .stApp [data-testid="stCheckbox"] label {
    min-height: 32px; min-width: 32px; align-items: center; }
  .stApp [data-testid="stTooltipHoverTarget"] { padding: 8px; margin: -8px; }  /* its icon is 16 px */
}
.stMain [data-testid="stPlotlyChart"] { container-type: inline-size; width: 100%; }
@container (max-width: 19.5rem) {  /* words of a figure in a narrow panel: smaller rather than cut */
  .js-plotly-plot .gtitle { font-size: 11px !important; }
  .js-plotly-plot .legendtext { font-size: 10px !important; }
}
.crl-quiet { color: var(--quiet); font-size: .86rem; line-height: 1.45; margin: 0; }
.st-key-words p:nth-of-type(odd) { margin-bottom: .2rem; }
.st-key-words p:nth-of-type(even) { color: var(--quiet); font-size: .86rem; margin-bottom: 1.1rem; }
.crl-quiet, .crl-numbers, .crl-panel { position: relative; } /* what a term means stands below these, as wide as they */
.crl-word { text-decoration: underline dotted var(--quiet); text-underline-offset: .22em; cursor: help; }
.crl-word:hover::after, .crl-word:focus::after { content: attr(aria-description); position: absolute; z-index: 9;
  left: 0; top: calc(100% + .35rem); width: max-content; max-width: min(100%, 27rem); padding: .55rem .75rem;
  border: 1px solid var(--hairline); border-radius: 8px; background: var(--panel); color: var(--text);
  font-size: .86rem; font-weight: 400; line-height: 1.45; text-align: left; white-space: normal;
  box-shadow: 0 4px 18px #0004; }
.crl-numbers .crl-word:hover::after, .crl-numbers .crl-word:focus::after { left: auto; right: 0; }
.crl-learn { font-size: 1.08rem; line-height: 1.55; margin: 0; max-width: 40rem; }
.crl-lead b { color: var(--text); font-weight: 650; }
.crl-numbers { display: flex; flex-wrap: wrap; gap: .4rem clamp(.9rem, 2.1vw, 2.1rem); justify-content: flex-end;
  text-align: right; }
.crl-numbers div { min-width: 3rem; }
.crl-numbers b { display: block; font-size: clamp(1.3rem, 2.1vw, 2.1rem); line-height: 1.1; font-weight: 650;
  white-space: nowrap; }
.crl-numbers span { color: var(--quiet); font-size: .82rem; }
.crl-empty { max-width: 44rem; padding: .6rem 0 .2rem 0; }
.st-key-train_status { min-height: 3.3rem; justify-content: center; }
.crl-empty b { font-size: 1.15rem; font-weight: 650; display: block; margin-bottom: .3rem; }
.crl-empty p { color: var(--quiet); margin: 0 0 .3rem 0; line-height: 1.5; }
.crl-panel b { font-size: .95rem; font-weight: 650; display: block; }
.crl-panel span { color: var(--quiet); font-size: .82rem; }
.crl-legend { color: var(--quiet); font-size: .84rem; margin: 0; }
.crl-legend i { display: inline-block; height: .28rem; border-radius: 2px; vertical-align: middle; margin: 0 .25rem; }
.stApp button[kind="primary"]:not(:disabled) p { color: var(--on-accent); font-weight: 600; }
.stApp [data-tag], .stApp [data-tag] * { color: var(--on-accent); }
.crl-world { color: var(--quiet); font-size: .84rem; line-height: 1.45; margin: -.35rem 0 .2rem 0; }
.crl-world b { color: inherit; font-weight: 650; }
.st-key-runs_tools [data-testid="stHorizontalBlock"] { flex-wrap: wrap; }
.st-key-runs_tools [data-testid="stColumn"] { min-width: 9.5rem; }
.crl-graph { text-align: center; margin: -.2rem 0; }
[data-testid="stLayoutWrapper"]:has(> .st-key-controls_train) { position: sticky; bottom: 0; z-index: 2;
  background: linear-gradient(transparent, var(--side) .7rem); padding: .7rem 0 .5rem 0; }
[data-testid="stLayoutWrapper"]:has(> [class*="st-key-bound_"]) { display: none; }
.crl-brand { font-weight: 650; font-size: .98rem; letter-spacing: .01em; }
@media (max-width: 640px) {
  .crl-numbers { justify-content: flex-start; text-align: left; gap: .3rem 1.3rem; }
  .crl-numbers b { font-size: 1.5rem; }
  .crl-numbers div { min-width: 0; }
}
</style>
"""


def theme() -> Theme:
    """ "dark" or "light", as the viewer's menu says."""
    return "light" if st.context.theme.type == "light" else "dark"


def on_phone() -> bool:
    """Whether the browser says that it is a phone's. Only for what is put first: a narrow window has the same."""
    return "Mobi" in (st.context.headers.get("User-Agent") or "")


# They read what is typed into number fields, taps on figures and on the drawer's menu, the theme, and the address; each
# starts once a page, however many runs bring it.
_NAMES = ("number_fields.js", "taps.js", "drawer.js", "theme.js", "visit.js")
_SCRIPTS = [Path(__file__).with_name(name).read_text(encoding="utf-8") for name in _NAMES]


def inject() -> None:
    """Put the style sheet, and the scripts, on the page. Once a run, by the shell."""
    ink = palette(theme())
    on_accent = ink["bg"] if theme() == "dark" else ink["panel"]
    names = {"panel": ink["panel"], "hairline": ink["grid"], "quiet": ink["muted"], "on-accent": on_accent}
    names |= {
        "side": st.get_option(f"theme.{theme()}.sidebar.backgroundColor"),
        "text": ink["text"],
        "accent": ink["accent"],
    }
    names |= {"chosen": ink["accent"] if theme() == "dark" else ink["text"]}
    names |= {"theme": theme()}
    tokens = "".join(f"--{name}: {colour};" for name, colour in names.items())
    scripts = "".join(f"<script>(() => {{\n{script}}})()</script>" for script in _SCRIPTS)
    st.html(
        f"{_CSS}<style>.stApp {{ {tokens} }}</style>{scripts}",
        unsafe_allow_javascript=True,
    )


def numbers(items: Iterable[tuple[str, str]]) -> None:
    """Large figures, right-aligned: (figure, what it is)."""
    shown = [(MASKED if masked(label) else value, label) for value, label in items]
    cells = "".join(f"<div><b>{escape(value)}</b><span>{explained(label)}</span></div>" for value, label in shown)
    st.html(f'<div class="crl-numbers">{cells}</div>')


def picture(svg: str, says: str, look: str = "") -> str:
    """HTML of an SVG as a picture with an alternative text, since the page's own SVG would be taken out of its HTML."""
    source = b64encode(svg.encode()).decode()
    return f'<img alt="{escape(says)}" {look} src="data:image/svg+xml;base64,{source}">'


def listed(lines: Iterable[tuple[str, str]]) -> str:
    """HTML of named values, a line each; what has no value is left out."""
    return f"<dl>{''.join(f'<dt>{escape(name)}</dt><dd>{escape(value)}</dd>' for name, value in lines if value)}</dl>"


def plain(text: str) -> str:
    """Markdown that shows `text` as it is: no text of a link or a file becomes a picture, a link or a formula."""
    return re.sub(r"[\\`*\[\]<>$~|]|(?<!\w)_|_(?!\w)", r"\\\g<0>", text)


def quiet(text: str) -> None:
    """A line that explains, in the quiet colour."""
    st.html(f'<p class="crl-quiet">{explained(text)}</p>')


def lead(name: str | None, text: str) -> None:
    """What a page shows, after the name of what is shown."""
    named = f"<b>{escape(name)}</b> · " if name else ""
    st.html(f'<p class="crl-quiet crl-lead">{named}{explained(text)}</p>')


def notice(title: str, *lines: str) -> None:
    """A state of a page in words: what is so, and what can be done."""
    paragraphs = "".join(f"<p>{escape(line)}</p>" for line in lines if line)
    st.html(f'<div class="crl-empty"><b>{escape(title)}</b>{paragraphs}</div>')


def panel_title(title: str, says: str) -> None:
    """Head of a panel: what is drawn, and from what."""
    heading = f'<b role="heading" aria-level="2">{escape(title)}</b>'
    st.html(f'<div class="crl-panel">{heading}<span>{explained(says)}</span></div>')


def lam_legend(ink: Palette, lams: tuple[float, ...], lam: float, *, zoom: bool) -> None:
    """What the colours of the curves mean, in one line."""
    bar = f'<i style="width:5rem;background:linear-gradient(90deg,{",".join(ink["lam_scale"])})"></i>'
    one = f'<i style="width:1.4rem;background:{ink["accent"]}"></i>'
    how = " Drag to move, Ctrl and scroll to zoom, double-click to reset." if zoom else ""
    st.html(
        f'<p class="crl-legend">λ = {lams[0]:g} {bar} {lams[-1]:g}&emsp;{one} λ shown, {lam:g}. '
        f"Curves are medians over replicates, not smoothed.{how}</p>"
    )


def figure(value: float | None, digits: int = 3) -> str:
    """A number of constant width for the head of a page; a dash where there is none."""
    if value is None or value != value:
        return "–"
    if value != 0 and abs(value) < 10**-digits:
        return f"< {10**-digits:.{digits}f}"
    return f"{value:.{digits}f}" if abs(value) < 100 else f"{value:.3g}"


def count(number: int, word: str) -> str:
    """ "1 replicate", "3 replicates"."""
    return f"{number} {word}" if number == 1 else f"{number} {word}s"
