// XCLIENT: a front end says for whom it speaks, and the client stands in its place; from anybody else it is refused.

import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { type TestContext, test } from 'node:test';
import { ImapClient } from '../src/demo/clients/imap-client.ts';
import { administrator, populate, replaceAttribute, userDn } from './support/directory.ts';
import { Lines } from './support/lines.ts';
import { type Endpoint, startWaypost, type Waypost } from './support/server.ts';
import { until } from './support/until.ts';

const FRONT = '127.0.0.77';
const ANN = 'ann@acme.example';

async function start(context: TestContext): Promise<Waypost> {
  const server = await startWaypost({
    config: `[smtp]\nxclient = ["${FRONT}/32"]\n[limits]\nsmtp-connections-per-peer = 2\n`,
  });
  context.after(() => server.stop());
  await populate(server, 'acme.example', ['ann']);
  return server;
}

async function hello({ host, port }: Endpoint, from = FRONT): Promise<{ lines: Lines; offered: string }> {
  const lines = new Lines(connect({ host, port, localAddress: from, noDelay: true }));
  assert.match(await lines.line(), /^220 /);
  const offered = await lines.command('EHLO front.example', '250 ');
  return { lines, offered: offered.join('\n') };
}

async function newest(server: Waypost): Promise<string> {
  const client = await ImapClient.login(server.listeners.imap, ANN, 'secret');
  const messages = await client.fetchAll();
  await client.logout();
  return messages.at(-1)?.body.toString('latin1') ?? '';
}

async function deliver(lines: Lines, sender: string): Promise<void> {
  await lines.command(`MAIL FROM:<${sender}>`, '250 ');
  await lines.command(`RCPT TO:<${ANN}>`, '250 ');
  await lines.command('DATA', '354 ');
  await lines.command('Subject: x\r\n\r\nx\r\n.', '250 ');
}

