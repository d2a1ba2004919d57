// λ, preset and Train within reach of a thumb. λ goes to the server once the finger lets go of it.
const PATIENCE_MS = 3000; // so long a λ that was just chosen stands, whatever an earlier run of the page still brings
const bars = new WeakMap();

export default function ({ parentElement, data, setTriggerValue }) {
  const part = (name) => parentElement.querySelector(`.${name}`);
  const preset = part("preset"), lam = part("lam").querySelector("input"), now = part("now"), train = part("train");
  const chosen = bars.get(parentElement) || { at: null, since: -PATIENCE_MS };
  bars.set(parentElement, chosen);

  const say = () => {
    const said = `λ = ${data.lams[lam.value]}`;
    now.textContent = now.title = said;
    lam.setAttribute("aria-valuetext", said);
  };
  lam.max = data.lams.length - 1;
  if (data.at === chosen.at || performance.now() - chosen.since >= PATIENCE_MS) lam.value = data.at;
  say();
  lam.oninput = say;
  lam.onchange = () => {
    Object.assign(chosen, { at: Number(lam.value), since: performance.now() });
    setTriggerValue("lam", chosen.at);
  };

  preset.hidden = !data.preset;
  preset.replaceChildren(...Object.entries(data.presets).map(([id, title]) => new Option(title, id)));
  preset.value = data.preset;
  preset.title = data.presets[data.preset] || "";
  preset.onchange = () => setTriggerValue("preset", preset.value);

  train.textContent = train.title = data.train;
  train.disabled = !data.can_train;
  train.onclick = () => setTriggerValue("train", true);

  part("more").onclick = () => {
    const drawer = document.querySelector("[data-testid=stExpandSidebarButton]")
      || document.querySelector("[data-testid=stSidebarCollapseButton] button");
    drawer?.click();
  };
}
