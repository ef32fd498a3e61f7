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

// Coming back by the browser's button: nothing is busy any more.
window.addEventListener("pageshow", () => {
  for (const button of document.querySelectorAll("[aria-busy]")) button.removeAttribute("aria-busy");
});

// A choice that shows something else at once, where there is a script; else its form has a button.
document.addEventListener("change", (event) => {
  const field = event.target;
  if (field instanceof HTMLSelectElement && field.dataset["submits"] !== undefined) field.form?.requestSubmit();
});
