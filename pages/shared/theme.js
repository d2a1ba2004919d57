// The theme may turn while a page is open: by the menu, or with the system's at dusk. Streamlit turns its own parts and
// does not run the page again, whose figures and colours would stay as they were: its key for that is pressed, again
// where it was not heard (a page that runs at that moment takes no key), a few times at most.
if (!window.crlTheme) {
  window.crlTheme = { pressed: 0, at: 0 };
  setInterval(() => {
    const look = getComputedStyle(document.querySelector("[data-testid=stApp]"));
    const drawn = look.getPropertyValue("--theme").trim();
    const state = window.crlTheme;
    if (!drawn || look.colorScheme === drawn) {
      state.pressed = 0;
    } else if (state.pressed < 20 && Date.now() > state.at + 900) {
      state.pressed += 1;
      state.at = Date.now();
      document.body.dispatchEvent(new KeyboardEvent("keydown", { key: "r", code: "KeyR", bubbles: true }));
    }
  }, 300);
}
