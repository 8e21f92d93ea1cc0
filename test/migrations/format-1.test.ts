// A store of format 1, made by the last program that writes it, in the hands of today's program: the same answers.
//
// In      format-1/: the store, and what the old program answered (make.ts says how)
// Out     the same answers from the migrated store; differences only where this program is meant to answer otherwise

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync, readFileSync, renameSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { silentLog } from '../../src/base/log.ts';
import { openReader } from '../../src/database/connection.ts';
import { FORMAT } from '../../src/database/format.ts';
import { PARSER } from '../../src/message/structure.ts';
import { derived } from '../../src/server/units.ts';
import { bringToFormat } from '../../src/server/upgrade.ts';
import { listQueue } from '../../src/transfer/queue.ts';
import { startWaypost } from '../support/server.ts';
import {
  type Answers,
  answers,
  withoutGivenAtStart,
  withoutMadeAtStart,
  withoutOffers,
  withoutSaidAtSelect,
} from './answers.ts';
import { contents, copyOfStore, made } from './fixture.ts';
import { config, questions } from './format-1/questions.ts';

const run = promisify(execFile);
const program = resolve(import.meta.dirname, '../..');
const golden = (name: string): string => readFileSync(join(made(1), name), 'utf8');
/** Nothing answers there: what is to go to other hosts stays queued. */
const NOWHERE = config('[127.0.0.9]:9', '[127.0.0.9]:9');
/** Logins change nothing: no entry learns keys for SCRAM, no account gets its first folders. */
const UNCHANGED = `${NOWHERE}[auth]\nscram = "off"\n[store]\nfirst-folders = []\n`;

/** Names as format 1 kept them, as clients wrote them, and as RFC 4514 has them. */
const recipientNames = [
  ['0.9.2342.19200300.100.1.1=oid,ou=People,dc=acme', 'uid=oid,ou=People,dc=acme'],
  ['CN=Closed,ou=Groups', 'cn=Closed,ou=Groups'],
  ['CN=Roe\\2C Rick,O=Firm,O=Internet', 'cn=Roe\\, Rick,o=Firm,o=internet'],
  ['cn=Stra\\C3\\9Fe \\23 \\+ \\20,o=firm,o=internet', 'cn=Straße # \\+ \\ ,o=Firm,o=internet'],
  ['UID = kid,ou = People,dc = acme,dc=example,O = internet', 'uid=kid,ou=People,dc=acme,dc=example,o=internet'],
] as const;
const otherNames = [
  ['dc=Sales,dc=ACME', 'dc=Sales,dc=acme'],
  ['ou=Groups,dc=Sales,dc=ACME', 'ou=Groups,dc=Sales,dc=acme'],
  ['ou=People,dc=Sales,dc=ACME', 'ou=People,dc=Sales,dc=acme'],
  ['o = Firm,o = internet', 'o=Firm,o=internet'],
] as const;
const json = (text: string): string => JSON.stringify(text).slice(1, -1);

const ERIK = 'entry uid=erik,ou=people,dc=acme,dc=example,o=internet';
const RULE = 'away.example $U@$D@[127.0.0.9]:9@smtp';

/** Where this program is meant to answer otherwise: what the old one said, what is said now. */
const meant: Partial<Record<keyof Answers, readonly (readonly [old: string, now: string])[]>> = {
  ldap: [
    // Values of attributes stay as they were given.
    ...[...recipientNames, ...otherNames].flatMap(([old, now]): [string, string][] => [
      [`dn: ${old}`, `dn: ${now}`],
      [`entryDN: "${json(old)}`, `entryDN: "${json(now)}`],
    ]),
  ],
  route: [
    ...recipientNames.map(([old, now]): [string, string] => [json(old), json(now)]),
    // A member is shown as the list writes it.
    ['"member","detail":"Outside@away.example"', '"member","detail":"Outside@Away.example"'],
    // The next hops of the configuration are rewrite rules; the built-in one decides where there is none.
    ...(
      [
        ['Outside', 'away.example is not a mail domain of ours"}'],
        ['somebody', 'away.example is not a mail domain of ours: for those who may relay"}'],
      ] as const
    ).map(([name, step]): [string, string] => [
      `${step},{"step":"channel","detail":"smtp to away.example"}`,
      `${step},{"step":"rewrite rule","detail":"${RULE} (file): becomes ${name}@away.example"},` +
        '{"step":"channel","detail":"smtp to [127.0.0.9]:9"}',
    ]),
    ['"nexthop":"away.example"', '"nexthop":"[127.0.0.9]:9"'],
    [
      '{"step":"channel","detail":"smtp to gone.example"}',
      '{"step":"rewrite rule","detail":". $U%$H@smtp (built-in): becomes nobody@gone.example"},' +
        '{"step":"channel","detail":"smtp to gone.example"}',
    ],
    // Mail for who is held is taken, and waits.
    [
      '{"step":"reply","detail":"450 4.2.1 Mail for this recipient is held, try again later"}],"targets":[],' +
        '"reply":"450 4.2.1 Mail for this recipient is held, try again later"}',
      `{"step":"hold","detail":"until a change of ${ERIK}"},{"step":"channel","detail":"hold to ${ERIK}"},` +
        `{"step":"reply","detail":"250 2.1.5 Recipient ok"}],"targets":[{"channel":"hold","nexthop":"${ERIK}",` +
        '"recipient":"erik@acme.example"}],"reply":"250 2.1.5 Recipient ok"}',
    ],
  ],
  // Headers are read anew: a fold is one blank, and what has neither a name nor a mailbox is no address.
  imap: [
    ['folded over\\x09two lines', 'folded over two lines'],
    ['((NIL NIL "" "")(NIL NIL "" "")(NIL NIL "unfinished" ""))', '((NIL NIL "unfinished" ""))'],
  ],
};

