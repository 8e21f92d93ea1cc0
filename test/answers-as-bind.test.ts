// The same zones here and in BIND, ten thousand random questions: the same response code, answer and authority.
//
// In      rows as a directory gives them, drawn at random: domains, records, wildcards, aliases, delegations
// Out     BIND's word on each question. BIND is loaded with what our own names own, not with our answers
// Facts   aliases lead on within a zone: BIND leaves those into another of its zones to who asks, we follow them;
//         a circle is SERVFAIL there, here what there is of it
//         DS (TYPE43) is the zone above's to answer; not asked behind an alias, where BIND asks the zone below, nor where the zone above is
//         another's, and ours are above and below it: BIND refers to it, ours is an authoritative no (RFC 4035 §3.1.4.1)
//         names that exist and that do not, empty non-terminals, names below wildcards and delegations, any case

import assert from 'node:assert/strict';
import { createSocket, type Socket } from 'node:dgram';
import { test } from 'node:test';
import fc from 'fast-check';
import { silentLog } from '../src/base/log.ts';
import { createAnswer } from '../src/protocols/dns/answer.ts';
import type { RecordType } from '../src/wire/dns/codes.ts';
import { type DnsMessage, decodeMessage, encodeMessage } from '../src/wire/dns/message.ts';
import type { ResourceRecord } from '../src/wire/dns/rdata.ts';
import { queryMessage } from '../src/wire/dns/testing.ts';
import { recordText } from '../src/wire/dns/text.ts';
import type { ZoneRow } from '../src/zones/compile.ts';
import { domainRecords, findZone, lookUp, ownerRecords, type ZoneParts } from '../src/zones/records.ts';
import type { ZoneSettings } from '../src/zones/settings.ts';
import { namesOf, settingsOf } from '../src/zones/testing.ts';
import { Bind } from './support/bind.ts';
import { peer } from './support/peers.ts';

const QUESTIONS = 10_000;
const APEXES = ['acme.test', 'firm.test', 'plain.test', 'none.test'];
const LABELS = ['a', 'b', 'www', '*', '_tcp', '_dmarc', 'lab', 'mail', 'k1', '_domainkey'];
const TYPES: readonly RecordType[] = ['A', 'AAAA', 'MX', 'TXT', 'NS', 'SOA', 'CNAME', 'SRV', 'CAA', 'PTR', 'TYPE43'];

const label = fc.constantFrom(...LABELS);
const below = fc.array(label, { minLength: 1, maxLength: 3 }).map((labels) => labels.join('.'));
const name = fc.tuple(below, fc.constantFrom(...APEXES)).map((parts) => parts.join('.'));
const data: readonly (readonly [string, string])[] = [
  ...([
    ['A', '192.0.2.7'],
    ['A', '192.0.2.8'],
    ['AAAA', '2001:db8::7'],
    ['TXT', '"a text"'],
  ] as const),
  ...([
    ['TXT', '"v=spf1 -all"'],
    ['MX', '20 mx.other.test.'],
    ['CAA', '0 issue "ca.test"'],
  ] as const),
  ...([
    ['SRV', '0 5 5060 www.acme.test.'],
    ['PTR', 'www.acme.test.'],
  ] as const),
];
const row: fc.Arbitrary<ZoneRow> = fc.oneof(
  { weight: 5, arbitrary: fc.subarray([...data], { minLength: 1, maxLength: 4 }).map((site) => ({ site }) as ZoneRow) },
  { weight: 1, arbitrary: fc.constant({ domain: 'mail' } as const) },
  { weight: 1, arbitrary: fc.constant({ domain: 'none' } as const) },
  { weight: 1, arbitrary: fc.constant({ domain: 'mail', isApex: true } as const) },
  // Forward in the order of names, so that no circle comes about.
  {
    weight: 2,
    arbitrary: fc.constantFrom(...APEXES).map((apex): ZoneRow => ({ site: [['CNAME', `zz.${apex}.`]] })),
  },
  { weight: 2, arbitrary: name.map((to): ZoneRow => ({ site: [['CNAME', `${to}.`]] })) },
  {
    weight: 1,
    arbitrary: fc.constant<ZoneRow>({
      site: [
        ['NS', 'ns.other.test.'],
        ['NS', 'a.lab.acme.test.'],
      ],
    }),
  },
);

