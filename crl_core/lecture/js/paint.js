// Painting: two stacked canvases a panel (what stays, what moves), axes, marker sprites.

/** A picture between two trained models: still near either of them, gliding only in the middle. */
function glide(fraction) {
  const f = clamp((fraction - 0.14) / 0.72, 0, 1);
  return f * f * (3 - 2 * f);
}

function surface(host) {
  const make = () => {
    const canvas = document.createElement("canvas");
    canvas.setAttribute("aria-hidden", "true");
    host.append(canvas);
    return canvas;
  };
  const still = make(), moving = make();
  const [below, above] = [still.getContext("2d"), moving.getContext("2d")];
  return { host, still: below, moving: above, w: 0, h: 0, ratio: 1, shortened: new Set() };
}

/** Fits both canvases to their host. Returns whether there is anything to draw on. */
function fit(panel, sharp) {
  const w = Math.round(panel.host.clientWidth), h = Math.round(panel.host.clientHeight);
  const ratio = sharp * Math.min(2, globalThis.devicePixelRatio || 1); // more than 2 is work that no eye sees
  panel.w = w; panel.h = h; panel.ratio = ratio;
  if (panel.words) panel.words.hidden = true;
  panel.shortened.clear();
  for (const c of [panel.still, panel.moving]) {
    const W = Math.max(1, Math.round(w * ratio)), H = Math.max(1, Math.round(h * ratio));
    if (c.canvas.width !== W) c.canvas.width = W;
    if (c.canvas.height !== H) c.canvas.height = H;
    c.setTransform(ratio, 0, 0, ratio, 0, 0);
    c.clearRect(0, 0, w, h);
  }
  return w > 40 && h > 40;
}

/** What moves, drawn onto what stays: on paper a canvas hides the one below it. */
function flatten(still, moving) {
  still.setTransform(1, 0, 0, 1, 0, 0);
  still.drawImage(moving.canvas, 0, 0);
}

/** Draws one picture. Where that fails, its place says so in words, and whatever stands beside it goes on. */
function guarded(panel, draw) {
  try { draw(); } catch (error) {
    for (const c of [panel.still, panel.moving]) c.clearRect(0, 0, panel.w, panel.h);
    if (!panel.words) panel.words = panel.host.appendChild(document.createElement("p"));
    panel.words.className = "failed"; panel.words.hidden = false;
    panel.words.textContent = `This picture cannot be drawn: ${error.message}. The rest of the page is not affected.`;
    panel.live = false;
    console.error(error);
  }
}

function offscreen(w, h, ratio) {
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(w * ratio));
  canvas.height = Math.max(1, Math.round(h * ratio));
  const c = canvas.getContext("2d");
  c.setTransform(ratio, 0, 0, ratio, 0, 0);
  return c;
}

function mixColour(a, b, share) {
  const from = rgb(a), to = rgb(b);
  return "rgb(" + from.map((v, i) => Math.round(v + (to[i] - v) * share)).join(",") + ")";
}

/** A grid of colour indices as a small image; the browser scales it. NaN is transparent. */
function mapImage(values, start, size, table) {
  const c = offscreen(size, size, 1), image = c.createImageData(size, size);
  for (let i = 0; i < size * size; i++) {
    const v = values[start + i];
    image.data[4 * i] = table[3 * v];
    image.data[4 * i + 1] = table[3 * v + 1];
    image.data[4 * i + 2] = table[3 * v + 2];
    image.data[4 * i + 3] = v === BAD_U8 ? 0 : 255;
  }
  c.putImageData(image, 0, 0);
  return c.canvas;
}

function marker(c, treated, x, y, r) {
  c.beginPath();
  if (treated) {
    const q = r * 1.22;
    c.moveTo(x, y - q); c.lineTo(x + q, y); c.lineTo(x, y + q); c.lineTo(x - q, y); c.closePath();
  } else c.arc(x, y, Math.max(0, r), 0, 2 * Math.PI);
}

