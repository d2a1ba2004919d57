// A finger on a Plotly figure points at what is below it, before the tap counts: Plotly, where a finger may drag, keeps
// what was pointed at last, and takes a tap for the place of the tap before it.
if (!window.crlTaps) {
  window.crlTaps = true;
  document.addEventListener("touchstart", ({ target, touches }) => {
    const area = target.closest?.(".js-plotly-plot .nsewdrag");
    if (!area || touches.length !== 1) return;
    const [{ clientX, clientY }] = touches;
    area.dispatchEvent(new MouseEvent("mousemove", { clientX, clientY, bubbles: true }));
  }, { capture: true, passive: true });
}
