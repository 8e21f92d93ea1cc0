// Files that mail is written to: what other programs read there, what stands in the way, and what a crash leaves.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import type { MessageId } from '../../base/ids.ts';
import { operation } from '../../database/operation.ts';
import { addDomain, addUser, replace, userDn } from '../../provisioning/testing.ts';
import { rerouteRows } from '../hold.ts';
import { traceMessage } from '../journey.ts';
import type { Schedule } from '../schedule.ts';
import { TestTransfer } from '../testing.ts';

const ann = 'ann@acme.example';
let transfer: TestTransfer;
let schedule: Schedule;
const policy = { retryMs: [3_600_000], expireMs: 86_400_000 };

before(async () => {
  transfer = await TestTransfer.open({ policy, fileBytes: 100_000 });
  await transfer.directory.apply(addDomain('acme.example'), addUser(ann, { mailDeliveryOption: 'file' }));
  schedule = await transfer.start();
});

after(() => transfer.close());

const pathOf = (name: string): string => join(transfer.filesPath, 'acme.example', name);

async function files(name: string): Promise<string> {
  await transfer.directory.apply(replace(userDn(ann), { mailDeliveryOption: 'file', mailDeliveryFileURL: name }));
  return pathOf(name.replace('file:///', ''));
}

function sent(text: string): Promise<MessageId> {
  return transfer.accept({ from: 'sam@acme.example', to: [ann], text: `Subject: ${text}\r\n\r\n${text}\r\n` });
}

async function ending(message: MessageId): Promise<string> {
  const last = () => traceMessage(transfer.directory.reader, message).at(-1)!;
  await transfer.until('an outcome', () => ['delivered', 'deferred', 'failed'].includes(last().event));
  return `${last().event} ${last().status}`;
}

/** Subjects, as Python's mailbox finds them; for `Maildir` with the flags of each. */
function read(kind: 'mbox' | 'Maildir', path: string): string[] {
  const script = `import mailbox,sys
box = mailbox.${kind}(sys.argv[1], create=False)
for message in sorted(box, key=lambda each: each['subject']):
    assert message['return-path'] == '<sam@acme.example>', message.items()
    print(message['subject'] + '|' + message.get_payload().replace('\\n', '/'))`;
  return execFileSync('python3', ['-c', script, path], { encoding: 'utf8' }).split('\n').slice(0, -1);
}

test('an mbox holds what came, one message behind the other, for whoever reads mboxrd', async () => {
  const path = await files('file:///lists/ann');
  for (const text of ['one', 'From here', '>From there', '>>>From afar', 'Fro', 'last']) {
    const message = await transfer.accept({
      from: 'sam@acme.example',
      to: [ann],
      text: `Subject: ${text.replaceAll(/\W/g, '')}\r\n\r\n${text}\r\nend`,
    });
    assert.equal(await ending(message), 'delivered 2.0.0 filed');
  }
  assert.deepEqual(read('mbox', path), [
    'Fro|Fro/end/',
    'Fromafar|>>>>From afar/end/',
    'Fromhere|>From here/end/',
    'Fromthere|>>From there/end/',
    'last|last/end/',
    'one|one/end/',
  ]);
  assert.equal(statSync(path).mode & 0o777, 0o600);
  assert.equal(statSync(dirname(path)).mode & 0o777, 0o700);
  assert.match(
    readFileSync(path, 'latin1'),
    /^From sam@acme\.example \w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d \d{4}\nReturn-Path: /,
  );
  await transfer.until('no lock', () => readdirSync(dirname(path)).length === 1);
});

test('a file that ends in the middle of a line, or without an empty one, gets what it lacks', async () => {
  const path = await files('own');
  for (const [index, end] of ['a', 'a\n', 'a\n\n', '\n'].entries()) {
    writeFileSync(path, `From x Thu Nov 26 22:20:55 2026\nSubject: 0\nReturn-Path: <sam@acme.example>\n\n${end}`);
    await ending(await sent(`m${index}`));
    assert.equal(read('mbox', path).at(-1), `m${index}|m${index}/`);
    assert.equal(read('mbox', path).length, 2);
    assert.match(readFileSync(path, 'latin1'), /\n\nFrom sam/);
  }
});

test('a Maildir gets a file a message', async () => {
  const path = await files('boxes/ann/');
  for (const text of ['one', 'two']) assert.equal(await ending(await sent(text)), 'delivered 2.0.0 filed');
  assert.deepEqual(read('Maildir', path), ['one|one/', 'two|two/']);
  assert.deepEqual(
    ['tmp', 'cur'].map((name) => readdirSync(join(path, name)).length),
    [0, 0],
  );
});

