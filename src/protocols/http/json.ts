// The body of a request that is JSON, as a value.
//
// In      octets as they came
// Out     the value; undefined for what is no JSON, and for what is no UTF-8: a name in another character set would be written
//         down with U+FFFD in the place of its letters, and nobody would be told
// Limits  VALUES_MAX names and values, and Failure('too-large') beyond: a schema takes a hundred times as long for each as the parser
//         does, on the thread that accepts all connections. DEPTH_MAX arrays and objects within each other, and the same failure:
//         JSON.parse of V8 14 (Node 26) goes down them on the C++ stack; where that is full, some thousands deep, or with a reviver at
//         any depth, it keeps its own stack, and a syntax error there frees the handles of its callers: 63 KB ended the server. For the
//         same reason there is no reviver here
// A byte order mark in front is passed over.
// RFC 8259 §8.1 §8.2 §9

import { Failure } from '../../base/failure.ts';

/** More than any operation takes: a list is made with 100,000 members. */
export const VALUES_MAX = 250_000;
/** No operation takes more than a handful. */
export const DEPTH_MAX = 64;
const UTF8 = new TextDecoder('utf-8', { fatal: true });
/** Perhaps alone. */
const HALF_OF_PAIR = /\\u[dD][89a-fA-F]/;

export function jsonOf(octets: Uint8Array): { readonly value: unknown } | undefined {
  return parsed(octets, false);
}

/** The same for what is kept as it is said: undefined, too, where half of a surrogate pair stands alone. */
export function exactJsonOf(octets: Uint8Array): { readonly value: unknown } | undefined {
  return parsed(octets, true);
}

function parsed(octets: Uint8Array, isExact: boolean): { readonly value: unknown } | undefined {
  refuseTooMuch(octets);
  try {
    const text = UTF8.decode(octets);
    const value: unknown = JSON.parse(text);
    return isExact && HALF_OF_PAIR.test(text) && !isWellFormed(value) ? undefined : { value };
  } catch {
    return undefined;
  }
}

/** Names and texts, at any depth. */
function isWellFormed(value: unknown): boolean {
  const left: unknown[] = [value];
  while (left.length > 0) {
    const next = left.pop();
    if (typeof next === 'string') {
      if (!next.isWellFormed()) return false;
    } else if (typeof next === 'object' && next !== null)
      for (const [name, inner] of Object.entries(next)) left.push(name, inner);
  }
  return true;
}

const [QUOTE, BACKSLASH, COMMA, BRACKET, BRACE] = [0x22, 0x5c, 0x2c, 0x5b, 0x7b];
const [BRACKET_END, BRACE_END] = [0x5d, 0x7d];

/**
 * Commas and opening brackets outside of strings are one for each value, nearly. Up to where it is no JSON any more the depth is the
 * parser's, which does not look at the rest.
 */
function refuseTooMuch(octets: Uint8Array): void {
  let values = 0;
  let depth = 0;
  for (let at = 0; at < octets.length; at++) {
    const octet = octets[at];
    if (octet === QUOTE) at = endOfString(octets, at);
    else if (octet === COMMA) values++;
    else if (octet === BRACKET || octet === BRACE) {
      values++;
      if (++depth > DEPTH_MAX) throw new Failure('too-large', `the body is nested more than ${DEPTH_MAX} deep`);
    } else if (octet === BRACKET_END || octet === BRACE_END) depth--;
  }
  if (values > VALUES_MAX) throw new Failure('too-large', `the body has more than ${VALUES_MAX} values`);
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
