// The little the pages do by themselves: live pieces, the side panel, relative times, copying, the theme.
(function () {
  "use strict";

  const MOST_ROWS = 300;
  const byId = (id) => document.getElementById(id);

  // The focus stays where it was, whatever is replaced around it -----------------------------------------------------
  const REACHED = "a[href], button:not(:disabled), input:not([type=hidden]), select, summary, [tabindex='0']";
  const reached = (root) => Array.from(root.querySelectorAll(REACHED)).filter((one) => one.getClientRects().length);

  function keepFocus() {
    const held = document.activeElement;
    if (!held || held === document.body) return () => {};
    const homes = [];
    for (let home = held.parentElement.closest("[id]"); home; home = home.parentElement.closest("[id]"))
      homes.push([home.id, reached(home).indexOf(held)]);
    const href = held.getAttribute("href");
    const same = held.id ? "#" + CSS.escape(held.id) : href ? 'a[href="' + CSS.escape(href) + '"]' : "";
    return () => {
      if (document.activeElement && document.activeElement !== document.body) return;
      const [id, at] = homes.find(([one]) => byId(one)) || ["main", 0];
      const home = byId(id) || document.body;
      const near = reached(home);
      const next = (same && home.querySelector(same)) || near[Math.min(at, near.length - 1)] || home;
      if (next === home) home.tabIndex = -1;
      next.focus({ preventScroll: true });
    };
  }

  document.body.addEventListener("focusin", (event) => {
    if (event.target.closest(".cards")) event.target.scrollIntoView({ block: "nearest", inline: "nearest" });
  });

  const kept = new WeakMap();
  function keep(event) {
    if (document.activeElement !== document.body) kept.set(event.detail.xhr, keepFocus());
  }
  function giveBack(event) {
    const back = kept.get(event.detail.xhr);
    if (back) back();
  }
  document.body.addEventListener("htmx:beforeRequest", keep); // htmx then switches the pressed button off
  document.body.addEventListener("htmx:beforeSwap", keep);
  document.body.addEventListener("htmx:afterSwap", giveBack);
  document.body.addEventListener("htmx:afterRequest", giveBack);

  // Live pieces ---------------------------------------------------------------------------------------------------
  const live = byId("live");
  let connectedBefore = false;

  function liveState(state, words) {
    if (!live) return;
    live.dataset.state = state;
    live.querySelector(".words").textContent = words;
  }

  function pieces(html) {
    const template = document.createElement("template");
    template.innerHTML = html;
    return Array.from(template.content.children);
  }

  function replace(old, piece) {
    if (old.isEqualNode(piece)) return;
    const giveBack = keepFocus();
    old.replaceWith(piece);
    htmx.process(piece);
    giveBack();
  }

  function update(html) {
    for (const piece of pieces(html)) {
      const old = byId(piece.id);
      if (!old) continue;
      replace(old, piece);
      const trace = byId("t" + piece.id.slice(1));
      if (piece.classList.contains("delivery") && trace && trace.closest("details").open) htmx.trigger(trace, "refresh");
    }
    tick();
  }

  function arrived(html) {
    const list = byId("events");
    if (!list) return;
    for (const piece of pieces(html).reverse()) {
      const old = byId(piece.id);
      if (old) replace(old, piece);
      else {
        list.prepend(piece);
        htmx.process(piece);
      }
    }
    while (list.querySelectorAll(".row").length > MOST_ROWS) list.querySelectorAll(".row")[MOST_ROWS].remove();
    const newest = list.querySelector(".row");
    byId("heard").textContent = newest ? newest.querySelector(".what").textContent.replace(/\s+/g, " ").trim() : "";
    noneShown();
    tick();
  }

  const HEARD = {
    events: (message) => arrived(message.data),
    update: (message) => update(message.data),
    hello: () => {
      liveState("on", "Live");
      if (connectedBefore && byId("main")) htmx.trigger("#main", "refresh");
      connectedBefore = true;
    },
  };
  // A stream that finds back by itself opens again: what listens already is not added a second time.
  document.body.addEventListener("htmx:sseOpen", (event) => {
    for (const name in HEARD) event.detail.source.addEventListener(name, HEARD[name]);
  });
  document.body.addEventListener("htmx:sseError", (event) => {
    liveState("off", "Connection lost, trying again");
    if (event.detail.source.readyState === EventSource.CLOSED) askForLogin();
  });

  // A stream that was answered, but not given: where the page itself now leads to the login, so does this.
  async function askForLogin() {
    try {
      const answer = await fetch(location.href, { headers: { accept: "text/html" }, redirect: "manual" });
      if (answer.type === "opaqueredirect") location.reload();
    } catch (error) {
      // The gateway cannot be reached; the stream is tried again.
    }
  }

  // What was done, in words ---------------------------------------------------------------------------------------
  function toast(text, tone) {
    const note = document.createElement("div");
    note.className = "toast tone-" + tone;
    note.textContent = text;
    byId("toasts").append(note);
    setTimeout(() => note.remove(), tone === "good" ? 5000 : 9000);
  }
  // Heard at the request itself: the button may have been replaced by a live piece before the answer is there.
  document.body.addEventListener("htmx:beforeRequest", (event) => {
    const xhr = event.detail.xhr;
    xhr.addEventListener("load", () => {
      const { said } = JSON.parse(xhr.getResponseHeader("hx-trigger") || "{}");
      if (said) toast(said, "good");
      else if (xhr.status >= 400) toast(xhr.responseText, "alarm");
    });
    xhr.addEventListener("error", () => toast("The gateway cannot be reached.", "alarm"));
    xhr.addEventListener("timeout", () => toast("The gateway did not answer in time.", "alarm"));
  });

  // The side panel ------------------------------------------------------------------------------------------------
  let opener = "";

  function closePanel() {
    const panel = byId("panel");
    if (!panel || !panel.firstElementChild) return;
    panel.replaceChildren();
    behind();
    const row = byId(opener) || document.querySelector(".row");
    if (row) row.querySelector("a.open").focus();
  }

  // What a panel as wide as the page covers cannot be reached until it is closed.
  function behind() {
    const panel = byId("panel");
    if (!panel) return;
    const covered = panel.firstElementChild !== null && panel.offsetWidth >= window.innerWidth;
    for (const one of document.querySelectorAll(".skip, .bar, .tests, main")) one.inert = covered;
  }
  window.addEventListener("resize", behind);
  document.body.addEventListener("htmx:afterSwap", (event) => {
    if (event.detail.target.id === "panel") {
      const row = event.detail.requestConfig && event.detail.requestConfig.elt.closest(".row");
      opener = row ? row.id : "";
      byId("panel").querySelector("[data-close]").focus();
    }
    behind();
    tick();
    noneShown();
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") closePanel();
    else if (event.key === "ArrowDown" || event.key === "ArrowUp") nextRow(event);
  });

  function nextRow(event) {
    const rows = reached(byId("events") || document.createElement("ol")).filter((one) => one.matches("a.open"));
    const at = rows.indexOf(document.activeElement);
    const next = rows[at + (event.key === "ArrowDown" ? 1 : -1)];
    if (at < 0 || !next) return;
    event.preventDefault();
    next.focus();
  }

  // Which lanes are shown -----------------------------------------------------------------------------------------
  function show(lane) {
    for (const button of document.querySelectorAll("[data-show]"))
      button.setAttribute("aria-pressed", String(button.dataset.show === lane));
    document.body.dataset.lane = lane;
    noneShown();
  }

  function noneShown() {
    const list = byId("events");
    if (!list) return;
    const lane = document.body.dataset.lane || "";
    for (const button of document.querySelectorAll("[data-show]"))
      button.setAttribute("aria-pressed", String(button.dataset.show === lane));
    const some = !lane || list.querySelector('.row[data-lane="' + lane + '"]');
    document.body.classList.toggle("lane-empty", !some && Boolean(list.querySelector(".row")));
  }

  // What is looked for: a page asks for itself again, one request after the other, with what is chosen then ----------
  const filter = byId("filter");
  if (filter) {
    filter.addEventListener("submit", (event) => event.preventDefault());
    filter.addEventListener("input", () => {
      if (byId("page")) byId("page").value = "1";
      if (byId("cursor")) byId("cursor").value = "";
    });
  }

  // Copying and the theme -----------------------------------------------------------------------------------------
  async function copy(text) {
    if (navigator.clipboard && window.isSecureContext) return navigator.clipboard.writeText(text);
    const back = keepFocus();
    const area = document.createElement("textarea");
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
    back();
  }

  function turnTheme() {
    const root = document.documentElement;
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    try {
      localStorage.setItem("tocsin-theme", root.dataset.theme);
    } catch (error) {
      // It then holds for this page only.
    }
  }

  document.body.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    if (button.id === "theme") turnTheme();
    else if ("close" in button.dataset) closePanel();
    else if ("show" in button.dataset) show(button.dataset.show);
    else if ("copy" in button.dataset) copy(button.dataset.copy).then(() => toast("Copied.", "good"));
  });

  // Relative times ------------------------------------------------------------------------------------------------
  function span(seconds) {
    if (seconds < 60) return Math.max(0, Math.round(seconds)) + " s";
    if (seconds < 3600) return Math.floor(seconds / 60) + " min";
    return seconds < 172800 ? Math.floor(seconds / 3600) + " h" : Math.floor(seconds / 86400) + " d";
  }

  function tick() {
    for (const time of document.querySelectorAll("time[data-in]")) {
      const left = (Date.parse(time.dateTime) - Date.now()) / 1000;
      time.textContent = left < 1 ? "now" : "in " + span(left);
    }
    for (const time of document.querySelectorAll("time[data-ago], time[data-age]")) {
      const passed = (Date.now() - Date.parse(time.dateTime)) / 1000;
      time.textContent = "age" in time.dataset ? span(passed) : passed < 5 ? "just now" : span(passed) + " ago";
    }
  }
  tick();
  setInterval(tick, 5000);
})();
