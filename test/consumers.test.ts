// Both consumers of ours under random changes: a second server that follows our feed, and the mirror that follows an OpenLDAP.
// Connections are cut, either side is killed, the log is cut off; in the end both sides have the same entries. And where one kind
// of deletion is not carried out, they have not.
//
// Random changes by a seed (FEED_SEED); CONSUMER_ROUNDS=20 makes it long, and leaves the deletions out one by one.
// What is compared: names, attributes and values of all entries below one, entryUUID among them

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, describe, test } from 'node:test';
import fc from 'fast-check';
import { AdminClient } from '../src/cli/client.ts';
import { RawClient, searchFor } from '../src/protocols/ldap/testing.ts';
import type { LdapRequest } from '../src/wire/ldap/message.ts';
import { CORP, CORP_ADMIN, CORP_PASSWORD, CORP_READER, CorpSlapd } from './support/corp-slapd.ts';
import { ADMINISTRATOR, administrator } from './support/directory.ts';
import { type Mutation, mutated } from './support/mutate.ts';
import { peersMissing } from './support/peers.ts';
import { type Relay, startRelay } from './support/relay.ts';
import { startWaypost, type Waypost } from './support/server.ts';
import { until } from './support/until.ts';

const ROUNDS = Number(process.env['CONSUMER_ROUNDS'] ?? 1);
const isLong = process.env['CONSUMER_ROUNDS'] !== undefined;
const SEED = Number(process.env['FEED_SEED'] ?? (isLong ? Date.now() : 1));
const MANAGE = { type: '2.16.840.1.113730.3.4.2', critical: true, value: undefined };

/** Who is followed, and how. */
interface Side {
  /** As its administrator. */
  open(): Promise<RawClient>;
  kill9(): Promise<void>;
  start(): Promise<void>;
}

interface Pair {
  readonly provider: Side;
  readonly consumer: Side & { restart(env: Readonly<Record<string, string>>): Promise<void> };
  readonly relay: Relay;
  /** Changes are made below this entry. */
  readonly top: string;
  /** Cuts the provider's log off; it does not run. */
  prune(): void;
  /** Resolves when what was refreshed at the start has been compared too. */
  settled?(): Promise<void>;
}

async function bound(port: number, dn: string, password: string, host?: string): Promise<RawClient> {
  const relay = host === undefined || host === '127.0.0.1' ? undefined : await startRelay(() => ({ host, port }));
  const client = await RawClient.open(relay?.port ?? port);
  client.socket.once('close', () => relay?.close());
  assert.equal(await client.bind(dn, password), 0);
  return client;
}

async function ask(client: RawClient, request: LdapRequest): Promise<number> {
  client.request(request, []);
  const answer = await client.result();
  assert.ok(answer, 'the connection stays open');
  return answer.code;
}

type Contents = ReadonlyMap<string, string>;

async function contents(side: Side, top: string): Promise<Contents> {
  const client = await side.open();
  try {
    const all = new Map<string, string>();
    client.request(searchFor(top, { scope: 'sub', attributes: ['*', 'entryUUID'] }), [MANAGE]);
    for (;;) {
      const next = await client.response();
      assert.ok(next !== undefined);
      const { operation } = next;
      if (operation.kind !== 'searchEntry') break;
      const lines = operation.attributes.map(({ name, values }) => `${name}: ${values.map(String).sort().join(', ')}`);
      all.set(operation.dn.toLowerCase(), lines.sort().join('\n'));
    }
    return all;
  } finally {
    client.socket.destroy();
  }
}

function differences(ours: Contents, theirs: Contents): string[] {
  return [...new Set([...ours.keys(), ...theirs.keys()])]
    .filter((dn) => ours.get(dn) !== theirs.get(dn))
    .map((dn) => `${dn}\nhere:\n${ours.get(dn)}\nthere:\n${theirs.get(dn)}`);
}

