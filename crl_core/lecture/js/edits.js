// One trace and its edit: which trace is shown, whether it is shown as recorded or as an edit has it, what is said of
// both, and how that is changed. `trace` of a scrubber is null where its run has no traces.

const MORPH_S = 0.25; // in which one recording becomes the other

/** What a scrubber knows of its trace panel when a run comes. face: what the panel shows where it also has a map. */
function newTrace(frames) {
  if (!frames.trace) return null;
  return { at: frames.trace.first, edit: 0, on: false, come: 0, face: "trace" };
}

const LOST = { 1: "diverged at this λ: it answers nothing", 2: "collapsed at this λ: the same answer to every trace" };
const countOf = (frames) => frames.arrays["trace.x"].shape[1];
const editOf = (frames, trace) => frames.trace.edits[trace.edit] || null;
const envOf = (frames, trace) => frames.arrays["trace.env"].values[trace.at];
const showsTrace = (trace) => !!trace && trace.face === "trace";

/** What model `m` answers to the trace in view as recorded (version 0), or as edit k - 1 has it (version k). */
function answerOf(frames, trace, m, version) {
  const { shape, values } = frames.arrays["trace.answers"];
  return values[(version * shape[1] + m) * shape[2] + trace.at];
}

/** A chance or an effect in figures that keep their width. */
function answerText(value) {
  if (!finite(value)) return "–";
  if (Math.abs(value) >= 99.995) return figure(value);
  return value.toFixed(2).replace("-0.00", "0.00").replace("-", "−");
}

/** A share in per cent, an effect in its own unit. */
function sizeText(value, label) {
  if (!finite(value)) return "–";
  if (!label) return figure(value);
  return `${value >= 0.0995 || value === 0 ? Math.round(100 * value) : (100 * value).toFixed(1)} %`;
}

const yes = (chance) => (chance > 0.5 ? "yes" : "no");

/** The truth of the trace in view, as far as it is known. */
function truthText(frames, trace) {
  const known = frames.arrays["trace.truth"], value = known ? known.values[trace.at] : NaN;
  if (!finite(value)) return "";
  return frames.trace.label ? `the label is ${yes(value)}` : `simulated truth ${answerText(value)}`;
}

/** What is written of the trace in view by model `m`: { answer, of, size, ofAll }. */
function traceWords(frames, trace, m) {
  const { label, held_out: n, idle } = frames.trace, edit = editOf(frames, trace);
  const before = answerOf(frames, trace, m, 0), after = edit ? answerOf(frames, trace, m, trace.edit + 1) : NaN;
  const what = label ? "chance of yes" : "effect τ̂", truth = truthText(frames, trace);
  let says = what;
  if (edit && trace.on && finite(before) && finite(after)) {
    const flips = yes(before) !== yes(after), moves = answerText(after - before);
    if (label) says = flips ? `flips: ${yes(before)} → ${yes(after)}` : `stays ${yes(before)}`;
    else says = `moves ${after > before ? "+" : ""}${moves}`;
  }
  says = LOST[frames.status[m]] || says;
  return {
    answer: trace.on && edit ? `${answerText(before)} → ${answerText(after)}` : answerText(before),
    of: truth ? `${says}; ${truth}` : says,
    size: sizeText(edit ? edit.value[m] : NaN, label),
    ofAll: !edit ? idle : label ? `of ${n} labels flip` : "RMS change of τ̂",
  };
}

/** The same for an ear: the trace, whose it is, and both numbers. */
function traceHeard(frames, trace, m) {
  const { answer, of, ofAll } = traceWords(frames, trace, m), edit = editOf(frames, trace);
  const all = edit ? sizeHeard(frames, trace, m) : ofAll;
  const which = `Trace ${trace.at + 1} of ${countOf(frames)}, ${frames.envs[envOf(frames, trace)]}`;
  const how = edit && trace.on ? edit.name : "as recorded";
  return `${which}, ${how}: ${answer.replace("→", "to")}, ${of.replace("→", "to")}. ${all}`;
}

