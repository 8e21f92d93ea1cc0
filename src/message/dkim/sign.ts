// DKIM-Signature fields of a message: one for each key, all over the same fields and the same body.
//
// In      the fields and the body's hash, d=, the time, keys with their selectors
// Out     whole fields, CRLF at their ends; the arithmetic is done in Node's thread pool
// Never   l= (what is added behind counts as ours), x=, i=
// RFC 6376 §3.5 §3.7, RFC 8463 §3

import { createHash, type KeyObject, sign } from 'node:crypto';
import { relaxedValue } from './canonical.ts';
import type { SignedFields } from './headers.ts';

export type KeyType = 'rsa' | 'ed25519';

export interface SigningKey {
  readonly selector: string;
  readonly type: KeyType;
  readonly key: KeyObject;
}

export interface Signable {
  readonly fields: SignedFields;
  readonly bodyHash: Buffer;
  /** A-labels. */
  readonly domain: string;
  readonly atSeconds: number;
}

export async function signatureFields(signable: Signable, keys: readonly SigningKey[]): Promise<string> {
  const fields = await Promise.all(keys.map((key) => signatureField(signable, key)));
  return fields.join('');
}

const LINE = 72;

async function signatureField({ fields, bodyHash, domain, atSeconds }: Signable, own: SigningKey): Promise<string> {
  const value =
    ` v=1; a=${own.type}-sha256; c=relaxed/relaxed; t=${atSeconds};\r\n` +
    `\td=${domain};\r\n\ts=${own.selector};\r\n` +
    `\th=${foldedNames(fields.names)};\r\n\tbh=${bodyHash.toString('base64')};\r\n\tb=`;
  const input = Buffer.from(`${fields.text}dkim-signature:${relaxedValue(value)}`, 'latin1');
  const signature = await signatureOf(input, own);
  return `DKIM-Signature:${value}${folded(signature.toString('base64'))}\r\n`;
}

/** RFC 8463 §3: Ed25519 signs the SHA-256 of the fields, not the fields. */
function signatureOf(input: Buffer, { type, key }: SigningKey): Promise<Buffer> {
  const [algorithm, data] = type === 'rsa' ? ['sha256', input] : [null, createHash('sha256').update(input).digest()];
  return new Promise((resolve, reject) =>
    sign(algorithm, data, key, (error, signature) => (error === null ? resolve(signature) : reject(error))),
  );
}

/** White space may stand around the colons of h=. */
function foldedNames(names: readonly string[]): string {
  let text = '';
  let line = 0;
  for (const name of names) {
    if (text !== '') {
      text += ':';
      line++;
      if (line + name.length > LINE) {
        text += '\r\n\t ';
        line = 0;
      }
    }
    text += name;
    line += name.length;
  }
  return text;
}

function folded(base64: string): string {
  let text = '';
  for (let at = 0; at < base64.length; at += LINE) text += `${at === 0 ? '' : '\r\n\t '}${base64.slice(at, at + LINE)}`;
  return text;
}
