// What is concluded from a look: by hand, each rule from both sides.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { CLASS_IN } from '../wire/dns/codes.ts';
import type { Rdata } from '../wire/dns/rdata.ts';
import { rdataText } from '../wire/dns/text.ts';
import type { ZoneKeyRow, ZoneSettings } from '../zones/settings.ts';
import { type CheckState, type ServerFinding, setsOf, worstOf } from './compare.ts';
import type { Observation, WantedRecords } from './observe.ts';
import { judge } from './verdict.ts';

const DOMAIN = 'acme.example';
const key: ZoneKeyRow = {
  kind: 'key',
  key: 'r1',
  dn: 'cn=r1',
  type: 'rsa',
  public: 'AA',
  state: 'signing',
  changedAt: 1,
};
const settings: ZoneSettings = {
  hosts: [
    { kind: 'host', key: 'mail.us.example', addresses: [], services: [{ service: 'smtp', port: 25 }], preference: 10 },
  ],
  nameServers: [],
  keys: [key],
  mode: 'embedded',
  hostname: 'mail.us.example',
  changedAt: 0,
};
const RECORDS: readonly [string, Rdata][] = [
  [DOMAIN, { type: 'MX', preference: 10, exchange: 'mail.us.example' }],
  [DOMAIN, { type: 'TXT', strings: ['v=spf1 mx ~all'] }],
  [`r1._domainkey.${DOMAIN}`, { type: 'TXT', strings: ['v=DKIM1; k=rsa; p=AA'] }],
];
const MX = `${DOMAIN} MX`;
const SPF = `${DOMAIN} TXT`;
const KEY = `r1._domainkey.${DOMAIN} TXT`;

function wantedAs(authority: 'updatable' | 'theirs'): WantedRecords {
  const records = RECORDS.map(([name, rdata]) => ({ name, class: CLASS_IN, ttl: 300, ...rdata }));
  const standing = { authority, zone: DOMAIN };
  return { domain: DOMAIN, standing, isWithMail: true, sets: setsOf(records), keys: [key], settings };
}

type Finding = readonly [CheckState, ...string[]];

/** `ns1` has an address, `ns2` two; each endpoint has all, but where it is said otherwise: `192.0.2.1 acme.example MX`. */
function seen(others: Readonly<Record<string, Finding>> = {}): Observation {
  const endpoint = (address: string) => ({ address, port: 53 });
  const servers = [
    { name: 'ns1', endpoints: [endpoint('192.0.2.1')] },
    { name: 'ns2', endpoints: [endpoint('192.0.2.2'), endpoint('192.0.2.3')] },
  ];
  const records = wantedAs('theirs').sets.map(({ name, type, records: set }) => {
    const wanted = set.map(rdataText);
    const findings = ['192.0.2.1', '192.0.2.2', '192.0.2.3'].map((address): ServerFinding => {
      const other = others[`${address} ${name} ${type}`] ?? others[`${name} ${type}`];
      const [state, ...found] = other ?? (['ok', ...wanted] as const);
      return { server: `${address}:53`, found, state };
    });
    return { name, type, wanted, servers: findings, state: worstOf(findings.map(({ state }) => state)) };
  });
  return { zone: DOMAIN, servers, records };
}

const at = (authority: 'updatable' | 'theirs', others?: Readonly<Record<string, Finding>>, conflicts = 0) =>
  judge(wantedAs(authority), seen(others), conflicts);

