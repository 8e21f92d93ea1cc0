// Behind a proxy: the client stands in the place of the proxy, for the program as a whole; HAProxy and headers made by hand.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { type TestContext, test } from 'node:test';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { Client, ResultCodeError } from 'ldapts';
import { ImapClient } from '../src/demo/clients/imap-client.ts';
import { auditUntil } from './support/audit.ts';
import { TestAuthority } from './support/certificates.ts';
import { administrator, domainDn, populate, replaceAttribute, userDn } from './support/directory.ts';
import { HaProxy, type ProxyLine } from './support/haproxy.ts';
import { Lines } from './support/lines.ts';
import { peersMissing } from './support/peers.ts';
import { tlsValue, v2 } from './support/proxy-header.ts';
import { type Endpoint, startWaypost, type Waypost } from './support/server.ts';

/** The proxy, and clients of it. All are this machine's; what the proxy passes on is not. */
const PROXY = '127.0.0.77';
const CLIENT = '127.0.0.9';
const ANN = { login: 'ann@acme.example', password: 'secret' };

async function start(context: TestContext): Promise<Waypost> {
  const server = await startWaypost({ config: `[proxy]\ntrusted = ["${PROXY}/32"]\n` });
  context.after(() => server.stop());
  await populate(server, 'acme.example', ['ann']);
  return server;
}

function dial({ host, port }: Endpoint, from: string): Socket {
  return connect({ host, port, localAddress: from, noDelay: true });
}

/** Octets in one write, from the proxy. */
function say(endpoint: Endpoint, octets: Buffer | string, from = PROXY): Lines {
  const socket = dial(endpoint, from);
  socket.write(octets);
  return new Lines(socket);
}

const V1 = 'PROXY TCP4 203.0.113.5 192.0.2.1 56324 25\r\n';

/** The newest message of ann, as it is stored. */
async function newest(server: Waypost): Promise<string> {
  const client = await ImapClient.login(server.listeners.imap, ANN.login, ANN.password);
  const messages = await client.fetchAll();
  await client.logout();
  return messages.at(-1)?.body.toString('latin1') ?? '';
}

async function deliver(lines: Lines): Promise<void> {
  await lines.command('MAIL FROM:<rex@remote.example>', '250 ');
  await lines.command('RCPT TO:<ann@acme.example>', '250 ');
  await lines.command('DATA', '354 ');
  await lines.command('Subject: x\r\n\r\nx\r\n.', '250 ');
}

