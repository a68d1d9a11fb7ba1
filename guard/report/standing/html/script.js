"use strict";
// Sorts the tables, and lists, filters and opens the findings. It sets text and attributes, never markup.
(() => {
  const PAGE = 100;
  const byId = (id) => document.getElementById(id);

  /** An element with a class and children, each an element or a text. */
  function element(name, kind, ...children) {
    const made = document.createElement(name);
    if (kind) made.className = kind;
    made.append(...children);
    return made;
  }

  /** A sentence, in which what stands between backticks is code. */
  function prose(text) {
    return text.split(/`([^`]+)`/).map((part, index) => (index % 2 ? element("code", "", part) : part));
  }

  /** The place of a finding, to be broken at slashes. */
  function code(path) {
    const made = element("code", "");
    for (const part of path.match(/[^/]+\/?|\//g) || []) made.append(part, document.createElement("wbr"));
    return made;
  }

  function counted(number, noun) {
    return `${number.toLocaleString("en-US")} ${noun}${number === 1 ? "" : "s"}`;
  }

  // Tables

  for (const table of document.querySelectorAll("table.sortable")) {
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, column) => {
      if (head.classList.contains("plain")) return;
      const button = element("button", "", head.textContent);
      button.type = "button";
      button.addEventListener("click", () => sortTable(table, heads, column));
      head.replaceChildren(button);
    });
  }

  function sortTable(table, heads, column) {
    const numeric = heads[column].classList.contains("number");
    const was = heads[column].getAttribute("aria-sort");
    const down = was ? was === "ascending" : numeric;
    for (const head of heads) head.removeAttribute("aria-sort");
    heads[column].setAttribute("aria-sort", down ? "descending" : "ascending");
    const body = table.tBodies[0];
    const keyed = [...body.rows].map((row, index) => {
      const cell = row.cells[column];
      return { row, index, key: numeric ? Number(cell.dataset.value) : cell.textContent };
    });
    keyed.sort((a, b) => (a.key === b.key ? a.index - b.index : (a.key < b.key) !== down ? -1 : 1));
    body.append(...keyed.map((one) => one.row));
  }

  // Findings

  const source = byId("data");
  if (!source) return;
  const data = JSON.parse(source.textContent);
  const [RULE, SEVERITY, IMPACT, PACKAGE, PATH, LINE, MESSAGE, SYMBOL, CAUSE, HELP, RELATED, FIX, SAFETY, NEW, CODE] =
    Array.from({ length: 15 }, (_, index) => index);
  const { texts, findings } = data;
  const tones = { error: "bad", warning: "unsure", info: "quiet" };
  const families = data.rules.map(([code]) => code.replace(/[0-9]+$/, ""));
  const form = byId("filter");
  const fields = ["text", "severity", "rule", "impact", "package", "new", "sort"].map(byId).filter(Boolean);
  let chosen = -1; // the set that a button asked for
  let found = [];
  let page = 0;
  let words = null; // what the text filter looks through, made when it is first needed

  function place(finding) {
    return finding[LINE] ? `${texts[finding[PATH]]}:${finding[LINE]}` : texts[finding[PATH]];
  }

  function haystacks() {
    if (!words) {
      words = findings.map((one) => {
        const [code, slug] = data.rules[one[RULE]];
        const parts = [place(one), code, slug, texts[one[MESSAGE]], texts[one[SYMBOL]], texts[one[CAUSE]], texts[one[HELP]]];
        return parts.join("\n").toLowerCase();
      });
    }
    return words;
  }

  function options(field, entries) {
    for (const [value, label] of entries) {
      const option = element("option", "", label);
      option.value = value;
      byId(field).append(option);
    }
  }

  function numbers(column, labels) {
    const counts = new Map();
    for (const one of findings) counts.set(one[column], (counts.get(one[column]) || 0) + 1);
    return labels
      .map((label, value) => [String(value), label, counts.get(value)])
      .filter(([, , count]) => count)
      .map(([value, label, count]) => [value, `${label} (${count.toLocaleString("en-US")})`]);
  }

  function fill() {
    options("severity", numbers(SEVERITY, data.severities));
    const rules = numbers(RULE, data.rules.map(([code, slug]) => `${code} ${slug}`));
    const seen = new Set();
    for (const [value, label] of rules) {
      const family = families[value];
      const several = rules.filter(([other]) => families[other] === family).length > 1;
      if (several && !seen.has(family)) options("rule", [[family, `${family}: all of them`]]);
      seen.add(family);
      options("rule", [[value, label]]);
    }
    options("impact", numbers(IMPACT, data.impacts.map(([, title]) => title)));
    options("package", numbers(PACKAGE, data.packages).sort(([, one], [, other]) => (one < other ? -1 : 1)));
  }

  const keys = {
    severity: (one) => one[SEVERITY],
    rule: (one) => one[RULE],
    path: (one) => texts[one[PATH]],
    package: (one) => data.packages[one[PACKAGE]],
  };

  function filter() {
    const asked = Object.fromEntries(fields.map((field) => [field.id, field.value]));
    const wanted = asked.text.toLowerCase().split(/\s+/).filter(Boolean);
    const hay = wanted.length ? haystacks() : null;
    const rule = /^[A-Z]/.test(asked.rule) ? null : asked.rule;
    const inSet = chosen >= 0 ? new Set(data.sets[chosen][1]) : null;
    found = [];
    for (let index = 0; index < findings.length; index++) {
      const one = findings[index];
      if (inSet && !inSet.has(index)) continue;
      if (asked.severity && one[SEVERITY] !== Number(asked.severity)) continue;
      if (rule ? one[RULE] !== Number(rule) : asked.rule && families[one[RULE]] !== asked.rule) continue;
      if (asked.impact && one[IMPACT] !== Number(asked.impact)) continue;
      if (asked.package && one[PACKAGE] !== Number(asked.package)) continue;
      if (asked.new && !one[NEW]) continue;
      if (hay && !wanted.every((word) => hay[index].includes(word))) continue;
      found.push(index);
    }
    const key = keys[asked.sort];
    if (key) {
      const sorted = found.map((index) => [key(findings[index]), index]);
      sorted.sort(([a, i], [b, j]) => (a === b ? i - j : a < b ? -1 : 1));
      found = sorted.map(([, index]) => index);
    }
    byId("chosen").hidden = chosen < 0;
    if (chosen >= 0) byId("chosen").firstElementChild.textContent = `Only: ${data.sets[chosen][0]}`;
    show(0);
  }

  function show(to) {
    const pages = Math.max(1, Math.ceil(found.length / PAGE));
    page = Math.min(Math.max(0, to), pages - 1);
    const list = byId("list");
    list.start = page * PAGE + 1;
    list.replaceChildren(...found.slice(page * PAGE, (page + 1) * PAGE).map(row));
    byId("count").textContent =
      found.length === findings.length
        ? counted(found.length, "finding")
        : `${found.length.toLocaleString("en-US")} of ${counted(findings.length, "finding")}`;
    byId("pages").hidden = pages === 1;
    byId("page").textContent = `page ${(page + 1).toLocaleString("en-US")} of ${pages.toLocaleString("en-US")}`;
    byId("previous").disabled = page === 0;
    byId("next").disabled = page === pages - 1;
  }

  function row(index) {
    const one = findings[index];
    const severity = data.severities[one[SEVERITY]];
    const badge = element("span", `badge ${tones[severity]}`, severity);
    const where = element("span", "where", code(place(one)));
    const summary = element("summary", "", badge, element("span", "code", data.rules[one[RULE]][0]), where);
    summary.append(element("span", "what", ...prose(texts[one[MESSAGE]])));
    const details = element("details", "", summary);
    details.addEventListener("toggle", () => {
      if (details.open && details.children.length === 1) details.append(more(one));
    });
    return element("li", "", details);
  }

  function more(one) {
    const [rule, slug] = data.rules[one[RULE]];
    const list = element("dl", "");
    const add = (label, ...children) => list.append(element("dt", "", label), element("dd", "", ...children));
    add("rule", `${rule} ${slug}`);
    add("hits", data.impacts[one[IMPACT]][1]);
    if (one[NEW]) add("since", "it is new");
    if (one[SYMBOL]) add("in", element("code", "", texts[one[SYMBOL]]));
    if (one[CAUSE]) add("in production", ...prose(texts[one[CAUSE]]));
    if (one[HELP]) add("way out", ...prose(texts[one[HELP]]));
    if (one[SAFETY]) add(one[SAFETY] === 1 ? "--fix" : "--fix --unsafe-fixes", ...prose(texts[one[FIX]]));
    if (one[RELATED].length) {
      const places = one[RELATED].map(([path, line, message]) =>
        element("li", "", code(`${texts[path]}:${line}`), " ", ...prose(texts[message])),
      );
      add("see", element("ul", "", ...places));
    }
    const framed = frame(one);
    return element("div", "more", ...(framed ? [framed] : []), list);
  }

  /** The code of a finding, with carets under the place that is meant. */
  function frame(one) {
    if (!one[CODE].length) return null;
    const [before, after, start, length, own] = one[CODE];
    const first = one[LINE] - before;
    const last = one[LINE] + after;
    const width = String(last).length;
    const lines = own === undefined ? pieces(one[PATH], first, last) : own.split("\n");
    const box = element("pre", "");
    box.tabIndex = 0;
    box.setAttribute("role", "group");
    box.setAttribute("aria-label", `Code of ${place(one)}`);
    lines.forEach((line, index) => {
      const number = first + index;
      box.append(element("span", "no", `${String(number).padStart(width)} | `), `${line}\n`);
      if (number === one[LINE]) {
        const caret = element("span", "at", `${" ".repeat(start)}${"^".repeat(length)}\n`);
        box.append(element("span", "no", `${" ".repeat(width)} | `), caret);
      }
    });
    return box;
  }

  function pieces(path, first, last) {
    const lines = [];
    for (const [start, text] of data.code[path]) {
      const piece = text.split("\n");
      for (let at = Math.max(first, start); at <= Math.min(last, start + piece.length - 1); at++) lines.push(piece[at - start]);
    }
    return lines;
  }

  function choose(set, packageNumber) {
    form.reset();
    chosen = set;
    if (packageNumber !== undefined) byId("package").value = packageNumber;
    filter();
    byId("findings").scrollIntoView();
    byId("text").focus({ preventScroll: true });
  }

  fill();
  form.hidden = false;
  byId("keys").hidden = false;
  for (const button of document.querySelectorAll("button[data-set]")) {
    button.hidden = false;
    button.addEventListener("click", () => choose(Number(button.dataset.set)));
  }
  for (const head of document.querySelectorAll("th[data-package]")) {
    const button = element("button", "link", ...head.childNodes);
    button.type = "button";
    button.title = "Show its findings";
    button.addEventListener("click", () => choose(-1, head.dataset.package));
    head.append(button);
  }
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("input", filter);
  form.addEventListener("reset", () => {
    chosen = -1;
    setTimeout(filter);
  });
  byId("chosen").querySelector("button").addEventListener("click", () => choose(-1));
  const turn = (by) => {
    show(page + by);
    byId("findings").scrollIntoView();
  };
  byId("previous").addEventListener("click", () => turn(-1));
  byId("next").addEventListener("click", () => turn(1));
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const at = document.activeElement;
    if (event.key === "/" && !/^(INPUT|SELECT|TEXTAREA)$/.test(at.tagName)) {
      event.preventDefault();
      byId("text").focus();
    } else if ((event.key === "ArrowDown" || event.key === "ArrowUp") && at.tagName === "SUMMARY" && byId("list").contains(at)) {
      const item = at.closest("li");
      const next = event.key === "ArrowDown" ? item.nextElementSibling : item.previousElementSibling;
      if (next) {
        event.preventDefault();
        next.querySelector("summary").focus();
      }
    }
  });
  filter();
})();
