// Reports that are asked for at one host and made at another: what the sender said comes back from there, once.

import assert from 'node:assert/strict';
import { type AddressInfo, connect, createServer } from 'node:net';
import { type TestContext, test } from 'node:test';
import { ImapClient } from '../src/demo/clients/imap-client.ts';
import { SmtpClient } from '../src/demo/clients/smtp-client.ts';
import { RemoteHost } from '../src/estate/remote-host.ts';
import { populate } from './support/directory.ts';
import { peer, peersMissing } from './support/peers.ts';
import { Postfix } from './support/postfix.ts';
import { startWaypost, type Waypost } from './support/server.ts';
import { until } from './support/until.ts';

const ANN = { login: 'ann@acme.example', password: 'secret' };

interface Door {
  readonly host: string;
  readonly port: number;
}

/** The hop to a host that is not there yet: each of two must know the other. */
async function hopTo(context: TestContext, door: () => Door): Promise<string> {
  const server = createServer((socket) => {
    const other = connect(door());
    socket.pipe(other).pipe(socket);
    for (const one of [socket, other]) one.on('error', () => {});
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  context.after(() => server.close());
  return `[127.0.0.1]:${(server.address() as AddressInfo).port}`;
}

/** From Ann, with what MAIL and RCPT say beside the paths. */
async function submit(client: SmtpClient, mail: string, recipients: readonly string[]): Promise<void> {
  const commands = [`MAIL FROM:<${ANN.login}>${mail}`, ...recipients.map((one) => `RCPT TO:${one}`)];
  for (const command of commands) assert.equal((await client.command(command)).code, 250, command);
  await client.command('DATA');
  assert.equal((await client.command('From: ann@acme.example\r\nSubject: out\r\n\r\nbody\r\n.')).code, 250);
  await client.quit();
}

async function inbox(of: Waypost, login = ANN.login): Promise<string[]> {
  const client = await ImapClient.login(of.listeners.imap, login, ANN.password);
  const messages = await client.fetchAll();
  await client.logout();
  return messages.map(({ body }) => body.toString('latin1'));
}

async function reportsTo(of: Waypost, count: number): Promise<string[]> {
  await until('the reports', async () => (await inbox(of)).length >= count);
  return inbox(of);
}

async function startHere(context: TestContext, domain: string, hop: string): Promise<Waypost> {
  const here = await startWaypost({ config: `[next-hop]\n"${domain}" = "${hop}"\n` });
  context.after(() => here.stop());
  await populate(here, 'acme.example', ['ann']);
  return here;
}

test('another Waypost reports what was asked for here, and here nothing more is said of it', async (context) => {
  let here: Waypost | undefined;
  const back = await hopTo(context, () => here!.listeners.smtp);
  const there = await startWaypost({
    env: { WAYPOST_HOSTNAME: 'mail.there.example' },
    config: `[next-hop]\n"acme.example" = "${back}"\n`,
  });
  context.after(() => there.stop());
  const [rex] = await populate(there, 'there.example', ['rex']);
  here = await startHere(context, 'there.example', await hopTo(context, () => there.listeners.smtp));
  await submit(await SmtpClient.open(here.listeners.submission, ANN), ' ENVID=q+2B1', [
    `<${rex!.login}> NOTIFY=SUCCESS ORCPT=rfc822;Rex+2Bx@There.example`,
    '<nobody@there.example> NOTIFY=NEVER',
    '<noone@there.example>',
  ]);
  const texts = await reportsTo(here, 2);
  const success = texts.find((text) => text.includes('Action: delivered'))!;
  assert.match(success, /^Original-Envelope-Id: q\+1\r\nReporting-MTA: dns; mail\.there\.example\r\n/m);
  assert.match(
    success,
    /^Original-Recipient: rfc822; Rex\+x@There\.example\r\nFinal-Recipient: rfc822; rex@there\.example\r\n/m,
  );
  const failure = texts.find((text) => text.includes('Action: failed'))!;
  assert.match(failure, /^Reporting-MTA: dns; mail\.waypost\.example\r\n/m);
  assert.match(failure, /^Final-Recipient: rfc822; noone@there\.example\r\n/m);
  assert.doesNotMatch(failure, /nobody@/);
  assert.equal(texts.length, 2);
});

test('a host without DSN: it was relayed, and the host is asked for nothing that it does not know', async (context) => {
  const sink = await RemoteHost.start({ extensions: ['PIPELINING'] });
  context.after(() => sink.close());
  const here = await startHere(context, 'there.example', sink.nextHop);
  await submit(await SmtpClient.open(here.listeners.submission, ANN), ' ENVID=q1 RET=FULL', [
    '<rex@there.example> NOTIFY=SUCCESS',
  ]);
  const [text] = await reportsTo(here, 1);
  assert.match(text!, /^Original-Envelope-Id: q1\r\n/m);
  assert.match(text!, /^Final-Recipient: rfc822; rex@there\.example\r\nAction: relayed\r\n/m);
  assert.ok(!sink.commands.some((line) => /ENVID|RET=|NOTIFY|ORCPT/.test(line)));
});

test('Postfix', { skip: postfixMissing() }, async (context) => {
  let here: Waypost | undefined;
  const back = await hopTo(context, () => here!.listeners.smtp);
  const postfix = await Postfix.start({
    relay_domains: 'acme.example',
    transport_maps: `inline:{acme.example=smtp:${back}}`,
    smtpd_relay_restrictions: 'permit_mynetworks, reject',
  });
  context.after(() => postfix.stop());
  here = await startHere(context, postfix.domain, `[127.0.0.1]:${postfix.port}`);

  await context.test('it reports a success that was asked for here', async () => {
    await submit(await SmtpClient.open(here!.listeners.submission, ANN), ' ENVID=q1', [
      '<rex@peer.example> NOTIFY=SUCCESS ORCPT=rfc822;Rex@peer.example',
    ]);
    const [text] = await reportsTo(here!, 1);
    assert.match(text!, /^Original-Envelope-Id: q1\r$/m);
    assert.match(text!, /^Original-Recipient: rfc822;\s?Rex@peer\.example\r$/m);
    assert.match(text!, /^Action: delivered\r$/m);
    assert.match(text!, /^Reporting-MTA: dns; mx\.peer\.example\r$/m);
  });

  await context.test('it passes on what its sender has asked for, and has our report delivered', async () => {
    const client = await SmtpClient.open({ host: '127.0.0.1', port: postfix.port });
    const commands = [
      'MAIL FROM:<rex@peer.example> ENVID=q2',
      'RCPT TO:<ann@acme.example> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;Ann@acme.example',
      'RCPT TO:<nobody@acme.example> NOTIFY=NEVER',
    ];
    for (const command of commands) assert.equal((await client.command(command)).code, 250, command);
    await client.command('DATA');
    assert.equal((await client.command('Subject: in\r\n\r\nbody\r\n.')).code, 250);
    await client.quit();
    await until('our report', () => postfix.delivered().includes('Mail Delivery System <postmaster@'));
    const text = postfix.delivered();
    assert.match(text, /^Original-Envelope-Id: q2$/m);
    assert.match(text, /^Received-From-MTA: dns; mx\.peer\.example \(\[127\.0\.0\.1\]\)$/m);
    assert.match(
      text,
      /^Original-Recipient: rfc822; Ann@acme\.example\nFinal-Recipient: rfc822; ann@acme\.example\nAction: delivered$/m,
    );
  });
});

function postfixMissing(): string | false {
  if (process.getuid?.() !== 0 && peer('postfix').skip === false) return 'a Postfix of our own needs root';
  return peersMissing('postfix');
}
