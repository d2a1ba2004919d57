// The four views above the slider. Each has `still` (on resize, theme or new data) and `moving` (each painted frame).
// scene: { frames, style, low, high, share, near, mid, probe }: low/high are the two trained models that the
// position lies between, share how far the glide has come, near the model whose numbers are shown.

function drawable(frames, index) {
  return frames.status[index] !== 1; // a diverged model has no numbers at all
}

function waiting(scene) {
  if (scene.frames.state === "training" && !scene.frames.arrays.xy) return "appears with the first epoch";
  if (drawable(scene.frames, scene.near)) return "";
  const none = scene.frames.status.every((code) => code === 1);
  if (none) return "Every λ diverged in training: there is no model to draw.";
  return "This λ diverged in training: there is no model to draw. The λ beside it are unharmed.";
}

/** Copies of sprites at [n, 2] points that glide from frame `a` to frame `b`. */
function drawPoints(c, scene, sprite, x, y) {
  const { order, n, arrays } = scene.frames, env = arrays.env.values, t = arrays.t.values;
  const half = sprite.side / 2, side = sprite.side, pictures = sprite.canvases;
  for (let o = 0; o < n; o++) {
    const i = order[o], px = x(i), py = y(i);
    if (px === px && py === py) c.drawImage(pictures[2 * env[i] + t[i]], px - half, py - half, side, side);
  }
}

const latentView = {
  still(panel, scene) {
    const { frames, style } = scene;
    const xy = frames.arrays.xy;
    if (!xy) { this.sprite = null; return; }
    const radius = style.radius * clamp(Math.min(panel.w, panel.h) / 300, 0.75, 1.8);
    this.sprite = sprites(style.envs, radius, panel.ratio, style.alpha);
    Object.assign(this, isotropic(frames.latent.extent, panel.w, panel.h, this.sprite.side));
  },
  moving(panel, scene) {
    const c = panel.moving, message = waiting(scene) || (this.sprite ? "" : "no picture of the latents yet");
    c.clearRect(0, 0, panel.w, panel.h);
    if (message) return note(c, panel, message, scene.style);
    const xy = scene.frames.arrays.xy.values, n = scene.frames.n, f = scene.share;
    const a = scene.low * n * 2, b = scene.high * n * 2;
    const { scale, x0, y0 } = this;
    const X = (i) => x0 + scale * (xy[a + 2 * i] + (xy[b + 2 * i] - xy[a + 2 * i]) * f);
    const Y = (i) => y0 - scale * (xy[a + 2 * i + 1] + (xy[b + 2 * i + 1] - xy[a + 2 * i + 1]) * f);
    drawPoints(c, scene, this.sprite, X, Y);
    nameClouds(c, panel, scene, X, Y);
    const row = ringedRow(scene);
    if (row >= 0) ringed(c, scene, this.sprite.side, X(row), Y(row));
  },
};

/** Each environment's last word in the middle of its points: whose they are, also for who cannot tell the colours. */
function nameClouds(c, panel, { frames, style }, X, Y) {
  const env = frames.arrays.env.values, words = frames.envs.map((name) => name.split(" ").pop().slice(0, 12));
  if (words.length < 2) return;
  const x = words.map(() => 0), y = words.map(() => 0), count = words.map(() => 0);
  for (let i = 0; i < frames.n; i++) {
    const px = X(i), py = Y(i);
    if (px === px && py === py) { x[env[i]] += px; y[env[i]] += py; count[env[i]] += 1; }
  }
  c.font = style.strong; c.textAlign = "center"; c.textBaseline = "middle"; c.lineJoin = "round";
  c.strokeStyle = style.panel; c.lineWidth = style.size * 0.35; c.fillStyle = style.text;
  const middles = spaced(y.map((sum, e) => sum / count[e]), style.size * 1.5, style.size, panel.h - style.size);
  words.forEach((word, e) => {
    if (!count[e]) return;
    const half = c.measureText(word).width / 2, at = clamp(x[e] / count[e], half, panel.w - half);
    c.strokeText(word, at, middles[e]); c.fillText(word, at, middles[e]);
  });
}

/** A box as wide as it is high, in the middle of the one it was. */
function squared(box) {
  const w = box.right - box.left, h = box.bottom - box.top, spare = Math.abs(w - h) / 2;
  if (w > h) { box.left += spare; box.right -= spare; } else { box.top += spare; box.bottom -= spare; }
}

