import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { createHash, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { type TestContext, test } from 'node:test';
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from 'node:tls';
import { peer } from '../../test/support/peers.ts';
import { readCertificate } from './certificates.ts';
import { describeConnection, recordOver } from './connection.ts';
import { type MadeCertificate, makeAuthority, makeCertificate } from './local-certificate.ts';
import { TlsServer } from './tls.ts';
import { type TlsState, tlsOf } from './tls-state.ts';

const openssl = peer('openssl');
const now = Date.now();
const authority = await makeAuthority('mail.example', now);
const make = (...dns: string[]): Promise<MadeCertificate> => makeCertificate(authority, { dns, ip: [] }, now);
const local = await make('mail.example', 'localhost');
const acme = await make('mail.acme.example');
const clientAuthority = await makeAuthority('clients', now);

interface Accepted {
  readonly tls: TlsState;
  readonly transport: Duplex;
  readonly name: string;
}

interface Opened {
  readonly port: number;
  readonly server: TlsServer;
  readonly accepted: Promise<Accepted>[];
  /** A client; rejects when the handshake fails. */
  open(options?: ConnectionOptions): Promise<TLSSocket>;
}

/** A server that echoes. */
async function open(
  context: TestContext,
  {
    listener = 'imaps',
    handshakeMs = 10_000,
    clientCa,
  }: { listener?: string; handshakeMs?: number; clientCa?: string } = {},
): Promise<Opened> {
  const isServerName = (name: string): boolean => name === 'mail.acme.example';
  const server = new TlsServer({ hostname: 'mail.example', isServerName, handshakeMs });
  const served = (source: string, made: MadeCertificate) => readCertificate(source, made.certificate, made.key, now);
  server.serve({
    hostname: 'mail.example',
    certificates: [served('acme', acme)],
    local: served('local', local),
    ticketKeys: Buffer.alloc(48, 7),
    clientCa,
  });
  const accepted: Promise<Accepted>[] = [];
  const sockets = new Set<Socket>();
  const listening = createServer({ pauseOnConnect: true }, (socket) => {
    sockets.add(socket);
    const upgraded = server.upgrade(socket, { listener, isImplicit: true }).then((transport) => {
      const record = recordOver(transport, describeConnection(socket, listener));
      transport.on('data', (chunk) => transport.write(chunk));
      transport.on('end', () => transport.end());
      return { tls: tlsOf(transport)!, transport, name: server.nameFor(record) };
    });
    upgraded.catch(() => {});
    accepted.push(upgraded);
  });
  await new Promise<void>((resolve) => listening.listen(0, '127.0.0.1', resolve));
  const { port } = listening.address() as AddressInfo;
  context.after(() => {
    listening.close();
    for (const socket of sockets) socket.destroy();
  });
  return {
    port,
    server,
    accepted,
    async open(options = {}) {
      const client = connectTls({
        host: '127.0.0.1',
        port,
        ca: authority.certificate,
        servername: 'localhost',
        ...options,
      });
      context.after(() => client.destroy());
      await once(client, 'secureConnect');
      return client;
    },
  };
}

function closed(transport: Duplex): Promise<void> {
  return new Promise((resolve) => transport.once('close', () => resolve()));
}

/** What the server saw of the connection that was made last. */
const seen = (opened: Opened): Promise<Accepted> => opened.accepted.at(-1)!;

test('the certificate is that of the name asked for, and the server calls itself so only where it is one of its names', async (context) => {
  const opened = await open(context);
  const names = async (servername: string): Promise<unknown[]> => {
    const client = await opened.open({ servername, checkServerIdentity: () => undefined });
    return [client.getPeerX509Certificate()!.subject, (await seen(opened)).name, (await seen(opened)).tls.serverName];
  };
  assert.deepEqual(await names('MAIL.acme.example'), [
    'CN=mail.acme.example',
    'mail.acme.example',
    'mail.acme.example',
  ]);
  assert.deepEqual(await names('mail.acme.example.'), await names('mail.acme.example'));
  assert.deepEqual(await names('localhost'), ['CN=mail.example', 'mail.example', 'localhost']);
  assert.deepEqual(await names(''), ['CN=mail.example', 'mail.example', undefined]);
});

test('both ends have the same channel bindings; the exporter in TLS 1.3 only', async (context) => {
  const opened = await open(context);
  for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
    const client = await opened.open({ maxVersion: version });
    const { tls } = await seen(opened);
    assert.equal(tls.protocol, version);
    const hash = createHash('sha256').update(client.getPeerX509Certificate()!.raw).digest();
    assert.equal(tls.canBind, true);
    assert.deepEqual(tls.channelBinding('tls-server-end-point'), hash);
    const exported = client.exportKeyingMaterial(32, 'EXPORTER-Channel-Binding', Buffer.alloc(0));
    assert.deepEqual(tls.channelBinding('tls-exporter'), version === 'TLSv1.3' ? exported : undefined);
  }
});

