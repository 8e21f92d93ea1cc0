// Fuzzed DNS messages in short; `npm run fuzz` sends a million.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { UnderAttack } from '../support/under-attack.ts';
import { runDnsFuzz } from './dns-fuzz.ts';

const SEED = Number(process.env['WAYPOST_FUZZ_SEED'] ?? 1);
const MESSAGES = 10_000;

let attack: UnderAttack;
after(() => attack?.server.stop());
before(async () => {
  attack = await UnderAttack.start();
});

test('whatever comes to the DNS port, it is answered as it must be, and the others are served', async () => {
  const rcodes = await runDnsFuzz({
    ...{ messages: MESSAGES, seed: SEED, domain: 'acme.example', server: attack.server.listeners.dns },
  });
  // All kinds of answers were provoked.
  for (const rcode of ['NOERROR', 'FORMERR', 'REFUSED', 'NOTIMP', 'BADVERS', 'none'])
    assert.ok((rcodes.get(rcode) ?? 0) > 50, `${rcode}: ${rcodes.get(rcode)}`);
  await attack.ordinary();
  assert.doesNotMatch(attack.server.stderr(), /dns\.failed|"level":"error"/);
});
