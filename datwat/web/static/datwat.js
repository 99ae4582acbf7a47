"use strict";
// What a page does better with a script; each of these works without one as well.

// Leaving quickly: the page is replaced, so that going back does not show it.
document.addEventListener("click", (event) => {
  const exit = event.target.closest("[data-exit]");
  if (exit) {
    event.preventDefault();
    document.body.replaceChildren();
    document.title = "";
    window.location.replace(exit.href);
  }
});

// What is wrong with a form is read first.
for (const summary of document.querySelectorAll("[data-focus]")) summary.focus();

// One sending of a form; the server does it once anyway. What is downloaded can be had again.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (event.defaultPrevented) return;
  if (form.dataset.sent) event.preventDefault();
  form.dataset.sent = "yes";
  window.setTimeout(() => delete form.dataset.sent, 3000);
});

// A page that comes back from the browser's memory is fetched anew: it may no longer be theirs.
window.addEventListener("pageshow", (event) => {
  if (event.persisted) window.location.reload();
});

// On paper everything is open.
window.addEventListener("beforeprint", () => {
  for (const more of document.querySelectorAll("details:not([open])")) more.open = true;
});
