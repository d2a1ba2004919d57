// Axes: every range, tick, scale, bin and colour level of the lecture is computed here, and nowhere else. Nothing here
// draws. Every function is total: whatever it is given (nothing, null, NaN, infinities, one value, all zero, all equal,
// zero or less on a logarithmic axis), it ends, and what it returns is finite; only a missing value has no place (NaN).

const LEAST = 1e-150, MOST = 1e150; // beyond them products and ratios of ends overflow
const NARROW = 1e-9; // an interval narrower than this share of its ends is a single value to a picture
const DEFAULT_LOG = [0.1, 10]; // where no value is positive
const BAD_U8 = 255; // a missing value among colour indices

const finite = (value) => typeof value === "number" && Number.isFinite(value);
const clamp = (value, low, high) => Math.min(high, Math.max(low, value));
const whole = (value, low, high) => (finite(value) ? Math.floor(clamp(value, low, high)) : low);

/** Two finite ends, the first truly smaller, of what may be a point, the wrong way round, or missing. */
function interval(low, high) {
  const ends = [low, high].filter(finite).map((v) => clamp(v, -MOST, MOST));
  if (!ends.length) return [0, 1];
  const from = Math.min(...ends), to = Math.max(...ends), size = Math.max(Math.abs(from), Math.abs(to));
  if (size < LEAST) return [-0.5, 0.5];
  if (to - from > NARROW * size) return [from, to];
  return [from - 0.1 * size, to + 0.1 * size];
}

/** The same on a logarithmic axis: both ends positive, and `least` times apart or more. */
function logInterval(low, high, least = 1.5) {
  const ends = [low, high].filter((v) => finite(v) && v > 0).map((v) => clamp(v, LEAST, MOST));
  if (!ends.length) return [...DEFAULT_LOG];
  const from = Math.min(...ends), to = Math.max(...ends), apart = finite(least) ? clamp(least, 1.001, 1e6) : 1.5;
  if (to / from >= apart) return [from, to];
  const middle = Math.sqrt(from) * Math.sqrt(to), half = Math.sqrt(apart) * 1.0001;
  return [middle / half, middle * half];
}

/** Finite values, smallest first, without the outermost `cut` on each side. */
function inner(values, cut) {
  const known = Float64Array.from(values, Number).filter((v, i) => finite(values[i])).sort();
  const share = finite(cut) ? clamp(cut, 0, 0.49) : 0;
  return known.subarray(Math.floor(known.length * share), Math.floor((known.length - 1) * (1 - share)) + 1);
}

function range(values) {
  const known = inner(values, 0);
  return interval(known[0], known[known.length - 1]);
}

/**
 * The axis of all values of one chart → {low, high, kind, ticks?}. Logarithmic where a value is positive, with
 * `room` beyond both ends; [0, 1] where all that is known is zero. shape: { linear, floor, ceiling, cut, least, room }.
 */
function axisOf(values, shape = {}) {
  if (shape.linear) {
    const [low, high] = range(values);
    const [from, to] = interval(Math.min(low, shape.floor ?? low), Math.max(high, shape.ceiling ?? high));
    return { low: from, high: to, kind: "linear" };
  }
  const known = inner(values, 0);
  const positive = inner(known.filter((v) => v > 0), shape.cut);
  if (positive.length) {
    const [low, high] = logInterval(positive[0], positive[positive.length - 1], shape.least);
    const [from, to] = shape.room || [1, 1];
    return { low: low * from, high: high * to, kind: "log" };
  }
  const [low, high] = known.length && known[0] < 0 ? range([...known, 0]) : [0, 1];
  return { low, high, kind: "linear", ticks: known.length ? [0] : [] };
}

/** Round numbers within [low, high]: about `wanted` of them, evenly spaced. */
function niceTicks(low, high, wanted) {
  [low, high] = interval(low, high);
  const raw = (high - low) / whole(wanted, 1, 20), power = 10 ** Math.floor(Math.log10(raw));
  const step = power * ([1, 2, 5].find((m) => m * power >= raw * 0.999) ?? 10);
  const first = Math.ceil(low / step - 1e-9), count = Math.floor(high / step + 1e-6) - first + 1;
  return Array.from({ length: clamp(count, 0, 25) }, (_, i) => (first + i) * step || 0); // never -0
}

/** Round numbers within [low, high] of a logarithmic axis: at most `most`, and one at least. */
function logTicks(low, high, most) {
  [low, high] = logInterval(low, high, 1.001);
  const limit = whole(most, 1, 40), from = Math.floor(Math.log10(low)), to = Math.ceil(Math.log10(high));
  let ticks = [];
  for (const factors of [[1, 2, 5], [1, 3], [1]]) {
    const inside = [];
    for (let p = from; p <= to; p++)
      for (const f of factors) {
        const v = Number(`${f}e${p}`); // f * 10 ** p is one bit off for many a power
        if (v >= low * 0.999 && v <= high * 1.001) inside.push(v);
      }
    if (inside.length) ticks = inside;
    if (inside.length <= limit) break;
  }
  if (!ticks.length) ticks = niceTicks(low, high, limit);
  if (!ticks.length) ticks = [Math.sqrt(low) * Math.sqrt(high)];
  const every = Math.ceil(ticks.length / limit);
  return ticks.filter((_, i) => i % every === 0);
}

/** Ticks of an axis: its own, or as many as there is room for. */
function ticksOf(axis, room) {
  if (axis.ticks) return axis.ticks.filter(finite);
  return axis.kind === "log" ? logTicks(axis.low, axis.high, room) : niceTicks(axis.low, axis.high, room);
}

