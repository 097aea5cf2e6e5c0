// What the theme leaves out for screen readers and the keyboard.
addEventListener("load", () => {
  document.querySelector(".md-search")?.setAttribute("aria-label", "Search");
  document.querySelectorAll(".md-typeset__scrollwrap").forEach(wrap => (wrap.tabIndex = 0));
  document.querySelectorAll(".md-code__nav").forEach((nav, number) =>
    nav.setAttribute("aria-label", `Code ${number + 1}`));
});
