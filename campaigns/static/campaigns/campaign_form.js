// Updates the preview below a campaign's form while the form is edited, and keeps what was typed:
// an action saves it first, and leaving the page asks.
"use strict";
addEventListener("DOMContentLoaded", () => {
  const preview = document.getElementById("campaign-preview");
  const form = document.getElementById("campaign_form");
  if (!preview || !form) return;
  let timer, lastRequest = 0, isLeaving = false;

  const fields = () => new URLSearchParams(new FormData(form)).toString();
  const asSaved = fields();
  // A form that comes back with errors is not saved, though nobody has typed since.
  const isUnsaved = () => "unsaved" in preview.dataset || fields() !== asSaved;

  async function updatePreview() {
    const request = ++lastRequest;
    const answer = await fetch(preview.dataset.url, { method: "POST", body: new FormData(form) });
    if (answer.ok && request === lastRequest) preview.innerHTML = await answer.text();
    if (recipient.value.trim()) showRecipientTexts();
  }

  function schedulePreview() {
    clearTimeout(timer);
    timer = setTimeout(updatePreview, 300);
  }

  // Saves the form, and then goes on with the action.
  function saveThen(event) {
    const action = event.target.closest("[data-campaign-action]");
    if (!action || !isUnsaved()) return;
    event.preventDefault();
    const next = document.createElement("input");
    Object.assign(next, { type: "hidden", name: "_then", value: action.dataset.campaignAction });
    form.append(next);
    isLeaving = true;
    form.submit();
  }

  // The text as the form has it, for the customers that a search finds.
  const recipient = document.getElementById("preview-recipient");
  const recipientTexts = document.getElementById("recipient-texts");
  let lastSearch = 0;

  async function showRecipientTexts() {
    const search = ++lastSearch;
    const data = new FormData(form);
    data.set("recipient", recipient.value);
    const answer = recipient.value.trim() && await fetch(preview.dataset.url, { method: "POST", body: data });
    if (search === lastSearch) recipientTexts.innerHTML = answer?.ok ? await answer.text() : "";
  }

  recipient.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(showRecipientTexts, 300);
  });
  preview.addEventListener("click", (event) => {
    const source = event.target.dataset.useText;
    if (!source) return;
    form.elements.message_text.value = document.getElementById(source).textContent;
    updatePreview();
  });
  document.addEventListener("click", saveThen);
  form.addEventListener("submit", () => { isLeaving = true; });
  addEventListener("beforeunload", (event) => {
    if (!isLeaving && isUnsaved()) event.preventDefault();
  });
  form.addEventListener("input", schedulePreview);
  form.addEventListener("change", schedulePreview);
  // Autocomplete fields report a choice as an event of jQuery only.
  django.jQuery(form).on("change", schedulePreview);
  schedulePreview();
});
