import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type TestContext, test } from 'node:test';
import { MessageChannel, type MessagePort, receiveMessageOnPort } from 'node:worker_threads';
import { Failure } from '../base/failure.ts';
import { idOf, type Revision, type SegmentId } from '../base/ids.ts';
import { WRITER_QUEUE_BYTES } from '../base/limits.ts';
import { silentLog } from '../base/log.ts';
import { type PostedCall, WriterClient } from './client.ts';
import { openForWriting } from './connection.ts';
import { operation, type Reader } from './operation.ts';
import { SharedState } from './shared.ts';
import { openTestDatabase } from './testing.ts';
import { WriterLoop, walBytes } from './writer-thread.ts';

const reply = { code: 554, enhanced: '5.4.6', text: 'The address leads only to itself' };

const failWith = operation('test.failWith', (_tx, how: 'precisely' | 'by kind') => {
  if (how === 'by kind') throw new Failure('denied', 'no');
  const ldap = { name: 'noSuchObject', matchedDn: 'o=internet' } as const;
  throw new Failure('not-found', 'is not there', { detail: 'row 7', reply, ldap });
});

const revise = operation('test.revise', (tx) => tx.nextRevision());

/** As when the engine ends the transaction by itself, say on a full disk. */
const reviseInVain = operation('test.reviseInVain', async (tx) => {
  await tx.nextRevision();
  await tx.run('ROLLBACK');
});

const reviseWithBytes = operation('test.reviseWithBytes', (tx, segments: readonly number[]) => {
  for (const segment of segments) tx.syncBeforeCommit(idOf(segment));
  return tx.nextRevision();
});

const REWRITTEN_ROWS = 2000;

/** Eight megabytes of the log, of one operation. */
const rewrite = operation('test.rewrite', async (tx, _: null) => {
  await tx.run('CREATE TABLE IF NOT EXISTS page (id INTEGER PRIMARY KEY, bytes BLOB)');
  await tx.run(
    `WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < ?)
     INSERT OR REPLACE INTO page (id, bytes) SELECT n, randomblob(4000) FROM n`,
    REWRITTEN_ROWS,
  );
});

/** The writer as it is, its client beside it. */
interface Served {
  readonly path: string;
  readonly client: WriterClient;
  readonly shared: SharedState;
  readonly reader: Reader;
  /** Segments that were synced, each with the directory's revision that could be read then. */
  readonly synced: (readonly [segment: SegmentId, revision: Revision])[];
}

function serve(context: TestContext): Served {
  const scene = openTestDatabase([]);
  const synced: (readonly [segment: SegmentId, revision: Revision])[] = [];
  const database = openForWriting(scene.path, 'OFF');
  const shared = new SharedState();
  const writer = new WriterLoop({
    database,
    operations: [failWith, revise, reviseInVain, reviseWithBytes, rewrite],
    shared,
    log: silentLog,
    fatal: assert.fail,
    segments: {
      sync: (segment) => synced.push([segment, scene.reader.revision()]),
      forget: () => assert.fail(),
    },
    acknowledgeEarly: false,
  });
  const { port1, port2 } = new MessageChannel();
  context.after(() => {
    port1.close();
    database.close();
    scene.close();
  });
  writer.serve(1, port2);
  return { path: scene.path, client: new WriterClient(port1, shared), shared, reader: scene.reader, synced };
}

test('what the rows of a batch name is synced once a segment, before anybody can read the rows', async (context) => {
  const { client, reader, synced } = serve(context);
  await Promise.all([
    client.execute(reviseWithBytes, [1, 2]),
    client.execute(reviseWithBytes, [2]),
    client.execute(revise, undefined),
  ]);
  // A machine that stands still after the first call makes two batches of them.
  const further = synced.splice(2);
  assert.deepEqual(synced, [
    [1, 0],
    [2, 0],
  ]);
  assert.deepEqual(further, further.length === 0 ? [] : [[2, 1]]);
  assert.equal(reader.revision(), 3);
  synced.splice(0);
  await client.execute(revise, undefined);
  assert.deepEqual(synced, []);
});

test('few batches that write much leave no long log: it is begun anew between them', async (context) => {
  const { client, path } = serve(context);
  for (let batch = 0; batch < 40; batch++) await client.execute(rewrite, null);
  assert.ok(walBytes(path) < 200_000_000, `${walBytes(path)} octets of 40 batches`);
});

test('a batch that is refused publishes no revision: the next one has that number, and must be another to all threads', async (context) => {
  const { client, shared } = serve(context);
  await client.execute(revise, undefined);
  assert.equal(shared.revision(), 1);
  await assert.rejects(client.execute(reviseInVain, undefined), { kind: 'unavailable' });
  assert.equal(shared.revision(), 1);
  assert.equal(await client.execute(revise, undefined), 2);
  assert.equal(shared.revision(), 2);
});

test('a failure that crosses threads keeps its kind, its words, its reply and its result', async (context) => {
  const { client } = serve(context);
  await assert.rejects(client.execute(failWith, 'precisely'), {
    name: 'Failure',
    kind: 'not-found',
    message: 'is not there',
    detail: 'row 7',
    reply,
    ldap: { name: 'noSuchObject', matchedDn: 'o=internet' },
  });
  await assert.rejects(client.execute(failWith, 'by kind'), { kind: 'denied', reply: undefined, ldap: undefined });
});

const nothing = operation('test.nothing', async () => {});

function open(context: TestContext): { client: WriterClient; writer: MessagePort; shared: SharedState } {
  const { port1, port2 } = new MessageChannel();
  context.after(() => port1.close());
  const shared = new SharedState();
  return { client: new WriterClient(port1, shared), writer: port2, shared };
}

test('bytes wait for the writer from when they are posted: what a thread had not posted when it died is not counted', async (context) => {
  const { client, writer, shared } = open(context);
  void client.execute(nothing, {}, 100);
  void client.execute(nothing, {}, 50);
  assert.equal(shared.waitingBytes(), 0);
  const [calls] = (await once(writer, 'message')) as [readonly PostedCall[]];
  assert.deepEqual(
    calls.map(([call, name, , bytes]) => [call, name, bytes]),
    [
      [1, 'test.nothing', 100],
      [2, 'test.nothing', 50],
    ],
  );
  assert.equal(shared.waitingBytes(), 150);
});

test('calls leave at once where their caller says so, and each once', async (context) => {
  const { client, writer, shared } = open(context);
  void client.execute(nothing, {}, 100);
  client.post();
  assert.equal(shared.waitingBytes(), 100);
  const numbers = (): number[] =>
    (receiveMessageOnPort(writer)?.message as readonly PostedCall[] | undefined)?.map(([call]) => call) ?? [];
  assert.deepEqual(numbers(), [1]);
  client.post();
  void client.execute(nothing, {}, 50);
  await new Promise((turn) => setImmediate(turn));
  await new Promise((turn) => setImmediate(turn));
  assert.deepEqual(numbers(), [2]);
  assert.deepEqual(numbers(), []);
  assert.equal(shared.waitingBytes(), 150);
});

test('the bound on what waits counts the calls of this turn and those of other threads', async (context) => {
  const { client, shared } = open(context);
  void client.execute(nothing, {}, WRITER_QUEUE_BYTES + 1);
  await assert.rejects(client.execute(nothing, {}), { kind: 'unavailable' });
  const other = open(context);
  other.shared.addWaitingBytes(WRITER_QUEUE_BYTES + 1);
  await assert.rejects(other.client.execute(nothing, {}), { kind: 'unavailable' });
  assert.equal(shared.waitingBytes(), 0);
});
