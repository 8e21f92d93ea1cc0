// NOTIFY to name servers that take it, refuse it or say nothing: real datagrams, and a clock that the test turns.

import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { type TestContext, test } from 'node:test';
import { systemClock } from '../base/clock.ts';
import { operation } from '../database/operation.ts';
import { add, openTestDirectory } from '../provisioning/testing.ts';
import { OPCODE_NOTIFY, RCODE } from '../wire/dns/codes.ts';
import { decodeMessage, encodeMessage } from '../wire/dns/message.ts';
import { signTsig, type TsigKey, verifyTsig } from '../wire/dns/tsig.ts';
import type { ZoneRow } from '../zones/compile.ts';
import { setRow } from '../zones/names.ts';
import { pathOf } from '../zones/path.ts';
import { type NameServerRow, setSetting } from '../zones/settings.ts';
import { testEntry } from '../zones/testing.ts';
import { configure } from './configuration.ts';
import { notifySecondaries } from './zone-notify.ts';

const ZONE = 'a.example';
const STEP_MS = 100;
const ANSWER_MS = 300;
/** A datagram of this machine to itself, and its answer, need fewer. */
const TURNS = 20;

const setZone = operation('test.setZone', async (tx, row: ZoneRow): Promise<void> => {
  await setRow(tx, pathOf(ZONE), { row, entry: testEntry(ZONE) }, await tx.nextRevision());
});
const addServer = operation('test.addServer', async (tx, row: NameServerRow): Promise<void> => {
  await setSetting(tx, row, row, await tx.nextRevision());
});

const addZones = operation('test.addZones', async (tx, count: number): Promise<void> => {
  const revision = await tx.nextRevision();
  for (let i = 0; i < count; i++)
    await setRow(tx, pathOf(`z${i}.example`), { row: { domain: 'mail' }, entry: testEntry(`z${i}`) }, revision);
});

interface Heard {
  readonly atMs: number;
  readonly zone: string;
}

interface Behaviour {
  /** What it answers to the n-th message about a zone, from 1; undefined: nothing. */
  readonly rcode: (count: number) => number | undefined;
  /** The key that each message must be signed with; none: none may be signed. */
  readonly requires?: TsigKey;
  /** Its answers are signed with; none: they are not. */
  readonly signs?: TsigKey;
}

interface FakeServer {
  readonly port: number;
  /** Of ZONE alone. */
  heard(): readonly number[];
  all(): readonly Heard[];
  forget(): void;
}

/** A name server that hears NOTIFY. */
async function fakeServer(
  context: TestContext,
  clock: () => number,
  { rcode, requires, signs }: Behaviour,
): Promise<FakeServer> {
  const socket = createSocket('udp4');
  await new Promise<void>((bound) => socket.bind(0, '127.0.0.1', bound));
  context.after(() => socket.close());
  const all: Heard[] = [];
  socket.on('message', (octets, from) => {
    const message = decodeMessage(octets);
    const verified = verifyTsig(octets, (name) => (name === requires?.name ? requires : undefined), { now: now() });
    assert.equal(verified !== undefined && 'mac' in verified, requires !== undefined);
    assert.equal(message.opcode, OPCODE_NOTIFY);
    const { name: zone, type } = message.questions[0]!;
    assert.equal(type, 'SOA');
    all.push({ atMs: clock(), zone });
    const said = rcode(all.filter((one) => one.zone === zone).length);
    if (said === undefined) return;
    const plain = encodeMessage({ ...message, isResponse: true, rcode: said, additionals: [] });
    const request = verified !== undefined && 'mac' in verified ? { request: verified.mac } : {};
    const answer = signs === undefined ? plain : signTsig(plain, signs, { at: now(), ...request }).octets;
    // Long enough for the zone to move before it comes.
    setTimeout(() => socket.send(answer, from.port, from.address), ANSWER_MS);
  });
  return {
    port: socket.address().port,
    heard: () => all.filter(({ zone }) => zone === ZONE).map(({ atMs }) => atMs),
    all: () => all,
    forget: () => all.splice(0),
  };
}

type Keys = Pick<Behaviour, 'requires' | 'signs'>;

function dnOf(key: string): string {
  return `cn=${key},ou=Hosts,ou=Waypost,o=internet`;
}

