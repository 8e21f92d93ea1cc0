// `waypost sendmail` as local programs use it: the server down, the server up, files that are none of ours, a kill at the worst moment.

import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { ImapClient } from '../src/demo/clients/imap-client.ts';
import { createTestEstate } from '../src/estate/estate.ts';
import { type Person, populate } from './support/directory.ts';
import { startWaypost, type Waypost } from './support/server.ts';
import { until } from './support/until.ts';

const program = resolve(import.meta.dirname, '../waypost');

interface Ran {
  readonly code: number | null;
  readonly printed: string;
}

function run(
  command: string,
  argv: readonly string[],
  input = '',
  env: Record<string, string> = {},
  uid?: number,
): Promise<Ran> {
  const child = spawn(command, argv, {
    env: { ...process.env, ...env },
    ...(uid === undefined ? {} : { uid, gid: uid }),
  });
  return new Promise((settle, reject) => {
    let printed = '';
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => (printed += text));
    child.on('error', reject);
    child.on('close', (code) => settle({ code, printed }));
    child.stdin.on('error', () => {});
    child.stdin.end(input);
  });
}

async function inbox(server: Waypost, person: Person): Promise<string[]> {
  const client = await ImapClient.login(server.listeners.imap, person.login, person.password);
  const messages = await client.fetchAll();
  await client.logout();
  return messages.map(({ body }) => body.toString('latin1'));
}

const HEAD = 'MAIL FROM:<root@local.example>\r\nRCPT TO:<ann@acme.example>\r\n\x01\x01\r\n';

