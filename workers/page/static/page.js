// What HTML alone cannot do: local times, questions before a change, and filters that act at once.
"use strict";

const localTime = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });

function showLocalTimes(root) {
  for (const time of root.querySelectorAll("time[datetime]")) {
    time.title = time.textContent;
    time.textContent = localTime.format(new Date(time.dateTime));
  }
}

document.addEventListener("submit", (event) => {
  const question = event.target.dataset.confirm;
  if (question && !window.confirm(question)) event.preventDefault();
});

document.addEventListener("change", (event) => {
  if (event.target.matches(".filters input[type=radio]")) event.target.form.requestSubmit();
});

document.addEventListener("DOMContentLoaded", () => showLocalTimes(document));
document.addEventListener("htmx:afterSettle", (event) => showLocalTimes(event.target));

// A file is dropped anywhere on the form: it is chosen and sent; the bar shows how much has been sent.
for (const kind of ["dragenter", "dragover", "dragleave", "drop"]) {
  document.addEventListener(kind, (event) => {
    const form = event.target instanceof Element ? event.target.closest("[data-drop]") : null;
    if (!form) return;
    event.preventDefault();
    form.classList.toggle("over", kind === "dragenter" || kind === "dragover");
    if (kind !== "drop" || event.dataTransfer.files.length === 0) return;
    form.querySelector("input[type=file]").files = event.dataTransfer.files;
    form.requestSubmit();
  });
}

document.addEventListener("htmx:xhr:progress", (event) => {
  const bar = event.target.querySelector("progress.sent");
  if (!bar || !event.detail.lengthComputable) return;
  bar.hidden = false;
  bar.value = (100 * event.detail.loaded) / event.detail.total;
});

// A poll that fails is tried again; what is no page of ours, such as a proxy's error, replaces nothing.
document.addEventListener("htmx:beforeSwap", (event) => {
  const { isError, requestConfig, xhr } = event.detail;
  const isPoll = xhr.status >= 500 && requestConfig.elt.matches('[hx-trigger^="every"]');
  const isPage = (xhr.getResponseHeader("content-type") ?? "").startsWith("text/html");
  if (isError && (isPoll || !isPage)) event.detail.shouldSwap = false;
});

// Nothing replaces a field in which somebody types; the part is up to date again with its next change.
document.addEventListener("htmx:sseBeforeMessage", (event) => {
  const active = document.activeElement;
  if (active?.matches("input, select, textarea") && event.target.contains(active)) event.preventDefault();
});