/** How many rows of a model lie beyond each end of the axis of predictions, in words; "" where none does. */
function beyond({ scatter: spec, arrays, n }, i) {
  if (!spec || !arrays.ite_hat) return "";
  const values = arrays.ite_hat.values, from = i * n;
  const hair = (spec.high - spec.low) / 65000; // they are sent clipped to the axis
  let over = 0, under = 0;
  for (let k = from; k < from + n; k++) {
    if (values[k] >= spec.high - hair) over++; else if (values[k] <= spec.low + hair) under++;
  }
  const said = [over && `${over} above`, under && `${under} below`].filter(Boolean).join(", ");
  return said && `. Beyond the axis: ${said}`;
}

const effectView = {
  still(panel, scene) {
    const { frames, style } = scene, c = panel.still, spec = frames.scatter;
    this.sprite = null;
    if (!spec) return;
    const gap = style.size, bottom = panel.h - gap * (spec.by_env ? 2 : 3);
    const box = { left: gap * 2.6, top: gap * 0.6, right: panel.w - gap * 0.8, bottom };
    if (!spec.by_env) squared(box); // the line of truth rises by 45°
    const radius = style.radius * clamp(Math.min(panel.w, panel.h) / 330, 0.7, 1.5);
    this.sprite = sprites(style.envs, radius, panel.ratio, style.alpha);
    const y = { low: spec.low, high: spec.high };
    if (spec.by_env) {
      const E = frames.envs.length;
      const scale = axes(c, box, { low: 0, high: E, ticks: [] }, y, style);
      c.textAlign = "center"; c.textBaseline = "top"; c.fillStyle = style.muted;
      const room = (box.right - box.left) / E - gap * 0.5, under = box.bottom + gap * 0.35;
      const names = E <= 4 ? namesIn(c, frames.envs, room) : [];
      names.forEach((name, e) => write(panel, c, name, scale.X(e + 0.5), under, room));
      this.Y = scale.Y;
      const width = (box.right - box.left) / E, env = frames.arrays.env.values;
      const spread = (i) => 0.15 + 0.7 * ((i * 0.618034) % 1); // beside each other rather than on top
      this.px = Float32Array.from({ length: frames.n }, (_, i) => box.left + width * (env[i] + spread(i)));
      if (finite(spec.truth)) this.truth(c, style, [box.left, scale.Y(spec.truth)], [box.right, scale.Y(spec.truth)]);
    } else {
      const scale = axes(c, box, { low: spec.low, high: spec.high }, y, style), ite = frames.arrays.ite.values;
      c.textAlign = "right"; c.textBaseline = "bottom"; c.fillStyle = style.muted;
      write(panel, c, "true effect →", box.right, Math.min(panel.h - 1, box.bottom + gap * 2.6));
      c.textAlign = "left"; c.textBaseline = "top";
      if (panel.h > gap * 12) write(panel, c, "↑ predicted", box.left + gap * 0.4, box.top);
      this.Y = scale.Y;
      this.px = Float32Array.from(ite, (v) => scale.X(clamp(v, spec.low, spec.high)));
      this.truth(c, style, [scale.X(spec.low), scale.Y(spec.low)], [scale.X(spec.high), scale.Y(spec.high)]);
    }
  },
  truth(c, style, from, to) {
    c.strokeStyle = style.truth; c.lineWidth = style.hair * 1.3;
    c.beginPath(); c.moveTo(...from); c.lineTo(...to); c.stroke();
  },
  moving(panel, scene) {
    const c = panel.moving, message = waiting(scene);
    c.clearRect(0, 0, panel.w, panel.h);
    if (message) return note(c, panel, message, scene.style);
    if (!this.sprite) return;
    const { px, Y } = this, spec = scene.frames.scatter;
    if (scene.probe) {
      const hat = scene.probe.predicted;
      return drawPoints(c, scene, this.sprite, (i) => px[i], (i) => Y(clamp(hat[i], spec.low, spec.high)));
    }
    const hat = scene.frames.arrays.ite_hat.values, n = scene.frames.n, f = scene.share;
    const a = scene.low * n, b = scene.high * n;
    const at = (i) => Y(hat[a + i] + (hat[b + i] - hat[a + i]) * f), row = ringedRow(scene);
    drawPoints(c, scene, this.sprite, (i) => px[i], at);
    if (row >= 0) ringed(c, scene, this.sprite.side, px[row], at(row), Y(clamp(answerNow(scene), spec.low, spec.high)));
  },
};

