// Identifiers of mailboxes and messages that outlive names and UIDs. RFC 8474 §4, §5
//
// A mailbox is `M`, the number of its account and its own number there, which is never given twice. A message is `E` and 32
// hexadecimal digits of the SHA-256 of its bytes: a number would tell in which order, and who else has it.

import { ALNUM, characterClass } from '../../base/characters.ts';
import type { AccountId, MailboxId } from '../../base/ids.ts';
import type { ImapCursor } from './grammar.ts';

const OBJECT_ID_CHARACTERS = 255;
const HASH_BYTES = 16;
const OBJECT_ID_CHAR = characterClass([0x2d, 0x2d], [0x5f, 0x5f]);
for (let code = 0; code < 256; code++) if (ALNUM[code] === 1) OBJECT_ID_CHAR[code] = 1;

export function mailboxObjectId(owner: AccountId, mailbox: MailboxId): string {
  return `M${owner}-${mailbox}`;
}

/** `hash` is the SHA-256 of the message's bytes. */
export function emailObjectId(hash: Uint8Array): string {
  return `E${Buffer.from(hash.buffer, hash.byteOffset, HASH_BYTES).toString('hex')}`;
}

/** In any case of its own: identifiers differ by it. */
export function parseObjectId(cursor: ImapCursor): string {
  const id = cursor.run(OBJECT_ID_CHAR, OBJECT_ID_CHARACTERS);
  return id === '' ? cursor.fail('an object identifier') : id;
}
