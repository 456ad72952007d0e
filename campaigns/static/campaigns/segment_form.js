// Shows how many contacts match a segment while its form is edited.
"use strict";
addEventListener("DOMContentLoaded", () => {
  const place = document.getElementById("segment-count");
  const form = document.getElementById("segment_form");
  if (!place || !form) return;
  let timer, lastRequest = 0;

  async function updateCount() {
    const request = ++lastRequest;
    const answer = await fetch(place.dataset.url, { method: "POST", body: new FormData(form) });
    if (answer.ok && request === lastRequest) place.innerHTML = await answer.text();
  }

  function scheduleCount() {
    clearTimeout(timer);
    timer = setTimeout(updateCount, 300);
  }

  form.addEventListener("input", scheduleCount);
  // Autocomplete fields report a choice as an event of jQuery only.
  django.jQuery(form).on("change", scheduleCount);
  scheduleCount();
});