test('headers by hand', async (context) => {
  const server = await start(context);
  const { smtp, imap, imaps } = server.listeners;

  for (const [what, header] of [
    ['version 1', Buffer.from(V1)],
    ['version 2', v2()],
  ] as const)
    await context.test(`${what}, commands in the same segment: the client is in Received`, async () => {
      const lines = say(smtp, Buffer.concat([header, Buffer.from('EHLO client.example\r\n')]));
      assert.match(await lines.line(), /^220 /);
      await lines.until('250 ');
      await deliver(lines);
      lines.close();
      assert.match(await newest(server), /^Received: from client\.example \(\[203\.0\.113\.5\]\)/m);
    });

  await context.test('octet by octet', async () => {
    const socket = dial(smtp, PROXY);
    await once(socket, 'connect');
    const lines = new Lines(socket);
    for (const octet of v2()) {
      socket.write(Buffer.of(octet));
      await new Promise((turn) => setImmediate(turn));
    }
    assert.match(await lines.line(), /^220 /);
    lines.close();
  });

  await context.test('a client that the proxy calls loopback is not private, nor is the proxy itself', async () => {
    for (const header of [
      Buffer.from('PROXY TCP4 127.0.0.1 127.0.0.1 1 25\r\n'),
      Buffer.from('PROXY UNKNOWN\r\n'),
      v2({ start: '2000', source: '' }),
      v2({ start: '2100', source: '' }),
      v2({ values: tlsValue('TLSv1.1') }),
    ]) {
      const lines = say(imap, header);
      assert.match(await lines.line(), /^\* OK \[CAPABILITY [^\]]*LOGINDISABLED/);
      assert.deepEqual(
        (await lines.command(`a LOGIN ${ANN.login} ${ANN.password}`, 'a '))[0]?.slice(0, 24),
        'a NO [PRIVACYREQUIRED] E',
      );
      lines.close();
    }
  });

  await context.test('TLS that ends at the proxy is private, and cannot be begun again here', async () => {
    for (const protocol of ['TLSv1.2', 'TLSv1.3']) {
      const lines = say(imap, v2({ values: tlsValue(protocol) }));
      assert.match(await lines.line(), /^\* OK \[CAPABILITY (?!.*LOGINDISABLED)(?!.*STARTTLS)(?!.*-PLUS)/);
      assert.match((await lines.command(`a LOGIN ${ANN.login} ${ANN.password}`, 'a ')).at(-1)!, /^a OK/);
      lines.close();
    }
  });

  await context.test('TLS that the proxy passes on, its first octets behind the header', async () => {
    // A health check by LOCAL has a block, too, where a load balancer fills it in.
    for (const header of [Buffer.from(V1), v2(), Buffer.from('PROXY UNKNOWN\r\n'), v2({ start: '2011' })]) {
      const raw = dial(imaps, PROXY);
      const secure = connectTls({ socket: new Prefixed(raw, header), rejectUnauthorized: false });
      const lines = new Lines(secure);
      assert.match(await lines.line(), /^\* OK /);
      assert.match((await lines.command(`a LOGIN ${ANN.login} ${ANN.password}`, 'a ')).at(-1)!, /^a OK/);
      lines.close();
      raw.destroy();
    }
  });

  await context.test('HTTPS, which the main thread serves', async () => {
    const raw = dial(server.listeners.https, PROXY);
    const secure = connectTls({ socket: new Prefixed(raw, v2()), rejectUnauthorized: false });
    const lines = new Lines(secure);
    secure.write('GET /readyz HTTP/1.1\r\nHost: mail.waypost.example\r\n\r\n');
    assert.match(await lines.line(), /^HTTP\/1\.1 200 /);
    lines.close();
    raw.destroy();
    const bad = say(server.listeners.https, Buffer.from('160301', 'hex'));
    assert.equal(await bad.line(), '');
  });

  await context.test('from anybody else it is a command that does not exist', async () => {
    const lines = say(smtp, V1, CLIENT);
    assert.match(await lines.line(), /^220 /);
    assert.match(await lines.line(), /^500 /);
    lines.close();
  });

  await context.test('none, over 4 KiB, a wrong checksum, version 3, half of one: closed, with one line', async () => {
    const lines = [
      say(smtp, 'EHLO client.example\r\n'),
      say(smtp, v2({ start: '3111' })),
      say(smtp, v2({ values: '03000400000000' })),
      say(smtp, v2({ values: `05ffff${'00'.repeat(0xffff - 12 - 3)}` })),
      say(imaps, Buffer.from('160301', 'hex')),
      // These say nothing more, and are given five seconds.
      say(smtp, v2().subarray(0, 20)),
      say(imap, ''),
    ];
    for (const each of lines) assert.equal(await each.line(), '');
    await server.said(/"level":"warn".*"peer":"127\.0\.0\.77".*"event":"proxy.refuse"/);
    assert.equal(server.stderr().split('"event":"proxy.refuse"').length, 2);
  });
});

/** Sends something of its own before the first octets that are written to it. */
class Prefixed extends Duplex {
  readonly #raw: Socket;
  #prefix: Buffer | undefined;

  constructor(raw: Socket, prefix: Buffer) {
    super();
    this.#raw = raw;
    this.#prefix = prefix;
    raw.on('data', (chunk: Buffer) => void this.push(chunk));
    raw.on('end', () => void this.push(null));
    raw.on('error', (error) => this.destroy(error));
  }

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    const octets = this.#prefix === undefined ? chunk : Buffer.concat([this.#prefix, chunk]);
    this.#prefix = undefined;
    this.#raw.write(octets, () => done());
  }
}

