// The sidebar of a phone lies over the page: it closes once a page is chosen in it. In a phone that lies on its side it
// would take a third of the page: there it begins closed.
if (!window.crlDrawer) {
  window.crlDrawer = true;
  const close = () => document.querySelector("[data-testid=stSidebarCollapseButton] button")?.click();
  document.addEventListener("click", ({ target }) => {
    const link = target.closest?.("[data-testid=stSidebarNavLink]");
    if (link && matchMedia("(max-width: 768px), (max-height: 480px) and (hover: none)").matches) setTimeout(close);
  });
  if (matchMedia("(min-width: 769px) and (max-height: 480px) and (hover: none)").matches) {
    const look = setInterval(() => { // the sidebar may come after this script
      if (!document.querySelector("[data-testid=stSidebarCollapseButton] button")) return;
      clearInterval(look);
      close();
    }, 100);
  }
}
