// The bytes that a URL in CATENATE names: a message of this account, or a part of one.
//
// In      the URL as the client wrote it
// Out     its bytes in pieces of BLOB_CHUNK_BYTES, its size before the first
// Errors  NO [BADURL "..."] for one that does not parse, of another server or user, of what is not there (any more)
// RFC 4469 §3, §5, RFC 5092 §2

import { SyntaxFailure } from '../../base/cursor.ts';
import { Failure } from '../../base/failure.ts';
import { idOf, type Uid } from '../../base/ids.ts';
import { cutHeaderFields, findSection } from '../../message/section.ts';
import { decodeStructure } from '../../message/structure.ts';
import { BLOB_CHUNK_BYTES } from '../../store/blobs.ts';
import type { Mailbox } from '../../store/mailboxes.ts';
import { type MessageRow, messagesBetween } from '../../store/messages.ts';
import { type MessageUrl, parseMessageUrl } from '../../wire/imap/message-url.ts';
import type { ImapConversation } from './conversation.ts';
import { ImapFailure } from './errors.ts';
import { findNamed } from './named-mailbox.ts';

export interface LinkedBytes {
  readonly sizeBytes: number;
  /** Calls `take` with each piece. */
  copy(take: (piece: Buffer) => Promise<void> | undefined): Promise<void>;
}

export async function linkedBytes(session: ImapConversation, text: string): Promise<LinkedBytes> {
  const url = parsed(text);
  if (url === undefined || !isOfHere(session, url)) throw badUrl(text, 'There is no such URL here');
  const row = messageOf(session, url);
  if (row === undefined) throw badUrl(text, 'There is no such message');
  const { blobs } = session.door;
  const { section, partial } = url;
  const found =
    section === undefined ? { start: 0, end: row.blob.length } : findSection(decodeStructure(row.structure), section);
  if (found === undefined) throw badUrl(text, 'The message has no such part');
  const offset = partial?.offset ?? 0;
  const length = partial?.length ?? Number.POSITIVE_INFINITY;
  if (section?.text === 'HEADER.FIELDS' || section?.text === 'HEADER.FIELDS.NOT') {
    // A header is bounded, and its fields are cut from the whole of it.
    const header = await blobs.read(row.blob, found.start, found.end - found.start);
    const cut = Buffer.from(cutHeaderFields(header, section.fields, section.text), 'latin1');
    const bytes = cut.subarray(offset, offset + length);
    return { sizeBytes: bytes.length, copy: async (take) => take(bytes) };
  }
  const start = Math.min(found.end, found.start + offset);
  const end = Math.min(found.end, start + length);
  return {
    sizeBytes: end - start,
    async copy(take) {
      for (let at = start; at < end && !session.gone; at += BLOB_CHUNK_BYTES)
        await take(await blobs.read(row.blob, at, Math.min(BLOB_CHUNK_BYTES, end - at)));
    },
  };
}

function parsed(text: string): MessageUrl | undefined {
  try {
    return parseMessageUrl(text);
  } catch (error) {
    if (error instanceof SyntaxFailure) return undefined;
    throw error;
  }
}

function isOfHere({ door, record, address }: ImapConversation, { server }: MessageUrl): boolean {
  if (server === undefined) return true;
  const { user, host } = server;
  return (
    host === door.hostname(record).toLowerCase() && (user === undefined || user.toLowerCase() === address.toLowerCase())
  );
}

function messageOf(session: ImapConversation, { mailbox: name, uidValidity, uid }: MessageUrl): MessageRow | undefined {
  const mailbox = named(session, name);
  if (mailbox?.selectable !== true) return undefined;
  if (uidValidity !== undefined && uidValidity !== mailbox.uidValidity) return undefined;
  const access = { owner: mailbox.owner, mailbox: mailbox.id, reader: session.reader };
  const range = [idOf<Uid>(uid), idOf<Uid>(uid)] as const;
  return messagesBetween(session.door.reader, access, range, 1)[0];
}

/** A name that cannot be is one of no mailbox. */
function named(session: ImapConversation, name: string): Mailbox | undefined {
  try {
    return findNamed(session, name);
  } catch (error) {
    if (error instanceof Failure && error.kind === 'invalid') return undefined;
    throw error;
  }
}

/** Octets that a code cannot hold are left out of it. */
function badUrl(text: string, reason: string): Failure {
  const shown = text.replace(/[^\x21-\x7e]+|["\\\]]/g, '').slice(0, 1000);
  return new ImapFailure('not-found', reason, `BADURL "${shown}"`);
}
