// TLS with other hosts: what is offered, refused, broken, injected or not verified, and what the site says of the domain.

import assert from 'node:assert/strict';
import { basename } from 'node:path';
import { type TestContext, test } from 'node:test';
import { TestAuthority } from '../../../test/support/certificates.ts';
import type { MessageId } from '../../base/ids.ts';
import { RemoteHost } from '../../estate/remote-host.ts';
import type { RemoteHostScript } from '../../estate/remote-script.ts';
import { addDomain, addUser } from '../../provisioning/testing.ts';
import { traceMessage } from '../journey.ts';
import { TestTransfer } from '../testing.ts';
import { OutgoingTls, type TlsPolicy } from './outgoing-tls.ts';
import { STANDARD_TIMEOUTS } from './smtp-opening.ts';

const authority = new TestAuthority();
const identity = authority.issue('mx.remote.example');
const of = (domain: string) => authority.issue(domain);

interface Options {
  readonly policy?: TlsPolicy;
  readonly ca?: string;
  /** As `[next-hop]` has it, without the port. */
  readonly host?: string;
  readonly script: RemoteHostScript;
  /** Of the second address of the host, where it has one. */
  readonly second?: RemoteHostScript;
}

async function open(context: TestContext, options: Options) {
  const { policy, ca, host = 'mx.remote.example', script, second } = options;
  const sink = await RemoteHost.start(script);
  const other = second === undefined ? undefined : await RemoteHost.start(second, '127.0.0.3', sink.port);
  const transfer = await TestTransfer.open({
    nextHop: { 'remote.example': `${host}:${sink.port}` },
    resolver: {
      mx: () => Promise.resolve({ result: 'unavailable', reason: 'none' }),
      addresses: () => Promise.resolve({ result: 'found', addresses: ['127.0.0.2', ...(other ? ['127.0.0.3'] : [])] }),
    },
    timeouts: { ...STANDARD_TIMEOUTS, handshake: 1000 },
    tls: new OutgoingTls(new Map(policy === undefined ? [] : [['remote.example', policy]]), ca),
    policy: { retryMs: [3_600_000], expireMs: 86_400_000 },
  });
  context.after(async () => {
    await transfer.close();
    await sink.close();
    await other?.close();
  });
  await transfer.directory.apply(addDomain('acme.example'), addUser('ann@acme.example'));
  await transfer.start();
  return { sink, other, transfer };
}

/** Sends one message; gives what the journey says last of it. */
async function send(transfer: TestTransfer, text = 'Subject: x\r\n\r\nx\r\n'): Promise<string> {
  const message = await transfer.accept({ from: 'ann@acme.example', to: ['rex@remote.example'], text });
  await transfer.until('an outcome', () => last(transfer, message).event !== 'queued');
  return last(transfer, message).status;
}

function last(transfer: TestTransfer, message: MessageId) {
  return traceMessage(transfer.directory.reader, message).at(-1)!;
}

test('where it is offered: SNI is the name of the host, and the certificate may be anybody’s', async (context) => {
  const { sink, transfer } = await open(context, { script: { tls: of('somebody.else.example') } });
  assert.equal(await send(transfer), '2.0.0 mx.remote.example said: 250 2.0.0 taken (TLSv1.3, not verified)');
  assert.deepEqual(sink.serverNames, ['mx.remote.example']);
  assert.equal(sink.messages[0]?.tls, 'TLSv1.3');
  assert.deepEqual(
    // QUIT comes when the outcome is written, which is what was waited for.
    sink.commands.slice(0, 6).map((line) => line.slice(0, 4)),
    ['EHLO', 'STAR', 'EHLO', 'MAIL', 'RCPT', 'DATA'],
  );
});

test('nothing is required, and the certificate would do: the journey says so', async (context) => {
  const { transfer } = await open(context, { ca: authority.file, script: { tls: identity } });
  assert.match(await send(transfer), /\(TLSv1\.3, verified\)$/);
});

test('a large message goes through TLS whole', async (context) => {
  const { sink, transfer } = await open(context, { script: { tls: identity } });
  const text = `Subject: large\r\n\r\n${'.a line that begins with a dot\r\n'.repeat(200_000)}`;
  await send(transfer, text);
  assert.equal(sink.messages[0]?.tls, 'TLSv1.3');
  assert.equal(sink.messages[0]?.data.slice(-text.length), text);
});

test('a host that is an address gets no SNI', async (context) => {
  const { sink, transfer } = await open(context, { host: '[127.0.0.2]', script: { tls: identity } });
  assert.match(await send(transfer), /\(TLSv1\.3, not verified\)$/);
  assert.deepEqual(sink.serverNames, ['']);
});

test('what was offered before TLS is forgotten', async (context) => {
  const ehlo = (tls: string) => (tls === '' ? '250-sink\r\n250-STARTTLS\r\n250 SIZE 1' : '250-sink\r\n250 8BITMIME');
  const { sink, transfer } = await open(context, { script: { tls: identity, ehlo } });
  await send(transfer);
  assert.equal(sink.messages[0]?.parameters, '');
});

