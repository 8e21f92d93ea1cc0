// mailbox readers: who reads a folder, and how far each has come. Who has not set a flag there yet is not known to read it.

import { z } from 'zod';
import type { AccountId, Modseq } from '../base/ids.ts';
import { partiesOf } from '../routing/identities.ts';
import { MailboxRights } from '../routing/mailbox-rights.ts';
import { hasCommonFlags } from '../store/metadata.ts';
import { listReaders, readerUnseen } from '../store/reader-status.ts';
import { addressInput, type EntryParts, LIST_MAX } from './entries.ts';
import { folderInput, ownedFolder } from './folder.ts';
import { adminOperation } from './operation.ts';

export interface FolderReader {
  /** The primary address; null: nobody has this account now. */
  readonly reader: string | null;
  readonly account: AccountId;
  /** Those of now: who has lost the right to read keeps the flags. */
  readonly rights: string;
  readonly seen: number;
  readonly unseen: number;
  /** Of the last change of the reader's flags; the owner's is the folder's. */
  readonly modseq: Modseq;
}

export const mailboxReaders = (parts: EntryParts) =>
  adminOperation(
    'mailbox.readers',
    z.strictObject({ address: addressInput, folder: folderInput }),
    (input): FolderReader[] => {
      const { reader } = parts;
      const parties = partiesOf(reader);
      // Asked rarely: what is worked out is kept for this answer alone.
      const rights = new MailboxRights({ reader, parties, moves: () => 0, onMoved: () => {} });
      const { party, key, mailbox } = ownedFolder(reader, parties, input);
      const beginning = party.isList ? ('beginning' as const) : undefined;
      const status = hasCommonFlags(reader, key) ? 'common' : beginning;
      const others = listReaders(reader, key, LIST_MAX);
      const owner = { reader: key.owner, modseq: mailbox.modseq };
      return [...(party.isList ? [] : [owner]), ...others].map(({ reader: account, modseq }) => {
        const unseen = readerUnseen(reader, { ...key, reader: account, status }, mailbox);
        return {
          reader: parties.byAccount(account)?.address ?? null,
          account,
          rights: rights.of(account, key).rights,
          seen: mailbox.messages - unseen,
          unseen,
          modseq,
        };
      });
    },
  );
