// The login at a smart host, before the first transaction.
//
// In      a name and a secret, what the host offers, TLS whose certificate is verified
// Out     nothing; HostFailure where the host does not let us in: the mail waits, for what is wrong can be corrected
// Never   says the secret in the clear, or to a host whose certificate is not verified
// RFC 4954 §4, RFC 4616, draft-murchison-sasl-login

import type { Reader } from '../../database/operation.ts';
import { findEntry } from '../../directory/entries.ts';
import { textValue } from '../../directory/entry.ts';
import type { ChannelRow } from '../../routing/compile-channel.ts';
import {
  AUTH_LOGIN_COMMAND,
  authPlainCommand,
  base64Line,
  type Capabilities,
  type ClientReply,
} from '../../wire/smtp/client.ts';
import { HostFailure, type SmtpConnection } from './smtp-connection.ts';

export interface Credentials {
  readonly name: string;
  readonly secret: string;
}

/** What a channel logs in with: undefined where it does not; null where its entry has no secret. Read anew each time, and kept nowhere. */
export function readCredentials(
  reader: Reader,
  { loginName: name, dn }: Partial<ChannelRow>,
): Credentials | undefined | null {
  if (name === undefined || dn === undefined) return undefined;
  const entry = findEntry(reader, dn);
  const secret = entry && textValue(entry, 'waypostsecret');
  return secret === undefined ? null : { name, secret };
}

export async function logIn(
  connection: SmtpConnection,
  { credentials, offered }: { readonly credentials: Credentials; readonly offered: Capabilities },
  timeoutMs: number,
): Promise<void> {
  if (connection.tls?.isVerified !== true)
    throw new HostFailure('4.7.0', 'a login needs TLS with a certificate that is verified');
  const said = await answer(connection, { credentials, offered }, timeoutMs);
  if (said.code !== 235) throw new HostFailure('4.7.0', `the login as ${credentials.name} is refused: ${said.said}`);
}

async function answer(
  connection: SmtpConnection,
  { credentials: { name, secret }, offered }: { readonly credentials: Credentials; readonly offered: Capabilities },
  timeoutMs: number,
): Promise<ClientReply> {
  if (offered.auth.includes('PLAIN')) return connection.command(authPlainCommand(name, secret), timeoutMs);
  if (!offered.auth.includes('LOGIN')) throw new HostFailure('4.7.0', 'it offers no login that we know');
  let said = await connection.command(AUTH_LOGIN_COMMAND, timeoutMs);
  for (const text of [name, secret]) {
    if (said.code !== 334) return said;
    said = await connection.command(base64Line(text), timeoutMs);
  }
  return said;
}
