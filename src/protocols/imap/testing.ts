// An IMAP door for tests: the real sessions and store in this process, on a free loopback port, with logins by a table.

import { type AddressInfo, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import type { Target } from '../../../test/sessions/runner/run.ts';
import { type TableAccount, tableLogins } from '../../auth/testing.ts';
import { type Clock, systemClock } from '../../base/clock.ts';
import { type AccountId, Ids, type SegmentId } from '../../base/ids.ts';
import { defaultLimits, type Limits } from '../../base/limits.ts';
import { type Log, silentLog } from '../../base/log.ts';
import { operation, type Reader } from '../../database/operation.ts';
import { openTestDatabase, type TestDatabase } from '../../database/testing.ts';
import { describeConnection } from '../../net/connection.ts';
import { maskConnection, masked, openTestTls } from '../../net/testing.ts';
import type { Parties, Party } from '../../routing/identities.ts';
import { MailboxRights } from '../../routing/mailbox-rights.ts';
import { ensureAccount } from '../../store/accounts.ts';
import { Blobs } from '../../store/blobs.ts';
import { closeSegment, openSegment } from '../../store/collect.ts';
import { createIntakes } from '../../store/intake.ts';
import { SearchIndex } from '../../store/search-index/search-index.ts';
import { SegmentWriter } from '../../store/segment.ts';
import { storeUnit } from '../../store/tables.ts';
import { createWatchers } from '../../store/watchers.ts';
import type { ImapDoor } from './door.ts';
import { serveImap } from './server.ts';
import type { ImapSession } from './session.ts';
import { Views } from './views.ts';

export interface TestImap {
  readonly host: string;
  readonly port: number;
  readonly database: TestDatabase;
  readonly door: ImapDoor;
  readonly sessions: ReadonlySet<ImapSession>;
  /** Of its certificate. */
  readonly ca: string;
  /** See the runner of session files. */
  readonly exchange: NonNullable<Target['exchange']>;
  /** A new account behind this login; one with the same login is forgotten. */
  addAccount(login: string, password: string): Promise<AccountId>;
  close(): Promise<void>;
}

/** Users alone; a login is an address. */
function tableParties(people: ReadonlyMap<string, Party>): Parties {
  const find = (is: (party: Party) => boolean) => [...people.values()].find(is);
  const byAccount = (account: AccountId) => find((party) => party.account === account);
  return {
    identities(account) {
      const party = byAccount(account);
      return party && { uuids: [party.uuid], domain: party.domain };
    },
    byAddress: (address) => people.get(address.toLowerCase()),
    byAccount,
    byUuid: (uuid) => find((party) => party.uuid === uuid),
  };
}

const makeAccount = operation('test.account', (tx, args: { readonly uuid: string }) =>
  ensureAccount(tx, { uuid: args.uuid, tenant: 1 }),
);

export async function openTestImap(
  options: {
    limits?: Partial<Limits>;
    log?: Log;
    isPrivate?: boolean;
    clock?: Clock;
    /** Stands between the sessions and the database. */
    reading?: (reader: Reader) => Reader;
  } = {},
): Promise<TestImap> {
  const database = openTestDatabase([storeUnit]);
  const { writer } = database;
  const reader = options.reading?.(database.reader) ?? database.reader;
  const tls = await openTestTls();
  const ids = new Ids(new BigInt64Array(1), 0, systemClock.now);
  const host = {
    directory: database.directory,
    nextId: () => ids.next<SegmentId>(),
    opened: (segment: SegmentId) => writer.execute(openSegment, { segment, thread: 1, at: systemClock.now() }),
    closed: (segment: SegmentId, bytes: number) =>
      writer.execute(closeSegment, { segment, bytes, at: systemClock.now() }),
    isSyncSlow: () => false,
    written: () => {},
    fatal(error: Error) {
      throw error;
    },
  };
  const segments = new SegmentWriter(host);
  const blobs = new Blobs(database.directory, database.reader);
  const accounts = new Map<string, TableAccount>();
  const people = new Map<string, Party>();
  const door: ImapDoor = {
    hostname: () => 'mail.example',
    tls: tls.server,
    limits: { ...defaultLimits, ...options.limits },
    clock: options.clock ?? systemClock,
    log: options.log ?? silentLog,
    nextId: () => ids.next(),
    reader,
    writer,
    views: new Views(reader, systemClock),
    rights: new MailboxRights({
      reader,
      parties: tableParties(people),
      moves: () => database.shared.rightsMoves(),
      onMoved: (moved) => void database.onNotification(({ kind }) => kind === 'rights' && moved()),
    }),
    blobs,
    searchIndex: new SearchIndex({
      ...{ reader: database.reader, writer, clock: systemClock, log: options.log ?? silentLog },
      directory: join(database.directory, 'index'),
    }),
    intakes: createIntakes(host, segments),
    logins: tableLogins(accounts),
    watch: createWatchers(database, database.shared, 1),
    makeFirstFolders: () => undefined,
    compressed: { connections: 0 },
    countReply() {},
  };
  const sockets = new Set<Socket>();
  const sessions = new Set<ImapSession>();
  const server = createServer((socket) => {
    const record = describeConnection(socket, 'imap');
    const session = serveImap(door, socket, { ...record, isPrivate: options.isPrivate ?? record.isPrivate });
    sockets.add(socket);
    sessions.add(session);
    socket.on('close', () => {
      sockets.delete(socket);
      sessions.delete(session);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  let made = 0;
  return {
    host: '127.0.0.1',
    port: (server.address() as AddressInfo).port,
    database,
    ca: tls.ca,
    door,
    sessions,
    async exchange({ port, octets }) {
      const socket = [...sockets].find(({ remotePort }) => remotePort === port)!;
      const session = [...sessions].find(({ record }) => record.peerPort === port)!;
      return { change: masked, fromOctet: await maskConnection(session.connection, socket, octets) };
    },
    async addAccount(login, password) {
      const uuid = `test-${++made}`;
      const account = await writer.execute(makeAccount, { uuid });
      const domain = login.split('@')[1];
      people.set(login, { uuid, account, address: login, domain, isList: false, quota: undefined, owners: [] });
      accounts.set(login, { account, password });
      return account;
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
      await segments.close();
      blobs.close();
      door.searchIndex.close();
      database.close();
    },
  };
}
