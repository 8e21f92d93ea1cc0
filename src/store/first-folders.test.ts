import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { FirstFolders } from './first-folders.ts';
import { createMailbox, deleteMailbox, findMailbox, listMailboxes, listSubscriptions } from './mailboxes.ts';
import { TestStore } from './testing.ts';

const NAMES = ['Drafts', 'Sent', 'Lists/News'];

async function open(context: TestContext, names: readonly string[] = NAMES) {
  const store = new TestStore();
  context.after(() => store.close());
  const account = await store.account();
  const { reader, writer } = store.database;
  let written = 0;
  const counting: typeof writer = {
    execute(operation, args) {
      written++;
      return writer.execute(operation, args);
    },
  };
  return {
    account,
    reader,
    writer,
    /** As another thread, or the next start, has it. */
    thread: () => new FirstFolders(names, { reader, writer: counting }),
    names: () => listMailboxes(reader, account).map(({ name }) => name),
    written: () => written,
    problems: () => store.problems(),
  };
}

test('the first login gives the folders, with their special uses, and subscribes them', async (context) => {
  const { account, reader, names, thread, problems } = await open(context);
  await thread().make(account);
  assert.deepEqual(names(), ['Drafts', 'INBOX', 'Lists', 'Lists/News', 'Sent']);
  assert.deepEqual(listSubscriptions(reader, account), ['Drafts', 'Lists/News', 'Sent']);
  assert.equal(findMailbox(reader, account, 'Sent')?.specialUse, '\\Sent');
  assert.equal(findMailbox(reader, account, 'Lists/News')?.specialUse, undefined);
  assert.deepEqual(await problems(), []);
});

test('who has deleted them does not get them again, in any thread', async (context) => {
  const { account, writer, names, thread, written } = await open(context);
  const one = thread();
  await one.make(account);
  for (const name of ['Drafts', 'Sent', 'Lists/News', 'Lists'])
    await writer.execute(deleteMailbox, { owner: account, name });
  await one.make(account);
  await thread().make(account);
  assert.deepEqual(names(), ['INBOX']);
  assert.equal(written(), 1);
});

test('of an account that a thread knows, a later login looks at no row', async (context) => {
  const { account, reader, writer } = await open(context);
  let looks = 0;
  const counting: Pick<typeof reader, 'get'> = {
    get(...query) {
      looks++;
      return reader.get(...query);
    },
  };
  const thread = new FirstFolders(NAMES, { reader: counting, writer });
  await thread.make(account);
  for (let i = 0; i < 3; i++) assert.equal(thread.make(account), undefined);
  assert.equal(looks, 1);
});

test('two logins at once give them once', async (context) => {
  const { account, names, thread } = await open(context);
  await Promise.all([thread().make(account), thread().make(account)]);
  assert.equal(names().length, 5);
});

test('who has a folder gets none, now or later', async (context) => {
  const { account, writer, names, thread } = await open(context);
  await writer.execute(createMailbox, { owner: account, name: 'Old' });
  await thread().make(account);
  assert.deepEqual(names(), ['INBOX', 'Old']);
  await writer.execute(deleteMailbox, { owner: account, name: 'Old' });
  await thread().make(account);
  assert.deepEqual(names(), ['INBOX']);
});

test('without names nothing is looked at, and the account is not marked', async (context) => {
  const { account, names, thread, written, reader, writer } = await open(context, []);
  assert.equal(thread().make(account), undefined);
  assert.equal(written(), 0);
  await new FirstFolders(['Drafts'], { reader, writer }).make(account);
  assert.deepEqual(names(), ['Drafts', 'INBOX']);
});