test('a front end speaks for others', async (context) => {
  const server = await start(context);
  const { smtp, submission } = server.listeners;

  await context.test('the client is in Received, and its HELO is too', async () => {
    const { lines, offered } = await hello(smtp);
    assert.match(offered, /^250-XCLIENT NAME ADDR PORT HELO PROTO LOGIN$/m);
    await lines.command('XCLIENT NAME=mx1.c.example ADDR=203.0.113.5 PORT=1234 PROTO=ESMTP HELO=c.example', '220 ');
    await deliver(lines, 'rex@remote.example');
    assert.match(
      await newest(server),
      /^Received: from c\.example \(mx1\.c\.example \[203\.0\.113\.5\]\)\r\n\tby .* with ESMTP /m,
    );
    await until('it is in the log', () => /mx1\.c\.example.*smtp\.accept/.test(server.stderr()));
    lines.close();
    // What does not fit into one line comes in two.
    const { lines: others } = await hello(smtp);
    await others.command('XCLIENT HELO=d.example PROTO=ESMTP', '220 ');
    await others.command('XCLIENT ADDR=IPV6:2001:db8::5 LOGIN=[UNAVAILABLE]', '220 ');
    await others.command('MAIL FROM:<rex@remote.example>', '503 ');
    await others.command('EHLO d.example', '250 ');
    await deliver(others, 'rex@remote.example');
    assert.match(await newest(server), /^Received: from d\.example \(\[IPv6:2001:db8::5\]\)/m);
    others.close();
  });

  await context.test('the client behind it speaks for nobody: its octets may be passed on unread', async () => {
    for (const said of ['ADDR=203.0.113.5', 'ADDR=[UNAVAILABLE]', 'ADDR=203.0.113.5 LOGIN=[UNAVAILABLE]']) {
      const { lines } = await hello(smtp);
      await lines.command(`XCLIENT ${said}`, '220 ');
      await lines.command(`XCLIENT ADDR=203.0.113.5 LOGIN=${ANN}`, '550 5.7.1');
      assert.doesNotMatch((await lines.command('EHLO c.example', '250 ')).join(), /XCLIENT/);
      await lines.command(`XCLIENT LOGIN=${ANN}`, '550 5.7.1');
      await lines.command(`MAIL FROM:<${ANN}>`, '250 ');
      await lines.command('RCPT TO:<carol@remote.example>', '550 5.7.1');
      lines.close();
    }
    // A front end behind another one.
    const { lines } = await hello(smtp);
    await lines.command(`XCLIENT ADDR=${FRONT}`, '220 ');
    await lines.command('XCLIENT ADDR=203.0.113.5', '220 ');
    await lines.command('XCLIENT ADDR=203.0.113.6', '550 5.7.1');
    lines.close();
  });

  await context.test('who has logged in there has logged in here, as long as the directory lets it in', async () => {
    const { lines } = await hello(submission);
    await lines.command(`XCLIENT ADDR=203.0.113.5 LOGIN=${ANN}`, '220 ');
    await lines.command('EHLO c.example', '250 ');
    await lines.command('MAIL FROM:<bob@acme.example>', '553 5.7.1');
    await deliver(lines, ANN);
    assert.match(await newest(server), /^Received: from c\.example .*\r\n.* with ESMTPA /m);
    const directory = await administrator(server);
    await replaceAttribute(directory, userDn(ANN), 'mailUserStatus', ['disabled']);
    assert.match(await lines.line(), /^421 4\.7\.0 /);
    const { lines: later } = await hello(submission);
    await later.command(`XCLIENT LOGIN=${ANN}`, '525 5.7.13');
    await replaceAttribute(directory, userDn(ANN), 'mailUserStatus', ['active']);
    await directory.unbind();
    later.close();
    const { lines: last } = await hello(submission);
    await last.command('XCLIENT LOGIN=nobody@acme.example', '535 5.7.8');
    last.close();
  });

  await context.test('a front end that does not wait for replies', async () => {
    const { lines } = await hello(smtp);
    const words = ['XCLIENT ADDR=203.0.113.8', 'HELO c.example', 'MAIL FROM:<rex@remote.example>', `RCPT TO:<${ANN}>`];
    await lines.command(words.join('\r\n'), '220 ');
    for (const reply of [/^250 (?!2)/, /^250 2\.1\.0 /, /^250 2\.1\.5 /]) assert.match(await lines.line(), reply);
    lines.close();
  });

  await context.test('each client has as many connections as its own', async () => {
    const open: Lines[] = [];
    for (const [client, reply] of [
      ['203.0.113.5', '220 '],
      ['203.0.113.5', '220 '],
      ['203.0.113.6', '220 '],
      ['203.0.113.5', '421 '],
    ] as const) {
      const { lines } = await hello(smtp);
      open.push(lines);
      await lines.command(`XCLIENT ADDR=${client}`, reply);
    }
    // One that has gone makes place.
    await open[0]!.command('QUIT', '221 ');
    assert.equal(await open[0]!.line(), '');
    const { lines } = await hello(smtp);
    await lines.command('XCLIENT ADDR=203.0.113.5', '220 ');
    for (const each of [...open, lines]) each.close();
  });

  await context.test('from anybody else it is refused, and so is what is no client', async () => {
    const { lines: stranger, offered } = await hello(smtp, '127.0.0.9');
    assert.doesNotMatch(offered, /XCLIENT/);
    await stranger.command('XCLIENT ADDR=203.0.113.5', '550 5.7.1');
    stranger.close();
    const { lines } = await hello(smtp);
    for (const wrong of [
      '',
      'ADDR=x',
      'ADDR=203.0.113.5+0',
      'PORT=70000',
      'PROTO=LMTP',
      'HELO=a+20b',
      'NAME=a+20b',
      `NAME=${'x'.repeat(256)}`,
      'COLOUR=red',
      'ADDR=',
      'ADDR=203.0.113.5PORT=39074',
      'ADDR=203.0.113.5 DESTADDR=192.0.2.1',
    ])
      await lines.command(`XCLIENT ${wrong}`.trimEnd(), wrong === '' ? '220 ' : '501 5.5.4');
    await lines.command('EHLO front.example', '250 ');
    await lines.command('MAIL FROM:<rex@remote.example>', '250 ');
    await lines.command('XCLIENT ADDR=203.0.113.5', '503 5.5.1');
    lines.close();
  });
});
