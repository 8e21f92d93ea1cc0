// Programs that are given mail: what they see, how they end, and what becomes of the recipient.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { MessageId } from '../../base/ids.ts';
import type { DirectoryChange } from '../../directory/entry.ts';
import { add, addDomain, addUser, replace, userDn } from '../../provisioning/testing.ts';
import { containerDn } from '../../routing/containers.ts';
import { traceMessage } from '../journey.ts';
import { Marks } from '../program/mark.ts';
import { TestTransfer } from '../testing.ts';

/** Root becomes somebody else for them, and nobody else can. */
const user = process.getuid!() === 0 ? 'nobody' : userInfo().username;
const ann = 'ann@acme.example';
let transfer: TestTransfer;
let folder: string;

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'waypost-program-'));
  chmodSync(folder, 0o777);
  transfer = await TestTransfer.open({ policy: { retryMs: [3_600_000], expireMs: 86_400_000 } });
  await transfer.directory.apply(
    addDomain('acme.example'),
    addUser(ann, { mailDeliveryOption: 'program' }),
    addUser('sam@acme.example'),
  );
  await transfer.start();
});

after(async () => {
  await transfer.close();
  rmSync(folder, { recursive: true });
});

/** A variable of a program's words. */
const of = (name: string): string => `\${${name}}`;

const programDn = (name: string): string => `cn=${name},${containerDn('programs')}`;

/** `script` is a shell's; its `$1`, ... are the words behind it. */
function program(name: string, script: string, words: readonly string[] = [], more = {}): DirectoryChange {
  return add(programDn(name), {
    objectClass: ['waypostProgram'],
    cn: name,
    waypostProgramPath: '/bin/sh',
    waypostProgramUser: user,
    waypostProgramArguments: JSON.stringify(['-c', script, 'sh', ...words]),
    ...more,
  });
}

async function gives(name: string, options: readonly string[] = ['program']): Promise<void> {
  await transfer.directory.apply(replace(userDn(ann), { mailDeliveryOption: options, mailProgramDeliveryInfo: name }));
}

async function sent(text = 'Subject: hi\r\n\r\nbody\r\n', to = ann): Promise<MessageId> {
  return transfer.accept({ from: 'sam@acme.example', to: [to], text });
}

const OUTCOMES: readonly string[] = ['delivered', 'relayed', 'deferred', 'failed'];

/** What the journey says last of the recipient's delivery. */
async function ending(message: MessageId): Promise<string> {
  const last = () =>
    traceMessage(transfer.directory.reader, message).findLast(
      ({ recipient, event }) => recipient.startsWith('ann') && OUTCOMES.includes(event),
    );
  await transfer.until('an outcome', () => last() !== undefined);
  return `${last()!.event} ${last()!.status}`;
}

test('a program gets the message as Unix has it, the words of its entry, and nothing else', async () => {
  const file = join(folder, 'seen');
  const script = 'umask 0; { echo "$@"; pwd; env | sort; cat; } > "$0.part"; mv "$0.part" "$0"';
  await transfer.directory.apply(
    add(programDn('archive'), {
      objectClass: ['waypostProgram'],
      cn: 'archive',
      waypostProgramPath: '/bin/sh',
      waypostProgramUser: user,
      waypostProgramArguments: JSON.stringify([
        '-c',
        script,
        file,
        `--from=${of('sender')}`,
        `${of('user')}/${of('detail')}@${of('domain')}`,
        of('recipient'),
        of('id'),
        `${of('x')} $y`,
      ]),
    }),
  );
  await gives('archive');
  const message = await sent('Subject: hi\r\n\r\nFrom here\r\n.dot\rcr', 'ann+news@acme.example');
  assert.match(await ending(message), /^delivered 2\.0\.0 taken by the program archive$/);
  const text = readFileSync(file, 'latin1').replace(/^(_|SHLVL|PWD|OLDPWD)=.*\n/gm, '');
  const id = /QUEUE_ID=(.*)/.exec(text)![1]!;
  assert.deepEqual(
    text.split('\n').filter((line) => !line.startsWith('Received: ')),
    [
      `--from=sam@acme.example ann/news@acme.example ann+news@acme.example ${id} \${x} $y`,
      '/',
      'ATTEMPT=1',
      'DOMAIN=acme.example',
      'LANG=C.UTF-8',
      'PATH=/usr/local/bin:/usr/bin:/bin',
      `QUEUE_ID=${id}`,
      'RECIPIENT=ann+news@acme.example',
      'SENDER=sam@acme.example',
      'USER=ann',
      'Return-Path: <sam@acme.example>',
      'Subject: hi',
      '',
      'From here',
      '.dot\rcr',
      '',
    ],
  );
  assert.deepEqual(
    transfer.events(message).map((event) => event.split(' ')[0]),
    ['accepted', 'queued', 'started', 'delivered'],
  );
});

