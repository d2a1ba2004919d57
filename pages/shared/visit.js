// Where this browser was last, in a cookie: who comes back to the bare address lands there, and who was never here
// begins with the lessons. Once a page.
if (!window.crlVisit) {
  window.crlVisit = true;
  const keep = () => {
    const last = location.pathname.split("/").pop() + location.search;
    const value = last.length < 2000 ? encodeURIComponent(last) : "";
    document.cookie = `crl_last=${value}; path=/; max-age=31536000; SameSite=Lax`;
  };
  keep();
  window.navigation?.addEventListener("currententrychange", keep); // a window that is killed tells nobody it goes
  addEventListener("pagehide", keep);
  document.addEventListener("visibilitychange", keep);
}