/** A certificate of a client, made by OpenSSL. */
function clientCertificate(folder: string, signer: MadeCertificate, ...names: string[]): ConnectionOptions {
  const path = (name: string): string => join(folder, name);
  writeFileSync(path('ca.pem'), signer.certificate);
  writeFileSync(path('ca-key.pem'), signer.key);
  const alternative = names.length === 0 ? [] : ['-addext', `subjectAltName=${names.join(',')}`];
  const args = `req -new -x509 -nodes -newkey ec -pkeyopt ec_paramgen_curve:P-256 -subj /CN=someone -days 30
    -CA ${path('ca.pem')} -CAkey ${path('ca-key.pem')} -keyout ${path('key.pem')} -out ${path('cert.pem')}
    -addext extendedKeyUsage=clientAuth -addext basicConstraints=CA:FALSE`;
  execFileSync(openssl.path, [...args.split(/\s+/), ...alternative], { stdio: 'pipe' });
  return { cert: readFileSync(path('cert.pem')), key: readFileSync(path('key.pem')) };
}

/** A URI with commas, which OpenSSL's own form of names cannot say. RFC 5280 §4.2.1.6 */
function otherName(uri: string): string {
  const octets = Buffer.from(uri);
  const name = Buffer.concat([Buffer.from([0x86, octets.length]), octets]);
  return `DER:${Buffer.concat([Buffer.from([0x30, name.length]), name]).toString('hex')}`;
}

test('a client certificate counts when its authority is named, and is not asked for on port 25', {
  skip: openssl.skip,
}, async (context) => {
  const folder = mkdtempSync(join(tmpdir(), 'waypost-client-'));
  context.after(() => rmSync(folder, { recursive: true, force: true }));
  const clientCa = clientAuthority.certificate;
  const opened = await open(context, { clientCa });
  const address = async (options: ConnectionOptions, to = opened): Promise<string | undefined> => {
    await to.open(options);
    return (await seen(to)).tls.clientAddress;
  };
  const made = (signer: MadeCertificate, ...names: string[]) => clientCertificate(folder, signer, ...names);
  const ann = made(clientAuthority, 'email:ann@acme.example', 'DNS:laptop.acme.example');
  assert.equal(await address(ann), 'ann@acme.example');
  assert.equal(await address({ ...ann, maxVersion: 'TLSv1.2' }), 'ann@acme.example');
  assert.equal(await address({}), undefined);
  assert.equal(await address(made(authority, 'email:ann@acme.example')), undefined);
  assert.equal(await address(made(clientAuthority, 'email:ann@acme.example', 'email:bob@acme.example')), undefined);
  assert.equal(await address(made(clientAuthority)), undefined);
  // What stands within a name of another kind is none; and an address is neither a DN nor a bare name.
  assert.equal(await address(made(clientAuthority, otherName('https://x, email:ann@acme.example, y'))), undefined);
  for (const name of ['dn:uid=ann@acme.example', 'u:ann@acme.example', 'ann'])
    assert.equal(await address(made(clientAuthority, `email:${name}`)), undefined, name);
  assert.equal(await address(ann, await open(context, { clientCa, listener: 'smtp' })), undefined);
  assert.equal(await address(ann, await open(context)), undefined);
});

test('a session is resumed with the same ticket keys, and not with others', async (context) => {
  const opened = await open(context);
  const other = await open(context);
  for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
    const options: ConnectionOptions = { maxVersion: version, servername: 'mail.acme.example' };
    const first = connectTls({ host: '127.0.0.1', port: opened.port, ca: authority.certificate, ...options });
    const [session] = (await once(first, 'session')) as [Buffer];
    first.destroy();
    const again = await other.open({ ...options, session });
    assert.equal(again.isSessionReused(), true, version);
    // On 1.2 the name is not said again: the connection is the host's.
    assert.equal((await seen(other)).name, version === 'TLSv1.3' ? 'mail.acme.example' : 'mail.example');
    const elsewhere = await other.open({ ...options, session, servername: 'localhost' });
    assert.equal(elsewhere.isSessionReused(), false, `${version}, another name`);
  }
  const session = await new Promise<Buffer>((resolve) => {
    connectTls({ host: '127.0.0.1', port: opened.port, ca: authority.certificate, servername: 'localhost' }).once(
      'session',
      resolve,
    );
  });
  const renewed = await open(context);
  renewed.server.serve({
    hostname: 'mail.example',
    certificates: [],
    local: readCertificate('local', local.certificate, local.key, now),
    ticketKeys: Buffer.alloc(48, 8),
    clientCa: undefined,
  });
  assert.equal((await renewed.open({ session })).isSessionReused(), false);
});

