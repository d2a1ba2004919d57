// What is on screen: colours and sizes, words and figures, and the scene that the views paint.

const envLabel = (frames, name) => (frames.envs.length <= 4 ? name : name.split(" ").pop());

/** Colours and sizes of the theme in force, for the style sheet and for the canvases. */
function restyle(it) {
  const { root, frames } = it, name = it.theme === "projector" ? "projector" : it.hooks.theme();
  const p = frames.palettes[name] || frames.palettes.dark, envs = frames.envs.map((_, e) => p.envs[e % p.envs.length]);
  root.dataset.theme = name;
  const { bg, panel, grid, text, muted, accent, truth, bad, diverging } = p;
  for (const [key, value] of Object.entries({ bg, panel, line: grid, text, muted, accent, bad }))
    root.style.setProperty("--" + key, value);
  envs.forEach((colour, e) => root.style.setProperty("--env" + e, colour));
  const { fontSize, fontFamily } = getComputedStyle(root), em = parseFloat(fontSize), far = name === "projector";
  it.style = {
    ink: text, text, muted, grid, panel, accent, truth, bad, envs, diverging,
    size: em * 0.86,
    small: `${em * 0.86}px ${fontFamily}`,
    normal: `${em * 0.93}px ${fontFamily}`,
    strong: `600 ${em * 1.02}px ${fontFamily}`,
    hair: far ? 1.5 : 1,
    bold: em * 0.2 * (far ? 1.3 : 1),
    band: name === "light" ? 0.14 : 0.2,
    faint: mixColour(panel, text, far ? 0.4 : name === "light" ? 0.16 : 0.2),
    radius: (frames.n > 900 ? 2.4 : 3) * (em / 14) * (far ? 1.25 : 1),
    alpha: far ? 0.95 : 0.78,
  };
}

/** The view that a step of the story points at. */
const viewOf = ({ point }) => (point === "trace" ? "map" : point);

/** What stays as long as the run does. */
function words(it) {
  const { $, frames, grip } = it;
  $(".title").textContent = frames.title;
  for (const view of VIEWS) panelWords(it, view, frames.captions[view]);
  for (const legend of it.root.querySelectorAll(".legend")) {
    legend.replaceChildren(...frames.envs.map((name, e) => {
      const chip = document.createElement("span");
      chip.textContent = envLabel(frames, name);
      chip.title = name; chip.style.setProperty("--dot", `var(--env${e})`);
      chip.className = "chip";
      return chip;
    }));
    const arms = ["○ untreated", "◆ treated"].map((arm) => `<span class="entry">${arm}</span>`);
    legend.insertAdjacentHTML("beforeend", arms.join(""));
  }
  progress(it);
  offers(it);
  traceButtons(it);
  grip.setAttribute("aria-valuemax", lastIndex(it));
  $(".story").hidden = !frames.story.length;
  $("[data-do=shift]").hidden = !it.network;
  $("[data-do=train]").hidden = !it.hooks.train;
  reserve(it, "lam", frames.lam_labels);
  for (const { name } of FIGURES) {
    const metric = (name === "ite_rmse" && inPlaceOfError(frames)?.metric) || frames.metrics[name];
    reserve(it, name, (metric ? metric.value : []).map(figure).concat("0.00"));
  }
}

function panelWords(it, view, { title, caption }) {
  const panel = it.$(`[data-view=${view}]`);
  panel.querySelector("h3").textContent = title;
  panel.querySelector(".caption").textContent = caption;
  panel.querySelector(".caption").title = caption;
  panel.querySelector(".enlarge").setAttribute("aria-label", `Enlarge ${title}, key ${VIEWS.indexOf(view) + 1}`);
}

/** Room for the widest text that a figure will ever hold, so that nothing moves. */
function reserve(it, name, texts) {
  const at = it.$(`[data-figure=${name}]`), look = getComputedStyle(at), em = parseFloat(look.fontSize);
  const ruler = offscreen(1, 1, 1);
  ruler.font = `${look.fontWeight} ${em}px ${look.fontFamily}`;
  const widest = Math.max(...texts.map((t) => ruler.measureText(t.replace(/[0-9]/g, "0")).width)) / em;
  at.style.minWidth = `calc(${(widest + 0.02).toFixed(3)}em)`;
}

/** As many lines as the longest sentence of the path needs, so that no view moves with λ. */
function roomForWords(it) {
  const says = it.$(".says"), ruler = says.cloneNode(false);
  ruler.removeAttribute("aria-live");
  const apart = { position: "absolute", visibility: "hidden", width: `${says.clientWidth}px`, minHeight: "0" };
  Object.assign(ruler.style, apart);
  says.parentNode.append(ruler);
  const sentences = new Set([...it.frames.readings, ...it.frames.story.map((told) => told.sentence)]);
  const heights = [...sentences].map((text) => {
    ruler.textContent = text;
    return ruler.offsetHeight;
  });
  ruler.remove();
  says.style.minHeight = heights.length ? `max(2.7em, ${Math.max(...heights)}px)` : "";
}

function valueText(frames, i, trace) {
  const error = frames.metrics.ite_rmse, parts = [`λ = ${frames.lam_labels[i]}`];
  if (frames.status[i] === 1) parts.push("diverged");
  else if (insteadOfError(frames)) parts.push(`average effect ${figure(frames.average.ate.value[i])}`);
  else if (error && finite(error.value[i])) parts.push(`${error.label} ${figure(error.value[i])}`);
  if (frames.status[i] === 2) parts.push("collapsed");
  if (showsTrace(trace)) parts.push(sizeHeard(frames, trace, i));
  return parts.filter(Boolean).join(", ");
}

