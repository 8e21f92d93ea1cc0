// Who gets which report of what, and that none is made twice.

import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { type Clock, systemClock } from '../../base/clock.ts';
import { silentLog } from '../../base/log.ts';
import { operation } from '../../database/operation.ts';
import { ANONYMOUS } from '../../directory/caller.ts';
import { RemoteHost } from '../../estate/remote-host.ts';
import type { Envelope, NotifyWord, Recipient } from '../../message/envelope.ts';
import { add, addDomain, addGroup, addUser, replace, userDn } from '../../provisioning/testing.ts';
import { unresolvedTarget } from '../../routing/targets.ts';
import { insertMessage } from '../../store/deliver.ts';
import { holdRows, rerouteRows } from '../hold.ts';
import { insertQueueRow, rowTemplate } from '../queue.ts';
import { addressOf, TestTransfer, type TestTransferOptions } from '../testing.ts';
import { delayedRows } from './due.ts';
import { UntriedDelays } from './untried.ts';

const TEXT = 'Message-ID: <1@acme.example>\r\nSubject: hello\r\n\r\nhello\r\n';
const REMOTE = 'rex@remote.example';
const LONG = { retryMs: [3_600_000], expireMs: 86_400_000 };

async function open(context: TestContext, options: TestTransferOptions = {}): Promise<TestTransfer> {
  const transfer = await TestTransfer.open(options);
  context.after(() => transfer.close());
  await transfer.directory.apply(addDomain('acme.example'), addUser('ann@acme.example'), addUser('bob@acme.example'));
  return transfer;
}

async function withSink(context: TestContext, options: TestTransferOptions = {}) {
  const sink = await RemoteHost.start({});
  const transfer = await open(context, { nextHop: { 'remote.example': sink.nextHop }, ...options });
  context.after(() => sink.close());
  return { sink, transfer };
}

type Asked = Omit<Recipient, 'address'>;

async function send(
  transfer: TestTransfer,
  to: Readonly<Record<string, Asked>>,
  more: Partial<Envelope> = {},
  text = TEXT,
) {
  const sender = addressOf('ann@acme.example');
  const recipients = Object.entries(to).map(([address, asked]) => ({ ...asked, address: addressOf(address) }));
  const envelope: Envelope = { sender, recipients, body: '7BIT', ...more };
  const message = await transfer.take(envelope.sender, text);
  const submission = {
    envelope,
    message,
    caller: ANONYMOUS,
    mayRelay: true,
    door: 'submission',
    refused: 'report',
  } as const;
  await transfer.submit(submission).finally(() => message.pending.settle());
  return message.row.id;
}

/** `recipient action status`, a line each, of all reports in an INBOX. */
async function reported(transfer: TestTransfer, inbox = 'ann@acme.example'): Promise<string[]> {
  const lines: string[] = [];
  for (const text of await transfer.inbox(inbox))
    for (const [, recipient, action, status] of text.matchAll(
      /Final-Recipient: rfc822; (\S+)\r\nAction: (\w+)\r\nStatus: (\S+)/g,
    ))
      lines.push(`${recipient} ${action} ${status}`);
  return lines.sort();
}

test('a success that was asked for is reported with what the sender called the message', async (context) => {
  const transfer = await open(context);
  await transfer.start();
  const original = { type: 'rfc822', address: 'Bob+x@acme.example' };
  await send(transfer, { 'bob@acme.example': { notify: ['SUCCESS'], orcpt: original } }, { envid: 'q1' });
  await transfer.drained();
  const [report] = await transfer.inbox('ann@acme.example');
  assert.match(report!, /Subject: Your message has been delivered\r\n/);
  assert.match(report!, /\r\nOriginal-Envelope-Id: q1\r\n/);
  assert.match(
    report!,
    /Original-Recipient: rfc822; Bob\+x@acme\.example\r\nFinal-Recipient: rfc822; bob@acme\.example\r\nAction: delivered\r\n/,
  );
  assert.equal((await transfer.inbox('bob@acme.example')).length, 1);
});

const WORDS: readonly NotifyWord[] = ['SUCCESS', 'FAILURE', 'DELAY'];

