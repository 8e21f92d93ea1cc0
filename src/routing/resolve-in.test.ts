// A list is the same in a transaction as for a thread: members, rules, and who is in the lists that rules name.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { operation } from '../database/operation.ts';
import { ANONYMOUS } from '../directory/caller.ts';
import { formatAddress, parseAddress } from '../message/address.ts';
import {
  addDomain,
  addGroup,
  addUser,
  groupDn,
  openTestDirectory,
  type TestDirectory,
  testSite,
  userDn,
} from '../provisioning/testing.ts';
import type { Resolution } from './resolve.ts';
import { resolveIn } from './resolve-in.ts';
import type { RouteRequest } from './route-request.ts';

const people = ['ann', 'bob', 'cat'];
const of = (name: string): string => `${name}@acme.example`;
const berlin = 'ldap:///dc=acme,dc=example,o=internet??sub?(&(l=Berlin)(!(hasSubordinates=TRUE)))';
/** By name: who is in it, and what else its entry says. */
const lists: Readonly<Record<string, readonly [readonly string[], Readonly<Record<string, string | string[]>>]>> = {
  plain: [[userDn(of('ann')), groupDn(of('inner')), groupDn(of('plain'))], { mgrpRFC822MailMember: 'x@far.example' }],
  inner: [[userDn(of('bob'))], {}],
  found: [[], { memberURL: berlin }],
  above: [[groupDn(of('found'))], {}],
  byName: [[userDn(of('cat'))], { mgrpAllowedBroadcaster: userDn(of('ann')) }],
  byList: [[userDn(of('cat'))], { mgrpAllowedBroadcaster: groupDn(of('plain')) }],
  byFound: [[userDn(of('cat'))], { mgrpAllowedBroadcaster: 'mailto:above@acme.example' }],
  byUrl: [[userDn(of('cat'))], { mgrpDisallowedBroadcaster: berlin }],
  byDomain: [[userDn(of('cat'))], { mgrpAllowedDomain: 'acme.*', mgrpMsgMaxSize: '10' }],
  moderated: [[userDn(of('cat'))], { mgrpModerator: [groupDn(of('inner')), 'm@far.example'] }],
  both: [[groupDn(of('byName')), groupDn(of('byUrl'))], {}],
};

let directory: TestDirectory;
before(async () => {
  directory = await openTestDirectory();
  await directory.apply(
    addDomain('acme.example'),
    ...people.map((name) => addUser(of(name), name === 'cat' ? { l: 'Berlin', mailAlternateAddress: of('kit') } : {})),
    ...Object.entries(lists).map(([name, [members, more]]) => addGroup(of(name), members, more)),
  );
});
after(() => directory.close());

const inTransaction = operation(
  'test.resolve',
  (tx, { to, request }: { readonly to: string; readonly request: RouteRequest }): Promise<Resolution> =>
    resolveIn(tx, parseAddress(to), request, testSite),
);

const senders = ['', ...people.map(of), of('kit'), of('plain'), 'x@far.example', 'y@far.example'];
const expected: Readonly<Record<string, readonly string[]>> = {
  byName: [of('ann')],
  byList: [of('ann'), of('bob'), of('plain'), 'x@far.example'],
  byFound: [of('cat'), of('kit')],
  byUrl: ['', of('ann'), of('bob'), of('plain'), 'x@far.example', 'y@far.example'],
  byDomain: [of('ann'), of('bob'), of('cat'), of('kit'), of('plain')],
};

test('both say the same to every sender, and what the rules say', async () => {
  for (const name of Object.keys(lists)) {
    const allowed: string[] = [];
    for (const from of senders) {
      const sender = from === '' ? undefined : parseAddress(from);
      const request: RouteRequest = { sender, caller: ANONYMOUS, mayRelay: false, door: 'smtp', sizeBytes: 5 };
      const known = await directory.cache.resolve(parseAddress(of(name)), request);
      // What the writer went by is for those who would ask another directory, which no test here has.
      const { consulted: _, ...given } = await directory.writer.execute(inTransaction, { to: of(name), request });
      assert.deepEqual(JSON.parse(JSON.stringify(given)), JSON.parse(JSON.stringify(known)), `${name} from ${from}`);
      if (given.reply.code === 250 && given.targets.some(({ recipient }) => formatAddress(recipient) === of('cat')))
        allowed.push(from);
    }
    if (expected[name] !== undefined) assert.deepEqual(allowed, expected[name], name);
  }
});