async function equal({ provider, consumer, top }: Pair, story: readonly string[]): Promise<void> {
  let left: string[] = [];
  const look = async (): Promise<boolean> => {
    left = differences(await contents(consumer, top), await contents(provider, top));
    return left.length === 0;
  };
  await until('the same entries', look).catch((error: Error) =>
    assert.fail(`${error.message}, seed ${SEED}\n${left.slice(0, 10).join('\n')}\n${story.join('\n')}`),
  );
}

const NAMES = ['a', 'b', 'c', 'd'];
const person = (dn: string): LdapRequest => ({
  kind: 'add',
  dn,
  attributes: [
    { name: 'objectClass', values: ['person', 'uidObject'] },
    ...['uid', 'cn', 'sn'].map((name) => ({ name, values: [dn.slice(4, dn.indexOf(','))] })),
  ],
});
const describeAs = (dn: string, value: string): LdapRequest => ({
  kind: 'modify',
  dn,
  modifications: [{ operation: 'replace', attribute: 'description', values: [value] }],
});

function changesBelow(top: string): fc.Arbitrary<LdapRequest> {
  const anyName = fc.constantFrom(...NAMES).map((name) => `uid=${name}`);
  const node = fc.constantFrom('x', 'y').map((ou) => `ou=${ou},${top}`);
  const above = fc.oneof(fc.constant(top), node);
  const someone = fc.tuple(anyName, above).map((parts) => parts.join(','));
  const rename = (dn: string, newRdn: string, newSuperior: string | undefined): LdapRequest => ({
    kind: 'modifyDn',
    dn,
    newRdn,
    deleteOldRdn: true,
    newSuperior,
  });
  return fc.oneof(
    { weight: 5, arbitrary: someone.map(person) },
    { weight: 3, arbitrary: someone.map((dn): LdapRequest => ({ kind: 'delete', dn })) },
    {
      weight: 5,
      arbitrary: fc
        .tuple(someone, anyName, fc.option(above, { nil: undefined }))
        .map(([dn, to, superior]) => rename(dn, to, superior)),
    },
    { weight: 3, arbitrary: fc.tuple(someone, anyName).map(([dn, value]) => describeAs(dn, value)) },
    {
      weight: 2,
      arbitrary: node.map(
        (dn): LdapRequest => ({
          kind: 'add',
          dn,
          attributes: [
            { name: 'objectClass', values: ['organizationalUnit'] },
            { name: 'ou', values: [dn.slice(3, 4)] },
          ],
        }),
      ),
    },
    { weight: 1, arbitrary: node.map((dn): LdapRequest => ({ kind: 'delete', dn })) },
    {
      weight: 2,
      arbitrary: fc.tuple(node, fc.constantFrom('ou=x', 'ou=y')).map(([dn, to]) => rename(dn, to, undefined)),
    },
  );
}

const EVENTS = ['none', 'cut', 'kill the consumer', 'kill the provider', 'cut off the log'] as const;

/** Each event once a round, in any order, with changes behind it that some of them hide. */
async function follow(pair: Pair): Promise<void> {
  const { provider, consumer, relay, top } = pair;
  const changes = fc.array(changesBelow(top), { minLength: 10, maxLength: 30, size: 'max' });
  const round = fc
    .shuffledSubarray([...EVENTS], { minLength: EVENTS.length })
    .chain((events) =>
      fc.tuple(fc.constant(events), fc.array(changes, { minLength: events.length, maxLength: events.length })),
    );
  for (const [events, lists] of fc.sample(round, { numRuns: ROUNDS, seed: SEED })) {
    const story: string[] = [];
    for (const [at, event] of events.entries()) {
      story.push(event);
      if (event === 'cut') relay.cut();
      if (event === 'kill the consumer' || event === 'cut off the log') await consumer.kill9();
      if (event === 'kill the provider') {
        await provider.kill9();
        await provider.start();
      }
      const client = await provider.open();
      for (const request of lists[at]!)
        story.push(`${await ask(client, request)} ${JSON.stringify(request).slice(0, 150)}`);
      client.socket.destroy();
      if (event === 'cut off the log') {
        await provider.kill9();
        pair.prune();
        await provider.start();
      }
      if (event === 'kill the consumer' || event === 'cut off the log') await consumer.start();
      if (at % 2 === 1) await equal(pair, story);
    }
    await equal(pair, story);
  }
}

