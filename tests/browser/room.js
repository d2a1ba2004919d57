// Text that has no room, on any page of the app: cut off, on top of other text, or out of its canvas.
// Runs before the page's own scripts (it notes what is written on canvases); `faultsOfRoom()` then says what is wrong.

(() => {
  const written = new Map(); // canvas → the boxes of its texts, in its own pixels
  const context = CanvasRenderingContext2D.prototype;
  const { fillText, clearRect, fillRect } = context;
  const placed = (c, left, top, right, bottom) => {
    const m = c.getTransform();
    const corners = [[left, top], [right, top], [left, bottom], [right, bottom]].map(([x, y]) =>
      [m.a * x + m.c * y + m.e, m.b * x + m.d * y + m.f]);
    const xs = corners.map((p) => p[0]), ys = corners.map((p) => p[1]);
    return { left: Math.min(...xs), right: Math.max(...xs), top: Math.min(...ys), bottom: Math.max(...ys) };
  };
  const within = (a, b) => a.left >= b.left - 1 && a.right <= b.right + 1 && a.top >= b.top - 1 && a.bottom <= b.bottom + 1;
  const forget = (canvas, box) =>
    written.set(canvas, (written.get(canvas) || []).filter((text) => !within(text, box)));
  context.fillText = function (text, x, y, ...rest) {
    if (String(text).trim()) {
      const m = this.measureText(text);
      const box = placed(this, x - m.actualBoundingBoxLeft, y - m.actualBoundingBoxAscent,
        x + m.actualBoundingBoxRight, y + m.actualBoundingBoxDescent);
      written.set(this.canvas, [...(written.get(this.canvas) || []), { text: String(text), ...box }]);
    }
    return fillText.call(this, text, x, y, ...rest);
  };
  context.clearRect = function (x, y, w, h) {
    forget(this.canvas, placed(this, x, y, x + w, y + h));
    return clearRect.call(this, x, y, w, h);
  };
  context.fillRect = function (x, y, w, h) { // what it covers cannot be read any more
    const box = placed(this, x, y, x + w, y + h), host = this.canvas.parentNode;
    for (const canvas of host ? host.querySelectorAll("canvas") : [this.canvas]) forget(canvas, box);
    return fillRect.call(this, x, y, w, h);
  };

  for (const side of ["width", "height"]) { // a canvas that is given a size is empty
    const own = Object.getOwnPropertyDescriptor(HTMLCanvasElement.prototype, side);
    Object.defineProperty(HTMLCanvasElement.prototype, side,
      { ...own, set(value) { written.delete(this); own.set.call(this, value); } });
  }

  const everything = function* (root) {
    for (const node of root.querySelectorAll("*")) {
      yield node;
      if (node.shadowRoot) yield* everything(node.shadowRoot);
    }
  };
  const parent = (node) => node.parentElement || (node.getRootNode().host ?? null);
  const name = (node) => {
    const list = node.getAttribute("class") || "", test = node.closest("[data-testid]");
    return `${node.tagName.toLowerCase()}.${list.split(" ")[0]}${test ? ` in ${test.dataset.testid}` : ""}`;
  };
  /** The whole of a shortened text is in reach where it, or what holds it, has a title or a label. */
  const told = (node, text) => {
    for (let up = node, i = 0; up && i < 6; up = parent(up), i++)
      for (const key of ["title", "aria-label"])
        if ((up.getAttribute(key) || "").trim().length >= text.trim().length) return true;
    return false;
  };
  const shown = (node) => node.checkVisibility({ opacityProperty: true, visibilityProperty: true });

  /** What an element's own text occupies, line by line. */
  function* textsOf(node) {
    for (const child of node.childNodes) {
      if (child.nodeType !== Node.TEXT_NODE || !child.textContent.trim()) continue;
      const range = document.createRange();
      range.selectNodeContents(child);
      for (const box of range.getClientRects()) if (box.width > 1 && box.height > 1)
        yield { node, text: child.textContent.trim(), box };
    }
  }

  function cutOf({ node, text, box }) {
    for (let up = node; up && up !== document.body; up = parent(up)) {
      const look = getComputedStyle(up), edge = up.getBoundingClientRect();
      if (look.position === "fixed") return null;
      if (up instanceof SVGElement && up.tagName !== "svg") continue;
      const hides = (flow) => ["hidden", "clip"].includes(flow), scrolls = (flow) => ["auto", "scroll"].includes(flow);
      if (edge.width <= 2 || edge.height <= 2) return null; // for screen readers alone
      if (scrolls(look.overflowX) || scrolls(look.overflowY)) {
        if (scrolls(look.overflowX) && up.scrollWidth > up.clientWidth) return null;
        if (scrolls(look.overflowY) && up.scrollHeight > up.clientHeight) return null;
      }
      const wide = hides(look.overflowX) && (box.right > edge.right + 1.5 || box.left < edge.left - 1.5);
      const high = hides(look.overflowY) && (box.bottom > edge.bottom + box.height * 0.3
        || box.top < edge.top - box.height * 0.3);
      if ((wide || high) && !told(node, text)) return `cut by ${name(up)}: “${text.slice(0, 60)}”`;
    }
    if ((box.left < -1 || box.right > innerWidth + 1) && !told(node, text)) return `out of the window: “${text.slice(0, 60)}” ${name(node)}`;
    return null;
  }

  const overlap = (a, b, slack) =>
    Math.min(a.right, b.right) - Math.max(a.left, b.left) > slack
    && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > slack;

  function* onTop(texts, slack) {
    for (let i = 0; i < texts.length; i++)
      for (let j = 0; j < i; j++)
        if (overlap(texts[i], texts[j], slack)) yield `“${texts[j].text.slice(0, 40)}” and “${texts[i].text.slice(0, 40)}”`;
  }

  globalThis.faultsOfRoom = () => {
    const faults = [], texts = [];
    const main = document.querySelector("[data-testid=stMain]") || document.documentElement;
    if (main.scrollWidth > main.clientWidth + 1)
      faults.push(`the page scrolls sideways: ${main.scrollWidth} in ${main.clientWidth}`);
    for (const node of everything(main)) {
      if (node.tagName === "CANVAS" || !shown(node)) continue;
      if (node.tagName === "INPUT" && node.scrollWidth > node.clientWidth + 1 && !told(node, node.value))
        faults.push(`cut in its field: “${node.value.slice(0, 60)}” ${name(node)}`);
      if (node.closest("style, script, .katex, .hoverlayer, .modebar, [data-testid=stDataFrame]")) continue;
      for (const found of textsOf(node)) {
        const cut = cutOf(found);
        if (cut) faults.push(cut);
        else if (!told(node, found.text)) texts.push({ ...found, left: found.box.left, right: found.box.right,
          top: found.box.top + found.box.height * 0.2, bottom: found.box.bottom - found.box.height * 0.2 });
      }
    }
    const plots = new Map();
    for (const text of texts) {
      const plot = text.node.closest(".js-plotly-plot") || main;
      plots.set(plot, [...(plots.get(plot) || []), text]);
    }
    for (const [plot, inside] of plots)
      for (const pair of onTop(inside, 2)) faults.push(`on top of each other${plot === main ? "" : " in a figure"}: ${pair}`);
    for (const plot of document.querySelectorAll(".js-plotly-plot")) {
      const legend = plot.querySelector(".legend .bg"), area = plot.querySelector(".bglayer .bg, .plotbg");
      const areas = [...plot.querySelectorAll(".bglayer rect")].map((box) => box.getBoundingClientRect());
      if (legend && areas.some((box) => overlap(legend.getBoundingClientRect(), box, 4)))
        faults.push(`the legend lies over the plot of “${plot.querySelector(".gtitle")?.textContent}”`);
    }
    for (const bar of document.querySelectorAll(".js-plotly-plot .legend .scrollbar"))
      if (bar.getBBox().height > 0)
        faults.push(`entries of a legend are cut in “${bar.closest(".js-plotly-plot").querySelector(".gtitle")?.textContent}”`);
    for (const host of [...everything(main)].filter((node) => node.classList.contains("plot"))) {
      const inside = [...host.querySelectorAll("canvas")].flatMap((canvas) => {
        const ratio = canvas.width / Math.max(1, canvas.clientWidth);
        return (written.get(canvas) || []).map((box) => {
          if (box.left < -1 || box.top < -1 || box.right > canvas.width + 1 || box.bottom > canvas.height + 1)
            faults.push(`out of its canvas (${host.parentNode.dataset.view}): “${box.text}”`);
          return { ...box, ratio };
        });
      });
      if (host.checkVisibility()) for (const pair of onTop(inside, 1.5)) faults.push(`on top of each other in the canvas ${host.parentNode.dataset.view}: ${pair}`);
    }
    return [...new Set(faults)];
  };
})();
