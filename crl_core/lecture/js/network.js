// The trained networks' forward pass, for rows they never saw: what crl_core.network.predict does, in the browser.

function denseElu(rows, n, inputs, weight, bias, at, outputs, bend, out) {
  const w = at * inputs * outputs, b = at * outputs;
  for (let r = 0; r < n; r++) {
    const o = r * outputs;
    for (let j = 0; j < outputs; j++) out[o + j] = bias[b + j];
    for (let i = 0; i < inputs; i++) {
      const value = rows[r * inputs + i], row = w + i * outputs;
      for (let j = 0; j < outputs; j++) out[o + j] += value * weight[row + j];
    }
    if (bend) for (let j = o; j < o + outputs; j++) if (out[j] < 0) out[j] = Math.exp(out[j]) - 1;
  }
  return out;
}

/** Distribution-shift probe: the same units with another σ, and what each trained network now predicts for them. */
function makeProbe(frames) {
  const spec = frames.probe;
  if (!spec) return null;
  const A = (name) => frames.arrays["probe." + name].values;
  const shape = (name) => frames.arrays["probe." + name].shape;
  const n = frames.n, dz = spec.dim_causal, ds = spec.dim_spurious, d = dz + ds;
  const z = A("z"), noise = A("noise"), leaked = A("leaked"), ite = frames.arrays.ite && frames.arrays.ite.values;
  const env = frames.arrays.env.values;
  const wide = shape("encoder.0.weight")[2], mid = shape("encoder.1.weight")[2], k = shape("encoder.2.weight")[2];
  const arms = shape("head.0.weight")[2], units = arms / 2;
  const u = new Float32Array(n * d), turned = new Float32Array(n * d), x = new Float32Array(n * d);
  const h0 = new Float32Array(n * wide), h1 = new Float32Array(n * mid);
  const phi = new Float32Array(n * k), heads = new Float32Array(n * arms);
  const plane = new Float32Array(n * 2); // (z̄, s̄) of each row, where the effect map shows it

  function turn(rows, matrix, out) {
    for (let r = 0; r < n; r++)
      for (let j = 0; j < d; j++) {
        let sum = 0;
        for (let i = 0; i < d; i++) sum += rows[r * d + i] * matrix[i * d + j];
        out[r * d + j] = sum;
      }
  }

  function shift(sigma) {
    for (let r = 0; r < n; r++) {
      const e = env[r];
      let zBar = 0, sBar = 0;
      for (let i = 0; i < dz; i++) { u[r * d + i] = z[r * dz + i]; zBar += z[r * dz + i]; }
      for (let i = 0; i < ds; i++) {
        const s = spec.offset[e] + sigma[e] * noise[r * ds + i] + leaked[r];
        u[r * d + dz + i] = s; sBar += s;
      }
      plane[2 * r] = zBar / Math.sqrt(dz); plane[2 * r + 1] = sBar / Math.sqrt(ds);
    }
    if (spec.mixing === "none") x.set(u);
    else if (spec.mixing === "rotation") turn(u, A("first"), x);
    else {
      turn(u, A("first"), turned);
      for (let i = 0; i < turned.length; i++) turned[i] = 0.25 * turned[i] + 0.75 * Math.tanh(turned[i]);
      turn(turned, A("second"), x);
    }
    return plane;
  }

  function effects(model, out) {
    denseElu(x, n, d, A("encoder.0.weight"), A("encoder.0.bias"), model, wide, true, h0);
    denseElu(h0, n, wide, A("encoder.1.weight"), A("encoder.1.bias"), model, mid, true, h1);
    denseElu(h1, n, mid, A("encoder.2.weight"), A("encoder.2.bias"), model, k, false, phi);
    denseElu(phi, n, k, A("head.0.weight"), A("head.0.bias"), model, arms, true, heads);
    const weight = A("head.1.weight"), bias = A("head.1.bias");
    for (let r = 0; r < n; r++) {
      let y0 = bias[2 * model], y1 = bias[2 * model + 1];
      for (let j = 0; j < units; j++) {
        y0 += heads[r * arms + j] * weight[model * arms + j];
        y1 += heads[r * arms + units + j] * weight[model * arms + units + j];
      }
      out[r] = y1 - y0;
    }
    return out;
  }

  function error(predicted) {
    let sum = 0;
    for (let r = 0; r < n; r++) sum += (predicted[r] - ite[r]) ** 2;
    return Math.sqrt(sum / n);
  }

  return { shift, effects, error, plane, hasTruth: !!ite };
}
