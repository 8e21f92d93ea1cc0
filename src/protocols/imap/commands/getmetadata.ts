// GETMETADATA: notes on a mailbox, or on the server: those of the reader, and those that all share. RFC 5464 §4.2, RFC 9590 §4
//
// An entry that is named and not there is told as NIL. A value longer than MAXSIZE is left out, and the longest such told.

import { Failure } from '../../../base/failure.ts';
import type { Mailbox } from '../../../store/mailboxes.ts';
import { isShared, type Noted, readMetadata, readServerMetadata } from '../../../store/metadata.ts';
import { type MetadataCommand, type MetadataDepth, parseGetMetadata } from '../../../wire/imap/commands/metadata.ts';
import { encodeMetadata } from '../../../wire/imap/responses/metadata.ts';
import type { ImapConversation } from '../conversation.ts';
import { type CommandDefinition, LOGGED_IN } from '../handler.ts';
import { findNamed, shownName, spelledFor } from '../named-mailbox.ts';
import { rightsIn } from '../permitted.ts';
import { ok } from '../reply.ts';

/** Of the server; RFC 5464 §6.2.1: a URI. */
const ADMIN = '/shared/admin';

export const getmetadata: CommandDefinition<MetadataCommand & { readonly name: 'GETMETADATA' }> = {
  states: LOGGED_IN,
  parse: parseGetMetadata,
  async run({ mailbox: name, entries, depth, maxSize = Number.POSITIVE_INFINITY }, session) {
    const { spelled, noted } =
      name === '' ? ofServer(session, entries, depth) : ofMailbox(session, name, entries, depth);
    const fitting = noted.filter(({ value }) => (value?.length ?? 0) <= maxSize);
    if (fitting.length > 0)
      session.write(
        encodeMetadata(
          spelled,
          fitting.map(({ entry, value }) => [entry, value]),
        ),
      );
    const longest = noted.reduce((most, { value }) => Math.max(most, value?.length ?? 0), 0);
    return ok('GETMETADATA completed', longest > maxSize ? `METADATA LONGENTRIES ${longest}` : undefined);
  },
};

interface Found {
  readonly spelled: string;
  readonly noted: readonly Noted[];
}

function ofMailbox(session: ImapConversation, name: string, entries: readonly string[], depth: MetadataDepth): Found {
  const row = findNamed(session, name, 'r');
  if (row === undefined) throw new Failure('not-found', 'No such mailbox');
  const key = { owner: row.owner, mailbox: row.id, reader: session.reader };
  return {
    spelled: spelledFor(session, shownName(session, row, name)),
    noted: readMetadata(session.door.reader, key, entries, depth),
  };
}

function ofServer(session: ImapConversation, entries: readonly string[], depth: MetadataDepth): Found {
  const own = entries.filter((entry) => !isShared(entry));
  const noted = [...readServerMetadata(session.door.reader, session.reader, own, depth)];
  const admin = `mailto:postmaster@${session.door.hostname(session.record)}`;
  for (const entry of entries.filter(isShared)) {
    const isBelow = entry === '/shared' && depth !== 0;
    if (entry === ADMIN || isBelow) noted.push({ entry: ADMIN, value: admin });
    else if (depth === 0) noted.push({ entry, value: undefined });
  }
  return { spelled: '', noted };
}

/** For LIST; '' where the reader may not read it. */
export function metadataOf(
  session: ImapConversation,
  { owner, id }: Mailbox,
  spelled: string,
  entries: readonly string[],
): string {
  const key = { owner, mailbox: id };
  if (!rightsIn(session, key).rights.includes('r')) return '';
  const noted = readMetadata(session.door.reader, { ...key, reader: session.reader }, entries, 0);
  return encodeMetadata(
    spelled,
    noted.map(({ entry, value }) => [entry, value]),
  );
}
