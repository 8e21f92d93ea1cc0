// Names are not tried out: what a client is told when many recipients were refused to it, and that nobody else feels it.

import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { TokenBuckets } from '../../base/token-buckets.ts';
import { LineConnection } from '../../demo/clients/line-connection.ts';
import { openTestSmtp, type TestSmtp } from './testing.ts';

const ANN = 'ann@acme.example';
const ELSEWHERE = { peerAddress: '192.0.2.7' };

async function open(context: TestContext, options?: Parameters<typeof openTestSmtp>[0]): Promise<TestSmtp> {
  const smtp = await openTestSmtp(options);
  context.after(() => smtp.close());
  return smtp;
}

class Client {
  readonly #connection: LineConnection;

  constructor(connection: LineConnection) {
    this.#connection = connection;
  }

  static async greeted(context: TestContext, smtp: TestSmtp): Promise<Client> {
    const connection = await LineConnection.open('127.0.0.1', smtp.port);
    context.after(() => connection.destroy());
    const client = new Client(connection);
    assert.match(await connection.line(), /^220 /);
    assert.match(await client.ask('EHLO client.example'), /^250 /);
    return client;
  }

  async ask(command: string): Promise<string> {
    this.#connection.write(`${command}\r\n`);
    for (;;) {
      const line = await this.#connection.line();
      if (line[3] !== '-') return line;
    }
  }

  /** The codes of so many recipients that nobody has. */
  async tryNames(count: number): Promise<Map<string, number>> {
    const codes = new Map<string, number>();
    for (let i = 0; i < count; i++) {
      const code = (await this.ask(`RCPT TO:<nobody${i}@acme.example>`)).slice(0, 9);
      codes.set(code, (codes.get(code) ?? 0) + 1);
      if (code.startsWith('421')) break;
    }
    return codes;
  }

  async sendTo(recipient: string): Promise<string> {
    for (const command of ['MAIL FROM:<carol@remote.example>', `RCPT TO:<${recipient}>`])
      assert.match(await this.ask(command), /^250 /);
    assert.match(await this.ask('DATA'), /^354 /);
    return this.ask('Subject: x\r\n\r\n.');
  }

  untilClosed(): Promise<string> {
    return this.#connection.untilClosed();
  }
}

test('the fifty-first refused recipient of a connection ends it', async (context) => {
  const smtp = await open(context, { record: ELSEWHERE });
  const client = await Client.greeted(context, smtp);
  await client.ask('MAIL FROM:<carol@remote.example>');
  assert.deepEqual(
    [...(await client.tryNames(60))],
    [
      ['550 5.1.1', 50],
      ['421 4.7.0', 1],
    ],
  );
  assert.equal(await client.untilClosed(), '');
});

test('where the transaction has a recipient the next names wait, the recipient gets its mail, and all begins anew', async (context) => {
  const smtp = await open(context, { record: ELSEWHERE });
  const client = await Client.greeted(context, smtp);
  await client.ask('MAIL FROM:<carol@remote.example>');
  assert.match(await client.ask(`RCPT TO:<${ANN}>`), /^250 /);
  assert.deepEqual(
    [...(await client.tryNames(60))],
    [
      ['550 5.1.1', 50],
      ['450 4.7.1', 10],
    ],
  );
  assert.match(await client.ask(`RCPT TO:<${ANN}>`), /^250 /, 'a valid one is not affected');
  assert.match(await client.ask('DATA'), /^354 /);
  assert.match(await client.ask('Subject: x\r\n\r\n.'), /^250 /);
  await client.ask('MAIL FROM:<carol@remote.example>');
  assert.deepEqual([...(await client.tryNames(50))], [['550 5.1.1', 50]]);
});

test('a client has three hundred in all its connections, and five a minute; others have theirs', async (context) => {
  const buckets = new TokenBuckets({
    buffer: new SharedArrayBuffer(TokenBuckets.bytes(100)),
    offset: 0,
    capacity: 100,
    thread: 0,
    isNew: true,
  });
  const kind = { name: 'refused', size: 300, perMinute: 5 };
  let now = 0;
  const door = { mayRefuse: (peer: string) => buckets.take(buckets.bucket(kind, peer), now) };
  const smtp = await open(context, { record: ELSEWHERE, door });
  const other = await open(context, { record: { peerAddress: '192.0.2.8' }, door });
  const refusals = async (from: TestSmtp): Promise<number> => {
    const client = await Client.greeted(context, from);
    await client.ask('MAIL FROM:<carol@remote.example>');
    return (await client.tryNames(50)).get('550 5.1.1') ?? 0;
  };
  let refused = 0;
  for (let i = 0; i < 8; i++) refused += await refusals(smtp);
  assert.equal(refused, 300);
  const client = await Client.greeted(context, smtp);
  assert.match(await client.sendTo(ANN), /^250 /, 'a valid one is not affected');
  assert.equal(await refusals(other), 50);
  now += 60_000;
  assert.equal(await refusals(smtp), 5);
});

test('this machine is not limited', async (context) => {
  const smtp = await open(context, { door: { mayRefuse: () => false } });
  const client = await Client.greeted(context, smtp);
  await client.ask('MAIL FROM:<carol@remote.example>');
  assert.deepEqual([...(await client.tryNames(100))], [['550 5.1.1', 100]]);
});
