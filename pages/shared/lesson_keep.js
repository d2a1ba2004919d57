// A reader's predictions, in this browser alone. They are read once a session, then written after each change; another
// tab's are kept beside them. A browser that keeps nothing (private windows, blocked storage) is said.
const NAME = "crl-lessons";

export default function ({ data, setStateValue }) {
  try {
    const stored = JSON.parse(localStorage.getItem(NAME) || "{}");
    if (data.write === null) setStateValue("kept", JSON.stringify(stored));
    else localStorage.setItem(NAME, JSON.stringify(data.anew ? data.write : { ...stored, ...data.write }));
  } catch (error) {
    setStateValue(error instanceof SyntaxError ? "kept" : "off", error instanceof SyntaxError ? "{}" : true);
  }
}
