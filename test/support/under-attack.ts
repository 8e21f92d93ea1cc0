// A server under attack: the probe on some connections, ordinary people on others, who must be answered meanwhile.
//
// In      probes, each a function of its own
// Out     how long ordinary sessions took; at the end a judgement: the same process still runs, nothing acknowledged is
//         missing, the store's own checker finds nothing, and the log has no error
// Limits  an ordinary session that has not ended after a minute is an error; its time is printed, not judged

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { decode, encode } from 'dns-packet';
import { Client } from 'ldapts';
import { ImapClient } from '../../src/demo/clients/imap-client.ts';
import { LineConnection } from '../../src/demo/clients/line-connection.ts';
import { SmtpClient } from '../../src/demo/clients/smtp-client.ts';
import { type Person, populate } from './directory.ts';
import { type Door, type StartOptions, startWaypost, type Waypost } from './server.ts';

const ORDINARY_MS = 60_000;
/** A peer that takes nothing for so long has stopped reading. */
const STALLED_MS = 1500;

export class UnderAttack {
  readonly server: Waypost;
  /** The attacker may log in as mallory; ordinary mail goes to ann. */
  readonly ann: Person;
  readonly mallory: Person;
  readonly #pid: number;
  #acknowledged = 0;
  /** Milliseconds of each ordinary session. */
  readonly times: number[] = [];

  private constructor(server: Waypost, [ann, mallory]: readonly Person[]) {
    this.server = server;
    this.ann = ann!;
    this.mallory = mallory!;
    this.#pid = server.pid;
  }

  static async start(options: StartOptions = {}): Promise<UnderAttack> {
    const server = await startWaypost(options);
    const attacked = new UnderAttack(server, await populate(server, 'acme.example', ['ann', 'mallory']));
    await attacked.ordinary();
    return attacked;
  }

  connect(door: Door): Promise<LineConnection> {
    const { host, port } = this.server.listeners[door];
    return LineConnection.open(host, port);
  }

  /**
   * Sends it, and reads until the answer matches, the peer closes, or nothing more comes in a minute. Gives what was received,
   * greeting and all, an octet a character; `isOver`: the peer has closed.
   */
  async exchange(
    door: Door,
    said: Uint8Array | string,
    answer: RegExp,
  ): Promise<{ received: string; isOver: boolean }> {
    const { host, port } = this.server.listeners[door];
    const socket = connect({ host, port, noDelay: true });
    let received = '';
    let isOver = false;
    await new Promise<void>((done) => {
      const late = setTimeout(done, ORDINARY_MS);
      const end = (): void => {
        clearTimeout(late);
        done();
      };
      socket.on('data', (chunk: Buffer) => {
        received += chunk.toString('latin1');
        if (answer.test(received)) end();
      });
      // A reset is an end, too.
      socket.on('error', () => {});
      socket.on('close', () => {
        isOver = true;
        end();
      });
      socket.write(typeof said === 'string' ? Buffer.from(said, 'latin1') : said);
    });
    socket.destroy();
    return { received, isOver };
  }

  /** Runs the probe, and beside it one ordinary session after the other, at least one. */
  async meanwhile<T>(probe: () => Promise<T>): Promise<T> {
    let over = false;
    const probing = probe().finally(() => {
      over = true;
    });
    // A probe that fails is reported once; the ordinary sessions come to their end first.
    probing.catch(() => {});
    do await this.ordinary();
    while (!over);
    return probing;
  }