/** Whether a deletion is carried out that is told in this way. Only what was asked for behind it is waited for. */
async function removes(pair: Pair, way: 'at once' | 'in a refresh' | 'by what is left', mutation?: Mutation) {
  const { provider, consumer, top } = pair;
  const marker = `uid=m${process.hrtime.bigint()},${top}`;
  const dn = `uid=g${process.hrtime.bigint()},${top}`;
  const here = async (name: string) => (await contents(consumer, top)).has(name.toLowerCase());
  const make = async (...requests: LdapRequest[]): Promise<void> => {
    const client = await provider.open();
    for (const request of requests) assert.equal(await ask(client, request), 0);
    client.socket.destroy();
  };
  await consumer.restart(mutation === undefined ? {} : mutated(mutation));
  await make(person(dn));
  await until('who goes', () => here(dn));
  await pair.settled?.();
  if (way !== 'at once') await consumer.kill9();
  await make({ kind: 'delete', dn }, person(marker));
  if (way === 'by what is left') {
    await provider.kill9();
    pair.prune();
    await provider.start();
  }
  if (way !== 'at once') await consumer.restart(mutation === undefined ? {} : mutated(mutation));
  await until('who comes', () => here(marker));
  // A refresh ends behind its entries.
  const client = await provider.open();
  assert.equal(await ask(client, describeAs(marker, 'last')), 0);
  client.socket.destroy();
  await until('what came last', async () =>
    (await contents(consumer, top)).get(marker.toLowerCase())!.includes('last'),
  );
  return !(await here(dn));
}

const running = (server: () => Waypost, password: () => string): Side & Pair['consumer'] => ({
  open: () => bound(server().listeners.ldap.port, ADMINISTRATOR, password(), server().listeners.ldap.host),
  kill9: () => server().kill9(),
  start: () => server().restart(),
  restart: (env) => server().restart({ env: { ...ENVIRONMENT.get(server()), ...env } }),
});
/** What a server was started with. */
const ENVIRONMENT = new Map<Waypost, Readonly<Record<string, string>>>();

describe('a second server', () => {
  let first: Waypost;
  let second: Waypost;
  let relay: Relay;
  let folder: string;
  let pair: Pair;

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'waypost-consumers-'));
    first = await startWaypost({ env: { WAYPOST_HOSTNAME: 'mx1.hosts.example' } });
    ENVIRONMENT.set(first, { WAYPOST_HOSTNAME: 'mx1.hosts.example' });
    const { password } = await new AdminClient(first.data).call('host.add', { name: 'mx2.hosts.example' });
    writeFileSync(join(folder, 'password'), password!);
    relay = await startRelay(() => first.listeners.ldap);
    const env = { WAYPOST_HOSTNAME: 'mx2.hosts.example' };
    second = await startWaypost({
      env,
      config: `[directory]\nprovider = "ldap://127.0.0.1:${relay.port}"\npassword-file = "${join(folder, 'password')}"\n`,
    });
    ENVIRONMENT.set(second, env);
    const top = 'ou=moves,o=internet';
    const ours = await administrator(first);
    await ours.add(top, { objectClass: 'organizationalUnit', ou: 'moves' });
    await ours.unbind();
    const of = (server: () => Waypost) => running(server, () => first.ldap.password);
    pair = {
      ...{ provider: of(() => first), consumer: of(() => second), relay, top },
      prune() {
        const database = new DatabaseSync(join(first.data, 'store.db'));
        database.exec('DELETE FROM dit_change WHERE revision < (SELECT max(revision) FROM dit_change)');
        database.close();
      },
    };
    await until('the entry', async () => (await contents(pair.consumer, top)).size === 1);
  });
  after(async () => {
    await second?.stop();
    await first?.stop();
    relay?.close();
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
  });

  test('has the entries of the first after changes, cuts, kills, and a log that was cut off', () => follow(pair));

  const file = 'src/provisioning/replica/feed.ts';
  for (const [way, from, to] of [
    ['at once', "if (sync.state === 'delete') this.#gone(sync.uuid, sync.cookie);", "if (sync.state === 'delete') {}"],
    ['in a refresh', 'if (info.refreshDeletes) this.#gone(uuid, info.cookie);', 'if (info.refreshDeletes) {}'],
    ['by what is left', 'if (!named.has(uuid)) gone.push(uuid);', ''],
  ] as const)
    test(`removes who is gone, told ${way}, and would not without a line`, {
      skip: !isLong && 'CONSUMER_ROUNDS',
    }, async () => {
      assert.equal(await removes(pair, way), true);
      assert.equal(await removes(pair, way, { file, from, to }), false);
    });
});

