// Lists that do something to a message, ask for a password, or for a moderator's word: over the queue, with real directory and store.

import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { DirectoryChange } from '../directory/entry.ts';
import { formatAddress, parseAddress } from '../message/address.ts';
import { addDomain, addGroup, addUser, groupDn, replace, testSite, userDn } from '../provisioning/testing.ts';
import { releaseRows } from './hold.ts';
import { traceMessage } from './journey.ts';
import { peopleWhoModerate } from './list/moderators.ts';
import { TestTransfer } from './testing.ts';

const LIST = 'news@acme.example';
const ANN = 'ann@acme.example';
const BOB = 'bob@acme.example';
const CAROL = 'carol@remote.example';

async function open(context: TestContext, more: Record<string, string | readonly string[]>): Promise<TestTransfer> {
  const transfer = await TestTransfer.open({ policy: { retryMs: [20], expireMs: 60_000 } });
  context.after(() => transfer.close());
  const changes: DirectoryChange[] = [
    addDomain('acme.example'),
    ...['ann', 'bob'].map((name) => addUser(`${name}@acme.example`)),
    addGroup(LIST, [userDn(BOB)], more),
  ];
  await transfer.directory.apply(...changes);
  await transfer.start();
  return transfer;
}

const post = (transfer: TestTransfer, text = 'Subject: hello\r\n\r\nhello\r\n', from = CAROL) =>
  transfer.accept({ from, to: [LIST], text });

test('members get what the list has made of it, from the address that failures go to', async (context) => {
  const transfer = await open(context, {
    mgrpErrorsTo: 'mailto:ann@acme.example',
    mgrpAddHeader: 'X-List: news',
    mgrpRemoveHeader: 'X-Own',
    mgrpMsgSuffixText: 'Leave by a word to us.',
  });
  await post(transfer, 'Subject: hello\r\nX-Own: yes\r\n\r\nhello\r\n');
  await transfer.drained();
  const [text, ...more] = await transfer.inbox(BOB);
  assert.deepEqual(more, []);
  assert.ok(text!.endsWith('\r\n\r\nhello\r\nLeave by a word to us.\r\n'), text ?? '');
  assert.match(text!, /^X-List: news\r\n/m);
  assert.match(text!, /^List-Id: <news\.acme\.example>\r\n/m);
  assert.doesNotMatch(text!, /X-Own/);
});

test('a failure of a member is reported to the list’s address, and not to who has sent it', async (context) => {
  const transfer = await open(context, {
    mgrpErrorsTo: ANN,
    mgrpRFC822MailMember: 'nobody@acme.example',
  });
  await post(transfer);
  await transfer.until('the report', async () => (await transfer.inbox(ANN)).length > 0);
  const [report] = await transfer.inbox(ANN);
  assert.match(report!, /Final-Recipient: rfc822; ?nobody@acme\.example/);
  assert.equal((await transfer.inbox(BOB)).length, 1);
});

test('failures that lead to the list itself end with the first report', async (context) => {
  const transfer = await open(context, {
    mgrpErrorsTo: 'owner@acme.example',
    mgrpRFC822MailMember: 'nobody@acme.example',
  });
  await transfer.directory.apply(addGroup('owner@acme.example', [], { mgrpRFC822MailMember: LIST }));
  await post(transfer);
  await transfer.until('the message, and its report', async () => (await transfer.inbox(BOB)).length > 1);
  await transfer.drained();
  const [, report, ...more] = await transfer.inbox(BOB);
  assert.match(report!, /Final-Recipient: rfc822; ?nobody@acme\.example/);
  assert.deepEqual(more, []);
});

test('two lists in each other that both make something of it: each member gets it once, and the sender hears nothing', async (context) => {
  const transfer = await open(context, { mgrpMsgSuffixText: 'one', mgrpRFC822MailMember: 'more@acme.example' });
  const members = { mgrpMsgSuffixText: 'two', mgrpRFC822MailMember: LIST };
  await transfer.directory.apply(addUser('dan@acme.example'), addGroup('more@acme.example', [userDn(ANN)], members));
  await post(transfer, undefined, 'dan@acme.example');
  await transfer.until('the second one', async () => (await transfer.inbox(ANN)).length > 0);
  await transfer.drained();
  assert.equal((await transfer.inbox(BOB)).length, 1);
  assert.equal((await transfer.inbox(ANN)).length, 1);
  await transfer.directory.apply(replace(groupDn('more@acme.example'), { uniqueMember: [] }));
  await post(transfer, undefined, 'dan@acme.example');
  await transfer.until('again', async () => (await transfer.inbox(BOB)).length > 1);
  await transfer.drained();
  assert.equal((await transfer.inbox(BOB)).length, 2);
  assert.deepEqual(await transfer.inbox('dan@acme.example'), []);
});