describe('with a server', () => {
  let server: Waypost;
  let ann: Person;
  let folder: string;
  before(async () => {
    server = await startWaypost({ config: '[limits]\nmessage-size = "100KiB"\nrecipients = 100\n' });
    [ann] = (await populate(server, 'acme.example', ['ann'])) as [Person];
    folder = join(server.data, 'submit');
  });
  after(() => server?.stop());

  const sendmail = (argv: readonly string[], input: string): Promise<Ran> =>
    run(program, ['sendmail', '--data', server.data, ...argv], input);
  const taken = (): Promise<void> =>
    until('the folder is empty', () => readdirSync(folder).every((name) => name === 'bad'));

  test('a message of a program is in the mailbox, with what it had left out and without its Bcc', async () => {
    const text = 'To: ann@acme.example\nBcc: ann@acme.example\nSubject: from cron\n\n.dot\nend\n';
    assert.deepEqual(await sendmail(['-t', '-FCron', '-f', 'cron@local.example'], text), { code: 0, printed: '' });
    await until('the message', async () => (await inbox(server, ann)).length === 1);
    const [message] = await inbox(server, ann);
    assert.match(
      message!,
      /^Return-Path: <cron@local\.example>\r\nReceived: by \S+ \(Waypost, from uid \d+\)\r\n\tid \S+\r\n\tfor <ann@acme\.example>; /,
    );
    assert.match(message!, /\r\nFrom: "Cron" <cron@local\.example>\r\n/);
    assert.match(message!, /\r\nDate: /);
    assert.match(message!, /\r\nMessage-ID: </);
    assert.doesNotMatch(message!, /^Bcc:/im);
    assert.match(message!, /\r\n\r\n\.dot\r\nend\r\n$/);
    await taken();
  });

  test('who is refused is a report to the sender; so is a message that is too large', async () => {
    const count = (await inbox(server, ann)).length;
    await sendmail(['-f', ann.login, 'nobody@acme.example'], 'Subject: x\n\ny\n');
    await until('the report', async () => (await inbox(server, ann)).length === count + 1);
    assert.match(
      (await inbox(server, ann)).at(-1)!,
      /\r\nFinal-Recipient: rfc822; ?nobody@acme\.example\r\nAction: failed\r\nStatus: 5\.1\.1\r\n/,
    );
    await sendmail(
      ['-f', ann.login, ann.login],
      `Subject: large\n\n${'x'.repeat(70)}\n`.concat(`${'y'.repeat(70)}\n`.repeat(2000)),
    );
    await until('the report', async () => (await inbox(server, ann)).length === count + 2);
    const report = (await inbox(server, ann)).at(-1)!;
    assert.match(report, /\r\nStatus: 5\.3\.4\r\n/);
    assert.match(report, /\r\nSubject: large\r\n/);
    assert.doesNotMatch(report, /yyyy/);
    await taken();
  });

  test('2,500 recipients are mail, each of them once, whatever a door takes at once', async () => {
    const names = Array.from({ length: 2499 }, (_, number) => `nobody-${number}@acme.example`);
    const all = [...names.slice(0, 1500), 'ann@acme.example', ...names.slice(1500), 'ann@acme.example'];
    const before = (await inbox(server, ann)).length;
    const head = `MAIL FROM:<> RET=HDRS\r\n${all.map((name) => `RCPT TO:<${name}> NOTIFY=NEVER\r\n`).join('')}\x01\x01\r\n`;
    writeFileSync(join(folder, '.many'), `${head}Subject: many\r\n\r\nx\r\n`);
    renameSync(join(folder, '.many'), join(folder, 'many'));
    await taken();
    assert.deepEqual(readdirSync(join(folder, 'bad')).includes('many'), false);
    const messages = await inbox(server, ann);
    assert.equal(messages.length, before + 1);
    assert.match(messages.at(-1)!, /Subject: many/);
    const takes = () => server.stderr().match(/"submit\.take"[^\n]*"many"|"many"[^\n]*"submit\.take"/g)?.length ?? 0;
    await until('the log tells of each part', () => takes() >= 3);
    assert.equal(takes(), 3);
  });

  test('what is no plain file of one name, and no text form, is set aside, and nothing of it is mail', async () => {
    const count = (await inbox(server, ann)).length;
    const outside = mkdtempSync(join(tmpdir(), 'waypost-outside-'));
    try {
      const real = join(outside, 'real');
      writeFileSync(real, `${HEAD}Subject: x\r\n\r\ny\r\n`);
      symlinkSync(real, join(folder, 'symlink'));
      linkSync(real, join(folder, 'second-link'));
      execFileSync('mkfifo', [join(folder, 'fifo')]);
      mkdirSync(join(folder, 'folder'));
      writeFileSync(join(folder, 'no-boundary'), 'MAIL FROM:<>\r\nRCPT TO:<ann@acme.example>\r\n');
      writeFileSync(join(folder, 'unknown-line'), `X-Odd: 1\r\n${HEAD}x\r\n`);
      await until('all are set aside', () => readdirSync(folder).join() === 'bad');
      assert.deepEqual(readdirSync(join(folder, 'bad')).sort(), [
        'fifo',
        'folder',
        'no-boundary',
        'second-link',
        'symlink',
        'unknown-line',
      ]);
      await until('the log names the last', () => /"file":"unknown-line"[^\n]*"submit\.bad"/.test(server.stderr()));
      assert.equal((await inbox(server, ann)).length, count);
    } finally {
      rmSync(outside, { recursive: true, force: true });
    }
  });

  test('lines that end in LF alone become CRLF; a message with one CRLF stays as it is; X- lines are not believed', async () => {
    const head = HEAD.replaceAll('\r\n', '\n').replace(
      '\x01\x01',
      'X-Login: ann@acme.example\nX-Channel: nowhere\n\x01\x01',
    );
    writeFileSync(join(folder, '.lf'), `${head}Subject: lf\n\none\ntwo\n`);
    execFileSync('mv', [join(folder, '.lf'), join(folder, 'lf')]);
    await until('the message', async () =>
      (await inbox(server, ann)).some((text) => text.endsWith('\r\n\r\none\r\ntwo\r\n')),
    );
    await taken();
  });

  test('mailq and -q are the queue of the server', async () => {
    assert.deepEqual(await sendmail(['-bp'], ''), { code: 0, printed: 'the queue is empty\n' });
    assert.equal((await sendmail(['-q'], '')).code, 0);
  });

  test('a link named sendmail, and one named mailq', async () => {
    const links = mkdtempSync(join(tmpdir(), 'waypost-links-'));
    try {
      for (const name of ['sendmail', 'mailq']) symlinkSync(program, join(links, name));
      const env = { WAYPOST_DATA: server.data };
      const count = (await inbox(server, ann)).length;
      assert.equal((await run(join(links, 'sendmail'), [ann.login], 'by a link\n', env)).code, 0);
      await until('the message', async () => (await inbox(server, ann)).length === count + 1);
      assert.deepEqual(await run(join(links, 'mailq'), [], '', env), { code: 0, printed: 'the queue is empty\n' });
    } finally {
      rmSync(links, { recursive: true, force: true });
    }
  });
});

