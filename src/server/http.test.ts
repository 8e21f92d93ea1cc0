import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type Duplex, duplexPair } from 'node:stream';
import { type TestContext, test } from 'node:test';
import { type Handler, Hono } from 'hono';
import type { ConnectionRecord } from '../net/connection.ts';
import type { HttpEnv } from '../protocols/http/bearer.ts';
import { createHttpDoor } from './http.ts';

const REQUEST = 'GET / HTTP/1.1\r\nHost: x\r\n\r\n';
const SECOND = 1000;

/** A client of a door that answers so; the clock stands. */
function client(context: TestContext, answer: Handler<HttpEnv>): Duplex {
  context.mock.timers.enable({ apis: ['setTimeout'] });
  const door = createHttpDoor(new Hono<HttpEnv>().all('/', answer));
  const [ours, theirs] = duplexPair();
  door.accept(theirs, { peerAddress: '192.0.2.7' } as ConnectionRecord);
  context.after(() => door.close());
  return ours;
}

/** Until nothing is left to do but wait. */
const settled = () => new Promise((turn) => setImmediate(() => setImmediate(turn)));

const firstLine = async (from: Duplex): Promise<string> => String((await once(from, 'data'))[0]).split('\r\n', 1)[0]!;

test('a login may be waited for longer than a client is; then the client has its time anew', async (context) => {
  let admit = (): void => {};
  const asked = new Promise<void>((resolve) => {
    admit = resolve;
  });
  const stranger = client(context, async (request) => {
    await request.env.whileLogin(asked);
    return request.text('in');
  });
  stranger.write(REQUEST);
  await settled();
  context.mock.timers.tick(59 * SECOND);
  await settled();
  assert.equal(stranger.readableEnded, false);
  admit();
  assert.equal(await firstLine(stranger), 'HTTP/1.1 200 OK');
});

for (const [what, said] of [
  ['says nothing', ''],
  ['does not end its request', 'GET / HTTP/1.1\r\nHost: x\r\n'],
] as const)
  test(`a client that ${what} is closed after ten seconds`, async (context) => {
    const stranger = client(context, (request) => request.text('in'));
    stranger.on('data', () => assert.fail('an answer'));
    stranger.write(said);
    await settled();
    const ended = once(stranger, 'end');
    context.mock.timers.tick(10 * SECOND);
    await ended;
  });

test('after a login that failed, a request that goes on and on is closed as any other', async (context) => {
  const stranger = client(context, async (request) => {
    await request.env.whileLogin(Promise.resolve());
    return request.text(await request.req.text().catch(() => 'broken off'));
  });
  stranger.on('data', () => assert.fail('an answer'));
  stranger.write('POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n');
  await settled();
  const ended = once(stranger, 'end');
  context.mock.timers.tick(10 * SECOND);
  await ended;
});
