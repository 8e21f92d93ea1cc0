// FETCH of UID and FLAGS alone, as after each tunnel of a phone that knows no CONDSTORE: a page of responses from one row.
//
// In      the positions of a page
// Out     its responses as text; undefined where a message has more to say, or is gone: then its rows are read one by one
// RFC 3501 §6.4.5, §7.4.2

import type { Reader } from '../../database/operation.ts';
import { parseKeywords } from '../../store/flags.ts';
import { flagCharacters, flagsOfCharacter, hasKeywords } from '../../store/messages.ts';
import { hasOwnStatus } from '../../store/reader-status.ts';
import type { SelectedMailbox } from './selected.ts';

export type FlagAttribute = 'UID' | 'FLAGS';

export function flagLines(
  reader: Reader,
  mailbox: SelectedMailbox,
  attributes: readonly FlagAttribute[],
  [from, to]: readonly [from: number, to: number],
): string | undefined {
  const { access, view } = mailbox;
  const [first, last] = [view.uidAt(from), view.uidAt(to - 1)];
  if (hasOwnStatus(access)) return undefined;
  const page = flagCharacters(reader, access, [first, last]);
  // What has changed since the session has looked is reported by this command, and not again.
  if (page.count !== to - from || page.modseq > mailbox.modseq) return undefined;
  const hasRecent = mailbox.hasRecent(first, last);
  // Few messages differ in their flags.
  const items = new Map<string, string>();
  let text = '';
  let keyworded = 0;
  for (let position = from; position < to; position++) {
    const code = page.characters.charCodeAt(position - from);
    const keywords = hasKeywords(code) ? page.keywords[keyworded++]! : '';
    const uid = view.uidAt(position);
    const isRecent = hasRecent && mailbox.isRecent(uid);
    const key = isRecent || keywords !== '' ? `${code} ${isRecent} ${keywords}` : page.characters[position - from]!;
    let item = items.get(key);
    if (item === undefined) {
      const names = parseKeywords(keywords);
      text += mailbox.newKeywords(names);
      item = mailbox.flagsItem({ uid, flags: flagsOfCharacter(code), keywords: names });
      items.set(key, item);
    }
    text += `* ${position + 1} FETCH (`;
    for (let index = 0; index < attributes.length; index++) {
      if (index > 0) text += ' ';
      text += attributes[index] === 'UID' ? `UID ${uid}` : item;
    }
    text += ')\r\n';
  }
  return text;
}
