// Words on a canvas: broken into lines, moved inside, or shortened where there is no room. What is shortened is whole
// in the tooltip of its panel.

/** `text` where it fits in `width`; else its longest beginning that does, with … for the rest. */
function shortened(c, text, width) {
  const fits = (t) => c.measureText(t).width <= width;
  if (fits(text)) return text;
  const letters = [...text]; // no letter of two code units is cut in half
  const kept = (count) => letters.slice(0, count).join("").trimEnd() + "…";
  let count = 0;
  for (let step = 4096; step >= 1; step /= 2) { // halving: no sentence here has twice as many letters
    if (count + step < letters.length && fits(kept(count + step))) count += step;
  }
  return kept(count);
}

/** Names as they fit side by side in `width` each: whole, or by their last words where those tell them apart. */
function namesIn(c, names, width) {
  const last = names.map((name) => name.split(" ").pop());
  const fit = names.every((name) => c.measureText(name).width <= width);
  return fit || new Set(last).size < names.length ? names : last;
}

/** At most `most` lines of `width`, each of at least a word; the last says with … that more would follow. */
function wrapped(c, text, width, most = Infinity) {
  const lines = [""];
  for (const word of text.split(/\s+/)) {
    const last = lines[lines.length - 1], longer = `${last} ${word}`.trim();
    if (!last || lines.length >= most || c.measureText(longer).width <= width) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines.map((line) => shortened(c, line, width));
}

/** Writes a line no wider than `width`, moved into the panel where it would stand out. Returns where it begins and
 * ends. What had to be shortened is kept for the panel's tooltip. */
function write(panel, c, text, x, y, width = panel.w) {
  const said = shortened(c, text, Math.min(width, panel.w)), wide = c.measureText(said).width;
  const from = x - { left: 0, center: wide / 2, right: wide }[c.textAlign];
  const moved = clamp(from, 0, Math.max(0, panel.w - wide));
  c.fillText(said, x + moved - from, y);
  if (said !== text) panel.shortened.add(text);
  return [moved, moved + wide];
}

/** The same, upwards. `height` is what the words have; they are centred on (x, y). */
function writeUpwards(panel, c, text, x, y, height) {
  const said = shortened(c, text, height);
  c.save(); c.translate(x, y); c.rotate(-Math.PI / 2);
  c.textAlign = "center"; c.textBaseline = "alphabetic"; c.fillText(said, 0, 0);
  c.restore();
  if (said !== text) panel.shortened.add(text);
}
