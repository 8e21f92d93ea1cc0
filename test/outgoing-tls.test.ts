// Mail to other hosts by TLS, out of the started program: to Debian's Postfix, and to a second Waypost.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { promisify } from 'node:util';
import { AdminClient } from '../src/cli/client.ts';
import { ImapClient } from '../src/demo/clients/imap-client.ts';
import { SmtpClient } from '../src/demo/clients/smtp-client.ts';
import { TestAuthority } from './support/certificates.ts';
import { populate } from './support/directory.ts';
import { DnsTestServer } from './support/dns-server.ts';
import { peer, peersMissing } from './support/peers.ts';
import { Postfix } from './support/postfix.ts';
import { startWaypost, type Waypost } from './support/server.ts';
import { until } from './support/until.ts';

const MESSAGE = Buffer.from('From: ann@acme.example\r\nSubject: out\r\n\r\nbody\r\n');
const ANN = { login: 'ann@acme.example', password: 'secret' };
const HOST = 'mx.peer.example';
const run = promisify(execFile);
/** A Postfix beside other work takes its time. */
const PATIENCE_MS = 180_000;

interface Options {
  readonly port: number;
  readonly policy?: string;
  readonly ca?: string;
}

/** A Waypost whose way to peer.example is this port, by the name of the host. */
async function start(context: TestContext, { port, policy, ca }: Options): Promise<Waypost> {
  const dns = await DnsTestServer.start('127.0.0.2');
  dns.addresses(HOST, '127.0.0.1');
  const server = await startWaypost({
    config: [
      `resolver = ["${dns.server}"]`,
      `[next-hop]\n"peer.example" = "${HOST}:${port}"`,
      ...(policy === undefined ? [] : [`[outgoing-tls]\n"peer.example" = "${policy}"`]),
      ...(ca === undefined ? [] : [`[tls]\noutgoing-ca = "${ca}"`]),
      '[queue]\nretry = ["1h"]',
    ].join('\n'),
  });
  context.after(async () => {
    await server.stop();
    await dns.close();
  });
  await populate(server, 'acme.example', ['ann']);
  return server;
}

/** Sends one message; gives what `trace` says of its recipient last. */
async function send(server: Waypost): Promise<string> {
  const client = await SmtpClient.open(server.listeners.submission, ANN);
  await client.send('ann@acme.example', ['rex@peer.example'], MESSAGE);
  await client.quit();
  const admin = new AdminClient(server.data);
  await until(
    'an outcome',
    async () => {
      const events = await admin.call('trace', { what: 'rex@peer.example' });
      return /^(relayed|deferred|failed)$/.test(events.at(-1)!.event);
    },
    PATIENCE_MS,
  );
  const command = [join(import.meta.dirname, '../waypost'), 'trace', '--data', server.data, 'rex@peer.example'];
  const { stdout } = await run('/bin/sh', command);
  return stdout.trim().split('\n').at(-1)!;
}

test('Postfix', { skip: postfixMissing() }, async (context) => {
  const authority = new TestAuthority();
  const { keyFile, certFile } = authority.issue(HOST);
  const settings = { smtpd_tls_security_level: 'may', smtpd_tls_cert_file: certFile, smtpd_tls_key_file: keyFile };
  const postfix = await Postfix.start(settings);
  context.after(() => postfix.stop());
  const { port } = postfix;

  await context.test('opportunistic: not verified, and Postfix says TLS in Received', async (inner) => {
    assert.match(await send(await start(inner, { port })), / relayed .*\(TLSv1\.3, not verified\)$/);
    await until('TLS in the log of Postfix', () => postfix.delivered().includes('using TLSv1.3 with cipher'));
  });

  await context.test('required, its authority known: verified', async (inner) => {
    const server = await start(inner, { port, policy: 'required', ca: authority.file });
    assert.match(await send(server), / relayed .*\(TLSv1\.3, verified\)$/);
  });

  await context.test('required, its authority unknown: 4.7.5', async (inner) => {
    assert.match(await send(await start(inner, { port, policy: 'required' })), / deferred .*4\.7\.5 /);
  });

  await context.test('off: in the clear', async (inner) => {
    assert.match(await send(await start(inner, { port, policy: 'off' })), / relayed .*\(in the clear\)$/);
  });
});

test('a Postfix with which no handshake succeeds: in the clear, at once', {
  skip: postfixMissing(),
}, async (context) => {
  const authority = new TestAuthority();
  const { keyFile, certFile } = authority.issue(HOST);
  const postfix = await Postfix.start({
    smtpd_tls_security_level: 'may',
    smtpd_tls_cert_file: certFile,
    smtpd_tls_key_file: keyFile,
    smtpd_tls_protocols: '<=TLSv1.1',
    tls_medium_cipherlist: 'ALL:@SECLEVEL=0',
  });
  context.after(() => postfix.stop());
  assert.match(await send(await start(context, { port: postfix.port })), / relayed .*\(in the clear\)$/);
  await until('its log names the handshake', () => /SSL_accept error|TLS library problem/.test(postfix.log()));
});

test('a second Waypost, with the certificate that it makes itself', async (context) => {
  const there = await startWaypost({ env: { WAYPOST_HOSTNAME: HOST } });
  context.after(() => there.stop());
  const [rex] = await populate(there, 'peer.example', ['rex']);
  const { port } = there.listeners.smtp;
  assert.match(await send(await start(context, { port })), / relayed .*\(TLSv1\.3, not verified\)$/);
  const verifying = await start(context, { port, policy: 'required', ca: join(there.data, 'tls/ca.pem') });
  assert.match(await send(verifying), / relayed .*\(TLSv1\.3, verified\)$/);
  const client = await ImapClient.login(there.listeners.imap, rex!.login, ANN.password);
  const messages = await client.fetchAll();
  await client.logout();
  assert.equal(messages.length, 2);
  for (const { body } of messages)
    assert.match(body.toString('latin1'), /^Return-Path: [^\n]*\nReceived: [^;]*with ESMTPS/);
});

function postfixMissing(): string | false {
  if (process.getuid?.() !== 0 && peer('postfix').skip === false) return 'a Postfix of our own needs root';
  return peersMissing('postfix', 'openssl');
}
