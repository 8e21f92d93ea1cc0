// How much a text of JSON holds, before it is parsed; and values of JSON that others have written.
//
// In      octets, of JSON or not
// Limits  DEPTH_MAX arrays and objects within each other. JSON.parse of V8 14 (Node 26) goes down them on the C++ stack; where that is
//         full, some thousands deep, or with a reviver at any depth, it keeps its own stack, and a syntax error there frees the handles
//         of its callers: 63 KB ended the server. For the same reason no text of others has a reviver
// RFC 8259 §9

/** None of ours has more than a handful. */
export const DEPTH_MAX = 64;

const [QUOTE, BACKSLASH, COMMA, BRACKET, BRACE] = [0x22, 0x5c, 0x2c, 0x5b, 0x7b];
const [BRACKET_END, BRACE_END] = [0x5d, 0x7d];

/**
 * Commas and opening brackets outside of strings are one for each name or value, nearly. Up to where it is no JSON any more the depth
 * is the parser's, which does not look at the rest.
 */
export function jsonExtent(octets: Uint8Array): { readonly values: number; readonly depth: number } {
  let values = 0;
  let depth = 0;
  let deepest = 0;
  for (let at = 0; at < octets.length; at++) {
    const octet = octets[at];
    if (octet === QUOTE) at = endOfString(octets, at);
    else if (octet === COMMA) values++;
    else if (octet === BRACKET || octet === BRACE) {
      values++;
      depth++;
      if (depth > deepest) deepest = depth;
    } else if (octet === BRACKET_END || octet === BRACE_END) depth--;
  }
  return { values, depth: deepest };
}

/** Throws a SyntaxError for what is no JSON, or is nested too deep. */
export function valueOfJson(octets: Uint8Array): unknown {
  if (jsonExtent(octets).depth > DEPTH_MAX) throw new SyntaxError(`JSON is nested more than ${DEPTH_MAX} deep`);
  return JSON.parse(Buffer.from(octets).toString('utf8'));
}

/** Where its last quote is, or the end: then it is no JSON. */
function endOfString(octets: Uint8Array, begin: number): number {
  for (let from = begin + 1; ; ) {
    const quote = octets.indexOf(QUOTE, from);
    if (quote < 0) return octets.length;
    let backslashes = 0;
    while (octets[quote - 1 - backslashes] === BACKSLASH) backslashes++;
    if (backslashes % 2 === 0) return quote;
    from = quote + 1;
  }
}