/** What a directory would refuse is left out: an alias where something else is, a wildcard that is no owner of plain records. */
function settled(drawn: Readonly<Record<string, ZoneRow>>): Readonly<Record<string, ZoneRow>> {
  const rows = new Map<string, ZoneRow>();
  for (const [apex, domain] of APEXES.map((each) => [each, each === 'none.test' ? 'none' : 'mail'] as const))
    rows.set(apex, { domain, isApex: true });
  for (const [owner, each] of Object.entries(drawn)) {
    const types = each.site?.map(([type]) => type) ?? [];
    const isPlain = !owner.includes('*') && !owner.includes('_');
    if ((types.includes('NS') || each.domain !== undefined) && !isPlain) continue;
    const alias = each.site?.find(([type]) => type === 'CNAME')?.[1];
    if (alias !== undefined && (owner.includes('_') || `${owner}.` >= alias || owner.startsWith('mail.'))) continue;
    rows.set(owner, each);
  }
  return Object.fromEntries(rows);
}

/** Without aliases that lead into another of the zones, or in a circle. What goes may uncover a wildcard: so until none does. */
function withinZones(
  rows: Readonly<Record<string, ZoneRow>>,
  settings: ZoneSettings,
): Readonly<Record<string, ZoneRow>> {
  const parts = { names: namesOf(rows, 7), settings };
  const zoneOf = (each: string) => {
    const answer = lookUp(each, 'SOA', parts);
    return answer.result === 'outside' ? undefined : answer.zones[0];
  };
  const isCircle = (owner: string): boolean => {
    const answer = lookUp(owner, 'SRV', parts);
    const aliases = answer.result === 'found' ? answer.answers.filter(({ type }) => type === 'CNAME') : [];
    const last = aliases.at(-1);
    return last?.type === 'CNAME' && aliases.some((each) => each.name === last.target);
  };
  const kept = Object.entries(rows).filter(([owner, { site }]) => {
    const alias = site?.find(([type]) => type === 'CNAME')?.[1];
    return alias === undefined || (zoneOf(alias.slice(0, -1)) === zoneOf(owner) && !isCircle(owner));
  });
  return kept.length === Object.keys(rows).length ? rows : withinZones(Object.fromEntries(kept), settings);
}

function zoneTexts(
  parts: ZoneParts,
  owners: ReadonlySet<string>,
  apexes: readonly string[],
): Readonly<Record<string, string>> {
  const lines = new Map<string, Set<string>>(apexes.map((apex) => [apex, new Set()]));
  const put = (apex: string, records: readonly ResourceRecord[]) => {
    for (const record of records) lines.get(apex)!.add(recordText(record));
  };
  for (const owner of owners) {
    const answer = lookUp(owner, 'SOA', parts);
    if (answer.result === 'outside') continue;
    const apex = answer.zones[0]!;
    if (answer.result === 'referral') {
      const { authorities } = answer;
      // The delegation stands above, and what is needed to reach it.
      if (answer.answers.length === 0) put(apex, [...authorities, ...answer.additionals]);
    } else put(apex, ownerRecords(owner, findZone(owner, parts)!, parts));
  }
  // A zone of ours below another is delegated there.
  for (const apex of apexes) {
    const above = apexes.filter((each) => apex.endsWith(`.${each}`)).sort((a, b) => b.length - a.length)[0];
    const zone = findZone(apex, parts)!;
    if (above !== undefined)
      put(
        above,
        ownerRecords(apex, zone, parts).filter(({ type }) => type === 'NS'),
      );
  }
  return Object.fromEntries([...lines].map(([apex, set]) => [apex, `${[...set].join('\n')}\n`]));
}

function said(message: DnsMessage): string {
  const lines = (records: readonly ResourceRecord[]) =>
    records.map((record) => recordText(record).toLowerCase()).sort();
  return JSON.stringify(
    [message.rcode, message.authoritative, lines(message.answers), lines(message.authorities)],
    null,
    1,
  );
}