test('property: NOTIFY says which of a success and a failure, here and elsewhere, are reported', async (context) => {
  const { sink, transfer } = await withSink(context);
  sink.script = { rcpt: (address) => (address.startsWith('bad') ? '550 5.1.1 no' : '250 ok') };
  await transfer.start();
  // What is said of each in a report, and by which word it is asked for.
  const cases = [
    ['bob@acme.example', 'SUCCESS', 'delivered 2.1.5'],
    ['nobody@acme.example', 'FAILURE', 'failed 5.1.1'],
    [REMOTE, 'SUCCESS', 'relayed 2.0.0'],
    ['bad@remote.example', 'FAILURE', 'failed 5.1.1'],
  ] as const;
  const notify = fc.option(fc.subarray([...WORDS]), { nil: undefined });
  let seen = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(notify, { minLength: 4, maxLength: 4 }), async (asked) => {
      const to = cases.map(([address], index) => [address, asked[index] === undefined ? {} : { notify: asked[index] }]);
      const message = await send(transfer, { 'ann@acme.example': {}, ...Object.fromEntries(to) });
      await transfer.drained();
      const lines = await reported(transfer);
      const expected = cases
        .filter(([, word], index) => (asked[index] ?? ['FAILURE', 'DELAY']).includes(word))
        .map(([address, , said]) => `${address} ${said}`);
      assert.deepEqual(minus(lines, all), expected.sort());
      all.push(...expected);
      const events = transfer.events(message);
      for (const [address, word] of cases)
        if (word === 'FAILURE') assert.ok(events.includes(`failed ${address}`), 'the journey has it in any case');
      seen++;
    }),
    { numRuns: 25 },
  );
  assert.equal(seen, 25);
});
const all: string[] = [];

function minus(lines: readonly string[], less: readonly string[]): string[] {
  const left = [...lines];
  for (const line of less) left.splice(left.indexOf(line), 1);
  return left;
}

test('one report has the failures of a message, another one its successes', async (context) => {
  const { sink, transfer } = await withSink(context);
  sink.script = { rcpt: '550 5.1.1 no' };
  const asked = { notify: WORDS };
  await send(transfer, {
    'bob@acme.example': asked,
    'ann@acme.example': {},
    [REMOTE]: asked,
    'a@remote.example': asked,
  });
  await transfer.start();
  await transfer.drained();
  const subjects = (await transfer.inbox('ann@acme.example')).map((text) => /Subject: (.*)\r/.exec(text)?.[1]);
  assert.deepEqual(subjects.sort(), [
    'Your message could not be delivered',
    'Your message has been delivered',
    'hello',
  ]);
});

test('several targets: it is expanded, and nothing more is said of their success', async (context) => {
  const { transfer } = await withSink(context);
  await transfer.directory.apply(
    addUser('cat@acme.example'),
    addGroup('all@acme.example', [userDn('bob@acme.example'), userDn('cat@acme.example')]),
  );
  await transfer.start();
  await send(transfer, { 'all@acme.example': { notify: ['SUCCESS'] } });
  await transfer.drained();
  assert.deepEqual(await reported(transfer), ['all@acme.example expanded 2.1.5']);
});

test('a list that is expanded from the queue: its members are asked for as the list was', async (context) => {
  const { sink, transfer } = await withSink(context);
  sink.script = { rcpt: '550 5.1.1 no' };
  const members = Array.from({ length: 600 }, (_, index) => `m${index}@remote.example`);
  await transfer.directory.apply(addGroup('all@acme.example', [], { mgrpRFC822MailMember: members }));
  await transfer.start();
  await send(transfer, { 'all@acme.example': { notify: ['SUCCESS'] } });
  await transfer.drained();
  assert.deepEqual(await reported(transfer), ['all@acme.example expanded 2.1.5']);
  await send(transfer, { 'all@acme.example': { notify: [] } });
  await transfer.drained();
  assert.equal((await reported(transfer)).length, 1);
});

