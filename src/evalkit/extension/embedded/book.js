// Menu on small screens, and search within the book. Nothing is fetched from elsewhere: the
// index is a script beside the pages, so search works from a folder as well as from a server.
(function () {
  "use strict";
  const script = document.currentScript;
  document.documentElement.classList.add("js");

  const button = document.querySelector(".menu-button");
  const sidebar = document.getElementById("sidefelt");
  button.addEventListener("click", function () {
    const open = sidebar.classList.toggle("open");
    button.setAttribute("aria-expanded", String(open));
  });
  sidebar.addEventListener("click", function (event) {
    if (event.target.closest("a")) {
      sidebar.classList.remove("open");
      button.setAttribute("aria-expanded", "false");
    }
  });
  const current = sidebar.querySelector("[aria-current]");
  if (current && current.offsetTop > window.innerHeight * 0.8) {
    sidebar.scrollTop = current.offsetTop - window.innerHeight / 3;
  }

  // A table wider than the page scrolls by itself, with the keyboard too. Where it fits, there is
  // nothing to stop at.
  const boxes = document.querySelectorAll(".table-scroll");
  function settle() {
    boxes.forEach(function (box) {
      if (box.scrollWidth > box.clientWidth) {
        box.tabIndex = 0;
        box.setAttribute("role", "region");
      } else {
        box.removeAttribute("tabindex");
        box.setAttribute("role", "group");
      }
    });
  }
  settle();
  window.addEventListener("resize", settle);

  const field = document.getElementById("sokefelt");
  if (!field) { return; }
  const status = document.querySelector(".search-status");
  const list = document.querySelector(".search-results");
  const SHOWN = 20;
  const AROUND = 60;
  let loading = null;

  function index() {
    if (!loading) {
      loading = new Promise(function (resolve) {
        const element = document.createElement("script");
        element.src = script.dataset.index;
        element.onload = function () { resolve(window.evalkitSearchIndex || []); };
        element.onerror = function () { resolve([]); };
        document.head.append(element);
      });
    }
    return loading;
  }

  function matches(entries, words) {
    const found = [];
    entries.forEach(function (entry, place) {
      const title = entry.t.toLowerCase();
      const text = entry.x.toLowerCase();
      let score = 0;
      for (const word of words) {
        const inTitle = title.includes(word);
        if (!inTitle && !text.includes(word)) { return; }
        score += inTitle ? 10 : 1;
      }
      found.push({ entry: entry, score: score, place: place });
    });
    return found.sort(function (a, b) { return b.score - a.score || a.place - b.place; });
  }

  function excerpt(text, word) {
    const paragraph = document.createElement("p");
    const at = text.toLowerCase().indexOf(word);
    if (at < 0) { return paragraph; }
    const from = Math.max(0, at - AROUND);
    const to = Math.min(text.length, at + word.length + AROUND);
    const mark = document.createElement("mark");
    mark.textContent = text.slice(at, at + word.length);
    paragraph.append((from > 0 ? "… " : "") + text.slice(from, at), mark,
      text.slice(at + word.length, to) + (to < text.length ? " …" : ""));
    return paragraph;
  }

  function item(found, words) {
    const element = document.createElement("li");
    const link = document.createElement("a");
    link.href = script.dataset.root + found.entry.u;
    link.textContent = found.entry.t;
    element.append(link);
    if (found.entry.c) { element.append(" – " + found.entry.c); }
    const word = words.find(function (one) { return found.entry.x.toLowerCase().includes(one); });
    if (word) { element.append(excerpt(found.entry.x, word)); }
    return element;
  }

  function search() {
    const words = field.value.toLowerCase().split(/\s+/).filter(function (word) { return word.length > 1; });
    list.textContent = "";
    if (words.length === 0) {
      status.textContent = "";
      return;
    }
    index().then(function (entries) {
      const found = matches(entries, words);
      const shown = found.slice(0, SHOWN);
      list.replaceChildren.apply(list, shown.map(function (one) { return item(one, words); }));
      status.textContent = found.length === 0 ? "Ingen treff"
        : found.length > SHOWN ? found.length + " treff, de " + SHOWN + " første vises"
        : found.length + " treff";
    });
  }

  field.addEventListener("focus", index, { once: true });
  field.addEventListener("input", search);
  field.addEventListener("keydown", function (event) {
    if (event.key === "Escape") { field.value = ""; search(); }
  });
  if (location.hash.startsWith("#sok=")) {
    field.value = decodeURIComponent(location.hash.slice(5));
    search();
  }
})();
