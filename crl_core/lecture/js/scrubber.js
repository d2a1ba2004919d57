// The λ scrubber: one position along the grid of trained models, moved by finger, pen, keys or by itself; every view
// follows it in the same frame. Nothing here talks to a server. `mountScrubber(root, data, hooks)` returns its handle.
//
// What a mounted scrubber knows is one object, `it`, which every function of screen, motion, pointer, keys and shift
// takes first. hooks: theme() says "dark" or "light", settled(lam, index) and train(sigma) tell the page, keysFrom is
// where keys are listened for (the root unless given).

const PAINTERS = { latent: latentView, effect: effectView, map: mapView, training: trainingView, path: pathView,
  average: averageView, trace: traceView };

function mountScrubber(root, data, hooks) {
  const it = newScrubber(root, hooks), signal = it.ending.signal;
  listenToPointer(it);
  listenToKeysAndButtons(it);
  const resized = new ResizeObserver(() => repaint(it));
  resized.observe(root);
  document.addEventListener("fullscreenchange", () => redo(it), { signal });
  it.calm.addEventListener("change", () => redo(it), { signal });
  update(it, data);
  it.frame(performance.now()); // the first picture does not wait for a frame
  root.scrubber = {
    update: (next) => update(it, next),
    restyle: () => redo(it),
    paper(on) { // at once, since a printer waits for no frame; in finer points than a screen's
      it.sharp = on ? 3 : 1; it.stale = true;
      it.frame(performance.now());
      if (on) for (const { live, still, moving } of Object.values(it.panels)) if (live) flatten(still, moving);
    },
    get index() { return it.near; },
    get position() { return it.position; },
    get probe() { return it.shift; },
    get trace() { return it.trace; },
    place: (at) => it.painters.path.slots.place(at), // pixels from the plot's left edge
    go: (index) => go(it, index),
    destroy() {
      it.gone = true;
      cancelAnimationFrame(it.queued);
      resized.disconnect();
      it.ending.abort(); // all listeners
    },
  };
  return root.scrubber;
}

function newScrubber(root, hooks) {
  root.classList.add("lecture");
  root.innerHTML = PAGE;
  const $ = (selector) => root.querySelector(selector), panels = {}, painters = {};
  for (const view of VIEWS) {
    panels[view] = surface($(`[data-view=${view}] .plot`));
    painters[view] = Object.create(PAINTERS[view]); // of this scrubber alone: they remember their scales
  }
  for (const name of ["average", "trace"]) painters[name] = Object.create(PAINTERS[name]); // in the place of the map
  const grip = $(".grip"), plot = $("[data-view=path] .plot");
  plot.append(grip); // above its canvases
  const it = {
    root, hooks, $, panels, painters, grip, plot,
    calm: matchMedia("(prefers-reduced-motion: reduce)"),
    ending: new AbortController(),
    // the run
    frames: null, network: null, // the network predicts for shifted rows; null where it is not offered
    drift: null, // from what was seen before, while it trains (live.js)
    trace: null, // which trace the panel shows and how (edits.js); null where x is no trace
    shift: null, // the σ in force and its predictions, while σ is shifted
    // the position, in index units of the grid
    motion: "rest", // rest, drag, spring, play
    position: 0, target: 0, speed: 0, // speed in models a second
    arrived: 0, // seconds left in which the handle catches up with a finger that came down far from it
    holding: null, trail: [], // the pointer that drags, and its last [ms, position]
    pace: 1, playFrom: 0, played: 0, // index of PACES, where play began, models played since
    near: -1, // the model whose figures are written
    told: -1, // the model that the page was last told of
    step: -1, // of the story; -1: nothing is being told
    // the picture
    theme: "auto", large: null, staged: "latent", scene: null, // the world whose story begins when it is there
    awaited: null, // the world that was asked for last, and until when (stage.js)
    style: null, size: "", sharp: 1,
    stale: true, dirty: true, drawnAt: null, // sizes or colours changed; something changed; the position painted last
    queued: 0, last: 0, gone: false, // the frame that is asked for, the time of the one before
  };
  it.frame = (time) => frame(it, time);
  return it;
}

function wake(it) {
  if (!it.queued && !it.gone) it.queued = requestAnimationFrame(it.frame);
}

function repaint(it) {
  it.dirty = true;
  wake(it);
}

/** Everything again, sizes and colours too. */
function redo(it) {
  it.stale = true;
  repaint(it);
}

function frame(it, time) {
  it.queued = 0;
  if (it.gone || !it.frames) return;
  try { advanceTo(it, time); } catch (error) { cannotBeShown(it, error); }
}

function advanceTo(it, time) {
  const dt = Math.min(0.05, it.last ? (time - it.last) / 1000 : 1 / 60);
  it.last = time;
  move(it, dt);
  morph(it, dt);
  drift(it, dt);
  const now = shown(it);
  if (now !== it.near) {
    it.near = now; it.dirty = true;
    numbers(it);
    if (it.shift) predictShifted(it);
  }
  layout(it);
  if (it.dirty || it.position !== it.drawnAt) {
    it.dirty = false; it.drawnAt = it.position;
    paint(it);
  }
  if (it.shift && it.shift.pending.length) { probeOne(it); repaint(it); }
  const moves = it.motion === "spring" || it.motion === "play" || it.arrived > 0 || morphing(it) || it.drift;
  if (moves) wake(it); else it.last = 0;
}

/** Other frames: of another run, or more of the same. `lam_turn` changes where the page wants another λ in view. */
function update(it, next) {
  try { take(it, next); } catch (error) { cannotBeShown(it, error); }
}

function take(it, next) {
  const before = it.frames, lam = before ? before.lams[it.near] : null;
  const frames = (it.frames = decode(next)), asked = frames.lams.indexOf(next.lam);
  const same = before !== null && before.key === frames.key;
  it.network = makeProbe(frames);
  beginDrift(it, same ? before : null);
  if (it.shift && !(same && it.network)) endShift(it);
  if (!same || before.lams.length !== frames.lams.length) {
    it.position = it.target = Math.max(0, asked >= 0 ? asked : frames.lams.indexOf(lam));
    it.told = it.position;
    it.motion = "rest"; it.speed = 0; it.step = -1; it.drawnAt = null;
  } else if (next.lam_turn !== before.lam_turn && it.motion !== "drag" && asked >= 0 && asked !== shown(it)) {
    it.told = asked;
    go(it, asked);
  }
  if (!same || !it.trace !== !frames.trace) it.trace = newTrace(frames);
  it.near = shown(it);
  restyle(it); words(it); numbers(it);
  if (it.shift) renewShift(it);
  redo(it);
  arriveAtScene(it);
}
