// Motion: where the position is, and how it gets where it is wanted: by hand, by a spring, or by itself.

const STIFFNESS = 19; // 1/s, of a critically damped spring: settles in about a fifth of a second

const lastIndex = (it) => it.frames.lams.length - 1;
const shown = (it) => clamp(Math.round(it.position), 0, lastIndex(it));

/** One step of `dt` seconds. */
function move(it, dt) {
  if (it.motion === "drag") follow(it, dt);
  else if (it.motion === "spring") swing(it, dt);
  else if (it.motion === "play") advance(it, dt);
}

/** The first touch may be far from the handle: catch up quickly rather than jump, then stick to the finger. */
function follow(it, dt) {
  if (!it.calm.matches && it.arrived > 0) {
    it.arrived -= dt;
    it.position += (it.target - it.position) * (1 - Math.exp(-dt / 0.028));
    if (it.arrived > 0) return;
  }
  it.position = it.target;
}

function swing(it, dt) {
  if (it.calm.matches) { it.position = it.target; it.speed = 0; }
  for (let left = dt; left > 1e-9; left -= 0.004) {
    const h = Math.min(0.004, left);
    it.speed += (STIFFNESS * STIFFNESS * (it.target - it.position) - 2 * STIFFNESS * it.speed) * h;
    it.position += it.speed * h;
  }
  it.position = clamp(it.position, 0, lastIndex(it));
  if (Math.abs(it.target - it.position) < 0.004 && Math.abs(it.speed) < 0.05) rest(it);
}

function advance(it, dt) {
  const end = lastIndex(it);
  it.played += dt / PACES[it.pace][1];
  const reached = Math.min(end, it.playFrom + it.played);
  it.position = it.calm.matches ? Math.floor(reached) : reached;
  if (reached >= end) { it.position = end; halt(it); settled(it); }
}

/** To a model of the grid, with whatever speed the hand has left. */
function go(it, index) {
  halt(it);
  it.target = clamp(Math.round(index), 0, lastIndex(it));
  it.arrived = 0;
  if (it.calm.matches) rest(it); else it.motion = "spring";
  wake(it);
}

function rest(it) {
  it.position = it.target; it.speed = 0; it.motion = "rest";
  settled(it);
}

/** Tells the page where the position came to rest, once. */
function settled(it) {
  const index = shown(it);
  if (index === it.told || awaits(it)) return;
  it.told = index;
  it.hooks.settled(it.frames.lams[index], index);
}

/** Plays to the end, from the start if it is there already; pressed again, it comes to rest on a model. */
function play(it) {
  if (it.motion === "play") { halt(it); return go(it, shown(it)); }
  if (lastIndex(it) < 1) return;
  it.step = -1;
  it.position = it.playFrom = shown(it) >= lastIndex(it) ? 0 : it.position;
  it.played = 0; it.speed = 0; it.motion = "play";
  labelPlay(it, "Pause", true);
  wake(it);
}

function halt(it) {
  if (it.motion === "play") it.motion = "rest";
  labelPlay(it, "Play", false);
}

function labelPlay(it, word, pressed) {
  const button = it.$("[data-do=play]");
  button.textContent = word;
  button.setAttribute("aria-pressed", String(pressed));
}

/** To a step of the story. */
function tell(it, to) {
  if (!it.frames.story.length) return;
  it.step = clamp(to, 0, it.frames.story.length - 1);
  traceOfStep(it, it.frames.story[it.step]);
  go(it, it.frames.story[it.step].index);
  numbers(it); repaint(it);
}
