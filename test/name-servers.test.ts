// Our client against the name servers that people run: signed transfers, updates with prerequisites.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { DnsClient } from '../src/net/dns-client.ts';
import { transferZone, type ZoneServer } from '../src/net/zone-client.ts';
import { CLASS_IN, RCODE, rcodeName } from '../src/wire/dns/codes.ts';
import type { Rdata, ResourceRecord } from '../src/wire/dns/rdata.ts';
import { rdataText } from '../src/wire/dns/text.ts';
import type { TsigAlgorithm, TsigKey } from '../src/wire/dns/tsig.ts';
import type { Prerequisite, RecordChange } from '../src/wire/dns/update.ts';
import { Bind } from './support/bind.ts';
import { Knot } from './support/knot.ts';
import { peer, powerDnsMissing } from './support/peers.ts';
import { PowerDns } from './support/powerdns.ts';

const ZONE = 'corp.example';
const NAMES = 3000;
const TEXT = `$TTL 300
$ORIGIN ${ZONE}.
@ IN SOA ns.${ZONE}. hostmaster.${ZONE}. 1 3600 600 86400 300
@ IN NS ns.${ZONE}.
ns IN A 127.0.0.1
${Array.from({ length: NAMES }, (_, i) => `n${i} IN TXT "${'x'.repeat(100)}"`).join('\n')}
`;

const keyOf = (algorithm: TsigAlgorithm): TsigKey => ({
  name: `${algorithm}.example`,
  algorithm,
  secret: Buffer.from('a secret of thirty-two octets...'),
});
const keys = (['hmac-sha256', 'hmac-sha384', 'hmac-sha512'] as const).map(keyOf);

/** One record of each type that a domain has, at names of their own. BIND refuses an MX in its zone without an address. */
function recordsOf(below: string, number = 1): readonly ResourceRecord[] {
  const rdata: readonly Rdata[] = [
    { type: 'A', address: `192.0.2.${number}` },
    { type: 'AAAA', address: `2001:db8::${number}` },
    { type: 'MX', preference: number, exchange: 'mail.elsewhere.example' },
    { type: 'TXT', strings: ['v=DKIM1; k=rsa; p=', 'x'.repeat(250), `"${number}\\`] },
    { type: 'SRV', priority: 0, weight: number, port: 465, target: `mail.${below}` },
    { type: 'CAA', flags: 0, tag: 'issue', value: `ca${number}.example` },
    { type: 'TLSA', usage: 3, selector: 1, matching: 1, data: new Uint8Array(32).fill(number) },
    { type: 'PTR', target: `host${number}.${below}` },
  ];
  return rdata.map((each) => ({ name: `${each.type.toLowerCase()}.${below}`, class: CLASS_IN, ttl: 300, ...each }));
}

interface NameServer {
  readonly address: string;
  readonly port: number;
  log(): string;
  stop(): Promise<void>;
}

const servers: readonly [name: string, skip: string | false, start: () => Promise<NameServer>][] = [
  ['BIND', peer('named').skip, () => Bind.start({ zones: { [ZONE]: TEXT }, keys, signedOnly: true })],
  ['Knot', peer('knotd').skip, () => Knot.start({ zones: { [ZONE]: TEXT }, keys })],
  ['PowerDNS', powerDnsMissing(), () => PowerDns.start({ zones: { [ZONE]: TEXT }, keys })],
];

async function transferred(server: ZoneServer): Promise<number> {
  let count = 0;
  await transferZone(server, ZONE, () => count++, { idleMs: 30_000 });
  return count;
}

for (const [name, skip, start] of servers)
  describe(`${name} and our client`, { skip }, () => {
    test('a zone in many messages, signed by each algorithm; not with a key that is not theirs, or without', async (context) => {
      const server = await start();
      context.after(() => server.stop());
      const { address, port } = server;
      for (const key of keys) assert.equal(await transferred({ address, port, key }), NAMES + 4, key.algorithm);
      const forged = { ...keys[0]!, secret: Buffer.from('another') };
      await assert.rejects(transferred({ address, port, key: forged }), { name: 'Failure', kind: 'unavailable' });
      const foreign = { ...keys[0]!, name: 'theirs.example' };
      await assert.rejects(transferred({ address, port, key: foreign }), { name: 'Failure', kind: 'unavailable' });
      await assert.rejects(transferred({ address, port }), { name: 'Failure', kind: 'unavailable' });
    });

    test('updates: records of every type come and go; what is not as it was read changes nothing', async (context) => {
      const server = await start();
      const client = new DnsClient();
      context.after(async () => {
        client.close();
        await server.stop();
      });
      const [key] = keys;
      const update = async (prerequisites: readonly Prerequisite[], changes: readonly RecordChange[]) => {
        const answer = await client.update(server, { zone: ZONE, prerequisites, changes }, { key: key! });
        return 'rcode' in answer ? rcodeName(answer.rcode) : answer.unavailable;
      };
      const found = async (record: ResourceRecord) => {
        const reply = await client.ask(record.name, record.type, { servers: [server], tcp: true });
        assert.ok('answers' in reply, JSON.stringify(reply));
        return reply.answers.map(rdataText).sort();
      };
      for (const record of recordsOf(`sub.${ZONE}`)) {
        const { name: owner, type } = record;
        const none: Prerequisite = { noSet: { name: owner, type } };
        assert.equal(await update([none], [{ add: record }]), 'NOERROR', type);
        assert.deepEqual(await found(record), [rdataText(record)]);
        assert.equal(await update([none], [{ add: record }]), 'YXRRSET', type);
        const other = recordsOf(`sub.${ZONE}`, 2).find((each) => each.type === type)!;
        assert.equal(await update([{ set: [other] }], [{ remove: record }]), 'NXRRSET', type);
        assert.equal(await update([{ set: [record] }], [{ add: other }]), 'NOERROR', type);
        assert.deepEqual(await found(record), [rdataText(record), rdataText(other)].sort());
        assert.equal(await update([{ set: [record] }], [{ remove: other }]), 'NXRRSET', type);
        assert.equal(await update([{ set: [other, record] }], [{ remove: record }]), 'NOERROR', type);
        assert.deepEqual(await found(record), [rdataText(other)]);
      }
      const stranger = { ...key!, name: 'theirs.example' };
      const [first] = recordsOf(`sub.${ZONE}`);
      const change = { zone: ZONE, prerequisites: [], changes: [{ remove: first! }] };
      assert.ok('unavailable' in (await client.update(server, change, { key: stranger })));
      const unsigned = await client.update(server, change);
      assert.ok('rcode' in unsigned && unsigned.rcode !== RCODE.NOERROR);
      assert.deepEqual(await found(first!), [rdataText(recordsOf(`sub.${ZONE}`, 2)[0]!)]);
    });
  });
