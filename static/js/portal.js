/* What the page does by itself: every page works without it.
   Keeps countdowns true, brings the person to what has to be corrected, counts what they write,
   and warns before something is lost. Then the inbox, and a file on its way: one file, one request. */
(() => {
  "use strict";

  const words = JSON.parse(document.body?.dataset.words || "{}");
  const each = (root, selector, act) => root.querySelectorAll(selector).forEach(act);
  const numbers = new Intl.NumberFormat(document.documentElement.lang || "fr");

  /* Told aloud, without moving the focus. */
  const announce = (text) => {
    const voice = document.getElementById("annonces");
    if (!voice) return;
    voice.textContent = "";
    setTimeout(() => (voice.textContent = text), 50);
  };

  // --- Countdowns: the same words as ui.french.left, handed over by the page in data-words
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
    each(document, "[data-until]", (box) => {
      if (!arrived.has(box)) arrived.set(box, Date.now());
      const now = Number(box.dataset.at) + (Date.now() - arrived.get(box)) / 1000;
      const seconds = Number(box.dataset.until) - now;
      const target = box.querySelector("[data-left]");
      const text = said(seconds, JSON.parse(box.dataset.words));
      if (target && target.textContent !== text) target.textContent = text;
      box.classList.toggle("countdown--over", seconds <= 0);
    });
  };

  /* What went wrong before what is named: a panel has both. */
  const focusFirst = (root) =>
    (root.querySelector("[data-focus][role=alert]") ?? root.querySelector("[data-focus]"))?.focus();

  // --- Fields: long answers are counted, passwords can be shown, a file dropped is seen coming
  const count = (note) => {
    const entry = note.closest(".field").querySelector("textarea");
    const limit = Number(note.dataset.count);
    const show = () => {
      const left = limit - entry.value.length;
      note.textContent = (left < 0 ? words.over : words.left).replace("{}", numbers.format(Math.abs(left)));
      note.classList.toggle("field__count--over", left < 0);
    };
    let pause;
    entry.removeAttribute("maxlength"); // what is pasted is kept whole: the page says how much to take off
    entry.addEventListener("input", () => {
      show();
      clearTimeout(pause);
      if (entry.value.length > limit * 0.9) pause = setTimeout(() => announce(note.textContent), 1000);
    });
    if (entry.value) show();
  };

  const letShow = (entry) => {
    const line = document.createElement("div");
    const button = document.createElement("button");
    line.className = "field__secret";
    button.className = "button button--quiet";
    button.type = "button";
    button.textContent = words.show;
    button.setAttribute("aria-controls", entry.id);
    entry.replaceWith(line);
    line.append(entry, button);
    const set = (type) => {
      entry.type = type;
      button.textContent = type === "text" ? words.hide : words.show;
    };
    button.addEventListener("click", () => {
      set(entry.type === "text" ? "password" : "text");
      announce(entry.type === "text" ? words.shown : words.hidden);
    });
    // Never sent, nor left for a browser to remember, as a plain text.
    entry.form?.addEventListener("submit", () => set("password"));
  };

  const catchFile = (zone) => {
    const over = (is) => () => zone.classList.toggle("drop--over", is);
    ["dragenter", "dragover"].forEach((name) => zone.addEventListener(name, over(true)));
    ["dragleave", "drop"].forEach((name) => zone.addEventListener(name, over(false)));
  };

  // --- What is written and not sent is not lost without a question
  const guarded = new Map();
  const content = (form) => new URLSearchParams([...new FormData(form)].map(([k, v]) => [k, v.name ?? v])).toString();
  addEventListener("beforeunload", (event) => {
    for (const [form, was] of guarded) {
      if (form.isConnected && !form.dataset.sent && content(form) !== was) event.preventDefault();
    }
  });

  const prepare = (root) => {
    refresh();
    each(root, "[data-count]", (note) => {
      if (!note.dataset.ready) count(note);
      note.dataset.ready = "yes";
    });
    each(root, ".form input[type=password]", (entry) => entry.closest(".field__secret") || letShow(entry));
    each(root, ".drop", catchFile);
    // A form that came back with a fault holds what was typed: leaving would lose it.
    each(root, "form[data-guard]", (form) =>
      guarded.set(form, form.querySelector("[aria-invalid=true]") ? null : content(form))
    );
    each(root, "[data-print], [data-copy]", (button) => (button.hidden = false));
    focusFirst(root);
  };

  // --- Clicks
  document.addEventListener("click", async ({ target }) => {
    if (target.closest("[data-print]")) print();
    const copier = target.closest("[data-copy]");
    if (copier) {
      const source = document.querySelector(copier.dataset.copy);
      await navigator.clipboard.writeText(source.value ?? source.textContent.trim());
      announce(words.copied);
      const before = copier.innerHTML;
      copier.textContent = words.copied;
      setTimeout(() => (copier.innerHTML = before), 3000);
    }
  });

  // --- The side panel: emptied, it gives the focus back to the line it was opened from
  let opener = null;
  const closePanel = (panel) => {
    panel.replaceChildren();
    opener?.isConnected && opener.focus();
    const link = document.querySelector("tr.is-current");
    link?.classList.remove("is-current");
  };
  document.addEventListener("click", (event) => {
    const link = event.target.closest("[data-close-panel]");
    const panel = link?.closest(".panel");
    if (!panel) return;
    event.preventDefault();
    history.pushState(null, "", link.href);
    closePanel(panel);
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || event.target.closest("[popover], dialog")) return;
    const open = document.querySelector("details.account[open]");
    if (open) {
      open.open = false;
      open.querySelector("summary").focus();
      return;
    }
    document.querySelector(".panel:not(:empty) [data-close-panel]")?.click();
  });

  // --- htmx
  /* A text area made taller stays so when its field comes back checked. htmx would copy the browser's style
     as an attribute, which the content policy blocks (attributesToSettle, in base.html, leaves it out). */
  let heights = [];
  document.addEventListener("htmx:beforeSwap", ({ detail }) => {
    heights = [...detail.target.querySelectorAll("textarea[id]")].map((entry) => [entry.id, entry.style.height]);
  });
  document.addEventListener("htmx:afterSwap", () => {
    for (const [id, height] of heights) {
      const entry = document.getElementById(id);
      if (entry && height) entry.style.height = height;
    }
  });
  document.addEventListener("htmx:beforeRequest", ({ detail }) => {
    if (detail.target.classList?.contains("panel")) opener = detail.elt;
  });
  document.addEventListener("htmx:afterSwap", ({ detail }) => {
    if (detail.target.classList?.contains("panel")) {
      each(document, "tr.is-current", (row) => row.classList.remove("is-current"));
      opener?.closest("tr")?.classList.add("is-current");
    }
    prepare(detail.target);
  });
  const failed = (text) => ({ detail }) => {
    if (detail.elt?.matches?.("[data-suggest]")) return; // nothing is lost without a suggestion
    announce(text);
    const place = detail.target?.closest?.("main") && document.querySelector("main .messages, main h1");
    if (!place) return;
    document.getElementById("panne")?.remove();
    const alert = document.createElement("p");
    alert.id = "panne";
    alert.className = "alert alert--error";
    alert.textContent = text;
    place.after(alert);
  };
  ["htmx:sendError", "htmx:timeout"].forEach((name) => document.addEventListener(name, failed(words.failed)));
  document.addEventListener("htmx:responseError", (event) =>
    failed(event.detail.xhr.status >= 500 ? words.failed : words.denied)(event)
  );
  document.addEventListener("htmx:beforeSwap", () => document.getElementById("panne")?.remove());

  /* A dialog begins by its title, whatever opened it. */
  document.addEventListener(
    "toggle",
    ({ target, newState }) => {
      if (newState === "open" && target.matches(".dialog")) target.querySelector("h2[tabindex]")?.focus();
    },
    true
  );

  /* A menu or a sheet that was left never covers what has the focus; filters asked for show what they found. */
  const close = (popover) => popover.togglePopover?.(false);
  const closeAccount = (target) =>
    each(document, "details.account[open]", (menu) => {
      if (!menu.contains(target)) menu.open = false;
    });
  document.addEventListener("focusin", ({ target }) => {
    each(document, "[popover]", (popover) => {
      const isNear = target.contains(popover) || popover.contains(target) || target.popoverTargetElement === popover;
      if (!isNear) close(popover);
    });
    closeAccount(target);
  });
  // A menu opened upright has no place on the wide side of the same screen; a question that is asked has.
  matchMedia("(min-width: 60em)").addEventListener("change", () => each(document, "[popover]:not(.dialog)", close));
  document.addEventListener("pointerdown", ({ target }) => closeAccount(target));
  document.addEventListener("submit", (event) => each(event.target, "[popover]", close));

  /* A second click while the first is on its way sends nothing; the server would obey it only once anyway. */
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.method !== "post" || event.defaultPrevented) return;
    if (form.dataset.sent) event.preventDefault();
    form.dataset.sent = "yes";
    setTimeout(() => delete form.dataset.sent, 8000);
  });
  addEventListener("pageshow", () => each(document, "form[data-sent]", (form) => delete form.dataset.sent));

  // --- How close the lines of tables stand is remembered on this device
  const tight = document.getElementById("densite-serree");
  try {
    if (tight && localStorage.getItem("density") === "tight") tight.checked = true;
    document.addEventListener("change", ({ target }) => {
      if (target.name === "densite") localStorage.setItem("density", target.value);
    });
  } catch {
    // A browser that keeps nothing asks each time.
  }

  prepare(document);
  setInterval(refresh, 15000);
  document.addEventListener("visibilitychange", refresh);
})();

