// The full screen: two large panels, the story's and the path, the others small; presets, scenes and Train within it;
// the keys as a list.

const PATIENCE_MS = 5000; // for a world that was chosen

const isFull = (it) => it.root.matches(":fullscreen");

/** Which panel is large beside the path: what the story points at, else what was chosen last. */
function stageView(it) {
  const told = it.step >= 0 && it.frames.story[it.step] ? viewOf(it.frames.story[it.step]) : null;
  return told && told !== "path" ? told : it.staged;
}

function arrange(it) {
  const view = stageView(it);
  if (it.root.dataset.stage !== view) { it.root.dataset.stage = view; if (isFull(it)) redo(it); }
}

function putOnStage(it, view) {
  it.staged = view;
  it.step = -1;
  if (it.large) enlarge(it, it.large);
  arrange(it); numbers(it); repaint(it);
}

/** What the page offers in full screen: presets by title, scenes, and Train where something is not trained. */
function offers(it) {
  const stage = it.frames.stage, select = it.$(".preset");
  it.$(".offers").hidden = !stage;
  it.$(".keys").classList.toggle("lone", !stage);
  if (!stage) return;
  select.replaceChildren(...stage.presets.map(({ id, title }) => new Option(title, id, false, id === stage.preset)));
  const train = it.$("[data-do=go]"), at = stage.scenes.findIndex(({ preset }) => preset === stage.preset);
  train.disabled = !stage.cost;
  train.title = stage.cost || "Already trained, or in training.";
  it.$("[data-do=scene]").textContent = at >= 0 ? `Scene ${at + 1} of ${stage.scenes.length}` : "Scenes";
}

/** Whether another world is on its way: what the page is told meanwhile would bring back the one before. */
const awaits = ({ awaited, frames }) =>
  !!awaited && awaited.preset !== (frames.stage || {}).preset && performance.now() < awaited.until;

/** The world that is there, or on its way. */
const worldOf = (it) => (awaits(it) ? it.awaited.preset : it.frames.stage.preset);

function chooseWorld(it, preset) {
  if (!it.hooks.choose || preset === worldOf(it)) return;
  it.awaited = { preset, until: performance.now() + PATIENCE_MS };
  it.hooks.choose(preset);
}

/** The next scene, or the one before, is told from its first step, as soon as its run is there. */
function turnScene(it, by) {
  const stage = it.frames.stage;
  if (!stage || !stage.scenes.length) return;
  const at = stage.scenes.findIndex(({ preset }) => preset === worldOf(it)), count = stage.scenes.length;
  it.scene = stage.scenes[(at < 0 && by < 0 ? count - 1 : at + by + count) % count].preset;
  if (it.scene === worldOf(it)) tell(it, 0); else chooseWorld(it, it.scene);
}

function arriveAtScene(it) {
  if (it.awaited && it.frames.stage && it.frames.stage.preset === it.awaited.preset) it.awaited = null;
  if (!it.scene || !it.frames.stage || it.frames.stage.preset !== it.scene || !it.frames.story.length) return;
  it.scene = null;
  tell(it, 0);
}

function showKeys(it, open) {
  it.$(".keys").hidden = !open;
  it.$("[data-do=keys]").setAttribute("aria-expanded", String(open));
  (open ? it.$(".keys button") : it.grip).focus({ preventScroll: true });
}
