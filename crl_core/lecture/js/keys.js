// Keys and buttons: everything that can be done other than dragging.

const ACTS = {
  play,
  full,
  back: (it) => tell(it, it.step - 1),
  next: (it) => tell(it, it.step + 1),
  story: (it) => tell(it, Math.max(0, it.step)),
  projector: (it) => setTheme(it, it.theme === "projector" ? "auto" : "projector"),
  shift: (it) => (it.shift ? leaveShift(it) : openShift(it)),
  unshift: (it) => leaveShift(it),
  "trace-back": (it) => stepTrace(it, -1),
  "trace-next": (it) => stepTrace(it, 1),
  edit: (it, button) => toggleEdit(it, button ? Number(button.dataset.edit) : it.trace && it.trace.edit),
  face: (it) => it.trace && turnFace(it, showsTrace(it.trace) ? "map" : "trace"),
  keys: (it) => showKeys(it, it.$(".keys").hidden),
  scene: (it) => turnScene(it, 1),
  "scene-back": (it) => turnScene(it, -1),
  go: (it) => it.hooks.go && it.frames.stage && it.frames.stage.cost && it.hooks.go(),
  train: (it) => it.hooks.train && it.hooks.train([...it.shift.sigma]),
};

const TRACE_KEYS = { n: "trace-next", N: "trace-back", e: "edit", E: "edit", t: "face", T: "face" };

function listenToKeysAndButtons(it) {
  const signal = it.ending.signal, pace = it.$(".pace");
  const on = (target, type, act) => target.addEventListener(type, act, { signal });
  on(it.root, "click", (event) => {
    const button = event.target.closest("button"), panel = event.target.closest(".views [data-view]");
    if (!button) {
      if (panel && isFull(it) && panel.dataset.view !== stageView(it)) putOnStage(it, panel.dataset.view);
      return;
    }
    if (button.dataset.do) ACTS[button.dataset.do](it, button);
    else if (button.classList.contains("enlarge")) show(it, button.closest("[data-view]").dataset.view);
  });
  on(it.root, "dblclick", (event) => {
    const panel = event.target.closest("[data-view]");
    if (panel && panel.dataset.view !== "path" && !event.target.closest("button")) enlarge(it, panel.dataset.view);
  });
  on(it.$(".preset"), "change", (event) => { it.scene = null; chooseWorld(it, event.target.value); });
  pace.selectedIndex = it.pace;
  on(pace, "change", () => {
    if (it.motion === "play") { it.playFrom = it.position; it.played = 0; }
    it.pace = pace.selectedIndex;
  });
  on(it.hooks.keysFrom || it.root, "keydown", (event) => key(it, event));
  on(it.grip, "focus", () => repaint(it));
  on(it.grip, "blur", () => repaint(it));
}

function key(it, event) {
  if (event.ctrlKey || event.metaKey || event.altKey || !it.frames) return;
  const from = event.composedPath()[0], tag = from && from.tagName;
  if (tag === "SELECT" || tag === "INPUT" || tag === "TEXTAREA") return;
  const at = it.motion === "spring" ? it.target : shown(it);
  const up = at + 1, down = at - 1, end = lastIndex(it);
  const steps = { ArrowRight: up, ArrowUp: up, ArrowLeft: down, ArrowDown: down, Home: 0, End: end };
  if (event.key in steps) { it.step = -1; go(it, steps[event.key]); numbers(it); }
  else if (event.key === "PageDown") ACTS.next(it);
  else if (event.key === "PageUp") ACTS.back(it);
  else if (event.key === " ") { if (tag === "BUTTON") return; play(it); }
  else if (/^[1-5]$/.test(event.key)) show(it, VIEWS[event.key - 1]);
  else if (event.key === "f" || event.key === "F") full(it);
  else if (event.key === "p" || event.key === "P") ACTS.projector(it);
  else if (it.trace && TRACE_KEYS[event.key]) ACTS[TRACE_KEYS[event.key]](it);
  else if (event.key === "?") ACTS.keys(it);
  else if (event.key === "s" || event.key === "S") turnScene(it, event.shiftKey ? -1 : 1);
  else if (event.key === "r" || event.key === "R") ACTS.go(it);
  else if (event.key === "Escape" && !it.$(".keys").hidden) showKeys(it, false);
  else if (event.key === "Escape" && it.large) enlarge(it, it.large);
  else if (event.key === "Escape" && it.shift) leaveShift(it);
  else return;
  event.preventDefault(); event.stopPropagation();
}

/** A view by its number: large beside the path in full screen, else alone above it. */
function show(it, view) {
  if (isFull(it) && view !== "path") putOnStage(it, view); else enlarge(it, view);
}

/** One view alone above the path; the same again brings all back. */
function enlarge(it, view) {
  it.large = it.large === view ? null : view;
  if (it.large) it.root.dataset.large = it.large; else delete it.root.dataset.large;
  for (const v of VIEWS) it.$(`[data-view=${v}] .enlarge`).setAttribute("aria-pressed", String(v === it.large));
  redo(it);
}

function full(it) {
  const owner = it.root.getRootNode(), on = document.fullscreenElement;
  if (on && (on === it.root || (owner.fullscreenElement || null) === it.root)) document.exitFullscreen();
  else if (it.root.requestFullscreen) it.root.requestFullscreen().catch(() => {});
}

function setTheme(it, name) {
  it.theme = name;
  it.$("[data-do=projector]").setAttribute("aria-pressed", String(name === "projector"));
  redo(it);
}