for (const [how, inner] of Object.entries({
  'names the first': { memberURL: 'ldap:///o=internet??sub?(cn=news)' },
  'names the first, and one whom nobody finds': {
    memberURL: ['ldap:///o=internet??sub?(uid=nobody)', 'ldap:///o=internet??sub?(cn=news)'],
  },
}))
  test(`a list in a list that makes something of it, and whose URL ${how} alone, waits for nobody`, async (context) => {
    const transfer = await open(context, { mgrpMsgSuffixText: 'one', mgrpRFC822MailMember: 'more@acme.example' });
    const more = addGroup('more@acme.example', [], { mgrpMsgSuffixText: 'two', ...inner });
    await transfer.directory.apply(addUser('dan@acme.example'), more);
    await post(transfer, undefined, 'dan@acme.example');
    await transfer.drained();
    assert.equal((await transfer.inbox(BOB)).length, 1);
    assert.deepEqual(await transfer.inbox('dan@acme.example'), []);
  });

test('a list in a list asks about who has sent the message, also where failures go to somebody else', async (context) => {
  const transfer = await open(context, { mgrpErrorsTo: BOB, mgrpRFC822MailMember: 'staff@acme.example' });
  const staff = addGroup('staff@acme.example', [userDn(ANN)], { mgrpAllowedBroadcaster: CAROL });
  await transfer.directory.apply(staff, addUser('dan@acme.example'));
  await post(transfer);
  await transfer.until('all have it', async () => (await transfer.inbox(ANN)).length === 1);
  await transfer.directory.apply(replace(groupDn('staff@acme.example'), { mgrpAllowedBroadcaster: BOB }));
  await post(transfer);
  await transfer.until('the message and the report', async () => (await transfer.inbox(BOB)).length === 3);
  assert.equal((await transfer.inbox(ANN)).length, 1);
  assert.match((await transfer.inbox(BOB)).join(), /Status: 5\.7\.1/);
});

test('a login counts in a list in a list', async (context) => {
  const transfer = await open(context, { mgrpMsgSuffixText: 'bye', mgrpRFC822MailMember: 'staff@acme.example' });
  const login = { mgrpBroadcasterPolicy: 'SMTP_AUTH_REQUIRED' };
  await transfer.directory.apply(addGroup('staff@acme.example', [userDn(ANN)], login));
  const sender = parseAddress(BOB);
  const message = await transfer.take(sender, 'Subject: hello\r\n\r\nhello\r\n');
  const caller = { kind: 'entry', uuid: 'u', dn: userDn(BOB) } as const;
  const envelope = { sender, recipients: [{ address: parseAddress(LIST) }], body: '7BIT' } as const;
  await transfer.submit({ envelope, message, caller, mayRelay: true, door: 'submission', refused: 'report' });
  message.pending.settle();
  await transfer.until('it is there', async () => (await transfer.inbox(ANN)).length === 1);
});

test('a full mailbox takes nothing by a list, whoever has sent it', async (context) => {
  const transfer = await open(context, { mgrpMsgSuffixText: 'bye' });
  await transfer.directory.apply(replace(userDn(BOB), { mailMsgQuota: '0' }));
  await post(transfer, undefined, '');
  await transfer.until('it waits', () =>
    transfer.queue().some(({ lastError }) => lastError?.includes('4.2.2') === true),
  );
  assert.deepEqual(await transfer.inbox(BOB), []);
  await transfer.directory.apply(replace(userDn(BOB), { mailMsgQuota: [] }));
  await transfer.until('it is there', async () => (await transfer.inbox(BOB)).length === 1);
});

test('the password of the list lets in, and goes to nobody; without it the sender gets it back', async (context) => {
  const transfer = await open(context, {
    mgrpBroadcasterPolicy: 'PASSWORD_REQUIRED',
    mgrpAuthPassword: 'open sesame',
    mgrpMsgRejectText: 'Ask for the password',
  });
  await post(transfer, 'Subject: one\r\nApproved: open sesame\r\n\r\nx\r\n', ANN);
  await transfer.until('it is there', async () => (await transfer.inbox(BOB)).length === 1);
  assert.doesNotMatch((await transfer.inbox(BOB))[0]!, /sesame/);
  await post(transfer, 'Subject: two\r\nApproved: open\r\n\r\nx\r\n', ANN);
  await transfer.until('the report', async () => (await transfer.inbox(ANN)).length === 1);
  assert.match((await transfer.inbox(ANN))[0]!, /Status: 5\.7\.1/);
  assert.equal((await transfer.inbox(BOB)).length, 1);
});

