// The λ scrubber: one position along the grid of trained models, moved by finger, pen, keys or by itself; every view
// follows it in the same frame. Nothing here talks to a server. `mountScrubber(root, data, hooks)` returns its handle.

const PAINTERS = { latent: latentView, effect: effectView, map: mapView, training: trainingView, path: pathView };
const THEMES = ["auto", "projector"];
const STIFFNESS = 19; // 1/s, of a critically damped spring: settles in about a fifth of a second

function mountScrubber(root, data, hooks) {
  root.classList.add("lecture");
  root.innerHTML = PAGE;
  const $ = (selector) => root.querySelector(selector);
  const grip = $(".grip"), calm = matchMedia("(prefers-reduced-motion: reduce)");
  const panels = {};
  for (const view of VIEWS) panels[view] = surface($(`[data-view=${view}] .plot`));
  $("[data-view=path] .plot").append(grip); // above its canvases

  let frames = null, style = null, network = null, shift = null;
  let position = 0, speed = 0, target = 0, motion = "rest"; // rest, drag, spring, play
  let near = -1, told = -1, arrived = 0, size = "", theme = "auto", large = null, step = -1, pace = 1;
  let queued = 0, last = 0, stale = true, dirty = true, gone = false, drawnAt = null, trail = [];

  const L = () => frames.lams.length;
  const shown = () => clamp(Math.round(position), 0, L() - 1);
  const wake = () => { if (!queued && !gone) queued = requestAnimationFrame(frame); };
  const repaint = () => { dirty = true; wake(); };

  // ---- what is on screen ----------------------------------------------------------------------------------------

  function restyle() {
    const auto = hooks.theme(), name = theme === "projector" ? "projector" : auto, p = frames.palettes[name] || frames.palettes.dark;
    root.dataset.theme = name;
    for (const [key, value] of Object.entries({ bg: p.bg, panel: p.panel, line: p.grid, text: p.text, muted: p.muted, accent: p.accent, bad: p.bad })) root.style.setProperty("--" + key, value);
    frames.envs.forEach((_, e) => root.style.setProperty("--env" + e, p.envs[e % p.envs.length]));
    const computed = getComputedStyle(root), em = parseFloat(computed.fontSize), family = computed.fontFamily, strong = name === "projector" ? 1.5 : 1;
    style = {
      ink: p.text, text: p.text, muted: p.muted, grid: p.grid, panel: p.panel, accent: p.accent, truth: p.truth, bad: p.bad,
      envs: frames.envs.map((_, e) => p.envs[e % p.envs.length]), diverging: p.diverging,
      size: em * 0.86, small: `${em * 0.86}px ${family}`, normal: `${em * 0.93}px ${family}`, strong: `600 ${em * 1.02}px ${family}`,
      hair: strong, bold: em * 0.2 * (strong > 1 ? 1.3 : 1), band: name === "light" ? 0.14 : 0.2,
      faint: mixColour(p.panel, p.text, name === "projector" ? 0.4 : name === "light" ? 0.16 : 0.2),
      radius: (frames.n > 900 ? 2.4 : 3) * (em / 14) * (strong > 1 ? 1.25 : 1), alpha: name === "projector" ? 0.95 : 0.78,
    };
  }

  function words() {
    $(".title").textContent = frames.title;
    for (const view of VIEWS) {
      const panel = $(`[data-view=${view}]`), text = frames.captions[view];
      panel.querySelector("h3").textContent = text.title;
      panel.querySelector(".caption").textContent = text.caption;
      panel.querySelector(".caption").title = text.caption;
      panel.querySelector(".enlarge").setAttribute("aria-label", `Enlarge ${text.title}, key ${VIEWS.indexOf(view) + 1}`);
    }
    const legend = $(".legend");
    const few = frames.envs.length <= 4;
    legend.replaceChildren(...frames.envs.map((name, e) => {
      const chip = document.createElement("span");
      chip.textContent = few ? name : name.split(" ").pop();
      chip.title = name; chip.style.setProperty("--dot", `var(--env${e})`);
      chip.className = "chip";
      return chip;
    }));
    legend.insertAdjacentHTML("beforeend", '<span class="key">○ untreated</span><span class="key">◆ treated</span>');
    grip.setAttribute("aria-valuemax", L() - 1);
    $(".story").hidden = !frames.story.length;
    $("[data-do=shift]").hidden = !network;
    $("[data-do=train]").hidden = !hooks.train;
    const ruler = offscreen(1, 1, 1), reserve = (name, texts) => { // the widest text it will ever hold, so nothing moves
      const at = $(`[data-figure=${name}]`), look = getComputedStyle(at), em = parseFloat(look.fontSize);
      ruler.font = `${look.fontWeight} ${em}px ${look.fontFamily}`;
      const widest = Math.max(...texts.map((t) => ruler.measureText(t.replace(/[0-9]/g, "0")).width)) / em;
      at.style.minWidth = `calc(${(widest + 0.02).toFixed(3)}em)`;
    };
    reserve("lam", frames.lam_labels);
    for (const { name } of FIGURES) reserve(name, (frames.metrics[name] ? frames.metrics[name].value : []).map(figure).concat("0.00"));
  }

  function roomForWords() { // as many lines as the longest sentence of the path needs, so that no view moves with λ
    const says = $(".says"), ruler = says.cloneNode(false);
    ruler.removeAttribute("aria-live");
    Object.assign(ruler.style, { position: "absolute", visibility: "hidden", width: `${says.clientWidth}px`, minHeight: "0" });
    says.parentNode.append(ruler);
    const heights = [...new Set([...frames.readings, ...frames.story.map((told) => told.sentence)])].map((text) => {
      ruler.textContent = text;
      return ruler.offsetHeight;
    });
    ruler.remove();
    says.style.minHeight = heights.length ? `max(2.7em, ${Math.max(...heights)}px)` : "";
  }

  const valueText = (i) => {
    const error = frames.metrics.ite_rmse, parts = [`λ = ${frames.lam_labels[i]}`];
    if (frames.status[i] === 1) parts.push("diverged");
    else if (error && finite(error.value[i])) parts.push(`${error.label} ${figure(error.value[i])}`);
    if (frames.status[i] === 2) parts.push("collapsed");
    return parts.join(", ");
  };

  function numbers() {
    grip.setAttribute("aria-valuenow", near);
    grip.setAttribute("aria-valuetext", valueText(near));
    const put = (name, text) => { const at = $(`[data-figure=${name}]`); if (at.textContent !== text) at.textContent = text; };
    put("lam", frames.lam_labels[near]);
    for (const { name } of FIGURES) put(name, frames.metrics[name] ? figure(frames.metrics[name].value[near]) : "–");
    if (shift) // what is not known for the shifted rows is not shown
      for (const { name } of FIGURES) put(name, name === "ite_rmse" && network.hasTruth ? figure(shift.errors[near]) : "–");
    const error = FIGURES.find(({ name }) => name === "ite_rmse").word, word = shift ? `${error}, shifted` : error;
    if ($("[data-word=ite_rmse]").textContent !== word) $("[data-word=ite_rmse]").textContent = word;
    const told = step >= 0 && !shift && frames.story[step].index === near ? frames.story[step] : null;
    const says = $(".says"), text = shift ? probeText() : told ? told.sentence : frames.readings[near] || "";
    if (says.textContent !== text) says.textContent = text;
    root.classList.toggle("telling", !!told);
    for (const view of VIEWS) $(`[data-view=${view}]`).classList.toggle("pointed", !!told && told.point === view);
    const place = step >= 0 ? `Story ${step + 1} of ${frames.story.length}` : "Story";
    if ($("[data-do=story]").textContent !== place) $("[data-do=story]").textContent = place;
  }

  function scene() {
    const whole = calm.matches, low = whole ? near : Math.floor(position), high = whole ? near : Math.min(low + 1, L() - 1);
    let share = whole ? 0 : glide(position - low), from = low, to = high;
    // A diverged neighbour has nothing to glide to: stay with the nearest model.
    if (!drawable(frames, low) || !drawable(frames, high)) { from = to = near; share = 0; }
    return {
      frames, style, low: from, high: to, share, near, position: whole && motion !== "drag" ? near : position,
      dragging: motion === "drag", focused: grip.matches(":focus-visible"),
      probe: shift, shifted: shift && network.hasTruth ? shift.errors : null,
    };
  }

  function layout() {
    const box = root.getBoundingClientRect(), now = `${box.width}×${box.height}×${globalThis.devicePixelRatio}`;
    if (now === size && !stale) return;
    size = now; stale = false; dirty = true;
    restyle();
    roomForWords();
    const at = scene();
    for (const view of VIEWS) {
      const panel = panels[view];
      panel.live = panel.host.offsetParent !== null && fit(panel);
      if (panel.live) PAINTERS_OF[view].still(panel, at);
    }
  }

  // Each mounted scrubber has painters of its own: they remember their scales.
  const PAINTERS_OF = Object.fromEntries(VIEWS.map((v) => [v, Object.create(PAINTERS[v])]));

  function frame(time) {
    queued = 0;
    if (gone || !frames) return;
    const dt = Math.min(0.05, last ? (time - last) / 1000 : 1 / 60);
    last = time;
    move(dt);
    const now = shown();
    if (now !== near) { near = now; dirty = true; numbers(); if (shift) predictShifted(); }
    layout();
    if (dirty || position !== drawnAt) {
      dirty = false; drawnAt = position;
      const at = scene();
      for (const view of VIEWS) if (panels[view].live) PAINTERS_OF[view].moving(panels[view], at);
    }
    if (shift && shift.pending.length) { shiftOne(); dirty = true; wake(); }
    if (motion === "spring" || motion === "play" || arrived > 0) wake(); else last = 0;
  }

  // ---- motion ---------------------------------------------------------------------------------------------------

  function move(dt) {
    if (motion === "drag") {
      // The first touch may be far from the handle: catch up quickly rather than jump, then stick to the finger.
      if (calm.matches || arrived <= 0) position = target;
      else { arrived -= dt; position += (target - position) * (1 - Math.exp(-dt / 0.028)); if (arrived <= 0) position = target; }
    } else if (motion === "spring") {
      if (calm.matches) { position = target; speed = 0; }
      for (let left = dt; left > 1e-9; left -= 0.004) {
        const h = Math.min(0.004, left);
        speed += (STIFFNESS * STIFFNESS * (target - position) - 2 * STIFFNESS * speed) * h;
        position += speed * h;
      }
      position = clamp(position, 0, L() - 1);
      if (Math.abs(target - position) < 0.004 && Math.abs(speed) < 0.05) { position = target; speed = 0; motion = "rest"; settled(); }
    } else if (motion === "play") {
      const end = L() - 1;
      playTime += dt / PACES[pace][1];
      const reached = Math.min(end, playFrom + playTime);
      position = calm.matches ? Math.floor(reached) : reached;
      if (reached >= end) { position = end; halt(); settled(); }
    }
  }
  let playTime = 0, playFrom = 0;

  function go(index, spring = true) {
    halt();
    target = clamp(Math.round(index), 0, L() - 1);
    arrived = 0;
    if (spring && !calm.matches) motion = "spring"; else { position = target; speed = 0; motion = "rest"; settled(); }
    wake();
  }

  function settled() {
    const index = shown();
    if (index === told) return;
    told = index;
    hooks.settled(frames.lams[index], index);
  }

  function play() {
    if (motion === "play") { halt(); return go(shown()); }
    if (L() < 2) return;
    step = -1;
    playFrom = shown() >= L() - 1 ? 0 : position; playTime = 0; // at the end: again from the start
    position = playFrom; motion = "play"; speed = 0;
    $("[data-do=play]").textContent = "Pause"; $("[data-do=play]").setAttribute("aria-pressed", "true");
    wake();
  }

  function halt() {
    if (motion === "play") motion = "rest";
    $("[data-do=play]").textContent = "Play"; $("[data-do=play]").setAttribute("aria-pressed", "false");
  }

  function tell(to) {
    if (!frames.story.length) return;
    step = clamp(to, 0, frames.story.length - 1);
    if (frames.story[step].index === near) numbers();
    go(frames.story[step].index);
    numbers(); repaint();
  }

  // ---- pointer --------------------------------------------------------------------------------------------------

  const plot = $("[data-view=path] .plot");
  const under = (event) => PAINTERS_OF.path.positionAt(event.clientX - plot.getBoundingClientRect().left);
  let holding = null;
  plot.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || holding !== null || L() < 2) return;
    event.preventDefault();
    grip.focus({ preventScroll: true });
    try { plot.setPointerCapture(event.pointerId); } catch { /* a synthetic pointer cannot be captured */ }
    holding = event.pointerId;
    halt(); step = -1; motion = "drag"; speed = 0; trail = [];
    target = under(event);
    arrived = Math.abs(target - position) > 0.35 ? 0.11 : 0;
    root.classList.add("dragging");
    wake();
  });
  plot.addEventListener("pointermove", (event) => {
    if (event.pointerId !== holding) return;
    target = under(event);
    trail.push([event.timeStamp, target]);
    if (trail.length > 8) trail.shift();
    wake();
  });
  const release = (event) => {
    if (event.pointerId !== holding) return;
    holding = null;
    root.classList.remove("dragging");
    // A flick carries on a little, at most two models; a hand at rest lets go exactly where it is.
    const recent = trail.filter(([at]) => event.timeStamp - at < 60);
    const [first, final] = [recent[0], recent[recent.length - 1]];
    speed = recent.length > 1 && final[0] > first[0] ? ((final[1] - first[1]) / (final[0] - first[0])) * 1000 : 0;
    const carried = calm.matches ? 0 : clamp(speed * 0.07, -2, 2);
    speed = clamp(speed, -30, 30);
    position = arrived > 0 ? position : target;
    const throwTo = Math.round(target + carried);
    arrived = 0;
    go2(throwTo);
  };
  function go2(index) { const kept = speed; go(index); if (motion === "spring") speed = kept; }
  plot.addEventListener("pointerup", release);
  plot.addEventListener("pointercancel", release);
  plot.addEventListener("lostpointercapture", release);

  // ---- keys and buttons -----------------------------------------------------------------------------------------

  function enlarge(view) {
    large = large === view ? null : view;
    if (large) root.dataset.large = large; else delete root.dataset.large;
    for (const v of VIEWS) $(`[data-view=${v}] .enlarge`).setAttribute("aria-pressed", String(v === large));
    stale = true; repaint();
  }
  function full() {
    const owner = root.getRootNode(), on = document.fullscreenElement;
    if (on && (on === root || (owner.fullscreenElement || null) === root)) document.exitFullscreen();
    else if (root.requestFullscreen) root.requestFullscreen().catch(() => {});
  }
  function setTheme(name) {
    theme = name;
    $("[data-do=projector]").setAttribute("aria-pressed", String(theme === "projector"));
    stale = true; repaint();
  }
  const acts = {
    play, full, back: () => tell(step - 1), next: () => tell(step + 1), story: () => tell(step < 0 ? 0 : step),
    projector: () => setTheme(theme === "projector" ? THEMES[0] : "projector"),
    shift: () => (shift ? unshift() : openShift()), unshift: () => unshift(),
    train: () => hooks.train && hooks.train([...shift.sigma]),
  };
  root.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    if (button.dataset.do) acts[button.dataset.do]();
    else if (button.classList.contains("enlarge")) enlarge(button.closest("[data-view]").dataset.view);
  });
  root.addEventListener("dblclick", (event) => {
    const panel = event.target.closest("[data-view]");
    if (panel && panel.dataset.view !== "path" && !event.target.closest("button")) enlarge(panel.dataset.view);
  });
  $(".pace").selectedIndex = pace;
  $(".pace").addEventListener("change", (event) => {
    if (motion === "play") { playFrom = position; playTime = 0; }
    pace = event.target.selectedIndex;
  });

  function key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || !frames) return;
    const from = event.composedPath()[0], tag = from && from.tagName;
    if (tag === "SELECT" || tag === "INPUT" || tag === "TEXTAREA") return;
    const on = motion === "spring" ? target : shown();
    const steps = { ArrowRight: on + 1, ArrowUp: on + 1, ArrowLeft: on - 1, ArrowDown: on - 1, Home: 0, End: L() - 1 };
    if (event.key in steps) { step = -1; go(steps[event.key]); numbers(); }
    else if (event.key === "PageDown") tell(step + 1);
    else if (event.key === "PageUp") tell(step - 1);
    else if (event.key === " ") { if (tag === "BUTTON") return; play(); }
    else if (/^[1-5]$/.test(event.key)) enlarge(VIEWS[event.key - 1]);
    else if (event.key === "f" || event.key === "F") full();
    else if (event.key === "p" || event.key === "P") acts.projector();
    else if (event.key === "Escape" && large) enlarge(large);
    else if (event.key === "Escape" && shift) unshift();
    else return;
    event.preventDefault(); event.stopPropagation();
  }
  const keysFrom = hooks.keysFrom || root;
  keysFrom.addEventListener("keydown", key);
  grip.addEventListener("focus", repaint);
  grip.addEventListener("blur", repaint);

  // ---- σ under the finger ---------------------------------------------------------------------------------------

  function openShift() {
    if (!network) return;
    shift = { sigma: [...frames.probe.sigma], predicted: new Float32Array(frames.n), errors: [], pending: [], plane: network.plane };
    $(".sliders").replaceChildren(...frames.envs.map((name, e) => {
      const label = document.createElement("label"), input = document.createElement("input"), value = document.createElement("output");
      Object.assign(input, { type: "range", min: 0, max: Math.max(3, frames.probe.sigma[e]), step: 0.05, value: frames.probe.sigma[e] });
      input.setAttribute("aria-label", `σ of ${name}`);
      const show = () => { value.textContent = Number(input.value).toFixed(2); };
      input.addEventListener("input", () => { shift.sigma[e] = Number(input.value); show(); wake(); probeAll(); });
      show();
      const dot = document.createElement("span");
      dot.className = "chip"; dot.style.setProperty("--dot", `var(--env${e})`);
      dot.textContent = frames.envs.length <= 4 ? name : name.split(" ").pop();
      label.append(dot, input, value);
      return label;
    }));
    $(".shift").hidden = false;
    $("[data-do=shift]").setAttribute("aria-pressed", "true");
    root.classList.add("shifting"); stale = true;
    probeAll();
  }
  function unshift() {
    shift = null;
    $(".shift").hidden = true;
    $("[data-do=shift]").setAttribute("aria-pressed", "false");
    root.classList.remove("shifting"); stale = true;
    numbers(); repaint();
  }
  function probeAll() {
    network.shift(shift.sigma);
    shift.pending = frames.lams.map((_, i) => i).filter((i) => i !== near && drawable(frames, i));
    predictShifted();
    repaint();
  }
  function predictShifted() {
    if (!drawable(frames, near)) return shift.predicted.fill(NaN);
    network.effects(near, shift.predicted);
    if (network.hasTruth) shift.errors[near] = network.error(shift.predicted);
    numbers();
  }
  function probeText() {
    if (!drawable(frames, near)) return frames.readings[near];
    const truth = network.hasTruth ? ` ITE RMSE ${figure(shift.errors[near])} here, ${figure(frames.metrics.ite_rmse.value[near])} on data like its own.` : "";
    return "Distribution-shift probe: this model never saw these data." + truth;
  }
  let spare = null;
  function shiftOne() { // one more λ of the dashed curve each frame, so that the finger is never kept waiting
    if (!network.hasTruth) { shift.pending = []; return; }
    const index = shift.pending.shift();
    if (!spare || spare.length !== frames.n) spare = new Float32Array(frames.n);
    shift.errors[index] = network.error(network.effects(index, spare));
  }

  // ---- data, size, end ------------------------------------------------------------------------------------------

  function update(next) {
    const before = frames, place = frames ? { lam: frames.lams[near], of: frames.key } : null;
    frames = decode(next);
    network = makeProbe(frames);
    if (shift && (!network || !before || before.key !== frames.key)) unshift2();
    if (!before || before.key !== frames.key || before.lams.length !== L()) {
      let index = frames.lams.indexOf(next.lam);
      if (index < 0 && place) index = frames.lams.indexOf(place.lam);
      position = target = Math.max(0, index); motion = "rest"; speed = 0; step = -1; told = position; drawnAt = null;
    } else if (next.lam_turn !== before.lam_turn && motion !== "drag") {
      const index = frames.lams.indexOf(next.lam);
      if (index >= 0 && index !== shown()) { told = index; go(index); }
    }
    near = shown();
    restyle(); words(); numbers();
    stale = true; repaint();
  }
  function unshift2() { shift = null; $(".shift").hidden = true; root.classList.remove("shifting"); }

  const resized = new ResizeObserver(() => repaint());
  resized.observe(root);
  const restate = () => { stale = true; repaint(); };
  document.addEventListener("fullscreenchange", restate);
  calm.addEventListener("change", restate);

  update(data);
  frame(performance.now()); // the first picture does not wait for a frame
  const handle = {
    update,
    restyle: restate,
    get index() { return near; },
    get position() { return position; },
    get probe() { return shift; },
    place: (at) => PAINTERS_OF.path.X(at), // pixels from the plot's left edge
    go,
    destroy() {
      gone = true;
      cancelAnimationFrame(queued);
      resized.disconnect();
      keysFrom.removeEventListener("keydown", key);
      document.removeEventListener("fullscreenchange", restate);
      calm.removeEventListener("change", restate);
    },
  };
  root.scrubber = handle;
  return handle;
}
