// A thread that dies is replaced with all it had: what it was ordered, the ports it had, the queue it worked on.
//
// In      ends of each thread but the writer, from inside, under a load of everything that some thread serves
// Out     each kind of the load is served again; /readyz in between; the log; the process's end where no successor starts
// Limits  that of until(), from the end of a thread to a whole round of each kind

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { connect } from 'node:tls';
import { promisify } from 'node:util';
import { LineConnection } from '../src/demo/clients/line-connection.ts';
import { SmtpClient } from '../src/demo/clients/smtp-client.ts';
import { RemoteHost } from '../src/estate/remote-host.ts';
import { addDomain, addUser, administrator, type Person } from './support/directory.ts';
import { DnsTestServer } from './support/dns-server.ts';
import { httpPage, metricsText } from './support/metrics.ts';
import { peer } from './support/peers.ts';
import { startWaypost, type Waypost } from './support/server.ts';
import { LETHAL } from './support/thread-faults.ts';
import { until } from './support/until.ts';

const THREADS = 2;
/** Where the server listens, each door on one number. */
const ADDRESSES = ['127.0.0.1', '127.0.0.3'];
/** dig's exit code. */
const NO_REPLY = 9;
const US = 'mail.waypost.example';
const run = promisify(execFile);
const dig = peer('dig');
const swaks = peer('swaks');

interface World {
  readonly server: Waypost;
  readonly resolver: DnsTestServer;
  readonly sink: RemoteHost;
  readonly ann: Person;
}

async function open(): Promise<World> {
  const resolver = await DnsTestServer.start('127.0.0.2');
  const sink = await RemoteHost.start();
  const config = `threads = ${THREADS}
resolver = ["${resolver.server}"]
[provision]
from-mx = "auto"
[next-hop]
"remote.example" = "${sink.nextHop}"
[queue]
retry = ["1s"]
[limits]
command-timeout = "10s"
`;
  const env = { WAYPOST_LISTEN: ADDRESSES.join(',') };
  const server = await startWaypost({ config, env, switches: {} }).catch(async (error: unknown) => {
    await sink.close();
    await resolver.close();
    throw error;
  });
  const ldap = await administrator(server);
  await addDomain(ldap, 'acme.example', { mailDomainCatchallAddress: 'ann@acme.example' });
  const ann = await addUser(ldap, 'ann@acme.example');
  await ldap.unbind();
  return { server, resolver, sink, ann };
}

async function close({ server, resolver, sink }: World): Promise<void> {
  await server.stop();
  await sink.close();
  await resolver.close();
}

async function digMx(world: World, name: string, ...options: readonly string[]): Promise<string> {
  return digMxAt(ADDRESSES[0]!, world, name, ...options);
}

async function digMxAt(host: string, { server }: World, name: string, ...options: readonly string[]): Promise<string> {
  const port = String(server.listeners.dns.port);
  const args = [`@${host}`, '-p', port, name, 'MX', '+short', '+tries=1', '+time=20', ...options];
  return (await run(dig.path, args)).stdout.trim();
}

let numbers = 0;
const next = (): number => ++numbers;

/** What is asked again and again. Each throws for whatever is no service. */
const load: Readonly<Record<string, (world: World) => Promise<void>>> = {
  async 'dig over UDP'(world) {
    for (const host of ADDRESSES)
      assert.equal(await digMxAt(host, world, 'acme.example', '+notcp', '+time=1'), `10 ${US}.`);
  },
  async 'dig over TCP'(world) {
    assert.equal(await digMx(world, 'acme.example', '+tcp'), `10 ${US}.`);
  },
  async swaks({ server }) {
    const { host, port } = server.listeners.smtp;
    const envelope = ['--from', 'stranger@elsewhere.example', '--to', 'ann@acme.example'];
    await run(swaks.path, ['--server', host, '--port', String(port), ...envelope, '--timeout', '5', '--silent', '3']);
  },
  async 'a queue row'({ server, sink, ann }) {
    const recipient = `r${next()}@remote.example`;
    const client = await SmtpClient.open(server.listeners.submission, ann);
    try {
      await client.send(ann.login, [recipient], Buffer.from('Subject: out\r\n\r\nhello\r\n'));
    } finally {
      client.connection.destroy();
    }
    const isThere = (): boolean => sink.messages.some(({ recipients }) => recipients.includes(recipient));
    await until('the message at the other host', isThere);
  },
  /** One in each protocol thread. */
  async 'TLS from the first byte'({ server }) {
    const ca = readFileSync(join(server.data, 'tls', 'ca.pem'));
    const { host, port } = server.listeners.imaps;
    const sockets = Array.from({ length: THREADS }, () => connect({ host, port, ca, servername: 'localhost' }));
    try {
      await Promise.all(
        sockets.map(async (socket) => {
          // A connection whose thread dies may end without an error.
          const closed = once(socket, 'close').then(() => Promise.reject(new Error('closed')));
          closed.catch(() => {});
          await Promise.race([once(socket, 'secureConnect'), closed]);
          const [greeting] = (await Promise.race([once(socket, 'data'), closed])) as [Buffer];
          assert.match(String(greeting), /^\* OK /);
        }),
      );
    } finally {
      for (const socket of sockets) socket.on('error', () => {}).destroy();
    }
  },
  /** One in each protocol thread: the connections are open together, and each goes to the thread with the fewest. */
  async 'an arrival'({ server, resolver }) {
    const { host, port } = server.listeners.smtp;
    const names = Array.from({ length: THREADS }, () => `n${next()}.acme.example`);
    for (const name of names) resolver.mx(name, [10, US]);
    // Each address may bring so many domains and no more.
    const from = `127.0.${1 + (next() % 200)}.${1 + (next() % 200)}`;
    const connections = await Promise.all(names.map(() => LineConnection.open(host, port, from)));
    try {
      for (const [i, connection] of connections.entries()) {
        connection.write(`HELO client.example\r\nMAIL FROM:<>\r\nRCPT TO:<x@${names[i]}>\r\n`);
      }
      for (const connection of connections) {
        for (let i = 0; i < 3; i++) await connection.line();
        assert.match(await connection.line(), /^250 /);
      }
    } finally {
      for (const connection of connections) connection.destroy();
    }
  },
};

