// A resolver that comes by a zone's delegation gets an answer of that zone, whatever domain has come above it since.
//
// In      BIND as a resolver, led to our name server for two zones, as a registry's delegation leads
// Out     an answer, also that there is none; SERVFAIL is what it says of a name server that has no such zone

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { AdminClient } from '../src/cli/client.ts';
import { standardPorts } from '../src/server/ports.ts';
import { Bind } from './support/bind.ts';
import { peer } from './support/peers.ts';
import { startWaypost } from './support/server.ts';

const run = promisify(execFile);
/** A stub of BIND's asks port 53. */
const US = '127.0.0.77';
const without = Object.keys(standardPorts).filter((name) => name !== 'dns' && name !== 'smtp');
const isRoot = process.getuid?.() === 0;
const skip = peer('named').skip || peer('dig').skip || (isRoot ? false : 'port 53 is for root');

test('a zone is answered after a domain above it has come, and what came with that is delegated', {
  skip,
  timeout: 300_000,
}, async () => {
  await using server = await startWaypost({
    config: `listen = ["${US}"]\nport-offset = 0\nwithout = ${JSON.stringify(without)}\n`,
    env: { WAYPOST_LISTEN: US, WAYPOST_PORT_OFFSET: '0' },
  });
  const admin = new AdminClient(server.data);
  const stubs = ['a.firm.test', 'firm.test'].map(
    (zone) => `zone "${zone}" { type static-stub; server-addresses { ${US}; }; };`,
  );
  const resolver = await Bind.start({
    isRecursive: true,
    options: 'max-ncache-ttl 0; max-cache-ttl 0;',
    more: stubs.join('\n'),
  });
  const status = async (name: string, type: string): Promise<string> => {
    const at = [`@${resolver.address}`, '-p', String(resolver.port), '+tries=1', '+time=30', name, type];
    const { stdout } = await run(peer('dig').path, at);
    const [, rcode] = /status: (\w+)/.exec(stdout) ?? [];
    const [, answers] = /ANSWER: (\d+)/.exec(stdout) ?? [];
    return `${rcode} ${answers}`;
  };
  try {
    await admin.call('domain.add', { domain: 'a.firm.test' });
    assert.equal(await status('a.firm.test', 'MX'), 'NOERROR 1');
    await admin.call('domain.add', { domain: 'firm.test' });
    await admin.call('domain.add', { domain: 'b.firm.test' });
    for (const [name, type, said] of [
      ['a.firm.test', 'MX', 'NOERROR 1'],
      // These need the zone's own SOA.
      ['a.firm.test', 'CAA', 'NOERROR 0'],
      ['nobody.a.firm.test', 'MX', 'NXDOMAIN 0'],
      ['a.firm.test', 'SOA', 'NOERROR 1'],
      ['b.firm.test', 'MX', 'NOERROR 1'],
      ['b.firm.test', 'CAA', 'NOERROR 0'],
      ['firm.test', 'NS', 'NOERROR 1'],
    ] as const)
      assert.equal(await status(name, type), said, `${name} ${type}`);
  } finally {
    await resolver.stop();
  }
});
