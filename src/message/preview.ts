// The beginning of what a message says, as plain text for a list of messages.
//
// In      a structure; the first bytes of one of its text parts
// Out     at most PREVIEW_CHARACTERS of text without markup, quoted lines and runs of white space; '' where there is none
// What is nothing but quoted is shown with a `>` before it, as Dovecot does. Attachments are no text of a message
// RFC 8970 §3.3

import { eachDecodedText } from './decode.ts';
import { plainText } from './html-text.ts';
import { findParameter } from './parameters.ts';
import type { Part } from './part.ts';

const PREVIEW_CHARACTERS = 200;

/** Text parts in the order of the message. */
export function* previewParts(part: Part): Generator<Part> {
  if (part.type === 'text' && part.disposition?.type.toLowerCase() !== 'attachment') yield part;
  for (const inner of part.parts) yield* previewParts(inner);
}

/** `body` may end anywhere. */
export function previewOf({ subtype, encoding, parameters }: Part, body: Buffer): string {
  let text = '';
  for (const piece of eachDecodedText(body, encoding, findParameter(parameters, 'charset') ?? '')) text += piece;
  const { own, quoted } = subtype === 'html' ? plainText(text) : splitQuotes(text);
  const begun = beginning(own);
  if (begun !== '') return begun;
  const rest = beginning(quoted);
  return rest === '' ? '' : beginning(`> ${rest}`);
}

function splitQuotes(text: string): { own: string; quoted: string } {
  let own = '';
  let quoted = '';
  for (const line of text.split('\n')) {
    if (line.startsWith('>')) quoted += `${line.slice(1)}\n`;
    else own += `${line}\n`;
    if (own.length > 4 * PREVIEW_CHARACTERS && own.trim().length > 2 * PREVIEW_CHARACTERS) break;
  }
  return { own, quoted };
}

/** One space for each run of white space and control characters, cut behind a whole character. */
function beginning(text: string): string {
  let begun = '';
  let characters = 0;
  let isApart = false;
  for (const character of text) {
    if (isBlank(character.codePointAt(0)!)) {
      isApart = characters > 0;
      continue;
    }
    if (isApart) {
      if (characters + 2 > PREVIEW_CHARACTERS) break;
      begun += ' ';
      characters++;
    }
    isApart = false;
    begun += character;
    if (++characters >= PREVIEW_CHARACTERS) break;
  }
  return begun;
}

function isBlank(code: number): boolean {
  return (
    code <= 0x20 ||
    (code >= 0x7f && code <= 0xa0) ||
    // Spaces and marks without a width, which newsletters are padded with; what a cut character became.
    (code >= 0x2000 && code <= 0x200f) ||
    (code >= 0x2028 && code <= 0x202f) ||
    code === 0x34f ||
    code === 0xad ||
    code === 0x2007 ||
    code === 0xfeff ||
    code === 0xfffd
  );
}
