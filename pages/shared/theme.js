// The theme may turn while a page is open: by the menu, or with the system's at dusk. Streamlit turns its own parts and
// does not run the page again, whose figures and colours would stay as they were: its key for that is pressed.
if (!window.crlTheme) {
  const now = () => getComputedStyle(document.querySelector("[data-testid=stApp]")).backgroundColor;
  window.crlTheme = now();
  setInterval(() => {
    if (now() === window.crlTheme) return;
    window.crlTheme = now();
    document.body.dispatchEvent(new KeyboardEvent("keydown", { key: "r", code: "KeyR", bubbles: true }));
  }, 300);
}
