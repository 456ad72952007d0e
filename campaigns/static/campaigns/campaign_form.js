// Updates the preview below a campaign's form while the form is edited.
"use strict";
addEventListener("DOMContentLoaded", () => {
  const preview = document.getElementById("campaign-preview");
  const form = document.getElementById("campaign_form");
  if (!preview || !form) return;
  let timer, lastRequest = 0;

  async function updatePreview() {
    const request = ++lastRequest;
    const answer = await fetch(preview.dataset.url, { method: "POST", body: new FormData(form) });
    if (answer.ok && request === lastRequest) preview.innerHTML = await answer.text();
  }

  function schedulePreview() {
    clearTimeout(timer);
    timer = setTimeout(updatePreview, 300);
  }

  preview.addEventListener("click", (event) => {
    const source = event.target.dataset.useText;
    if (!source) return;
    form.elements.message_text.value = document.getElementById(source).textContent;
    updatePreview();
  });
  form.addEventListener("input", schedulePreview);
  form.addEventListener("change", schedulePreview);
  // Autocomplete fields report a choice as an event of jQuery only.
  django.jQuery(form).on("change", schedulePreview);
  schedulePreview();
});