test('HAProxy', { skip: peersMissing('haproxy', 'openssl') }, async (context) => {
  const server = await start(context);
  const authority = new TestAuthority();
  const identity = authority.issue('mail.waypost.example', '127.0.0.1');
  const certificate = `${identity.certFile}.both`;
  writeFileSync(certificate, identity.cert + identity.key);
  const { smtp, imap, imaps, pop3, pop3s, ldap, ldaps } = server.listeners;
  const lines: readonly ProxyLine[] = [
    { to: smtp, options: 'send-proxy' },
    { to: smtp, options: 'send-proxy-v2 proxy-v2-options crc32c' },
    { to: imap, options: 'send-proxy-v2 proxy-v2-options ssl,ssl-cipher,authority,crc32c', certificate },
    { to: imaps, options: 'send-proxy-v2' },
    // Its health check speaks for itself.
    { to: imap, options: 'send-proxy-v2 check inter 200ms check-send-proxy' },
    { to: smtp, options: 'send-proxy-v2 proxy-v2-options ssl,ssl-cipher', certificate },
    { to: pop3, options: 'send-proxy-v2 proxy-v2-options ssl', certificate },
    { to: pop3s, options: 'send-proxy' },
    { to: pop3, options: 'send-proxy-v2' },
    { to: ldap, options: 'send-proxy-v2 proxy-v2-options ssl', certificate },
    { to: ldaps, options: 'send-proxy' },
    { to: ldap, options: 'send-proxy-v2' },
  ];
  const proxy = await HaProxy.start(PROXY, lines);
  context.after(() => proxy.stop());
  const at = (line: number): Endpoint => ({ host: '127.0.0.1', port: proxy.ports[line]! });
  /** TLS of ours is verified elsewhere: its authority is not that of the proxy's. */
  const isOurs = (line: number): boolean => lines[line]!.certificate === undefined;
  const secure = (
    line: number,
    servername = 'mail.waypost.example',
    verify = !isOurs(line),
    from = CLIENT,
  ): TLSSocket => {
    const socket = dial(at(line), from);
    return connectTls({ socket, ca: readFileSync(authority.file), servername, rejectUnauthorized: verify });
  };

  for (const line of [0, 1])
    await context.test(`SMTP, ${lines[line]!.options}: the client is in Received`, async () => {
      const talk = new Lines(dial(at(line), CLIENT));
      await talk.until('220 ');
      assert.ok(!(await talk.command('EHLO client.example', '250 ')).some((each) => each.includes('AUTH')));
      await deliver(talk);
      talk.close();
      assert.match(await newest(server), /^Received: from client\.example \(\[127\.0\.0\.9\]\)/m);
    });

  await context.test('IMAP, TLS ends at the proxy: a login', async () => {
    const talk = new Lines(secure(2));
    await talk.until('* OK');
    assert.match((await talk.command(`a LOGIN ${ANN.login} ${ANN.password}`, 'a ')).at(-1)!, /^a OK/);
    talk.close();
  });

  const login = async (line: number, from = CLIENT, password = ANN.password): Promise<string> => {
    const talk = new Lines(secure(line, undefined, undefined, from));
    await talk.until('* OK');
    const said = (await talk.command(`a LOGIN ${ANN.login} ${password}`, 'a ')).at(-1)!;
    talk.close();
    return said;
  };

  await context.test('the name that the client has asked the proxy for is that of the virtual server', async () => {
    const directory = await administrator(server);
    await replaceAttribute(directory, domainDn('acme.example'), 'waypostServerName', ['mail.acme.example']);
    for (const [line, name] of [
      [2, 'mail.acme.example'],
      [2, 'other.example'],
      [3, 'mail.acme.example'],
    ] as const) {
      const talk = new Lines(secure(line, name, false));
      const greeting = (await talk.until('* OK')).at(-1)!;
      talk.close();
      assert.match(greeting, name === 'mail.acme.example' ? /\] mail\.acme\.example / : /\] mail\.waypost\.example /);
    }
    // Without TLS at all, by a proxy that knows the name.
    const talk = say(imap, v2({ values: `020011${Buffer.from('mail.acme.example').toString('hex')}` }));
    assert.match(await talk.line(), /\] mail\.acme\.example /);
    talk.close();
    await replaceAttribute(directory, domainDn('acme.example'), 'waypostServerName', []);
    await directory.unbind();
  });

  await context.test('access rules see the client, and not the proxy', async () => {
    const directory = await administrator(server);
    const rule = (value: string) =>
      replaceAttribute(directory, userDn(ANN.login), 'mailAllowedServiceAccess', value === '' ? [] : [value]);
    for (const line of [2, 3]) {
      await rule(`-imap:${CLIENT}`);
      assert.match(await login(line), /^a NO \[NOPERM\]/);
      await rule(`-imap:${PROXY}`);
      assert.match(await login(line), /^a OK/);
      // TLS from the client's first octet, whoever ends it.
      await rule(`+imaps:${CLIENT}`);
      assert.match(await login(line), /^a OK/);
      await rule('');
    }
    await directory.unbind();
  });

  await context.test('the audit names both', async () => {
    const seen = await auditUntil(server, (lines) => lines.length >= 7, '--peer', CLIENT);
    // Threads write at the same time: which of two comes first is open.
    assert.deepEqual(
      seen.map(({ proxy, login: name, result }) => `${proxy} ${name} ${result}`).toSorted(),
      ['access', 'access', 'ok', 'ok', 'ok', 'ok', 'ok'].map((result) => `${PROXY} ${ANN.login} ${result}`),
    );
  });

  await context.test('one client that guesses is throttled, another behind the same proxy is not', async () => {
    const guesses = Array.from({ length: 12 }, (_, number) => login(2, '127.0.0.11', `guess-${number}`));
    const said = await Promise.all(guesses);
    assert.ok(said.some((each) => each.startsWith('a NO [AUTHENTICATIONFAILED]')));
    // One a minute comes back: it is used up before.
    while ((await login(2, '127.0.0.11', 'guess')).startsWith('a NO [AUTHENTICATIONFAILED]'));
    assert.match(await login(2, '127.0.0.11'), /^a NO \[UNAVAILABLE\]/);
    assert.match(await login(2, '127.0.0.12'), /^a OK/);
  });

  await context.test('IMAP, TLS goes through the proxy: a login', async () => {
    const talk = new Lines(secure(3));
    await talk.until('* OK');
    assert.match((await talk.command(`a LOGIN ${ANN.login} ${ANN.password}`, 'a ')).at(-1)!, /^a OK/);
    talk.close();
  });

  await context.test('IMAP in the clear: no login', async () => {
    const talk = new Lines(dial(at(4), CLIENT));
    await talk.until('* OK');
    assert.match(
      (await talk.command(`a LOGIN ${ANN.login} ${ANN.password}`, 'a ')).at(-1)!,
      /^a NO \[PRIVACYREQUIRED\]/,
    );
    talk.close();
  });

  await context.test('SMTP, TLS ends at the proxy: Received says so', async () => {
    const talk = new Lines(secure(5));
    await talk.until('220 ');
    await talk.command('EHLO client.example', '250 ');
    await deliver(talk);
    talk.close();
    assert.match(await newest(server), /with ESMTPS[^;]*TLSv1\.3 TLS_AES_256_GCM_SHA384/);
  });

  const maildrop = async (stream: Duplex): Promise<string> => {
    const talk = new Lines(stream);
    await talk.until('+OK');
    talk.write(`USER ${ANN.login}\r\nPASS ${ANN.password}\r\nQUIT`);
    const said: string[] = [];
    for (let line = await talk.line(); line !== ''; line = await talk.line()) said.push(line);
    talk.close();
    return said.find((line) => line !== '+OK Now the password')!;
  };

  /** The result code of a bind; the client that the proxy names is 127.0.0.1. */
  const bind = async (line: number, isSecure: boolean): Promise<number> => {
    const tlsOptions = { ca: readFileSync(authority.file), rejectUnauthorized: !isOurs(line) };
    const { host, port } = at(line);
    const url = `${isSecure ? 'ldaps' : 'ldap'}://${host}:${port}`;
    const client = new Client({ url, timeout: 120_000, connectTimeout: 120_000, ...(isSecure ? { tlsOptions } : {}) });
    try {
      await client.bind(userDn(ANN.login), ANN.password);
      return 0;
    } catch (error) {
      if (error instanceof ResultCodeError) return error.code;
      throw error;
    } finally {
      await client.unbind();
    }
  };

  await context.test(
    'POP3 and LDAP: TLS that ends at the proxy, or goes through it, is private, and nothing else is',
    async () => {
      for (const line of [6, 7]) assert.match(await maildrop(secure(line)), /^\+OK \d+ messages/);
      assert.match(await maildrop(dial(at(8), CLIENT)), /^-ERR \[AUTH\] Encryption/);
      for (const line of [9, 10]) assert.equal(await bind(line, true), 0);
      assert.equal(await bind(11, false), 13);
    },
  );

  await context.test('POP3 and LDAP: access rules see the client, and TLS from its first octet', async () => {
    const directory = await administrator(server);
    const expectAt = async (rule: string, pop3Says: RegExp, ldapSays: number): Promise<void> => {
      await replaceAttribute(directory, userDn(ANN.login), 'mailAllowedServiceAccess', [rule]);
      for (const line of [6, 7]) assert.match(await maildrop(secure(line)), pop3Says, rule);
      for (const line of [9, 10]) assert.equal(await bind(line, true), ldapSays, rule);
    };
    await expectAt(`-pop,ldap:${PROXY}`, /^\+OK/, 0);
    await expectAt(`+pops:${CLIENT}$+ldaps:127.0.0.1`, /^\+OK/, 0);
    await expectAt(`-pop:${CLIENT}$-ldap:127.0.0.1`, /^-ERR \[AUTH\]/, 50);
    await replaceAttribute(directory, userDn(ANN.login), 'mailAllowedServiceAccess', []);
    await directory.unbind();
  });

  await context.test('its health checks are no warning', () => {
    assert.ok(!server.stderr().includes('proxy.refuse'), server.stderr());
  });
});