const MODERATED = { mgrpModerator: ANN, mgrpMsgRejectText: 'Not here' };

/** Of a question, where to send a word. */
function addressesIn(question: string): { approve: string; refuse: string } {
  const found = [...question.matchAll(/^ {4}(\S+)\r$/gm)].map((match) => match[1]!);
  assert.equal(found.length, 2);
  return { approve: found[0]!, refuse: found[1]! };
}

async function question(transfer: TestTransfer): Promise<{ approve: string; refuse: string }> {
  await transfer.until('the question', async () => (await transfer.inbox(ANN)).length > 0);
  const [text] = await transfer.inbox(ANN);
  assert.match(text!, /^Auto-Submitted: auto-generated\r\n/m);
  assert.doesNotMatch(text!, /Reply-To/);
  assert.match(text!, /\r\nhello\r\n/);
  await transfer.until('it is held', () => transfer.queue().some(({ heldBy }) => heldBy === 'moderation'));
  assert.deepEqual(await transfer.inbox(BOB), []);
  return addressesIn(text!);
}

const word = (transfer: TestTransfer, from: string, to: string, fields = '') =>
  transfer.accept({ from, to: [to], text: `${fields}Subject: re\r\n\r\nwhatever\r\n` });

test('a moderator agrees: it goes to the members once, and a second word finds it done', async (context) => {
  const transfer = await open(context, MODERATED);
  const message = await post(transfer);
  const { approve, refuse } = await question(transfer);
  await word(transfer, ANN, approve);
  await transfer.drained();
  assert.equal((await transfer.inbox(BOB)).length, 1);
  const events = traceMessage(transfer.directory.reader, message).map(({ event }) => event);
  assert.ok(events.includes('held') && events.includes('released'), events.join());
  await word(transfer, ANN, refuse);
  await transfer.drained();
  assert.equal((await transfer.inbox(BOB)).length, 1);
  assert.match((await transfer.inbox(ANN)).at(-1)!, /Subject: For news@acme\.example: done already\r\n/);
});

test('what an administrator releases goes to the members, and nobody is asked again', async (context) => {
  const transfer = await open(context, MODERATED);
  await post(transfer);
  await question(transfer);
  const rows = transfer.queue().map(({ id }) => id);
  assert.equal((await transfer.directory.writer.execute(releaseRows, { rows, at: Date.now() })).changed, 1);
  await transfer.drained();
  assert.equal((await transfer.inbox(BOB)).length, 1);
  assert.equal((await transfer.inbox(ANN)).length, 1);
});

test('a group that moderates is its people, each with a word of his own', async (context) => {
  const transfer = await open(context, { mgrpModerator: 'mods@acme.example' });
  const mods = addGroup('mods@acme.example', [userDn(ANN), groupDn('mods@acme.example')]);
  await transfer.directory.apply(mods);
  await post(transfer);
  const { approve } = await question(transfer);
  await word(transfer, ANN, approve);
  await transfer.drained();
  assert.equal((await transfer.inbox(BOB)).length, 1);
});

const ways: Record<string, Record<string, string | readonly string[]>> = {
  'keeps a file beside': { mailDeliveryOption: ['file', 'members'], mailDeliveryFileURL: 'mods' },
  'sends its mail on': { mailDeliveryOption: 'forward', mailForwardingAddress: ANN, uniqueMember: userDn(BOB) },
  'has a mailRoutingAddress': { mailRoutingAddress: ANN, uniqueMember: userDn(BOB) },
  'is on this host by name': { mailHost: testSite.hostnames[0]! },
};

for (const [how, values] of Object.entries(ways))
  test(`a group that moderates and ${how} is the people whom its mail reaches`, async (context) => {
    const transfer = await open(context, { mgrpModerator: 'mods@acme.example' });
    const uniqueMember = userDn(ANN);
    await transfer.directory.apply(addGroup('mods@acme.example', [], { uniqueMember, ...values }));
    await post(transfer);
    const { approve } = await question(transfer);
    await word(transfer, ANN, approve);
    await transfer.drained();
    assert.equal((await transfer.inbox(BOB)).length, 1);
    assert.equal((await transfer.inbox(ANN)).length, 1);
  });

