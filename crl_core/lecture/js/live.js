// While it trains: points glide from where they were last seen to where they are seen now. Views read the arrays that
// are filled here, and know nothing of it.

const DRIFT_S = 0.9; // a little less than the page takes to look again
const DRIFTING = ["xy", "ite_hat"];

/** Begins where the points of `before` lie on screen; at once where these are other rows, or nobody wants motion. */
function beginDrift(it, before) {
  const now = it.frames;
  it.drift = null;
  if (!before || now.state !== "training" || it.calm.matches || before.n !== now.n || !now.n) return;
  const parts = DRIFTING.map((name) => {
    const from = before.arrays[name].values, shown = now.arrays[name].values, to = shown.slice();
    return { from, shown, to };
  });
  if (parts.some(({ from, to }) => from.length !== to.length)) return;
  it.drift = { parts, come: 0 };
  fillDrift(it.drift);
}

/** One step of `dt` seconds. */
function drift(it, dt) {
  if (!it.drift) return;
  it.drift.come = Math.min(1, it.drift.come + dt / DRIFT_S);
  fillDrift(it.drift);
  it.dirty = true;
  if (it.drift.come === 1) it.drift = null;
}

function fillDrift({ parts, come }) {
  const share = come * come * (3 - 2 * come);
  for (const { from, shown, to } of parts)
    for (let i = 0; i < to.length; i++) shown[i] = finite(from[i]) ? from[i] + (to[i] - from[i]) * share : to[i];
}
