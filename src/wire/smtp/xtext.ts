// xtext, in which a parameter's value carries what its grammar has no place for; and its sister for addresses beyond ASCII.
//
// In      text; xtext as a peer has sent it
// Out     xtext; the text that it stands for, undefined where it is none
// RFC 3461 §4 (xtext: `+2B` for a plus), RFC 6533 §3 (utf-8-addr-xtext, utf-8-addr-unitext: `\x{E9}` for an e with an acute)

const PLUS = 0x2b;
const EQUALS = 0x3d;
const BACKSLASH = 0x5c;

/** Of printable ASCII. */
export function encodeXtext(text: string): string {
  let encoded = '';
  for (const character of text) {
    const code = character.codePointAt(0)!;
    encoded += isPlain(code) ? character : `+${hex(code)}`;
  }
  return encoded;
}

/** Printable ASCII and spaces, or undefined. */
export function decodeXtext(xtext: string): string | undefined {
  let text = '';
  for (let at = 0; at < xtext.length; at++) {
    let code = xtext.charCodeAt(at);
    if (code === PLUS) {
      code = hexValue(xtext.slice(at + 1, at + 3), 2);
      at += 2;
    } else if (code === 0x20 || code === EQUALS) return undefined;
    if (!(code >= 0x20 && code <= 0x7e)) return undefined;
    text += String.fromCharCode(code);
  }
  return text;
}

/** `isUtf8`: where SMTPUTF8 is spoken, letters stand for themselves. */
export function encodeUnitext(text: string, isUtf8: boolean): string {
  let encoded = '';
  for (const character of text) {
    const code = character.codePointAt(0)!;
    const isItself = (isPlain(code) && code !== BACKSLASH) || (isUtf8 && code > 0x9f);
    encoded += isItself ? character : `\\x{${hex(code)}}`;
  }
  return encoded;
}

/** Text without control characters, or undefined. */
export function decodeUnitext(unitext: string): string | undefined {
  let text = '';
  for (let at = 0; at < unitext.length; at++) {
    let character = unitext.charAt(at);
    if (character === '\\') {
      const end = unitext.indexOf('}', at);
      if (end < 0 || !unitext.startsWith('\\x{', at)) return undefined;
      const digits = unitext.slice(at + 3, end);
      const code = hexValue(digits, digits.length);
      // A half of a surrogate pair is no character.
      if (digits.length < 2 || digits.length > 6 || !(code <= 0x10ffff) || (code >= 0xd800 && code <= 0xdfff))
        return undefined;
      character = String.fromCodePoint(code);
      at = end;
    } else if (character === ' ' || character === '+' || character === '=') return undefined;
    const code = character.codePointAt(0)!;
    if (code < 0x20 || (code >= 0x7f && code <= 0x9f)) return undefined;
    text += character;
  }
  return text.isWellFormed() ? text : undefined;
}

function isPlain(code: number): boolean {
  return code > 0x20 && code < 0x7f && code !== PLUS && code !== EQUALS;
}

function hex(code: number): string {
  return code.toString(16).toUpperCase().padStart(2, '0');
}

/** NaN for what is not so many hexadecimal digits. */
function hexValue(digits: string, length: number): number {
  let value = 0;
  for (let at = 0; at < length; at++) {
    const code = digits.charCodeAt(at) | 0x20;
    const digit = code >= 0x61 && code <= 0x66 ? code - 0x57 : digits.charCodeAt(at) - 0x30;
    if (!(digit >= 0 && digit <= 15) || (digit > 9 && code < 0x61)) return Number.NaN;
    value = value * 16 + digit;
  }
  return length === 0 ? Number.NaN : value;
}
