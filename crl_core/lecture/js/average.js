// Average effects along λ, in the place of the map, where rows are a person's own and nobody knows their true effects.

const SIDES = ["left", "right", "center"]; // of the levels' names, in turn

const averageView = {
  still(panel, scene) {
    const { frames, style } = scene, c = panel.still, gap = style.size, L = frames.lams.length;
    const { ate, att, levels, picked } = frames.average;
    const box = { left: gap * 3.6, right: panel.w - gap * 0.6, top: gap * 1.2, bottom: panel.h - gap * 1.9 };
    this.box = box; this.count = L;
    this.slots = slots(L, box.left + gap * 0.6, box.right - gap * 0.6);
    const X = this.slots.place, both = att ? [ate, att] : [ate];
    const everything = both.flatMap((curve) => [...curve.value, ...curve.low, ...curve.high]);
    const { low, high } = axisOf([...everything, ...levels.map(({ value }) => value)], { linear: true });
    const room = 0.08 * (high - low);
    const y = { low: low - room, high: high + room, kind: "linear" };
    const scale = axes(c, box, { low: 0, high: Math.max(1, L - 1), ticks: [] }, y, style);
    this.Y = scale.Y;
    c.font = style.small; c.textBaseline = "bottom";
    levels.forEach(({ name, value }, k) => {
      if (!finite(value)) return;
      const side = SIDES[k % SIDES.length], at = scale.Y(value);
      const x = { left: box.left, right: box.right, center: (box.left + box.right) / 2 }[side];
      c.strokeStyle = style.muted; c.lineWidth = style.hair * 1.3; c.setLineDash([6, 5]);
      c.beginPath(); c.moveTo(box.left, at); c.lineTo(box.right, at); c.stroke();
      c.setLineDash([]); c.fillStyle = style.muted; c.textAlign = side;
      write(panel, c, name, x, at - 2, (box.right - box.left) / 2);
    });
    c.save();
    c.fillStyle = style.accent; c.globalAlpha = style.band;
    const there = ate.low.map((_, i) => i).filter((i) => finite(ate.low[i]) && finite(ate.high[i]));
    if (there.length > 1) {
      c.beginPath();
      there.forEach((i, k) => (k ? c.lineTo(X(i), scale.Y(ate.high[i])) : c.moveTo(X(i), scale.Y(ate.high[i]))));
      there.reverse().forEach((i) => c.lineTo(X(i), scale.Y(ate.low[i])));
      c.closePath(); c.fill();
    }
    c.restore();
    c.lineJoin = "round"; c.lineCap = "round";
    if (att) {
      c.strokeStyle = style.text; c.lineWidth = style.hair * 1.4;
      line(c, L, X, scale.Y, (i) => att.value[i]);
    }
    c.strokeStyle = style.accent; c.lineWidth = style.bold * 0.8;
    line(c, L, X, scale.Y, (i) => ate.value[i]);
    c.font = style.small; c.fillStyle = style.muted; c.textBaseline = "top"; c.textAlign = "center";
    const under = box.bottom + gap * 0.35;
    for (const i of L > 1 ? [0, L - 1] : [0]) write(panel, c, `λ = ${frames.lam_labels[i]}`, X(i), under);
    if (finite(picked) && picked > 0 && picked < L - 1) write(panel, c, "chosen", X(picked), under);
  },
  moving(panel, scene) {
    const { style, position: p } = scene, { ate, att } = scene.frames.average, c = panel.moving, gap = style.size;
    c.clearRect(0, 0, panel.w, panel.h);
    if (!this.Y) return;
    const x = this.slots.place(p), low = Math.floor(p), high = Math.min(low + 1, this.count - 1);
    c.strokeStyle = style.text; c.lineWidth = style.hair * 1.2;
    c.beginPath(); c.moveTo(x, this.box.top); c.lineTo(x, this.box.bottom); c.stroke();
    for (const [curve, colour, radius] of [[att, style.text, 0.22], [ate, style.accent, 0.34]]) {
      const value = curve ? between(curve.value[low], curve.value[high], p - low, true) : NaN;
      if (!finite(value)) continue;
      c.fillStyle = style.panel; c.strokeStyle = colour; c.lineWidth = style.bold * 0.6;
      c.beginPath(); c.arc(x, this.Y(value), gap * radius, 0, 2 * Math.PI); c.fill(); c.stroke();
    }
  },
};
