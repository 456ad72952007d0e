// Updates the counters of an open import every second, and reloads the page when its status changes.
"use strict";
const section = document.getElementById("import");
const openStatuses = ["pending", "processing"];

function format(value) {
  if (value === null) return "–";
  return typeof value === "number" ? value.toLocaleString(document.documentElement.lang) : value;
}

function showProgress(progress) {
  for (const element of section.querySelectorAll("[data-value]")) {
    const value = progress[element.dataset.value];
    element.textContent = format(value);
    if (element.dataset.value === "error") element.hidden = !value;
  }
  document.getElementById("bar").value = progress.percent;
}

async function poll() {
  const response = await fetch(section.dataset.url).catch(() => null);
  show_whether_stale(!response?.ok);
  if (response?.ok) {
    const progress = await response.json();
    showProgress(progress);
    if (progress.status !== section.dataset.status) return location.reload();
  }
  setTimeout(poll, 1000);
}

if (openStatuses.includes(section.dataset.status)) setTimeout(poll, 500);
