// What the status page does beyond htmx: it rests while nobody looks, says when it is no longer live, and has a change
// of the verdict read out.
"use strict";
(() => {
  const lost = document.getElementById("lost");
  const announce = document.getElementById("announce");
  const verdict = () => document.getElementById("verdict").textContent;
  let told = verdict();

  document.addEventListener("htmx:beforeRequest", (event) => {
    if (document.hidden) event.preventDefault();
  });
  document.addEventListener("htmx:afterRequest", (event) => {
    lost.hidden = event.detail.successful;
  });
  document.addEventListener("htmx:afterSettle", () => {
    if (verdict() === told) return;
    told = verdict();
    announce.textContent = told;
  });
})();
