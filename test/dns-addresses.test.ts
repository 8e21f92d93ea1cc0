// `listen = ["0.0.0.0"]`: an answer over UDP leaves from the address that was asked, and an interface's new address is served.
//
// In      a server in a network of its own, which has addresses that this machine has not
// Out     dig's word: it takes an answer from no other address than it has asked

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { AdminClient } from '../src/cli/client.ts';
import { peer } from './support/peers.ts';
import { startWaypost } from './support/server.ts';
import { until } from './support/until.ts';

const run = promisify(execFile);
const dig = peer('dig');

async function mayMakeNetworks(): Promise<boolean> {
  return run('unshare', ['-n', 'true']).then(
    () => true,
    () => false,
  );
}

const skip = dig.skip || ((await mayMakeNetworks()) ? false : 'this user may make no network of its own');

test('each address is answered from itself; one that comes is served by itself, one that goes is let go', {
  skip,
  timeout: 240_000,
}, async () => {
  const network =
    'ip link set lo up; ip addr add 192.0.2.1/24 dev lo; ip addr add 192.0.2.2/24 dev lo; ' +
    'ip addr add 2001:db8::1/64 dev lo nodad; exec "$@"';
  await using server = await startWaypost({
    under: ['unshare', '-n', 'sh', '-c', network, 'sh'],
    env: { WAYPOST_LISTEN: '0.0.0.0,::' },
  });
  const inside = (...command: string[]) => run('nsenter', [`--net=/proc/${server.pid}/ns/net`, ...command]);
  const { port } = server.listeners.dns;
  const answers = async (address: string): Promise<boolean> => {
    // From another address than it asks: else the system's choice would be the right one by chance.
    const from = address.includes(':') ? '::1' : '127.0.0.1';
    const asked = [
      'dig',
      '-b',
      from,
      `@${address}`,
      '-p',
      String(port),
      '+notcp',
      '+time=20',
      '+tries=2',
      'MX',
      'nobody.example',
    ];
    const { stdout } = await inside(...asked).catch((error: { stdout?: string }) => ({ stdout: error.stdout ?? '' }));
    return stdout.includes('status: REFUSED') && !stdout.includes('unexpected source');
  };
  for (const address of ['127.0.0.1', '192.0.2.1', '192.0.2.2', '::1', '2001:db8::1'])
    assert.ok(await answers(address), address);

  const admin = new AdminClient(server.data);
  const above = server.hostname.slice(server.hostname.indexOf('.') + 1);
  await admin.call('domain.add', { domain: above });
  const { records, problems } = await admin.call('dns.records', { domain: above });
  const ours = records.filter(({ name, type }) => name === `${server.hostname}.` && type !== 'TXT');
  assert.deepEqual(ours.map(({ data }) => data).sort(), ['192.0.2.1', '192.0.2.2', '2001:db8::1'], 'but no loopback');
  assert.deepEqual(problems, []);

  assert.equal(await answers('192.0.2.3'), false);
  await inside('ip', 'addr', 'add', '192.0.2.3/24', 'dev', 'lo');
  await inside('ip', 'addr', 'del', '192.0.2.2/24', 'dev', 'lo');
  await until('the new address is served', () => answers('192.0.2.3'));
  assert.deepEqual((await inside('ss', '-Hlun', `sport = :${port}`)).stdout.match(/192\.0\.2\.\d/g)?.sort(), [
    '192.0.2.1',
    '192.0.2.3',
  ]);
});

test('a host that nobody can reach says so where its name is in a zone of ours', {
  skip,
  timeout: 300_000,
}, async () => {
  await using server = await startWaypost({
    under: ['unshare', '-n', 'sh', '-c', 'ip link set lo up; exec "$@"', 'sh'],
    env: { WAYPOST_LISTEN: '0.0.0.0' },
  });
  await server.said(/"dns\.no-address"/);
  const admin = new AdminClient(server.data);
  const above = server.hostname.slice(server.hostname.indexOf('.') + 1);
  await admin.call('domain.add', { domain: 'elsewhere.example' });
  assert.deepEqual((await admin.call('dns.records', { domain: 'elsewhere.example' })).problems, []);
  await admin.call('domain.add', { domain: above });
  const { problems, records } = await admin.call('dns.records', { domain: above });
  assert.deepEqual(problems, [`${server.hostname} has no address: set address in the configuration`]);
  assert.deepEqual((await admin.call('status', {})).problems, problems);
  assert.ok(!records.some(({ type }) => type === 'A' || type === 'AAAA'));
});
