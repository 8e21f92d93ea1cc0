// i;unicode-casemap: the form of a text in which it is searched, compared and sorted without regard to case.
//
// In      Unicode text
// Out     each character in its title case, then decomposed: `ü` and `Ü` are U and a diaeresis, `ﬁ` is fi, `ß` stays
// A title case of several characters (`SS` for `ß`) is none here: RFC 5051 knows one character for one. Decomposed text is in
// canonical order, and Hangul is taken apart too, as Dovecot does. Where upper and title case differ, upper case is taken: both
// forms of a letter come to the same either way
// RFC 5051 §2, RFC 5255 §4

/** By code unit: 1 where the upper case is more than one character. Filled at the first text that is not plain ASCII. */
let expands: Uint8Array | undefined;

export function fold(text: string): string {
  let at = 0;
  while (at < text.length && text.charCodeAt(at) < 0x80) at++;
  if (at === text.length) return text.toUpperCase();
  return titleCase(text).normalize('NFKD');
}

function titleCase(text: string): string {
  expands ??= findExpanding();
  let cased = '';
  let start = 0;
  for (let at = 0; at < text.length; at++) {
    if (expands[text.charCodeAt(at)] === 0) continue;
    cased += text.slice(start, at).toUpperCase() + text.charAt(at);
    start = at + 1;
  }
  return start === 0 ? text.toUpperCase() : cased + text.slice(start).toUpperCase();
}

/** All of them are in the basic plane. */
function findExpanding(): Uint8Array {
  const table = new Uint8Array(0x1_0000);
  for (let code = 0x80; code < 0xd800; code++) table[code] = String.fromCharCode(code).toUpperCase().length > 1 ? 1 : 0;
  for (let code = 0xe000; code <= 0xffff; code++)
    table[code] = String.fromCharCode(code).toUpperCase().length > 1 ? 1 : 0;
  return table;
}
