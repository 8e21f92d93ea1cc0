// What a change asks of the rules costs as much as it has values, however they come: counted, by the elements of lists that are
// gone through.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type Caller, callerOf } from '../caller.ts';
import { getEntry } from '../entries.ts';
import type { DirectoryChange, Modification } from '../entry.ts';
import { openTestDirectory, replaceAci, type TestDirectory } from '../testing.ts';
import { DEFAULT_RULES } from './default-rules.ts';
import { look } from './look.ts';
import { parseAci } from './parse.ts';
import { NOBODY } from './roles.ts';
import { targetOf } from './target.ts';

const ANN = 'uid=ann,dc=acme,o=internet';
const ACME = 'dc=acme,o=internet';
const MANY = 2000;
const A_VALUE = 100;

let directory: TestDirectory;
let ann: Caller;
before(async () => {
  directory = await openTestDirectory();
  await directory.apply(replaceAci('o=internet', DEFAULT_RULES));
  await directory.add(ACME, {
    objectClass: ['domain', 'inetDomain', 'mailDomain'],
    dc: 'acme',
    waypostAdministrator: ANN,
  });
  await directory.add(ANN, { objectClass: 'inetOrgPerson', uid: 'ann', cn: 'x', sn: 'x' });
  ann = callerOf(getEntry(directory.reader, ANN));
});
after(() => directory.close());

async function iteratedBy(change: DirectoryChange): Promise<number> {
  const original = Array.prototype[Symbol.iterator];
  let count = 0;
  Array.prototype[Symbol.iterator] = function (this: unknown[]) {
    count += this.length;
    return original.call(this);
  } as typeof original;
  try {
    await directory.check(ann, change);
  } finally {
    Array.prototype[Symbol.iterator] = original;
  }
  return count;
}

test('an attribute that comes in thousands of parts', async () => {
  const parts = Array.from({ length: MANY }, (_, n) => ({ name: 'description', values: [`${n}`] }));
  const attributes = [{ name: 'objectClass', values: ['inetOrgPerson'] }, ...parts];
  const count = await iteratedBy({ kind: 'add', dn: `uid=bob,${ACME}`, attributes });
  assert.ok(count < MANY * A_VALUE, `${count}`);
});

test('thousands of modifications of an attribute at whose values a rule looks', async () => {
  const values = Array.from({ length: MANY }, (_, n) => `c${n}`);
  const one = (operation: Modification['operation']): Modification => ({
    operation,
    attribute: 'objectClass',
    values: ['d'],
  });
  const modifications: Modification[] = [{ operation: 'replace', attribute: 'objectClass', values }];
  for (let n = 0; n < MANY; n++) modifications.push(one('add'), one('delete'));
  const count = await iteratedBy({ kind: 'modify', dn: ANN, modifications });
  assert.ok(count < MANY * A_VALUE, `${count}`);
});

test('values are read as names of people and domains where a rule asks whose they are, and nowhere else', () => {
  const read: string[] = [];
  const values = ['memberurl', 'description'].map((key) => ({
    key,
    get values() {
      read.push(key);
      return [];
    },
  }));
  const needs = { isDomain: true, own: new Set(['memberurl']), attributes: [], looksBeside: false, asksRoles: false };
  const entry = getEntry(directory.reader, ANN);
  look(directory.reader, targetOf({ entry, needs, caller: NOBODY, domains: new Map(), values }));
  assert.deepEqual(read, ['memberurl']);
  const asked = parseAci(DEFAULT_RULES.find((rule) => rule.includes('waypostOwnDomainMatch'))!);
  assert.ok('aci' in asked);
  assert.deepEqual([...asked.aci.values!.own].sort(), [
    'memberurl',
    'mgrpallowedbroadcaster',
    'mgrpdeliverto',
    'mgrpdisallowedbroadcaster',
    'mgrperrorsto',
    'mgrpmoderator',
  ]);
});