test('what a stranger writes into an address stays a word, whatever a shell would make of it', async () => {
  const marker = join(folder, 'never');
  const detail = '`id`$HOME*{ab}&|~!';
  const words = join(folder, 'words');
  const sender = `$(touch ${marker}) () { :;}; touch ${marker}`;
  const script = 'printf "%s\\n" "$2" "$3" "$SENDER" > "$1.part"; mv "$1.part" "$1"';
  await transfer.directory.apply(program('spoken', script, [words, of('detail'), of('sender')]));
  await gives('spoken');
  const accepted = await transfer.accept({
    from: `"${sender}"@remote.example`,
    to: [`ann+${detail}@acme.example`],
    text: 'Subject: x\r\n\r\n',
  });
  assert.match(await ending(accepted), /^delivered /);
  const path = `"${sender}"@remote.example`;
  assert.deepEqual(readFileSync(words, 'latin1').split('\n'), [detail, path, path, '']);
  assert.ok(!existsSync(marker));
});

test('the end of a program is the end of the recipient, and its first line says more', async () => {
  const cases: readonly (readonly [script: string, ends: string])[] = [
    ['exit 0', 'delivered 2.0.0 taken by the program NAME'],
    ['echo 2.1.5 filed; exit 0', 'delivered 2.1.5 filed'],
    ['echo 5.1.1 no; exit 0', 'delivered 2.0.0 taken by the program NAME'],
    ...[64, 66, 68, 69, 70, 72, 76, 78].map(
      (code) => [`exit ${code}`, `failed 5.3.0 The program NAME ended with ${code}`] as const,
    ),
    ['exit 65', 'failed 5.6.0 The program NAME ended with 65'],
    ['echo nobody >&2; exit 67', 'failed 5.1.1 The program NAME ended with 67: nobody'],
    ['exit 77', 'failed 5.7.1 The program NAME ended with 77'],
    ['echo 5.2.1 closed; echo more; exit 1', 'failed 5.2.1 closed'],
    ['echo 4.2.1 later; exit 67', 'deferred 4.2.1 later'],
    ...[1, 2, 63, 71, 73, 74, 75, 79, 126, 255].map(
      (code) => [`exit ${code}`, `deferred 4.3.0 The program NAME ended with ${code}`] as const,
    ),
    ['kill -9 $$', 'deferred 4.3.0 The program NAME was ended by SIGKILL'],
    ['kill -SEGV $$', 'deferred 4.3.0 The program NAME was ended by SIGSEGV'],
    // It reads nothing of a message that no pipe holds.
    ['exec <&-; exit 0', 'delivered 2.0.0 taken by the program NAME'],
  ];
  const big = `Subject: big\r\n\r\n${'x'.repeat(70)}\r\n`.repeat(20_000);
  for (const [index, [script, ends]] of cases.entries()) {
    const name = `code${index}`;
    await transfer.directory.apply(program(name, script));
    await gives(name);
    const message = await sent(script.includes('<&-') ? big : undefined);
    assert.equal(await ending(message), ends.replace('NAME', name), script);
    await transfer.removeAll();
  }
});

/** One that has ended may wait a while for somebody who asks how. */
function isRunning(pid: number): boolean {
  try {
    return !readFileSync(`/proc/${pid}/stat`, 'latin1').includes(') Z ');
  } catch {
    return false;
  }
}

