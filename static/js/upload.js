/* Sending a catalogue: how much has left, for those who have JavaScript. Without it the form goes by itself. */
(() => {
  "use strict";

  const form = document.querySelector("form[data-upload]");
  if (!form) return;
  const box = document.querySelector(form.dataset.upload);
  const bar = box.querySelector("progress");
  const status = form.querySelector("[data-upload-status]");

  form.addEventListener("submit", (event) => {
    const input = form.querySelector("input[type=file]");
    if (!input.files.length) return; /* the server says what is missing */
    event.preventDefault();
    const request = new XMLHttpRequest();
    request.open("POST", form.action);
    request.upload.addEventListener("progress", ({ loaded, total, lengthComputable }) => {
      if (!lengthComputable) return;
      bar.max = total;
      bar.value = loaded;
      if (loaded === total) status.textContent = status.dataset.sent;
    });
    /* The answer is a page, refused or not: show it as the browser would have. */
    request.addEventListener("load", () => {
      if (request.status < 400) {
        location.assign(request.responseURL);
        return;
      }
      const page = new DOMParser().parseFromString(request.responseText, "text/html");
      document.querySelector("main").replaceWith(page.querySelector("main"));
      document.title = page.title;
      document.querySelector("[data-focus]")?.focus();
    });
    /* Lost on the way: the plain form tries again, and the browser says why. */
    request.addEventListener("error", () => form.submit());
    box.hidden = false;
    status.textContent = status.dataset.sending;
    form.querySelector("button[type=submit]").disabled = true;
    request.send(new FormData(form));
  });
})();
