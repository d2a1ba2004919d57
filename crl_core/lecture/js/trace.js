// The trace panel: one recording and the same heart recorded otherwise; beside or below it, how far that moves the
// answers to all held-out traces along λ, with the finger's place.

/** Two boxes for pictures in w × h, beside each other where there is room, else one above the other. */
function traceBoxes(w, h, gap) {
  const stacked = w < gap * 26 && h > gap * 17, foot = gap * 1.9, left = gap * 3.1, apart = gap * 3.4;
  if (stacked) {
    const middle = h * 0.6;
    return [
      { left, right: w - gap * 0.4, top: gap * 0.7, bottom: middle - foot },
      { left, right: w - gap * 0.9, top: middle + gap * 0.4, bottom: h - foot },
    ];
  }
  const middle = w * 0.64;
  return [
    { left, right: middle, top: gap * 0.7, bottom: h - foot },
    { left: middle + apart, right: w - gap * 0.9, top: gap * 0.7, bottom: h - foot },
  ];
}

/** The axis of an edit's curve: of shares the whole of it; of effects from nothing to the largest of any edit, so that
 * two edits can be compared. */
function sizeAxis({ label, edits }) {
  if (label) return { low: 0, high: 1, kind: "linear", ticks: [0, 0.5, 1] };
  const { low, high } = axisOf(edits.flatMap((edit) => [...edit.value, ...edit.high]), { linear: true, floor: 0 });
  return { low, high: low + (high - low) * 1.08, kind: "linear" };
}

const blend = (from, to, share) => from + (to - from) * share;

