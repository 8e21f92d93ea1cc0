// The bytes that a URL names: a message, or a part of one.
//
// In      the URL as the client wrote it
// Out     its bytes in pieces of BLOB_CHUNK_BYTES, its size before the first
// URLs    in CATENATE of the own account, or signed; in URLFETCH signed
// Errors  CATENATE: NO [BADURL "..."] for one that does not parse, of another server or user, of what is not there (any more), or that
//         does not hold; URLFETCH: undefined
// RFC 4467 §6, §7, RFC 4469 §3, §5, RFC 5092 §2

import { SyntaxFailure } from '../../base/cursor.ts';
import { Failure } from '../../base/failure.ts';
import { idOf, type Uid } from '../../base/ids.ts';
import { cutHeaderFields, findSection } from '../../message/section.ts';
import { decodeStructure } from '../../message/structure.ts';
import { BLOB_CHUNK_BYTES } from '../../store/blobs.ts';
import type { MailboxKey } from '../../store/mailbox-key.ts';
import type { Mailbox } from '../../store/mailboxes.ts';
import { type MessageRow, messagesBetween } from '../../store/messages.ts';
import { type MessageUrl, parseMessageUrl } from '../../wire/imap/message-url.ts';
import type { ImapConversation } from './conversation.ts';
import { ImapFailure } from './errors.ts';
import { findNamed } from './named-mailbox.ts';
import { isAuthorized, type UrlUser, urlUser } from './url-authorization.ts';

export interface LinkedBytes {
  readonly sizeBytes: number;
  /** Calls `take` with each piece. */
  copy(take: (piece: Buffer) => Promise<void> | undefined): Promise<void>;
}

/** Of CATENATE. */
export async function linkedBytes(session: ImapConversation, text: string): Promise<LinkedBytes> {
  const url = parsed(text);
  if (url?.authorization !== undefined) {
    const linked = await authorizedBytes(session, text);
    // Why says nothing: it would tell what others have.
    if (linked === undefined) throw badUrl(text, 'The URL gives you nothing');
    return linked;
  }
  if (url === undefined || !isOfHere(session, url)) throw badUrl(text, 'There is no such URL here');
  const found = foundMessage(session, url);
  if (found === undefined) throw badUrl(text, 'There is no such message');
  return (await bytesOf(session, found.row, url)) ?? missingPart(text);
}

/** Of URLFETCH. */
export async function authorizedBytes(session: ImapConversation, text: string): Promise<LinkedBytes | undefined> {
  const url = parsed(text);
  const user = url && urlUser(session, url);
  const found = user && foundMessage(user, url);
  if (url === undefined || found === undefined || !isAuthorized(session, url, user!, found.key)) return undefined;
  return bytesOf(session, found.row, url);
}

/** Of GENURLAUTH: in which mailbox what the session's own user is to sign lies. */
export async function signedPlace(session: ImapConversation, text: string, url: MessageUrl): Promise<MailboxKey> {
  const user = urlUser(session, url);
  if (user?.reader !== session.reader || url.authorization?.token !== undefined)
    throw badUrl(text, 'It is no URL that you can authorize');
  const found = foundMessage(user, url);
  if (found === undefined) throw badUrl(text, 'There is no such message');
  if ((await bytesOf(session, found.row, url)) === undefined) missingPart(text);
  return found.key;
}

function missingPart(text: string): never {
  throw badUrl(text, 'The message has no such part');
}

async function bytesOf(
  session: Pick<ImapConversation, 'door' | 'gone'>,
  row: MessageRow,
  { section, partial }: MessageUrl,
): Promise<LinkedBytes | undefined> {
  const { blobs } = session.door;
  const found =
    section === undefined ? { start: 0, end: row.blob.length } : findSection(decodeStructure(row.structure), section);
  if (found === undefined) return undefined;
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

interface FoundMessage {
  readonly row: MessageRow;
  readonly key: MailboxKey;
}

function foundMessage(user: UrlUser, { mailbox: name, uidValidity, uid }: MessageUrl): FoundMessage | undefined {
  const mailbox = named(user, name);
  if (mailbox?.selectable !== true) return undefined;
  if (uidValidity !== undefined && uidValidity !== mailbox.uidValidity) return undefined;
  const key = { owner: mailbox.owner, mailbox: mailbox.id };
  const range = [idOf<Uid>(uid), idOf<Uid>(uid)] as const;
  const [row] = messagesBetween(user.door.reader, { ...key, reader: user.reader }, range, 1);
  return row && { row, key };
}

/** A name that cannot be is one of no mailbox, and so is one that cannot be read. */
function named(user: UrlUser, name: string): Mailbox | undefined {
  try {
    return findNamed(user, name, 'r');
  } catch (error) {
    if (error instanceof Failure && (error.kind === 'invalid' || error.kind === 'denied')) return undefined;
    throw error;
  }
}

/** Octets that a code cannot hold are left out of it. */
function badUrl(text: string, reason: string): Failure {
  const shown = text.replace(/[^\x21-\x7e]+|["\\\]]/g, '').slice(0, 1000);
  return new ImapFailure('not-found', reason, `BADURL "${shown}"`);
}
