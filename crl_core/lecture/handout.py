"""The handout: one HTML file of a run that opens without a network, with all that is needed to get it again.

The same frames, script and style as the lecture page. A content policy in the file forbids any request. On paper it is
a sheet of its own: the pictures at the λ in view, the story in sentences, the words defined, and room to write.
"""

from __future__ import annotations

import html
import json
import platform
from collections.abc import Mapping
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np

from crl_core.config import CONFIG_VERSION, RECIPE_VERSION, RunConfig
from crl_core.config.presets import ENV_WORD, PRESETS
from crl_core.config.settings import title_of
from crl_core.config.text import preset_of, reproducing_command
from crl_core.lecture.assets import script, style
from crl_core.lecture.frames import frames
from crl_core.lecture.naming import Naming
from crl_core.lecture.traces import TRACE_KEYS
from crl_core.results import N_VIEW, RunResult

Arrays = Mapping[str, np.ndarray] | None
THEMES = ("auto", "dark", "light", "projector")
_LINES = 5  # to write on, below each question of the printed sheet
_LIBRARIES = ("torch", "numpy", "scikit-learn", "scipy")


def naming_of(config: RunConfig, env_word: str = ENV_WORD) -> Naming:
    """The naming of a config: its preset's, its table's, or one of its own with `env_word` for its environments."""
    if config.table is not None:
        return Naming(title=title_of(config), row_word="rows", names=config.table.env_names)
    name = preset_of(config)
    if name is None:
        return Naming(title=title_of(config), env_word=env_word)
    return replace(Naming.of(PRESETS[name]), title=title_of(config))


def _versions() -> dict[str, str]:
    found = {"Python": platform.python_version()}
    for library in _LIBRARIES:
        try:
            found[library] = version(library)
        except PackageNotFoundError:
            continue
    return found


def provenance(result: RunResult) -> dict[str, Any]:
    """What identifies the run and how to get it again."""
    config = result.config
    return {
        "key": config.key,
        "command": reproducing_command(config),
        "seed": config.training.seed,
        "recipe_version": RECIPE_VERSION,
        "config_version": CONFIG_VERSION,
        "trained_on": result.device,
        "training_seconds": round(result.seconds, 1),
        "written_with": _versions(),
        "config": config.to_dict(),
    }


