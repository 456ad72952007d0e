// Keeps an import's counters up to date until it has ended; then the page is loaded once more.
"use strict";
const section = document.getElementById("import");
const open = ["pending", "processing"];

function show(state) {
  for (const place of section.querySelectorAll("[data-value]")) {
    const value = state[place.dataset.value];
    place.textContent = value === null ? "–" : value;
    if (place.dataset.value === "error") place.hidden = !value;
  }
  document.getElementById("bar").value = state.percent;
}

async function look() {
  const answer = await fetch(section.dataset.url);
  if (answer.ok) {
    const state = await answer.json();
    show(state);
    if (!open.includes(state.status)) return location.reload();
  }
  setTimeout(look, 1000);
}

if (open.includes(section.querySelector("[data-value=status]").textContent)) setTimeout(look, 500);
