import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { type AccountId, idOf, type MessageId } from '../../base/ids.ts';
import { type Log, silentLog } from '../../base/log.ts';
import { openSideWriter, removeSideFile } from '../../database/side-file.ts';
import { fold } from '../../message/unicode-casemap.ts';
import { INBOX } from '../accounts.ts';
import { expunge } from '../expunge.ts';
import { ownMailbox } from '../mailbox-key.ts';
import { messagesBetween } from '../messages.ts';
import { TestStore, uidRange } from '../testing.ts';
import { IndexWriter, indexPath } from './index-file.ts';
import { IndexUpkeep } from './index-upkeep.ts';
import { SearchIndex, type Where } from './search-index.ts';
import { highestIndexedId, indexFigures, isSearchNoted } from './searched.ts';
import { trigramQuery } from './trigrams.ts';

const DAY_MS = 24 * 3600 * 1000;

/** A store whose accounts search, and the thread that keeps their indexes, by a clock that is set. */
class Scene {
  readonly store = new TestStore();
  readonly directory = join(this.store.database.directory, 'index');
  now = Date.UTC(2026, 10, 28);
  readonly clock = { now: () => this.now, monotonic: () => this.now };
  readonly owned = new Set<AccountId>();
  readonly warnings: string[] = [];
  readonly log: Log = { ...silentLog, warn: (event: string) => void this.warnings.push(event) };
  readonly index = new SearchIndex({ ...this.#common(), directory: this.directory });
  upkeep = this.newUpkeep();

  #common() {
    const { reader, writer } = this.store.database;
    return { reader, writer, log: this.log, clock: this.clock };
  }

  newUpkeep(): IndexUpkeep {
    return new IndexUpkeep({
      ...this.#common(),
      blobs: this.store.blobs,
      directory: this.directory,
      isOwned: (account) => this.owned.has(account),
      count: () => {},
    });
  }

  async account(): Promise<AccountId> {
    const account = await this.store.account();
    this.owned.add(account);
    return account;
  }

  ids(account: AccountId): MessageId[] {
    const { reader } = this.store.database;
    return messagesBetween(reader, ownMailbox(account, INBOX), uidRange(1, 1e9), 1000).map(({ id }) => id);
  }

  ask(account: AccountId, ...texts: string[]) {
    return this.index.ask(account, new Set(texts.map(fold)), () => undefined);
  }

  /** The account's first search, and all that follows from it. */
  async indexAll(account: AccountId): Promise<void> {
    await this.ask(account, 'anything');
    const { reader } = this.store.database;
    while (!isSearchNoted(reader, account, this.now)) await new Promise((resolve) => setImmediate(resolve));
    do await this.slices();
    while (this.figures().messagesBehind > 0);
  }

  async slices(): Promise<void> {
    for (let slice = 0; slice < 40; slice++) await this.upkeep.run();
  }

  figures() {
    return indexFigures(this.store.database.reader, this.now);
  }

  /** Which of the account's messages certainly lack the text. */
  async lacking(account: AccountId, text: string, where: Where = 'text'): Promise<boolean[] | undefined> {
    const answers = await this.ask(account, text);
    answers?.look(this.ids(account));
    return answers && this.ids(account).map((id) => answers.lacks(id, fold(text), where));
  }

  async close(): Promise<void> {
    await this.upkeep.end();
    this.index.close();
    await this.store.close();
  }
}

const mail = (subject: string, body: string): string => `Subject: ${subject}\r\n\r\n${body}\r\n`;

describe('the index of an account', () => {
  let scene: Scene;
  before(() => {
    scene = new Scene();
  });
  after(() => scene.close());

  test('begins with the first search, and says of which messages a text is absent', async () => {
    const account = await scene.account();
    await scene.store.append(account, 'INBOX', mail('one', 'a quarterly report'));
    await scene.store.append(account, 'INBOX', mail('quarterly', 'nothing'));
    await scene.store.append(account, 'INBOX', mail('two', 'nothing at all'));
    await scene.slices();
    assert.equal(existsSync(indexPath(scene.directory, account)), false);
    assert.equal(await scene.lacking(account, 'quarterly'), undefined);
    await scene.indexAll(account);
    assert.deepEqual(await scene.lacking(account, 'Quarterly'), [false, false, true]);
    assert.deepEqual(await scene.lacking(account, 'not'), [true, false, false]);
    assert.equal(await scene.lacking(account, 'no'), undefined, 'two characters');
    assert.deepEqual(await scene.lacking(account, 'quarterly', 'header'), [true, false, true]);
    assert.deepEqual(await scene.lacking(account, 'quarterly', 'body'), [false, true, true]);
    assert.deepEqual(scene.figures(), { accounts: 1, messagesBehind: 0, oldestMs: 0 });
  });

  test('does not speak of a message that was put in after it was asked', async () => {
    const account = await scene.account();
    await scene.store.append(account, 'INBOX', mail('one', 'first'));
    await scene.indexAll(account);
    const answers = (await scene.ask(account, 'quarterly'))!;
    await scene.store.append(account, 'INBOX', mail('two', 'quarterly'));
    await scene.slices();
    const [first, second] = scene.ids(account);
    answers.look([first!, second!]);
    assert.deepEqual(
      [answers.lacks(first!, fold('quarterly'), 'text'), answers.lacks(second!, fold('quarterly'), 'text')],
      [true, false],
    );
    assert.deepEqual(await scene.lacking(account, 'quarterly'), [true, false]);
  });

  test('does not speak when another file stands in the place of the one that was asked', async () => {
    const account = await scene.account();
    await scene.store.append(account, 'INBOX', mail('one', 'first'));
    await scene.indexAll(account);
    const answers = (await scene.ask(account, 'quarterly'))!;
    const [id] = scene.ids(account);
    removeSideFile(indexPath(scene.directory, account));
    const other = IndexWriter.open(indexPath(scene.directory, account));
    other.add([{ id: id!, text: { header: '', body: fold('quarterly') } }]);
    other.close();
    answers.look([id!]);
    assert.equal(answers.lacks(id!, fold('quarterly'), 'text'), false);
  });

  test('is made anew when it is damaged, or when another program has made it', async () => {
    const account = await scene.account();
    await scene.store.append(account, 'INBOX', mail('one', 'first'));
    await scene.indexAll(account);
    const path = indexPath(scene.directory, account);
    const bytes = readFileSync(path);
    removeSideFile(path);
    writeFileSync(path, bytes.fill(0x55, 0, 4096));
    assert.equal(await scene.lacking(account, 'quarterly'), undefined);
    assert.ok(scene.warnings.includes('index.read'));
    await scene.slices();
    assert.ok(scene.warnings.includes('index.rebuild'));
    assert.deepEqual(await scene.lacking(account, 'quarterly'), [true]);

    const file = openSideWriter(path);
    file.run("UPDATE index_mark SET mark = 'version 0'");
    file.close();
    assert.equal(await scene.lacking(account, 'quarterly'), undefined);
    scene.upkeep = scene.newUpkeep();
    await scene.slices();
    assert.deepEqual(await scene.lacking(account, 'quarterly'), [true]);
  });

  test('takes out what is gone, and goes on with what has come', async () => {
    const account = await scene.account();
    await scene.store.append(account, 'INBOX', mail('one', 'first'));
    const uid = await scene.store.append(account, 'INBOX', mail('two', 'second'));
    await scene.indexAll(account);
    const gone = scene.ids(account)[1]!;
    const { writer } = scene.store.database;
    const args = { owner: account, mailbox: INBOX, ranges: [uidRange(uid)], deletedOnly: false };
    await writer.execute(expunge, args);
    await scene.store.append(account, 'INBOX', mail('three', 'third'));
    await scene.slices();
    assert.deepEqual(await scene.lacking(account, 'second'), [true, true]);
    scene.now += DAY_MS;
    await scene.slices();
    const answers = (await scene.ask(account, 'quarterly'))!;
    answers.look([gone]);
    assert.equal(answers.lacks(gone, fold('quarterly'), 'text'), false);
    assert.deepEqual(await scene.lacking(account, 'second'), [true, true]);
  });

  test('holds no message whose text is too long: such a one is always looked at', async () => {
    const account = await scene.account();
    await scene.store.append(account, 'INBOX', mail('long', 'x'.repeat(4 * 1024 * 1024)));
    await scene.store.append(account, 'INBOX', mail('short', 'x'));
    await scene.indexAll(account);
    assert.deepEqual(await scene.lacking(account, 'quarterly'), [false, true]);
    assert.equal(scene.figures().messagesBehind, 0);
  });

  test('has a long text in blocks: all trigrams in one of them, a text across two whole in the first', async () => {
    const account = await scene.account();
    const words = ['abcd', 'x'.repeat(9000), 'cdef', 'y'.repeat(9000)].join(' ');
    await scene.store.append(account, 'INBOX', mail('one', words));
    // Each begins one character sooner before the end of a block of 8192.
    let across = '';
    for (let i = 0; i < 30; i++)
      across = `${across.padEnd(8192 * (i + 1) - i - 2, '-')}across the border of two blocks ${i} `;
    await scene.store.append(account, 'INBOX', mail('two', across));
    await scene.indexAll(account);
    assert.deepEqual(await scene.lacking(account, 'abcdef'), [true, true], 'each of its trigrams is somewhere');
    for (let i = 0; i < 30; i++)
      assert.deepEqual(await scene.lacking(account, `across the border of two blocks ${i} `), [true, false]);
  });

  test('has candidates in steps, and says nothing of a text that has more of them than are kept', async () => {
    const account = await scene.account();
    const file = IndexWriter.open(indexPath(scene.directory, account));
    const id = (i: number) => idOf<MessageId>(64 * (i + 1));
    const body = (i: number) => `EVERYWHERE ${i % 10 === 0 ? 'TENTH' : ''}`;
    const all = Array.from({ length: 100_100 }, (_, i) => ({ id: id(i), text: { header: '', body: body(i) } }));
    file.add(all);
    file.close();
    assert.equal(await scene.ask(account, 'everywhere'), undefined);
    const answers = (await scene.ask(account, 'everywhere', 'tenth'))!;
    const last = [100_089, 100_090].map(id);
    answers.look(last);
    assert.deepEqual(
      last.map((one) => answers.lacks(one, fold('tenth'), 'text')),
      [true, false],
    );
    assert.deepEqual(
      last.map((one) => answers.lacks(one, fold('everywhere'), 'text')),
      [false, false],
    );
  });

  test('goes 90 days after the last search, and with its account', async () => {
    const [still, silent, deleted] = [await scene.account(), await scene.account(), await scene.account()];
    for (const account of [still, silent, deleted]) {
      await scene.store.append(account, 'INBOX', mail('one', 'first'));
      await scene.indexAll(account);
    }
    scene.now += 91 * DAY_MS;
    await scene.indexAll(still);
    scene.owned.delete(deleted);
    scene.now += DAY_MS;
    await scene.slices();
    const has = (account: AccountId) => existsSync(indexPath(scene.directory, account));
    assert.deepEqual([has(still), has(silent), has(deleted)], [true, false, false]);
    assert.equal(await scene.lacking(silent, 'quarterly'), undefined);
  });

  test('no id up to the highest that was ever put in comes again', async () => {
    const account = await scene.account();
    await scene.store.append(account, 'INBOX', mail('one', 'first'));
    await scene.indexAll(account);
    const [id] = scene.ids(account);
    assert.ok(highestIndexedId(scene.store.database.reader) >= id!);
  });

  test('more files than may be open', async () => {
    const accounts: AccountId[] = [];
    for (let i = 0; i < 12; i++) accounts.push(await scene.account());
    for (const account of accounts) await scene.store.append(account, 'INBOX', mail('one', `mail ${account}`));
    for (const account of accounts) await scene.indexAll(account);
    for (const account of accounts) assert.deepEqual(await scene.lacking(account, `mail ${account}`), [false]);
    for (const account of accounts) assert.deepEqual(await scene.lacking(account, 'mail of nobody'), [true]);
  });
});

test('a text becomes a question of trigrams, and nothing of it is said to the engine but in quotes', () => {
  assert.equal(trigramQuery('ab'), undefined);
  assert.equal(trigramQuery('😀🎉'), undefined);
  assert.equal(trigramQuery('😀🎉a'), '"😀🎉a"');
  assert.equal(trigramQuery('a"b OR'), '"a""b" AND """b " AND "b O" AND " OR"');
  assert.equal(trigramQuery('aaaaaaaa'), '"aaa"');
  assert.equal(trigramQuery('a\0bc'), undefined);
  assert.equal(trigramQuery('ab\ud800cd'), undefined);
  // Of a longer text the beginning, and no half of a pair.
  const long = Array.from({ length: 500 }, (_, i) => `${i}`).join(' ');
  assert.equal(trigramQuery(long), trigramQuery(long.slice(0, 47)));
  assert.equal(trigramQuery(`${'x'.repeat(47)}😀`), '"xxx"');
});

test('an account is a number', () => {
  assert.equal(indexPath('/i', idOf<AccountId>(7)), '/i/07/7.db');
  assert.equal(indexPath('/i', idOf<AccountId>(12345)), '/i/45/12345.db');
});