/** Sets a text that has changed, and touches nothing else. */
function put(it, selector, text) {
  const at = it.$(selector);
  if (at.textContent !== text) at.textContent = text;
}

/** How far training is, as long as it goes on. */
function progress(it) {
  const { progress: told } = it.frames, bar = it.$(".progress"), percent = told ? Math.round(100 * told.share) : 0;
  bar.hidden = !told;
  it.$(".gone").style.width = `${percent}%`;
  it.$(".track").setAttribute("aria-valuenow", percent);
  if (told) { it.$(".track").setAttribute("aria-valuetext", told.words); put(it, ".far", told.words); }
}

/** Whose picture it is: one of several replicates, while the figures are medians. */
function ownError(frames, i) {
  const own = frames.metrics.ite_rmse?.own;
  return own && finite(own[i]) ? `. This picture: seed ${frames.seed}, its own error ${figure(own[i])}` : "";
}

/** What is written of the model in view. What is not known for shifted rows is not shown. */
function numbers(it) {
  const { frames, near, shift, step } = it;
  it.grip.setAttribute("aria-valuenow", near);
  it.grip.setAttribute("aria-valuetext", valueText(frames, near, it.trace));
  put(it, "[data-figure=lam]", frames.lam_labels[near]);
  for (const { name, word } of FIGURES) {
    const instead = name === "ite_rmse" ? inPlaceOfError(frames) : null;
    const metric = instead ? instead.metric : frames.metrics[name];
    put(it, `[data-figure=${name}]`, shift ? shiftedFigure(it, name) : metric ? figure(metric.value[near]) : "–");
    const called = shift ? `${word}, shifted` : instead ? instead.word : word;
    if (name === "ite_rmse") put(it, `[data-word=${name}]`, called);
  }
  const seen = frames.captions.effect.caption + ownError(frames, near) + beyond(frames, near);
  put(it, "[data-view=effect] .caption", seen);
  const told = step >= 0 && !shift && frames.story[step].index === near ? frames.story[step] : null;
  arrange(it);
  put(it, ".says", shift ? probeText(it) : told ? told.sentence : frames.readings[near] || "");
  it.root.classList.toggle("telling", !!told);
  for (const view of VIEWS) it.$(`[data-view=${view}]`).classList.toggle("pointed", !!told && viewOf(told) === view);
  traceFigures(it);
  put(it, "[data-do=story]", step >= 0 ? `Story ${step + 1} of ${frames.story.length}` : "Story");
}

/** Who paints a view: where averages are known there is no map to draw, and a trace has the map's place. */
const painterOf = (it, view) => it.painters[view !== "map" ? view : it.frames.average ? "average"
  : showsTrace(it.trace) ? "trace" : view];

/** What stands at the head where the effect's error is not known: the average effect, or the error of the outcome. */
function inPlaceOfError(frames) {
  if (insteadOfError(frames)) return { metric: frames.average.ate, word: "average effect" };
  const { ite_rmse: error, factual_mse: factual } = frames.metrics;
  return !error && factual ? { metric: factual, word: factual.label } : null;
}

/** Whether the average effect stands in the place of its error, which is not known. */
const insteadOfError = ({ average, metrics }) => !!average && !metrics.ite_rmse;

/** Sizes and colours again where they have changed, and what the views keep from frame to frame. */
function layout(it) {
  const box = it.root.getBoundingClientRect(), now = `${box.width}×${box.height}×${globalThis.devicePixelRatio}`;
  if (now === it.size && !it.stale) return;
  it.size = now; it.stale = false; it.dirty = true;
  restyle(it);
  roomForWords(it);
  const at = scene(it);
  for (const view of VIEWS) {
    const panel = it.panels[view];
    panel.live = panel.host.offsetParent !== null && fit(panel, it.sharp);
    if (!panel.live) continue;
    guarded(panel, () => painterOf(it, view).still(panel, at));
    panel.host.title = [...panel.shortened].join("\n");
  }
}

function paint(it) {
  const at = scene(it);
  for (const view of VIEWS) {
    const panel = it.panels[view];
    if (panel.live) guarded(panel, () => painterOf(it, view).moving(panel, at));
  }
}

/** In place of everything, where the run itself cannot be read. */
function cannotBeShown(it, error) {
  it.frames = null;
  put(it, ".title", "This lecture cannot be drawn");
  put(it, ".says", `What was sent of the run cannot be read: ${error.message}. The other pages are not affected.`);
  console.error(error);
}

/** What the views are given: the two trained models that the position lies between, and how far it has come. */
function scene(it) {
  const { frames, near, shift } = it, whole = it.calm.matches, dragging = it.motion === "drag";
  let low = whole ? near : Math.floor(it.position), high = whole ? near : Math.min(low + 1, lastIndex(it));
  let share = whole ? 0 : glide(it.position - low);
  // A diverged neighbour has nothing to glide to: stay with the nearest model.
  if (!drawable(frames, low) || !drawable(frames, high)) { low = high = near; share = 0; }
  return {
    frames, style: it.style, low, high, share, near, position: whole && !dragging ? near : it.position,
    trace: it.trace, dragging, focused: it.grip.matches(":focus-visible"),
    probe: shift, shifted: shift && it.network.hasTruth ? shift.errors : null,
  };
}
