// The site postmaster's delivery options: they act as any user's, and whatever they are, somebody reads the postmaster's mail.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { RemoteHost } from '../estate/remote-host.ts';
import { addDomain, addUser, replace, testSite } from '../provisioning/testing.ts';
import { sitePostmasterDn } from '../routing/compile.ts';
import { TestTransfer } from './testing.ts';

const [HOST] = testSite.hostnames;
const TEXT = 'To: abuse@acme.example\r\nSubject: spam\r\n\r\nx\r\n';
const ANN = 'ann@acme.example';
const BOB = 'bob@acme.example';

const set = (values: Record<string, string | readonly string[]>) => replace(sitePostmasterDn(), values);

async function open(context: TestContext, nextHop: Record<string, string> = {}): Promise<TestTransfer> {
  const transfer = await TestTransfer.open({ policy: { retryMs: [50], expireMs: 60_000 }, nextHop });
  context.after(() => transfer.close());
  await transfer.directory.apply(addDomain('acme.example'), addUser(ANN), addUser(BOB));
  await transfer.start();
  return transfer;
}

test('all options of the site postmaster act, and none of them keeps another from it', async (context) => {
  const transfer = await open(context);
  await transfer.directory.apply(
    set({
      mailDeliveryOption: ['mailbox', 'forward', 'autoreply', 'file'],
      mailForwardingAddress: ANN,
      mailDeliveryFileURL: 'reports',
      mailAutoReplyText: 'Thank you.',
    }),
  );
  await transfer.accept({ from: BOB, to: ['abuse@acme.example'], text: TEXT });
  await transfer.drained();
  assert.equal((await transfer.inbox('postmaster')).length, 1);
  assert.equal((await transfer.inbox(ANN)).length, 1);
  assert.match(readFileSync(join(transfer.filesPath, HOST!, 'reports'), 'utf8'), /^Subject: spam$/m);
  const [answer, ...more] = await transfer.inbox(BOB);
  assert.match(answer!, /Thank you\./);
  assert.match(answer!, new RegExp(`^From: .*<postmaster@${HOST!.replaceAll('.', '\\.')}>`, 'm'));
  assert.deepEqual(more, []);
});

test('what the site postmaster sends on leaves as of an address of this host, and its reports come back', async (context) => {
  const sink = await RemoteHost.start();
  context.after(() => sink.close());
  const transfer = await open(context, { 'remote.example': sink.nextHop });
  await transfer.directory.apply(set({ mailDeliveryOption: 'forward', mailForwardingAddress: 'ops@remote.example' }));
  await transfer.accept({ from: 'carol@far.example', to: ['postmaster'], text: TEXT });
  await transfer.drained();
  const [sent] = sink.messages;
  assert.match(sent!.data, new RegExp(`^Delivered-To: postmaster@${HOST}\r\n`));
  assert.deepEqual(await transfer.inbox('postmaster'), []);
  const { sender } = sent!;
  assert.match(sender, new RegExp(`^SRS0=.*=far\\.example=carol@${HOST}$`));
  const bounce = transfer.directory.resolve(sender);
  assert.deepEqual(
    bounce.targets.map(({ destination }) => destination),
    ['far.example'],
  );
});

const left: Record<string, Record<string, string | readonly string[]>> = {
  'an option that needs an attribute which is not there': { mailDeliveryOption: 'forward' },
  'an option that is none': { mailDeliveryOption: 'native' },
  'itself, by the name of a domain': {
    mailDeliveryOption: 'forward',
    mailForwardingAddress: 'postmaster@acme.example',
  },
  nobody: { mailDeliveryOption: 'forward', mailForwardingAddress: 'nobody@acme.example' },
};

for (const [what, values] of Object.entries(left))
  test(`mail for the postmaster is in the mailbox, where its options lead to ${what}`, async (context) => {
    const transfer = await open(context);
    await transfer.directory.apply(set(values));
    await transfer.accept({ from: BOB, to: ['postmaster@acme.example'], text: TEXT });
    await transfer.drained();
    assert.equal((await transfer.inbox('postmaster')).length, 1);
  });

test('a report that nobody else gets stays in the mailbox, so that reports of reports end', async (context) => {
  const transfer = await open(context);
  await transfer.directory.apply(set({ mailDeliveryOption: 'forward', mailForwardingAddress: ANN }));
  await transfer.accept({ from: '', to: ['nobody@acme.example', BOB], text: TEXT });
  await transfer.drained();
  assert.equal((await transfer.inbox('postmaster')).length, 1);
  assert.deepEqual(await transfer.inbox(ANN), []);
});