test('a delay is reported once, in its time, and the row waits on', async (context) => {
  const clock = new SteppedClock();
  const policy = { retryMs: [3_600_000], expireMs: 86_400_000, delaysMs: [14_400_000] };
  const { sink, transfer } = await withSink(context, { clock, policy });
  sink.script = { rcpt: '451 4.2.1 later' };
  await transfer.start();
  await send(transfer, {
    [REMOTE]: {},
    'told@remote.example': { notify: ['DELAY'] },
    'untold@remote.example': { notify: ['FAILURE'] },
  });
  for (let hour = 0; hour < 8; hour++) {
    await transfer.until('tried', () => transfer.queue().every(({ attempts }) => attempts > hour));
    clock.step(3_600_000);
    await transfer.start();
  }
  await transfer.until('a report', async () => (await reported(transfer)).length >= 2);
  assert.deepEqual(await reported(transfer), [`${REMOTE} delayed 4.2.1`, 'told@remote.example delayed 4.2.1']);
  const [report] = await transfer.inbox('ann@acme.example');
  assert.match(report!, /Subject: Your message is delayed\r\n/);
  assert.match(report!, /Will-Retry-Until: /);
  assert.deepEqual(
    transfer.queue().map(({ recipient, state }) => `${recipient} ${state}`),
    [`${REMOTE} waiting`, 'told@remote.example waiting', 'untold@remote.example waiting'],
  );
});

test('who waits without being tried is told of: held by routing or for moderators, in a paused channel; not what the site holds', async (context) => {
  const policy = { ...LONG, delaysMs: [14_400_000, 18_000_000] };
  const transfer = await open(context, { policy });
  const { writer, reader, cache } = transfer.directory;
  const channel = (name: string, words: Readonly<Record<string, string>>) =>
    add(`cn=${name},ou=Channels,ou=Waypost,o=internet`, {
      ...{ objectClass: 'waypostChannel', cn: name, waypostChannelKind: 'smtp' },
      ...words,
    });
  await transfer.directory.apply(
    channel('smtp', { waypostPaused: 'TRUE' }),
    channel('partner', { waypostPaused: 'TRUE', waypostKeyword: 'notices 1h 5d' }),
    replace(userDn('bob@acme.example'), { mailUserStatus: 'hold' }),
  );
  const hour = 3_600_000;
  await send(transfer, {
    'bob@acme.example': {},
    'rex@remote.example': {},
    'una@remote.example': { notify: ['FAILURE'] },
  });
  await send(transfer, { 'late@remote.example': {} }, { holdUntil: Date.now() + 100 * hour });
  await send(transfer, {
    'mod@remote.example': {},
    'adm@remote.example': {},
    'sus@remote.example': {},
    'own@remote.example': {},
  });
  await send(transfer, { 'nil@remote.example': {} }, { sender: undefined });
  const rowTo = (name: string) => transfer.queue().find(({ recipient }) => recipient === `${name}@remote.example`)!.id;
  const at = Date.now();
  await transfer.start();
  await transfer.lookedThrough();
  for (const [by, name] of [
    ['moderation', 'mod'],
    ['admin', 'adm'],
    ['suspended', 'sus'],
  ] as const) {
    await writer.execute(rerouteRows, { rows: [rowTo(name)], at, to: { channel: 'partner' } });
    await writer.execute(holdRows, { rows: [rowTo(name)], by, at });
  }
  await writer.execute(rerouteRows, { rows: [rowTo('own')], at, to: { channel: 'partner' } });
  const lookAfter = async (hours: number, lines: readonly string[]): Promise<void> => {
    const clock = { now: () => Date.now() + hours * hour, monotonic: systemClock.monotonic };
    const parts = { reader, writer, clock, log: silentLog, settings: () => cache.settings(), policy };
    const untried = new UntriedDelays(parts);
    untried.start();
    await transfer.until(`told after ${hours} h`, async () => (await reported(transfer)).length >= lines.length);
    await untried.stop();
    await transfer.until('no report is due', () => delayedRows(reader, 10).length === 0);
    assert.deepEqual(await reported(transfer), lines.toSorted(), `${hours}`);
  };
  const first = ['mod@remote.example delayed 4.0.0', 'own@remote.example delayed 4.0.0'];
  await lookAfter(0.9, []);
  await lookAfter(1.1, first);
  const second = ['bob@acme.example delayed 4.0.0', `${REMOTE} delayed 4.0.0`];
  await lookAfter(4.1, [...first, ...second]);
  await lookAfter(4.2, [...first, ...second]);
  await lookAfter(90, [...first, ...second, ...second]);
  const texts = await transfer.inbox('ann@acme.example');
  const about = (name: string): string => texts.find((text) => text.includes(`Final-Recipient: rfc822; ${name}`))!;
  assert.match(about('mod@'), /It waits for a moderator/);
  assert.match(about('bob@'), /It is held until it can be delivered/);
  assert.doesNotMatch(about('bob@'), /Will-Retry-Until/);
});