/** Where the secret is read from. */
function keyEntry(cn: string, { name, algorithm, secret }: TsigKey) {
  return add(dnOf(cn), {
    objectClass: 'waypostNameServer',
    cn,
    waypostNameServerRole: 'secondary',
    waypostNameServerAddress: '127.0.0.9',
    waypostTsigName: name,
    waypostTsigAlgorithm: algorithm,
    waypostTsigSecret: secret.toString('base64'),
  });
}

const now = (): number => Math.floor(systemClock.now() / 1000);

async function scene(context: TestContext) {
  let nowMs = 0;
  context.mock.method(performance, 'now', () => nowMs);
  context.mock.timers.enable({ apis: ['setInterval', 'setTimeout'] });
  const database = await openTestDirectory();
  context.after(() => database.close());
  const logged: string[] = [];
  const line = (level: string) => (event: string, fields?: object) => {
    const { zone, peer, rcode, error } = { zone: '', peer: '', rcode: '', error: undefined, ...fields };
    if (zone === ZONE) logged.push(`${level} ${event} ${peer} ${error === undefined ? rcode : 'silent'}`);
  };
  const log = { debug: line('debug'), info: line('info'), warn: line('warn'), error: line('error') };
  const overrides = { development: true, hostname: 'mail.a.example', listen: undefined, portOffset: undefined };
  const configuration = configure(undefined, '', { ...overrides, data: database.directory, log: undefined });
  const site = { tenant: 1, hostnames: ['mail.a.example'] };
  await database.writer.execute(setZone, { domain: 'mail' });

  const advance = async (ms: number): Promise<void> => {
    for (let passed = 0; passed < ms; passed += STEP_MS) {
      nowMs += STEP_MS;
      context.mock.timers.tick(STEP_MS);
      for (let turn = 0; turn < TURNS; turn++) await new Promise((resolve) => setImmediate(resolve));
    }
  };
  const server = async (key: string, rcode: Behaviour['rcode'], keys: Keys = {}): Promise<FakeServer> => {
    const fake = await fakeServer(context, () => nowMs, { rcode, ...keys });
    const addresses = [{ address: '127.0.0.1', port: fake.port }];
    const { requires } = keys;
    if (requires !== undefined) await database.apply(keyEntry(key, requires));
    const row = {
      kind: 'nameserver',
      key,
      dn: dnOf(key),
      role: 'secondary',
      addresses,
      zones: [],
      watch: [],
      ...(requires === undefined ? {} : { tsig: { name: requires.name, algorithm: requires.algorithm } }),
    } as const;
    await database.writer.execute(addServer, row);
    return fake;
  };
  const start = (): void => {
    const job = notifySecondaries({ configuration, log, shared: database.shared, database, site });
    context.after(() => job.stop());
  };
  const move = (text: string) =>
    database.writer.execute(setZone, { domain: 'mail', dmarc: `v=DMARC1; p=${text}` } as ZoneRow);
  const zones = (count: number) => database.writer.execute(addZones, count);
  return { advance, server, start, move, zones, logged };
}

/** Between one message and the next; looks are a little late. */
function assertGaps(heard: readonly number[], gapsMs: readonly number[]): void {
  assert.equal(heard.length, gapsMs.length + 1, String(heard));
  for (const [i, gapMs] of gapsMs.entries()) {
    const gone = heard[i + 1]! - heard[i]!;
    assert.ok(gone >= gapMs && gone <= gapMs + ANSWER_MS + 5 * STEP_MS, `${heard} at ${i}`);
  }
}

test('refused or not answered it is sent again after 1, 2, 4 and 8 s, five times in all; taken, no more', async (context) => {
  const { advance, server, start, logged } = await scene(context);
  const refuses = await server('refuses', () => RCODE.REFUSED);
  const silent = await server('silent', () => undefined);
  const late = await server('late', (count) => (count < 3 ? RCODE.NOTAUTH : RCODE.NOERROR));
  start();
  await advance(90_000);
  assertGaps(refuses.heard(), [1000, 2000, 4000, 8000]);
  // Each time two seconds are waited for an answer.
  assertGaps(silent.heard(), [3000, 4000, 6000, 10_000]);
  assertGaps(late.heard(), [1000, 2000]);
  assert.deepEqual(
    logged.sort(),
    [
      `info dns.notify 127.0.0.1:${late.port} ${RCODE.NOERROR}`,
      `warn dns.notify 127.0.0.1:${refuses.port} ${RCODE.REFUSED}`,
      `warn dns.notify 127.0.0.1:${silent.port} silent`,
    ].sort(),
  );
});

