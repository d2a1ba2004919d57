// Numbers typed or pasted into number fields, read as `crl_core.config.numbers.number` reads those of a command line.
//
// A browser drops the comma of 0,2 from a field of type number, and Streamlit reads as far as it can (1e3 as 1 where a
// whole number is asked for). So the fields become text here. What is typed stays as it is until it is left or entered;
// then Streamlit gets one plain number, or the field keeps its value and a sentence says both readings.
const number = (text, unit = "", whole = false) => {
  const shown = `“${text.trim().slice(0, 40)}”`;
  const two = (one, other, ways = `${one} or ${other}`) => {
    throw new RangeError(`${shown} can be read as ${one} or as ${other}; write ${ways}.`);
  };
  let plain = text
    .replace(/[\u2010-\u2013\u2212\ufe63]/g, "-")
    .replace(/[\uff01-\uff5e]/g, (full) => String.fromCharCode(full.charCodeAt(0) - 0xfee0))
    .trim();
  const words = unit ? [unit, ...unit.split(/\s+/)] : [];
  for (const word of words) {
    if (plain.toLowerCase().endsWith(word.toLowerCase()) && /[\d.]\s*$/.test(plain.slice(0, -word.length))) {
      plain = plain.slice(0, -word.length).trim();
      break;
    }
  }
  if (plain.endsWith("%")) {
    const share = Number(number(plain.slice(0, -1))) / 100;
    two(String(Number(share.toPrecision(6))), String(Number((100 * share).toPrecision(6))));
  }
  for (const [decimal, group] of [".,", ",."]) {
    const both = new RegExp(`^[+-]?[1-9]\\d{0,2}(\\${group}\\d{3})+\\${decimal}\\d+$`);
    const twice = new RegExp(`^[+-]?[1-9]\\d{0,2}(\\${group}\\d{3}){2,}$`);
    if (both.test(plain) || twice.test(plain)) plain = plain.replaceAll(group, "").replace(decimal, ".");
  }
  if (/^[+-]?[1-9]\d{0,2}((['\u2019]\d{3})+|([ \u00a0\u2007\u2008\u2009\u202f]\d{3})+)([.,]\d+)?$/.test(plain)) {
    plain = plain.replace(/['\u2019 \u00a0\u2007\u2008\u2009\u202f]/g, "");
  }
  if ((whole ? /^[+-]?[1-9]\d{0,2}[.,]\d{3}$/ : /^[+-]?[1-9]\d{0,2}(,\d{3}|\.\d\d0)$/).test(plain)) {
    const [one, other] = [String(Number(plain.replace(",", "."))), plain.replace(/[.,]/, "").replace("+", "")];
    two(plain.includes(",") ? plain.replace(",", ".") : one, other, `${one} or ${other}`);
  }
  if (/^[+-]?\d*,\d+([eE][+-]?\d+)?$/.test(plain)) plain = plain.replace(",", ".");
  if (!/^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(plain) || !Number.isFinite(Number(plain))) {
    throw new RangeError(`${shown} is no number; write one as 0.5, 10000 or 1e-3.`);
  }
  if (whole && !Number.isInteger(Number(plain))) {
    throw new RangeError(`${shown} is no whole number; write one, e.g. ${Math.round(Number(plain))}.`);
  }
  return String(Number(plain));
};

const watch = () => {
  const FIELD = '[data-testid="stNumberInputField"]';
  const held = new WeakMap(); // field -> the text that it had when it was entered
  const isField = (node) => node instanceof HTMLInputElement && node.matches(FIELD);

  const asText = () => {
    for (const field of document.querySelectorAll(`${FIELD}[type="number"]`)) {
      field.type = "text";
      // The phone's keyboard of digits has no minus on some.
      field.inputMode = Number(field.min) < 0 ? "text" : "decimal";
      field.setAttribute("role", "spinbutton");
      field.autocomplete = "off";
    }
  };
  const put = (field, text) => {
    // Past React's own setter, so that React sees that something has changed.
    Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, "value").set.call(field, text);
    field.dispatchEvent(new Event("input", { bubbles: true }));
  };
  const note = () => document.getElementById("crl-number-note");
  const say = (field, text) => {
    note()?.remove();
    if (!text) return;
    const box = document.createElement("div");
    const place = field.getBoundingClientRect();
    box.id = "crl-number-note";
    box.setAttribute("role", "alert");
    box.textContent = text;
    const width = Math.min(280, innerWidth - 16);
    box.style.cssText = `position:absolute; z-index:1000000; width:${width}px; box-sizing:border-box;
      left:${Math.max(8, Math.min(place.left, innerWidth - width - 8)) + scrollX}px;
      top:${place.bottom + 6 + scrollY}px; padding:.5rem .7rem; border-radius:8px; font:inherit; font-size:.85rem;
      font-family:${getComputedStyle(field).fontFamily}; background:#8c1d18; color:#fff;`;
    document.body.append(box);
    setTimeout(() => box.remove(), 15000);
  };
  // Whether the field's text may go on to Streamlit, as a plain number where it was another one.
  const settle = (field) => {
    const text = field.value;
    if (text.trim() === "" || text === held.get(field)) return true;
    const whole = Number.isInteger(Number(field.step));
    try {
      const plain = number(text, field.getAttribute("aria-label") ?? "", whole);
      if (plain !== text) put(field, plain);
      return true;
    } catch (error) {
      say(field, error.message);
      return false;
    }
  };
  document.addEventListener("focusin", ({ target }) => {
    asText();
    if (isField(target)) held.set(target, target.value);
  }, true);
  document.addEventListener("input", ({ target, isTrusted }) => {
    if (isField(target) && isTrusted) say(target, "");
  }, true);
  document.addEventListener("keydown", (event) => {
    if (!isField(event.target) || !["Enter", "ArrowUp", "ArrowDown"].includes(event.key)) return;
    if (!settle(event.target)) {
      event.preventDefault();
      event.stopImmediatePropagation();
    } else if (event.key === "Enter") {
      held.set(event.target, event.target.value);
    }
  }, true);
  document.addEventListener("focusout", ({ target }) => {
    if (!isField(target) || settle(target)) return;
    put(target, held.get(target));
    note().textContent += ` Kept: ${held.get(target)}.`;
  }, true);
  new MutationObserver(asText).observe(document.body, { childList: true, subtree: true });
  asText();
};

if (typeof module !== "undefined") {
  module.exports = { number };
} else if (!window.crlNumberFields) {
  window.crlNumberFields = true;
  watch();
}