const mapView = {
  still(panel, scene) {
    const { frames, style } = scene, c = panel.still, spec = frames.map;
    this.images = null;
    if (!spec) return;
    const gap = style.size, size = spec.size, table = lookup(style.diverging), maps = frames.arrays.map.values;
    this.images = frames.lams.map((_, i) => mapImage(maps, i * size * size, size, table));
    const both = !!frames.arrays.map_true, legend = gap * 2.9, head = gap * 1.5, foot = gap * 1.5, rim = gap * 1.3;
    const stacked = both && panel.h > panel.w * 1.2;
    const W = panel.w - rim, H = panel.h - legend;
    const one = (k) => stacked
      ? { x: rim, y: k * (H / 2) + head, w: W, h: H / 2 - head - foot * 0.9 }
      : { x: rim + (k * (W + gap)) / (both ? 2 : 1), y: head, w: both ? (W - gap) / 2 : W, h: H - head - foot };
    this.box = one(0);
    const frame = (box, label, below, beside) => {
      c.font = style.normal; c.fillStyle = style.text; c.textAlign = "left"; c.textBaseline = "alphabetic";
      write(panel, c, label, box.x, box.y - gap * 0.45, box.w + gap * 0.5);
      c.font = style.small; c.fillStyle = style.muted; c.textAlign = "center"; c.textBaseline = "top";
      if (below) write(panel, c, spec.x_label, box.x + box.w / 2, box.y + box.h + gap * 0.25, box.w + gap * 0.5);
      if (beside) writeUpwards(panel, c, spec.y_label, box.x - gap * 0.4, box.y + box.h / 2, box.h);
    };
    frame(this.box, "the model", !stacked, true);
    c.imageSmoothingEnabled = true;
    if (both) {
      const box = one(1);
      c.drawImage(mapImage(frames.arrays.map_true.values, 0, size, table), box.x, box.y, box.w, box.h);
      frame(box, "the truth", true, stacked);
    }
    this.legend(panel, style, spec, table, { x: rim, w: W, y: panel.h - gap * 2, h: gap * 0.5 });
    const radius = Math.max(1.3, style.radius * 0.55 * clamp(this.box.w / 170, 0.8, 2));
    this.sprite = sprites(style.envs, radius, panel.ratio, 0.95, style.panel);
    this.cloud = this.paintCloud(panel, scene, frames.arrays.plane.values);
  },
  legend(panel, style, spec, table, box) {
    const c = panel.still;
    for (let x = 0; x < box.w; x++) {
      const v = level(x / box.w);
      c.fillStyle = `rgb(${table[3 * v]},${table[3 * v + 1]},${table[3 * v + 2]})`;
      c.fillRect(box.x + x, box.y, 1.5, box.h);
    }
    c.font = style.small; c.fillStyle = style.muted; c.textBaseline = "top";
    const y = box.y + box.h + style.size * 0.25, text = (v) => tickText(Number(v.toFixed(2)));
    c.textAlign = "left";
    const [, low] = write(panel, c, "≤ " + text(spec.centre - spec.half), box.x, y);
    c.textAlign = "right";
    const [high] = write(panel, c, "≥ " + text(spec.centre + spec.half), box.x + box.w, y);
    // the middle in words, in figures, or in the tooltip alone: as there is room between the ends
    const middle = box.x + box.w / 2, room = 2 * Math.min(middle - low, high - middle) - style.size;
    const whole = `average effect ${text(spec.centre)}`, said = [whole, text(spec.centre)];
    const fitting = said.find((words) => c.measureText(words).width <= room);
    c.textAlign = "center";
    if (fitting) write(panel, c, fitting, middle, y);
    if (fitting !== whole) panel.shortened.add(whole);
  },
  paintCloud(panel, scene, plane) {
    const layer = offscreen(panel.w, panel.h, panel.ratio), { x, y, w, h } = this.box, spec = scene.frames.map;
    layer.beginPath(); layer.rect(x, y, w, h); layer.clip();
    const across = shareOf(...spec.x), up = shareOf(...spec.y);
    drawPoints(layer, scene, this.sprite,
      (i) => x + w * across(plane[2 * i]),
      (i) => y + h - h * clamp(up(plane[2 * i + 1]), 0.005, 0.995));
    return layer.canvas;
  },
  moving(panel, scene) {
    const c = panel.moving, message = waiting(scene);
    c.clearRect(0, 0, panel.w, panel.h);
    const instead = message || scene.frames.captions.map.waits;
    if (!this.images) return instead ? note(c, panel, instead, scene.style) : undefined;
    const { x, y, w, h } = this.box;
    c.imageSmoothingEnabled = true;
    if (message) {
      c.strokeStyle = scene.style.grid; c.strokeRect(x + 0.5, y + 0.5, w - 1, h - 1);
      c.save(); c.translate(x, y); note(c, { w, h }, message, scene.style); c.restore();
      return;
    }
    c.globalAlpha = 1;
    c.drawImage(this.images[scene.low], x, y, w, h);
    if (scene.share > 0 && scene.high !== scene.low) {
      c.globalAlpha = scene.share; c.drawImage(this.images[scene.high], x, y, w, h); c.globalAlpha = 1;
    }
    const cloud = scene.probe ? this.paintCloud(panel, scene, scene.probe.plane) : this.cloud;
    c.drawImage(cloud, 0, 0, panel.w, panel.h);
  },
};