/* What completes a search: a combobox with a list (WAI-ARIA 1.2). htmx asks the server while one types; the
   arrows choose, Enter takes, Escape closes. What is chosen fills the form's fields, and the search begins. */
(() => {
  "use strict";

  const entry = document.querySelector("[data-suggest]");
  const list = entry && document.getElementById(entry.dataset.suggest);
  if (!list) return;
  const words = JSON.parse(document.body.dataset.words);
  const options = () => [...list.querySelectorAll("[role=option]")];
  let active = null;

  for (const [name, value] of Object.entries({
    role: "combobox", "aria-autocomplete": "list", "aria-haspopup": "listbox", "aria-controls": list.id,
    "aria-expanded": "false",
  })) entry.setAttribute(name, value);

  const mark = (option) => {
    active?.setAttribute("aria-selected", "false");
    active = option;
    active?.setAttribute("aria-selected", "true");
    active?.scrollIntoView({ block: "nearest" });
    if (active) entry.setAttribute("aria-activedescendant", active.id);
    else entry.removeAttribute("aria-activedescendant");
  };
  const show = (is) => {
    mark(null);
    list.hidden = !is;
    entry.setAttribute("aria-expanded", String(is));
  };
  const take = (option) => {
    const asked = new FormData(entry.form);
    for (const [name, value] of Object.entries(JSON.parse(option.dataset.fill))) asked.set(name, value);
    const address = new URL(entry.form.action);
    address.search = new URLSearchParams([...asked].filter(([, value]) => value));
    show(false);
    location.assign(address);
  };

  let pause;
  list.addEventListener("htmx:afterSwap", () => {
    const found = options().length;
    show(found > 0 && document.activeElement === entry);
    clearTimeout(pause);
    // Said once one stops typing: each letter would be interrupted by the next.
    if (found) pause = setTimeout(() => {
      const voice = document.getElementById("annonces");
      if (!list.hidden) voice.textContent = words.suggested.replace("{}", found);
    }, 700);
  });
  entry.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && options().length && !event.altKey) {
      event.preventDefault();
      if (list.hidden) show(true);
      const all = options();
      const next = (active ? all.indexOf(active) : step > 0 ? -1 : all.length) + step;
      mark(all[next] ?? null); // past either end, back to what was typed
    } else if (event.key === "Enter" && active && !list.hidden) {
      event.preventDefault();
      take(active);
    } else if (event.key === "Escape" && !list.hidden) {
      event.preventDefault(); // the first closes the list, the next one empties the field
      event.stopPropagation();
      show(false);
    } else if (event.key === "Tab" || event.key === "Enter") {
      show(false);
    }
  });
  entry.addEventListener("blur", () => show(false));
  entry.form.addEventListener("submit", () => show(false));
  list.addEventListener("pointerdown", (event) => event.preventDefault()); // the field keeps the focus
  list.addEventListener("click", (event) => {
    const option = event.target.closest("[role=option]");
    if (option) take(option);
  });
})();

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
