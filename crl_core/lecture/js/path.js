// The metric curves along λ. The cursor on them is the handle: this picture is the slider.

const pathView = {
  lanes(frames, tall) {
    return (tall ? frames.all_lanes : frames.lanes).map((name) => ({ name, ...frames.metrics[name] }));
  },
  still(panel, scene) {
    const { frames, style } = scene, c = panel.still, gap = style.size, L = frames.lams.length;
    const gutter = gap * 11.6, left = gap * 5.4, right = panel.w - gutter - gap, bottom = panel.h - gap * 1.9;
    this.count = L;
    this.slots = slots(L, left, right);
    this.X = this.slots.place;
    const tall = panel.h > gap * 26, lanes = this.lanes(frames, tall);
    const shares = lanes.map((_, k) => (tall ? (k === 0 ? 1.5 : 1) : k === 0 ? 2.6 : 1));
    const sum = shares.reduce((a, b) => a + b, 0), between = gap * (tall ? 1.4 : 0.75), top = gap * 1.5;
    const room = bottom - top - between * (lanes.length - 1);
    let y = top;
    this.drawn = lanes.map((lane, k) => {
      const h = (room * shares[k]) / sum, box = { left, right, top: y, bottom: y + h };
      y += h + between;
      return this.lane(panel, lane, box, frames, style, k === 0);
    });
    // λ labels: as many as fit
    c.font = style.small; c.fillStyle = style.muted; c.textAlign = "center"; c.textBaseline = "top";
    let taken = -Infinity;
    for (const { at, label } of frames.lam_ticks) {
      const width = c.measureText(label).width, from = this.X(at) - width / 2;
      if (from < taken + gap) continue;
      c.fillText(label, this.X(at), bottom + gap * 0.55);
      taken = from + width;
    }
    c.textAlign = "left"; c.fillText("λ", right + gap * 2.4, bottom + gap * 0.55);
    this.bottom = bottom; this.top = top;
  },
  lane(panel, lane, box, frames, style, main) {
    const L = frames.lams.length, X = this.X, gap = style.size, c = panel.still;
    const earlier = main && frames.earlier ? frames.earlier.values : [];
    const before = main && frames.before && frames.before.at.length > 1 ? frames.before : null; // the run seen before
    const level = main && lane.name === "ite_rmse" && frames.unpenalised ? frames.unpenalised.value : null;
    const everything = [lane.value, lane.low, lane.high, earlier, before ? before.value : [], [level]].flat(2);
    const y = axisOf(everything, { ...lane, least: 3, room: [0.85, 1.18] });
    if (y.kind === "log") y.ticks = logTicks(y.low, y.high, (box.bottom - box.top) / (gap * (main ? 1.9 : 1.3)));
    // the handle never covers a tick's text
    const aired = { ...box, left: box.left - gap * 1.5, right: box.right + gap * 0.6 };
    const across = { low: 0, high: Math.max(1, L - 1), ticks: [] };
    const scale = axes(c, aired, across, y, style);
    const colour = main ? style.accent : style.text;
    c.save();
    c.fillStyle = colour; c.globalAlpha = style.band;
    for (let i = 0, run = []; i <= L; i++) { // the band, broken where a model has no numbers
      if (i < L && finite(lane.low[i]) && finite(lane.high[i])) { run.push(i); continue; }
      if (run.length > 1) {
        c.beginPath();
        run.forEach((j, k) => (k ? c.lineTo(X(j), scale.Y(lane.high[j])) : c.moveTo(X(j), scale.Y(lane.high[j]))));
        run.reverse().forEach((j) => c.lineTo(X(j), scale.Y(lane.low[j])));
        c.closePath(); c.fill();
      }
      run = [];
    }
    c.restore();
    if (finite(level) && level > 0) { // the best baseline
      c.strokeStyle = style.muted; c.lineWidth = style.hair * 1.4; c.setLineDash([6, 5]);
      c.beginPath(); c.moveTo(box.left, scale.Y(level)); c.lineTo(box.right, scale.Y(level)); c.stroke();
      c.setLineDash([]);
      c.font = style.small; c.fillStyle = style.muted; c.textAlign = "right"; c.textBaseline = "bottom";
      write(panel, c, "best without a penalty", box.right, scale.Y(level) - 2, box.right - box.left);
    }
    c.strokeStyle = style.faint; c.lineWidth = style.hair;
    for (const epoch of earlier) line(c, L, X, scale.Y, (i) => epoch[i]);
    if (before) this.before(panel, before, lane, box, scale, style);
    c.strokeStyle = colour; c.lineWidth = main ? style.bold : style.bold * 0.55;
    c.lineJoin = "round"; c.lineCap = "round";
    line(c, L, X, scale.Y, (i) => lane.value[i]);
    c.fillStyle = colour;
    for (let i = 0; i < L; i++)
      if (finite(lane.value[i])) {
        const r = main ? style.bold * 0.95 : style.bold * 0.6;
        c.beginPath(); c.arc(X(i), scale.Y(lane.value[i]), r, 0, 2 * Math.PI); c.fill();
      } else if (frames.status[i] > 0) {
        c.strokeStyle = style.bad; c.lineWidth = style.hair * 1.6;
        const r = gap * 0.32, x = X(i), y = box.bottom - r - 1;
        c.beginPath(); c.moveTo(x - r, y - r); c.lineTo(x + r, y + r);
        c.moveTo(x + r, y - r); c.lineTo(x - r, y + r); c.stroke();
      }
    if (main)
      for (let i = 0; i < L; i++)
        if (frames.status[i] === 2 && finite(lane.value[i])) { // collapsed: has numbers, and says so
          c.strokeStyle = style.bad; c.lineWidth = style.hair * 1.6;
          c.beginPath(); c.arc(X(i), scale.Y(lane.value[i]), gap * 0.45, 0, 2 * Math.PI); c.stroke();
        }
    c.font = style.small; c.fillStyle = style.muted; c.textAlign = "left"; c.textBaseline = "middle";
    const middle = (box.top + box.bottom) / 2;
    const stacked = box.bottom - box.top > gap * 3;
    const beside = box.right + gap * 2.1, room = panel.w - beside - (stacked ? 0 : gap * 4); // the figure's own place
    write(panel, c, lane.label, beside, stacked ? middle - gap * 0.75 : middle, room);
    return { lane, scale, box, colour, main, middle, stacked };
  },
  /** The curve of the run seen before the change, dashed, and its name where it is furthest from the new one. */
  before(panel, { at, value }, lane, box, scale, style) {
    const c = panel.still, X = (i) => this.X(at[i]);
    const lower = (i) => scale.Y(value[i]) - scale.Y(this.between(lane, at[i])); // than the new curve, in pixels
    c.save();
    c.strokeStyle = style.muted; c.lineWidth = style.bold * 0.7; c.setLineDash([7, 5]);
    line(c, at.length, X, scale.Y, (i) => value[i]);
    c.restore();
    const apart = at.map((_, i) => Math.abs(lower(i) || 0));
    const i = apart.reduce((most, v, k) => (v > apart[most] ? k : most), 0);
    c.font = style.small; c.fillStyle = style.muted; c.textAlign = X(i) > (box.left + box.right) / 2 ? "right" : "left";
    c.textBaseline = lower(i) > 0 ? "top" : "bottom";
    write(panel, c, "before the change", X(i), scale.Y(value[i]) + (lower(i) > 0 ? 4 : -4), box.right - box.left);
  },
  /** Height of a lane's line at a position between two grid values: straight from model to model. */
  between(lane, p) {
    const low = Math.floor(p), high = Math.min(low + 1, this.count - 1);
    return between(lane.value[low], lane.value[high], p - low, lane.linear);
  },
  moving(panel, scene) {
    const { style } = scene, c = panel.moving, gap = style.size, p = scene.position, x = this.X(p);
    c.clearRect(0, 0, panel.w, panel.h);
    if (!this.drawn || !this.drawn.length) return note(c, panel, "curves appear with the first epoch", style);
    if (scene.shifted) {
      const main = this.drawn[0];
      c.strokeStyle = style.text; c.lineWidth = style.bold * 0.7; c.setLineDash([7, 5]);
      line(c, this.count, this.X, main.scale.Y, (i) => scene.shifted[i]);
      c.setLineDash([]);
    }
    c.strokeStyle = style.text; c.lineWidth = style.hair * 1.2;
    c.beginPath(); c.moveTo(x, this.top - gap * 0.4); c.lineTo(x, this.bottom); c.stroke();
    // the model whose numbers are written
    const at = this.X(scene.near), under = this.bottom + gap * 0.5;
    c.beginPath(); c.moveTo(at, this.bottom); c.lineTo(at - gap * 0.36, under); c.lineTo(at + gap * 0.36, under);
    c.closePath(); c.fillStyle = style.text; c.fill();
    c.textBaseline = "middle";
    for (const { lane, scale, colour, box, main, middle, stacked } of this.drawn) {
      c.textAlign = "left"; c.font = style.strong; c.fillStyle = style.text;
      const text = figure(lane.value[scene.near]);
      if (stacked) c.fillText(text, box.right + gap * 2.1, middle + gap * 0.75);
      else { c.textAlign = "right"; c.fillText(text, panel.w - 2, middle); }
      const v = this.between(lane, p), y = finite(v) ? scale.Y(v) : box.bottom;
      if (main) this.handle = { x, y };
      else if (finite(v)) {
        c.fillStyle = style.panel; c.strokeStyle = colour; c.lineWidth = style.bold * 0.6;
        c.beginPath(); c.arc(x, y, gap * 0.28, 0, 2 * Math.PI); c.fill(); c.stroke();
      }
    }
    const grip = gap * (scene.dragging ? 1.05 : 0.9);
    c.lineWidth = style.bold * 1.35; c.strokeStyle = style.accent; c.fillStyle = style.panel;
    c.beginPath(); c.arc(this.handle.x, this.handle.y, grip, 0, 2 * Math.PI); c.fill(); c.stroke();
    if (scene.focused) {
      c.strokeStyle = style.text; c.lineWidth = style.hair * 1.8;
      c.beginPath(); c.arc(this.handle.x, this.handle.y, grip + style.bold * 1.9, 0, 2 * Math.PI); c.stroke();
    }
  },
  /** Position on the grid under a pointer, in index units. */
  positionAt(px) {
    return this.slots ? this.slots.at(px) : 0;
  },
};
