// On every page: in-page updates, and buttons that say they are busy. Each page works without this file.
import htmx from "htmx.org";

htmx.config.allowEval = false;
htmx.config.allowScriptTags = false;
htmx.config.includeIndicatorStyles = false;
htmx.config.selfRequestsOnly = true;
htmx.config.historyCacheSize = 0;

document.addEventListener("submit", (event) => {
  const button = event.submitter;
  const stays = event.target instanceof HTMLFormElement && event.target.dataset["download"] !== undefined; // a file comes, the page stays
  if (button instanceof HTMLElement && !event.defaultPrevented && !stays) button.setAttribute("aria-busy", "true");
});

// Work that takes over a second says how far it is; the words are the server's, in the reader's language.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!(form instanceof HTMLFormElement) || event.defaultPrevented) return;
  const address = form.dataset["progress"];
  const told = form.querySelector<HTMLElement>("[data-told]");
  const key = form.querySelector<HTMLInputElement>("[name=key]")?.value;
  if (!address || !told || !key) return;
  event.submitter?.closest(".actions")?.after(told); // beside what was pressed
  const ask = async (): Promise<void> => {
    try {
      const answer = await fetch(`${address}?key=${encodeURIComponent(key)}`, { credentials: "same-origin" });
      if (answer.ok && !answer.redirected) told.textContent = await answer.text();
    } catch {
      // The work goes on all the same.
    }
    waiting = window.setTimeout(() => void ask(), 700);
  };
  let waiting = window.setTimeout(() => void ask(), 1000);
  window.addEventListener("pagehide", () => window.clearTimeout(waiting), { once: true });
});

// Coming back by the browser's button: nothing is busy any more.
window.addEventListener("pageshow", () => {
  for (const button of document.querySelectorAll("[aria-busy]")) button.removeAttribute("aria-busy");
  for (const told of document.querySelectorAll("[data-told]")) told.textContent = "";
});

// A choice that shows something else at once, where there is a script; else its form has a button.
document.addEventListener("change", (event) => {
  const field = event.target;
  if (field instanceof HTMLSelectElement && field.dataset["submits"] !== undefined) field.form?.requestSubmit();
});