/** The entries of each search in the order of their names, which may be written otherwise now. */
function inOrder(text: string): string {
  const sections = text.split(/^(?=# )/m);
  return sections
    .map((section) => {
      const [asked, ...entries] = section.split(/^(?=dn: )/m);
      return [asked, ...entries.sort()].join('');
    })
    .join('');
}

/** Steps of a list's members say how deep they are. */
function withoutDepths(route: string): string {
  return route.replaceAll(/,"depth":\d+/g, '');
}

/** Every zone has records that the old program did not make: its serial has risen. */
function withoutSerials(dns: string): string {
  return dns.replaceAll(/"serial":\d+/g, '');
}

/** Until the messages have been read by today's parser: the answers depend on it. */
async function parsedAgain(data: string): Promise<void> {
  const { reader, close } = openReader(join(data, 'store.db'));
  while (reader.get("SELECT value FROM counter WHERE name = 'parser'")?.['value'] !== PARSER) await sleep(20);
  close();
}

test('the migrated store gives the same answers at every door, and says that it was migrated', async () => {
  using store = copyOfStore();
  const { data } = store;
  await using server = await startWaypost({ data, config: UNCHANGED });
  await server.said(/\n/);
  const [first] = server.stderr().split('\n');
  assert.equal(first, `migrating the store from format 1 to ${FORMAT} (32 messages); copy: store.db.format-1`);
  for (const { name, version } of derived)
    if (version > 1) await server.said(new RegExp(`^compiling ${name} \\(version [01] to ${version}\\): `, 'm'));
  await parsedAgain(data);
  const now = await answers(server, questions(golden('made-at.txt').trim()));
  const asked = { ...now, route: withoutDepths(now.route), dns: withoutSerials(now.dns) };
  for (const [door, text] of Object.entries(asked) as [keyof Answers, string][]) {
    let expected = golden(`${door}.txt`);
    for (const [old, changed] of meant[door] ?? []) {
      assert.ok(expected.includes(old), `the old program did not say ${old}`);
      expected = expected.replaceAll(old, changed);
    }
    if (door === 'dns') expected = withoutSerials(expected);
    const [said, wanted] =
      door === 'ldap'
        ? withoutGivenAtStart(inOrder(withoutOffers(withoutMadeAtStart(text))), inOrder(withoutOffers(expected)))
        : [door === 'imap' ? withoutSaidAtSelect(text) : text, expected];
    assert.deepEqual(said.split('\n'), wanted.split('\n'), door);
  }
  const { stdout } = await run(join(program, 'waypost'), ['status', '--json', '--data', data]);
  assert.equal((JSON.parse(stdout) as { format: number }).format, FORMAT);
  const checked = await run(join(program, 'waypost'), ['mailbox', 'check', '--bytes', '--data', data]);
  assert.equal(checked.stderr, '');

  // The rows are worked on: what had failed is reported to its sender.
  for (let isReported = false; !isReported; ) {
    const { stdout: trace } = await run(join(program, 'waypost'), [
      'trace',
      'to-hang-4@fixture.example',
      '--data',
      data,
    ]);
    isReported = trace.includes('notified');
  }
});

test('every row of the queue is there as it was, also those that were worked on', () => {
  using store = copyOfStore();
  const { data } = store;
  bringToFormat(data, { log: silentLog, synchronous: 'FULL' });
  const { reader, close } = openReader(join(data, 'store.db'));
  const before = JSON.parse(golden('queue.json')) as object[];
  assert.deepEqual(
    listQueue(reader),
    before.map((row) => ({ ...row, heldBy: null, waitsFor: null })),
  );
  close();
});

test('an older program refuses the migrated store: the number that it looks at is higher than its own', () => {
  using store = copyOfStore();
  const { data } = store;
  bringToFormat(data, { log: silentLog, synchronous: 'FULL' });
  const database = new DatabaseSync(join(data, 'store.db'), { readOnly: true });
  // The check of format 1, as that program has it: `user_version > 1` ends it with 75.
  const { user_version } = database.prepare('PRAGMA user_version').get() as { user_version: number };
  const { application_id } = database.prepare('PRAGMA application_id').get() as { application_id: number };
  database.close();
  assert.deepEqual([user_version, application_id], [FORMAT, 0x57505354]);
});

test('the way back: the copy is the old store, and the next upgrade of it gives the same', () => {
  using store = copyOfStore();
  const { data, path } = store;
  const old = contents(path);
  bringToFormat(data, { log: silentLog, synchronous: 'FULL' });
  assert.equal(existsSync(`${path}-wal`), false, 'the log was written back');
  const migrated = contents(path);
  assert.notDeepEqual(migrated, old);
  renameSync(`${path}.format-1`, path);
  assert.deepEqual(contents(path), old);
  bringToFormat(data, { log: silentLog, synchronous: 'FULL' });
  assert.deepEqual(contents(path), migrated);
});
