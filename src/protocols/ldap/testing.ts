// An LDAP door for tests: the real units on a temporary database behind a real port, and a client that sends any octets.
//
// The directory has the first start's entries; the administrator's password is `secret`.

import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { Authenticator } from '../../auth/authenticator.ts';
import { HashGate } from '../../auth/hash-gate.ts';
import { hashPassword } from '../../auth/password.ts';
import { systemClock } from '../../base/clock.ts';
import { defaultLimits, type Limits } from '../../base/limits.ts';
import { silentLog } from '../../base/log.ts';
import { findEntry } from '../../directory/entries.ts';
import { describeConnection } from '../../net/connection.ts';
import { submitChange } from '../../provisioning/submit.ts';
import { openTestDirectory, replace, type TestDirectory } from '../../provisioning/testing.ts';
import { LdapFramer } from '../../wire/ldap/framer.ts';
import {
  decodeResponse,
  encodeRequest,
  type LdapMessage,
  type LdapRequest,
  type LdapResponse,
} from '../../wire/ldap/message.ts';
import type { LdapDoor } from './door.ts';
import { LdapSession } from './session.ts';

export const ADMINISTRATOR = 'cn=Directory Manager';
export const PASSWORD = 'secret';

export interface TestDoor {
  readonly directory: TestDirectory;
  readonly port: number;
  readonly url: string;
  /** Of the connections so far, oldest first. */
  readonly sessions: readonly LdapSession[];
  /** Open now. */
  connections(): number;
  close(): Promise<void>;
}

export interface TestDoorOptions {
  readonly limits?: Partial<Limits>;
  /** Parts of the door that a test puts others in place of. */
  readonly door?: Partial<LdapDoor>;
}

export async function openTestDoor(options: TestDoorOptions = {}): Promise<TestDoor> {
  const directory = await openTestDirectory();
  const { reader, writer } = directory;
  const gate = new HashGate();
  await directory.apply(replace(ADMINISTRATOR, { userPassword: await hashPassword(Buffer.from(PASSWORD), gate) }));
  const authenticator = new Authenticator({
    find: () => undefined,
    findEntry: (dn) => findEntry(reader, dn),
    gate,
    clock: systemClock,
    wait: async () => {},
  });
  const door: LdapDoor = {
    reader,
    clock: systemClock,
    log: silentLog,
    limits: { ...defaultLimits, ...options.limits },
    version: '0.0.0-test',
    bind: (dn, password, peer) => authenticator.bind(dn, password, peer),
    change: (change, author) => submitChange({ writer, clock: systemClock, gate }, change, author),
    countResult: () => {},
    ...options.door,
  };
  const sessions: LdapSession[] = [];
  const sockets = new Set<Socket>();
  const server: Server = createServer({ pauseOnConnect: true, noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    sessions.push(new LdapSession(door, socket, describeConnection(socket, 'ldap')));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  return {
    directory,
    port,
    url: `ldap://127.0.0.1:${port}`,
    sessions,
    connections: () => sockets.size,
    async close() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
      directory.close();
    },
  };
}

/** Sends requests or any octets; gives back responses as they come. */
export class RawClient {
  readonly socket: Socket;
  readonly #framer = new LdapFramer(Number.MAX_SAFE_INTEGER);
  readonly #responses: LdapMessage<LdapResponse>[] = [];
  #closed = false;
  #wake: (() => void) | undefined;
  #messageId = 0;

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (chunk: Buffer) => {
      this.#framer.push(chunk);
      for (let next = this.#framer.next(); next !== undefined; next = this.#framer.next())
        this.#responses.push(decodeResponse(next));
      this.#wake?.();
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      this.#closed = true;
      this.#wake?.();
    });
  }

  static async open(port: number): Promise<RawClient> {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    await once(socket, 'connect');
    return new RawClient(socket);
  }

  send(bytes: Uint8Array): void {
    this.socket.write(bytes);
  }

  /** The message ID. */
  request(operation: LdapRequest, controls: LdapMessage<LdapRequest>['controls'] = []): number {
    const messageId = ++this.#messageId;
    this.send(encodeRequest({ messageId, operation, controls }));
    return messageId;
  }

  /** The next response; undefined when the connection is closed. */
  async response(): Promise<LdapMessage<LdapResponse> | undefined> {
    for (;;) {
      const next = this.#responses.shift();
      if (next !== undefined || this.#closed) return next;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** Result code and text of the next response that has one. */
  async result(): Promise<{ messageId: number; code: number; text: string; entries: string[] } | undefined> {
    const entries: string[] = [];
    for (;;) {
      const next = await this.response();
      if (next === undefined) return undefined;
      const { operation } = next;
      if (operation.kind === 'searchEntry') entries.push(operation.dn);
      if (!('result' in operation)) continue;
      const { resultCode, diagnosticMessage } = operation.result;
      return { messageId: next.messageId, code: resultCode, text: diagnosticMessage, entries };
    }
  }

  async bind(name = ADMINISTRATOR, password = PASSWORD): Promise<number | undefined> {
    this.request({ kind: 'bind', version: 3, name, authentication: { method: 'simple', password } });
    return (await this.result())?.code;
  }

  close(): void {
    this.socket.destroy();
  }
}
