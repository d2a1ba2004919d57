// A line drawn over an empty λ axis: by pointer or finger across it, or point by point with arrow keys. After the
// reveal the measured line stands beside it, and the lines of the room behind both.
const NS = "http://www.w3.org/2000/svg";
const lines = new WeakMap();

export default function ({ parentElement, data, setStateValue }) {
  const svg = parentElement.querySelector("svg"), n = data.labels.length;
  const kept = lines.get(parentElement);
  const it = kept && kept.stamp === data.stamp ? kept
    : { stamp: data.stamp, values: data.drawn || Array(n).fill(data.start), touched: Boolean(data.drawn) };
  lines.set(parentElement, it);
  const open = data.measured === null, [low, high] = data.range;
  const at = { left: 54, right: 14, top: 14, bottom: 44 };
  let width = 0, height = 0;

  const make = (name, values, into = svg, text = "") => {
    const node = document.createElementNS(NS, name);
    for (const [key, value] of Object.entries(values)) node.setAttribute(key, value);
    if (text) node.textContent = text;
    into.append(node);
    return node;
  };
  const x = (k) => at.left + ((width - at.left - at.right) * k) / (n - 1);
  const y = (value) => at.top + ((height - at.top - at.bottom) * (high - value)) / (high - low);
  const path = (values) => values.map((value, k) => value === null ? ""
    : `${k && values[k - 1] !== null ? "L" : "M"}${x(k).toFixed(1)},${y(value).toFixed(1)}`).join("");
  const said = (value) => Number((10 ** value).toPrecision(2)).toString();
  const clamp = (value) => Number(Math.min(high, Math.max(low, value)).toFixed(3));

  const drawLine = () => {
    it.line.setAttribute("d", path(it.values));
    it.handles.forEach((handle, k) => {
      handle.setAttribute("cx", x(k));
      handle.setAttribute("cy", y(it.values[k]));
      handle.setAttribute("aria-valuenow", said(it.values[k]));
      handle.setAttribute("aria-valuetext", `${said(it.values[k])} at λ = ${data.labels[k]}`);
    });
  };
  const send = () => { it.touched = true; it.hint?.remove(); setStateValue("drawn", [...it.values]); };

  const draw = () => {
    width = svg.clientWidth || 600;
    height = svg.clientHeight || 340;
    svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    svg.replaceChildren();
    for (let power = Math.ceil(low); power <= high; power += 1) {
      make("line", { x1: at.left, x2: width - at.right, y1: y(power), y2: y(power), class: "grid" });
      make("text", { x: at.left - 8, y: y(power) + 4, class: "tick", "text-anchor": "end" }, svg, said(power));
    }
    const wide = Math.max(1, Math.ceil((n * 52) / (width - at.left - at.right)));
    data.labels.forEach((label, k) => {
      if (k % wide === 0 || k === n - 1) {
        make("text", { x: x(k), y: height - at.bottom + 20, class: "tick", "text-anchor": "middle" }, svg, label);
      }
    });
    make("text", { x: (at.left + width) / 2, y: height - 6, class: "tick", "text-anchor": "middle" }, svg, data.axis);
    for (const line of data.room) make("path", { d: path(line), class: "room" });
    if (!open) make("path", { d: path(data.measured), class: "measured" });
    it.line = make("path", { class: "drawn", d: "" });
    if (open && !it.touched) {
      it.hint = make("text", { x: (at.left + width) / 2, y: at.top + 24, class: "hint", "text-anchor": "middle" }, svg,
        data.hint);
    }
    it.handles = it.values.map((_, k) => make("circle", {
      r: 6, class: "handle", role: "slider", tabindex: open ? 0 : -1, "aria-label": `${data.what}, λ = ${data.labels[k]}`,
      "aria-valuemin": said(low), "aria-valuemax": said(high), "aria-disabled": String(!open),
    }));
    drawLine();
    it.handles.forEach((handle, k) => {
      handle.onkeydown = (event) => {
        const step = { ArrowUp: 1, ArrowDown: -1, PageUp: 5, PageDown: -5 }[event.key];
        const next = { ArrowLeft: k - 1, ArrowRight: k + 1, Home: 0, End: n - 1 }[event.key];
        if (!open || (step === undefined && next === undefined)) return;
        event.preventDefault();
        event.stopPropagation();
        if (next !== undefined) return it.handles[Math.min(n - 1, Math.max(0, next))].focus();
        it.values[k] = clamp(it.values[k] + step * 0.1);
        drawLine();
        clearTimeout(it.waiting);
        it.waiting = setTimeout(send, 400);
      };
    });
  };

  if (it.resize) it.resize.disconnect();
  it.resize = new ResizeObserver(() => { if (svg.clientWidth !== width && !it.from) draw(); });
  it.resize.observe(svg);
  draw();

  const place = (event) => {
    const box = svg.getBoundingClientRect();
    const k = ((event.clientX - box.left - at.left) / (width - at.left - at.right)) * (n - 1);
    const value = high - ((event.clientY - box.top - at.top) / (height - at.top - at.bottom)) * (high - low);
    return [Math.min(n - 1, Math.max(0, Math.round(k))), clamp(value)];
  };
  svg.onpointerdown = (event) => {
    if (!open) return;
    svg.setPointerCapture(event.pointerId);
    it.from = place(event);
    it.values[it.from[0]] = it.from[1];
    drawLine();
  };
  svg.onpointermove = (event) => {
    if (!it.from) return;
    const [k, value] = place(event), [from, old] = it.from, span = Math.abs(k - from) || 1;
    for (let j = 0; j <= span; j += 1) {
      it.values[from + Math.sign(k - from) * j] = clamp(old + ((value - old) * j) / span);
    }
    if (k === from) it.values[k] = value;
    it.from = [k, value];
    drawLine();
  };
  svg.onpointerup = svg.onpointercancel = () => {
    if (!it.from) return;
    it.from = null;
    send();
  };
  return () => { it.resize.disconnect(); };
}
