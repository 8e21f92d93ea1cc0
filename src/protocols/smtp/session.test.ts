// What transcripts cannot show: messages that break off, a server that stops, peers from elsewhere, an exchanged transport.

import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { LineConnection } from '../../demo/clients/line-connection.ts';
import { maskConnection, masked } from '../../net/testing.ts';
import { openTestSmtp, type TestSmtp } from './testing.ts';

const ANN = 'ann@acme.example';

async function open(context: TestContext, options?: Parameters<typeof openTestSmtp>[0]): Promise<TestSmtp> {
  const smtp = await openTestSmtp(options);
  context.after(() => smtp.close());
  return smtp;
}

async function greeted(smtp: TestSmtp): Promise<LineConnection> {
  const connection = await LineConnection.open('127.0.0.1', smtp.port);
  assert.match(await connection.line(), /^220 /);
  return connection;
}

async function ask(connection: LineConnection, command: string): Promise<string> {
  connection.write(`${command}\r\n`);
  for (;;) {
    const line = await connection.line();
    if (line[3] !== '-') return line;
  }
}

/** Up to 354. */
async function beginMessage(smtp: TestSmtp): Promise<LineConnection> {
  const connection = await greeted(smtp);
  for (const command of ['EHLO client.example', 'MAIL FROM:<carol@remote.example>', `RCPT TO:<${ANN}>`])
    assert.match(await ask(connection, command), /^250 /);
  assert.match(await ask(connection, 'DATA'), /^354 /);
  return connection;
}

test('the transport is exchanged between commands: all that follows arrives, nothing is injected', async (context) => {
  const smtp = await open(context);
  const connection = await greeted(smtp);
  assert.match(await ask(connection, 'EHLO client.example'), /^250 /);
  connection.write('MAIL FROM:<injected@remote.example>');
  const [session, socket] = [...smtp.sockets][0]!;
  connection.change(masked, await maskConnection(session.connection, socket, connection.sent.octets));
  assert.match(await ask(connection, 'MAIL FROM:<carol@remote.example>'), /^250 /);
  assert.match(await ask(connection, `RCPT TO:<${ANN}>`), /^250 /);
  assert.match(await ask(connection, 'DATA'), /^354 /);
  assert.match(await ask(connection, `Subject: whole\r\n\r\n${'x'.repeat(70)}\r\n.`), /^250 /);
  assert.match(await ask(connection, 'QUIT'), /^221 /);
  const [text] = await smtp.transfer.inbox(ANN);
  assert.match(text!, /\r\nSubject: whole\r\n\r\nx{70}\r\n$/);
});

test('a message that breaks off leaves nothing behind, however the peer goes', async (context) => {
  const smtp = await open(context);
  for (const go of ['end', 'destroy'] as const) {
    const connection = await beginMessage(smtp);
    connection.write(`Subject: half\r\n\r\n${'x'.repeat(5000)}\r\n`);
    await smtp.transfer.until('what was sent is here', () => smtp.transfer.intakes.held.bytes > 5000);
    connection[go]();
    await smtp.transfer.until('it is gone', () => smtp.sockets.size === 0);
    assert.equal(smtp.transfer.intakes.held.bytes, 0);
  }
  assert.deepEqual(await smtp.transfer.inbox(ANN), []);
});

test('a server that stops answers a message that is whole, and gives up one that is not', async (context) => {
  const whole = Promise.withResolvers<void>();
  const commit = Promise.withResolvers<void>();
  const smtp: TestSmtp = await open(context, {
    door: {
      async submit(submission) {
        whole.resolve();
        await commit.promise;
        return smtp.transfer.submit(submission);
      },
    },
  });
  const half = await beginMessage(smtp);
  half.write('Subject: half\r\n');
  const accepted = await beginMessage(smtp);
  accepted.write('Subject: whole\r\n\r\n.\r\nNOOP\r\n');
  const idle = await greeted(smtp);
  await whole.promise;
  for (const session of smtp.sockets.keys()) session.shutDown();
  assert.match(await half.untilClosed(), /^421 4\.3\.2 [^\r]*\r\n$/);
  assert.match(await idle.untilClosed(), /^421 4\.3\.2 [^\r]*\r\n$/);
  commit.resolve();
  assert.match(await accepted.untilClosed(), /^250 [^\r]*\r\n421 4\.3\.2 [^\r]*\r\n$/);
  assert.equal((await smtp.transfer.inbox(ANN)).length, 1);
});

test('from elsewhere no password is taken, and no login announced', async (context) => {
  const smtp = await open(context, { record: { isPrivate: false } });
  const connection = await greeted(smtp);
  connection.write('EHLO client.example\r\nAUTH PLAIN AGEAYg==\r\nQUIT\r\n');
  const answers = await connection.untilClosed();
  assert.doesNotMatch(answers, /^250[ -]AUTH/m);
  assert.match(answers, /\r\n538 5\.7\.11 /);
});

test('a peer that asks and does not read is not answered ahead of', async (context) => {
  let replies = 0;
  const smtp = await open(context, { door: { countReply: () => replies++ } });
  const connection = await greeted(smtp);
  connection.pause();
  const count = 1_000_000;
  connection.write('HELP\r\n'.repeat(count));
  let seen = -1;
  while (seen !== replies) {
    seen = replies;
    await new Promise((turn) => setTimeout(turn, 300));
  }
  assert.ok(replies < count / 2, `${replies} replies were written ahead`);
  connection.destroy();
});

test('an octet now and then does not hold a connection for ever', async (context) => {
  const smtp = await open(context, { limits: { commandTimeoutMs: 3000 } });
  const connection = await beginMessage(smtp);
  const drip = setInterval(() => connection.write('x'), 20);
  context.after(() => clearInterval(drip));
  assert.match(await connection.untilClosed(), /^421 4\.4\.2 /);
});

test('from elsewhere a login is announced and taken in TLS alone', async (context) => {
  const smtp = await open(context, { record: { isPrivate: false } });
  const connection = await greeted(smtp);
  const offers = async (over: LineConnection): Promise<string[]> => {
    over.write('EHLO client.example\r\n');
    const words: string[] = [];
    do words.push((await over.line()).slice(3));
    while (words.at(-1)![0] === '-');
    return words.map((word) => word.slice(1).split(' ')[0]!).filter((word) => word === 'STARTTLS' || word === 'AUTH');
  };
  assert.deepEqual(await offers(connection), ['STARTTLS']);
  assert.match(await ask(connection, 'AUTH PLAIN AGEAYg=='), /^538 5\.7\.11 /);
  assert.match(await ask(connection, 'STARTTLS'), /^220 2\.0\.0 /);
  const secure = await connection.secured({ servername: 'localhost', ca: smtp.ca });
  assert.deepEqual(await offers(secure), ['AUTH']);
  assert.match(await ask(secure, 'AUTH PLAIN AGEAYg=='), /^535 5\.7\.8 /);
});