/** Time goes on when the test says so. */
class SteppedClock implements Clock {
  #ms = 0;
  readonly #wall = Date.now();
  now = (): number => this.#wall + this.#ms;
  monotonic = (): number => performance.now() + this.#ms;
  step(ms: number): void {
    this.#ms += ms;
  }
}

test('a failure that nobody wants to know leaves no row', async (context) => {
  const transfer = await open(context);
  const message = await send(transfer, { 'nobody@acme.example': { notify: [] }, 'bob@acme.example': {} });
  assert.deepEqual(transfer.queue(), []);
  assert.ok(transfer.events(message).includes('failed nobody@acme.example'));
});

test('whoever says that a row is late, its sender is told only if that is wanted', async (context) => {
  const { sink, transfer } = await withSink(context, { policy: LONG });
  sink.script = { rcpt: '451 4.2.1 later' };
  await send(transfer, { [REMOTE]: { notify: ['FAILURE'] }, 'told@remote.example': {} });
  await transfer.start();
  await transfer.until('tried', () => transfer.queue().every(({ attempts }) => attempts === 1));
  const late = operation('test.late', async (tx) => {
    await tx.run('UPDATE queue SET delay_due = 1');
    tx.afterCommit({ kind: 'queue' });
  });
  await transfer.directory.writer.execute(late, {});
  const due = (): unknown => transfer.directory.reader.get('SELECT sum(delay_due) AS n FROM queue')?.['n'];
  await transfer.until('dealt with', () => due() === 0);
  assert.deepEqual(await reported(transfer), ['told@remote.example delayed 4.2.1']);
});

test('with BY its sender is told that it was relayed: always with T, without it where the host knows no BY', async (context) => {
  const by = { at: Date.now() + 3_600_000, mode: 'N' } as const;
  const traced = { by: { ...by, trace: true } } as const;
  for (const [extensions, told] of [
    [
      ['DSN', 'DELIVERBY'],
      ['ann', 'bob'],
    ],
    [['DELIVERBY'], ['ann', 'bob']],
    [['DSN'], ['ann', 'bob', 'cid']],
    [[], ['ann', 'bob', 'cid']],
  ] as const) {
    const { sink, transfer } = await withSink(context);
    sink.script = { extensions: [...extensions] };
    await transfer.start();
    await send(transfer, { 'ann@remote.example': { notify: ['FAILURE'] }, 'bob@remote.example': {} }, traced);
    await send(transfer, { 'cid@remote.example': {} }, { by });
    await send(transfer, { 'dan@remote.example': { notify: [] } }, traced);
    await send(transfer, { 'eve@remote.example': {} });
    await transfer.drained();
    const lines = told.map((name) => `${name}@remote.example relayed 2.0.0`);
    assert.deepEqual(await reported(transfer), lines, extensions.join());
  }
});

test('the null sender is told of no success, and of no delay', async (context) => {
  const { transfer } = await withSink(context);
  await transfer.directory.apply(addUser('postmaster@acme.example'));
  await transfer.start();
  const message = await send(
    transfer,
    { 'bob@acme.example': { notify: ['SUCCESS'] }, [REMOTE]: { notify: ['SUCCESS'] } },
    { sender: undefined },
  );
  await transfer.drained();
  assert.equal((await transfer.inbox('ann@acme.example')).length, 0);
  assert.ok(!transfer.events(message).some((event) => event.startsWith('notified')));
});

test('the whole message comes back where it is asked for, is not too large, and has failed', async (context) => {
  const transfer = await open(context);
  await transfer.start();
  const large = `Subject: large\r\n\r\n${'x'.repeat(70)}\r\n`.padEnd(100) + `${'y'.repeat(70)}\r\n`.repeat(15_000);
  const gone = { 'nobody@acme.example': {}, 'ann@acme.example': {} };
  await send(transfer, gone, { ret: 'FULL' });
  await send(transfer, gone, { ret: 'FULL' }, large);
  await send(transfer, gone, { ret: 'HDRS' });
  await send(transfer, { 'bob@acme.example': { notify: ['SUCCESS'] } }, { ret: 'FULL' });
  await transfer.drained();
  const returned = (await transfer.inbox('ann@acme.example'))
    .filter((text) => text.includes('multipart/report'))
    .map((text) => [...text.matchAll(/Content-Type: (\S+)\r\n(?=(?:\S.*\r\n)*\r\n)/g)].at(-1)![1]);
  assert.deepEqual(returned.sort(), [
    'message/rfc822',
    'text/rfc822-headers',
    'text/rfc822-headers',
    'text/rfc822-headers',
  ]);
});

