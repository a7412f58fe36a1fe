// Keeps a page up to date: parts of it come as Server-Sent Events, each only when it has changed. It rests while nobody
// looks, leaves a part alone while someone is busy in it, says when the page is no longer live, and has a change of the
// verdict read out.
"use strict";
(() => {
  const main = document.querySelector("main[data-live]");
  if (!main) return;
  const lost = document.getElementById("lost");
  const announce = document.getElementById("announce");
  const verdict = () => document.getElementById("verdict")?.textContent ?? "";
  const AGAIN = 2000; // milliseconds
  const held = new Map(); // parts that wait until nobody is busy in them
  let told = verdict();
  let stream = null;

  const busy = (part) =>
    part.querySelector("input:checked, textarea:focus, select:focus, input:not([type=checkbox]):focus") !== null ||
    (!getSelection().isCollapsed && part.contains(getSelection().anchorNode));

  const show = ({ name, mark, html }) => {
    const part = main.querySelector(`[data-part="${name}"]`);
    if (!part || part.dataset.mark === mark) return;
    if (busy(part)) {
      held.set(name, { name, mark, html });
      return;
    }
    held.delete(name);
    const focused = part.contains(document.activeElement) ? document.activeElement.id : "";
    const open = [...part.querySelectorAll("details[open][id]")].map((each) => each.id);
    part.innerHTML = html;
    part.dataset.mark = mark;
    for (const id of open) document.getElementById(id)?.setAttribute("open", "");
    if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
    if (verdict() !== told) announce.textContent = told = verdict();
  };

  const ask = async () => {
    const answer = await fetch(location.href, { headers: { accept: "application/json" } }).catch(() => null);
    if (answer?.status === 401) location.assign(`/login?next=${encodeURIComponent(location.pathname)}`);
    else if (!document.hidden) open();
  };

  const open = () => {
    stream?.close();
    stream = new EventSource(main.dataset.live);
    stream.addEventListener("open", () => { lost.hidden = true; });
    stream.addEventListener("part", (event) => show(JSON.parse(event.data)));
    stream.addEventListener("error", () => {
      lost.hidden = false;
      if (stream.readyState === EventSource.CLOSED) setTimeout(ask, AGAIN);
    });
  };

  document.addEventListener("visibilitychange", () => {
    if (document.hidden) stream?.close();
    else open();
  });
  setInterval(() => held.forEach(show), 1000);
  addEventListener("pagehide", () => stream?.close());
  open();
})();
