// Domains from another server's zone: BIND has the zone, the started program takes it, follows it, and keeps what it has when
// BIND is silent.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { Client } from 'ldapts';
import type { SyncStatus } from '../src/admin/sync.ts';
import { AdminClient } from '../src/cli/client.ts';
import type { ZoneOutcome } from '../src/provisioning/zone-changes.ts';
import { RCODE } from '../src/wire/dns/codes.ts';
import { type DnsMessage, decodeMessage, encodeMessage } from '../src/wire/dns/message.ts';
import { queryMessage } from '../src/wire/dns/testing.ts';
import { Bind } from './support/bind.ts';
import { addDomain, administrator } from './support/directory.ts';
import { peer } from './support/peers.ts';
import { startWaypost, type Waypost } from './support/server.ts';

const US = 'mail.waypost.example';
const launcher = resolve(import.meta.dirname, '../waypost');

const zoneText = (zone: string, serial: number, records: string): string => `$ORIGIN ${zone}.
$TTL 300
@ IN SOA ns hostmaster ${serial} 3600 600 86400 60
@ NS ns
ns A 127.0.0.1
${records}
`;

const FIRST = `@ MX 10 ${US}.
far MX 20 ${US}.
far MX 10 mx.far.example.
gone MX 10 ${US}.
foreign MX 10 mx.far.example.
* MX 10 ${US}.
hand MX 10 ${US}.
below.cut MX 10 ${US}.
cut NS ns.far.example.
`;

const MANY_NAMES = 1500;
const MANY = Array.from({ length: MANY_NAMES }, (_, n) => `d${n} MX 10 ${US}.`).join('\n');

