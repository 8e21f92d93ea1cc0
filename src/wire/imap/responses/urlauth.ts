// The GENURLAUTH and URLFETCH responses. RFC 4467 §8

import { encodeString } from './strings.ts';

/** URLs as octets. */
export function encodeGenUrlAuth(urls: readonly string[]): string {
  return `* GENURLAUTH ${urls.map(encodeString).join(' ')}\r\n`;
}

/** What stands before `sizeBytes` octets and the end of the line; undefined: all of it, for a URL that gives nothing. */
export function encodeUrlFetchHead(url: string, sizeBytes: number | undefined): string {
  const head = `* URLFETCH ${encodeString(url)} `;
  return sizeBytes === undefined ? `${head}NIL\r\n` : `${head}{${sizeBytes}}\r\n`;
}
