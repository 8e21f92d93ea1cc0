// Mailbox names between the wire and Unicode: in modified UTF-7, or in UTF-8 where the client has enabled that.
// RFC 3501 §5.1, §5.1.3, RFC 6855 §3, RFC 9051 §5.1
//
// Each name has exactly one spelling: what does not decode and encode back to itself is refused.

import { isUtf8 } from 'node:buffer';
import { Failure } from '../../base/failure.ts';

const DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,';

export function encodeMailboxName(name: string): string {
  let text = '';
  let bits = 0;
  let held = 0;
  let shifted = false;
  for (let i = 0; i < name.length; i++) {
    const unit = name.charCodeAt(i);
    const printable = unit >= 0x20 && unit <= 0x7e;
    if (printable && shifted) {
      if (bits > 0) text += DIGITS.charAt((held << (6 - bits)) & 63);
      text += '-';
      shifted = false;
    } else if (!printable && !shifted) {
      text += '&';
      shifted = true;
      bits = 0;
      held = 0;
    }
    if (printable) {
      text += unit === 0x26 ? '&-' : name.charAt(i);
      continue;
    }
    held = (held << 16) | unit;
    for (bits += 16; bits >= 6; bits -= 6) text += DIGITS.charAt((held >>> (bits - 6)) & 63);
    held &= (1 << bits) - 1;
  }
  if (!shifted) return text;
  if (bits > 0) text += DIGITS.charAt((held << (6 - bits)) & 63);
  return `${text}-`;
}

/** Throws `invalid` for what is not modified UTF-7 in its one right spelling, or not well-formed Unicode. */
export function decodeMailboxName(text: string): string {
  let name = '';
  for (let i = 0; i < text.length; i++) {
    const c = text.charAt(i);
    if (c !== '&') {
      name += c;
      continue;
    }
    const end = text.indexOf('-', i);
    if (end < 0) throw badName();
    name += end === i + 1 ? '&' : decodeShifted(text, i + 1, end);
    i = end;
  }
  if (!name.isWellFormed() || encodeMailboxName(name) !== text) throw badName();
  return name;
}

/** As octets in latin1 text. */
export function encodeUtf8Name(name: string): string {
  return Buffer.from(name).toString('latin1');
}

/** From octets in latin1 text. Throws `invalid` for what is not UTF-8. */
export function decodeUtf8Name(text: string): string {
  const octets = Buffer.from(text, 'latin1');
  if (!isUtf8(octets)) throw new Failure('invalid', 'Mailbox name is not UTF-8');
  return octets.toString();
}

function decodeShifted(text: string, start: number, end: number): string {
  let name = '';
  let held = 0;
  let bits = 0;
  for (let i = start; i < end; i++) {
    const digit = DIGITS.indexOf(text.charAt(i));
    if (digit < 0) throw badName();
    held = (held << 6) | digit;
    bits += 6;
    if (bits < 16) continue;
    bits -= 16;
    name += String.fromCharCode(held >>> bits);
    held &= (1 << bits) - 1;
  }
  return name;
}

function badName(): Failure {
  return new Failure('invalid', 'Mailbox name is not modified UTF-7');
}
