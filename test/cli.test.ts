// Every command against the running program, as a person and as a program use it: text, --json, exit codes, standard error.

import assert from 'node:assert/strict';
import { type ChildProcess, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { AdminClient } from '../src/cli/client.ts';
import { ImapClient } from '../src/demo/clients/imap-client.ts';
import { SmtpClient } from '../src/demo/clients/smtp-client.ts';
import { createTestEstate } from '../src/estate/estate.ts';
import { RemoteHost } from '../src/estate/remote-host.ts';
import { freeOffset } from './support/free-ports.ts';
import { peer } from './support/peers.ts';
import { startWaypost, type Waypost } from './support/server.ts';
import { until } from './support/until.ts';

const launcher = resolve(import.meta.dirname, '..', 'waypost');
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

interface CallOptions {
  readonly stdin?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Sent when standard output or standard error has this. */
  readonly signal?: readonly [NodeJS.Signals, RegExp];
}

/** One command, to its end. */
async function waypost(arguments_: readonly string[], { stdin = '', env = {}, signal }: CallOptions = {}) {
  const clean = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('WAYPOST_')));
  const child = spawn(launcher, arguments_, { env: { ...clean, ...env } });
  child.stdin.on('error', () => {});
  child.stdin.end(stdin);
  const said = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const)
    child[name].setEncoding('utf8').on('data', (text: string) => {
      said[name] += text;
      if (signal?.[1].test(said[name]) === true) child.kill(signal[0]);
    });
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, ...said } satisfies Outcome;
}

/** Commands to their ends, one after another. */
class CommandProcess {
  readonly #child: ChildProcess;
  #before: Promise<unknown> = Promise.resolve();

  constructor() {
    const execArgv = ['--import', resolve(import.meta.dirname, '../src/server/load-sources.ts')];
    const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('WAYPOST_')));
    this.#child = fork(join(import.meta.dirname, 'support/command-process.ts'), {
      execArgv,
      env,
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
  }

  run(words: readonly string[]): Promise<Outcome> {
    const outcome = this.#before.then(async () => {
      this.#child.send(words);
      const [said] = (await once(this.#child, 'message', { signal: AbortSignal.timeout(120_000) })) as [Outcome];
      return said;
    });
    this.#before = outcome.catch(() => {});
    return outcome;
  }

  end(): void {
    this.#child.disconnect();
  }
}

const terminal = peer('script');

/** The command on a terminal, where somebody types. */
async function answering(line: string, typed: string): Promise<{ code: number | null; stdout: string }> {
  const child = spawn(terminal.path, ['-qec', line, '/dev/null']);
  let stdout = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    const isFirst = !stdout.includes('[y/N]');
    stdout += text;
    if (isFirst && stdout.includes('[y/N]')) child.stdin.write(typed);
  });
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, stdout };
}

function temporary(): string {
  return mkdtempSync(join(tmpdir(), 'waypost-cli-'));
}

