// The API's page: try a call from the browser, with a token that never leaves this page but to this site.
const chinese = document.documentElement.lang.startsWith("zh");
const say = (zh: string, en: string): string => (chinese ? zh : en);
const LONGEST = 20_000; // characters of an answer that are shown

type Value = HTMLInputElement | HTMLTextAreaElement;
const token = document.querySelector<HTMLInputElement>("#token");

function told(request: HTMLFormElement): { address: string; body: BodyInit | undefined; json: boolean } {
  let address = request.dataset["path"] ?? "";
  const query = new URLSearchParams();
  const parts = new FormData();
  let body: string | undefined;
  let several = false;
  for (const field of request.querySelectorAll<Value>("[data-place]")) {
    const place = field.dataset["place"];
    if (place === "path") address = address.replace(`{${field.name}}`, encodeURIComponent(field.value.trim()));
    else if (place === "query" && field.value.trim()) query.set(field.name, field.value.trim());
    else if (place === "body") body = field.value;
    else if (place === "part") parts.set(field.name, field.value);
    else if (place === "file" && field instanceof HTMLInputElement && field.files?.[0]) parts.set(field.name, field.files[0]);
    several ||= place === "part" || place === "file";
  }
  const asked = query.size ? `${address}?${query}` : address;
  return { address: asked, body: several ? parts : body, json: body !== undefined && !several };
}

async function content(answer: Response): Promise<string> {
  const kind = answer.headers.get("Content-Type") ?? "";
  if (kind.includes("json")) return JSON.stringify(await answer.json(), null, 1);
  if (kind.startsWith("text/")) return answer.text();
  const size = (await answer.blob()).size;
  return size ? say(`${size} 字节，${kind}`, `${size} bytes of ${kind}`) : "";
}

async function send(request: HTMLFormElement): Promise<void> {
  const shown = request.querySelector<HTMLElement>("[data-answer]");
  if (!shown) return;
  const line = document.createElement("p");
  const text = document.createElement("pre");
  text.tabIndex = 0;
  if (!token?.value.trim()) {
    line.textContent = say("请先在页首填写令牌。", "Enter a token at the top of the page first.");
    shown.replaceChildren(line);
    token?.focus();
    return;
  }
  const { address, body, json } = told(request);
  const headers = new Headers({ Authorization: `Bearer ${token.value.trim()}`, "Accept-Language": document.documentElement.lang });
  if (json) headers.set("Content-Type", "application/json");
  const keyed = request.dataset["keyed"] !== undefined;
  if (keyed) headers.set("Idempotency-Key", Array.from(crypto.getRandomValues(new Uint8Array(16)), (one) => one.toString(16).padStart(2, "0")).join(""));
  try {
    const answer = await fetch(address, { method: request.dataset["method"] ?? "GET", headers, body: body ?? null, credentials: "omit" });
    line.textContent = `${answer.status} ${answer.statusText}${keyed ? `　Idempotency-Key ${headers.get("Idempotency-Key")}` : ""}`;
    const whole = await content(answer);
    text.textContent = whole.length > LONGEST ? `${whole.slice(0, LONGEST)}\n${say("……其余未显示", "… and more")}` : whole;
    shown.dataset["answer"] = String(answer.status);
    shown.replaceChildren(line, ...(whole ? [text] : []));
  } catch {
    line.textContent = say("没有连上服务器，请稍后再试。", "The server could not be reached. Try again later.");
    shown.replaceChildren(line);
  }
}

for (const place of document.querySelectorAll<HTMLElement>("[data-try], [data-token]")) place.hidden = false;
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!(form instanceof HTMLFormElement) || form.dataset["path"] === undefined) {
    if (form instanceof HTMLFormElement && form.dataset["token"] !== undefined) event.preventDefault();
    return;
  }
  event.preventDefault();
  void send(form).finally(() => form.querySelector("button")?.removeAttribute("aria-busy"));
});
