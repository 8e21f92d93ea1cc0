// REPLACE: a message comes and another goes, in one transaction. RFC 8508 §3.1

import { Failure } from '../base/failure.ts';
import { idOf, type Uid } from '../base/ids.ts';
import { operation } from '../database/operation.ts';
import { type AppendArguments, appendMessages } from './deliver.ts';
import { removeMessages } from './expunge.ts';
import type { MailboxKey } from './mailbox-key.ts';

export interface ReplaceArguments extends AppendArguments {
  readonly replaced: MailboxKey & { readonly uid: Uid };
}

export const replace = operation('store.replace', async (tx, { replaced, ...args }: ReplaceArguments) => {
  const { owner, mailbox, uid } = replaced;
  const row = await tx.get(
    'SELECT message, flags, size FROM mailbox_message WHERE account = ? AND mailbox = ? AND uid = ?',
    owner,
    mailbox,
    uid,
  );
  if (row === undefined) throw new Failure('not-found', 'The message is gone');
  const victim = { uid, message: idOf<never>(row['message']), flags: Number(row['flags']), size: Number(row['size']) };
  // First, so that its room is the new one's.
  await removeMessages(tx, { owner, mailbox }, [victim]);
  return appendMessages(tx, args);
});