test('mail without a sender begins like other mail, and a Maildir of another program gets the folders that it lacks', async () => {
  const path = await files('reports');
  const text = 'Subject: report\r\n\r\nreport\r\n';
  const message = await transfer.accept({ from: '', to: [ann], text });
  assert.equal(await ending(message), 'delivered 2.0.0 filed');
  assert.match(readFileSync(path, 'latin1'), /^From MAILER-DAEMON \w{3} \w{3} [^\n]*\nReturn-Path: <>\n/);
  const maildir = await files('boxes/others/');
  mkdirSync(join(maildir, 'new'), { recursive: true, mode: 0o755 });
  assert.equal(await ending(await sent('first')), 'delivered 2.0.0 filed');
  assert.deepEqual(readdirSync(maildir).toSorted(), ['cur', 'new', 'tmp']);
  assert.deepEqual(read('Maildir', maildir), ['first|first/']);
});

test('names that lead elsewhere are ignored, and named', async () => {
  const names = [
    '..',
    '/etc/x',
    'a/../b',
    'file://host/a',
    'file:////etc',
    '.hidden',
    'a//b',
    'a/b/c/d/e',
    'x.lock',
    'a b',
    'ä',
    '/',
    'file:///',
    `${'x'.repeat(201)}`,
  ];
  for (const name of names) {
    await files(name);
    assert.equal(transfer.directory.resolve(ann).reply.enhanced, '4.3.5', name);
  }
  for (const name of ['a', 'file:///a', 'FILE:///a.b-c_d/E', 'a/b/c/d/']) {
    await files(name);
    assert.equal(
      transfer.directory.resolve(ann).targets[0]!.destination,
      `acme.example/${name.replace(/^file:\/\/\//i, '')}`,
    );
  }
});

test('a link, a FIFO, a second name, or a folder in the way lets mail wait; so does what would be too large', async () => {
  const elsewhere = pathOf('elsewhere');
  writeFileSync(elsewhere, '');
  mkdirSync(pathOf('folder'));
  symlinkSync(elsewhere, pathOf('link'));
  symlinkSync(pathOf('folder'), pathOf('step'));
  symlinkSync('/nowhere/at/all', pathOf('dangling'));
  linkSync(elsewhere, pathOf('second'));
  execFileSync('mkfifo', [pathOf('fifo')]);
  for (const name of ['link', 'step/x', 'step/box/', 'dangling', 'second', 'fifo', 'folder', 'second/', 'second/x']) {
    await files(name);
    const message = await sent('no');
    assert.match(await ending(message), /^deferred 4\.2\.0 /, name);
    await transfer.removeAll();
  }
  assert.equal(readFileSync(elsewhere, 'latin1'), '');
  assert.deepEqual(readdirSync(pathOf('folder')), []);
  writeFileSync(pathOf('full'), 'x'.repeat(99_990));
  for (const name of ['full', 'fresh', 'box/']) {
    await files(name);
    const message = await sent(name === 'full' ? 'x' : 'y'.repeat(100_000));
    assert.match(await ending(message), /^deferred 4\.2\.2 /, name);
    await transfer.removeAll();
  }
  assert.equal(statSync(pathOf('full')).size, 99_990);
});

test('a lock of this server from before is taken at once, one that is old too, that of others is waited for', async () => {
  const path = await files('locked');
  for (const text of ['1\nwaypost test before\n', '1\n']) {
    writeFileSync(`${path}.lock`, text);
    if (text === '1\n') execFileSync('touch', ['-d', '6 minutes ago', `${path}.lock`]);
    assert.equal(await ending(await sent('locked')), 'delivered 2.0.0 filed');
    await transfer.until('no lock', () => !existsSync(`${path}.lock`));
  }
  writeFileSync(`${path}.lock`, '1\n');
  const message = await sent('locked');
  await new Promise((resolve) => setTimeout(resolve, 300));
  assert.equal(read('mbox', path).length, 2);
  rmSync(`${path}.lock`);
  assert.equal(await ending(message), 'delivered 2.0.0 filed');
  assert.equal(read('mbox', path).length, 3);
});

const putOff = operation('test.put-off', (tx, { message }: { message: MessageId }) =>
  tx.run('UPDATE queue SET next_attempt = 4000000000000 WHERE message = ?', message),
);
const dueNow = operation('test.due-now', (tx, { message }: { message: MessageId }) =>
  tx.run('UPDATE queue SET next_attempt = 0 WHERE message = ?', message),
);

/** The run ends when the message is in the file, and before anybody knows. */
async function killedBehindAppend(text: string, path: string): Promise<{ message: MessageId; before: Buffer }> {
  const before = existsSync(path) && statSync(path).isFile() ? readFileSync(path) : Buffer.alloc(0);
  transfer.refused.add('transfer.record');
  const message = await sent(text);
  const place = (): string => (statSync(path).isFile() ? path : join(path, 'new'));
  await transfer.until('bytes', () => {
    if (!existsSync(path) || !existsSync(place())) return false;
    const bytes = statSync(path).isFile() ? readFileSync(path, 'latin1') : readdirSync(place()).join();
    return statSync(path).isFile() ? bytes.slice(before.length).endsWith(`\n\n${text}\n\n`) : bytes !== '';
  });
  return { message, before };
}