describe('what a look says', () => {
  test('a key is lost where each name server says that its record is not there, and else it is not', () => {
    const lost = (others?: Readonly<Record<string, Finding>>) => at('theirs', others).lostKeys;
    assert.deepEqual(lost(), []);
    assert.deepEqual(lost({ [KEY]: ['missing'] }), [key]);
    assert.deepEqual(lost({ [KEY]: ['different', '"v=DKIM1; p=BB"'] }), [key]);
    assert.deepEqual(lost({ [`192.0.2.1 ${KEY}`]: ['missing'] }), [], 'another one has it');
    assert.deepEqual(lost({ [KEY]: ['missing'], [`192.0.2.1 ${KEY}`]: ['unknown'] }), [], 'one says nothing');
  });

  test('all of it at each name server: seen whole, with its keys, without a word', () => {
    for (const authority of ['updatable', 'theirs'] as const) {
      const { isSeen, isComplete, keys, isMissing, isElsewhere, problems } = at(authority);
      assert.deepEqual([isSeen, isComplete, isMissing, isElsewhere], [true, true, false, false]);
      assert.deepEqual(keys, [key]);
      assert.deepEqual(problems, []);
    }
  });

  test('each name server counts, at one of its addresses; nobody that answers says nothing', () => {
    const silent = (address: string) => ({
      [`${address} ${MX}`]: ['unknown'] as const,
      [`${address} ${SPF}`]: ['unknown'] as const,
      [`${address} ${KEY}`]: ['unknown'] as const,
    });
    for (const authority of ['updatable', 'theirs'] as const) {
      assert.equal(at(authority, silent('192.0.2.3')).isComplete, true);
      const lame = at(authority, silent('192.0.2.1'));
      assert.deepEqual([lame.isSeen, lame.keys.length, lame.isMissing], [false, 0, false]);
      const none = judge(wantedAs(authority), { ...seen(), servers: [] }, 0);
      assert.deepEqual([none.isSeen, none.keys.length], [false, 0]);
      const behind = at(authority, { [`192.0.2.3 ${MX}`]: ['missing'] });
      assert.deepEqual([behind.isSeen, behind.isMissing], [false, authority === 'updatable']);
      assert.deepEqual(behind.problems, ['192.0.2.3:53 has not acme.example. MX']);
    }
  });

  test('a key was seen where its record stands alone', () => {
    for (const found of [
      ['missing'],
      ['different', '"v=DKIM1; k=rsa; p=BB"'],
      ['extra', '"v=DKIM1; p=AA"', '"v=DKIM1; p="'],
    ])
      assert.deepEqual(at('theirs', { [`192.0.2.2 ${KEY}`]: found as unknown as Finding }).keys, []);
    const { isSeen, isComplete } = at('theirs', { [KEY]: ['missing'] });
    assert.deepEqual([isSeen, isComplete], [true, false]);
  });

  test('theirs: a host of ours is among the most preferred; SPF and others are advice', () => {
    const mx = (...found: string[]) => at('theirs', { [MX]: ['different', ...found] });
    assert.equal(mx('5 mail.us.example.', '7 mx.other.example.').isSeen, true);
    assert.equal(mx('5 mail.us.example.', '5 mx.other.example.').isSeen, true);
    assert.equal(mx('5 mx.other.example.', '10 mail.us.example.').isSeen, false);
    assert.equal(mx('5 mx.other.example.', '10 mail.us.example.').isElsewhere, false);
    assert.deepEqual(at('theirs', { [SPF]: ['missing'] }).problems, []);
    assert.equal(at('theirs', { [SPF]: ['missing'] }).isSeen, true);
    assert.equal(mx('0 .').isElsewhere, false);
    assert.equal(mx('CNAME other.example.').isElsewhere, false);
  });

  test('an MX of others alone is named, at a primary, too', () => {
    for (const authority of ['updatable', 'theirs'] as const) {
      const { isElsewhere, problems } = at(authority, { [MX]: ['different', '5 mx.other.example.'] }, 1);
      assert.equal(isElsewhere, true);
      assert.deepEqual(problems, ['its MX names only others: mx.other.example']);
    }
  });

  test('at a primary: what the update has left out does not count, what is gone does', () => {
    const other: Readonly<Record<string, Finding>> = { [SPF]: ['different', '"v=spf1 -all"'] };
    assert.deepEqual([at('updatable', other, 1).isSeen, at('updatable', other, 1).isMissing], [true, false]);
    assert.deepEqual([at('updatable', other, 0).isSeen, at('updatable', other, 0).isMissing], [false, true]);
    assert.equal(at('updatable', { [MX]: ['missing'] }, 1).isMissing, true);
    assert.equal(at('updatable', { [MX]: ['extra', '10 mail.us.example.', '20 x.example.'] }).isSeen, true);
  });
});
