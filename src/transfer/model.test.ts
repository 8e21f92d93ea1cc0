// Whatever hosts say and whenever the transfer unit is started anew: each recipient gets the message once or its sender
// gets one report of it, and store and queue are in a legal state.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { RemoteHost } from '../estate/remote-host.ts';
import { addDomain, addUser, remove, userDn } from '../provisioning/testing.ts';
import { TestTransfer } from './testing.ts';

/** What a recipient's host does, attempt by attempt; the last one repeats. */
const behaviour = fc.array(fc.constantFrom('250 2.1.5 ok', '450 4.2.1 busy', '550 5.1.1 no'), {
  minLength: 1,
  maxLength: 3,
});
const message = fc.record({
  sender: fc.constantFrom('ann@acme.example', 'rex@remote.example', ''),
  remote: fc.array(behaviour, { maxLength: 4 }),
  local: fc.subarray(['bob@acme.example', 'cat@acme.example']),
  dot: fc.constantFrom('250 ok', '250 ok', '250 ok', '452 4.3.1 full', '554 5.6.0 no'),
});
type Message = typeof message extends fc.Arbitrary<infer T> ? T : never;

async function play(messages: readonly Message[], isRestarted: readonly boolean[]): Promise<void> {
  const attempts = new Map<string, number>();
  const behaviours = new Map<string, readonly string[]>();
  const dots = new Map<string, string>();
  const rcpt = (address: string): string => {
    const script = behaviours.get(address);
    if (script === undefined) return '250 ok';
    const attempt = attempts.get(address) ?? 0;
    attempts.set(address, attempt + 1);
    return script[Math.min(attempt, script.length - 1)]!;
  };
  const subjectOf = (text: string): string => /^Subject: (.*)\r\n/m.exec(text)?.[1] ?? '';
  const dot = (data: string): string => {
    const reply = dots.get(subjectOf(data)) ?? '250 ok';
    // A refusal for now is not for ever.
    dots.set(subjectOf(data), reply.startsWith('4') ? '250 ok' : reply);
    return reply;
  };
  const sink = await RemoteHost.start({ rcpt, dot });
  const transfer = await TestTransfer.open({
    nextHop: { 'remote.example': sink.nextHop },
    policy: { retryMs: [1, 5, 20], expireMs: 300 },
  });
  try {
    const names = ['ann@acme.example', 'bob@acme.example', 'cat@acme.example'];
    await transfer.directory.apply(addDomain('acme.example'), ...names.map((name) => addUser(name)));
    let schedule = await transfer.start();
    for (const [index, { sender, remote, local, dot: reply }] of messages.entries()) {
      const to = remote.map((script, i) => {
        const address = `m${index}r${i}@remote.example`;
        behaviours.set(address, script);
        return address;
      });
      if (to.length + local.length === 0) continue;
      dots.set(`m${index}`, reply);
      await transfer.accept({ from: sender, to: [...to, ...local], text: `Subject: m${index}\r\n\r\nx\r\n` });
      if (isRestarted[index] !== true) continue;
      await schedule.stop();
      schedule = await transfer.start();
    }
    await transfer.drained();
    await verify(transfer, sink, messages);
  } finally {
    await transfer.close();
    await sink.close();
  }
}

async function verify(transfer: TestTransfer, sink: RemoteHost, messages: readonly Message[]): Promise<void> {
  const reports = [
    ...(await transfer.inbox('ann@acme.example')),
    ...(await transfer.inbox('postmaster')),
    ...sink.messages
      .filter(({ sender, recipients }) => sender === '' && recipients[0] === 'rex@remote.example')
      .map(({ data }) => data),
  ];
  const count = (texts: readonly string[], part: string): number => texts.filter((text) => text.includes(part)).length;
  for (const [index, { remote, local }] of messages.entries()) {
    for (const i of remote.keys()) {
      const address = `m${index}r${i}@remote.example`;
      const arrived = sink.messages.filter(({ recipients }) => recipients.includes(address)).length;
      const reported = count(reports, `Final-Recipient: rfc822; ${address}\r\n`);
      assert.equal(arrived + reported, 1, `${address}: arrived ${arrived}, reported ${reported}`);
    }
    for (const address of local)
      assert.equal(count(await transfer.inbox(address), `Subject: m${index}\r\n`), 1, `m${index} for ${address}`);
  }
}

test('each recipient ends once, delivered or reported', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(message, { minLength: 1, maxLength: 5 }),
      fc.array(fc.boolean(), { minLength: 5, maxLength: 5 }),
      (messages, isRestarted) => play(messages, isRestarted),
    ),
    { numRuns: 25, endOnFailure: true },
  );
});

test('a recipient that is removed while its message waits is reported once', async (context) => {
  const transfer = await TestTransfer.open();
  context.after(() => transfer.close());
  await transfer.directory.apply(
    addDomain('acme.example'),
    addUser('ann@acme.example'),
    addUser('bob@acme.example', { mailUserStatus: 'inactive' }),
  );
  await transfer.accept({
    from: 'ann@acme.example',
    to: ['ann@acme.example', 'bob@acme.example'],
    text: 'Subject: x\r\n\r\nx\r\n',
  });
  await transfer.start();
  await transfer.until('it was tried', () => (transfer.queue()[0]?.attempts ?? 0) > 0);
  await transfer.directory.apply(remove(userDn('bob@acme.example')));
  await transfer.drained();
  const [first, report, ...more] = await transfer.inbox('ann@acme.example');
  assert.match(first ?? '', /^Subject: x\r\n/m);
  assert.match(report ?? '', /^Final-Recipient: rfc822; bob@acme\.example\r\nAction: failed\r\nStatus: 5\.1\.1\r\n/m);
  assert.equal(more.length, 0);
});
