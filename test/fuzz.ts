// `npm run fuzz`: a million fuzzed DNS messages through the codec and to a running server.
//
//   npm run fuzz -- --messages N   another number
//   npm run fuzz -- --seed N       the same messages again; the seed is said at the start
//
// Exit code 0: each was answered as it must be, and the server works on. 1: the message that was not is named in hexadecimal.

import { parseArgs } from 'node:util';
import { runDnsFuzz } from './hostile/dns-fuzz.ts';
import { UnderAttack } from './support/under-attack.ts';

const { values } = parseArgs({
  options: { messages: { type: 'string', default: '1000000' }, seed: { type: 'string' } },
});
const seed = values.seed === undefined ? Date.now() % 1_000_000 : Number(values.seed);
console.error(`seed ${seed}`);

const attack = await UnderAttack.start();
try {
  const rcodes = await runDnsFuzz({
    ...{ messages: Number(values.messages), seed, domain: 'acme.example' },
    server: attack.server.listeners.dns,
    say: (text) => console.error(text),
  });
  await attack.ordinary();
  for (const [rcode, count] of [...rcodes].sort((a, b) => b[1] - a[1])) console.log(`${rcode} ${count}`);
} finally {
  await attack.server.stop();
}
