// The body of a request that is JSON, as a value.
//
// In      octets as they came
// Out     the value; undefined for what is no JSON, and for what is no UTF-8: a name in another character set would be written
//         down with U+FFFD in the place of its letters, and nobody would be told
// Limits  VALUES_MAX names and values, and Failure('too-large') beyond: a schema takes a hundred times as long for each as the parser
//         does, on the thread that accepts all connections. DEPTH_MAX arrays and objects within each other, and the same failure:
//         base/json-extent.ts
// A byte order mark in front is passed over.
// RFC 8259 §8.1 §8.2 §9

import { Failure } from '../../base/failure.ts';
import { DEPTH_MAX, jsonExtent } from '../../base/json-extent.ts';

/** More than any operation takes: a list is made with 100,000 members. */
export const VALUES_MAX = 250_000;
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

function refuseTooMuch(octets: Uint8Array): void {
  const { values, depth } = jsonExtent(octets);
  if (depth > DEPTH_MAX) throw new Failure('too-large', `the body is nested more than ${DEPTH_MAX} deep`);
  if (values > VALUES_MAX) throw new Failure('too-large', `the body has more than ${VALUES_MAX} values`);
}