test('a group of another host is asked as one; the list itself, in a group that moderates, is not passed over unsaid', async (context) => {
  const transfer = await open(context, {
    mgrpModerator: ['away@acme.example', 'mods@acme.example', 'files@acme.example'],
  });
  await transfer.directory.apply(
    addGroup('away@acme.example', [userDn(ANN)], { mailHost: 'mail2.example' }),
    addGroup('files@acme.example', [userDn(ANN)], { mailDeliveryOption: 'file', mailDeliveryFileURL: 'asked' }),
    addGroup('mods@acme.example', [groupDn(LIST), userDn(ANN), groupDn('off@acme.example')]),
    addGroup('off@acme.example', [userDn(BOB)], { inetMailGroupStatus: 'inactive' }),
  );
  const { reader, cache } = transfer.directory;
  const row = cache.recipient(LIST);
  assert.ok(row?.kind === 'group');
  const people = reader.snapshot(() => peopleWhoModerate(reader, row, testSite));
  assert.deepEqual(
    people.map(formatAddress).sort(),
    [ANN, 'away@acme.example', 'files@acme.example', LIST, 'off@acme.example'].sort(),
  );
});

test('a moderator who is gone, or whose mail leads to the list, is not asked; where none is left it waits', async (context) => {
  const transfer = await open(context, { mgrpModerator: ['gone@acme.example', 'dan@acme.example'] });
  const onward = { mailDeliveryOption: 'forward', mailForwardingAddress: LIST };
  await transfer.directory.apply(addUser('dan@acme.example', onward));
  await post(transfer);
  await transfer.until('it waits', () =>
    transfer.queue().some(({ lastError }) => /None of the mod/.test(lastError ?? '')),
  );
  assert.equal(transfer.queue().length, 1);
  const moderators = ['gone@acme.example', 'dan@acme.example', ANN];
  await transfer.directory.apply(replace(groupDn(LIST), { mgrpModerator: moderators }));
  await question(transfer);
  assert.equal(transfer.queue().length, 1);
});

test('a moderator who cannot be reached now is asked later', async (context) => {
  const transfer = await open(context, MODERATED);
  await transfer.directory.apply(replace(userDn(ANN), { mailUserStatus: 'inactive' }));
  await post(transfer);
  await transfer.until('it is held', () => transfer.queue().some(({ heldBy }) => heldBy === 'moderation'));
  await transfer.directory.apply(replace(userDn(ANN), { mailUserStatus: 'active' }));
  await question(transfer);
});

test('a moderator refuses: the sender gets it back with the words of the list', async (context) => {
  const transfer = await open(context, MODERATED);
  await post(transfer, undefined, BOB);
  const { refuse } = await question(transfer);
  await word(transfer, ANN, refuse);
  await transfer.until('the report', async () => (await transfer.inbox(BOB)).length === 1);
  const [report] = await transfer.inbox(BOB);
  assert.match(report!, /Status: 5\.7\.1/);
  assert.match(report!, /Not here/);
});

test('whoever is not that moderator decides nothing, nor does a program', async (context) => {
  const transfer = await open(context, MODERATED);
  await post(transfer);
  const { approve } = await question(transfer);
  const refusedFor = async (from: string, to: string) => {
    const sent = await transfer.directory.cache.resolve(
      { localPart: to.slice(0, to.lastIndexOf('@')), domain: 'acme.example' },
      { ...(await request(from)) },
    );
    return sent.reply.code;
  };
  const request = async (from: string) => ({
    sender: { localPart: from.split('@')[0]!, domain: from.split('@')[1]! },
    caller: { kind: 'anonymous' } as const,
    mayRelay: false,
    door: 'smtp' as const,
  });
  assert.equal(await refusedFor(BOB, approve), 550);
  assert.equal(await refusedFor(ANN, approve.replace('approve', 'refuse')), 550);
  assert.equal(await refusedFor(ANN, approve), 250);
  await word(transfer, ANN, approve, 'Auto-Submitted: auto-replied\r\n');
  await transfer.until('it is dropped', () => transfer.queue().length === 1);
  assert.equal(transfer.queue()[0]?.heldBy, 'moderation');
  // What comes by itself to a moderated list is asked of nobody.
  await post(transfer, 'Auto-Submitted: auto-generated\r\nSubject: loop\r\n\r\nx\r\n');
  await transfer.until('it is dropped, too', () => transfer.queue().length === 1);
  assert.equal((await transfer.inbox(ANN)).length, 1);
});
