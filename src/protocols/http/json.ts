// The body of a request that is JSON, as a value.
//
// In      octets as they came
// Out     the value; undefined for what is no JSON, and for what is no UTF-8: a name in another character set would be written
//         down with U+FFFD in the place of its letters, and nobody would be told
// A byte order mark in front is passed over.
// RFC 8259 §8.1

const UTF8 = new TextDecoder('utf-8', { fatal: true });

export function jsonOf(octets: Uint8Array): { readonly value: unknown } | undefined {
  try {
    return { value: JSON.parse(UTF8.decode(octets)) };
  } catch {
    return undefined;
  }
}