test('a zone that has moved again is told from the beginning, whether the last is still tried or was given up', async (context) => {
  const { advance, server, start, move } = await scene(context);
  const refuses = await server('refuses', () => RCODE.REFUSED);
  start();
  await advance(5000);
  assert.equal(refuses.heard().length, 3);
  refuses.forget();
  await move('quarantine');
  await advance(60_000);
  assertGaps(refuses.heard(), [1000, 2000, 4000, 8000]);
  refuses.forget();
  await move('reject');
  await advance(60_000);
  assertGaps(refuses.heard(), [1000, 2000, 4000, 8000]);
});

test('a zone that moves while an answer is waited for is told five times, too', async (context) => {
  const { advance, server, start, move } = await scene(context);
  const silent = await server('silent', () => undefined);
  start();
  while (silent.heard().length < 4) await advance(STEP_MS);
  silent.forget();
  await move('quarantine');
  await advance(90_000);
  assertGaps(silent.heard(), [3000, 4000, 6000, 10_000]);
});

test('a refusal that comes when the zone has moved already does not count against it', async (context) => {
  const { advance, server, start, move } = await scene(context);
  const refuses = await server('refuses', () => RCODE.REFUSED);
  start();
  while (refuses.heard().length < 4) await advance(STEP_MS);
  refuses.forget();
  await move('quarantine');
  await advance(60_000);
  assertGaps(refuses.heard(), [1000, 2000, 4000, 8000]);
});

test('changes of one second are told once', async (context) => {
  const { advance, server, start, move } = await scene(context);
  const takes = await server('takes', () => RCODE.NOERROR);
  start();
  await advance(5000);
  takes.forget();
  for (let i = 0; i < 5; i++) {
    await move(i % 2 === 0 ? 'quarantine' : 'reject');
    await advance(200);
  }
  await advance(10_000);
  assertGaps(takes.heard(), [1000]);
});

const key: TsigKey = {
  name: 'xfer.example',
  algorithm: 'hmac-sha256',
  secret: Buffer.from('thirty-two octets of one secret.'),
};

test('one whose entry has a key is told with it, and believed when its answer has it, too', async (context) => {
  const { advance, server, start, logged } = await scene(context);
  const taken = () => RCODE.NOERROR;
  const signs = await server('signs', taken, { requires: key, signs: key });
  const longer = { ...key, name: 'longer.example', algorithm: 'hmac-sha512' } as const;
  const others = await server('longer', taken, { requires: longer, signs: longer });
  const unsigned = await server('unsigned', taken, { requires: key });
  const forged = await server('forged', taken, { requires: key, signs: { ...key, secret: Buffer.from('another') } });
  start();
  await advance(90_000);
  assert.equal(signs.heard().length, 1);
  assert.equal(others.heard().length, 1);
  // No answer: that of anybody could have said so.
  for (const { heard } of [unsigned, forged]) assert.equal(heard().length, 5);
  assert.deepEqual(
    logged.sort(),
    [
      `info dns.notify 127.0.0.1:${signs.port} ${RCODE.NOERROR}`,
      `info dns.notify 127.0.0.1:${others.port} ${RCODE.NOERROR}`,
      `warn dns.notify 127.0.0.1:${unsigned.port} silent`,
      `warn dns.notify 127.0.0.1:${forged.port} silent`,
    ].sort(),
  );
});

test('of many zones a hundred are told a second, the catalog first, and each at last', async (context) => {
  const { advance, server, start, zones } = await scene(context);
  const [one, other] = [await server('one', () => RCODE.NOERROR), await server('other', () => RCODE.NOERROR)];
  await zones(450);
  start();
  await advance(20_000);
  const heard = [...one.all(), ...other.all()].map(({ atMs }) => atMs).sort((a, b) => a - b);
  assert.equal(one.all()[0]!.zone, 'catalog.mail.a.example');
  for (const { all } of [one, other]) assert.equal(new Set(all().map(({ zone }) => zone)).size, 452);
  assert.equal(heard.length, 2 * 452);
  const inSecond = heard.map((from) => heard.filter((at) => at >= from && at < from + 1000).length);
  assert.equal(Math.max(...inSecond), 100);
  // And that is what it takes, not more.
  assert.ok(heard.at(-1)! - heard[0]! <= 11_000, `${heard.at(-1)! - heard[0]!} ms`);
});