async function restarted(): Promise<void> {
  // What it knows it tries to record to its end.
  await schedule.stop(10_000);
  transfer.refused.clear();
  schedule = await transfer.start();
}

test('a run that ends behind the append: what is whole is delivered, a torn end is cut, a file that was rewritten gets it again', async () => {
  const path = await files('crash');
  await ending(await sent('first'));
  const whole = await killedBehindAppend('whole', path);
  await restarted();
  assert.equal(await ending(whole.message), 'delivered 2.0.0 filed');
  assert.deepEqual(read('mbox', path), ['first|first/', 'whole|whole/']);

  for (const [index, cut] of [1, 40, 100].entries()) {
    const text = `x${index}`;
    const { message, before } = await killedBehindAppend(text, path);
    truncateSync(path, before.length + cut);
    // A file system may show the rest as zeros.
    if (index === 1) appendFileSync(path, Buffer.alloc(100));
    await restarted();
    assert.equal(await ending(message), 'delivered 2.0.0 filed');
    assert.deepEqual(read('mbox', path).slice(2 + index), [`${text}|${text}/`]);
    assert.deepEqual(readFileSync(path).subarray(0, before.length), before);
  }

  const rewritten = await killedBehindAppend('zrewritten', path);
  writeFileSync(`${path}.new`, rewritten.before);
  renameSync(`${path}.new`, path);
  await restarted();
  assert.equal(await ending(rewritten.message), 'delivered 2.0.0 filed');
  assert.equal(read('mbox', path).at(-1), 'zrewritten|zrewritten/');
  assert.equal(read('mbox', path).length, 6);
});

test('who comes first to a file with a torn end cuts it, whoever has left it', async () => {
  const path = await files('torn');
  const { message, before } = await killedBehindAppend('torn', path);
  truncateSync(path, before.length + 60);
  // The row that has left it waits, as after an attempt.
  await transfer.directory.writer.execute(putOff, { message });
  await restarted();
  const other = await sent('other');
  assert.equal(await ending(other), 'delivered 2.0.0 filed');
  assert.deepEqual(read('mbox', path), ['other|other/']);
  await transfer.directory.writer.execute(dueNow, { message });
  await restarted();
  assert.equal(await ending(message), 'delivered 2.0.0 filed');
  assert.deepEqual(read('mbox', path), ['other|other/', 'torn|torn/']);
});

test('a run that ends behind the link into a Maildir delivers no second copy, read or unread', async () => {
  const path = await files('maildir/');
  for (const [index, isRead] of [false, true].entries()) {
    const { message } = await killedBehindAppend(`m${index}`, path);
    const [name] = readdirSync(join(path, 'new'));
    if (isRead) renameSync(join(path, 'new', name!), join(path, 'cur', `${name}:2,S`));
    await restarted();
    assert.equal(await ending(message), 'delivered 2.0.0 filed');
    assert.equal(read('Maildir', path).length, index + 1);
    for (const own of isRead ? [] : [name!]) renameSync(join(path, 'new', own), join(path, 'cur', `${own}:2,`));
  }
});

test('a message that is perhaps in a file is not sent another way: it would be there twice', async () => {
  const path = await files('redirected');
  const { message } = await killedBehindAppend('once', path);
  await transfer.directory.writer.execute(putOff, { message });
  await restarted();
  const rows = transfer.queue().map(({ id }) => id);
  const rerouted = await transfer.directory.writer.execute(rerouteRows, { rows, at: Date.now() });
  assert.deepEqual(rerouted, { changed: 0, busy: 0, begun: 1, lists: 0, unknown: [] });
  await transfer.directory.writer.execute(dueNow, { message });
  await restarted();
  assert.equal(await ending(message), 'delivered 2.0.0 filed');
  assert.deepEqual(read('mbox', path), ['once|once/']);
});

test('a disk that takes neither the end of an append nor the cut: the next attempt looks at what is there', async (context) => {
  const path = await files('sick');
  await ending(await sent('first'));
  const handle = await open(path);
  const prototype = Object.getPrototypeOf(handle) as FileHandle;
  await handle.close();
  const broken = (): Promise<never> => Promise.reject(Object.assign(new Error('no space'), { code: 'ENOSPC' }));
  const [sync, truncate] = [
    context.mock.method(prototype, 'sync', broken),
    context.mock.method(prototype, 'truncate', broken),
  ];
  const message = await sent('second');
  const outcome = await ending(message);
  for (const each of [sync, truncate]) each.mock.restore();
  assert.match(outcome, /^deferred 4\.3\.1 /);
  await transfer.directory.writer.execute(dueNow, { message });
  await restarted();
  await transfer.until('an end', () => transfer.queue().length === 0);
  assert.deepEqual(read('mbox', path), ['first|first/', 'second|second/']);
});
