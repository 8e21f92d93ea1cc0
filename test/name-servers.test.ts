// Our client against the name servers that people run: signed transfers.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { transferZone, type ZoneServer } from '../src/net/zone-client.ts';
import type { TsigAlgorithm, TsigKey } from '../src/wire/dns/tsig.ts';
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
  });
