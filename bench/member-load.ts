// The writer's time for one member more in a list: the operation itself with its batch, without LDAP and without the disk's
// sync, which cost the same for every list. Prints one JSON line, last.
//
//   --long N    members of the long list (100,000); the short one has 10
//   --count N   members that are added to each, one by one and by turns (500)
//
// The clock runs from the call to its answer. The writer is in this thread, on a database of its own.

import { parseArgs } from 'node:util';
import { addDomain, addGroup, groupDn, openTestDirectory, userDn } from '../src/provisioning/testing.ts';
import { median } from './figures.ts';

/** Values of one operation while the lists are filled. */
const AT_ONCE = 1000;
/** Members added before the clock counts. */
const WARM_UP = 50;

const { values: options } = parseArgs({
  options: { long: { type: 'string', default: '100000' }, count: { type: 'string', default: '500' } },
});
const sizes = { short: 10, long: Number(options.long) };
const directory = await openTestDirectory();

async function addMembers(list: string, members: readonly string[]): Promise<number> {
  const began = performance.now();
  await directory.apply({
    kind: 'modify',
    dn: groupDn(list),
    modifications: [{ operation: 'add', attribute: 'uniqueMember', values: members }],
  });
  return performance.now() - began;
}

const addressOf = (name: string): string => `${name}@acme.example`;
const members = (from: number, count: number): string[] =>
  Array.from({ length: count }, (_, n) => userDn(addressOf(`u${from + n}`)));

await directory.apply(addDomain('acme.example'));
for (const [name, size] of Object.entries(sizes)) {
  await directory.apply(addGroup(addressOf(name), members(0, 1)));
  for (let at = 1; at < size; at += AT_ONCE)
    await addMembers(addressOf(name), members(at, Math.min(AT_ONCE, size - at)));
}
const times: Record<keyof typeof sizes, number[]> = { short: [], long: [] };
for (let n = 0; n < WARM_UP + Number(options.count); n++)
  for (const name of ['short', 'long'] as const) {
    const took = await addMembers(addressOf(name), members(sizes.long + n, 1));
    if (n >= WARM_UP) times[name].push(took);
  }
directory.close();
const rounded = (ms: number): number => Number(ms.toFixed(3));
const [short, long] = [median(times.short), median(times.long)];
console.log(
  JSON.stringify({
    kind: 'member',
    short_ms: rounded(short),
    long_ms: rounded(long),
    long_max_ms: rounded(Math.max(...times.long)),
    ratio: rounded(long / short),
    members: sizes.long,
    count: times.long.length,
  }),
);