test('with the server down a message is taken, and delivered when it comes up', async () => {
  const server = await startWaypost();
  try {
    const [ann] = (await populate(server, 'acme.example', ['ann'])) as [Person];
    await server.kill9();
    const { code } = await run(program, ['sendmail', '--data', server.data, ann.login], 'while you were away\n');
    assert.equal(code, 0);
    assert.equal((await run(program, ['sendmail', '--data', server.data, '-bp'])).code, 69);
    await server.restart();
    await until('the message', async () => (await inbox(server, ann)).length === 1);
  } finally {
    await server.stop();
  }
});

test('a folder outside the data directory is for all users: mode 1733', async () => {
  const outside = mkdtempSync(join(tmpdir(), 'waypost-spool-'));
  const folder = join(outside, 'submit');
  const server = await startWaypost({ config: `[submit]\nfolder = "${folder}"\n` });
  try {
    assert.equal(statSync(folder).mode & 0o7777, 0o1733);
    const [ann] = (await populate(server, 'acme.example', ['ann'])) as [Person];
    assert.equal((await run(program, ['sendmail', '--data', server.data, ann.login], 'hello\n')).code, 0);
    await until('the message', async () => (await inbox(server, ann)).length === 1);
    if (process.getuid?.() !== 0) return;
    // Somebody else, who may read neither the folder nor the data directory.
    const config = join(outside, 'waypost.toml');
    writeFileSync(config, `data = "${server.data}"\nhostname = "mail.acme.example"\n[submit]\nfolder = "${folder}"\n`);
    chmodSync(outside, 0o755);
    chmodSync(config, 0o644);
    const nobody = await run(program, ['sendmail', ann.login], 'from nobody\n', { WAYPOST_CONFIG: config }, 65_534);
    assert.deepEqual(nobody, { code: 0, printed: '' });
    await until('the message', async () => (await inbox(server, ann)).length === 2);
    assert.match((await inbox(server, ann))[1]!, /\(Waypost, from uid 65534\)/);
  } finally {
    await server.stop();
    rmSync(outside, { recursive: true, force: true });
  }
});

test('`bad` that somebody else has made is not used: files stay, each with one line in the log', async () => {
  const outside = mkdtempSync(join(tmpdir(), 'waypost-spool-'));
  const folder = join(outside, 'submit');
  const bad = join(folder, 'bad');
  const theirs = join(outside, 'theirs');
  for (const made of [folder, theirs]) mkdirSync(made);
  symlinkSync(theirs, bad);
  writeFileSync(join(folder, 'odd-1'), 'x');
  const server = await startWaypost({ config: `[submit]\nfolder = "${folder}"\n` });
  const lines = (name: string): number =>
    server
      .stderr()
      .split('\n')
      .filter((line) => line.includes('submit.bad') && line.includes(`"${name}"`)).length;
  try {
    await until('a line', () => lines('odd-1') === 1);
    // Each is noticed, and all are looked at again.
    for (const name of ['odd-2', 'odd-3']) {
      writeFileSync(join(folder, name), 'x');
      await until('a line', () => lines(name) === 1);
    }
    assert.equal(lines('odd-1'), 1);
    assert.deepEqual(readdirSync(theirs), []);
    rmSync(bad);
    if (process.getuid?.() === 0) {
      mkdirSync(bad);
      chownSync(bad, 65_534, 65_534);
      writeFileSync(join(folder, 'odd-4'), 'x');
      await until('a line', () => lines('odd-4') === 1);
      assert.deepEqual(readdirSync(bad), []);
      rmSync(bad, { recursive: true });
    }
    writeFileSync(join(folder, 'odd-5'), 'x');
    await until('all are set aside', () => readdirSync(folder).join() === 'bad');
    assert.ok(readdirSync(bad).includes('odd-1'));
  } finally {
    await server.stop();
    rmSync(outside, { recursive: true, force: true });
  }
});

test('`bad` is there when the server has started', async () => {
  await using estate = await createTestEstate();
  await until('the directory', () => readdirSync(join(estate.data, 'submit')).includes('bad'));
});