  /** One ordinary session at each door. */
  async ordinary(): Promise<void> {
    const began = performance.now();
    let late: NodeJS.Timeout | undefined;
    const pending = new Set<string>();
    const run = (name: string, session: Promise<void>): Promise<void> => {
      pending.add(name);
      return session.finally(() => pending.delete(name));
    };
    const guard = new Promise<never>((_, failed) => {
      const complain = (): void => failed(new Error(`no answer in ${ORDINARY_MS} ms: ${[...pending].join(', ')}`));
      late = setTimeout(complain, ORDINARY_MS);
    });
    const all = [
      run('deliver', this.#deliver()),
      run('look', this.#look()),
      run('maildrop', this.#maildrop()),
      run('search', this.#search()),
      run('resolve', this.#resolve()),
    ];
    for (const session of all) session.catch(() => {});
    try {
      await Promise.race([Promise.all(all), guard]);
    } finally {
      clearTimeout(late);
    }
    this.times.push(performance.now() - began);
  }

  async #deliver(): Promise<void> {
    const client = await SmtpClient.open(this.server.listeners.smtp);
    const text = `Subject: ordinary ${this.#acknowledged}\r\n\r\nThis one was acknowledged.\r\n`;
    await client.send('carol@remote.example', [this.ann.login], Buffer.from(text));
    this.#acknowledged++;
    await client.quit();
  }

  async #look(): Promise<void> {
    const client = await ImapClient.login(this.server.listeners.imap, this.ann.login, this.ann.password);
    await client.count();
    await client.logout();
  }

  async #maildrop(): Promise<void> {
    const connection = await this.connect('pop3');
    assert.match(await connection.line(), /^\+OK/);
    connection.write('CAPA\r\n');
    assert.match(await connection.line(), /^\+OK/);
    connection.destroy();
  }

  async #search(): Promise<void> {
    const { host, port } = this.server.listeners.ldap;
    const client = new Client({ url: `ldap://${host}:${port}`, timeout: ORDINARY_MS, connectTimeout: ORDINARY_MS });
    await client.search('', { scope: 'base', attributes: ['namingContexts'] });
    await client.unbind();
  }

  async #resolve(): Promise<void> {
    const answer = decode(await this.query(encode({ id: 1, questions: [{ type: 'MX', name: 'acme.example' }] })));
    assert.equal(answer.answers?.length, 1);
  }

  /** A datagram to the DNS door, again each second; its answer. */
  query(datagram: Uint8Array): Promise<Buffer> {
    const { host, port } = this.server.listeners.dns;
    const socket = createSocket('udp4');
    const ask = (): void => socket.send(datagram, port, host);
    const again = setInterval(ask, 1000);
    return new Promise<Buffer>((answered, failed) => {
      const late = setTimeout(() => failed(new Error('no DNS answer')), ORDINARY_MS);
      socket.once('message', (message) => {
        clearTimeout(late);
        answered(message);
      });
      ask();
    }).finally(() => {
      clearInterval(again);
      socket.close();
    });
  }

  /** Resident memory of the server, MiB. */
  memory(): number {
    const status = readFileSync(`/proc/${this.#pid}/status`, 'latin1');
    return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]) / 1024;
  }

  /** Everything acknowledged is there, nothing else has happened; then the server stops. */
  async judge(print: (line: string) => void = () => {}): Promise<void> {
    const sorted = this.times.toSorted((a, b) => a - b);
    print(
      `${sorted.length} ordinary sessions, median ${sorted[sorted.length >> 1]?.toFixed(0)} ms, longest ${sorted.at(-1)?.toFixed(0)} ms`,
    );
    try {
      assert.equal(this.server.pid, this.#pid);
      const client = await ImapClient.login(this.server.listeners.imap, this.ann.login, this.ann.password);
      const subjects = (await client.fetchAll()).map(
        ({ body }) => /Subject: ordinary (\d+)/.exec(body.toString())?.[1],
      );
      await client.logout();
      const expected = Array.from({ length: this.#acknowledged }, (_, i) => String(i));
      assert.deepEqual(subjects.sort(), expected.sort());
      const launcher = join(resolve(import.meta.dirname, '../..'), 'waypost');
      await promisify(execFile)(launcher, ['mailbox', 'check', '--data', this.server.data]);
    } finally {
      await this.server.stop();
    }
    const errors = this.server
      .stderr()
      .split('\n')
      .filter((line) => /"level":"error"|"event":"\w+\.bug"|\\n {4}at |^\s+at .*\(.*:\d+\)|Warning:/.test(line));
    assert.deepEqual(errors.slice(0, 3), []);
  }
}

/** Writes as much as the peer takes, piece by piece, until it has gone or `bytes` are written; how many were taken. */
export async function flood(connection: LineConnection, piece: Uint8Array, bytes: number): Promise<number> {
  let sent = 0;
  while (sent < bytes && !connection.closed) {
    const isTaken = await Promise.race([
      connection.flushed(piece).then(
        () => true,
        () => false,
      ),
      new Promise<false>((late) => setTimeout(late, STALLED_MS, false)),
    ]);
    if (!isTaken) break;
    sent += piece.length;
  }
  return sent;
}
