/* What the page does by itself: every page works without it.
   Keeps countdowns true, and brings the person to what has to be corrected. */
(() => {
  "use strict";

  /* The same words as ui.french.left, handed over by the page in data-words. */
  const said = (seconds, words) => {
    if (seconds <= 0) return words.over;
    const minutes = Math.floor(seconds / 60);
    if (minutes < 1) return words.soon;
    const d = Math.floor(minutes / 1440);
    const h = Math.floor(minutes / 60) % 24;
    const parts = d ? [[d, "day"], [h, "hour"]] : [[h, "hour"], [minutes % 60, "minute"]];
    const text = parts
      .filter(([n]) => n)
      .map(([n, unit]) => `${n}\u00a0${words[n === 1 ? unit : unit + "s"]}`)
      .join(words.and);
    return words.left.replace("{}", text);
  };

  /* The server's clock counts, not this device's: only the time passed since the page came is ours. */
  const arrived = new WeakMap();
  const refresh = () => {
    for (const box of document.querySelectorAll("[data-until]")) {
      if (!arrived.has(box)) arrived.set(box, Date.now());
      const now = Number(box.dataset.at) + (Date.now() - arrived.get(box)) / 1000;
      const seconds = Number(box.dataset.until) - now;
      const target = box.querySelector("[data-left]");
      const text = said(seconds, JSON.parse(box.dataset.words));
      if (target && target.textContent !== text) target.textContent = text;
      box.classList.toggle("countdown--over", seconds <= 0);
    }
  };

  const focusErrors = (root) => {
    const summary = root.querySelector("[data-focus]");
    if (summary) summary.focus();
  };

  refresh();
  setInterval(refresh, 15000);
  document.addEventListener("visibilitychange", refresh);
  focusErrors(document);
  document.addEventListener("htmx:afterSwap", (event) => {
    refresh();
    focusErrors(event.detail.target);
  });

  /* A menu or a sheet that was left never covers what has the focus; filters asked for show what they found. */
  const close = (popover) => popover.togglePopover?.(false);
  document.addEventListener("focusin", ({ target }) => {
    for (const popover of document.querySelectorAll("[popover]")) {
      const isNear = target.contains(popover) || popover.contains(target) || target.popoverTargetElement === popover;
      if (!isNear) close(popover);
    }
  });
  document.addEventListener("submit", (event) => event.target.querySelectorAll("[popover]").forEach(close));

  /* A second click while the first is on its way sends nothing; the server would obey it only once anyway. */
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.method !== "post" || event.defaultPrevented) return;
    if (form.dataset.sent) event.preventDefault();
    form.dataset.sent = "yes";
    setTimeout(() => delete form.dataset.sent, 8000);
  });
  window.addEventListener("pageshow", () => {
    for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
  });
})();