describe('with a server', { concurrency: false }, () => {
  let server: Waypost;
  let sink: RemoteHost;
  const commands = new CommandProcess();
  /** `user list` as words; the data directory is added. In a process of its own where that has input or an environment. */
  const cli = (line: string, options?: CallOptions): Promise<Outcome> => {
    const words = [...line.split(' '), '--data', server.data];
    return options === undefined ? commands.run(words) : waypost(words, options);
  };
  const json = async <T>(line: string, code = 0): Promise<T> => {
    const outcome = await cli(`${line} --json`);
    assert.equal(outcome.code, code, outcome.stderr);
    return JSON.parse(outcome.stdout) as T;
  };
  /** Exit code, and the one line that says what is wrong. */
  const refused = async (line: string, code: number, words: RegExp, options?: CallOptions): Promise<void> => {
    const outcome = await cli(line, options);
    assert.equal(outcome.code, code, `${line}: ${outcome.stderr}`);
    assert.match(outcome.stderr, words, line);
    assert.equal(outcome.stderr.trimEnd().split('\n').length, 1, outcome.stderr);
    assert.equal(outcome.stdout, '');
  };

  before(async () => {
    sink = await RemoteHost.start({ mail: '450 4.2.0 \x1b[31mlater' });
    const config = `[next-hop]\n"remote.example" = "${sink.nextHop}"\n[queue]\nretry = ["1h"]\n`;
    server = await startWaypost({ config });
  });
  after(async () => {
    commands.end();
    await server?.stop();
    await sink?.close();
  });

  test('the launcher gives the C library two arenas', {
    skip: process.platform === 'linux' ? false : 'it is read in /proc',
  }, () => {
    assert.match(readFileSync(`/proc/${server.pid}/environ`, 'latin1'), /(^|\0)MALLOC_ARENA_MAX=2\0/);
  });

  test('a dry run says what would happen, and nothing has happened', async () => {
    const revision = async () => (await json<{ revision: number }>('status')).revision;
    const first = await revision();
    const text = await cli('domain add acme.example --dry-run');
    assert.match(text.stdout, /^would be added {2}dc=example,o=internet {2}\(made along the way\)$/m);
    assert.match(text.stdout, /^1 table row would follow$/m);
    assert.equal(text.code, 0);
    assert.deepEqual(await json('domain list'), []);
    assert.equal(await revision(), first);
  });

  test('output that is not written whole is no success: an export on a full disk, the help; a reader that has enough is', async () => {
    const full = openSync('/dev/full', 'w');
    for (const words of [
      ['directory', 'export', '--data', server.data],
      ['user', '--help'],
    ]) {
      const child = spawn(launcher, words, { stdio: ['ignore', full, 'pipe'] });
      let said = '';
      child.stderr!.setEncoding('utf8').on('data', (text: string) => {
        said += text;
      });
      const [code] = (await once(child, 'close')) as [number | null];
      assert.deepEqual([code, /could not be written \(ENOSPC\)/.test(said)], [74, true], said);
    }
    closeSync(full);
    const early = spawn(launcher, ['directory', 'export', '--data', server.data], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    early.stdout!.destroy();
    assert.deepEqual((await once(early, 'close'))[0], 0);
  });

  test('domain add, list, show', async () => {
    const added = await cli('domain add Acme.Example --catchall ann@acme.example');
    assert.match(added.stdout, /^added {2}dc=acme,dc=example,o=internet$/m);
    assert.equal(added.code, 0);
    await refused('domain add acme.example', 1, /^waypost: acme\.example exists already$/m);
    await refused('domain add acme.example --dry-run', 1, /exists already/);
    await refused('domain add not..a.name', 65, /is not a domain name/);
    assert.match((await cli('domain list')).stdout, /^acme\.example {2}active {2}ann@acme\.example {2}-$/m);
    const [domain] = await json<object[]>('domain list');
    const facts = { domain: 'acme.example', dn: 'dc=acme,dc=example,o=internet', status: 'active' };
    assert.deepEqual(domain, { ...facts, catchall: 'ann@acme.example', aliasOf: null });
    assert.match((await cli('domain show acme.example')).stdout, /^dn: dc=acme,dc=example,o=internet$/m);
    assert.deepEqual(Object.keys(await json('domain show acme.example')), [
      ...Object.keys(domain!),
      'state',
      'authority',
      'zone',
      'origin',
      'evidence',
      'problems',
      'history',
      'entry',
    ]);
    await refused('domain show other.example', 1, /^waypost: other\.example is not a mail domain here$/m);
  });

  test('domain pending, approve, refuse, token of what is not there', async () => {
    assert.deepEqual(await json('domain pending'), []);
    assert.match((await cli('domain pending')).stdout, /^no domain waits$/m);
    const see = 'new.example is not pending: see waypost domain pending';
    await refused(
      'domain approve new.example',
      1,
      new RegExp(`^waypost: ${see}, or define it: waypost domain add new.example$`, 'm'),
    );
    await refused('domain refuse new.example --dry-run', 1, new RegExp(`^waypost: ${see}$`, 'm'));
    await refused('domain approve acme.example', 1, /is not pending: it is a domain here already$/m);
    await refused('domain token nobody new.example', 1, /^waypost: there is no policy nobody$/m);
  });

  test('user add with a password from standard input, which opens the mailbox', async () => {
    const added = await cli('user add ann@acme.example --name Ann --alias a.lee@acme.example --password-stdin', {
      stdin: 'a secret\n',
    });
    assert.deepEqual([added.code, added.stderr], [0, '']);
    for (const login of ['ann@acme.example', 'A.LEE@acme.example']) {
      const client = await ImapClient.login(server.listeners.imap, login, 'a secret');
      assert.equal(await client.count(), 0);
      await client.logout();
    }
    // No terminal and no option: no password is set, and nobody is asked.
    assert.equal((await cli('user add bob@acme.example', { stdin: 'not read\n' })).code, 0);
    await assert.rejects(ImapClient.login(server.listeners.imap, 'bob@acme.example', 'not read'));
    await refused('user add ann@acme.example', 1, /^waypost: the user ann@acme\.example exists already$/m);
    await refused('user add x@acme.example --alias bob@acme.example', 1, /bob@acme\.example is in use already/);
    await refused('user add x@nowhere.example', 1, /nowhere\.example is not a mail domain here: waypost domain add/);
    await refused('user add no-address', 65, /no-address is not a mail address/);
    await refused('user add x@acme.example --password-stdin', 65, /the password is empty/, { stdin: '\n' });
    const long = { stdin: 'x'.repeat(5000) };
    await refused('user add x@acme.example --password-stdin', 65, /longer than 1024 bytes/, long);
    assert.doesNotMatch(server.stderr(), /a secret/);
  });

  test('user list and show', async () => {
    assert.match((await cli('user list acme.example')).stdout, /^ann@acme\.example {2}Ann {3}active$/m);
    const users = await json<{ address: string }[]>('user list');
    assert.deepEqual(Object.keys(users[0]!), ['address', 'name', 'dn', 'status']);
    assert.deepEqual(users.map(({ address }) => address).slice(0, 2), ['ann@acme.example', 'bob@acme.example']);
    const shown = await cli('user show ann@acme.example');
    assert.match(shown.stdout, /^mail: ann@acme\.example$/m);
    assert.doesNotMatch(shown.stdout, /ARGON2|userPassword/i);
    assert.doesNotMatch(JSON.stringify(await json('user show ann@acme.example')), /ARGON2|userPassword/i);
    await refused('user show nobody@acme.example', 1, /no user has the address nobody@acme\.example/);
    await refused('user list nowhere.example', 1, /not a mail domain here/);
  });

  test('group add, list, show', async () => {
    assert.equal((await cli('group add all@acme.example --member ann@acme.example rex@remote.example')).code, 0);
    await refused('group add all@acme.example', 1, /the list all@acme\.example exists already/);
    assert.match((await cli('group list')).stdout, /^all@acme\.example {2}2 {8}active$/m);
    const [list] = await json<object[]>('group list acme.example');
    assert.deepEqual(Object.keys(list!), ['address', 'name', 'dn', 'members', 'status']);
    assert.match((await cli('group show all@acme.example')).stdout, /^mgrpRFC822MailMember: rex@remote\.example$/m);
    assert.equal((await json<{ members: number }>('group show all@acme.example')).members, 2);
    await refused('group show ann@acme.example', 1, /no group has the address/);
  });

  test('route: steps for people, the shape for programs, 1 where it leads nowhere', async () => {
    const text = await cli('route ann@acme.example');
    assert.match(text.stdout, /^ann@acme\.example\naddress {10}local part ann, domain acme\.example\n/);
    assert.match(text.stdout, /^reply +250 2\.1\.5 /m);
    type Route = { steps: object[]; targets: { channel: string; nexthop: string; recipient: string }[]; reply: string };
    const route = await json<Route>('route all@acme.example');
    assert.deepEqual(Object.keys(route), ['address', 'steps', 'targets', 'reply']);
    for (const step of route.steps)
      assert.ok(['step detail', 'step detail depth'].includes(Object.keys(step).join(' ')), JSON.stringify(step));
    assert.deepEqual(route.targets, [
      { channel: 'store', nexthop: 'mail.waypost.example', recipient: 'ann@acme.example' },
      { channel: 'smtp', nexthop: sink.nextHop, recipient: 'rex@remote.example' },
    ]);
    assert.equal(route.reply, '250 2.1.5 Recipient ok');
    await json('route nobody@mail.waypost.example', 1);
    const nowhere = await json<Route>('route nobody@mail.waypost.example', 1);
    assert.deepEqual([nowhere.targets, nowhere.reply], [[], '550 5.1.1 No such recipient here']);
    assert.equal((await cli('route postmaster')).code, 0);
    await refused('route @', 65, /is not a mail address/);
  });

  test('status, sync status, dns records', async () => {
    assert.match((await cli('status')).stdout, /^host name {4}mail\.waypost\.example$/m);
    const status = await json<{ startedAt: string; listeners: Record<string, string> }>('status');
    const keys = [
      'version',
      'format',
      'startedAt',
      'hostname',
      'listeners',
      'revision',
      'generation',
      'queued',
      'scram',
      'publishing',
      'index',
      'provider',
      'followers',
      'problems',
    ];
    assert.deepEqual(Object.keys(status), keys);
    assert.match(status.startedAt, TIME);
    const { host, port } = server.listeners.smtp;
    assert.equal(status.listeners['smtp'], `${host}:${port}`);
    assert.match((await cli('sync status')).stdout, /^domains +1$/m);
    assert.equal((await json<{ problems: object[] }>('sync status')).problems.length, 0);
    assert.match(
      (await cli('dns records acme.example')).stdout,
      /^acme\.example\. 300 IN MX 10 mail\.waypost\.example\.$/m,
    );
    await json('dns records acme.example');
    await refused('dns records other.example', 1, /other\.example/);
    await refused('dns records bad..name', 65, /is not a domain name/);
  });

  interface Row {
    readonly id: number;
    readonly message: string;
    readonly attempts: number;
    readonly nextAttemptAt: string | null;
    readonly state: string;
    readonly lastError: string | null;
  }
  interface Managed {
    readonly messages: number;
    readonly recipients: number;
    readonly changed: number;
  }
  const queue = () => json<Row[]>('queue list');
  const queued = async (holds: (rows: Row[]) => boolean): Promise<Row[]> => {
    let rows: Row[] = [];
    await until(`the queue to be ${holds}`, async () => {
      rows = await new AdminClient(server.data).call('queue.list', {});
      return holds(rows);
    });
    return rows;
  };
  const submit = async (id: string, ...to: readonly string[]): Promise<void> => {
    const ann = { login: 'ann@acme.example', password: 'a secret' };
    const client = await SmtpClient.open(server.listeners.submission, ann);
    await client.send(ann.login, to, Buffer.from(`Message-ID: <${id}>\r\nSubject: out\r\n\r\n`));
    await client.quit();
  };

  test('channel list, show, pause, resume: by an entry that appears when it is needed', async () => {
    const list = await json<{ name: string; kind: string; paused: boolean }[]>('channel list');
    assert.deepEqual(Object.keys(list[0]!), [
      ...['name', 'kind', 'keywords', 'source', 'paused', 'queued', 'active', 'oldest'],
    ]);
    // In their order; what other kinds there are is the test of each.
    const lines = list.map(({ name, kind, paused }) => `${name} ${kind} ${paused}`);
    assert.deepEqual(lines, lines.toSorted());
    for (const name of ['discard', 'hold', 'reprocess', 'smtp', 'store'])
      assert.ok(lines.includes(`${name} ${name} false`), lines.join('\n'));
    assert.match((await cli('channel list')).stdout, /^smtp +smtp +built-in +running +0 +0 +- +-$/m);
    await refused('channel show nowhere', 1, /there is no channel nowhere/);
    assert.match((await cli('channel pause smtp --dry-run')).stdout, /^would be added {2}cn=smtp,ou=Channels,/m);
    assert.match((await cli('channel pause SMTP')).stdout, /^added {2}cn=smtp,ou=Channels,/m);
    assert.deepEqual((await json<{ rows: unknown[] }>('channel pause smtp')).rows, []);
    await submit('paused@acme.example', 'rex@remote.example');
    assert.match((await cli('channel list')).stdout, /^smtp +smtp +entry +paused +1 +0 +\d{4}-\S+ +-$/m);
    assert.match((await cli('channel show smtp')).stdout, /^state +paused$/m);
    assert.equal((await queue())[0]?.attempts, 0);
    assert.match((await cli('channel resume smtp')).stdout, /^changed {2}cn=smtp,ou=Channels,/m);
    const [row] = await queued(([first]) => first?.attempts === 1);
    await cli(`queue remove ${row!.id}`);
  });

  test('queue list, show, retry: due at once', async () => {
    assert.match((await cli('queue list')).stdout, /^the queue is empty$/m);
    assert.deepEqual(await queue(), []);
    await submit('first@acme.example', 'rex@remote.example');
    const [row] = await queued(([first]) => first?.attempts === 1 && first.state === 'waiting');
    assert.deepEqual(Object.keys(row!), [
      ...['id', 'message', 'channel', 'destination', 'sender', 'recipient'],
      ...['state', 'heldBy', 'attempts', 'nextAttemptAt', 'lastError', 'waitsFor'],
    ]);
    assert.match(row!.nextAttemptAt ?? '', TIME);
    const text = (await cli('queue list')).stdout;
    assert.match(text, /rex@remote\.example/);
    assert.doesNotMatch(text, /\x1b/, 'what the other host says does not reach the terminal');
    assert.match((await cli(`queue show ${row!.id}`)).stdout, /^recipient {6}rex@remote\.example$/m);
    assert.deepEqual(await json(`queue show ${row!.id}`), row);
    const left = { busy: 0, held: 0, begun: 0, lists: 0, unknown: [] };
    const one = { dryRun: false, messages: 1, recipients: 1, changed: 1, ...left, upTo: row!.id };
    assert.deepEqual(await json(`queue retry ${row!.id}`), one);
    await queued(([first]) => first?.attempts === 2);
    assert.match((await cli('queue retry --all')).stdout, /^1 row due now$/m);
    await queued(([first]) => first?.attempts === 3);
    assert.equal((await cli(`queue retry ${row!.message}`)).code, 0);
    await queued(([first]) => first?.attempts === 4 && first.state === 'waiting');
    // One that is unknown is said; the others are done all the same.
    const unknown = [String(row!.id + 1000), 'zzzzzzzzzz'];
    const partly = await json(`queue retry ${row!.id} ${unknown.join(' ')}`, 1);
    assert.deepEqual(partly, { ...one, unknown });
    await refused('queue retry', 64, /give ids, or options that say which rows/);
    await refused('queue retry 1 --all', 64, /give ids, or options that say which rows/);
    await refused('queue show 12345', 1, /the queue has no row 12345/);
    assert.equal((await cli('queue show abc')).code, 1);
    await refused('queue show', 64, /give ids, or options that say which rows/);
  });

  test('queue by filters: a line a destination, a count before anything is done, a message in the text form', async () => {
    await submit('third@acme.example', 'one@remote.example', 'two@remote.example');
    await queued(
      (list) => list.length === 3 && list.every(({ state, attempts }) => state === 'waiting' && attempts > 0),
    );
    const [line, ...others] = await json<Record<string, unknown>[]>('queue list --by destination');
    assert.deepEqual(others, []);
    assert.deepEqual(Object.keys(line!), ['channel', 'destination', 'rows', 'held', 'ages', 'oldest', 'reason']);
    assert.deepEqual([line!['channel'], line!['rows'], line!['held']], ['smtp', 3, 0]);
    assert.equal(
      (line!['ages'] as number[]).reduce((sum, count) => sum + count),
      3,
    );
    assert.match(String(line!['reason']), /later/);
    assert.equal((await json<Row[]>('queue list --recipient TWO@remote.example')).length, 1);
    assert.equal((await json<Row[]>('queue list --sender <> --domain remote.example')).length, 0);
    assert.equal((await cli('queue remove --older 2h --dry-run')).code, 1);
    const dry = await cli('queue remove --recipient two@remote.example --state waiting --dry-run');
    assert.match(dry.stdout, /^1 message, 1 recipient\n1 row would be removed$/m);
    const [{ id, message }] = (await json<Row[]>('queue list --recipient two@remote.example')) as [Row];
    const raw = (await cli(`queue show ${id} --raw`)).stdout;
    assert.match(
      raw,
      new RegExp(`^MAIL FROM:<ann@acme.example>\r\nRCPT TO:<two@remote.example>\r\nX-Id: ${message}\r\n`),
    );
    assert.match(raw, /\r\nX-Channel: smtp\r\n\x01\x01\r\nReceived: from [\s\S]*\r\n\r\n$/);
    const both = (await cli(`queue show ${message} --raw`)).stdout;
    assert.match(both, /\r\nRCPT TO:<one@remote.example>\r\nRCPT TO:<two@remote.example>\r\n/);
    const [some, ...more] = await json<Record<string, unknown>[]>(
      'queue list --by destination --recipient TWO@remote.example',
    );
    assert.deepEqual([some!['rows'], more], [1, []]);
    assert.deepEqual(await json('queue list --by destination --channel lmtp --older 2h'), []);
    await refused(`queue list --by destination ${id}`, 64, /filters go with it, no ids/);
    await refused('queue remove --older soon', 64, /a time such as/);
    assert.match((await cli('queue hold --domain remote.example')).stdout, /^2 messages, 3 recipients\n3 rows held$/m);
    await server.said(/"rows":3,"by":"cn=[^"]*","peer":""[^\n]*"transfer\.hold"/i);
    const held = await json<(Row & { heldBy: string })[]>('queue list --held-by admin');
    assert.deepEqual(
      held.map(({ state, heldBy }) => `${state} ${heldBy}`),
      ['held admin', 'held admin', 'held admin'],
    );
    assert.match(
      (await cli(`queue retry ${id}`)).stdout,
      /^0 rows due now\n1 row left alone: held, see queue release$/m,
    );
    await refused('queue reroute --held-by admin --to store', 65, /store is no channel to other hosts/);
    await refused('queue reroute --held-by admin --to nowhere', 1, /there is no channel nowhere/);
    assert.match((await cli(`queue reroute --held-by admin --to smtp:${sink.nextHop}`)).stdout, /^3 rows rerouted$/m);
    // They are tried at once; one that is busy is not held.
    await queued((list) => list.every(({ nextAttemptAt }) => Date.parse(nextAttemptAt ?? '') > Date.now()));
    await cli('queue hold --domain remote.example');
    assert.match((await cli('queue release --state held')).stdout, /rows? released$/m);
    await queued((list) => list.every(({ state }) => state === 'waiting'));
    // On a terminal it asks, and without a yes nothing is done.
    if (!terminal.skip) {
      const line = `${launcher} queue remove --domain remote.example --data ${server.data}`;
      const asked = await answering(line, 'n\n');
      assert.match(asked.stdout, /2 messages, 3 recipients: would be removed\? \[y\/N\]/);
      assert.deepEqual([asked.code, (await queue()).length], [1, 3]);
    }
    // Written out, removed and brought back: the message with its envelope, and a new id.
    const file = join(server.data, 'message.eml');
    const lf = raw.slice(raw.indexOf('\x01\x01')).replaceAll('\r\n', '\n');
    writeFileSync(file, `MAIL FROM:<ann@acme.example> ENVID=q1\nRCPT TO:<two@remote.example>\n${lf}`);
    assert.equal((await cli(`queue remove ${id}`)).code, 0);
    const imported = (await cli(`queue import ${file}`)).stdout.trim();
    const [back] = await queued((list) => list.some((row) => row.message === imported));
    assert.ok(back !== undefined && imported !== message);
    for (const [event, fields] of [
      ['release', '"rows":3'],
      ['import', `"queue":"${imported}","recipients":1`],
    ])
      await server.said(new RegExp(`${fields},"by":"cn=[^"]*","peer":""[^\\n]*"transfer\\.${event}"`, 'i'));
    const again = (await cli(`queue show ${imported} --raw`)).stdout;
    assert.ok(again.startsWith('MAIL FROM:<ann@acme.example> ENVID=q1\r\nRCPT TO:<two@remote.example>\r\n'), again);
    assert.equal(again.slice(again.indexOf('\x01\x01')), raw.slice(raw.indexOf('\x01\x01')));
    const [other] = await json<Row[]>('queue list --recipient two@remote.example');
    assert.equal(other?.message, imported);
    writeFileSync(file, 'Subject: no envelope\n\nx\n');
    await refused(`queue import ${file}`, 65, /line 1: MAIL FROM:<\.\.>, .* are known/);
    await refused(`queue import ${file}-not`, 65, /cannot be read/);
    const done = await cli('queue remove --recipient two@remote.example --reason LATER');
    assert.match(done.stdout, /^1 message, 1 recipient\n1 row removed$/m);
    assert.equal((await cli(`queue remove ${(await queue())[1]!.id}`)).code, 0);
  });

  test('queue remove takes rows away, and the journey says so', async () => {
    await submit('second@acme.example', 'one@remote.example', 'two@remote.example');
    const rows = await queued((list) => list.length === 3 && list.every(({ state }) => state === 'waiting'));
    const second = rows[2]!.message;
    const { messages, recipients, changed } = await json<Managed>(`queue remove ${second} --dry-run`);
    assert.deepEqual([messages, recipients, changed], [1, 2, 2]);
    assert.equal((await queue()).length, 3);
    assert.match((await cli(`queue remove ${second}`)).stdout, /^2 rows removed$/m);
    assert.equal((await queue()).length, 1);
    await refused('queue remove', 64, /give ids, or options that say which rows/);
    assert.equal((await cli(`queue remove ${second}`)).code, 1);
    assert.equal((await cli(`queue remove ${rows[0]!.id}`)).code, 0);
    assert.deepEqual(await queue(), []);
    assert.equal((await json<{ queued: number }>('status')).queued, 0);
    const events = (await json<{ event: string }[]>('trace second@acme.example')).map(({ event }) => event);
    assert.equal(events.filter((event) => event === 'removed').length, 2);
  });

  test('route as a message was taken, and what a file would do to routes', async () => {
    await cli('user add dora@acme.example');
    const client = await SmtpClient.open(server.listeners.smtp);
    const from = 'stranger@elsewhere.example';
    const taken = await client.send(
      from,
      ['dora@acme.example'],
      Buffer.from('Message-ID: <p-1@elsewhere.example>\r\n\r\n'),
    );
    await client.quit();
    const id = taken.lines[0]!.split(' ').at(-1)!;
    type Route = { reply: string; revision?: number; targets: unknown[] };
    const then = await json<Route>('route dora@acme.example');
    const ldif = join(server.data, 'changes.ldif');
    writeFileSync(
      ldif,
      [
        'dn: uid=dora,ou=People,dc=acme,dc=example,o=internet\nchangetype: modify\nreplace: mailUserStatus\nmailUserStatus: disabled\n-',
        'dn: dc=new,dc=acme,dc=example,o=internet\nobjectClass: domain\nobjectClass: mailDomain\ndc: new',
        '',
      ].join('\n\n'),
    );
    type Diff = { entries: unknown[]; routes: unknown; aliases: unknown; unroutable: unknown };
    const diff = JSON.parse((await cli(`directory diff ${ldif} --json`)).stdout) as Diff;
    assert.deepEqual(
      { ...diff, entries: diff.entries.length },
      {
        entries: 4,
        routes: [{ key: 'new.acme.example', change: 'made' }],
        aliases: [{ key: 'dora@acme.example', change: 'changed' }],
        unroutable: [{ address: 'dora@acme.example', reply: '550 5.2.1 Mailbox is disabled' }],
      },
    );
    assert.equal((await json<Route>('route dora@acme.example')).reply, then.reply, 'nothing was changed');
    await cli('user remove dora@acme.example');
    // The catch-all has her mail now.
    assert.notDeepEqual((await json<Route>('route dora@acme.example')).targets, then.targets);
    for (const what of [`--message ${id}`, '--message p-1@elsewhere.example']) {
      const { revision, ...answer } = await json<Route>(`route dora@acme.example ${what}`);
      assert.deepEqual([answer.reply, answer.targets], [then.reply, then.targets], what);
      const again = await json<Route>(`route dora@acme.example --revision ${revision}`);
      assert.deepEqual(again.targets, then.targets);
    }
    await refused('route dora@acme.example --message nothing', 1, /nothing is known of nothing/);
    await refused('route dora@acme.example --revision 999999999', 1, /the directory is at revision/);
    await refused('route dora@acme.example --at 2001-01-01T00:00:00Z --revision 1', 64, /cannot be used with/);
    const many = Array.from({ length: 1001 }, (_, n) => `dn: uid=u${n},o=internet\nchangetype: delete\n`).join('\n');
    writeFileSync(ldif, many);
    await refused(`directory diff ${ldif}`, 65, /more than 1000 changes/);
    writeFileSync(ldif, 'dn: o=internet\nchangetype: modify\nfrob: x\n');
    await refused(`directory diff ${ldif}`, 65, /line 3: add, delete, replace or increment is expected/);
  });

  test('trace by Message-ID, queue id and address', async () => {
    const client = await SmtpClient.open(server.listeners.smtp);
    const reply = await client.send(
      'stranger@elsewhere.example',
      ['bob@acme.example'],
      Buffer.from('Message-ID: <x-1@elsewhere.example>\r\n\r\n'),
    );
    await client.quit();
    const id = reply.lines[0]!.split(' ').at(-1)!;
    type Event = { at: string; queueId: string; event: string; recipient: string; status: string };
    for (const what of ['x-1@elsewhere.example', '<x-1@elsewhere.example>', id, 'bob@acme.example']) {
      const events = await json<Event[]>(`trace ${what}`);
      assert.deepEqual(Object.keys(events[0]!), ['at', 'queueId', 'event', 'recipient', 'status'], what);
      assert.match(events[0]!.at, TIME);
      assert.deepEqual(
        events.map(({ queueId, event, recipient }) => [queueId, event, recipient]),
        [
          [id, 'accepted', 'bob@acme.example'],
          [id, 'delivered', 'bob@acme.example'],
        ],
      );
    }
    assert.match(
      (await cli(`trace ${id}`)).stdout,
      new RegExp(`^\\S+Z {2}${id} {2}accepted {3}bob@acme\\.example`, 'm'),
    );
    await refused('trace unknown@elsewhere.example', 1, /nothing is known of/);
  });

  test('token add prints the token once; list, remove', async () => {
    const dry = await cli('token add ann@acme.example phone --scope imap,smtp --expires 90d --dry-run');
    const words = 'the token phone of ann@acme.example for imap, smtp, until ';
    assert.ok(dry.stdout.startsWith(`would be added  ${words}`), dry.stdout);
    assert.equal(
      (await cli('token list')).stdout.trimEnd(),
      'no tokens yet: waypost token add ADDRESS NAME --scope imap,smtp',
    );
    const added = await cli('token add ann@acme.example phone --scope imap,smtp --expires 90d');
    assert.equal(added.code, 0, added.stderr);
    assert.match(added.stdout, /^wp_[a-z2-7]{32}\n$/, 'the token and nothing else, for a script');
    type Token = { token: string; expiresAt: string | null; createdAt: string };
    const ops = await json<Token>('token add ops --scope api');
    const facts = ['account', 'name', 'scopes', 'createdAt', 'expiresAt'];
    assert.deepEqual(Object.keys(ops), [...facts, 'dryRun', 'revision', 'token']);
    assert.deepEqual([ops.expiresAt, TIME.test(ops.createdAt), ops.token.length], [null, true, 35]);
    const [phone] = await json<Token[]>('token list ann@acme.example');
    assert.deepEqual(Object.keys(phone!), facts);
    const text = (await cli('token list')).stdout;
    assert.match(text, /^ann@acme\.example {6}phone {2}imap,smtp {2}\S+Z {2}\S+Z$/m);
    assert.match(text, /^cn=Directory Manager {2}ops {4}api {8}\S+Z {2}-$/m);
    assert.doesNotMatch(text + JSON.stringify(phone), new RegExp(`${added.stdout.trim()}|${ops.token}|[0-9a-f]{64}`));
    await refused('token add ann@acme.example phone --scope pop', 1, /there is a token named phone already/);
    await refused('token add x --scope imap', 65, /the Directory Manager has no mail/);
    await refused('token add ann@acme.example x --scope web', 65, /^waypost: scopes\.0: /);
    await refused('token add ann@acme.example x --scope pop --expires soon', 65, /^waypost: expires: a time such as/);
    await refused('token add nobody@acme.example x --scope pop', 1, /no user has the address/);
    await refused('token add ann@acme.example x', 64, /--scope/);
    assert.match((await cli('token remove ann@acme.example phone --dry-run')).stdout, /^would be changed {2}uid=ann,/);
    assert.match((await cli('token remove ann@acme.example phone')).stdout, /^changed {2}uid=ann,/);
    assert.equal((await cli('token remove ops')).code, 0);
    await refused('token remove ann@acme.example phone', 1, /there is no token named phone/);
    assert.deepEqual(await json('token list'), []);
  });

  test('mailbox check finds nothing', async () => {
    assert.match((await cli('mailbox check')).stdout, /^no problems/);
    assert.deepEqual(await json('mailbox check --bytes'), []);
    assert.deepEqual(await json('mailbox check --account ann@acme.example'), []);
    assert.match((await cli('mailbox repair --bytes')).stdout, /^nothing to repair/);
    await refused('mailbox repair --account nobody@acme.example', 1, /no mailbox here has the address/);
  });

  test('mailbox expire finds nothing without rules', async () => {
    assert.equal((await cli('mailbox expire --dry-run')).stdout, 'nothing is old enough\n');
    assert.deepEqual(await json('mailbox expire'), []);
    await refused('mailbox expire nobody@acme.example', 1, /no mailbox here has the address/);
  });

  test('mailbox acl set, show, remove; mailbox readers', async () => {
    const folder = 'ann@acme.example INBOX';
    assert.equal(
      (await cli(`mailbox acl set ${folder} bob@acme.example lrs --dry-run`)).stdout,
      'would be changed  bob@acme.example: none -> lrs\n',
    );
    const owner = { identifier: 'ann@acme.example', rights: 'lrswipkxtea' };
    assert.deepEqual(await json(`mailbox acl show ${folder}`), [owner], 'a dry run changes nothing');
    assert.equal(
      (await cli(`mailbox acl set ${folder} bob@acme.example lrs`)).stdout,
      'changed  bob@acme.example: none -> lrs\n',
    );
    assert.deepEqual(await json(`mailbox acl set ${folder} bob@acme.example +w`), {
      dryRun: false,
      identifier: 'bob@acme.example',
      before: 'lrs',
      rights: 'lrsw',
    });
    const behind = (...words: readonly string[]) =>
      waypost(['mailbox', 'acl', 'set', '--data', server.data, ...folder.split(' '), ...words]);
    const less = await behind('bob@acme.example', '--', '-s');
    assert.equal(less.stdout, 'changed  bob@acme.example: lrsw -> lrw\n', less.stderr);
    assert.equal((await behind('--', '-all@acme.example', 'd')).code, 0);
    const lines = await json<{ identifier: string; rights: string }[]>(`mailbox acl show ${folder}`);
    assert.deepEqual(lines.map(({ identifier, rights }) => `${identifier} ${rights}`).sort(), [
      '-all@acme.example te',
      'ann@acme.example lrswipkxtea',
      'bob@acme.example lrw',
    ]);
    assert.match(
      (await cli(`mailbox acl show ${folder}`)).stdout,
      /^IDENTIFIER +RIGHTS\nann@acme\.example +lrswipkxtea$/m,
    );
    const [reader] = await json<Record<string, unknown>[]>(`mailbox readers ${folder}`);
    assert.deepEqual(Object.keys(reader!), ['reader', 'account', 'rights', 'seen', 'unseen', 'modseq']);
    assert.match((await cli(`mailbox readers ${folder}`)).stdout, /^READER +RIGHTS +SEEN +UNSEEN +MODSEQ\nann@acme/);
    assert.equal(
      (await cli(`mailbox acl remove ${folder} bob@acme.example`)).stdout,
      'changed  bob@acme.example: lrw -> none\n',
    );
    await refused(`mailbox acl remove ${folder} bob@acme.example`, 1, /bob@acme\.example has no line/);
    await refused(
      `mailbox acl set ${folder} nobody@acme.example l`,
      1,
      /No user and no list here has the address nobody@/,
    );
    await refused(`mailbox acl set ${folder} bob@acme.example lz`, 65, /lz are no rights: they are letters of/);
    await refused(`mailbox acl set ${folder} ann@acme.example l`, 64, /The owner of a mailbox has all rights/);
    await refused('mailbox acl show ann@acme.example Nowhere', 1, /ann@acme\.example has no folder Nowhere/);
    await refused('mailbox readers nobody@acme.example INBOX', 1, /no mailbox here has the address/);
    await until('the audit has who gave whom which rights', async () =>
      /mailbox\.acl\.set ann@acme\.example INBOX bob@acme\.example lrs/.test((await cli('audit list')).stdout),
    );
  });

  test('remove: group, users, domain, each once', async () => {
    await refused('domain remove acme.example', 1, /acme\.example has users, lists or subdomains/);
    assert.match((await cli('group remove all@acme.example --dry-run')).stdout, /^would be removed {2}cn=all/m);
    for (const [noun, name] of [
      ['group', 'all@acme.example'],
      ['user', 'ann@acme.example'],
      ['user', 'bob@acme.example'],
      ['domain', 'acme.example'],
    ]) {
      const removed = await json<{ dryRun: boolean; revision: number; entries: object[] }>(`${noun} remove ${name}`);
      assert.equal(removed.dryRun, false);
      assert.deepEqual(Object.keys(removed), ['dryRun', 'revision', 'entries', 'rows']);
      await refused(`${noun} remove ${name}`, 1, /no |not /);
    }
    assert.deepEqual(await json('domain list'), []);
  });

  test('a second server on the same data: 75, and the first goes on', async () => {
    const outcome = await cli('serve', { env: { WAYPOST_PORT_OFFSET: 'auto', WAYPOST_LISTEN: '127.0.0.1' } });
    assert.equal(outcome.code, 75);
    assert.match(outcome.stderr, /^waypost: .*(in use|lock|another)/im);
    assert.equal((await cli('status')).code, 0);
  });

  test('the socket is for the owner alone', () => {
    assert.equal(statSync(join(server.data, 'run', 'admin.sock')).mode & 0o777, 0o600);
  });
});

describe('without a server', { concurrency: 2 }, () => {
  test('every command that needs one: 69, and how to start it', async () => {
    const data = temporary();
    for (const line of ['status', 'domain list', 'user add a@b.example', 'route a@b.example', 'mailbox check']) {
      const outcome = await waypost([...line.split(' '), '--data', data]);
      assert.equal(outcome.code, 69, line);
      assert.match(outcome.stderr, /^waypost: no server runs on \S+: start one with `waypost serve --data \S+`\n$/);
    }
    rmSync(data, { recursive: true });
  });

  test('usage: 64 and one line', async () => {
    for (const line of [
      'bogus',
      'domain',
      'domain frob',
      'user add',
      'status --frob',
      'route',
      'completion tcsh',
      '',
    ]) {
      const outcome = await waypost(line === '' ? [] : line.split(' '));
      assert.equal(outcome.code, 64, line);
      assert.match(
        outcome.stderr,
        /^waypost: [^\n]+; see `waypost --help`\n$|^waypost: [^\n]+, see `waypost --help`\n$/,
      );
    }
  });

  test('help and version: 0, on standard output', async () => {
    for (const line of ['--help', 'help', 'queue --help', 'queue retry --help', 'help domain']) {
      const outcome = await waypost(line.split(' '));
      assert.deepEqual([outcome.code, outcome.stderr], [0, ''], line);
      assert.match(outcome.stdout, /^Usage: waypost/);
    }
    assert.match((await waypost(['--version'])).stdout, /^\d+\.\d+\.\d+\n$/);
  });

  test('a broken waypost.toml: 78 with file, line and key, for the server and for commands', async () => {
    const data = temporary();
    const file = join(data, 'waypost.toml');
    const broken: readonly (readonly [text: string, words: string])[] = [
      ['hostname = "mail.example"\nport-ofset = 3\n', ':2: port-ofset: unknown key'],
      ['[queue]\nretry = ["soon"]\n', ':2: queue.retry.0: expected'],
      ['[provision\nfrom-mx = "auto"\n', ':1: '],
    ];
    for (const [text, words] of broken) {
      writeFileSync(file, text);
      for (const line of ['serve', 'status']) {
        const outcome = await waypost([line, '--data', data]);
        assert.equal(outcome.code, 78, outcome.stderr);
        assert.ok(outcome.stderr.startsWith(`waypost: ${file}${words}`), outcome.stderr);
        assert.equal(outcome.stderr.trimEnd().split('\n').length, 1, outcome.stderr);
      }
    }
    const named = await waypost(['serve', '--data', data, '--config', join(data, 'absent.toml')]);
    assert.equal(named.code, 78);
    const environment = await waypost(['serve', '--data', join(data, 'x')], { env: { WAYPOST_PORT_OFFSET: 'many' } });
    assert.deepEqual([environment.code, /WAYPOST_PORT_OFFSET/.test(environment.stderr)], [78, true]);
    rmSync(data, { recursive: true });
  });

  test('a port that is taken: 75, named in one line, and nothing has started', async () => {
    const offset = await freeOffset();
    const port = offset + 25;
    const holder = createServer().listen(port, '127.0.0.1');
    await once(holder, 'listening');
    const data = temporary();
    const env = { WAYPOST_PORT_OFFSET: String(offset), WAYPOST_LISTEN: '127.0.0.1', WAYPOST_LOG: 'silent' };
    const outcome = await waypost(['serve', '--data', data], { env });
    assert.deepEqual([outcome.code, outcome.stdout], [75, '']);
    assert.equal(
      outcome.stderr,
      `waypost: 127.0.0.1:${port} (smtp) is taken by another program: end it, or put "smtp" into \`without\` of waypost.toml\n`,
    );
    holder.close();
    rmSync(data, { recursive: true });
  });

  test('a path that can be no data directory: 78 and one line', async () => {
    const top = temporary();
    const file = join(top, 'file');
    writeFileSync(file, '');
    const impossible = process.platform === 'linux' ? ['/proc/waypost/data'] : [];
    for (const data of [file, join(file, 'data'), ...impossible]) {
      const outcome = await waypost(['serve', '--data', data]);
      assert.equal(outcome.code, 78, outcome.stderr);
      assert.match(outcome.stderr, /^waypost: [^\n]+: give another with --data\n$/);
    }
    assert.equal((await waypost(['status', '--data', file])).code, 69);
    rmSync(top, { recursive: true });
  });

  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    test(`${signal}: a clean stop, 0`, async () => {
      const data = temporary();
      const env = { WAYPOST_PORT_OFFSET: 'auto', WAYPOST_LISTEN: '127.0.0.1' };
      const outcome = await waypost(['serve', '--data', data], { env, signal: [signal, /"event":"ready"/] });
      assert.equal(outcome.code, 0);
      assert.ok(!existsSync(join(data, 'run', 'admin.sock')), 'no socket is left');
      const lines = outcome.stdout.trimEnd().split('\n');
      assert.equal(lines.length, 1, 'one line on standard output');
      const ready = JSON.parse(lines[0]!) as { event: string; listeners: object };
      assert.equal(ready.event, 'ready');
      const plain = ['smtp', 'submission', 'lmtp', 'imap', 'pop3', 'ldap', 'dns', 'http'];
      const doors = [...plain, 'submissions', 'imaps', 'pop3s', 'ldaps', 'https'];
      assert.deepEqual(Object.keys(ready.listeners), doors);
      rmSync(data, { recursive: true });
    });

  test('a data directory with a long path has its socket elsewhere', async (context) => {
    const top = temporary();
    const data = join(top, 'a-directory-with-a-long-name'.repeat(4), 'data');
    mkdirSync(data, { recursive: true });
    const server = await startWaypost({ data });
    context.after(() => server.stop());
    const pointer = join(data, 'run', 'admin.path');
    const elsewhere = readFileSync(pointer, 'utf8').trim();
    assert.ok(elsewhere.startsWith(tmpdir()) && Buffer.byteLength(elsewhere) <= 100);
    assert.equal(statSync(resolve(elsewhere, '..')).mode & 0o777, 0o700);
    const outcome = await waypost(['status', '--json', '--data', data]);
    assert.equal(outcome.code, 0, outcome.stderr);
    await server.kill9();
    await server.restart();
    assert.ok(!existsSync(elsewhere), 'what a killed server left goes at the next start');
    const again = readFileSync(pointer, 'utf8').trim();
    await server.stop();
    assert.ok(!existsSync(again), 'the socket goes with the server');
    assert.ok(!existsSync(resolve(again, '..')), 'and so does its directory');
    assert.equal((await waypost(['status', '--data', data])).code, 69);
    rmSync(top, { recursive: true });
  });

  test('completion scripts: what they offer, and bash takes its own', async () => {
    for (const shell of ['bash', 'zsh', 'fish']) {
      const { code, stdout } = await waypost(['completion', shell]);
      assert.equal(code, 0);
      for (const word of ['serve', 'demo', 'domain', 'retry', 'check'])
        assert.match(stdout, new RegExp(`\\b${word}\\b`));
      if (shell !== 'bash') continue;
      // biome-ignore lint/suspicious/noTemplateCurlyInString: bash's own
      const words = 'COMP_WORDS=(waypost queue re); COMP_CWORD=2; _waypost; echo "${COMPREPLY[@]}"';
      const bash = spawn('bash', ['-c', `set -e; bash -n <<< "$1"; eval "$1"; ${words}`, 'bash', stdout]);
      let said = '';
      bash.stdout.on('data', (chunk: Buffer) => {
        said += chunk;
      });
      const [exit] = await once(bash, 'close');
      assert.deepEqual([exit, said], [0, 'retry release reroute remove\n']);
    }
  });

  test('a reader that has enough gets no complaint', async () => {
    const child = spawn('sh', ['-c', `"${launcher}" --help | head -n 1`]);
    let stderr = '';
    child.stderr.on('data', (chunk: Buffer) => {
      stderr += chunk;
    });
    await once(child, 'close');
    assert.equal(stderr, '');
  });

  test('on a terminal the password is asked for, without an echo', { skip: peer('python3').skip }, async () => {
    await using estate = await createTestEstate();
    assert.equal((await waypost(['domain', 'add', 'tty.example', '--data', estate.data])).code, 0);
    const script = `
import os, pty, sys
pid, fd = pty.fork()
if pid == 0:
    os.execv(sys.argv[1], sys.argv[1:])
said = b''
while b'none): ' not in said:
    said += os.read(fd, 1000)
os.write(fd, b'wrongg\\x7f\\x7f\\x7f\\x7f\\x7f\\x7fa secret\\r')
try:
    while True:
        more = os.read(fd, 1000)
        if not more: break
        said += more
except OSError:
    pass
sys.stdout.buffer.write(said)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
`;
    const asked = spawn(peer('python3').path, [
      ...['-c', script, launcher],
      ...['user', 'add', 'tim@tty.example', '--data', estate.data],
    ]);
    let said = '';
    asked.stdout.on('data', (chunk: Buffer) => {
      said += chunk;
    });
    const [code] = await once(asked, 'close');
    assert.equal(code, 0, said);
    assert.match(said, /Password of tim@tty\.example \(empty for none\): /);
    assert.doesNotMatch(said, /secret/);
    const client = await ImapClient.login(estate.listeners.imap, 'tim@tty.example', 'a secret');
    await client.logout();
  });
});