const traceView = {
  still(panel, scene) {
    const { frames, style, trace } = scene, spec = frames.trace, gap = style.size, c = panel.still;
    const [box, along] = traceBoxes(panel.w, panel.h, gap), x = frames.arrays["trace.x"];
    this.samples = x.shape[2];
    const [low, high] = range(x.values), air = 0.04 * (high - low), end = (this.samples * 1000) / spec.rate;
    const ticks = niceTicks(0, end, 4).filter((t) => t < 0.9 * end); // the end is the unit's place
    const time = { low: 0, high: end, kind: "linear", lines: false, ticks };
    this.scale = axes(c, box, time, { low: low - air, high: high + air, kind: "linear" }, style);
    this.box = box; this.ms = 1000 / spec.rate;
    c.font = style.small; c.fillStyle = style.muted; c.textBaseline = "top"; c.textAlign = "right";
    write(panel, c, "ms", box.right, box.bottom + gap * 0.35);
    c.textAlign = "left"; c.textBaseline = "top";
    write(panel, c, "mV", box.left + gap * 0.3, box.top - gap * 0.3);
    this.along = null;
    const edit = editOf(frames, trace);
    if (edit) this.curve(panel, scene, edit, along);
  },
  curve(panel, scene, edit, box) {
    const { frames, style } = scene, c = panel.still, gap = style.size, L = frames.lams.length;
    const scale = axes(c, box, { low: 0, high: Math.max(1, L - 1), ticks: [] }, sizeAxis(frames.trace), style);
    const place = slots(L, box.left + gap * 0.5, box.right - gap * 0.5).place;
    c.font = style.small;
    const title = wrapped(c, edit.brief, box.right - box.left - gap, 2);
    this.along = { box, place, Y: scale.Y, values: edit.value, title };
    c.save();
    c.fillStyle = style.accent; c.globalAlpha = style.band;
    const there = edit.value.map((_, i) => i).filter((i) => finite(edit.low[i]) && finite(edit.high[i]));
    if (there.length > 1) {
      c.beginPath();
      there.forEach((i, k) => c[k ? "lineTo" : "moveTo"](place(i), scale.Y(edit.high[i])));
      there.reverse().forEach((i) => c.lineTo(place(i), scale.Y(edit.low[i])));
      c.closePath(); c.fill();
    }
    c.restore();
    c.strokeStyle = style.accent; c.lineWidth = style.bold * 0.9; c.lineJoin = "round"; c.lineCap = "round";
    line(c, L, place, scale.Y, (i) => edit.value[i]);
    c.font = style.small; c.fillStyle = style.muted; c.textBaseline = "top"; c.textAlign = "center";
    const under = box.bottom + gap * 0.35;
    for (const i of L > 1 ? [0, L - 1] : [0]) write(panel, c, `λ ${frames.lam_labels[i]}`, place(i), under);
    if (!edit.value.some(finite)) {
      c.save(); c.translate(box.left, box.top);
      note(c, { w: box.right - box.left, h: box.bottom - box.top }, "no model has an answer", style);
      c.restore();
    }
  },
  moving(panel, scene) {
    const { frames, style, trace } = scene, c = panel.moving;
    c.clearRect(0, 0, panel.w, panel.h);
    this.lines(panel, c, scene, frames.arrays["trace.x"].values, trace);
    if (this.along) this.finger(c, scene);
  },
  /** Thin and grey as recorded, bold and in the hospital's colour what the network is shown. */
  lines(panel, c, scene, x, trace) {
    const { frames, style } = scene, T = this.samples, m = countOf(frames), { X, Y } = this.scale, gap = style.size;
    const from = trace.at * T, other = ((trace.edit + 1) * m + trace.at) * T, edited = trace.come > 0;
    const across = (i) => X(i * this.ms);
    c.lineJoin = "round";
    if (edited) {
      c.globalAlpha = trace.come;
      c.strokeStyle = style.muted; c.lineWidth = style.hair * 1.2;
      line(c, T, across, Y, (i) => x[from + i]);
      c.globalAlpha = 1;
    }
    c.strokeStyle = style.envs[envOf(frames, trace)]; c.lineWidth = style.bold;
    line(c, T, across, Y, (i) => edited ? blend(x[from + i], x[other + i], trace.come) : x[from + i]);
    const entries = trace.on ? [[c.strokeStyle, style.bold, editOf(frames, trace).brief],
      [style.muted, style.hair * 1.2, "as recorded"]] : [[c.strokeStyle, style.bold, "as recorded"]];
    c.font = style.small; c.textAlign = "right"; c.textBaseline = "middle";
    entries.forEach(([colour, width, words], k) => {
      const y = this.box.top + gap * (0.5 + 1.35 * k);
      c.fillStyle = style.text;
      const [start] = write(panel, c, words, this.box.right, y, this.box.right - this.box.left);
      c.strokeStyle = colour; c.lineWidth = width;
      c.beginPath(); c.moveTo(start - gap * 1.9, y); c.lineTo(start - gap * 0.5, y); c.stroke();
    });
  },
  /** The finger's place on the curve along λ, and above it whose curve it is. */
  finger(c, scene) {
    const { style, position: p, frames } = scene, { box, place, Y, values, title } = this.along, gap = style.size;
    const x = place(p), low = Math.floor(p), high = Math.min(low + 1, frames.lams.length - 1);
    c.strokeStyle = style.text; c.lineWidth = style.hair * 1.2;
    c.beginPath(); c.moveTo(x, box.top); c.lineTo(x, box.bottom); c.stroke();
    c.font = style.small; c.textBaseline = "middle"; c.textAlign = "right";
    title.forEach((words, k) => {
      const y = box.top + gap * (0.5 + 1.3 * k);
      c.strokeStyle = style.panel; c.lineWidth = gap * 0.4; c.strokeText(words, box.right, y); // over lines
      c.fillStyle = style.text; c.fillText(words, box.right, y);
    });
    const value = between(values[low], values[high], p - low, true);
    if (!finite(value)) return;
    c.fillStyle = style.panel; c.strokeStyle = style.accent; c.lineWidth = style.bold * 0.8;
    c.beginPath(); c.arc(x, Y(value), gap * 0.42, 0, 2 * Math.PI); c.fill(); c.stroke();
  },
};

/** What is answered to the trace in view, between two models and between two recordings. */
function answerNow({ frames, trace, low, high, share }) {
  const version = (k) => blend(answerOf(frames, trace, low, k), answerOf(frames, trace, high, k), share);
  return trace.come > 0 ? blend(version(0), version(trace.edit + 1), trace.come) : version(0);
}

/** Where the trace in view lies in a picture of all rows: a ring, and from where the edit has moved it. */
function ringed(c, scene, radius, x, yBefore, yAfter = yBefore) {
  const { style } = scene, far = Math.abs(yAfter - yBefore) > radius;
  if (!finite(x) || !finite(yAfter)) return;
  c.strokeStyle = style.text; c.lineWidth = style.hair * 1.8;
  if (far) {
    c.beginPath(); c.moveTo(x, yBefore); c.lineTo(x, yAfter + Math.sign(yBefore - yAfter) * radius); c.stroke();
  }
  c.beginPath(); c.arc(x, yAfter, radius, 0, 2 * Math.PI); c.stroke();
}

/** Index of the trace in view among the rows in view; -1 where no trace is shown. */
function ringedRow(scene) {
  return showsTrace(scene.trace) ? scene.frames.arrays["trace.row"].values[scene.trace.at] : -1;
}
