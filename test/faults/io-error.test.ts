// A disk that fails: after a failed write or sync nobody can say what is stored, so the server says one line and ends.
//
// SQLite syncs with fsync, segments with fdatasync; writes are pwrite64 there and pwritev or write here. Each is made to
// fail under a running server while a client waits for its answer: the answer must not come, the process must end, and a
// new start has everything acknowledged before.

import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { ImapClient } from '../../src/demo/clients/imap-client.ts';
import { SmtpClient } from '../../src/demo/clients/smtp-client.ts';
import { addUser, administrator, type Person, populate, userDn } from '../support/directory.ts';
import { peer, traceMissing } from '../support/peers.ts';
import { startWaypost, type Waypost } from '../support/server.ts';
import { inject } from './inject.ts';

const skip = traceMissing();

interface Fault {
  readonly name: string;
  readonly calls: string;
  readonly paths?: (data: string) => readonly string[];
}

const database = (data: string): string[] => ['store.db', 'store.db-wal'].map((name) => join(data, name));
const segments = (data: string): string[] =>
  readdirSync(join(data, 'segments')).map((name) => join(data, 'segments', name));

const inDatabase: readonly Fault[] = [
  { name: 'fsync of the database (COMMIT)', calls: 'fsync,fdatasync', paths: database },
  { name: 'write of the database (COMMIT)', calls: 'write,pwrite64', paths: database },
];
const inSegments: readonly Fault[] = [
  { name: 'fdatasync of a segment', calls: 'fdatasync', paths: segments },
  { name: 'write of a segment', calls: 'write,writev,pwrite64,pwritev,pwritev2', paths: segments },
];

/** A login is one write: an account whose password has no keys yet learns them a moment later. */
const config = '[auth]\nscram = "off"\n';

const message = Buffer.from('Subject: fault\r\n\r\nbody\r\n');

interface Scene {
  readonly server: Waypost;
  readonly ann: Person;
  /** Of the case: what it makes has a name of its own, because all have one directory. */
  readonly number: number;
}

const lateOne = (number: number): string => `late${number}@acme.example`;

/** What a client asks for while the disk fails; resolves to the answer, if there was one. */
const requests: Readonly<Record<string, (scene: Scene) => Promise<() => Promise<string>>>> = {
  async SMTP({ server, ann }) {
    const smtp = await SmtpClient.open(server.listeners.smtp);
    return async () => `${(await smtp.send('carol@remote.example', [ann.login], message)).code}`;
  },
  async IMAP({ server, ann, number }) {
    const imap = await ImapClient.login(server.listeners.imap, ann.login, ann.password);
    // A login leaves writes behind it, such as the place that it came from: they are done when this is.
    await imap.command(`CREATE before${number}`);
    return async () => {
      // One of its own: what has come by APPEND before is kept once, and its bytes need not be synced again.
      await imap.append('INBOX', Buffer.from(`Subject: fault ${number}\r\n\r\nbody\r\n`));
      return 'OK';
    };
  },
  async LDAP({ server, number }) {
    const ldap = await administrator(server);
    return async () => {
      await addUser(ldap, lateOne(number));
      return 'success';
    };
  },
};

const cases = [
  ...[...inDatabase, ...inSegments].map((fault) => ({ door: 'SMTP', fault })),
  ...[...inDatabase, ...inSegments].map((fault) => ({ door: 'IMAP', fault })),
  ...inDatabase.map((fault) => ({ door: 'LDAP', fault })),
];

describe('an I/O error ends the process with one line, and nothing is acknowledged', { concurrency: false }, () => {
  let server: Waypost;
  let ann: Person;
  /** Messages of ann that a start has found. */
  let known = 0;
  /** The last case has ended with a start, which is the next one's. */
  let isServing = true;
  before(async () => {
    if (skip !== false) return;
    server = await startWaypost({ env: { WAYPOST_LOG: 'error' }, config });
    [ann] = (await populate(server, 'acme.example', ['ann'])) as [Person];
  });
  after(() => server?.stop());

  for (const [number, { door, fault }] of cases.entries()) {
    test(`${door}: ${fault.name}`, { skip }, async () => {
      if (!isServing) await server.restart();
      isServing = false;
      // Connections go to the thread with the fewest: with four open, every thread has its segment before the fault.
      const before = await Promise.all(Array.from({ length: 4 }, () => SmtpClient.open(server.listeners.smtp)));
      for (const smtp of before) await smtp.send('carol@remote.example', [ann.login], message);
      const request = await requests[door]!({ server, ann, number });
      const said = server.stderr().length;
      const injected = await inject(peer('strace').path, {
        pid: server.pid,
        calls: fault.calls,
        error: 'EIO',
        paths: fault.paths?.(server.data) ?? [],
      });
      const answer = await request().catch((error: Error) => error);
      const exit = await Promise.race([server.exited(), sleep(120_000, undefined, { ref: false })]);
      await injected.stop();
      for (const smtp of before) smtp.destroy();

      assert.ok(exit !== undefined, `the server goes on; ${door} got: ${String(answer)}`);
      assert.ok(answer instanceof Error, `${door} answered ${String(answer)} although the disk had failed`);
      assert.notEqual(exit.code, 0);
      assert.notEqual(exit.code, null, `ended by signal ${exit.signal}`);
      const lines = server
        .stderr()
        .slice(said)
        .split('\n')
        .filter((line) => line.startsWith('waypost: '));
      assert.equal(lines.length, 1, `one line says why:\n${server.stderr().slice(said)}`);

      await server.restart();
      isServing = true;
      const imap = await ImapClient.login(server.listeners.imap, ann.login, ann.password);
      const found = await imap.count();
      await imap.logout();
      const more = found - known;
      known = found;
      assert.ok(more === 4 || (more === 5 && door !== 'LDAP'), `${more} messages more after the restart`);
      if (door !== 'LDAP') return;
      const ldap = await administrator(server);
      const { searchEntries } = await ldap.search(userDn('ann@acme.example'), { scope: 'base' });
      assert.equal(searchEntries.length, 1);
      await ldap.unbind();
    });
  }
});
