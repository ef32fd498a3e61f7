// The receipt page: verify in the reader's own browser, and say in words what came out.
import { type Check, type Outcome, Unreadable, verifyByAny } from "./receipt";

const chinese = document.documentElement.lang.startsWith("zh");
const say = (zh: string, en: string): string => (chinese ? zh : en);

const SAID: Record<Check["name"], [string, string]> = {
  format: [say("回执是原始字节。", "The receipt is spelt as receipts are."), say("回执被改写过。", "The receipt was rewritten.")],
  leaf: [say("存证叶子书写规范。", "The leaf is well formed."), say("存证叶子不合规范。", "The leaf is not well formed.")],
  commitments: [
    say("所披露的字段均与存证承诺一致。", "Every disclosed field matches its commitment."),
    say("所披露的字段与存证承诺不一致。", "A disclosed field does not match its commitment."),
  ],
  inclusion: [
    say("该条目在存证账本之中。", "The entry is in the log."),
    say("无法证明该条目在存证账本之中。", "The proof does not lead from the entry to the log’s root."),
  ],
  signature: [
    say("检查点由该公钥对应的账本签署。", "The checkpoint is signed with the log’s key."),
    say("检查点没有该公钥的有效签名。", "The checkpoint has no valid signature by this key."),
  ],
  origin: [
    say("账本名称与公钥名称一致。", "The log’s name is the key’s name."),
    say("账本名称与公钥名称不一致。", "The log’s name is not the key’s name."),
  ],
  product: [
    say("该文件即回执所载的交付结果。", "The file is an output this receipt names."),
    say("该文件不是回执所载的交付结果。", "The file is not an output this receipt names."),
  ],
};
const UNABLE = say(
  "这个浏览器不会验 Ed25519 签名，请换新版浏览器，或用命令行校验。",
  "This browser cannot check Ed25519 signatures. Use a newer one, or the command line.",
);

function line(words: string, ok: Outcome): HTMLLIElement {
  const mark = document.createElement("span");
  mark.className = `mark ${ok === true ? "good" : ok === "unable" ? "wait" : "bad"}`;
  mark.textContent = ok === true ? say("相符", "Holds") : ok === "unable" ? say("未验", "Not checked") : say("不符", "Fails");
  const item = document.createElement("li");
  item.append(mark, ` ${words}`);
  return item;
}

async function bytesOf(field: HTMLInputElement | null): Promise<Uint8Array | undefined> {
  const file = field?.files?.[0];
  return file && new Uint8Array(await file.arrayBuffer());
}

async function get(address: string): Promise<Response> {
  const answer = await fetch(address, { credentials: "same-origin" });
  if (!answer.ok) throw new Unreadable("receipt");
  return answer;
}

async function judge(form: HTMLFormElement): Promise<void> {
  const told = form.querySelector<HTMLElement>("[data-verdict]");
  if (!told) return;
  told.hidden = false;
  const own = await bytesOf(form.querySelector<HTMLInputElement>("[name=receipt]"));
  const pasted = form.querySelector<HTMLInputElement>("[name=verifier]")?.value.trim();
  const receipt = form.dataset["receipt"];
  const sum = document.createElement("p");
  try {
    if (!own && !receipt) throw new Unreadable("receipt");
    if (!globalThis.crypto?.subtle) throw new Unreadable("crypto");
    const bytes = own ?? new Uint8Array(await (await get(receipt ?? "")).arrayBuffer());
    const keys = pasted || (await (await get(form.dataset["key"] ?? "")).text());
    const product = await bytesOf(form.querySelector<HTMLInputElement>("[name=product]"));
    const verdict = await verifyByAny(bytes, keys, product);
    const list = document.createElement("ul");
    list.className = "checks";
    for (const check of verdict.checks)
      list.append(line(check.ok === "unable" ? UNABLE : SAID[check.name][check.ok ? 0 : 1], check.ok));
    const failed = verdict.checks.some((check) => check.ok === false);
    const unable = verdict.checks.some((check) => check.ok === "unable");
    sum.textContent = failed
      ? say("回执不成立。", "The receipt does not hold.")
      : unable
        ? say("除签名外都相符。", "All but the signature was checked and holds.")
        : say("回执成立：运营机构当时这样记录，之后未改动。", "The receipt holds: the operator recorded this, then, and has not changed it since.");
    told.className = `notice ${failed ? "bad" : unable ? "wait" : "good"}`;
    told.dataset["verdict"] = failed ? "false" : unable ? "partly" : "true";
    told.replaceChildren(sum, list);
  } catch (error) {
    told.className = "notice wait";
    told.dataset["verdict"] = "unreadable";
    const what = error instanceof Unreadable ? error.message : "";
    sum.textContent =
      what === "crypto"
        ? say("浏览器只在安全连接下提供校验功能，请用 https 打开，或用命令行校验。", "Browsers verify on secure connections only: open this by https, or use the command line.")
        : what === "key"
          ? say("公钥读不懂，请粘贴完整的一行。", "The key cannot be read. Paste the whole line.")
          : say("回执读不懂，请选取下载的原文件。", "The receipt cannot be read. Choose the file as it was downloaded.");
    told.replaceChildren(sum);
  }
}

for (const form of document.querySelectorAll<HTMLFormElement>("form[data-verify]")) {
  form.hidden = false;
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    void judge(form).finally(() => form.querySelector("button")?.removeAttribute("aria-busy"));
  });
}