test('a report on mail that may go over verified TLS alone goes over verified TLS alone', async (context) => {
  const { transfer } = await withSink(context);
  await send(
    transfer,
    { 'nobody@acme.example': {}, 'bob@acme.example': {} },
    {
      sender: addressOf(REMOTE),
      requireTls: true,
      envid: 'secret',
    },
  );
  await transfer.start(LONG_RUN);
  await transfer.until('the report is queued', () => transfer.queue().some(({ recipient }) => recipient === REMOTE));
  const row = transfer.directory.reader.get('SELECT options FROM queue WHERE recipient = ?', REMOTE);
  assert.match(String(row?.['options']), /"requireTls":true/);
});

/** A failure of a program or a file of bob's. */
async function failAtBob(
  transfer: TestTransfer,
  sender: string,
  asked: { readonly notify?: readonly [] },
): Promise<void> {
  const message = await transfer.take(addressOf('rex@remote.example'), TEXT);
  const target = unresolvedTarget(addressOf('bob@acme.example'));
  const refuse = operation('test.refuse', async (tx) => {
    const envelope = {
      sender: addressOf(sender),
      recipients: [{ address: target.recipient, ...asked }],
      body: '7BIT',
    } as const;
    await insertMessage(tx, message.row, 1);
    const template = rowTemplate({
      tenant: 1,
      message: message.row.id,
      envelope,
      request: { sender: envelope.sender, caller: ANONYMOUS, mayRelay: false, door: 'smtp', sizeBytes: 1 },
      at: 1,
      holdUntil: undefined,
    });
    await insertQueueRow(tx, template, {
      target: { ...target, options: { ...target.options, reportTo: 'bob@acme.example' } },
      asked,
      refusal: { code: 550, enhanced: '5.3.0', text: 'the program said no' },
    });
  });
  await transfer.directory.writer.execute(refuse, {});
  message.pending.settle();
}

test("a failure that is a user's own affair is told in the INBOX of that user alone", async (context) => {
  const { transfer } = await withSink(context);
  await failAtBob(transfer, REMOTE, { notify: [] });
  await transfer.start();
  await transfer.drained();
  assert.deepEqual(await reported(transfer, 'bob@acme.example'), ['bob@acme.example failed 5.3.0']);
});

test('the sender is told of it where the user has no mailbox any more, and wants to know', async (context) => {
  const { transfer } = await withSink(context);
  await transfer.directory.apply(
    replace(userDn('bob@acme.example'), { mailDeliveryOption: ['forward'], mailForwardingAddress: REMOTE }),
  );
  await failAtBob(transfer, 'ann@acme.example', { notify: [] });
  await transfer.start();
  await transfer.drained();
  assert.deepEqual(await reported(transfer), []);
  await failAtBob(transfer, 'ann@acme.example', {});
  await transfer.start();
  await transfer.drained();
  assert.deepEqual(await reported(transfer), ['bob@acme.example failed 5.3.0']);
});

test('a sender beyond ASCII gets a report with SMTPUTF8', async (context) => {
  const { sink, transfer } = await withSink(context);
  sink.script = { extensions: ['8BITMIME', 'SMTPUTF8'] };
  const sender = { localPart: 'j\u00f6rg', domain: 'remote.example' };
  await send(transfer, { 'nobody@acme.example': {}, 'bob@acme.example': {} }, { sender, isUtf8: true });
  await transfer.start();
  await transfer.drained();
  const [report] = sink.messages;
  assert.match(report!.parameters, /BODY=8BITMIME/);
  assert.match(report!.parameters, /SMTPUTF8/);
  assert.match(Buffer.from(report!.data, 'latin1').toString(), /^To: <j\u00f6rg@remote\.example>\r$/m);
});
const LONG_RUN = { policy: LONG };