/** Of the model in view, for who hears λ move; empty where nothing can be moved. */
function sizeHeard(frames, trace, m) {
  const edit = editOf(frames, trace);
  if (!edit || !finite(edit.value[m])) return "";
  const size = sizeText(edit.value[m], frames.trace.label);
  return frames.trace.label ? `${size} of labels flip ${edit.name}` : `effects move by ${size} ${edit.name}`;
}

// ---- what is done --------------------------------------------------------------------------------------------------

/** Another trace, onwards or back; after the last comes the first. */
function stepTrace(it, by) {
  if (!it.trace) return;
  turnFace(it, "trace");
  const count = countOf(it.frames);
  it.trace.at = (it.trace.at + by + count) % count;
  traceChanged(it);
}

/** Shows the trace as edit k has it; the same again shows it as recorded. */
function toggleEdit(it, k) {
  if (!it.trace || !it.frames.trace.edits[k]) return;
  turnFace(it, "trace");
  const same = it.trace.edit === k;
  it.trace.on = !(same && it.trace.on);
  if (!same) { it.trace.edit = k; it.trace.come = 0; redo(it); } // another curve along λ
  traceChanged(it);
}

/** The trace or the map, where a run has both. */
function turnFace(it, face) {
  if (!it.trace || !it.frames.map || it.trace.face === face) return;
  it.trace.face = face;
  faceWords(it);
  traceChanged(it);
  redo(it);
}

/** What a step of the story asks of the panel. */
function traceOfStep(it, step) {
  if (!it.trace) return;
  if (step.point === "map" || step.point === "trace") turnFace(it, step.point);
  if ("edit" in step && it.frames.trace.edits.length) { it.trace.on = step.edit; traceChanged(it); }
}

function traceChanged(it) {
  traceFigures(it);
  put(it, ".heard", traceHeard(it.frames, it.trace, it.near));
  repaint(it);
}

/** One step of `dt` seconds of one recording becoming the other. */
function morph(it, dt) {
  if (!morphing(it)) return;
  const { trace } = it, step = it.calm.matches ? 1 : dt / MORPH_S;
  trace.come = trace.on ? Math.min(1, trace.come + step) : Math.max(0, trace.come - step);
  it.dirty = true;
}

const morphing = ({ trace }) => !!trace && trace.come !== (trace.on ? 1 : 0);

// ---- what is written -----------------------------------------------------------------------------------------------

/** Buttons of the panel, as long as the run stays. */
function traceButtons(it) {
  const { $, frames, trace } = it;
  $(".edits").replaceChildren(...(trace ? frames.trace.edits : []).map(({ name, brief }, k) => {
    const button = document.createElement("button");
    Object.assign(button, { type: "button", textContent: brief, title: name });
    button.dataset.do = "edit"; button.dataset.edit = k;
    return button;
  }));
  $(".face").hidden = !trace || !frames.map;
  faceWords(it);
}

/** Title, caption and parts of the face that the panel shows. */
function faceWords(it) {
  const { $, frames, trace, root } = it, has = showsTrace(trace);
  if (has) root.dataset.traced = ""; else delete root.dataset.traced;
  $(".traced").hidden = !has;
  $(".face").textContent = has ? "Map" : "Trace";
  $(".face").title = has ? "What the model believes over z and s, key T" : "One trace and its edit, key T";
  panelWords(it, "map", frames.captions[has ? "trace" : "map"]);
}

/** Numbers and words of the model in view. */
function traceFigures(it) {
  const { $, frames, trace, near } = it;
  if (!showsTrace(trace)) return;
  const { answer, of, size, ofAll } = traceWords(frames, trace, near), env = envOf(frames, trace);
  put(it, "[data-traced=answer]", answer);
  put(it, "[data-traced=of]", of);
  put(it, "[data-traced=size]", size);
  put(it, "[data-traced=of-all]", ofAll);
  $(".share").hidden = !frames.trace.edits.length && !ofAll;
  put(it, ".which", `${envLabel(frames, frames.envs[env])} ${trace.at + 1}/${countOf(frames)}`);
  $(".which").style.setProperty("--dot", `var(--env${env})`);
  for (const button of $(".edits").children) {
    const pressed = trace.on && Number(button.dataset.edit) === trace.edit;
    button.setAttribute("aria-pressed", String(pressed));
  }
}
