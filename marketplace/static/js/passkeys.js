// Passkeys: the browser's own window signs, and the answer leaves as a field of the form. Without this file it stays hidden.
"use strict";

const bytesOf = (text) => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (one) => one.charCodeAt(0));
const textOf = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer))).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
let ended = new AbortController(); // of the request that waits behind the e-mail field

async function optionsFor(form) {
  const headers = { "X-CSRFToken": form.elements.csrf_token.value };
  const answer = await fetch(form.dataset.options, { method: "POST", headers });
  if (!answer.ok) throw new Error(answer.status);
  const options = await answer.json();
  options.challenge = bytesOf(options.challenge);
  if (options.user) options.user.id = bytesOf(options.user.id);
  for (const one of [...(options.excludeCredentials ?? []), ...(options.allowCredentials ?? [])]) one.id = bytesOf(one.id);
  return options;
}

function give(form, credential) {
  const response = {};
  for (const name of ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"]) {
    if (credential.response[name]) response[name] = textOf(credential.response[name]);
  }
  const id = textOf(credential.rawId);
  form.elements.credential.value = JSON.stringify({ id, rawId: id, type: credential.type, response });
  form.submit(); // not as a click: this script has had its turn
}

function say(form, error) {
  const box = form.querySelector("[role='alert']");
  const kind = { NotAllowedError: "cancelled", AbortError: "cancelled", InvalidStateError: "known" }[error.name] ?? "failed";
  box.textContent = box.dataset[kind];
  box.hidden = false;
}

async function use(form) {
  ended.abort();
  form.querySelector("[role='alert']").hidden = true;
  try {
    const publicKey = await optionsFor(form);
    give(form, await navigator.credentials[form.dataset.passkey]({ publicKey }));
  } catch (error) {
    say(form, error);
  }
}

// The browser offers a passkey among the suggestions of the e-mail field; nothing opens by itself.
async function offer(form) {
  if (!(await PublicKeyCredential.isConditionalMediationAvailable?.())) return;
  try {
    const publicKey = await optionsFor(form);
    if (ended.signal.aborted) return;
    give(form, await navigator.credentials.get({ publicKey, mediation: "conditional", signal: ended.signal }));
  } catch {
    // not chosen: the button is still there
  }
}

if (window.PublicKeyCredential) {
  document.querySelectorAll("[data-no-passkeys]").forEach((words) => (words.hidden = true));
  document.querySelectorAll("[data-passkey]").forEach((form) => {
    form.hidden = false;
    form.addEventListener("submit", (event) => {
      if (!form.checkValidity()) return; // the server says what is missing
      event.preventDefault();
      event.stopPropagation();
      use(form);
    });
    if (form.dataset.conditional) offer(form);
  });
}
