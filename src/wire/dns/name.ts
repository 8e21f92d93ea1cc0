// Domain names as text, and the walks over them that need no bytes.
//
// One name has one text: labels joined by dots without a final dot, the root is ".". Octets that mean something in a zone
// file, and all that are not printable, are escaped; so a text goes into a zone file as it is, and two names are the same
// name exactly when their lower-case texts are equal.
// Limits  label 63 octets, name 255 with its length octets
// RFC 1034 §3.1, RFC 1035 §2.3.4 §3.1 §5.1, RFC 4343

import { type CharacterClass, VCHAR, without } from '../../base/characters.ts';
import { SyntaxFailure } from '../../base/cursor.ts';

export const LABEL_BYTES = 63;
/** All of a name as it travels: a length octet before each label, and the root's. */
export const NAME_BYTES = 255;
export const ROOT = '.';

const BACKSLASH = 0x5c;
const DOT = 0x2e;

/** Octets that stand for themselves in a label. Space is not among them. */
export const PLAIN_OCTETS: CharacterClass = without(VCHAR, '."\\;()@$');

/** One octet of a label in the text form. */
export function octetText(octet: number): string {
  if (PLAIN_OCTETS[octet] === 1) return String.fromCharCode(octet);
  if (octet > 0x20 && octet < 0x7f) return `\\${String.fromCharCode(octet)}`;
  return `\\${String(octet).padStart(3, '0')}`;
}

/**
 * The octets of the labels, each with its length before it, without the root's zero. Throws a SyntaxFailure for an empty
 * label, one or a name that is too long, a broken escape, and for octets above 126 that are not escaped.
 */
export function nameOctets(text: string): number[] {
  const octets = new Uint8Array(NAME_BYTES);
  return Array.from(octets.subarray(0, putName(octets, text)));
}

/** The same at the head of `octets`, which has room for NAME_BYTES: how many they are. */
export function putName(octets: Uint8Array, text: string): number {
  if (text === ROOT) return 0;
  let lengthAt = 0;
  // Counted on beyond the room, where nothing is written.
  let length = 1;
  for (let at = 0; at < text.length; at++) {
    let code = text.charCodeAt(at);
    if (code === DOT) {
      octets[lengthAt] = labelLength(length - lengthAt - 1, at);
      lengthAt = length++;
      continue;
    }
    if (code === BACKSLASH) {
      const digits = decimalOctet(text, at + 1);
      code = digits ?? text.charCodeAt(at + 1);
      at += digits === undefined ? 1 : 3;
    }
    // Not a number beyond the end of the text: no comparison with it is true.
    if (!(code <= 0xff) || (code > 0x7e && text.charCodeAt(at) === code)) throw new SyntaxFailure('a domain name', at);
    octets[length++] = code;
  }
  octets[lengthAt] = labelLength(length - lengthAt - 1, text.length);
  if (length + 1 > NAME_BYTES) throw new SyntaxFailure(`a name of at most ${NAME_BYTES} octets`, text.length);
  return length;
}

function labelLength(length: number, at: number): number {
  if (length < 1 || length > LABEL_BYTES) throw new SyntaxFailure(`a label of 1 to ${LABEL_BYTES} octets`, at);
  return length;
}

/** The octet of three decimal digits, undefined where no digit stands. */
export function decimalOctet(text: string, at: number): number | undefined {
  let value = 0;
  for (let i = at; i < at + 3; i++) {
    const digit = text.charCodeAt(i) - 0x30;
    if (!(digit >= 0 && digit <= 9)) {
      if (i === at) return undefined;
      throw new SyntaxFailure('three digits', i);
    }
    value = value * 10 + digit;
  }
  if (value > 0xff) throw new SyntaxFailure('an octet below 256', at);
  return value;
}

/** The one text of a name that a person wrote, with or without a final dot. Case stays. */
export function parseName(text: string): string {
  const octets = nameOctets(withoutFinalDot(text));
  if (octets.length === 0) return ROOT;
  const labels: string[] = [];
  for (let at = 0; at < octets.length; at += octets[at]! + 1) {
    labels.push(
      octets
        .slice(at + 1, at + 1 + octets[at]!)
        .map(octetText)
        .join(''),
    );
  }
  return labels.join('.');
}

function withoutFinalDot(text: string): string {
  if (text === ROOT || !text.endsWith('.')) return text;
  let backslashes = 0;
  while (text.charCodeAt(text.length - 2 - backslashes) === BACKSLASH) backslashes++;
  return backslashes % 2 === 0 ? text.slice(0, -1) : text;
}

/** The name without its first label: `acme.example` of `sales.acme.example`; undefined for the root. */
export function parentName(name: string): string | undefined {
  if (name === ROOT) return undefined;
  for (let at = 0; at < name.length; at++) {
    const code = name.charCodeAt(at);
    if (code === BACKSLASH) at++;
    else if (code === DOT) return name.slice(at + 1);
  }
  return ROOT;
}

/** RFC 1034 §3.1: `name` is `ancestor` or lies below it. Both in the same case. */
export function isSubdomain(name: string, ancestor: string): boolean {
  if (ancestor === ROOT) return true;
  // Nearly always decided here: what is left are texts that end alike.
  if (!name.endsWith(ancestor)) return false;
  for (let at: string | undefined = name; at !== undefined; at = parentName(at)) if (at === ancestor) return true;
  return false;
}
