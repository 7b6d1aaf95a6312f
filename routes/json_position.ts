/**
 * Finds where a text stops being JSON (RFC 8259). `JSON.parse` says so in some of its messages only,
 * and messages are not an interface. Runs only for texts that `JSON.parse` refused.
 *
 * @module
 */

// \p{Cc} less what JSON allows of it: U+0000 to U+001F.
const TOKEN =
  /[ \t\r\n]*(?:([{}[\],:])|("(?:[^"\\\p{Cc}]|[\x7f-\x9f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*")|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w.+-])|(?:true|false|null)\b)/uy;

/** What may come next. `first…` also allows the closing bracket. */
type Expected = "value" | "first_item" | "first_member" | "member" | "colon" | "after";

/** The offset of the first token that cannot be there; the text's length when it only ends early. */
export function errorOffset(text: string): number {
  const open: string[] = [];
  let expected: Expected = "value";
  for (let offset = 0; offset < text.length;) {
    TOKEN.lastIndex = offset;
    const match = TOKEN.exec(text);
    const at = skipSpace(text, offset);
    if (match === null) return at;
    const next = advance(expected, open, match[1] ?? (match[2] === undefined ? "value" : "string"));
    if (next === null) return at;
    expected = next;
    offset = TOKEN.lastIndex;
  }
  return text.length;
}

/** The state after `token`, or `null` when it cannot be there. Keeps `open`, the open brackets. */
function advance(expected: Expected, open: string[], token: string): Expected | null {
  switch (expected) {
    case "colon":
      return token === ":" ? "value" : null;
    case "member":
      return token === "string" ? "colon" : null;
    case "first_member":
      return token === "string" ? "colon" : close(open, token);
    case "first_item":
      return token === "]" ? close(open, token) : value(open, token);
    case "value":
      return value(open, token);
    case "after":
      if (token === "," && open.length > 0) return open.at(-1) === "{" ? "member" : "value";
      return close(open, token);
  }
}

function value(open: string[], token: string): Expected | null {
  if (token === "string" || token === "value") return "after";
  if (token !== "{" && token !== "[") return null;
  open.push(token);
  return token === "{" ? "first_member" : "first_item";
}

function close(open: string[], token: string): Expected | null {
  const matches = token === "}" ? open.at(-1) === "{" : token === "]" && open.at(-1) === "[";
  if (!matches) return null;
  open.pop();
  return "after";
}

function skipSpace(text: string, offset: number): number {
  while (" \t\r\n".includes(text.charAt(offset)) && offset < text.length) offset++;
  return offset;
}
