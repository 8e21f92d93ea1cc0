// What a write and an answer cost does not grow with the directory: as many statements with a thousand domains as with ten, and
// none that walks through a table: counts of statements do not see that.
//
// DOMAINS=100000 tries it with that many, milliseconds beside.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLog } from '../base/log.ts';
import { countStatements, keepStatements, planOf } from '../database/testing.ts';
import type { DirectoryChange } from '../directory/entry.ts';
import type { RecordType } from '../wire/dns/codes.ts';
import { zoneNames } from '../zones/names.ts';
import { lookUp } from '../zones/records.ts';
import { readZoneSettings } from '../zones/settings.ts';
import { DomainQuotas } from './domain-quotas.ts';
import {
  add,
  addDomain,
  addGroup,
  addUser,
  domainDn,
  openTestDirectory,
  remove,
  replace,
  type TestDirectory,
  userDn,
} from './testing.ts';

const MANY = Number(process.env['DOMAINS'] ?? 1000);
const TYPES: readonly RecordType[] = ['A', 'MX', 'TXT', 'NS', 'SOA', 'SRV'];
const SITE = { hostname: 'mail.isp.example', mode: 'embedded' } as const;

const executed = countStatements();

async function cost(work: () => unknown): Promise<number> {
  const before = executed();
  await work();
  return executed() - before;
}

async function withDomains(count: number): Promise<TestDirectory> {
  const directory = await openTestDirectory();
  await directory.apply(
    add('cn=primary,ou=Hosts,ou=Waypost,o=internet', {
      objectClass: 'waypostNameServer',
      waypostNameServerRole: 'primary',
      waypostNameServerAddress: '127.0.0.1:9',
      waypostZone: 'primary.example',
    }),
  );
  for (let at = 0; at < count; at += 500) {
    const slice = Array.from({ length: Math.min(500, count - at) }, (_, n) =>
      addDomain(`d${at + n}${n % 2 === 0 ? '' : '.primary'}.example`),
    );
    await directory.apply(...slice);
  }
  return directory;
}

async function costs(directory: TestDirectory): Promise<Readonly<Record<string, number>>> {
  const write = (change: DirectoryChange) => cost(() => directory.apply(change));
  const { reader } = directory;
  const answer = (name: string) =>
    cost(() =>
      reader.snapshot(() => {
        const parts = { names: zoneNames(reader), settings: readZoneSettings(reader, SITE) };
        return TYPES.map((type) => lookUp(name, type, parts));
      }),
    );
  return {
    'a domain': await write(addDomain('new.example')),
    'a domain below it': await write(addDomain('sub.new.example')),
    'its user': await write(addUser('ann@new.example')),
    'its records': await write(replace(domainDn('sub.new.example'), { waypostOmitRecord: 'srv' })),
    'a domain for a primary': await write(addDomain('new.primary.example')),
    'it goes': await write(remove(domainDn('new.primary.example'))),
    'a domain goes': await write(remove(domainDn('sub.new.example'))),
    'an answer': await answer('new.example'),
    'an answer of no name': await answer('a.b.new.example'),
    'an answer of none of ours': await answer('nobody.example'),
    'a domain above all of them': await write(addDomain('example')),
    'it has a base elsewhere': await write(
      replace(domainDn('example'), { inetDomainBaseDN: 'ou=Elsewhere,o=internet' }),
    ),
    'it has its own again': await write(replace(domainDn('example'), { inetDomainBaseDN: [] })),
    'it is a node alone': await write(replace(domainDn('example'), { objectClass: 'domain' })),
    'which domains have a limit, at a start': await cost(() => quotasFollowed(directory)),
  };
}

/** As a start does it: several pages would be a turn each. */
async function quotasFollowed({ reader, writer }: TestDirectory): Promise<void> {
  const quotas = new DomainQuotas({ reader, writer, log: silentLog });
  quotas.start();
  for (let turns = 0; turns < 10 + MANY / 100; turns++) await new Promise((turn) => setImmediate(turn));
  await quotas.stop();
}

test(`a change and an answer take as many statements with ${MANY} domains as with ten`, async (context) => {
  const few = await withDomains(10);
  context.after(() => few.close());
  const many = await withDomains(MANY);
  context.after(() => many.close());
  const found = await costs(few);
  assert.deepEqual(await costs(many), found);
  for (const [what, count] of Object.entries(found)) assert.ok(count > 0 && count < 200, `${what}: ${count}`);
  context.diagnostic(JSON.stringify(found));
});

/** Few rows whatever the directory has, or one row of an index. */
const WALKED = [
  'zone_setting',
  'routing_setting',
  'SELECT 1 FROM quota_root LIMIT 1',
  'SELECT at FROM dit_change ORDER BY revision DESC LIMIT 1',
];
/** A table without any condition, all rows of the tenant, or of a generation. */
const WALK = /^SCAN (?!CONSTANT|json_each|top|\(|\d)|\(tenant=\?( AND generation=\?)?\)$|AUTOMATIC/;

test('no statement of a change or an answer walks through a table', async (context) => {
  const directory = await withDomains(10);
  context.after(() => directory.close());
  const statements = keepStatements();
  await costs(directory);
  await directory.apply(addUser('ann@d2.example'), addGroup('all@d2.example', [userDn('ann@d2.example')]));
  assert.equal(directory.resolve('all@d2.example').targets.length, 1);
  await directory.apply(replace(userDn('ann@d2.example'), { cn: 'Ann' }), remove(userDn('ann@d2.example')));
  const walking = [...statements].filter((sql) => !WALKED.some((known) => sql.includes(known)));
  const found = walking.flatMap((sql) =>
    planOf(directory.path, sql)
      .filter((line) => WALK.test(line) && !isNever(sql))
      .map((line) => `${line}: ${sql}`),
  );
  assert.ok(statements.size > 100, `${statements.size}`);
  assert.deepEqual(found, []);
});

/** SQLite plans it and does not begin it. */
function isNever(sql: string): boolean {
  return sql.includes('IN ()');
}