const skip = peersMissing('slapd', 'ldapmodify');

describe('the mirror of an OpenLDAP', { skip }, () => {
  let server: Waypost;
  let corp: CorpSlapd;
  let relay: Relay;
  let pair: Pair;

  before(async () => {
    [server, corp] = await Promise.all([startWaypost(), CorpSlapd.start({ syncprov: true, sessionLog: 20 })]);
    ENVIRONMENT.set(server, {});
    relay = await startRelay(() => ({ port: corp.port }));
    const ours = await administrator(server);
    await ours.add('cn=corp,ou=Sources,ou=Waypost,o=internet', {
      objectClass: 'waypostLdapSource',
      waypostUrl: `ldap://127.0.0.1:${relay.port}`,
      waypostLogin: CORP_READER,
      waypostSecret: CORP_PASSWORD,
      waypostBase: CORP,
      waypostSourceDomain: 'corp.example',
      waypostPoll: '1s',
    });
    await ours.unbind();
    pair = {
      provider: {
        open: () => bound(corp.port, CORP_ADMIN, CORP_PASSWORD),
        kill9: () => corp.kill(),
        start: () => corp.run(),
      },
      consumer: running(
        () => server,
        () => server.ldap.password,
      ),
      relay,
      top: `ou=people,${CORP}`,
      // Its log is in memory, and short.
      prune() {},
      async settled() {
        const admin = new AdminClient(server.data);
        await until('it is current', async () => {
          const { sources } = await admin.call('sync.status', {});
          return (sources as readonly { state?: unknown }[]).some(({ state }) => state === 'current');
        });
      },
    };
    await until('the people', async () => (await contents(pair.consumer, pair.top).catch(() => new Map())).size === 1);
  });
  after(async () => {
    await server?.stop();
    await corp?.stop();
    relay?.close();
  });

  test('has its entries after changes, cuts and kills', () => follow(pair));

  for (const [way, mutation] of [
    [
      'at once',
      {
        file: 'src/directory/source/consumer.ts',
        from: "if (state === 'delete') this.#note(uuid);",
        to: "if (state === 'delete') {}",
      },
    ],
    [
      'by what is left',
      {
        file: 'src/provisioning/mirror/source-mirror.ts',
        from: 'if (!present.has(uuid)) gone.push(uuid);',
        to: '',
      },
    ],
  ] as const)
    test(`removes who is gone, told ${way}, and would not without a line`, {
      skip: !isLong && 'CONSUMER_ROUNDS',
    }, async () => {
      assert.equal(await removes(pair, way), true);
      assert.equal(await removes(pair, way, mutation), false);
    });
});