const trainingView = {
  charts: [
    { name: "loss", label: "loss", second: "factual_train", secondLabel: "factual part" },
    { name: "mmd2", label: "MMD², held out" },
  ],
  still(panel, scene) {
    const { frames, style } = scene, c = panel.still, history = frames.history;
    this.scales = null;
    if (!history || !history.epochs.length) return;
    const gap = style.size, L = frames.lams.length, count = history.epochs.length, last = Math.max(frames.epochs, 2);
    const wide = panel.w > panel.h * 1.5;
    this.scales = this.charts.map((chart, k) => {
      const packed = frames.arrays["history." + chart.name], values = packed ? packed.values : [];
      const beside = frames.arrays["history." + chart.second], second = beside ? beside.values : [];
      const y = axisOf([...values, ...second], { cut: 0.005, room: [0.8, 1.25] });
      if (y.kind === "log") y.low = Math.max(y.low, Math.min(1e-6, y.high / 10)); // less is rounding
      const box = wide
        ? { left: gap * 3.4 + (k * panel.w) / 2, right: (panel.w * (k + 1)) / 2 - gap,
            top: gap * 1.8, bottom: panel.h - gap * 1.8 }
        : { left: gap * 3.6, right: panel.w - gap * Math.max(0.6, 0.36 * String(last).length),
            top: (k * panel.h) / 2 + gap * 1.7, bottom: (panel.h * (k + 1)) / 2 - gap * 1.7 };
      const across = { low: 1, high: last, ticks: [1, last], lines: false };
      const scale = axes(c, box, across, y, style);
      c.font = style.normal; c.textAlign = "left"; c.textBaseline = "alphabetic"; c.fillStyle = style.text;
      const edge = wide ? panel.w * (k + 1) / 2 : panel.w, words = [chart.label, chart.secondLabel || ""];
      const [needed, more] = words.map((text) => c.measureText(text).width);
      const least = wide ? (panel.w * k) / 2 : 0; // begins left of its axis where it would not fit otherwise
      const start = clamp(edge - needed - (more && more + gap * 3), least, box.left);
      const [, end] = write(panel, c, chart.label, start, box.top - gap * 0.5, edge - start);
      if (chart.second) {
        const at = end + gap;
        c.strokeStyle = style.muted; c.lineWidth = style.hair * 1.4; c.setLineDash([4, 3]);
        c.beginPath(); c.moveTo(at, box.top - gap * 0.85); c.lineTo(at + gap * 1.6, box.top - gap * 0.85);
        c.stroke(); c.setLineDash([]);
        c.font = style.small; c.fillStyle = style.muted;
        write(panel, c, chart.secondLabel, at + gap * 2, box.top - gap * 0.5, edge - at - gap * 2);
      }
      if (y.ticks && !y.ticks.length) {
        c.save(); c.translate(box.left, box.top);
        note(c, { w: box.right - box.left, h: box.bottom - box.top }, "no values", style);
        c.restore();
      }
      c.strokeStyle = style.faint; c.lineWidth = style.hair;
      for (let l = 0; l < L; l++) line(c, count, (i) => scale.X(history.epochs[i]), scale.Y, (i) => values[i * L + l]);
      return { ...scale, values, second };
    });
  },
  moving(panel, scene) {
    const { frames, style } = scene, c = panel.moving, L = frames.lams.length;
    c.clearRect(0, 0, panel.w, panel.h);
    if (!this.scales) return note(c, panel, "curves appear with the first epoch", style);
    for (const scale of this.scales) {
      const X = (i) => scale.X(frames.history.epochs[i]), count = frames.history.epochs.length;
      if (scale.second.length) {
        c.strokeStyle = style.muted; c.lineWidth = style.hair * 1.4; c.setLineDash([4, 3]);
        line(c, count, X, scale.Y, (i) => scale.second[i * L + scene.near]);
        c.setLineDash([]);
      }
      c.strokeStyle = style.text; c.lineWidth = style.bold * 0.75; c.lineJoin = "round";
      line(c, count, X, scale.Y, (i) => scale.values[i * L + scene.near]);
    }
  },
};
