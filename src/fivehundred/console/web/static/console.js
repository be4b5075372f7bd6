// What scripts add to pages that work without them: live updates, the keyboard, copying. Nothing is kept in globals.
(() => {
  "use strict";
  const one = (s, root = document) => root.querySelector(s);
  const all = (s, root = document) => [...root.querySelectorAll(s)];
  const made = (tag, css, words) => Object.assign(document.createElement(tag), { className: css, textContent: words });
  const page = document.body.dataset.page;
  document.documentElement.classList.add("js");

  // ---- live: the stream says that something changed; what, this page asks for itself ----
  let busy = false, again = false, waiting = null;

  async function refresh() {
    if (busy) { again = true; return; }
    busy = true;
    try {
      const answer = await fetch(location.href, { headers: { "x-live": "1" } });
      if (answer.ok) show(new DOMParser().parseFromString(await answer.text(), "text/html"));
    } catch { /* away; the stream reconnects and asks again */ }
    // twice a second is enough to watch a storm
    setTimeout(() => { busy = false; if (again) { again = false; refresh(); } }, 400);
  }

  function show(fresh) {
    if (page === "first") { if (!one("[data-first]", fresh)) location.reload(); return; }
    if (page === "faults") { list(fresh); return; }
    for (const part of all("[data-live]")) {
      const other = one(`[data-live="${part.dataset.live}"]`, fresh);
      if (other && other.innerHTML !== part.innerHTML && !part.contains(document.activeElement)) part.replaceWith(other);
    }
  }

  // Rows are updated where they stand; new ones wait behind a pill: nothing moves under the pointer.
  function list(fresh) {
    const tabs = one(".tabs"), theirs = one(".tabs", fresh);
    if (tabs && theirs && !tabs.contains(document.activeElement)) tabs.replaceWith(theirs);
    const mine = one("#list"), next = one("#list", fresh);
    if (!mine || !next) return;
    if (mine.tagName !== "FORM") { if (next.tagName === "FORM") { swap(next); } return; }
    const known = new Set(all("tr[data-fault]", mine).map(r => r.dataset.fault));
    let added = 0;
    for (const row of all("tr[data-fault]", next)) {
      if (!known.has(row.dataset.fault)) { added++; continue; }
      const old = one(`tr[data-fault="${row.dataset.fault}"]`, mine);
      for (let i = 1; i < row.cells.length; i++) {
        const was = old.cells[i], is = row.cells[i];
        if (was.innerHTML !== is.innerHTML && !was.contains(document.activeElement)) was.innerHTML = is.innerHTML;
      }
    }
    const total = one("[data-total]", mine), sum = one("[data-total]", next);
    if (total && sum) total.textContent = sum.textContent;
    pill(added, next);
  }

  function pill(count, next) {
    let button = one(".pill");
    if (!count) { button?.remove(); return; }
    if (!button) {
      button = made("button", "pill", "");
      button.setAttribute("role", "status");
      button.addEventListener("click", () => { swap(waiting); button.remove(); });
      document.body.append(button);
    }
    waiting = next;
    button.textContent = `${count} new`;
  }

  function swap(next) {
    const known = new Set(all("tr[data-fault]").map(r => r.dataset.fault));
    const chosen = new Set(all("#list :checked").map(c => c.value));
    one("#list").replaceWith(next);
    for (const row of all("tr[data-fault]")) {
      if (!known.has(row.dataset.fault)) row.classList.add("fresh");
      const box = one("input", row);
      if (box) box.checked = chosen.has(row.dataset.fault);
    }
    at = -1; selection();
  }

  if (["first", "faults", "fault", "overview"].includes(page) && !new URLSearchParams(location.search).has("cursor")) {
    let stream = null;
    const listen = () => {
      stream = new EventSource("/live");
      stream.addEventListener("change", refresh);
    };
    // in the background a page does not listen; when it comes back it asks once for what it missed
    document.addEventListener("visibilitychange", () => {
      if (document.hidden) { stream?.close(); stream = null; } else if (!stream) { listen(); refresh(); }
    });
    addEventListener("pagehide", () => stream?.close());
    if (!document.hidden) listen();
  }

  // ---- the list: where we are, what is selected ----
  let at = -1;
  const rows = () => all("tr[data-fault]");

  function move(step) {
    const found = rows();
    if (!found.length) return;
    found[at]?.classList.remove("at");
    at = Math.max(0, Math.min(found.length - 1, at + step));
    found[at].classList.add("at");
    one("a", found[at]).focus({ preventScroll: true });
    found[at].scrollIntoView({ block: "nearest" });
  }

  function selection() {
    const count = all("#list :checked").length, bar = one(".acts");
    bar?.classList.toggle("on", count > 0);
    const words = one("[data-selected]");
    if (words) words.textContent = count ? `${count} selected` : "With the selected";
  }

  function act(key) {
    const button = one(`button[data-key="${key}"]`);
    if (!button) return;
    if (page === "faults" && !chosen()) return;
    button.form.requestSubmit(button);
  }

  // The selected faults, else the one where we are.
  function chosen() {
    if (one("#list :checked")) return true;
    const box = rows()[at] && one("input", rows()[at]);
    if (!box) { toast("Select a fault first: j, then x"); return false; }
    box.checked = true; selection();
    return true;
  }

  document.addEventListener("change", e => { if (e.target.matches("#list input")) selection(); });
  selection();

  // ---- keyboard ----
  let before = "";
  document.addEventListener("keydown", e => {
    const typing = e.target.closest("input:not([type=checkbox]), textarea, select");
    if (e.key === "Escape") { if (typing) typing.blur(); shut(); return; }
    if ((e.ctrlKey || e.metaKey) && e.key === "k") { e.preventDefault(); palette(); return; }
    if (typing || e.ctrlKey || e.metaKey || e.altKey || one("dialog[open]")) return;
    const there = before === "g" && { o: "", f: "faults", i: "incidents", r: "releases", t: "routes", p: "projects", a: "alerts", s: "settings", l: "losses" }[e.key];
    before = e.key;
    if (there !== false && there !== undefined) { location.assign("/" + there); return; }
    const acts = {
      "/": () => one(".find input").select(),
      "j": () => move(1),
      "k": () => move(-1),
      "x": () => { const box = rows()[at] && one("input", rows()[at]); if (box) { box.checked = !box.checked; selection(); } },
      "e": () => act("e"),
      "m": () => act("m"),
      "a": assign,
      "c": () => one(".say-it textarea")?.focus(),
      "?": help,
    };
    if (acts[e.key]) { e.preventDefault(); acts[e.key](); }
    // Enter opens by itself: the row's link has the focus
  });

  // ---- menus: one at a time; a click elsewhere or Escape shuts them ----
  function shut(but) { for (const m of all("details.menu[open], .looks[open]")) if (m !== but) m.open = false; }
  document.addEventListener("click", e => shut(e.target.closest("details.menu, .looks")));

  function assign() {
    const menu = one("[data-menu=a]");
    if (!menu || (page === "faults" && !chosen())) return;
    shut(); menu.open = true; one("input", menu)?.focus();
  }

  // ---- dialogs: pages of their own, shown over the one that is read ----
  async function dialog(path, part, name) {
    const text = one(part, new DOMParser().parseFromString(await (await fetch(path)).text(), "text/html"));
    const box = made("dialog", "", "");
    box.setAttribute("aria-label", name);
    const close = made("button", "btn small", "Close");
    close.addEventListener("click", () => box.close());
    box.append(text, close);
    box.addEventListener("close", () => box.remove());
    document.body.append(box);
    box.showModal();
    return box;
  }
  const help = () => dialog("/help", "[data-help-text]", "Keyboard and search");
  for (const [what, opens] of [["help", help], ["palette", palette]]) one(`[data-${what}]`)?.addEventListener("click", e => { e.preventDefault(); opens(); });

  // What this page can do stands before where one can go; what fits nothing is searched for.
  async function palette() {
    if (one("dialog[open]")) return;
    const box = await dialog("/palette", "[data-palette-list]", "Everything"), list = one("ul", box);
    for (const button of all(".acts button[name=act], .go button[name=act]").reverse()) {
      if (button.classList.contains("hide") || button.value.endsWith("…") || (page === "faults" && !one("#list :checked"))) continue;
      const menu = button.closest(".menu"), item = made("li", "", "");
      const go = made("button", "link", (menu ? `${one("summary", menu).textContent} ` : "") + button.textContent);
      go.addEventListener("click", () => { box.close(); button.form.requestSubmit(button); });
      item.append(go); list.prepend(item);
    }
    const line = made("input", "", "");
    line.setAttribute("aria-label", "Filter, or search"); line.placeholder = "Where to, or what to search";
    box.prepend(line); line.focus();
    line.addEventListener("input", () => { for (const i of list.children) i.hidden = !i.textContent.toLowerCase().includes(line.value.toLowerCase()); });
    line.addEventListener("keydown", e => {
      if (e.key !== "Enter") return;
      const hit = line.value && one("li:not([hidden]) > *", list);
      if (hit) hit.click(); else location.assign(`/faults?q=${encodeURIComponent(line.value)}`);
    });
  }

  // ---- the search box: what could come next ----
  const find = one(".find input");
  let asked = 0;
  find?.addEventListener("input", async () => {
    const mine = ++asked, answer = await fetch(`/faults/suggest?q=${encodeURIComponent(find.value)}`);
    if (mine !== asked || !answer.ok) return;
    one("#terms").replaceChildren(...(await answer.json()).map(t => new Option(t, t)));
  });

  // ---- copying: without scripts these are plain links to the text ----
  document.addEventListener("click", async e => {
    const link = e.target.closest("[data-copy]");
    if (!link || e.ctrlKey || e.metaKey || !navigator.clipboard) return;
    e.preventDefault();
    const kind = link.dataset.copy;
    const text = kind === "link" ? link.href : kind === "text" ? link.dataset.text : await (await fetch(link.href)).text();
    await navigator.clipboard.writeText(text);
    toast(`Copied ${link.dataset.what || link.textContent}`);
  });

  function toast(words) {
    one(".toast")?.remove();
    const note = made("div", "toast", words);
    note.setAttribute("role", "status");
    document.body.append(note);
    setTimeout(() => note.remove(), 2200);
  }

  for (const c of all("[data-clock]")) {
    const off = Math.round(Math.abs(Date.now() / 1000 - c.dataset.clock));
    if (off > 60) { c.className = "worse"; c.textContent = `The clock of this browser and that of the Console differ by ${off} s: set one of them.`; }
  }

  // ---- relative times stay true ----
  setInterval(() => {
    for (const t of all("time[datetime]")) {
      const s = Math.max(0, (Date.now() - Date.parse(t.dateTime)) / 1000);
      const unit = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]].find(u => s >= u[1]) || ["s", 1];
      t.textContent = `${Math.floor(s / unit[1]).toLocaleString("en")} ${unit[0]} ago`;
    }
  }, 10000);
})();
