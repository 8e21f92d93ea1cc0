// Logins at each door, and what the loads do in a session: small clients that say what they were refused.

import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { Client } from 'ldapts';
import { LineConnection } from '../../../src/demo/clients/line-connection.ts';
import { SmtpClient, SmtpRefusal } from '../../../src/demo/clients/smtp-client.ts';
import type { Person } from '../../support/directory.ts';
import type { Endpoint, Waypost } from '../../support/server.ts';
import { HttpRefusal, PopRefusal } from '../refusals.ts';
import { authorityOf } from '../world.ts';

/** Mail comes from there: whoever has mx1's address is mx1 to mx2. */
export const STRANGER = '127.0.0.9';
const HTTP_MS = 60_000;
const LDAP_MS = 60_000;

export class PopSession {
  readonly #connection: LineConnection;

  private constructor(connection: LineConnection) {
    this.#connection = connection;
  }

  static async open({ host, port }: Endpoint, { login, password }: Person): Promise<PopSession> {
    const session = new PopSession(await LineConnection.open(host, port));
    try {
      await session.#answer();
      await session.say(`USER ${login}`);
      await session.say(`PASS ${password}`);
      return session;
    } catch (error) {
      session.destroy();
      throw error;
    }
  }

  async say(line: string): Promise<string> {
    this.#connection.write(`${line}\r\n`);
    return this.#answer();
  }

  /** The lines behind the first, unstuffed. */
  async lines(line: string): Promise<string[]> {
    await this.say(line);
    const lines: string[] = [];
    for (;;) {
      const next = await this.#connection.line();
      if (next === '.') return lines;
      lines.push(next.startsWith('.') ? next.slice(1) : next);
    }
  }

  async #answer(): Promise<string> {
    const line = await this.#connection.line();
    if (!line.startsWith('+OK')) throw new PopRefusal(line.replace(/^-ERR /, ''));
    return line;
  }

  destroy(): void {
    this.#connection.destroy();
  }
}

export async function bindAs({ listeners }: Waypost, dn: string, password: string): Promise<void> {
  const { host, port } = listeners.ldap;
  const client = new Client({ url: `ldap://${host}:${port}`, timeout: LDAP_MS, connectTimeout: LDAP_MS });
  try {
    await client.bind(dn, password);
  } finally {
    await client.unbind().catch(() => {});
  }
}

export interface Posted {
  readonly path: string;
  /** The value of the field Authorization. */
  readonly authorization: string;
  readonly body: Buffer | string;
  readonly type?: string;
}

/** Over HTTPS, by a connection of its own; the body of a 2xx. */
export async function post(server: Waypost, { path, authorization, body, type }: Posted): Promise<string> {
  const { host, port } = server.listeners.https;
  const asked = request({
    ...{ method: 'POST', host, port, path, ca: authorityOf(server), servername: server.hostname, agent: false },
    headers: { authorization, 'content-type': type ?? 'application/json' },
    signal: AbortSignal.timeout(HTTP_MS),
  });
  asked.end(body);
  const [response] = (await once(asked, 'response')) as [IncomingMessage];
  let text = '';
  for await (const chunk of response.setEncoding('utf8')) text += chunk;
  const status = response.statusCode ?? 0;
  if (status >= 300) throw new HttpRefusal(status, text);
  return text;
}

/** The code of RCPT. */
export async function rcpt({ listeners }: Waypost, address: string): Promise<number> {
  const client = await SmtpClient.open(listeners.smtp, undefined, STRANGER);
  try {
    await client.command('MAIL FROM:<carol@elsewhere.example>');
    const reply = await client.command(`RCPT TO:<${address}>`);
    if (reply.code >= 400 && reply.code < 500) throw new SmtpRefusal(`RCPT ${address}`, reply);
    return reply.code;
  } finally {
    client.destroy();
  }
}