function tickText(value, digits = 3) {
  if (!finite(value)) return "–";
  const size = Math.abs(value), rounded = Number(value.toPrecision(digits));
  if (rounded !== 0 && (size < 0.001 || size >= 10000))
    return rounded.toExponential().replace("-", "−").replace("e-", "e−").replace("e+", "e");
  return String(rounded).replace("-", "−");
}

/** Texts of ticks with as many digits as tell them apart. */
function tickTexts(ticks) {
  const apart = new Set(ticks).size;
  for (let digits = 3; digits < 15; digits++) {
    const texts = ticks.map((v) => tickText(v, digits));
    if (new Set(texts).size === apart) return texts;
  }
  return ticks.map((v) => tickText(v, 15));
}

/** Where values lie between two ends: 0 at `low`, 1 at `high`; NaN for a missing one. Outside: up to a thousand. */
function shareOf(low, high) {
  const [from, to] = interval(low, high), wide = to - from;
  return (v) => (finite(v) ? clamp((clamp(v, -MOST, MOST) - from) / wide, -1000, 1000) : NaN);
}

/** Pixels of the values of an axis, from one edge to the other; what lies outside sits at the edge. */
function scaleOf(axis, from, to) {
  const inLog = axis.kind === "log", [low, high] = (inLog ? logInterval : interval)(axis.low, axis.high, 1.001);
  const L = inLog ? (v) => Math.log10(clamp(v, LEAST, MOST)) : (v) => v;
  const part = shareOf(L(low), L(high)), start = finite(from) ? from : 0, end = finite(to) ? to : start;
  return (v) => (finite(v) ? start + clamp(part(L(v)), 0, 1) * (end - start) : NaN);
}

/** Places of `count` models side by side between two edges, in pixels of an index, and back. */
function slots(count, left, right) {
  const last = whole(count, 1, 1e9) - 1, wide = right - left;
  return {
    place: (p) => (last < 1 ? (left + right) / 2 : left + (p / last) * wide),
    at: (px) => (last < 1 || !(wide > 0) ? 0 : clamp((px - left) / wide, 0, 1) * last),
  };
}

/** One unit is as long across as up: pixels of the points of `extent` in the middle of w × h, `pad` from its rim. */
function isotropic(extent, w, h, pad) {
  const [x0, x1] = interval(extent[0], extent[1]), [y0, y1] = interval(extent[2], extent[3]);
  const scale = Math.min(Math.max(1, w - 2 * pad) / (x1 - x0), Math.max(1, h - 2 * pad) / (y1 - y0));
  return { scale, x0: w / 2 - (scale * (x0 + x1)) / 2, y0: h / 2 + (scale * (y0 + y1)) / 2 };
}

/** Between the values of two neighbours, straight on the axis they are drawn on; NaN where the nearer has none. */
function between(a, b, f, linear) {
  if (!finite(a) || !finite(b)) return finite(a) && f < 0.5 ? a : finite(b) && f >= 0.5 ? b : NaN;
  if (linear) return a * (1 - f) + b * f;
  const from = Math.log(clamp(a, 1e-12, MOST)), to = Math.log(clamp(b, 1e-12, MOST));
  return Math.exp(from + (to - from) * f);
}

/** Index of a colour scale's 255 levels for a share of it. */
const level = (part) => (finite(part) ? Math.round(clamp(part, 0, 1) * 254) : BAD_U8);

function rgb(hex) {
  const all = parseInt(hex.slice(1), 16);
  return [all >> 16, (all >> 8) & 255, all & 255];
}

/** A colour scale as 256 packed RGB triples; `stops` are colours at equal distances, one or more. */
function lookup(stops) {
  const table = new Uint8ClampedArray(256 * 3), colours = (stops.length ? stops : ["#808080"]).map(rgb);
  for (let i = 0; i < 256; i++) {
    const at = (Math.min(i, 254) / 254) * (colours.length - 1), low = Math.floor(at);
    const from = colours[low], to = colours[Math.min(low + 1, colours.length - 1)];
    for (let c = 0; c < 3; c++) table[3 * i + c] = from[c] + (to[c] - from[c]) * (at - low);
  }
  return table;
}

/** Value of each of the 65,535 levels of a quantised array; the ends are the array's own. */
function levels(low, high) {
  const [from, to] = interval(low, high), middle = from / 2 + to / 2, unit = (to - from) / 65534;
  return (i) => middle + i * unit;
}

/**
 * Values between two ends, moved as little as needed so that each is `gap` or more from the next, in the same order;
 * nearer together where there is no room for that. Missing ones stay.
 */
function spaced(values, gap, low, high) {
  const [from, to] = interval(low, high), pools = [];
  const order = values.map((_, i) => i).filter((i) => finite(values[i])).sort((i, j) => values[i] - values[j] || i - j);
  const room = clamp(finite(gap) ? gap : 0, 0, (to - from) / Math.max(1, order.length - 1));
  order.forEach((i, k) => {
    let last = { sum: clamp(values[i], -MOST, MOST) - k * room, count: 1 };
    const above = () => pools.length && pools.at(-1).sum / pools.at(-1).count > last.sum / last.count;
    for (; above(); pools.pop()) last = { sum: pools.at(-1).sum + last.sum, count: pools.at(-1).count + last.count };
    pools.push(last);
  });
  const level = pools.flatMap(({ sum, count }) => new Array(count).fill(sum / count)), placed = [...values];
  const most = Math.max(from, to - (order.length - 1) * room);
  order.forEach((i, k) => { placed[i] = clamp(level[k], from, most) + k * room; });
  return placed;
}
