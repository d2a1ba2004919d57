// Painting: two stacked canvases a panel (what stays, what moves), axes, marker sprites, colour scales.

const clamp = (value, low, high) => Math.min(high, Math.max(low, value));
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
function fit(panel) {
  const w = Math.round(panel.host.clientWidth), h = Math.round(panel.host.clientHeight);
  const ratio = Math.min(2, globalThis.devicePixelRatio || 1); // more than 2 is work that no eye sees
  panel.w = w; panel.h = h; panel.ratio = ratio;
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

function offscreen(w, h, ratio) {
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(w * ratio));
  canvas.height = Math.max(1, Math.round(h * ratio));
  const c = canvas.getContext("2d");
  c.setTransform(ratio, 0, 0, ratio, 0, 0);
  return c;
}

function rgb(hex) {
  const whole = parseInt(hex.slice(1), 16);
  return [whole >> 16, (whole >> 8) & 255, whole & 255];
}

function mixColour(a, b, share) {
  const from = rgb(a), to = rgb(b);
  return "rgb(" + from.map((v, i) => Math.round(v + (to[i] - v) * share)).join(",") + ")";
}

/** Diverging scale as 256 packed RGB triples; `stops` are colours at equal distances. */
function lookup(stops) {
  const table = new Uint8ClampedArray(256 * 3), colours = stops.map(rgb);
  for (let i = 0; i < 256; i++) {
    const at = (Math.min(i, 254) / 254) * (colours.length - 1), low = Math.min(colours.length - 2, Math.floor(at));
    const from = colours[low], to = colours[low + 1];
    for (let c = 0; c < 3; c++) table[3 * i + c] = from[c] + (to[c] - from[c]) * (at - low);
  }
  return table;
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
  } else c.arc(x, y, r, 0, 2 * Math.PI);
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

function niceTicks(low, high, wanted) {
  const raw = (high - low) / Math.max(1, wanted), power = 10 ** Math.floor(Math.log10(raw));
  const step = power * [1, 2, 5, 10].find((m) => m * power >= raw * 0.999);
  const ticks = [];
  for (let v = Math.ceil(low / step - 1e-9) * step; v <= high + step * 1e-6; v += step)
    ticks.push(Math.abs(v) < step / 1e6 ? 0 : v);
  return ticks;
}

function logTicks(low, high, most) {
  for (const factors of [[1, 2, 5], [1, 3], [1]]) {
    const ticks = [];
    for (let p = Math.floor(Math.log10(low)); p <= Math.ceil(Math.log10(high)); p++)
      for (const f of factors) {
        const v = f * 10 ** p;
        if (v >= low * 0.999 && v <= high * 1.001) ticks.push(v);
      }
    if (ticks.length <= most) return ticks;
    if (factors.length === 1) {
      const every = Math.ceil(ticks.length / most);
      return ticks.filter((_, i) => i % every === 0);
    }
  }
  return [];
}

function tickText(value) {
  if (value !== 0 && (Math.abs(value) < 0.001 || Math.abs(value) >= 10000))
    return value.toExponential(0).replace("e-", "e−").replace("e+", "e");
  return String(Number(value.toPrecision(3))).replace("-", "−");
}

/** Axes of a square-cornered chart; returns pixel functions. kind of y: "linear" or "log". */
function axes(c, box, x, y, style) {
  const { left, top, right, bottom } = box;
  const X = (v) => left + ((v - x.low) / (x.high - x.low || 1)) * (right - left);
  const inLog = y.kind === "log", L = (v) => (inLog ? Math.log10(Math.max(v, 1e-300)) : v);
  const y0 = L(y.low), y1 = L(y.high);
  const Y = (v) => bottom - clamp((L(v) - y0) / (y1 - y0 || 1), 0, 1) * (bottom - top);
  c.font = style.small; c.fillStyle = style.muted; c.strokeStyle = style.grid; c.lineWidth = 1;
  const fitting = () => inLog
    ? logTicks(y.low, y.high, Math.max(2, Math.floor((bottom - top) / (style.size * 2.2))))
    : niceTicks(y.low, y.high, clamp((bottom - top) / (style.size * 4), 2, 6));
  c.textAlign = "right"; c.textBaseline = "middle";
  for (const v of y.ticks || fitting()) {
    const py = Math.round(Y(v)) + 0.5;
    c.beginPath(); c.moveTo(left, py); c.lineTo(right, py); c.stroke();
    c.fillText(tickText(v), left - style.size * 0.5, py);
  }
  c.textAlign = "center"; c.textBaseline = "top";
  for (const v of x.ticks || niceTicks(x.low, x.high, clamp((right - left) / (style.size * 5), 2, 6))) {
    const px = Math.round(X(v)) + 0.5;
    if (x.lines !== false) { c.beginPath(); c.moveTo(px, top); c.lineTo(px, bottom); c.stroke(); }
    c.fillText(tickText(v), px, bottom + style.size * 0.35);
  }
  return { X, Y, L };
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
