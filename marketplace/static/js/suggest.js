// A field that suggests what it may become: the combobox of the ARIA Authoring Practices, with its list under the field.
"use strict";

const PAUSE_MS = 150;

function suggest(field) {
  const list = document.createElement("ul");
  const token = field.form.elements.csrf_token.value;
  let timer, asked = 0, active = -1;
  list.id = `${field.id}-proposte`;
  list.className = "suggestions";
  list.hidden = true;
  list.setAttribute("role", "listbox");
  list.setAttribute("aria-label", field.dataset.label);
  field.after(list);
  field.setAttribute("autocomplete", "off"); // the browser's own list would cover ours
  for (const [name, value] of [["role", "combobox"], ["aria-autocomplete", "list"], ["aria-controls", list.id], ["aria-expanded", "false"]]) {
    field.setAttribute(name, value);
  }

  function open(words) {
    list.replaceChildren(...words.map((one, at) => {
      const option = document.createElement("li");
      option.id = `${list.id}-${at}`;
      option.setAttribute("role", "option");
      option.textContent = one.trim();
      option.dataset.value = one;
      return option;
    }));
    list.hidden = !words.length;
    field.setAttribute("aria-expanded", String(!list.hidden));
    mark(-1);
    if (words.length) document.getElementById("stato").textContent = field.dataset.words.replace("{count}", words.length);
  }

  function mark(at) {
    active = at;
    [...list.children].forEach((one, index) => one.setAttribute("aria-selected", String(index === at)));
    if (at < 0) field.removeAttribute("aria-activedescendant");
    else field.setAttribute("aria-activedescendant", list.children[at].id);
    list.children[at]?.scrollIntoView({ block: "nearest" });
  }

  async function ask() {
    const mine = ++asked;
    const body = new URLSearchParams({ testo: field.value, csrf_token: token });
    const answer = await fetch(field.dataset.suggest, { method: "POST", body }).catch(() => null);
    if (mine !== asked) return; // more was typed meanwhile
    open(answer?.ok && document.activeElement === field ? await answer.json() : []);
  }

  // A street alone goes on to its numbers.
  function take(option) {
    field.value = option.dataset.value;
    open([]);
    if (field.value.endsWith(" ")) ask();
  }

  field.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(ask, PAUSE_MS);
  });
  field.addEventListener("keydown", (event) => {
    const count = list.children.length;
    if (list.hidden || !count) return;
    if (event.key === "ArrowDown") mark((active + 1) % count);
    else if (event.key === "ArrowUp") mark(active <= 0 ? count - 1 : active - 1);
    else if (event.key === "Enter" && active >= 0) take(list.children[active]);
    else if (event.key === "Escape") open([]);
    else return;
    event.preventDefault();
  });
  list.addEventListener("pointerdown", (event) => event.preventDefault()); // the field keeps the cursor
  list.addEventListener("click", (event) => {
    const option = event.target.closest("[role='option']");
    if (option) take(option);
  });
  field.addEventListener("blur", () => {
    ++asked;
    open([]);
  });
}

document.querySelectorAll("[data-suggest]").forEach(suggest);
