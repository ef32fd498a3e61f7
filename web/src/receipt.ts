// A receipt, checked with nothing but its bytes and the log's verifier key. The same checks as the command line makes.

export type Outcome = boolean | "unable";
export interface Check {
  name: "format" | "leaf" | "commitments" | "inclusion" | "signature" | "origin" | "product";
  ok: Outcome;
}
export interface Verdict {
  checks: Check[];
  disclosed: Record<string, unknown>;
  leaf: Record<string, unknown>;
  index: bigint;
  size: bigint;
}
interface Disclosure {
  salt: string;
  value: unknown;
}

const TAG = "shudu-commitment/1";
const utf8 = new TextEncoder();

export class Unreadable extends Error {}

/** JCS (RFC 8785) of what receipts hold: no fractions, keys in UTF-16 order. */
export function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (value !== null && typeof value === "object") {
    const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
    return `{${entries.map(([key, one]) => `${JSON.stringify(key)}:${canonical(one)}`).join(",")}}`;
  }
  return JSON.stringify(value);
}

export async function sha256(...parts: Uint8Array[]): Promise<Uint8Array> {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return new Uint8Array(await crypto.subtle.digest("SHA-256", whole));
}

export const hex = (bytes: Uint8Array): string => [...bytes].map((one) => one.toString(16).padStart(2, "0")).join("");
const fromHex = (text: string): Uint8Array => Uint8Array.from(text.match(/../g) ?? [], (pair) => parseInt(pair, 16));
const fromBase64 = (text: string): Uint8Array => Uint8Array.from(atob(text), (one) => one.charCodeAt(0));

function prefixed(part: Uint8Array): Uint8Array {
  const whole = new Uint8Array(4 + part.length);
  new DataView(whole.buffer).setUint32(0, part.length);
  whole.set(part, 4);
  return whole;
}

async function commitment(name: string, one: Disclosure): Promise<string> {
  const parts = [utf8.encode(TAG), utf8.encode(name), fromHex(one.salt), utf8.encode(canonical(one.value))];
  return hex(await sha256(...parts.map(prefixed)));
}

/** RFC 9162 §2.1.3.2. */
async function included(leaf: Uint8Array, index: bigint, size: bigint, path: Uint8Array[], root: Uint8Array) {
  if (index >= size) return false;
  let at = index;
  let last = size - 1n;
  let node = await sha256(Uint8Array.of(0), leaf);
  for (const beside of path) {
    if (last === 0n) return false;
    if (at & 1n || at === last) {
      node = await sha256(Uint8Array.of(1), beside, node);
      while (!(at & 1n) && at !== 0n) {
        at >>= 1n;
        last >>= 1n;
      }
    } else {
      node = await sha256(Uint8Array.of(1), node, beside);
    }
    at >>= 1n;
    last >>= 1n;
  }
  return last === 0n && hex(node) === hex(root);
}

/** Did the key sign this note? "unable" where the browser has no Ed25519. */
async function signed(text: string, signatures: string[], verifierKey: string): Promise<Outcome> {
  const [name, id, encoded] = splitKey(verifierKey);
  const key = fromBase64(encoded);
  if (key[0] !== 1 || key.length !== 33) return false;
  const named = await sha256(utf8.encode(`${name}\n`), key);
  if (hex(named.slice(0, 4)) !== id) return false;
  const own = signatures
    .map((line) => line.split(" "))
    .filter((parts) => parts.length === 3 && parts[0] === "—" && parts[1] === name)
    .map((parts) => fromBase64(parts[2] ?? ""))
    .filter((bytes) => hex(bytes.slice(0, 4)) === id);
  if (own.length === 0) return false;
  let imported: CryptoKey;
  try {
    imported = await crypto.subtle.importKey("raw", key.slice(1), "Ed25519", false, ["verify"]);
  } catch {
    return "unable";
  }
  for (const bytes of own)
    if (!(await crypto.subtle.verify("Ed25519", imported, bytes.slice(4), utf8.encode(text)))) return false;
  return true;
}

function splitKey(text: string): [string, string, string] {
  const [name, id, ...rest] = text.trim().split("+");
  if (!name || !id || rest.length === 0) throw new Unreadable("key");
  return [name, id, rest.join("+")];
}

function parsed(bytes: Uint8Array): { receipt: Record<string, unknown>; exact: boolean } {
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    const receipt: unknown = JSON.parse(text);
    if (receipt === null || typeof receipt !== "object") throw new Error("not an object");
    return { receipt: receipt as Record<string, unknown>, exact: canonical(receipt) === text };
  } catch {
    throw new Unreadable("receipt");
  }
}

/** Check a receipt's bytes by the log's verifier key and, if given, the file it is said to vouch for. */
export async function verify(bytes: Uint8Array, verifierKey: string, product?: Uint8Array): Promise<Verdict> {
  const { receipt, exact } = parsed(bytes);
  const shown = (receipt["disclosures"] ?? {}) as Record<string, Disclosure>;
  const leafText = String(receipt["leaf"]);
  const proof = String(receipt["proof"]);
  const gap = proof.indexOf("\n\n");
  const end = proof.lastIndexOf("\n\n");
  const [header, indexLine, ...path] = proof.slice(0, gap).split("\n");
  if (receipt["format"] !== "shudu-receipt/1" || header !== "c2sp.org/tlog-proof@v1" || gap < 0 || end <= gap)
    throw new Unreadable("receipt");
  const note = proof.slice(gap + 2, end + 1);
  const [origin, size, root] = note.split("\n");
  const index = BigInt(indexLine?.replace("index ", "") ?? "");
  const leaf = JSON.parse(leafText) as Record<string, unknown>;
  const fields = (leaf["fields"] ?? {}) as Record<string, string>;
  const opened = await Promise.all(
    Object.entries(shown).map(async ([name, one]) => Object.hasOwn(fields, name) && fields[name] === (await commitment(name, one))),
  );
  const merkle = [utf8.encode(leafText), index, BigInt(size ?? ""), path.map(fromBase64), fromBase64(root ?? "")] as const;
  const checks: Check[] = [
    { name: "format", ok: exact },
    { name: "leaf", ok: canonical(leaf) === leafText && leaf["v"] !== undefined },
    { name: "commitments", ok: opened.every(Boolean) },
    { name: "inclusion", ok: await included(...merkle) },
    { name: "signature", ok: await signed(note, proof.slice(end + 2).trimEnd().split("\n"), verifierKey) },
    { name: "origin", ok: origin === splitKey(verifierKey)[0] },
  ];
  const disclosed = Object.fromEntries(Object.entries(shown).map(([name, one]) => [name, one.value]));
  if (product) checks.push({ name: "product", ok: names(disclosed["outputs"], hex(await sha256(product))) });
  return { checks, disclosed, leaf, index, size: BigInt(size ?? "") };
}

/** The same by whichever of several verifier keys, one a line, fits best: a log's keys change, its receipts stay. */
export async function verifyByAny(bytes: Uint8Array, keys: string, product?: Uint8Array): Promise<Verdict> {
  const verdicts: Verdict[] = [];
  for (const key of keys.trim().split("\n")) verdicts.push(await verify(bytes, key.trim(), product));
  const doubt = (one: Verdict): number => one.checks.reduce((sum, { ok }) => sum + (ok === true ? 0 : ok === false ? 100 : 1), 0);
  return verdicts.reduce((best, one) => (doubt(one) < doubt(best) ? one : best));
}

function names(outputs: unknown, digest: string): boolean {
  if (!Array.isArray(outputs)) return false;
  return outputs.some((one: { files?: Record<string, string> }) => Object.values(one.files ?? {}).includes(digest));
}
