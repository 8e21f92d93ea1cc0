// Which refusals a client may get over by trying again: a thread was ended under it, or something could not be found out. All others
// are wrong here, for everything that the load asks for is right.

import { ResultCodeError } from 'ldapts';
import { Failure } from '../../src/base/failure.ts';
import { ImapRefusal } from '../../src/demo/clients/imap-client.ts';
import { ConnectionClosed } from '../../src/demo/clients/line-connection.ts';
import { SmtpRefusal } from '../../src/demo/clients/smtp-client.ts';

/** LDAP: busy, unavailable. RFC 4511 §4.1.9 */
const LDAP_TEMPORARY: ReadonlySet<number> = new Set([51, 52]);
const HTTP_TEMPORARY: ReadonlySet<number> = new Set([429, 503]);
const BROKEN: ReadonlySet<string> = new Set(['ECONNRESET', 'ECONNREFUSED', 'EPIPE', 'ECONNABORTED']);

/** Of a POP3 command: the line behind `-ERR `. */
export class PopRefusal extends Error {}

export class HttpRefusal extends Error {
  readonly status: number;

  constructor(status: number, text: string) {
    super(`${status} ${text}`);
    this.status = status;
  }
}

/** What should be there by now, and is not yet: no UDP socket answers, a zone has not been taken. */
export class NotYet extends Error {}

/** The connection was lost: whether what was asked for has been done is not known. */
export function isBroken(error: unknown): boolean {
  if (error instanceof ConnectionClosed) return true;
  if (!(error instanceof Error)) return false;
  if ('code' in error && BROKEN.has(String(error.code))) return true;
  // ldapts says it in words alone.
  return /socket hang up|[Cc]onnection (?:closed|error|lost)|Socket error|socket disconnected/.test(error.message);
}

export function isTemporary(error: unknown): boolean {
  if (isBroken(error) || error instanceof NotYet) return true;
  if (error instanceof SmtpRefusal) return error.reply.code < 500;
  if (error instanceof ImapRefusal) return /^\* BYE|\[UNAVAILABLE\]/.test(error.message);
  if (error instanceof PopRefusal) return /^\[(?:SYS\/TEMP|IN-USE)\]/.test(error.message);
  if (error instanceof HttpRefusal) return HTTP_TEMPORARY.has(error.status);
  if (error instanceof ResultCodeError) return LDAP_TEMPORARY.has(error.code);
  return error instanceof Failure && error.kind === 'unavailable';
}