describe('a zone of BIND', { concurrency: false, skip: peer('named').skip }, () => {
  let server: Waypost;
  let bind: Bind;
  let ldap: Client;
  let client: AdminClient;
  let folder: string;

  const cli = async (...arguments_: string[]) => {
    const child = spawn(launcher, [...arguments_, '--data', server.data], { stdio: ['ignore', 'pipe', 'pipe'] });
    const said = { stdout: '', stderr: '' };
    for (const name of ['stdout', 'stderr'] as const)
      child[name].setEncoding('utf8').on('data', (text: string) => {
        said[name] += text;
      });
    const [code] = (await once(child, 'close')) as [number | null];
    return { code, ...said };
  };
  const outcome = async (...arguments_: string[]): Promise<ZoneOutcome> => {
    const { code, stdout, stderr } = await cli('sync', ...arguments_, '--json');
    assert.equal(code, 0, stderr);
    return JSON.parse(stdout) as ZoneOutcome;
  };
  const lines = ({ domains }: ZoneOutcome) =>
    domains.map(({ change, domain, route }) => `${change} ${domain} ${route ?? ''}`);
  const domains = async () => (await client.call('domain.list', {})).map(({ domain }) => domain).sort();
  const source = async (name: string) =>
    (await client.call('sync.status', {})).sources.find((each: SyncStatus['sources'][number]) => each.name === name);
  /** Follows by itself, at its own pace. */
  const until = async (what: string, isSo: () => Promise<boolean>): Promise<void> => {
    for (const last = performance.now() + 240_000; !(await isSo()); ) {
      assert.ok(performance.now() < last, `${what} does not come to be\n${bind.log()}\n${server.stderr()}`);
      await new Promise((turn) => setTimeout(turn, 100));
    }
  };
  const at = (zone: string) => `${zone}@127.0.0.1:${bind.port}`;

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'waypost-zones-'));
    server = await startWaypost({ config: 'threads = 2\n' });
    client = new AdminClient(server.data);
    ldap = await administrator(server);
    await addDomain(ldap, 'hand.corp.example');
    const zones = {
      'corp.example': zoneText('corp.example', 0xffff_fffe, FIRST),
      'second.example': zoneText('second.example', 1, `@ MX 10 ${US}.`),
      'many.example': zoneText('many.example', 1, MANY),
      'secret.example': zoneText('secret.example', 1, `@ MX 10 ${US}.`),
    };
    bind = await Bind.start({ zones, notified: server.listeners.dns.port, refusing: ['secret.example'] });
  });
  after(async () => {
    await ldap?.unbind();
    await server?.stop();
    await bind?.stop();
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
  });

  test('a dry run says what would be, and makes nothing, no source either', async () => {
    const dry = await outcome('--from-dns', at('corp.example'), '--dry-run');
    assert.deepEqual([dry.dryRun, dry.made, dry.kept], [true, 3, 1]);
    assert.deepEqual(await domains(), ['hand.corp.example']);
    assert.equal(await source('corp.example'), undefined);
  });

  test('names whose best exchange is this host are domains, nearer ones get their mail by MX, others nothing', async () => {
    const made = await outcome('--from-dns', at('corp.example'));
    assert.deepEqual(lines(made).sort(), [
      'kept hand.corp.example ',
      'made corp.example local',
      'made far.corp.example mx',
      'made gone.corp.example local',
    ]);
    assert.deepEqual(await domains(), ['corp.example', 'far.corp.example', 'gone.corp.example', 'hand.corp.example']);
    assert.deepEqual(await source('corp.example'), {
      name: 'corp.example',
      kind: 'dns',
      entries: 3,
      state: 'current',
      lastError: null,
    });
    const again = await cli('sync', '--from-dns', at('Corp.Example'));
    assert.equal(
      again.stdout,
      'kept    hand.corp.example  (this entry was not made from the zone)\n' +
        'corp.example: 0 made, 0 changed, 0 removed, 1 kept\n',
    );
    const status = await cli('sync', 'status');
    assert.match(status.stdout, /^source corp\.example: current, 3 domains$/m, status.stderr);
    assert.match((await client.call('route', { address: 'postmaster@corp.example' })).reply, /^250 /);
  });

  test('none of them is a zone of our name server', async () => {
    const asked = async (name: string) => (await overUdp(queryMessage(1, name, 'MX'))).rcode;
    // Made by hand below a zone of another server: that one answers for the name.
    assert.equal(await asked('hand.corp.example'), RCODE.REFUSED);
    assert.equal(await asked('corp.example'), RCODE.REFUSED);
    assert.equal(await asked('gone.corp.example'), RCODE.REFUSED);
  });

  test('NOTIFY brings what has changed, over the turn of the serial', async () => {
    const next = FIRST.replace('gone MX', 'new MX').replace('far MX 20', 'far MX 5');
    bind.change('corp.example', zoneText('corp.example', 3, next));
    await until('new.corp.example', async () => (await domains()).includes('new.corp.example'));
    assert.deepEqual(await domains(), ['corp.example', 'far.corp.example', 'hand.corp.example', 'new.corp.example']);
    const { entry } = await client.call('domain.show', { domain: 'far.corp.example' });
    assert.equal(entry.attributes['waypostRoute'], undefined);
    assert.deepEqual(entry.attributes['waypostSource'], ['dns:corp.example']);
  });

  const notify = (zone: string): DnsMessage => queryMessage(9, zone, 'SOA', { opcode: 4, authoritative: true });

  /** From an address of this machine. */
  async function overUdp(query: DnsMessage, from = '127.0.0.1'): Promise<DnsMessage> {
    const socket = createSocket('udp4');
    socket.bind(0, from);
    await once(socket, 'listening');
    socket.send(encodeMessage(query), server.listeners.dns.port, server.listeners.dns.host);
    const [octets] = (await once(socket, 'message')) as [Buffer];
    socket.close();
    return decodeMessage(octets);
  }

  async function overTcp(query: DnsMessage, from: string): Promise<DnsMessage> {
    const { host, port } = server.listeners.dns;
    const socket = connect({ host, port, localAddress: from });
    const octets = encodeMessage(query);
    socket.write(Buffer.from([octets.length >> 8, octets.length & 0xff]));
    socket.write(octets);
    const [reply] = (await once(socket, 'data')) as [Buffer];
    socket.destroy();
    return decodeMessage(reply.subarray(2));
  }

  test('NOTIFY counts from the address of a server of that zone, over UDP and TCP; from others it is REFUSED', async () => {
    for (const ask of [overUdp, overTcp]) {
      const good = await ask(notify('CORP.example'), '127.0.0.1');
      assert.deepEqual([good.rcode, good.opcode, good.questions[0]?.name], [RCODE.NOERROR, 4, 'CORP.example']);
      assert.equal((await ask(notify('corp.example'), '127.0.0.2')).rcode, RCODE.REFUSED);
      assert.equal((await ask(notify('second.example'), '127.0.0.1')).rcode, RCODE.REFUSED);
      assert.equal((await ask(notify('a,b.example'), '127.0.0.1')).rcode, RCODE.REFUSED);
    }
  });

  test('a source that is added, given a server, and deleted over LDAP acts from its commit', async () => {
    const dn = 'cn=second.example,ou=Sources,ou=Waypost,o=internet';
    await ldap.add(dn, { objectClass: 'waypostZoneSource', cn: 'second.example', waypostZoneServer: '192.0.2.300' });
    await until('the source', async () => (await source('second.example'))?.state === 'unusable');
    assert.match((await source('second.example'))!.lastError!, /192\.0\.2\.300 is not an address/);
    const { Attribute, Change } = await import('ldapts');
    const values = [`127.0.0.1:${bind.port}`];
    const modification = new Attribute({ type: 'waypostZoneServer', values });
    await ldap.modify(dn, new Change({ operation: 'replace', modification }));
    await until('second.example', async () => (await domains()).includes('second.example'));
    await ldap.del(dn);
    await until('the end of the source', async () => (await source('second.example')) === undefined);
    assert.ok((await domains()).includes('second.example'));
  });

  test('a zone that is refused, or not there: exit code 75, nothing changes, and it is in the status', async () => {
    const before = await domains();
    for (const [zone, said] of [
      ['secret.example', /the server says REFUSED/],
      ['nowhere.example', /the server says (NOTAUTH|REFUSED)/],
    ] as const) {
      const { code, stderr } = await cli('sync', '--from-dns', at(zone));
      assert.equal(code, 75);
      assert.match(stderr, said);
      const status = await source(zone);
      assert.equal(status?.state, 'retrying');
      assert.match(status.lastError!, said);
    }
    assert.deepEqual(await domains(), before);
  });

  test('words that are no zone or server', async () => {
    for (const [value, code] of [
      ['corp.example', 64],
      ['corp.example@ns.corp.example', 65],
      ['corp.example@192.0.2.53:0', 65],
      ['co_rp.example@192.0.2.53', 65],
    ] as const)
      assert.equal((await cli('sync', '--from-dns', value)).code, code, value);
    assert.equal((await cli('sync', '--full', '--dry-run')).code, 64);
    assert.equal((await cli('sync', '--full', '--zone', 'a.example')).code, 64);
  });

  test('a master file is read once; one that is broken is refused with its line', async () => {
    const file = join(folder, 'file.zone');
    writeFileSync(file, zoneText('file.example', 1, `@ MX 10 ${US}.\nb MX 10 ${US}.`));
    assert.deepEqual(lines(await outcome('--from-zone', file)), [
      'made file.example local',
      'made b.file.example local',
    ]);
    writeFileSync(file, `@ SOA ns h 1 2 3 4 5\n@ MX 1 ${US}.`);
    assert.deepEqual(lines(await outcome('--from-zone', file, '--zone', 'file.example')), ['removed b.file.example ']);
    assert.equal(await source('file.example'), undefined);
    for (const [text, said, zone] of [
      [zoneText('file.example', 1, '@ MX ten mail'), /line 6: ten is no number/, undefined],
      ['@ SOA ns h 1 2 3 4 5', /line 1: a relative name, and no origin/, undefined],
      ['@ MX 10 a', /no SOA record/, 'file.example'],
      [
        zoneText('file.example', 1, ''),
        /the SOA record is that of file.example, not of other.example/,
        'other.example',
      ],
    ] as const) {
      writeFileSync(file, text);
      const { code, stderr } = await cli('sync', '--from-zone', file, ...(zone === undefined ? [] : ['--zone', zone]));
      assert.equal(code, 65);
      assert.match(stderr, said);
    }
    assert.equal((await cli('sync', '--from-zone', join(folder, 'none'))).code, 65);
    assert.deepEqual(
      (await domains()).filter((name) => name.endsWith('file.example')),
      ['file.example'],
    );
  });

  test('kill -9 between two slices: the look at the next start makes the rest, once', async () => {
    const cut = client.call('sync.from-dns', { zone: 'many.example', server: `127.0.0.1:${bind.port}` });
    cut.catch(() => {});
    await until('the first slice', async () => ((await source('many.example'))?.entries ?? 0) > 0);
    await ldap.unbind();
    await server.kill9();
    await server.restart();
    ldap = await administrator(server);
    await until('the rest', async () => (await source('many.example'))?.state === 'current');
    assert.equal((await source('many.example'))!.entries, MANY_NAMES);
    const again = await outcome('--from-dns', at('many.example'));
    assert.deepEqual([again.made, again.changed, again.removed, again.kept], [0, 0, 0, 0]);
    assert.equal((await client.call('sync.verify', {})).differing, 0);
  });

  test('after a restart the zone is looked at again; without its server everything stays', async () => {
    await ldap.unbind();
    await server.restart();
    ldap = await administrator(server);
    await until('the first look', async () => (await source('corp.example'))?.state === 'current');
    await bind.stop();
    const before = await domains();
    const { code, stderr } = await cli('sync', '--from-dns', at('corp.example'));
    assert.equal(code, 75);
    assert.match(stderr, /ECONNREFUSED/);
    assert.deepEqual(await domains(), before);
    assert.equal((await source('corp.example'))?.state, 'retrying');
    assert.equal((await client.call('sync.verify', {})).differing, 0);
  });
});
