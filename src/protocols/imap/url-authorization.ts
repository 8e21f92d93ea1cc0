// What a URL with URLAUTH authorizes: who may use it, whose it is, and whether it is what that one has signed.
//
// In      a parsed URL, the session that uses it
// Out     the user by whose names and rights it goes; whether it holds now
// Token   `01` for the algorithm, then HMAC-SHA-256 of the URL up to its mechanism, under the key of its user and mailbox
// Users   `user+NAME`: the account with this address. `authuser` and `anonymous`: everybody, since nobody is here without a login.
//         `submit+NAME`: nobody who reads mail; it is for a submission server, and ours takes no URLs
// Never   compares tokens in a time that says how much of them is right
// RFC 4467 §3, §5, §6

import { createHmac, timingSafeEqual } from 'node:crypto';
import type { MailboxKey } from '../../store/mailbox-key.ts';
import { readUrlKey } from '../../store/url-keys.ts';
import type { MessageUrl, UrlAccess } from '../../wire/imap/message-url.ts';
import type { ImapConversation } from './conversation.ts';

/** Whose names and rights a URL goes by. */
export type UrlUser = Pick<ImapConversation, 'owner' | 'reader' | 'door' | 'quota'>;
type Session = Pick<ImapConversation, 'door' | 'record' | 'reader'>;

const ALGORITHM = '01';

export function urlToken(key: Uint8Array, rump: string): string {
  return ALGORITHM + createHmac('sha256', key).update(rump, 'latin1').digest('hex');
}

/** Undefined: it names no user, or nobody whom this server has. Lists make no URLs: who may read there would change with them. */
export function urlUser(session: Session, { server }: MessageUrl): UrlUser | undefined {
  const { door, record } = session;
  if (server?.user === undefined || server.host !== door.hostname(record).toLowerCase()) return undefined;
  const party = door.rights.parties.byAddress(server.user);
  if (party?.account === undefined || party.isList) return undefined;
  return { owner: party.account, reader: party.account, door, quota: undefined };
}

/** Whether this session may use it for what is in this mailbox. */
export function isAuthorized(session: Session, { authorization }: MessageUrl, user: UrlUser, key: MailboxKey): boolean {
  if (authorization?.token === undefined) return false;
  const { expire, access, rump, token } = authorization;
  const { door } = session;
  if (token.mechanism !== 'INTERNAL' || !mayUse(session, access)) return false;
  if (expire !== undefined && expire <= door.clock.now()) return false;
  const secret = readUrlKey(door.reader, { account: user.reader, ...key });
  if (secret === undefined) return false;
  const right = Buffer.from(urlToken(secret, rump));
  const given = Buffer.from(token.digits);
  return given.length === right.length && timingSafeEqual(given, right);
}

function mayUse({ door, reader }: Session, access: UrlAccess): boolean {
  if (access.kind === 'user') return door.rights.parties.byAddress(access.name)?.account === reader;
  return access.kind !== 'submit';
}
