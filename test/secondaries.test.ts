// Name servers of others that are secondary for our zones: who is given what, and BIND and Knot that follow by themselves.
//
// In      the started program, an entry below ou=Hosts for each secondary
// Out     zones as dig transfers them, answers of BIND and Knot

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import type { Client } from 'ldapts';
import { DnsClient } from '../src/net/dns-client.ts';
import { rdataText } from '../src/wire/dns/text.ts';
import { Bind } from './support/bind.ts';
import { BIND_KEY, type CatalogPeer, startCatalogPeer, TSIG_NAME, TSIG_SECRET } from './support/catalog-peer.ts';
import { addDomain, administrator, domainDn, SUFFIX } from './support/directory.ts';
import { freePort } from './support/free-ports.ts';
import { peer } from './support/peers.ts';
import { startWaypost, type Waypost } from './support/server.ts';
import { until } from './support/until.ts';

const run = promisify(execFile);
const SECRET = TSIG_SECRET;
const KEY = `hmac-sha256:${TSIG_NAME}:${SECRET}`;

const skip = peer('dig').skip || peer('named').skip;

describe('secondaries', { concurrency: false, skip }, () => {
  let server: Waypost;
  let ldap: Client;

  before(async () => {
    server = await startWaypost();
    ldap = await administrator(server);
    await addDomain(ldap, 'acme.example');
    await ldap.add(`dc=www,${domainDn('acme.example')}`, {
      objectClass: 'dNSDomain',
      dc: 'www',
      aRecord: '192.0.2.7',
    });
    await addDomain(ldap, 'other.example');
  });
  after(async () => {
    await ldap?.unbind();
    await server?.stop();
  });

  const dig = async (...words: string[]): Promise<string> => {
    const { port } = server.listeners.dns;
    const base = ['@127.0.0.1', '-p', String(port), '+nocmd', '+nostats', '+time=30', '+tries=1'];
    return (await run('dig', [...base, ...words]).catch((error: { stdout: string }) => error)).stdout;
  };
  const nameServer = (name: string, more: Record<string, string | string[]>) =>
    ldap.add(`cn=${name},ou=Hosts,ou=Waypost,${SUFFIX}`, {
      objectClass: 'waypostNameServer',
      waypostNameServerRole: 'secondary',
      ...more,
    });
  const forget = (name: string) => ldap.del(`cn=${name},ou=Hosts,ou=Waypost,${SUFFIX}`);

  test('a zone is given to an address of a secondary and to no other', async () => {
    assert.match(await dig('acme.example', 'AXFR'), /Transfer failed/);
    await nameServer('one', { waypostNameServerAddress: '127.0.0.1:5399' });
    const zone = (await dig('acme.example', 'AXFR')).split('\n').filter((line) => line !== '' && !line.startsWith(';'));
    assert.match(zone[0]!, /SOA/);
    assert.equal(zone.at(-1), zone[0]);
    for (const part of [/^acme\.example\.\s.*\sMX\s/, /^_dmarc\.acme/, /^www\.acme.*192\.0\.2\.7$/, /^acme.*\sTXT\s/])
      assert.ok(
        zone.some((line) => part.test(line)),
        String(part),
      );
    assert.match(await dig('www.acme.example', 'AXFR'), /Transfer failed/);
    assert.match(await dig('acme.example', 'AXFR', '-b', '127.0.0.9'), /Transfer failed/);
    // A key that the entry does not name.
    assert.match(await dig('acme.example', 'AXFR', '-y', KEY), /BADKEY/);
    await forget('one');
    assert.match(await dig('acme.example', 'AXFR'), /Transfer failed/);
  });

  test('one whose entry has a key signs with it; errors are those of RFC 8945', async () => {
    await nameServer('one', {
      waypostNameServerAddress: '127.0.0.1:5399',
      waypostTsigName: 'xfer.example',
      waypostTsigAlgorithm: 'hmac-sha256',
      waypostTsigSecret: SECRET,
    });
    assert.match(await dig('acme.example', 'AXFR'), /Transfer failed/);
    assert.match(await dig('acme.example', 'AXFR', '-y', KEY), /\sMX\s/);
    assert.match(await dig('acme.example', 'SOA', '-y', KEY), /NOERROR[\s\S]*TSIG PSEUDOSECTION/);
    const forged = KEY.replace(SECRET, Buffer.from('another').toString('base64'));
    assert.match(await dig('acme.example', 'SOA', '-y', forged), /status: NOTAUTH[\s\S]*BADSIG/);
    assert.match(await dig('acme.example', 'SOA', '-y', KEY.replace('xfer', 'theirs')), /status: NOTAUTH[\s\S]*BADKEY/);
    // dig signs as if it were 1970, says so of our answer, and reads our time from it.
    const late = await dig('acme.example', 'SOA', '-y', KEY, '+fuzztime=1000');
    assert.match(late, /status: NOTAUTH[\s\S]*TSIG PSEUDOSECTION[\s\S]*\s1000 300 32 \S+ \d+ BADTIME 6 /);
    const short = await dig('acme.example', 'SOA', '-y', KEY.replace('sha256', 'sha256-128'));
    assert.match(short, /status: NOTAUTH[\s\S]*BADTRUNC/);
    await forget('one');
  });

  test('kdig has the same zone, signed, and takes our signature', { skip: peer('kdig').skip }, async () => {
    await nameServer('one', {
      waypostNameServerAddress: '127.0.0.1:5399',
      waypostTsigName: 'xfer.example',
      waypostTsigSecret: SECRET,
    });
    const records = (text: string): string[] =>
      text
        .split('\n')
        .filter((line) => /\sIN\s/.test(line) && !line.startsWith(';'))
        .map((line) => line.replaceAll(/\s+/g, ' ').trim())
        .sort();
    const kdig = async (...words: string[]): Promise<string> => {
      const base = [`@127.0.0.1`, '-p', String(server.listeners.dns.port), '+time=30', '+retry=0'];
      const { stdout, stderr } = await run('kdig', [...base, ...words]).catch((error) => error);
      return `${stdout}${stderr}`;
    };
    const whole = await kdig('-y', KEY, 'acme.example', 'AXFR');
    assert.doesNotMatch(whole, /;; (?:WARNING|ERROR)/);
    assert.ok(records(whole).length > 5);
    assert.deepEqual(records(whole), records(await dig('acme.example', 'AXFR', '-y', KEY)));
    const serial = /\sSOA\s+\S+\s+\S+\s+(\d+)/.exec(whole)![1];
    assert.equal(records(await kdig('-y', KEY, 'acme.example', `IXFR=${serial}`)).length, 1);
    const forged = await kdig(
      '-y',
      KEY.replace(SECRET, Buffer.from('another').toString('base64')),
      'acme.example',
      'AXFR',
    );
    assert.match(forged, /BADSIG|NOTAUTH/);
    assert.deepEqual(records(forged), []);
    await forget('one');
  });

  test('BIND has the zone, signed, and a change by difference', async (context) => {
    const theirs = await freePort();
    await nameServer('one', {
      waypostNameServerAddress: `127.0.0.1:${theirs}`,
      waypostTsigName: 'xfer.example',
      waypostTsigSecret: SECRET,
    });
    const { port } = server.listeners.dns;
    const bind = await Bind.start({
      port: theirs,
      more: `${BIND_KEY}zone "acme.example" { type secondary; file "acme.db"; masterfile-format text;
        primaries { 127.0.0.1 port ${port} key "xfer.example"; }; };`,
    });
    context.after(() => bind.stop());
    const asked = async (name: string, type: string) =>
      (await run('dig', ['@127.0.0.1', '-p', String(bind.port), '+short', name, type])).stdout.trim();
    await until('BIND has the zone', async () => (await asked('www.acme.example', 'A')) === '192.0.2.7');
    assert.equal(await asked('_dmarc.acme.example', 'TXT'), '"v=DMARC1; p=none"');
    assert.doesNotMatch(server.stderr(), /"kind":"ixfr"/);
    const mail = `dc=mail,${domainDn('acme.example')}`;
    await ldap.add(mail, { objectClass: 'dNSDomain', dc: 'mail', aRecord: '192.0.2.6' });
    await until('BIND has the change', async () => (await asked('mail.acme.example', 'A')) === '192.0.2.6');
    await server.said(/"zone":"acme.example".*"kind":"ixfr"/);
    await ldap.del(mail);
    await forget('one');
  });

  test('IXFR tells what has changed since a serial', async () => {
    await nameServer('one', { waypostNameServerAddress: '127.0.0.1:5399' });
    const serial = (await dig('+short', 'acme.example', 'SOA')).split(' ')[2]!;
    assert.equal((await dig('acme.example', `IXFR=${serial}`)).match(/SOA/g)?.length, 1);
    await ldap.add(`dc=ftp,${domainDn('acme.example')}`, {
      objectClass: 'dNSDomain',
      dc: 'ftp',
      aRecord: '192.0.2.8',
    });
    await ldap.del(`dc=www,${domainDn('acme.example')}`);
    const lines = (await dig('acme.example', `IXFR=${serial}`)).split('\n').filter((line) => /\sIN\s/.test(line));
    assert.deepEqual(
      lines.map((line) => line.split(/\s+/)).map((words) => `${words[0]} ${words[3]}`),
      [
        ...['acme.example. SOA', 'acme.example. SOA', 'www.acme.example. A'],
        ...['acme.example. SOA', 'ftp.acme.example. A', 'acme.example. SOA'],
      ],
    );
    await forget('one');
  });

  test('where a host or a key of the site has moved the whole zone is told; a key of one domain is a difference', async () => {
    await nameServer('one', { waypostNameServerAddress: '127.0.0.1:5399' });
    const lines = async (type: string): Promise<string[]> =>
      (await dig('acme.example', type)).split('\n').filter((line) => /\sIN\s/.test(line));
    const serialNow = async () => (await dig('+short', 'acme.example', 'SOA')).split(' ')[2]!;
    const key = (selector: string, of: Record<string, string>) =>
      ldap.add(`cn=${selector},ou=Keys,ou=Waypost,${SUFFIX}`, {
        objectClass: 'waypostDkimKey',
        cn: selector,
        waypostKeyType: 'ed25519',
        waypostKeySecret: generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
        ...of,
      });
    const addHost = () =>
      ldap.add(`cn=mx2.elsewhere.test,ou=Hosts,ou=Waypost,${SUFFIX}`, {
        objectClass: 'waypostHost',
        waypostHostAddress: '192.0.2.77',
        waypostHostService: 'smtp 25',
      });
    const moves: readonly (readonly [isWhole: boolean, told: RegExp, move: () => Promise<unknown>])[] = [
      [true, /MX\s10 mx2\.elsewhere\.test\./, () => addHost()],
      [true, /^s8\._domainkey\.acme\.example\./, () => key('s8', {})],
      [false, /^s9\._domainkey\.acme\.example\./, () => key('s9', { waypostKeyDomain: 'acme.example' })],
    ];
    for (const [isWhole, told, move] of moves) {
      const serial = await serialNow();
      await move();
      const [difference, whole] = [await lines(`IXFR=${serial}`), await lines('AXFR')];
      assert.ok(
        difference.some((line) => told.test(line)),
        String(told),
      );
      assert.equal(difference.filter((line) => /\sSOA\s/.test(line)).length, isWhole ? 2 : 4);
      if (isWhole) assert.deepEqual(difference, whole);
      else assert.ok(difference.length < whole.length);
    }
    for (const name of ['cn=mx2.elsewhere.test,ou=Hosts', 'cn=s8,ou=Keys', 'cn=s9,ou=Keys'])
      await ldap.del(`${name},ou=Waypost,${SUFFIX}`);
    await forget('one');
  });

  test('a catalog: two BIND and two Knot learn of domains by themselves, follow them by difference, and forget them', {
    skip: peer('knotd').skip,
  }, async (context) => {
    const catalog = `catalog.${server.hostname}`;
    assert.equal(await dig('+short', `version.${catalog}`, 'TXT'), '');
    assert.match(await dig(catalog, 'SOA'), /status: REFUSED/);
    const peers: CatalogPeer[] = [];
    for (const [i, program] of (['BIND', 'BIND', 'Knot', 'Knot'] as const).entries()) {
      const started = await startCatalogPeer({ server, ldap, program, source: `127.0.0.${21 + i}` });
      context.after(() => started.stop());
      peers.push(started);
    }
    const client = new DnsClient();
    context.after(() => client.close());
    const asked = async (at: CatalogPeer, name: string, type: 'A' | 'TXT'): Promise<string> => {
      const reply = await client.ask(name, type, { servers: [at] });
      return 'answers' in reply ? reply.answers.map(rdataText).join() : '';
    };
    const everywhere = async (what: string, name: string, type: 'A' | 'TXT', answer: string): Promise<void> => {
      const since = performance.now();
      await Promise.all(
        peers.map(async (at) => {
          await until(`${at.name}: ${what}`, async () => (await asked(at, name, type)) === answer);
          context.diagnostic(`${at.name}: ${what} after ${Math.round(performance.now() - since)} ms`);
        }),
      );
    };
    const policy = '"v=DMARC1; p=none"';
    await everywhere('a domain of before', '_dmarc.other.example', 'TXT', policy);
    for (const name of ['later', 'last']) {
      await addDomain(ldap, `${name}.example`);
      await everywhere('a domain that came later', `_dmarc.${name}.example`, 'TXT', policy);
    }
    await ldap.add(`dc=www,${domainDn('later.example')}`, {
      objectClass: 'dNSDomain',
      dc: 'www',
      aRecord: '192.0.2.9',
    });
    await everywhere('a change', 'www.later.example', 'A', '192.0.2.9');
    // Nobody waits here as long as they would before they look by themselves: they have been told.
    for (const zone of [catalog, 'later.example']) {
      const [refreshSeconds, retrySeconds] = (await dig('+short', zone, 'SOA', '-y', KEY)).split(' ').slice(3);
      assert.deepEqual([refreshSeconds, retrySeconds], ['3600', '600'], zone);
    }
    await ldap.del(`dc=www,${domainDn('later.example')}`);
    await ldap.del(domainDn('later.example'));
    await everywhere('its end', '_dmarc.later.example', 'TXT', '');
    await everywhere('what stays', '_dmarc.last.example', 'TXT', policy);
    const events = (event: string): Record<string, unknown>[] =>
      server
        .stderr()
        .split('\n')
        .flatMap((line) => (line.includes(`"${event}"`) ? [JSON.parse(line) as Record<string, unknown>] : []));
    for (const { name, source, address, port } of peers)
      for (const zone of [catalog, 'later.example']) {
        await until(`${name}: told of ${zone}`, () =>
          events('dns.notify').some(
            (one) => one['peer'] === `${address}:${port}` && one['zone'] === zone && one['rcode'] === 0,
          ),
        );
        await until(`${name}: ${zone} by difference`, () =>
          events('dns.transfer').some(
            (one) => one['peer'] === source && one['zone'] === zone && one['kind'] === 'ixfr',
          ),
        );
      }
    for (const { name } of peers) await forget(name);
  });
});
