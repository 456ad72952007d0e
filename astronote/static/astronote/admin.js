// What the theme leaves out for those who do not see the screen: the main landmark, names of the
// fields that its scripts put in place of selects, and of the panes that it lets scroll.
"use strict";

// What scripts say comes from the page, in its language.
const texts = () => document.getElementById("script-texts").dataset;

function name_parts() {
  (document.getElementById("main") ?? document.getElementById("page"))?.setAttribute("role", "main");
  document.getElementById("search-input-command")?.closest("[x-data]").setAttribute("role", "search");
  for (const box of document.querySelectorAll(".select2-container")) {
    const label = document.querySelector(`label[for="${box.previousElementSibling?.id}"]`);
    for (const part of box.querySelectorAll("[role=combobox], [role=textbox], [role=searchbox]")) {
      if (part.hasAttribute("aria-label")) continue;
      part.setAttribute("aria-label", label ? label.textContent.trim() : texts().choose);
      part.removeAttribute("aria-labelledby");
    }
  }
  document.querySelectorAll(".simplebar-content-wrapper").forEach((pane, number) => {
    const label = number ? texts().numberedPane.replace("{number}", number + 1) : texts().pane;
    if (pane.getAttribute("aria-label") !== label) pane.setAttribute("aria-label", label);
  });
}

// A security key was added: the list of them shows it.
addEventListener("otp_webauthn.register_complete", () => location.reload());

addEventListener("DOMContentLoaded", () => {
  name_parts();
  new MutationObserver(name_parts).observe(document.body, { childList: true, subtree: true });
});

// A page that updates itself says so when it no longer does.
function show_whether_stale(is_stale) {
  const shown = document.getElementById("stale");
  if (!is_stale) return shown?.remove();
  if (shown) return;
  const notice = document.createElement("p");
  Object.assign(notice, { id: "stale", className: "alert banner", textContent: texts().stale });
  notice.setAttribute("role", "alert");
  document.querySelector("[hx-trigger^=every], #import[data-url]")?.before(notice);
}

addEventListener("DOMContentLoaded", () => {
  document.body.addEventListener("htmx:afterRequest", (event) => {
    if (event.target.matches("[hx-trigger^=every]")) show_whether_stale(!event.detail.successful);
  });
});

// Charts are drawn from the table that follows them, with the chart library of the theme.
const SERIES_COLORS = {
  light: ["#2f6f9f", "#1e7a4c", "#b3392b"],
  dark: ["#6cb0e0", "#55c088", "#f08a7c"],
};

function draw_chart(canvas) {
  Chart.getChart(canvas)?.destroy();
  const is_dark = document.documentElement.classList.contains("dark");
  const [ink, line] = is_dark ? ["#d4d4d8", "#3f3f46"] : ["#3f3f46", "#e4e4e7"];
  const colors = SERIES_COLORS[is_dark ? "dark" : "light"];
  const [head, ...rows] = document.getElementById(canvas.dataset.table).rows;
  const datasets = [...head.cells].slice(1).map((cell, series) => ({
    label: cell.textContent,
    data: rows.map((row) => Number(row.cells[series + 1].dataset.number)),
    backgroundColor: colors[series],
  }));
  const scale = { ticks: { color: ink }, grid: { color: line } };
  new Chart(canvas, {
    type: "bar",
    data: { labels: rows.map((row) => row.cells[0].textContent), datasets },
    options: {
      animation: false,
      maintainAspectRatio: false,
      datasets: { bar: { maxBarThickness: 30 } },
      interaction: { mode: "index", intersect: false },
      plugins: { legend: { labels: { color: ink } } },
      scales: {
        x: { ...scale, grid: { display: false }, ticks: { color: ink, maxRotation: 0, autoSkipPadding: 16 } },
        y: { ...scale, beginAtZero: true, ticks: { color: ink, precision: 0 } },
      },
    },
  });
}

function draw_charts() {
  document.querySelectorAll("canvas[data-table]").forEach(draw_chart);
}

addEventListener("load", () => {
  draw_charts();
  new MutationObserver(draw_charts).observe(document.documentElement, { attributeFilter: ["class"] });
});

// The text of a saved answer is put where the cursor was in the field of the answer.
addEventListener("DOMContentLoaded", () => {
  for (const button of document.querySelectorAll("button[data-inserts-into]")) {
    button.addEventListener("click", () => {
      const field = document.getElementById(button.dataset.insertsInto);
      field.setRangeText(button.value, field.selectionStart, field.selectionEnd, "end");
      field.focus();
    });
  }
});

// A part of a page that replaces itself keeps its tables open, and draws its charts anew.
addEventListener("DOMContentLoaded", () => {
  const open = new Set();
  document.body.addEventListener("htmx:beforeSwap", (event) => {
    event.target.querySelectorAll("canvas[data-table]").forEach((canvas) => Chart.getChart(canvas)?.destroy());
    open.clear();
    event.target.querySelectorAll("details[open][data-keep-open]").forEach((one) => open.add(one.dataset.keepOpen));
  });
  document.body.addEventListener("htmx:afterSwap", (event) => {
    for (const one of event.target.querySelectorAll("details[data-keep-open]")) one.open = open.has(one.dataset.keepOpen);
    event.target.querySelectorAll("canvas[data-table]").forEach(draw_chart);
  });
});

// What is chosen by typing is of the store that the form has, as far as rows belong to stores.
addEventListener("DOMContentLoaded", () => {
  window.django?.jQuery?.ajaxPrefilter((options) => {
    const store = document.querySelector("form [name=owner]")?.value;
    if (store && options.url.includes("/autocomplete/"))
      options.url += (options.url.includes("?") ? "&" : "?") + `store_of_choices=${store}`;
  });
});
