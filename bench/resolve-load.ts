// Addresses resolved a second in one thread, over the tables of a data directory: no protocol, no socket. Prints one JSON
// line, last.
//
//   --data DIR     a data directory; its server may run
//   --keys FILE    addresses, one a line, in the order they are asked in
//   --pass NAME    cold: each pass begins with an empty memory; warm: the memory has met each address before
//   --passes N     figures are the median of so many passes
//
// An address is parsed and resolved as RCPT does for a stranger. Any answer but one mailbox is an error.

import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { TENANT } from '../src/base/tenant.ts';
import { openReader } from '../src/database/connection.ts';
import { SharedState } from '../src/database/shared.ts';
import { ANONYMOUS } from '../src/directory/caller.ts';
import { tryParseAddress } from '../src/message/address.ts';
import { RoutingCache } from '../src/routing/cache.ts';
import type { RouteRequest } from '../src/routing/route-request.ts';
import { databasePath } from '../src/server/paths.ts';
import { median } from './figures.ts';

const { values: options } = parseArgs({
  options: {
    data: { type: 'string', default: '' },
    keys: { type: 'string', default: '' },
    pass: { type: 'string', default: 'cold' },
    passes: { type: 'string', default: '5' },
  },
});
const keys = readFileSync(options.keys, 'utf8').trimEnd().split('\n');
const { reader, close } = openReader(databasePath(options.data));
const shared = new SharedState();
shared.publish({ revision: reader.revision(), routingRevision: reader.routingRevision() });
const site = { tenant: TENANT, hostnames: ['mail.waypost.example'] };
const request: RouteRequest = {
  sender: tryParseAddress('sender@load.example'),
  caller: ANONYMOUS,
  mayRelay: false,
  door: 'smtp',
};
const emptyCache = (): RoutingCache => new RoutingCache({ reader, revision: () => shared.routingRevision(), site });

/** Milliseconds. */
function pass(cache: RoutingCache): number {
  const began = performance.now();
  let found = 0;
  for (const key of keys) {
    const answer = cache.resolve(tryParseAddress(key)!, request);
    if (!('then' in answer) && answer.reply.code === 250 && answer.targets.length === 1) found++;
  }
  const took = performance.now() - began;
  if (found !== keys.length) throw new Error(`${keys.length - found} of ${keys.length} addresses lead nowhere`);
  return took;
}

const kept = emptyCache();
const isCold = options.pass === 'cold';
// Not counted: it compiles the code, and is what has filled the memory of a warm pass.
pass(kept);
const before = process.cpuUsage();
const times = Array.from({ length: Number(options.passes) }, () => pass(isCold ? emptyCache() : kept));
const used = process.cpuUsage(before);
close();
console.log(
  JSON.stringify({
    kind: `resolve-${options.pass}`,
    keys_s: Math.round((keys.length / median(times)) * 1000),
    keys: keys.length,
    passes: times.length,
    // Beside other work the better figure.
    cpu_us_each: Number(((used.user + used.system) / times.length / keys.length).toFixed(2)),
    slowest_ms: Math.round(Math.max(...times)),
  }),
);
