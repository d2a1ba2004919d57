// σ under the finger: what each trained network predicts for the same units with another σ, and what that costs.

function openShift(it) {
  const { frames, network } = it;
  if (!network) return;
  it.shift = {
    sigma: [...frames.probe.sigma],
    predicted: new Float32Array(frames.n), // by the model that is shown
    errors: [], // of every model; undefined until it is known
    pending: [], // models whose error is still to come
    plane: network.plane,
    spare: new Float32Array(frames.n),
  };
  it.$(".sliders").replaceChildren(...frames.envs.map((name, e) => sigmaSlider(it, name, e)));
  showShift(it, true);
  probeAll(it);
}

/** More of the same run came, and with it a network that has yet to hear of the σ in force. */
function renewShift(it) {
  it.shift.plane = it.network.plane;
  probeAll(it);
}

function endShift(it) {
  it.shift = null;
  showShift(it, false);
}

function leaveShift(it) {
  endShift(it);
  numbers(it); repaint(it);
}

function showShift(it, open) {
  it.$(".shift").hidden = !open;
  it.$("[data-do=shift]").setAttribute("aria-pressed", String(open));
  it.root.classList.toggle("shifting", open);
  it.stale = true;
}

function sigmaSlider(it, name, e) {
  const label = document.createElement("label"), input = document.createElement("input");
  const value = document.createElement("output"), dot = document.createElement("span");
  const sigma = it.frames.probe.sigma[e];
  Object.assign(input, { type: "range", min: 0, max: Math.max(3, sigma), step: 0.05, value: sigma });
  input.setAttribute("aria-label", `σ of ${name}`);
  const show = () => { value.textContent = Number(input.value).toFixed(2); };
  input.addEventListener("input", () => { it.shift.sigma[e] = Number(input.value); show(); probeAll(it); });
  show();
  dot.className = "chip"; dot.style.setProperty("--dot", `var(--env${e})`);
  dot.textContent = envLabel(it.frames, name);
  label.append(dot, input, value);
  return label;
}

/** Another σ: the model in view at once, the others in the frames to come. */
function probeAll(it) {
  it.network.shift(it.shift.sigma);
  it.shift.pending = it.frames.lams.map((_, i) => i).filter((i) => i !== it.near && drawable(it.frames, i));
  predictShifted(it);
  repaint(it);
}

function predictShifted(it) {
  const { shift, network, near } = it;
  if (!drawable(it.frames, near)) return shift.predicted.fill(NaN);
  network.effects(near, shift.predicted);
  if (network.hasTruth) shift.errors[near] = network.error(shift.predicted);
  numbers(it);
}

/** One more λ of the dashed curve each frame, so that the finger is never kept waiting. */
function probeOne(it) {
  const { shift, network } = it;
  if (!network.hasTruth) { shift.pending = []; return; }
  const index = shift.pending.shift();
  shift.errors[index] = network.error(network.effects(index, shift.spare));
}

function probeText(it) {
  const { frames, network, near } = it;
  if (!drawable(frames, near)) return frames.readings[near];
  const still = it.shift.sigma.every((sigma, e) => sigma === frames.probe.sigma[e]);
  it.root.classList.toggle("moved", !still);
  if (still) return "Move a σ: units that the model never saw come from there; the picture says what it makes of them.";
  const text = "Distribution-shift probe: this model never saw these data.";
  if (!network.hasTruth) return text;
  const here = figure(it.shift.errors[near]), error = frames.metrics.ite_rmse,
    before = figure((error.own || error.value)[near]);
  return `${text} Effect error ${here} here, ${before} on data like its own.`;
}

/** A figure for the shifted rows; a dash where it is not known for them. */
function shiftedFigure(it, name) {
  return name === "ite_rmse" && it.network.hasTruth ? figure(it.shift.errors[it.near]) : "–";
}
