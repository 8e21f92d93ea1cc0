// Reads argv and the environment and calls a verb.

import { writeSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { resolve } from 'node:path';
import { defaultLimits } from './base/limits.ts';
import { start } from './server/start.ts';

const option = (name: string): string | undefined => {
  const at = process.argv.indexOf(name);
  return at < 0 ? undefined : process.argv[at + 1];
};

const server = await start(
  {
    hostname: process.env['WAYPOST_HOSTNAME'] ?? 'mail.localdomain',
    data: resolve(option('--data') ?? process.env['WAYPOST_DATA'] ?? 'data'),
    listen: ['127.0.0.1'],
    portOffset: process.env['WAYPOST_PORT_OFFSET'] === 'auto' ? 'auto' : 1000,
    resolver: [],
    address: [],
    provision: { fromMx: 'off' },
    nextHop: new Map(),
    queue: { retryMs: [60_000], expireMs: 86_400_000 },
    limits: defaultLimits,
    log: (process.env['WAYPOST_LOG'] as 'info' | undefined) ?? 'info',
    threads: availableParallelism(),
    suffix: 'o=internet',
  },
  (text) => {
    writeSync(2, `waypost: ${text}\n`);
    process.exit(74);
  },
);
console.log(JSON.stringify({ event: 'ready', listeners: server.listeners }));
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => void server.stop().then(() => process.exit(0)));
