// The server is killed in the middle of a transfer, of a whole zone and of a difference: afterwards what its secondary serves is
// what it serves itself. All is signed. And it is killed while it writes: the difference that it tells then, from a serial of
// before, is what was acknowledged.
//
// In      Knot behind a relay that tells of messages, dig; the started program and SIGKILL
// Out     the zone, transferred from both; the zone of before with the difference, and what LDAP has answered

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { promisify } from 'node:util';
import type { Client } from 'ldapts';
import { decodeMessage } from '../../src/wire/dns/message.ts';
import type { TsigKey } from '../../src/wire/dns/tsig.ts';
import { addDomain, administrator, domainDn, replaceAttribute, SUFFIX } from '../support/directory.ts';
import { DnsRelay } from '../support/dns-relay.ts';
import { freeOffset, freePort } from '../support/free-ports.ts';
import { Knot } from '../support/knot.ts';
import { peer } from '../support/peers.ts';
import { startWaypost } from '../support/server.ts';
import { until } from '../support/until.ts';

const run = promisify(execFile);
const ZONE = 'large.example';
const KEY: TsigKey = {
  name: 'xfer.example',
  algorithm: 'hmac-sha256',
  secret: Buffer.from('a secret of thirty-two octets...'),
};
const SECRET = KEY.secret.toString('base64');
const NAMES = 120;
/** As many are told as a difference. */
const CHANGED = 40;
/** Nothing listens there. */
const NOBODY = 1;
const TEXT = 'x'.repeat(240);
const skip = peer('knotd').skip || peer('dig').skip;

test('a kill in the middle of a transfer, whole or of a difference: the secondary comes true', {
  skip,
}, async (context) => {
  const server = await startWaypost();
  context.after(() => server.stop());
  let isCut = false;
  const relay = await DnsRelay.start({
    address: '127.0.0.1',
    get port() {
      return isCut ? NOBODY : server.listeners.dns.port;
    },
  });
  context.after(() => relay.stop());
  const withDirectory = async (work: (ldap: Client) => Promise<unknown>): Promise<void> => {
    const ldap = await administrator(server);
    await work(ldap);
    await ldap.unbind().catch(() => {});
  };
  const dn = (i: number): string => `dc=n${i},${domainDn(ZONE)}`;
  const texts = (what: string): string[] => [1, 2, 3].map((i) => `"${what}${i}${TEXT}"`);
  const port = await freePort();
  await withDirectory(async (ldap) => {
    await addDomain(ldap, ZONE);
    for (let i = 0; i < NAMES; i++)
      await ldap.add(dn(i), { objectClass: 'dNSDomain', dc: `n${i}`, tXTRecord: texts('was') });
    await ldap.add(`cn=knot,ou=Hosts,ou=Waypost,${SUFFIX}`, {
      objectClass: 'waypostNameServer',
      waypostNameServerRole: 'secondary',
      waypostNameServerAddress: `127.0.0.1:${port}`,
      waypostTsigName: KEY.name,
      waypostTsigSecret: SECRET,
    });
  });

  /** Resolves when the server is killed: with the second message of the next answer to a question of this type. */
  const killed = (type: 'AXFR' | 'IXFR'): Promise<void> => {
    let count = 0;
    let isAsked = false;
    let isDifference = false;
    return new Promise((resolve) => {
      relay.asked = (message) => {
        isAsked = decodeMessage(message).questions[0]?.type === type;
        return true;
      };
      relay.answered = async (message) => {
        if (!isAsked || ++count > 2) return !isAsked;
        // RFC 1995 §4: a difference begins with two SOA records.
        if (count === 1) isDifference = decodeMessage(message).answers[1]?.type === 'SOA';
        if (count === 1) return true;
        assert.equal(isDifference, type === 'IXFR');
        await server.kill9();
        resolve();
        return false;
      };
    });
  };
  const open = (): void => {
    relay.asked = () => true;
    relay.answered = () => true;
  };
  const zoneAt = async (at: number): Promise<readonly string[]> => {
    const words = [
      '@127.0.0.1',
      '-p',
      String(at),
      '+nocmd',
      '+nostats',
      '+time=30',
      '+tries=1',
      '-y',
      `${KEY.algorithm}:${KEY.name}:${SECRET}`,
      ZONE,
      'AXFR',
    ];
    const { stdout } = await run('dig', words).catch((error: { stdout: string }) => error);
    return stdout
      .split('\n')
      .filter((line) => /\sIN\s/.test(line))
      .sort();
  };
  const comesTrue = async (what: string): Promise<void> => {
    open();
    await server.restart();
    const since = performance.now();
    await until('the secondary has what the server has', async () => {
      const [theirs, ours] = [await zoneAt(port), await zoneAt(server.listeners.dns.port)];
      return ours.length > NAMES && theirs.join('\n') === ours.join('\n');
    });
    context.diagnostic(`${what}: true ${Math.round(performance.now() - since)} ms after the start`);
  };

  const inWhole = killed('AXFR');
  const knot = await Knot.start({
    port,
    keys: [KEY],
    more: `  - id: told\n    address: 127.0.0.1\n    key: ${KEY.name}\n    action: notify
remote:\n  - id: waypost\n    address: 127.0.0.1@${relay.port}\n    key: ${KEY.name}\n`,
    moreZones: `  - domain: ${ZONE}\n    master: waypost\n    acl: [peers, told]\n    zonefile-load: none\n`,
  });
  context.after(() => knot.stop());
  await inWhole;
  assert.deepEqual(await zoneAt(port), [], 'it has half of the zone');
  await comesTrue('whole');

  // It hears of the changes and cannot ask, until the relay waits for its question: it may ask again by itself as well.
  isCut = true;
  await withDirectory(async (ldap) => {
    for (let i = 0; i < CHANGED; i++) await replaceAttribute(ldap, dn(i), 'tXTRecord', texts('is'));
  });
  const before = await zoneAt(port);
  const inDifference = killed('IXFR');
  isCut = false;
  // It is told once more. The kill may come first.
  await withDirectory((ldap) => replaceAttribute(ldap, dn(CHANGED), 'tXTRecord', texts('also'))).catch(() => {});
  await inDifference;
  assert.deepEqual(await zoneAt(port), before, 'it has half of the difference');
  await comesTrue('difference');
  assert.equal((await zoneAt(port)).filter((line) => line.includes('"is')).length, 3 * CHANGED);
});