test('a program that leaves its process group, and its environment, is ended all the same', async () => {
  const pids = (): number[] =>
    readdirSync(folder)
      .filter((name) => name.startsWith('daemon'))
      .map((name) => Number(readFileSync(join(folder, name), 'latin1')))
      .filter(isRunning);
  // Forked twice, in a session of its own, with nothing that the run has given it.
  const daemon = `exec /bin/sh -c "echo \\$\\$ > ${folder}/daemon$0; exec sleep 1000"`;
  const script = `setsid env -i /bin/sh -c '(${daemon}) &' $1 <&- >&- 2>&-; `;
  const waits = `while [ ! -s ${folder}/daemon$1 ]; do sleep 0.05; done; `;
  await transfer.directory.apply(
    program('leaves', `${script}${waits}exit 0`, ['a']),
    program('stays', `${script}sleep 1000`, ['b'], { waypostProgramTime: '8' }),
  );
  await gives('leaves');
  assert.match(await ending(await sent()), /^delivered /);
  await transfer.until('its end', () => pids().length === 0);
  await gives('stays');
  assert.equal(await ending(await sent()), 'deferred 4.3.0 The program stays took too long');
  await transfer.until('its end', () => pids().length === 0);
  assert.equal(readdirSync(folder).filter((name) => name.startsWith('daemon')).length, 2);
  await transfer.removeAll();
});

test('a program that hangs, forks, or says a gigabyte is ended, and nothing of it is left', async () => {
  const alive = (): string[] => readdirSync(folder).filter((name) => name.startsWith('pid') && isAlive(name));
  const isAlive = (name: string): boolean => isRunning(Number(readFileSync(join(folder, name), 'latin1')));
  const child = `(echo $(exec sh -c 'echo $PPID') > ${folder}/pid$1; exec sleep 1000) &`;
  const waits = `while [ ! -s ${folder}/pid$1 ]; do sleep 0.05; done`;
  const seconds = { waypostProgramTime: '1' };
  const long = { waypostProgramTime: '600' };
  const said = async (name: string): Promise<string> => {
    await gives(name);
    return ending(await sent());
  };
  await transfer.directory.apply(
    program('hangs', `${child} ${waits}; sleep 1000`, ['a'], { waypostProgramTime: '8' }),
    program('forks', `${child} ${waits}; exit 0`, ['b'], long),
    program('shouts', 'head -c 1073741824 /dev/zero; exit 0', [], long),
    program('bomb', 'f() { f | f & }; f; sleep 1000', [], seconds),
    program('hungry', 'x=$(head -c 300000000 /dev/zero | tr "\\0" x); exit 0', [], { waypostProgramMemory: '64' }),
  );
  assert.equal(await said('hangs'), 'deferred 4.3.0 The program hangs took too long');
  assert.equal(await said('forks'), 'delivered 2.0.0 taken by the program forks');
  assert.equal(await said('shouts'), 'delivered 2.0.0 taken by the program shouts');
  // Before the one that takes all processes: a shell that cannot fork is not hungry, and ends well.
  assert.match(await said('hungry'), /^deferred 4\.3\.0 The program hungry /);
  assert.equal(await said('bomb'), 'deferred 4.3.0 The program bomb took too long');
  await transfer.until('an end of all that they have started', () => alive().length === 0);
  assert.equal(readdirSync(folder).filter((name) => name.startsWith('pid')).length, 2);
  await transfer.removeAll();
});

test('a start ends what a run before a kill has left, and nothing of another server', async (context) => {
  const at = mkdtempSync(join(tmpdir(), 'waypost-left-'));
  context.after(() => rmSync(at, { recursive: true, force: true }));
  const first = await TestTransfer.open({ at });
  const left = [first.filesPath, 'another'].map((server) =>
    spawn('prlimit', [`--locks=${new Marks(server).next()}`, '--', 'sleep', '1000']),
  );
  context.after(() => left.map((child) => child.kill('SIGKILL')));
  // Each is the program that it has become.
  await transfer.until('both', () =>
    left.every(({ pid }) => readFileSync(`/proc/${pid}/comm`, 'latin1').startsWith('sleep')),
  );
  await first.close();
  const second = await TestTransfer.open({ at });
  try {
    await second.start();
    await transfer.until('an end of the first', () => left[0]!.signalCode === 'SIGKILL');
    assert.equal(left[1]!.signalCode, null);
  } finally {
    await second.close();
  }
});