test('a handshake that fails: the same host at once, in the clear', async (context) => {
  const { sink, other, transfer } = await open(context, { script: { tls: 'broken' }, second: {} });
  assert.equal(await send(transfer), '2.0.0 mx.remote.example said: 250 2.0.0 taken (in the clear)');
  assert.equal(sink.connections, 2);
  assert.equal(sink.messages[0]?.tls, undefined);
  assert.equal(other?.connections, 0);
});

test('a host that offers STARTTLS and refuses it, then: in the clear on the same connection', async (context) => {
  const { sink, transfer } = await open(context, { script: { tls: identity, starttls: '454 4.7.0 not now' } });
  assert.match(await send(transfer), / \(in the clear\)$/);
  assert.equal(sink.connections, 1);
});

for (const [what, starttls] of [
  ['a reply', '220 go on\r\n250-evil\r\n250 8BITMIME'],
  ['half a line', '220 go on\r\n250-ev'],
  ['an empty line', '220 go on\r\n'],
] as const)
  test(`${what} behind the 220: dropped, and the next one has it`, async (context) => {
    const { sink, other, transfer } = await open(context, { script: { tls: identity, starttls }, second: {} });
    assert.match(await send(transfer), / \(in the clear\)$/);
    assert.equal(sink.connections, 1);
    assert.deepEqual(sink.serverNames, []);
    assert.equal(sink.commands.at(-1), 'STARTTLS');
    assert.equal(other?.messages.length, 1);
  });

test('`off`: not used, whatever is offered', async (context) => {
  const { sink, transfer } = await open(context, { policy: 'off', script: { tls: identity } });
  assert.match(await send(transfer), / \(in the clear\)$/);
  assert.equal(sink.commands[1]?.slice(0, 4), 'MAIL');
});

test('`required`: a certificate for the name from an authority that the site names', async (context) => {
  const { sink, transfer } = await open(context, {
    policy: 'required',
    ca: authority.file,
    script: { tls: identity },
  });
  assert.match(await send(transfer), /\(TLSv1\.3, verified\)$/);
  assert.equal(sink.messages.length, 1);
});

test('`required`, and the host is an address: the certificate is for it', async (context) => {
  const { transfer } = await open(context, {
    policy: 'required',
    ca: authority.file,
    host: '[127.0.0.2]',
    script: { tls: of('127.0.0.2') },
  });
  assert.match(await send(transfer), /\(TLSv1\.3, verified\)$/);
});

const refusals: readonly (readonly [string, RegExp, Omit<Options, 'policy'>])[] = [
  ['no TLS offered', /this host offers none/, { script: {} }],
  ['TLS refused', /this host says: 454/, { script: { tls: identity, starttls: '454 4.7.0 not now' } }],
  ['a handshake that fails', /no TLS: wrong version number/, { script: { tls: 'broken' } }],
  ['a handshake that does not come', /no handshake within/, { script: { tls: 'mute' } }],
  ['an authority that nobody knows', /unable to|self-signed|verify/, { script: { tls: identity } }],
  [
    'a certificate for another name',
    /does not match|altnames/i,
    { script: { tls: of('other.example') }, ca: authority.file },
  ],
  [
    'a file of authorities that is not there',
    /nowhere\.pem cannot be read: ENOENT/,
    { script: { tls: identity }, ca: '/nowhere.pem' },
  ],
];

for (const [what, words, options] of refusals)
  test(`\`required\`, and ${what}: put off, nothing is sent`, async (context) => {
    const { sink, transfer } = await open(context, { policy: 'required', ...options });
    const said = await send(transfer);
    assert.match(said, /^4\.7\.5 mx\.remote\.example at 127\.0\.0\.2 port \d+: /);
    assert.match(said, words);
    assert.equal(sink.connections, 1);
    assert.ok(!sink.commands.some((line) => line.startsWith('MAIL')));
  });

test('`required`: a host that has no TLS is followed by one that has', async (context) => {
  const { sink, other, transfer } = await open(context, {
    policy: 'required',
    ca: authority.file,
    script: {},
    second: { tls: identity },
  });
  assert.match(await send(transfer), /\(TLSv1\.3, verified\)$/);
  assert.equal(sink.messages.length, 0);
  assert.equal(other?.messages.length, 1);
});

test('a handshake that does not come: in the clear, where nothing is required', async (context) => {
  const { sink, transfer } = await open(context, { script: { tls: 'mute' } });
  assert.match(await send(transfer), /\(in the clear\)$/);
  assert.equal(sink.connections, 2);
});

for (const ca of ['/nowhere.pem', import.meta.filename])
  test(`a file of authorities that is none stops no mail that needs no verification: ${basename(ca)}`, async (context) => {
    const { transfer } = await open(context, { ca, script: { tls: identity } });
    assert.match(await send(transfer), /\(TLSv1\.3, not verified\)$/);
  });
