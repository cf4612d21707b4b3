/* The inbox by the keyboard, its count of ticks, and the list that follows an answer given beside it.
   Every part works without: links open pages, forms post, the server counts. */
(() => {
  "use strict";

  const list = document.querySelector("[data-inbox]");
  if (!list) return;
  const panel = document.getElementById("panneau");
  const wide = matchMedia("(min-width: 75em)");
  const rows = () => [...list.querySelectorAll("tr[data-row]")];
  const link = (row) => row.querySelector("a.desk-name");
  const tick = (row) => row.querySelector("input[name=dossier]");
  const opened = () => panel.querySelector("[data-dossier]")?.dataset.dossier;

  /* On a narrow screen a request is a page of its own: the link goes there, before htmx hears of it. */
  list.addEventListener("click", (event) => {
    if (!wide.matches && event.target.closest("a.desk-name")) event.stopPropagation();
  }, true);

  /* Shortcuts only while a row has the focus: elsewhere letters are letters. */
  list.addEventListener("keydown", (event) => {
    const row = event.target.closest("tr[data-row]");
    if (!row || event.ctrlKey || event.metaKey || event.altKey) return;
    const step = { ArrowDown: 1, j: 1, ArrowUp: -1, k: -1 }[event.key];
    if (step) {
      const next = rows()[rows().indexOf(row) + step];
      if (next) link(next).focus();
      event.preventDefault();
    } else if (event.key === "x" && tick(row)) {
      tick(row).click();
      event.preventDefault();
    }
  });

  const count = () => {
    const ticked = list.querySelectorAll("input[name=dossier]:checked").length;
    const words = list.querySelector("[data-ticked]");
    if (!words) return;
    words.hidden = ticked === 0;
    words.textContent = ticked === 1 ? words.dataset.one : words.dataset.many.replace("{}", ticked);
  };
  list.addEventListener("change", count);

  /* An answer begun in the panel is not lost without a question. */
  let begun = false;
  panel.addEventListener("input", () => (begun = true));
  const mayLeave = () => !begun || confirm(panel.dataset.lose);
  document.addEventListener("htmx:confirm", (event) => {
    if (event.detail.target !== panel || event.detail.verb !== "get" || !begun) return;
    event.preventDefault();
    if (mayLeave()) event.detail.issueRequest();
  });
  const guard = (event) => {
    if (!mayLeave()) {
      event.preventDefault();
      event.stopImmediatePropagation();
      return;
    }
    begun = false;
    const left = opened();
    /* Once the panel is shut, the focus is on its row, or on the first one when the row has gone. */
    setTimeout(() => {
      const row = rows().find((each) => each.dataset.row === left) || rows()[0];
      if (row && !panel.childElementCount) link(row).focus();
      mark();
    });
  };
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && panel.contains(event.target)) guard(event);
  }, true);
  panel.addEventListener("click", (event) => {
    /* A click by the keyboard shortcut has passed the question already. */
    if (event.isTrusted && event.target.closest("[data-close-panel]")) guard(event);
  }, true);

  /* Which row is open beside the list. */
  const mark = () => {
    for (const row of rows()) {
      const isOpen = row.dataset.row === opened();
      row.classList.toggle("is-current", isOpen);
      if (isOpen) link(row).setAttribute("aria-current", "true");
      else link(row).removeAttribute("aria-current");
    }
  };

  /* An answer given in the panel changes the list: it is read again, ticks kept. */
  let ticks = [];
  document.addEventListener("htmx:afterRequest", ({ detail }) => {
    if (detail.target !== panel || detail.requestConfig?.verb !== "post" || !detail.successful) return;
    ticks = [...list.querySelectorAll("input[name=dossier]:checked")].map((box) => box.value);
    htmx.ajax("GET", location.href, { target: list, swap: "innerHTML" });
  });
  document.addEventListener("htmx:afterSwap", ({ detail }) => {
    if (detail.target === list) {
      for (const row of rows()) if (tick(row) && ticks.includes(row.dataset.row)) tick(row).checked = true;
      ticks = [];
      count();
    }
    if (detail.target === panel) {
      begun = detail.xhr?.status === 422;
      panel.scrollTop = 0;
    }
    if (detail.target === list || detail.target === panel) mark();
  });

  document.querySelector("[data-keys]").hidden = false;
  count();
})();