/** One picture for each environment and treatment; points are then copies, which is far cheaper than paths. */
function sprites(colours, radius, ratio, alpha, rim = null) {
  const side = Math.ceil(2 * radius * 1.3 + 2), canvases = [];
  for (const colour of colours)
    for (const treated of [false, true]) {
      const c = offscreen(side, side, ratio);
      // control is a hollow circle, treated a filled diamond, as on every page
      const pen = Math.max(1, radius * 0.42);
      marker(c, treated, side / 2, side / 2, treated ? radius : radius - pen / 2);
      c.fillStyle = treated || !rim ? colour : rim; c.globalAlpha = treated ? alpha : rim ? 0.85 : 0.22; c.fill();
      c.globalAlpha = alpha; c.lineWidth = treated ? pen * 0.8 : pen; c.strokeStyle = treated && rim ? rim : colour;
      if (!treated || rim) c.stroke();
      canvases.push(c.canvas);
    }
  return { canvases, side };
}

/** Axes of a square-cornered chart, {low, high, kind, ticks?} each; returns pixel functions. */
function axes(c, box, x, y, style) {
  const { left, top, right, bottom } = box;
  const X = scaleOf(x, left, right), Y = scaleOf(y, bottom, top);
  c.font = style.small; c.fillStyle = style.muted; c.strokeStyle = style.grid; c.lineWidth = 1;
  const tall = bottom - top, inLog = y.kind === "log";
  const yTicks = ticksOf(y, inLog ? Math.max(2, tall / (style.size * 2.2)) : clamp(tall / (style.size * 4), 2, 6));
  const xTicks = ticksOf(x, clamp((right - left) / (style.size * 5), 2, 6)), xTexts = tickTexts(xTicks);
  c.textAlign = "right"; c.textBaseline = "middle";
  tickTexts(yTicks).forEach((text, i) => {
    const py = Math.round(Y(yTicks[i])) + 0.5;
    c.beginPath(); c.moveTo(left, py); c.lineTo(right, py); c.stroke();
    c.fillText(text, left - style.size * 0.5, py);
  });
  c.textAlign = "center"; c.textBaseline = "top";
  xTexts.forEach((text, i) => {
    const px = Math.round(X(xTicks[i])) + 0.5;
    if (x.lines !== false) { c.beginPath(); c.moveTo(px, top); c.lineTo(px, bottom); c.stroke(); }
    c.fillText(text, px, bottom + style.size * 0.35);
  });
  return { X, Y };
}

/** A line through [index → value]; a missing value breaks it. */
function line(c, count, X, Y, value) {
  let drawing = false;
  c.beginPath();
  for (let i = 0; i < count; i++) {
    const v = value(i);
    if (!finite(v)) { drawing = false; continue; }
    if (drawing) c.lineTo(X(i), Y(v)); else c.moveTo(X(i), Y(v));
    drawing = true;
  }
  c.stroke();
}

function note(c, panel, text, style) {
  c.font = style.normal; c.fillStyle = style.muted; c.textAlign = "center"; c.textBaseline = "middle";
  const lines = wrapped(c, text, panel.w * 0.8, Math.max(1, Math.floor(panel.h / (style.size * 1.5) - 1)));
  const high = lines.length * style.size * 1.5, wide = Math.max(...lines.map((t) => c.measureText(t).width));
  c.fillStyle = style.panel; // so that it can be read on top of axes
  const left = (panel.w - wide) / 2 - style.size, top = (panel.h - high) / 2 - style.size * 0.4;
  c.fillRect(left, top, wide + 2 * style.size, high + style.size * 0.8);
  c.fillStyle = style.muted;
  lines.forEach((t, i) => c.fillText(t, panel.w / 2, panel.h / 2 + (i - (lines.length - 1) / 2) * style.size * 1.5));
}
