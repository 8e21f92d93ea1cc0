// The key of a name's row: a subtree is one range of the table, and the order of keys is that of DNSSEC.
//
// The labels from the top, a blank behind each: `acme.example` is `example acme `. Compared octet by octet, keys have the
// canonical order of their names: a label before all that lies below it, and label by label from the top.
// An octet up to `!` would sort below the blank, or be taken for the escape: it is written as `!` and a character above it.
// RFC 4034 §6.1

import { nameOctets, octetText, ROOT } from '../wire/dns/name.ts';

const BLANK = ' ';
const ESCAPE = '!';
const ESCAPE_CODE = 0x21;
/** Added to an escaped octet. */
const ESCAPED_CODE = 0x30;

/** `name` in lower case, as wire/dns/name.ts writes names. Throws a SyntaxFailure for what is none. */
export function pathOf(name: string): string {
  if (name.includes('\\') || name.includes(ESCAPE)) return pathOfOctets(nameOctets(name));
  if (name === ROOT) return '';
  let path = '';
  for (let end = name.length; ; ) {
    const dot = name.lastIndexOf('.', end - 1);
    path += name.slice(dot + 1, end) + BLANK;
    if (dot < 0) return path;
    end = dot;
  }
}

function pathOfOctets(octets: readonly number[]): string {
  let path = '';
  for (let at = 0; at < octets.length; at += octets[at]! + 1) {
    const label = octets.slice(at + 1, at + 1 + octets[at]!);
    path = label.map(octetKey).join('') + BLANK + path;
  }
  return path;
}

function octetKey(octet: number): string {
  return octet > ESCAPE_CODE ? String.fromCharCode(octet) : ESCAPE + String.fromCharCode(octet + ESCAPED_CODE);
}

/** The name of a key: `pathOf(nameOfPath(path))` is `path`. */
export function nameOfPath(path: string): string {
  const labels: string[] = [];
  let label = '';
  for (let at = 0; at < path.length; at++) {
    let code = path.charCodeAt(at);
    if (path[at] === BLANK) {
      labels.push(label);
      label = '';
      continue;
    }
    if (code === ESCAPE_CODE) code = path.charCodeAt(++at) - ESCAPED_CODE;
    label += octetText(code);
  }
  return labels.length === 0 ? ROOT : labels.reverse().join('.');
}

/** The keys of the name and of all below it lie between these two, and no other key does. The name itself is above `from`. */
export function subtreeOf(path: string): { readonly from: string; readonly to: string } {
  if (path === '') return { from: '', to: '\u{10ffff}' };
  const label = path.slice(0, -1);
  return { from: label, to: label + ESCAPE };
}

/** From the parent up, without the root. */
export function pathsAbove(path: string): string[] {
  const above: string[] = [];
  for (let at = path.lastIndexOf(BLANK, path.length - 2); at > 0; at = path.lastIndexOf(BLANK, at - 1)) {
    above.push(path.slice(0, at + 1));
  }
  return above;
}
