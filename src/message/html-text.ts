// What HTML says, roughly: its text without tags, scripts and styles, in linear time.
//
// In      HTML as mail has it, perhaps cut off; any text at all, nothing here throws
// Out     text outside of quotations, and text inside of them; white space as it comes, one more at the ends of blocks

const BLOCKS: ReadonlySet<string> = new Set(
  'address article aside blockquote br center dd div dl dt fieldset figure footer form h1 h2 h3 h4 h5 h6 header hr li main nav ol option p pre section table tbody td tfoot th thead tr ul'.split(
    ' ',
  ),
);
/** Elements whose content is no text. */
const SILENT: ReadonlySet<string> = new Set(['head', 'script', 'style', 'template', 'title']);
const ENTITIES: ReadonlyMap<string, string> = new Map([
  ['amp', '&'],
  ['apos', "'"],
  ['bull', '•'],
  ['cent', '¢'],
  ['copy', '©'],
  ['euro', '€'],
  ['gt', '>'],
  ['hellip', '…'],
  ['laquo', '«'],
  ['ldquo', '“'],
  ['lsquo', '‘'],
  ['lt', '<'],
  ['mdash', '—'],
  ['middot', '·'],
  ['nbsp', ' '],
  ['ndash', '–'],
  ['pound', '£'],
  ['quot', '"'],
  ['raquo', '»'],
  ['rdquo', '”'],
  ['reg', '®'],
  ['rsquo', '’'],
  ['sect', '§'],
  ['shy', ''],
  ['szlig', 'ß'],
  ['trade', '™'],
  ['zwj', ''],
  ['zwnj', ''],
  ...letters('aeiou', 'acute', '\u0301'),
  ...letters('aeiou', 'grave', '\u0300'),
  ...letters('aeiou', 'circ', '\u0302'),
  ...letters('aeiou', 'uml', '\u0308'),
  ...letters('ano', 'tilde', '\u0303'),
  ...letters('c', 'cedil', '\u0327'),
]);
const ENTITY_CHARACTERS = 10;

function letters(of: string, name: string, mark: string): (readonly [string, string])[] {
  return [...of, ...of.toUpperCase()].map((letter) => [`${letter}${name}`, `${letter}${mark}`.normalize('NFC')]);
}

export function plainText(html: string): { own: string; quoted: string } {
  let own = '';
  let quoted = '';
  let quotes = 0;
  const say = (text: string): void => {
    if (quotes > 0) quoted += text;
    else own += text;
  };
  for (let at = 0; at < html.length; ) {
    const open = html.indexOf('<', at);
    say(withoutEntities(html.slice(at, open < 0 ? html.length : open)));
    if (open < 0) break;
    if (html.startsWith('<!--', open)) {
      at = behind(html, '-->', open + 4);
      continue;
    }
    const isEnd = html[open + 1] === '/';
    const name = tagName(html, open + (isEnd ? 2 : 1));
    if (name === '' && !isEnd && html[open + 1] !== '!' && html[open + 1] !== '?') {
      say('<');
      at = open + 1;
      continue;
    }
    at = behind(html, '>', open);
    if (BLOCKS.has(name)) say(' ');
    if (name === 'blockquote') quotes = Math.max(0, quotes + (isEnd ? -1 : 1));
    if (!isEnd && SILENT.has(name)) at = behindElement(html, name, at);
  }
  return { own, quoted };
}

function behind(html: string, text: string, from: number): number {
  const found = html.indexOf(text, from);
  return found < 0 ? html.length : found + text.length;
}

/** Where the end tag stands; a head that is never closed ends where the body begins. */
function behindElement(html: string, name: string, from: number): number {
  for (let at = html.indexOf('<', from); at >= 0; at = html.indexOf('<', at + 1)) {
    if (html[at + 1] === '/' && tagName(html, at + 2) === name) return behind(html, '>', at);
    if (name === 'head' && tagName(html, at + 1) === 'body') return at;
  }
  return html.length;
}

/** In lower case. */
function tagName(html: string, from: number): string {
  let end = from;
  while (end < html.length && end < from + ENTITY_CHARACTERS && isAlphanumeric(html.charCodeAt(end))) end++;
  return html.slice(from, end).toLowerCase();
}

function isAlphanumeric(code: number): boolean {
  return (code >= 0x30 && code <= 0x39) || (code >= 0x41 && code <= 0x5a) || (code >= 0x61 && code <= 0x7a);
}

function withoutEntities(text: string): string {
  let plain = '';
  let start = 0;
  for (let at = text.indexOf('&'); at >= 0; at = text.indexOf('&', at + 1)) {
    const end = at + text.slice(at, at + ENTITY_CHARACTERS).indexOf(';');
    if (end < at) continue;
    const meant = entity(text.slice(at + 1, end));
    if (meant === undefined) continue;
    plain += text.slice(start, at) + meant;
    start = end + 1;
  }
  return plain + text.slice(start);
}

function entity(name: string): string | undefined {
  if (!name.startsWith('#')) return ENTITIES.get(name);
  const isHex = name[1] === 'x' || name[1] === 'X';
  const code = Number.parseInt(name.slice(isHex ? 2 : 1), isHex ? 16 : 10);
  return code > 0 && code <= 0x10ffff && !(code >= 0xd800 && code < 0xe000) ? String.fromCodePoint(code) : undefined;
}
