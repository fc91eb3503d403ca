// The way of a story: printing, saving while typing, one sending, leaving quickly. Everything works without this file.
"use strict";
const find = (selector, root = document) => [...root.querySelectorAll(selector)];

find("[data-print]").forEach((button) => {
  button.hidden = false;
  button.addEventListener("click", () => window.print());
});

// A second click while the first answer is on its way sends nothing; a form can have several such buttons.
new Set(find("[data-once]").map((button) => button.form)).forEach((form) => {
  form.addEventListener("submit", (event) => {
    if (form.dataset.sent) event.preventDefault();
    form.dataset.sent = "1";
    setTimeout(() => delete form.dataset.sent, 10000);
  });
});

// Save a part two seconds after the last key, and once more when the page is left.
find("form[data-autosave]").forEach((form) => {
  const told = form.querySelector("[data-saved]");
  let timer = 0;
  let dirty = false;
  const save = (keepalive) => {
    if (!dirty) return;
    dirty = false;
    fetch(form.dataset.autosave, { method: "POST", body: new FormData(form), keepalive })
      .then((answer) => { if (answer.ok && told) told.textContent = told.dataset.text; else dirty = true; })
      .catch(() => { dirty = true; });
  };
  form.addEventListener("input", () => {
    dirty = true;
    if (told) told.textContent = "";
    clearTimeout(timer);
    timer = setTimeout(save, 2000, false);
  });
  form.addEventListener("submit", () => { dirty = false; });
  document.addEventListener("visibilitychange", () => { if (document.visibilityState === "hidden") save(true); });
});

// Leave without a way back: the button, or Shift three times. An opened receipt is closed on the way out, by the form around it.
const leave = document.querySelector("[data-exit]");
if (leave) {
  const go = () => {
    if (leave.form) navigator.sendBeacon(leave.form.action, new FormData(leave.form));
    window.location.replace(leave.href || leave.dataset.exit);
  };
  leave.addEventListener("click", (event) => { event.preventDefault(); go(); });
  let shifts = [];
  document.addEventListener("keyup", (event) => {
    if (event.key !== "Shift") { shifts = []; return; }
    shifts = [...shifts.filter((time) => event.timeStamp - time < 1500), event.timeStamp];
    if (shifts.length >= 3) go();
  });
}

// The QR symbol of the card brings the code in the fragment, which no server sees; take it and clear the address.
const code = document.querySelector("#code");
if (code instanceof HTMLInputElement && window.location.hash.length > 20) {
  code.value = decodeURIComponent(window.location.hash.slice(1));
  history.replaceState(null, "", window.location.pathname);
}

// The part for people under 18 opens when somebody says that they are, and folds again when not.
const minor = document.querySelector("[data-minor]");
find("input[name=age_group]").forEach((radio) => {
  radio.addEventListener("change", () => { if (minor) minor.open = radio.value === "minor"; });
});