def handout_html(
    result: RunResult,
    projection: Arrays = None,
    evidence: Arrays = None,
    theme: str = "auto",
    *,
    palettes: Mapping[str, Any] | None = None,
    lam: float | None = None,
    n_rows: int = N_VIEW,
    naming: Naming | None = None,
) -> str:
    """The whole file as text, at most 3 MB for 16 λ × 1,500 rows.

    theme:  "dark", "light", "projector", or "auto": what the reader's system prefers.
    lam:    the λ that is shown first; the smallest if None.
    naming: how the run is called on screen; found from its config if None.
    Raises: ValueError if the theme is not one of these.
    """
    if theme not in THEMES:
        raise ValueError(f"theme is {theme!r}; it must be one of {', '.join(THEMES)}.")
    if palettes is None:
        from crl_core.figures import palette

        palettes = {name: palette(name) for name in THEMES[1:]}
    naming = naming or naming_of(result.config)
    data = frames(result, projection, evidence, naming=naming, palettes=palettes, n_rows=n_rows)
    data["lam"] = result.lams[result.model(lam)] if lam is not None else result.lams[0]
    origin = provenance(result)

    def embedded(content: Any) -> str:
        return json.dumps(content, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")

    versions = ", ".join(f"{library} {number}" for library, number in origin["written_with"].items())
    return _PAGE.format(
        title=html.escape(f"{naming.title}: λ under the finger"),
        named=html.escape(naming.title),
        told="".join(_told(step["sentence"], data["lam_labels"][step["index"]]) for step in data["story"]),
        words=_WORDS,
        lines="<i></i>" * _LINES,
        style=style(),
        data=embedded(data),
        provenance=embedded(origin),
        script=script(),
        theme=embedded(theme),
        trace_keys=f"; {TRACE_KEYS}" if data["trace"] else "",
        key=origin["key"],
        seed=origin["seed"],
        command=html.escape(origin["command"]),
        versions=html.escape(versions),
        recipe=RECIPE_VERSION,
        device=html.escape(result.device),
        seconds=f"{result.seconds:.0f}",
        config=html.escape(result.config.to_json(indent=1)),
    )


def _told(sentence: str, lam: str) -> str:
    return f"<li><b>λ = {lam}</b> {html.escape(sentence)}</li>"


_WORDS = """<dt>effect error</dt><dd>ITE RMSE (√PEHE): root mean squared error of the individual effects on held-out
  rows; needs the true effects, which only a simulation has</dd>
<dt>factual error</dt><dd>mean squared error of the outcomes that were seen, on held-out rows</dd>
<dt>MMD²</dt><dd>how far apart the environments lie in the latent space: Gaussian kernel, bandwidth by the median
  heuristic unless the config says otherwise, biased estimate, no root taken; held out, mean over pairs</dd>
<dt>domain AUC</dt><dd>how well a cross-validated classifier tells the environments apart from the latent;
  0.5 is a coin flip</dd>"""

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline';
  script-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'">
<title>{title}</title>
<style>
{style}
body {{ margin: 0; font-family: "Source Sans 3", "Source Sans Pro", system-ui, -apple-system, "Segoe UI", Roboto,
  sans-serif; }}
.lecture-frame {{ --tall: max(36rem, calc(100vh - 3.4rem)); padding: 0; margin: 1.1rem 1.5rem 0; }}
.provenance {{ margin: 0.5rem 1.5rem 1.5rem; font-size: 0.86rem; line-height: 1.5; }}
.provenance summary {{ cursor: pointer; opacity: 0.85; height: 1.6rem; }}
.provenance dl {{ display: grid; grid-template-columns: max-content 1fr; gap: 0.25rem 1.5rem; margin: 0.8rem 0; }}
.provenance dt {{ opacity: 0.75; }}
.provenance dd {{ margin: 0; overflow-wrap: anywhere; }}
.provenance code, .provenance pre {{ font-family: ui-monospace, "DejaVu Sans Mono", monospace; font-size: 0.95em;
  white-space: pre-wrap; user-select: text; }}
.sheet {{ display: none; }}
@page {{ size: A4; margin: 13mm 15mm; }}
@media print {{
  .sheet {{ display: block; font-size: 10.5pt; line-height: 1.4; color: #000; }}
  .sheet h1 {{ font-size: 20pt; margin: 0; }}
  .sheet h2 {{ font-size: 12pt; margin: 5mm 0 1.5mm; break-after: avoid; }}
  .sheet p {{ margin: 1mm 0 3mm; overflow-wrap: anywhere; }}
  .sheet ol {{ margin: 0; padding-left: 5mm; }}
  .sheet li, .sheet dl > * {{ break-inside: avoid; margin-bottom: 1mm; }}
  .sheet dl {{ display: grid; grid-template-columns: max-content 1fr; gap: 0 5mm; margin: 0; }}
  .sheet dt {{ font-weight: 600; }}
  .sheet dd {{ margin: 0; }}
  .sheet .write {{ break-inside: avoid; }}
  .sheet .write i {{ display: block; height: 9mm; border-bottom: 0.2mm solid #888; }}
  .lecture {{ background: #fff; print-color-adjust: exact; -webkit-print-color-adjust: exact; }}
  .lecture [data-view="path"] h3 {{ font-size: 0; }} /* it says: drag */
  .lecture [data-view="path"] h3::after {{ content: "Along λ"; font-size: 13px; }}
  .provenance, .lecture .title, .lecture .tools, .lecture .bar button, .lecture .keys, .lecture .grip,
  .lecture canvas + canvas {{ display: none !important; }}
  .lecture-frame {{ margin: 0; }}
}}
body.paper .lecture-frame {{ --tall: 780px; width: 900px; zoom: 0.755; margin: 0; }} /* as wide as the sheet: 180 mm */
</style>
</head>
<body>
<header class="sheet"><h1>{named}</h1>
<p>Does it help to pull the environments together, and what does it cost?</p></header>
<main class="lecture-frame"><div id="scrubber"></div></main>
<details class="provenance">
<summary>Drag the curve, or use the arrow keys; space plays, 1 to 5 enlarge,
  F fills the screen{trace_keys}. Printed, it is a sheet with room to write. Where this comes from: run
  {key}.</summary>
<dl>
<dt>run</dt><dd><code>{key}</code>, seed {seed}, recipe version {recipe}, trained on {device} in {seconds} s</dd>
<dt>the same again</dt><dd><code>{command}</code></dd>
<dt>page written with</dt><dd>{versions}</dd>
{words}
</dl>
<pre>{config}</pre>
</details>
<section class="sheet">
<h2>What happens along λ</h2>
<ol>{told}</ol>
<h2>Words</h2>
<dl>{words}</dl>
<h2>Before: what will the penalty do to the effect error, and why?</h2>
<div class="write">{lines}</div>
<h2>After: where was that wrong, and what would change the answer?</h2>
<div class="write">{lines}</div>
<p>The same again: <code>{command}</code> (run {key}, seed {seed}, recipe version {recipe})</p>
</section>
<script type="application/json" id="frames">{data}</script>
<script type="application/json" id="provenance">{provenance}</script>
<script>
"use strict";
{script}
(() => {{
  const wanted = {theme}, light = matchMedia("(prefers-color-scheme: light)");
  const root = document.getElementById("scrubber");
  let paperNow = false;
  const theme = () => (paperNow ? "light" : wanted !== "auto" ? wanted : light.matches ? "light" : "dark");
  const data = JSON.parse(document.getElementById("frames").textContent);
  const paper = () => {{
    const name = root.dataset.theme || theme(), colours = data.palettes[name];
    document.body.style.background = colours.bg; document.body.style.color = colours.text;
  }};
  const handle = mountScrubber(root, data, {{ theme, settled: () => {{}}, keysFrom: document }});
  new MutationObserver(paper).observe(root, {{ attributeFilter: ["data-theme"] }});
  light.addEventListener("change", () => handle.restyle());
  for (const [name, now] of [["beforeprint", true], ["afterprint", false]]) addEventListener(name, () => {{
    paperNow = now;
    document.body.classList.toggle("paper", now);
    handle.paper(now);
    paper();
  }});
  paper();
  root.querySelector("[role=slider]").focus({{ preventScroll: true }});
}})();
</script>
</body>
</html>
"""
