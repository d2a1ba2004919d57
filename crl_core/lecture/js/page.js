// The scrubber's elements: one slider, the big figures, five views, the tools.

const VIEWS = ["latent", "effect", "map", "training", "path"];
const PACES = [["slow", 1.6], ["steady", 0.8], ["quick", 0.4]]; // seconds a grid step

const KEYS = [
  ["← →", "step along λ; Home and End jump"], ["Space", "play and pause"],
  ["Page Down, Page Up", "the story, on and back"],
  ["1 to 4", "which panel is large; out of full screen: alone"], ["5", "the path alone"], ["F", "full screen"],
  ["P", "colours and type for a projector"],
  ["S, Shift S", "next scene, or the one before: another world, and its story", "staged"],
  ["R", "train what is set, where it is not trained yet", "staged"],
  ["N, E, T", "of traces: next one, its edit, the map"],
  ["?", "this list, and away with it"],
];

const TRACED = `<div class="traced" hidden>
  <p class="choose"><span class="stepper"><button type="button" data-do="trace-back"
    aria-label="Previous trace, key Shift N">‹</button><span class="which chip"></span><button type="button"
    data-do="trace-next" aria-label="Next trace, key N">›</button></span><span class="edits"></span></p>
  <dl class="answers"><div><dd data-traced="answer"></dd><dt data-traced="of"></dt></div>
    <div class="share"><dd data-traced="size"></dd><dt data-traced="of-all"></dt></div></dl>
  <p class="heard" role="status"></p></div>`;

const PAGE = `
<header class="head">
  <div class="words"><h2 class="title"></h2><p class="legend everyone"></p><p class="says" aria-live="polite"></p>
    <div class="progress" hidden><span class="track" role="progressbar" aria-label="Training" aria-valuemin="0"
      aria-valuemax="100"><span class="gone"></span></span><span class="far"></span></div></div>
  <dl class="figures">
    <div><dd data-figure="lam"></dd><dt>penalty λ</dt></div>
    ${FIGURES.map(({ name, word }) => `<div><dd data-figure="${name}"></dd><dt
      data-word="${name}">${word}</dt></div>`).join("")}
  </dl>
</header>
<div class="views">
  ${VIEWS.slice(0, 4).map((v, i) => `<section class="panel" data-view="${v}">
    <div class="bar"><h3></h3>${v === "map" ? '<button class="face" type="button" data-do="face"></button>' : ""}<button
      class="enlarge" type="button" aria-pressed="false">${i + 1}</button></div>
    <p class="caption"></p>${v === "latent" ? '<p class="legend"></p>' : ""}${v === "map" ? TRACED : ""}<div
      class="plot"></div></section>`).join("")}
</div>
<div class="shift" hidden><span class="shift-title">Shift σ</span><span class="sliders"></span>
  <button type="button" data-do="unshift">Back to the data it was trained on</button><button
    type="button" data-do="train">Train for this σ</button></div>
<section class="panel" data-view="path">
  <div class="bar"><h3></h3><p class="caption"></p><span class="tools">
    <span class="story"><button type="button" data-do="back" aria-label="Previous story step">‹</button><button
      type="button" data-do="story"></button><button
      type="button" data-do="next" aria-label="Next story step">›</button></span>
    <button type="button" data-do="play" aria-pressed="false">Play</button>
    <select class="pace"
      aria-label="Pace of play">${PACES.map(([name]) => `<option>${name}</option>`).join("")}</select>
    <button type="button" data-do="shift" aria-pressed="false">Shift σ</button>
    <button type="button" data-do="projector" aria-pressed="false">Projector</button>
    <span class="offers"><select class="preset" aria-label="Preset"></select><button type="button"
      data-do="scene-back" aria-label="Previous scene">‹</button><button
      type="button" data-do="scene"></button><button type="button" data-do="go">Train</button></span>
    <button type="button" data-do="full">Full screen</button>
    <button type="button" data-do="keys" aria-label="Keys" aria-expanded="false">?</button>
    <button class="enlarge" type="button" aria-pressed="false">5</button></span></div>
  <div class="plot"><div class="grip" role="slider" tabindex="0" aria-label="λ"
    aria-orientation="horizontal" aria-valuemin="0"></div></div>
</section>
<div class="keys" role="dialog" aria-label="Keys" hidden><h3>Keys</h3><dl>${KEYS.map(([keys, what, which = ""]) => `<dt
  class="${which}">${keys}</dt><dd class="${which}">${what}</dd>`).join("")}</dl>
  <button type="button" data-do="keys">Close</button></div>`;