function asker(socket: Socket, port: number) {
  const waiting = new Map<number, (message: DnsMessage) => void>();
  socket.on('message', (octets) => {
    const message = decodeMessage(octets);
    waiting.get(message.id)?.(message);
    waiting.delete(message.id);
  });
  return (id: number, octets: Uint8Array): Promise<DnsMessage> =>
    new Promise((resolve) => {
      waiting.set(id, resolve);
      socket.send(octets, port, '127.0.0.1');
    });
}

test('ten thousand random questions have the answer that BIND gives from the same zones', {
  skip: peer('named').skip,
  timeout: 300_000,
}, async () => {
  const [drawn] = fc.sample(fc.dictionary(name, row, { minKeys: 40, maxKeys: 60 }), { numRuns: 1 });
  const settings = {
    ...settingsOf('mail.acme.test', ['192.0.2.1', '2001:db8::1']),
    keys: [
      { kind: 'key', key: 'k1', dn: '', type: 'ed25519', public: 'AAAA', state: 'signing', changedAt: 0 },
    ] as const,
  };
  const rows = withinZones(settled(drawn!), settings);
  const parts = { names: namesOf(rows, 7), settings };
  const apexes = Object.keys(rows).filter((each) => findZone(each, parts)?.name === each);
  const owners = new Set([...Object.keys(rows), 'mail.acme.test', 'k1._domainkey.mail.acme.test']);
  for (const each of Object.keys(rows)) for (const record of domainRecords(each, parts)) owners.add(record.name);
  const bind = await Bind.start({
    zones: zoneTexts(parts, owners, apexes),
    options:
      'minimal-responses yes; zero-no-soa-ttl no; check-names primary ignore; check-mx-cname ignore; check-srv-cname ignore;',
  });
  const socket = createSocket('udp4');
  try {
    const ask = asker(socket, bind.port);
    const answer = createAnswer({
      lookUp: (each, type) => lookUp(each, type, parts),
      revision: () => 1,
      log: silentLog,
    });
    const question = fc.tuple(
      fc.oneof(
        name,
        fc.constantFrom(...owners, ...APEXES),
        name.map((each) => `x.${each}`),
      ),
      fc.constantFrom(...TYPES),
      fc.boolean(),
    );
    const isAskedForDs = (asked: string): boolean => {
      const answer = lookUp(asked, 'TYPE43', parts);
      if (answer.result !== 'outside' && answer.answers.length > 0) return false;
      return !apexes.includes(asked) || lookUp(asked.slice(asked.indexOf('.') + 1), 'SOA', parts).result !== 'referral';
    };
    const questions = fc
      .sample(question, { numRuns: QUESTIONS })
      .filter(([asked, type]) => type !== 'TYPE43' || isAskedForDs(asked));
    const counts = new Map<number, number>();
    for (let at = 0; at < questions.length; at += 50) {
      const batch = questions.slice(at, at + 50).map(async ([asked, type, isUpper], n) => {
        const octets = encodeMessage({
          ...queryMessage(n + 1, isUpper ? asked.toUpperCase() : asked, type),
          edns: { udpSizeBytes: 1232, version: 0, dnssecOk: false, options: [] },
        });
        const [theirs, ours] = [
          await ask(n + 1, octets),
          answer(octets, { transport: 'udp', sizeBytes: 1232, peerAddress: '127.0.0.1' }),
        ];
        assert.ok(ours instanceof Uint8Array);
        assert.equal(said(decodeMessage(ours)), said(theirs), `${asked} ${type} in ${JSON.stringify(rows, null, 1)}`);
        counts.set(theirs.rcode, (counts.get(theirs.rcode) ?? 0) + 1);
      });
      await Promise.all(batch);
    }
    assert.ok((counts.get(0) ?? 0) > 500 && (counts.get(3) ?? 0) > 500, 'both names that exist and names that do not');
  } finally {
    socket.close();
    await bind.stop();
  }
});
