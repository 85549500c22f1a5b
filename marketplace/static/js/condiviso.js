// Comfort only: every page works without this file.
"use strict";

// A second tap on the same button sends nothing twice; going back makes the form ready again.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.dataset.sent) {
    event.preventDefault();
    return;
  }
  if (!event.defaultPrevented && form.method === "post" && !form.matches("[data-again]")) {
    form.dataset.sent = "yes";
    event.submitter?.setAttribute("aria-disabled", "true");
  }
});

function ready(root) {
  root.querySelectorAll("form[data-sent]").forEach((form) => delete form.dataset.sent);
  root.querySelectorAll("button[aria-disabled]").forEach((button) => button.removeAttribute("aria-disabled"));
}
window.addEventListener("pageshow", () => ready(document));
document.addEventListener("htmx:afterRequest", () => ready(document));

// What a swapped fragment has to say is read out by a region that was there before.
document.addEventListener("htmx:afterSettle", () => {
  const words = document.querySelector("[data-say]");
  if (words) document.getElementById("stato").textContent = words.textContent.trim();
});

// A fragment that fails shows the whole failure; without network, what was typed stays and the page says so.
document.addEventListener("htmx:beforeSwap", (event) => {
  if (event.detail.xhr.status < 400) return;
  event.detail.shouldSwap = true;
  event.detail.target = document.querySelector("main");
  event.detail.selectOverride = "main > *";
  event.detail.swapOverride = "innerHTML";
});
document.addEventListener("htmx:sendError", () => {
  document.getElementById("senza-rete").hidden = false;
});

// Choosing a quarter hour means "another time".
document.addEventListener("change", (event) => {
  if (!event.target.matches("[data-hours-other]")) return;
  const other = event.target.closest("fieldset").querySelector("[value='altro']");
  if (other) other.checked = true;
});

// The error summary's links put the cursor into the field.
document.addEventListener("click", (event) => {
  const link = event.target.closest(".error-summary a[href^='#']");
  const field = link && document.getElementById(link.hash.slice(1));
  if (field) {
    event.preventDefault();
    field.focus();
    field.scrollIntoView({ block: "center" });
  }
});

// Paper shows what the screen folds.
window.addEventListener("beforeprint", () => {
  document.querySelectorAll("main details:not([open])").forEach((fold) => {
    fold.open = true;
    fold.dataset.unfolded = "yes";
  });
});
window.addEventListener("afterprint", () => {
  document.querySelectorAll("details[data-unfolded]").forEach((fold) => {
    fold.open = false;
    delete fold.dataset.unfolded;
  });
});

// Installed or not: today's pages are seen again without network, with the hour of when they were seen.
if ("serviceWorker" in navigator) navigator.serviceWorker.register("/worker.js");
const seen = document.documentElement.dataset.seen;
if (seen) {
  const box = document.getElementById("vista-allora");
  const time = new Date(seen).toLocaleTimeString("it", { hour: "2-digit", minute: "2-digit" });
  box.textContent = box.dataset.words.replace("{time}", time);
  box.hidden = false;
}

// A form marked so waits here without network, and is sent once the network is back; saying the same twice counts once.
const WAITING = "da-inviare";
const waiting = () => JSON.parse(localStorage.getItem(WAITING) ?? "[]");

function keep(forms) {
  if (forms.length) localStorage.setItem(WAITING, JSON.stringify(forms));
  else localStorage.removeItem(WAITING);
  const box = document.getElementById("da-inviare");
  box.textContent = box.dataset.words.replace("{count}", forms.length);
  box.hidden = !forms.length;
}

async function send() {
  for (let forms = waiting(); forms.length; forms = waiting()) {
    const [address, body] = forms[0];
    const answer = await fetch(address, { method: "POST", body: new URLSearchParams(body), redirect: "manual" }).catch(() => null);
    if (answer?.type !== "opaqueredirect") break; // signed out, or refused: it stays, and the page shows that it does
    keep(forms.filter(([other]) => other !== address));
  }
}

// What a phone says of its network is not to be believed: it is asked whether our house can serve, and soon says so.
const PATIENCE = 4_000; // milliseconds
const answers = () => fetch("/health", { cache: "no-store", signal: AbortSignal.timeout(PATIENCE) }).then(({ ok }) => ok, () => false);

document.addEventListener("submit", async (event) => {
  const { target: form, submitter } = event;
  if (form.matches(".slim-access")) keep([]);
  if (!form.matches("[data-offline]") || form.dataset.heard) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  if (await answers()) {
    form.dataset.heard = "yes";
    form.requestSubmit(submitter);
    delete form.dataset.heard;
    return;
  }
  const body = [...new FormData(form, submitter)];
  keep([...waiting().filter(([address]) => address !== form.action), [form.action, body]]);
  document.getElementById("da-inviare").scrollIntoView();
}, true);
window.addEventListener("online", send);
keep(waiting());
send();
