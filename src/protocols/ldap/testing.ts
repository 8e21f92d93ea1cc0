// An LDAP door for tests: the real units on a temporary database behind a real port, and a client that sends any octets.
//
// The directory has the first start's entries; the administrator's password is `secret`.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { HashGate } from '../../auth/hash-gate.ts';
import { loginDirectory } from '../../auth/login-directory.ts';
import { Logins } from '../../auth/logins.ts';
import { OpenLogins } from '../../auth/open-logins.ts';
import { hashPassword } from '../../auth/password.ts';
import { freely } from '../../auth/testing.ts';
import { systemClock } from '../../base/clock.ts';
import { Failure } from '../../base/failure.ts';
import { idOf } from '../../base/ids.ts';
import { defaultLimits, type Limits } from '../../base/limits.ts';
import { silentLog } from '../../base/log.ts';
import { followPublished } from '../../directory/once-a-revision.ts';
import { type ConnectionRecord, describeConnection } from '../../net/connection.ts';
import { openTestTls } from '../../net/testing.ts';
import type { ChangeSummary } from '../../provisioning/change.ts';
import { submitterInOrder } from '../../provisioning/submit.ts';
import { openTestDirectory, replace, type TestDirectory } from '../../provisioning/testing.ts';
import { parseFilter } from '../../wire/ldap/filter-text.ts';
import { LdapFramer } from '../../wire/ldap/framer.ts';
import {
  decodeResponse,
  encodeRequest,
  type LdapMessage,
  type LdapRequest,
  type LdapResponse,
} from '../../wire/ldap/message.ts';
import { NOTICE_OF_DISCONNECTION } from '../../wire/ldap/operations/extended.ts';
import type { SearchRequest } from '../../wire/ldap/operations/search.ts';
import type { LdapDoor } from './door.ts';
import { handlers, type LdapHandlers } from './handlers.ts';
import { LongWork } from './long-work.ts';
import { serveLdap } from './server.ts';
import type { LdapSession } from './session.ts';

export const ADMINISTRATOR = 'cn=Directory Manager';
export const PASSWORD = 'secret';
/** {SHA} of `geheim`: who has it binds without a hash of 40 ms. */
export const GEHEIM = { userPassword: '{SHA}kGByAB793z4R5tK1eC9Hd/4Dhzk=' };

/** What a change that nothing carries out has done. */
export const NOTHING: ChangeSummary = { revision: idOf(0), entries: [], rows: [] };

export interface TestDoor {
  readonly directory: TestDirectory;
  readonly port: number;
  readonly url: string;
  /** Of its certificate. */
  readonly ca: string;
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
  readonly handlers?: Partial<LdapHandlers>;
  /** What is to be known of each connection instead of the truth. */
  readonly connection?: Partial<ConnectionRecord>;
}

export async function openTestDoor(options: TestDoorOptions = {}): Promise<TestDoor> {
  const directory = await openTestDirectory();
  followPublished(directory.reader, () => directory.shared.revision());
  const { reader, writer } = directory;
  const tls = await openTestTls();
  const gate = new HashGate();
  await directory.apply(replace(ADMINISTRATOR, { userPassword: await hashPassword(Buffer.from(PASSWORD), gate) }));
  const logins = new Logins({
    directory: loginDirectory(reader, directory.cache),
    revision: () => directory.shared.revision(),
    gate,
    clock: systemClock,
    ...freely(),
    open: new OpenLogins(directory),
  });
  const door: LdapDoor = {
    reader,
    clock: systemClock,
    log: silentLog,
    limits: { ...defaultLimits, ...options.limits },
    longWork: new LongWork(),
    hostname: 'mail.test.example',
    version: '0.0.0-test',
    tls: tls.server,
    nextRevision: () => directory.shared.nextRevision(),
    logins,
    submitInOrder: () => submitterInOrder({ writer, clock: systemClock, gate }),
    askSource: () => Promise.reject(new Failure('unavailable', 'There is no source')),
    followed: () => {},
    countResult: () => {},
    ...options.door,
  };
  const sessions: LdapSession[] = [];
  const sockets = new Set<Socket>();
  const server: Server = createServer({ pauseOnConnect: true, noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    const connection = { ...describeConnection(socket, 'ldap'), ...options.connection };
    sessions.push(serveLdap(door, socket, connection, { ...handlers, ...options.handlers }));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  return {
    directory,
    port,
    url: `ldap://127.0.0.1:${port}`,
    ca: tls.ca,
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

  /** Goes on over a socket that is connected already. */
  static over(socket: Socket): RawClient {
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

  [Symbol.dispose](): void {
    this.socket.destroy();
  }
}

/** A search for one entry; `text` is a filter. */
export function searchFor(baseObject: string, options: Partial<SearchRequest> & { text?: string } = {}): SearchRequest {
  const { text = '(objectClass=*)', ...rest } = options;
  return {
    kind: 'search',
    baseObject,
    scope: 'base',
    derefAliases: 'never',
    sizeLimit: 0,
    timeLimit: 0,
    typesOnly: false,
    filter: parseFilter(text),
    attributes: [],
    ...rest,
  };
}

/** A node below the suffix. */
export const addNode = (name: string): LdapRequest => ({
  kind: 'add',
  dn: `dc=${name},o=internet`,
  attributes: [
    { name: 'objectClass', values: ['domain'] },
    { name: 'dc', values: [name] },
  ],
});

export const simpleBind = (name: string, password: string): LdapRequest => ({
  kind: 'bind',
  version: 3,
  name,
  authentication: { method: 'simple', password },
});

export const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex');

/** The notice that ends a connection, and its end. */
export async function disconnected(client: RawClient): Promise<string> {
  const notice = await client.response();
  assert.equal(notice?.messageId, 0);
  const { operation } = notice!;
  assert.equal(operation.kind, 'extendedResponse');
  assert.ok(operation.kind === 'extendedResponse');
  assert.equal(operation.name, NOTICE_OF_DISCONNECTION);
  assert.equal(await client.response(), undefined);
  return `${operation.result.resultCode} ${operation.result.diagnosticMessage}`;
}

/** The result code of one request. */
export async function codeOf(client: RawClient, request: LdapRequest): Promise<number | undefined> {
  client.request(request);
  return (await client.result())?.code;
}