test('old versions, ciphers without forward secrecy or authentication, and foreign ALPN lists are refused', async (context) => {
  const opened = await open(context);
  const refused: readonly ConnectionOptions[] = [
    { maxVersion: 'TLSv1.1', minVersion: 'TLSv1', ciphers: 'ALL:@SECLEVEL=0' },
    { maxVersion: 'TLSv1.2', ciphers: 'AES128-GCM-SHA256' },
    { maxVersion: 'TLSv1.2', ciphers: 'ECDHE-ECDSA-AES128-SHA256' },
    { maxVersion: 'TLSv1.2', ciphers: 'DHE-RSA-AES128-GCM-SHA256' },
    { ALPNProtocols: ['h2', 'pop3'] },
  ];
  for (const options of refused) {
    await assert.rejects(opened.open(options), JSON.stringify(options));
    await assert.rejects(seen(opened));
  }
  assert.equal((await opened.open({ ALPNProtocols: ['h2', 'imap'] })).alpnProtocol, 'imap');
  const ldap = await open(context, { listener: 'ldaps' });
  assert.equal((await ldap.open({ ALPNProtocols: ['ldap'] })).alpnProtocol, false);
});

test('a handshake that does not come, is none, or comes in pieces for ever is closed', async (context) => {
  const opened = await open(context, { handshakeMs: 300 });
  const pieces: readonly (Buffer | undefined)[] = [
    undefined,
    Buffer.from('a001 LOGIN ann secret\r\n'),
    // A record of a handshake that says it is longer than what comes.
    Buffer.from('1603010200010001fc0303', 'hex'),
  ];
  // A peer that ends in the middle is not waited for.
  const patient = await open(context, { handshakeMs: 600_000 });
  const leaving = connect(patient.port, '127.0.0.1');
  leaving.end(Buffer.from('1603010200010001fc0303', 'hex'));
  leaving.resume();
  await once(leaving, 'close');
  await assert.rejects(seen(patient));
  for (const piece of pieces) {
    const socket = connect(opened.port, '127.0.0.1');
    socket.on('error', () => {});
    if (piece !== undefined) socket.write(piece);
    socket.resume();
    await once(socket, 'close');
    await assert.rejects(seen(opened));
  }
});

test('what is no record after the handshake closes the connection', async (context) => {
  const opened = await open(context);
  const raw = connect(opened.port, '127.0.0.1');
  const client = connectTls({ socket: raw, ca: authority.certificate, servername: 'localhost' });
  client.on('error', () => {});
  await once(client, 'secureConnect');
  const { transport } = await seen(opened);
  raw.write('this is no record');
  await closed(transport);
});

test('renegotiation closes the connection', { skip: openssl.skip }, async (context) => {
  const opened = await open(context);
  const args = ['s_client', '-tls1_2', '-connect', `127.0.0.1:${opened.port}`];
  const client = spawn(openssl.path, args, { stdio: ['pipe', 'pipe', 'ignore'] });
  context.after(() => client.kill());
  client.stdin.on('error', () => {});
  let said = '';
  client.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  while (!said.includes('---\nSSL') && opened.accepted.length === 0) await new Promise((turn) => setTimeout(turn, 10));
  const { transport } = await seen(opened);
  client.stdin.write('R\n');
  await closed(transport);
});

test('an authority signs certificates and no authorities, and its certificate carries the names given', () => {
  const signer = new X509Certificate(authority.certificate);
  const leaf = new X509Certificate(local.certificate);
  assert.equal(signer.ca, true);
  assert.equal(leaf.ca, false);
  assert.equal(leaf.verify(signer.publicKey), true);
  assert.equal(leaf.subjectAltName, 'DNS:mail.example, DNS:localhost');
  const days = (certificate: X509Certificate): number =>
    (certificate.validToDate.getTime() - certificate.validFromDate.getTime()) / 86_400_000;
  assert.deepEqual([days(signer), days(leaf)], [3650, 397]);
});
