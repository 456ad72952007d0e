// What the theme leaves out for those who do not see the screen: the main landmark, names of the
// fields that its scripts put in place of selects, and of the panes that it lets scroll.
"use strict";

function name_parts() {
  document.getElementById("main")?.setAttribute("role", "main");
  for (const box of document.querySelectorAll(".select2-container")) {
    const label = document.querySelector(`label[for="${box.previousElementSibling?.id}"]`);
    for (const part of box.querySelectorAll("[role=combobox], [role=textbox], [role=searchbox]")) {
      if (part.hasAttribute("aria-label")) continue;
      part.setAttribute("aria-label", label ? label.textContent.trim() : "Choose");
      part.removeAttribute("aria-labelledby");
    }
  }
  document.querySelectorAll(".simplebar-content-wrapper").forEach((pane, number) => {
    const label = number ? `scrollable content ${number + 1}` : "scrollable content";
    if (pane.getAttribute("aria-label") !== label) pane.setAttribute("aria-label", label);
  });
}

addEventListener("DOMContentLoaded", () => {
  name_parts();
  new MutationObserver(name_parts).observe(document.body, { childList: true, subtree: true });
});

// A page that updates itself says so when it no longer does.
const STALE = "This page cannot be updated: the server does not answer. What it shows may be old."
  + " It tries again by itself; reload the page if this stays.";

function show_whether_stale(is_stale) {
  const shown = document.getElementById("stale");
  if (!is_stale) return shown?.remove();
  if (shown) return;
  const notice = document.createElement("p");
  Object.assign(notice, { id: "stale", className: "alert banner", textContent: STALE });
  notice.setAttribute("role", "alert");
  document.querySelector("[hx-trigger^=every], #import[data-url]")?.before(notice);
}

addEventListener("DOMContentLoaded", () => {
  document.body.addEventListener("htmx:afterRequest", (event) => {
    if (event.target.matches("[hx-trigger^=every]")) show_whether_stale(!event.detail.successful);
  });
});
