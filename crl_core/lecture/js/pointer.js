// Pointer: mouse, pen and finger on the path, which is the slider.

const FLICK_MS = 60; // what the hand did before that does not count at release

function listenToPointer(it) {
  const on = (type, act) => it.plot.addEventListener(type, (event) => act(it, event), { signal: it.ending.signal });
  on("pointerdown", press);
  on("pointermove", drag);
  for (const type of ["pointerup", "pointercancel", "lostpointercapture"]) on(type, release);
}

/** Position on the grid under the pointer. */
function under(it, event) {
  return it.painters.path.positionAt(event.clientX - it.plot.getBoundingClientRect().left);
}

function press(it, event) {
  if (event.button !== 0 || it.holding !== null || !it.frames || lastIndex(it) < 1) return;
  event.preventDefault();
  it.grip.focus({ preventScroll: true });
  try { it.plot.setPointerCapture(event.pointerId); } catch { /* a synthetic pointer cannot be captured */ }
  it.holding = event.pointerId;
  halt(it);
  it.step = -1; it.motion = "drag"; it.speed = 0; it.trail = [];
  it.target = under(it, event);
  it.arrived = Math.abs(it.target - it.position) > 0.35 ? 0.11 : 0;
  it.root.classList.add("dragging");
  wake(it);
}

function drag(it, event) {
  if (event.pointerId !== it.holding) return;
  it.target = under(it, event);
  it.trail.push([event.timeStamp, it.target]);
  if (it.trail.length > 8) it.trail.shift();
  wake(it);
}

/** A flick carries on a little, at most two models; a hand at rest lets go exactly where it is. */
function release(it, event) {
  if (event.pointerId !== it.holding) return;
  it.holding = null;
  it.root.classList.remove("dragging");
  const recent = it.trail.filter(([at]) => event.timeStamp - at < FLICK_MS);
  const first = recent[0], final = recent[recent.length - 1];
  const speed = recent.length > 1 && final[0] > first[0] ? ((final[1] - first[1]) / (final[0] - first[0])) * 1000 : 0;
  const carried = it.calm.matches ? 0 : clamp(speed * 0.07, -2, 2);
  it.speed = clamp(speed, -30, 30);
  if (it.arrived <= 0) it.position = it.target;
  go(it, it.target + carried);
}
