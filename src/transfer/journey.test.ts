import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { Ids, idText, type MessageId } from '../base/ids.ts';
import { operation } from '../database/operation.ts';
import { openTestDatabase } from '../database/testing.ts';
import { beginJourney, continueJourney, type JourneyEvent, traceAddress, traceMessageId } from './journey.ts';
import { transferUnit } from './tables.ts';

const ids = new Ids(new BigInt64Array(1), 0, Date.now);
const event = (recipient: string, name: JourneyEvent['event'] = 'accepted'): JourneyEvent => ({
  event: name,
  recipient,
  status: '2.1.5 ok',
});

interface Row {
  readonly message: MessageId;
  readonly events: readonly JourneyEvent[];
  readonly messageId?: string;
  readonly isFirst: boolean;
}

const write = operation('test.write', async (tx, rows: readonly Row[]) => {
  for (const { message, events, messageId, isFirst } of rows)
    if (isFirst) await beginJourney(tx, message, 1000, messageId, events);
    else await continueJourney(tx, message, 2000, events);
});

function open(context: TestContext) {
  const database = openTestDatabase([transferUnit]);
  context.after(() => database.close());
  return { reader: database.reader, write: (rows: readonly Row[]) => database.writer.execute(write, rows) };
}

const messages = (count: number): MessageId[] => Array.from({ length: count }, () => ids.next<MessageId>());

/** Turns of the event loop while `run` is under way. */
async function turnsOf(run: () => Promise<unknown>): Promise<number> {
  let turns = 0;
  let isOver = false;
  const turn = (): void => {
    turns++;
    if (!isOver) setImmediate(turn);
  };
  setImmediate(turn);
  await run();
  isOver = true;
  return turns;
}

test('an address is found wherever its rows stand, oldest first, with all events of its messages', async (context) => {
  const { reader, write } = open(context);
  const all = messages(3000);
  const wanted = [all[0]!, all[1499]!, all[2999]!];
  await write(
    all.map((message) => ({
      message,
      events: [event('x@acme.example'), ...(wanted.includes(message) ? [event('Ann_1@acme.example')] : [])],
      isFirst: true,
    })),
  );
  await write([{ message: all[1499]!, events: [event('x@acme.example', 'delivered')], isFirst: false }]);
  const found = await traceAddress(reader, 'ann_1@acme.example');
  assert.deepEqual(
    found.map(({ queueId, event: name, recipient }) => [queueId, name, recipient]),
    [
      [idText(wanted[0]!), 'accepted', 'x@acme.example'],
      [idText(wanted[0]!), 'accepted', 'Ann_1@acme.example'],
      [idText(wanted[1]!), 'accepted', 'x@acme.example'],
      [idText(wanted[1]!), 'accepted', 'Ann_1@acme.example'],
      [idText(wanted[1]!), 'delivered', 'x@acme.example'],
      [idText(wanted[2]!), 'accepted', 'x@acme.example'],
      [idText(wanted[2]!), 'accepted', 'Ann_1@acme.example'],
    ],
  );
  // A character that LIKE has a meaning for stands for itself.
  assert.deepEqual(await traceAddress(reader, 'annX1@acme.example'), []);
});

test('the newest hundred messages and no more, also where one message has many rows', async (context) => {
  const { reader, write } = open(context);
  const all = messages(150);
  await write(all.map((message) => ({ message, events: [event('ann@acme.example')], isFirst: true })));
  for (const message of all.slice(100))
    await write(
      Array.from({ length: 70 }, () => ({ message, events: [event('ann@acme.example', 'deferred')], isFirst: false })),
    );
  const found = new Set((await traceAddress(reader, 'ann@acme.example')).map(({ queueId }) => queueId));
  assert.deepEqual([...found], all.slice(50).map(idText));
});

test('while many rows are searched, other work of the thread is done', async (context) => {
  const { reader, write } = open(context);
  await write(messages(10_000).map((message) => ({ message, events: [event('x@acme.example')], isFirst: true })));
  const turns = await turnsOf(() => traceAddress(reader, 'nobody@acme.example'));
  assert.ok(turns >= 10, `${turns} turns`);
});

test('a Message-ID that many messages have: one message a turn', async (context) => {
  const { reader, write } = open(context);
  const all = messages(120);
  const one = { messageId: 'same@elsewhere.example', events: [event('x@acme.example')], isFirst: true };
  await write(all.map((message) => ({ ...one, message })));
  let found = 0;
  const turns = await turnsOf(async () => {
    found = (await traceMessageId(reader, 'same@elsewhere.example')).length;
  });
  assert.equal(found, 100);
  assert.ok(turns >= 100, `${turns} turns`);
  assert.equal((await traceMessageId(reader, 'other@elsewhere.example')).length, 0);
});
