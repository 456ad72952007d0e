// Keeps the preview below a campaign's form what the form, as it stands, would send.
"use strict";
addEventListener("DOMContentLoaded", () => {
  const preview = document.getElementById("campaign-preview");
  const form = document.getElementById("campaign_form");
  if (!preview || !form) return;
  let timer, asked = 0;

  async function look() {
    const number = ++asked;
    const answer = await fetch(preview.dataset.url, { method: "POST", body: new FormData(form) });
    if (answer.ok && number === asked) preview.innerHTML = await answer.text();
  }

  function soon() {
    clearTimeout(timer);
    timer = setTimeout(look, 300);
  }

  form.addEventListener("input", soon);
  form.addEventListener("change", soon);
  // The fields that are searched in tell of a choice by jQuery alone.
  django.jQuery(form).on("change", soon);
  soon();
});
