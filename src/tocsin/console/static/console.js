// The little the pages do by themselves: live pieces, the side panel, relative times, copying, the theme.
(function () {
  "use strict";

  const MOST_ROWS = 300;
  const byId = (id) => document.getElementById(id);

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
    const focused = old.contains(document.activeElement) ? document.activeElement.id : "";
    old.replaceWith(piece);
    htmx.process(piece);
    if (focused && byId(focused)) byId(focused).focus();
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

  document.body.addEventListener("htmx:sseOpen", (event) => {
    const source = event.detail.source;
    source.addEventListener("events", (message) => arrived(message.data));
    source.addEventListener("update", (message) => update(message.data));
    source.addEventListener("hello", () => {
      liveState("on", "Live");
      if (connectedBefore && byId("main")) htmx.trigger("#main", "refresh");
      connectedBefore = true;
    });
  });
  document.body.addEventListener("htmx:sseError", () => liveState("off", "Connection lost, trying again"));

  // What was done, in words ---------------------------------------------------------------------------------------
  function toast(text, tone) {
    const note = document.createElement("div");
    note.className = "toast tone-" + tone;
    note.textContent = text;
    byId("toasts").append(note);
    setTimeout(() => note.remove(), tone === "good" ? 5000 : 9000);
  }
  document.body.addEventListener("said", (event) => toast(event.detail.value, "good"));
  document.body.addEventListener("htmx:responseError", (event) => toast(event.detail.xhr.responseText, "alarm"));
  document.body.addEventListener("htmx:sendError", () => toast("The gateway cannot be reached.", "alarm"));
  document.body.addEventListener("htmx:timeout", () => toast("The gateway did not answer in time.", "alarm"));

  // The side panel ------------------------------------------------------------------------------------------------
  let opener = "";

  function closePanel() {
    const panel = byId("panel");
    if (!panel || !panel.firstElementChild) return;
    panel.replaceChildren();
    document.body.classList.remove("with-panel");
    const row = byId(opener);
    if (row) row.querySelector("a.open").focus();
  }
  document.body.addEventListener("htmx:afterSwap", (event) => {
    if (event.detail.target.id === "panel") {
      const row = event.detail.requestConfig && event.detail.requestConfig.elt.closest(".row");
      opener = row ? row.id : "";
      document.body.classList.add("with-panel");
      byId("panel").querySelector("[data-close]").focus();
    }
    tick();
    noneShown();
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") closePanel();
  });

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

  // Copying and the theme -----------------------------------------------------------------------------------------
  async function copy(text) {
    if (navigator.clipboard && window.isSecureContext) return navigator.clipboard.writeText(text);
    const area = document.createElement("textarea");
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
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