const KILLS = Number(process.env['TRANSFER_KILLS'] ?? 2);
const BASE = 30;
const IN_FLIGHT = 16;
/** No other test's server has this address. */
const HERE = '127.0.0.43';

test('a kill while names come, change and go: the difference told then is what was acknowledged', {
  skip: peer('dig').skip,
}, async (context) => {
  // On ports that stay: where a host has other services the whole zone is what there is to tell.
  const env = { WAYPOST_LISTEN: HERE, WAYPOST_PORT_OFFSET: String(await freeOffset()) };
  const server = await startWaypost({ env });
  context.after(() => server.stop());
  const dn = (name: string): string => `dc=${name},${domainDn(ZONE)}`;
  const name = (dc: string, text: string) => ({ objectClass: 'dNSDomain', dc, tXTRecord: `"${text}"` });
  const first = await administrator(server);
  await addDomain(first, ZONE);
  for (let i = 0; i < BASE; i++) await first.add(dn(`n${i}`), name(`n${i}`, 'was'));
  await first.add(`cn=one,ou=Hosts,ou=Waypost,${SUFFIX}`, {
    objectClass: 'waypostNameServer',
    waypostNameServerRole: 'secondary',
    waypostNameServerAddress: `127.0.0.1:${NOBODY}`,
  });
  await first.unbind();

  /** Records as they come, the SOA records among them. */
  const told = async (type: string): Promise<readonly string[]> => {
    const at = [`@${HERE}`, '-p', String(server.listeners.dns.port), '+nocmd', '+nostats', '+time=30', '+tries=1'];
    const { stdout } = await run('dig', [...at, ZONE, type]);
    return stdout.split('\n').filter((line) => /\sIN\s/.test(line));
  };
  const isSoa = (line: string): boolean => /\sSOA\s/.test(line);
  const texts = new Map(Array.from({ length: BASE }, (_, i) => [`n${i}`, 'was']));

  for (let kill = 0; kill < KILLS; kill++) {
    const before = await told('AXFR');
    const serial = before[0]!.split(/\s+/)[6]!;
    const ldap = await administrator(server);
    /** Names whose last change was not answered, with what it would make of them. */
    const unknown = new Map<string, string | undefined>();
    let acknowledged = 0;
    let isKilled = false;
    const enough = 1 + Math.floor(Math.random() * IN_FLIGHT);
    const work = async (dc: string, text: string | undefined): Promise<void> => {
      const had = texts.get(dc);
      unknown.set(dc, text);
      if (text === undefined) await ldap.del(dn(dc));
      else if (had === undefined) await ldap.add(dn(dc), name(dc, text));
      else await replaceAttribute(ldap, dn(dc), 'tXTRecord', [`"${text}"`]);
      if (isKilled) return;
      unknown.delete(dc);
      if (text === undefined) texts.delete(dc);
      else texts.set(dc, text);
      if (++acknowledged < enough) return;
      isKilled = true;
      await server.kill9();
    };
    const old = [...texts.keys()];
    await Promise.allSettled(
      Array.from({ length: IN_FLIGHT }, (_, i) => {
        if (i % 3 === 0) return work(`k${kill}x${i}`, 'came');
        return work(old[(i + kill * 5) % old.length]!, i % 3 === 1 ? `is${kill}` : undefined);
      }),
    );
    assert.ok(isKilled, 'it was not killed');
    await server.restart();
    const [difference, after] = [await told(`IXFR=${serial}`), await told('AXFR')];
    // RFC 1995 §4: new SOA, old SOA, what went, new SOA, what came, new SOA.
    const marks = difference.flatMap((line, i) => (isSoa(line) ? i : []));
    assert.equal(marks.length, 4, `a difference is told: ${difference.join('\n')}`);
    assert.equal(difference[marks[1]!]!.split(/\s+/)[6], serial);
    const gone = new Set(difference.slice(marks[1]! + 1, marks[2]));
    const records = (lines: readonly string[]): readonly string[] => lines.filter((line) => !isSoa(line));
    const made = [...records(before).filter((line) => !gone.has(line)), ...difference.slice(marks[2]! + 1, marks[3])];
    assert.deepEqual(made.sort(), [...records(after)].sort());
    for (const [dc, text] of unknown) {
      const found = after.find((line) => line.startsWith(`${dc}.${ZONE}.`));
      const has = found && /"(.*)"/.exec(found)![1];
      assert.ok(has === text || has === texts.get(dc), `${dc}: ${has}`);
      if (has === undefined) texts.delete(dc);
      else texts.set(dc, has);
    }
    const served = after.flatMap((line) =>
      /\sTXT\s"(?:was|came|is\d+)"$/.test(line) ? `${line.split('.')[0]} ${/"(.*)"/.exec(line)![1]}` : [],
    );
    assert.deepEqual(served.sort(), [...texts].map(([dc, text]) => `${dc} ${text}`).sort());
    context.diagnostic(`${acknowledged} acknowledged, ${unknown.size} not: ${difference.length - 4} records told`);
  }
});
