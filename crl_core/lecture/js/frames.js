// Frames: the numbers of one run, as crl_core/lecture/frames.py packed them, unpacked into typed arrays.

const BAD_I16 = -32768; // what NaN is written as

function bytesOf(base64) {
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

/** One packed array → {shape, values}: Float32Array, or for "u8" the raw Uint8Array (colours look it up). */
function unpack(packed) {
  const bytes = bytesOf(packed.b64);
  if (packed.kind === "u8") return { shape: packed.shape, values: bytes };
  if (packed.kind === "f32") return { shape: packed.shape, values: new Float32Array(bytes.buffer) };
  const whole = new Int16Array(bytes.buffer);
  const values = new Float32Array(whole.length);
  const valueOf = levels(packed.low, packed.high);
  for (let i = 0; i < whole.length; i++) values[i] = whole[i] === BAD_I16 ? NaN : valueOf(whole[i]);
  return { shape: packed.shape, values };
}

function decode(data) {
  const arrays = {};
  for (const [name, packed] of Object.entries(data.arrays || {})) arrays[name] = unpack(packed);
  const n = data.n || 0;
  // A fixed shuffle, so that no environment always lies on top of another.
  const order = new Uint32Array(n);
  for (let i = 0; i < n; i++) order[i] = i;
  let seed = 12345;
  for (let i = n - 1; i > 0; i--) {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    const j = seed % (i + 1), kept = order[i];
    order[i] = order[j]; order[j] = kept;
  }
  return { ...data, arrays, order, n };
}

/** A figure in at most six characters, so that it keeps its place while it changes. */
function figure(value) {
  if (!finite(value)) return "–";
  if (value < 0) return `−${figure(-value)}`;
  const size = Math.abs(value);
  if (size >= 9999.5) return value.toExponential(0).replace("+", "");
  if (size >= 99.95) return value.toFixed(0);
  if (size >= 9.995) return value.toFixed(1);
  if (size >= 0.0995) return value.toFixed(2);
  if (size >= 0.00095 || size === 0) return value.toFixed(3);
  return size < 0.00005 ? "0.0000" : value.toFixed(4);
}