test('what cannot be run lets mail wait; an address that would be an option fails', async () => {
  const entry = (name: string, more: Readonly<Record<string, string | string[]>>) => program(name, 'exit 0', [], more);
  const cases: readonly (readonly [name: string, change: DirectoryChange | undefined, ends: RegExp])[] = [
    ['missing', undefined, /^deferred 4\.3\.5 The program missing: there is none of this name$/],
    [
      'nofile',
      entry('nofile', { waypostProgramPath: join(folder, 'none') }),
      /^deferred 4\.3\.5 .* cannot be executed$/,
    ],
    ['folder', entry('folder', { waypostProgramPath: folder }), /^deferred 4\.3\.5 .* cannot be executed$/],
    ['plain', entry('plain', { waypostProgramPath: '/etc/passwd' }), /^deferred 4\.3\.5 .* cannot be executed$/],
    ['relative', entry('relative', { waypostProgramPath: 'bin/sh' }), /^deferred 4\.3\.5 .*does not say what to run$/],
    ['words', entry('words', { waypostProgramArguments: '-c exit' }), /^deferred 4\.3\.5 .*does not say what to run$/],
    ['root', entry('root', { waypostProgramUser: 'root' }), /^deferred 4\.3\.5 .*does not run as root$/],
    ['zero', entry('zero', { waypostProgramUser: '0' }), /^deferred 4\.3\.5 .*does not run as root$/],
    [
      'nobody',
      entry('nobody', { waypostProgramUser: 'no such user' }),
      /^deferred 4\.3\.5 .*there is no user no such user/,
    ],
    [
      'others',
      entry('others', { waypostProgramDomain: ['other.example', 'no domain!'] }),
      /^deferred 4\.3\.5 .*acme\.example may not use it$/,
    ],
    ['ours', entry('ours', { waypostProgramDomain: ['other.example', 'ACME.example'] }), /^delivered /],
  ];
  for (const [name, change, ends] of cases) {
    if (change !== undefined) await transfer.directory.apply(change);
    await gives(name);
    assert.match(await ending(await sent()), ends);
    await transfer.removeAll();
  }
  await transfer.directory.apply(
    program('option', 'exit 0', [`${of('detail')}${of('user')}`]),
    program('inside', 'exit 0', [`--user=${of('user')}`, `-${of('user')}`]),
    addUser('-x@acme.example', { mailDeliveryOption: 'program', mailProgramDeliveryInfo: ['option', 'inside'] }),
  );
  const message = await sent(undefined, '-x@acme.example');
  const events = () =>
    traceMessage(transfer.directory.reader, message).map(({ event, status }) => `${event} ${status}`);
  await transfer.until('an end', () => events().includes('delivered 2.0.0 taken by the program inside'));
  await transfer.until('a refusal', () =>
    events().includes('failed 5.1.3 The program option would take an address for an option'),
  );
});

test('an entry without mailProgramDeliveryInfo keeps its other options, and the problem has a name', async () => {
  await transfer.directory.apply(
    addUser('eve@acme.example', { mailDeliveryOption: ['program', 'mailbox'] }),
    addUser('joe@acme.example', { mailDeliveryOption: 'program' }),
  );
  assert.deepEqual(
    transfer.directory.resolve('eve@acme.example').targets.map(({ channel }) => channel),
    ['store'],
  );
  assert.equal(transfer.directory.resolve('joe@acme.example').reply.enhanced, '4.3.5');
});

test('the user hears of a failure where the mailbox is among the options, else the sender', async () => {
  await transfer.directory.apply(program('refuses', 'echo 5.7.1 not this; exit 1'));
  const reports = async (address: string): Promise<number> =>
    (await transfer.inbox(address)).filter((text) => text.includes('not this')).length;
  await gives('refuses', ['mailbox', 'program']);
  await sent();
  await transfer.drained();
  assert.deepEqual([await reports(ann), await reports('sam@acme.example')], [1, 0]);
  await gives('refuses');
  await sent();
  await transfer.drained();
  assert.equal(await reports('sam@acme.example'), 1);
});
