// What a request says of who asks, in its Authorization field.
//
// In      the field's value; undefined where there is none
// Out     a token, or a name and a password; undefined for what is neither
// Never   reads a name that is no UTF-8 as another one: it is nobody's
// RFC 9110 §11.4, RFC 6750 §2.1 (Bearer), RFC 7617 §2 (Basic)

import { isUtf8 } from 'node:buffer';

type Credentials = { readonly token: string } | { readonly name: string; readonly password: Buffer };

const COLON = 0x3a;

/** The scheme in any case, a blank, what it takes. */
export function credentialsIn(header = ''): Credentials | undefined {
  const blank = header.indexOf(' ');
  if (blank < 0) return undefined;
  const scheme = header.slice(0, blank).toLowerCase();
  const text = header.slice(blank + 1).trim();
  if (text === '') return undefined;
  if (scheme === 'bearer') return { token: text };
  return scheme === 'basic' ? passwordIn(text) : undefined;
}

function passwordIn(text: string): Credentials | undefined {
  const octets = Buffer.from(text, 'base64');
  const colon = octets.indexOf(COLON);
  // What is no base64 is read as if it were not there: a password must not come through by chance.
  if (colon < 1 || withoutPadding(octets.toString('base64')) !== withoutPadding(text)) return undefined;
  const name = octets.subarray(0, colon);
  return isUtf8(name) ? { name: name.toString('utf8'), password: octets.subarray(colon + 1) } : undefined;
}

function withoutPadding(base64: string): string {
  let end = base64.length;
  while (end > 0 && end > base64.length - 2 && base64.charAt(end - 1) === '=') end--;
  return base64.slice(0, end);
}