/** Runs every kind of the load until it is stopped, each on its own, whatever fails. */
class Load {
  /** When the last attempt that was served had begun. */
  readonly servedAt = new Map<string, number>();
  readonly failures = new Map<string, unknown>();
  readonly #ended: Promise<unknown>;
  #isStopped = false;

  constructor(world: World) {
    this.#ended = Promise.all(Object.keys(load).map((kind) => this.#run(kind, world)));
  }

  async #run(kind: string, world: World): Promise<void> {
    while (!this.#isStopped) {
      const began = performance.now();
      try {
        await load[kind]!(world);
        this.servedAt.set(kind, began);
      } catch (error) {
        this.failures.set(kind, error);
      }
      await new Promise((wait) => setTimeout(wait, 30));
    }
  }

  /** Resolves when an attempt of each kind has been served that began after now. */
  async servedAgain(): Promise<void> {
    const now = performance.now();
    const waiting = (): string[] => Object.keys(load).filter((kind) => (this.servedAt.get(kind) ?? 0) <= now);
    await until('the load', () => waiting().length === 0).catch((error: Error) => {
      const [kind] = waiting();
      throw new Error(`${waiting().join(', ')}: not served again; ${String(this.failures.get(kind!))}`, {
        cause: error,
      });
    });
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#ended;
  }
}

/** How often the log says that this thread was replaced. */
function replaced({ server }: World, thread: string): number {
  return server
    .stderr()
    .split('\n')
    .filter((line) => line.includes('server.restart-thread') && line.includes(`"${thread}"`)).length;
}

const ready = ({ server }: World) => httpPage(server, '/readyz');

describe('a thread that dies', { skip: dig.skip || swaks.skip }, () => {
  let world: World;
  before(async () => {
    world = await open();
  });
  after(() => close(world));

  test('each of them, three times under load: all is served again', { timeout: 480_000 }, async () => {
    const running = new Load(world);
    try {
      await running.servedAgain();
      // It begins behind the start.
      const answers = async () => /delay_p99_seconds\{thread="upkeep"\}/.test(await metricsText(world.server));
      await until('the upkeep thread', answers);
      for (let round = 1; round <= 3; round++)
        for (const thread of ['protocol-1', 'protocol-2', 'dns', 'transfer', 'publisher', 'upkeep']) {
          world.server.fault({ fault: 'end', thread });
          await until(`the end of ${thread}`, () => replaced(world, thread) === round);
          await running.servedAgain();
        }
    } finally {
      await running.stop();
    }
  });

  test('a DNS query that kills its thread gets silence; the next is answered', async () => {
    const before = replaced(world, 'dns');
    await assert.rejects(digMx(world, `${LETHAL}.acme.example`, '+notcp', '+time=1'), { code: NO_REPLY });
    assert.equal(await digMx(world, 'acme.example', '+tcp'), `10 ${US}.`);
    await until(
      'an answer',
      async () => (await digMx(world, 'acme.example', '+notcp', '+time=1').catch(() => '')) === `10 ${US}.`,
    );
    assert.equal(replaced(world, 'dns'), before + 1);
    assert.equal((await ready(world)).status, 200);
  });

  test('the log names the dead thread `ended`, and the one that writes `thread`', () => {
    const lines = world.server
      .stderr()
      .split('\n')
      .filter((line) => /server\.(restart-)?thread"/.test(line));
    assert.ok(lines.length > 0);
    for (const line of lines) {
      assert.equal(line.match(/"thread":/g)?.length, 1, line);
      const { thread, ended } = JSON.parse(line);
      assert.equal(thread, 'main');
      assert.match(ended, /^(dns|transfer|publisher|upkeep|protocol-\d)$/);
    }
  });

  test('/readyz is 503 and names dns while a socket is missing: its thread has died, or the socket has failed', async () => {
    const { port } = world.server.listeners.dns;
    for (const fault of [{ fault: 'end', thread: 'dns' }, { fault: 'udp-error' }] as const) {
      world.server.fault({ fault: 'udp-bind', isRefused: true });
      world.server.fault(fault);
      await until('503', async () => (await ready(world)).status === 503);
      assert.equal(
        (await ready(world)).text,
        `not ready: dns has no UDP socket on ${ADDRESSES.map((host) => `${host}:${port}`).join(', ')}\n`,
      );
      world.server.fault({ fault: 'udp-bind', isRefused: false });
      await until('200', async () => (await ready(world)).status === 200);
      assert.equal(await digMx(world, 'acme.example', '+notcp'), `10 ${US}.`);
    }
  });

  test('one whose successors die before they serve ends the process', async () => {
    world.server.fault({ fault: 'end-at-start', thread: 'dns' });
    world.server.fault({ fault: 'end', thread: 'dns' });
    assert.equal((await world.server.exited()).code, 74);
    assert.match(world.server.stderr(), /waypost: thread dns has ended at its start\n/);
    await world.server.restart();
    assert.equal((await ready(world)).status, 200);
  });
});
