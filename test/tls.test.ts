// TLS as its users meet it: every door verified against tls/ca.pem, certificates that come and go, virtual mail servers.

import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, type TestContext, test } from 'node:test';
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from 'node:tls';
import { promisify } from 'node:util';
import type { CertificateReport } from '../src/admin/cert.ts';
import { AdminClient } from '../src/cli/client.ts';
import { StartFailure } from '../src/estate/server-child.ts';
import { makeAuthority, makeCertificate } from '../src/net/local-certificate.ts';
import { addDomain, administrator, domainDn, populate, replaceAttribute } from './support/directory.ts';
import { metricsText } from './support/metrics.ts';
import { peer, tmpfsMissing } from './support/peers.ts';
import { type Door, startWaypost, type Waypost } from './support/server.ts';
import { until } from './support/until.ts';

const run = promisify(execFile);
const openssl = peer('openssl');

const IMPLICIT: readonly Door[] = ['submissions', 'imaps', 'pop3s', 'ldaps', 'https'];

/** As long as clients send it, and no more than its beginning is looked at. */
const CLIENT_HELLO = Buffer.concat([Buffer.from('16030101fc010001f80303', 'hex'), Buffer.alloc(502)]);

interface Made {
  readonly chain: string;
  readonly key: string;
}

/** A self-signed certificate for these names, made by OpenSSL. */
function make(names: readonly string[], type: 'ec' | 'rsa' = 'ec'): Made {
  const folder = mkdtempSync(join(tmpdir(), 'waypost-made-'));
  const [chain, key] = [join(folder, 'chain'), join(folder, 'key')];
  const newKey = type === 'ec' ? ['ec', '-pkeyopt', 'ec_paramgen_curve:P-256'] : ['rsa:2048'];
  const alternative = `subjectAltName=${names.map((name) => `DNS:${name}`).join(',')}`;
  try {
    const args = ['req', '-x509', '-nodes', '-newkey', ...newKey, '-subj', `/CN=${type}`, '-addext', alternative];
    execFileSync(openssl.path, [...args, '-keyout', key, '-out', chain], { stdio: 'pipe' });
    return { chain: readFileSync(chain, 'utf8'), key: readFileSync(key, 'utf8') };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function expired(name: string): Promise<Made> {
  const at = Date.now() - 400 * 86_400_000;
  const made = await makeCertificate(await makeAuthority('old', at), { dns: [name], ip: [] }, at);
  return { chain: made.certificate, key: made.key };
}

function put(folder: string, { chain, key }: Made): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'fullchain.pem'), chain);
  writeFileSync(join(folder, 'privkey.pem'), key);
}

/** What OpenSSL says after a handshake. */
async function sClient(server: Waypost, door: Door, ...args: readonly string[]): Promise<string> {
  const { host, port } = server.listeners[door];
  const child = run(openssl.path, ['s_client', '-connect', `${host}:${port}`, ...args]);
  child.child.stdin!.end();
  const { stdout, stderr } = await child.catch((error: { stdout: string; stderr: string }) => error);
  return stdout + stderr;
}

async function secure(
  context: TestContext,
  server: Waypost,
  door: Door,
  options: ConnectionOptions,
): Promise<TLSSocket> {
  const { host, port } = server.listeners[door];
  const socket = connectTls({ host, port, rejectUnauthorized: false, ...options });
  context.after(() => socket.destroy());
  await once(socket, 'secureConnect');
  return socket;
}

async function certificateOf(context: TestContext, server: Waypost, servername: string, more: ConnectionOptions = {}) {
  const socket = await secure(context, server, 'imaps', { servername, ...more });
  const certificate = socket.getPeerX509Certificate()!;
  socket.destroy();
  return { names: certificate.subjectAltName ?? '', subject: certificate.subject };
}

/** One line of a session's answer. */
async function line(socket: TLSSocket, said?: string): Promise<string> {
  const answer = once(socket, 'data');
  if (said !== undefined) socket.write(said);
  return String((await answer)[0]);
}

const shown = (server: Waypost): Promise<CertificateReport> => new AdminClient(server.data).call('cert.show', {});

/** Put there while nobody asks for a look. */
async function servedByItself(): Promise<string> {
  await using server = await startWaypost();
  put(join(server.data, 'tls', 'certs', 'new'), make(['mail.new.example']));
  const isServed = async (): Promise<boolean> =>
    (await shown(server)).served.some(({ name }) => name === 'mail.new.example');
  await until('a look', isServed, 120_000);
  return readFileSync(join(server.data, 'tls', 'certs', 'new', 'fullchain.pem'), 'utf8');
}

describe('TLS', { skip: openssl.skip }, () => {
  let server: Waypost;
  let byItself: Promise<string>;
  before(async () => {
    // A minute that the other tests need not wait for.
    byItself = servedByItself();
    byItself.catch(() => {});
    server = await startWaypost({ config: 'threads = 2\n' });
    await populate(server, 'acme.example', ['ann']);
  });
  after(() => server?.stop());

  const certs = (name: string): string => join(server.data, 'tls', 'certs', name);
  const reload = (): Promise<CertificateReport> => new AdminClient(server.data).call('cert.reload', {});

  test('every door with TLS from the first byte verifies against tls/ca.pem, for each local name', async () => {
    const ca = join(server.data, 'tls', 'ca.pem');
    for (const door of IMPLICIT)
      for (const name of ['localhost', 'mail.waypost.example']) {
        const said = await sClient(server, door, '-CAfile', ca, '-servername', name, '-verify_hostname', name);
        assert.match(said, /Verify return code: 0 \(ok\)/, `${door} ${name}`);
      }
    const said = await sClient(server, 'imaps', '-CAfile', ca, '-verify_ip', '127.0.0.1');
    assert.match(said, /Verify return code: 0 \(ok\)/);
    assert.equal(statSync(join(server.data, 'tls', 'ca-key.pem')).mode & 0o777, 0o600);
    assert.equal(statSync(join(server.data, 'tls', 'local', 'privkey.pem')).mode & 0o777, 0o600);
    // Keys for SCRAM and hashes of passwords, in a directory that was there before.
    for (const name of ['store.db', 'store.db-wal'])
      assert.equal(statSync(join(server.data, name)).mode & 0o077, 0, name);
  });

  test('TLS on a plain port and plain text on a TLS port are closed', async () => {
    for (const door of IMPLICIT) {
      const { host, port } = server.listeners[door];
      const socket = connect({ host, port });
      socket.on('error', () => {});
      socket.write('GET / HTTP/1.1\r\n\r\n');
      socket.resume();
      await once(socket, 'close');
    }
    for (const door of ['smtp', 'submission', 'imap', 'pop3', 'ldap', 'http'] as const) {
      const socket = connect(server.listeners[door]);
      socket.on('error', () => {});
      let said = '';
      socket.on('data', (chunk) => (said += chunk.toString('latin1')));
      socket.write(CLIENT_HELLO);
      await once(socket, 'close');
      // Nothing behind the greeting; HTTP says 400.
      if (door !== 'http') assert.match(said, /^([^\r\n]+\r\n)?$/, door);
    }
  });

  test('each handshake that fails is counted, at every door and behind STARTTLS', async () => {
    const counted = async (door: Door): Promise<number> => {
      const text = await metricsText(server);
      return Number(
        new RegExp(`^waypost_tls_handshakes_failed_total\\{listener="${door}"\\} (\\d+)$`, 'm').exec(text)?.[1] ?? 0,
      );
    };
    for (const door of [...IMPLICIT, 'imap'] as const) {
      const before = await counted(door);
      const socket = connect(server.listeners[door]);
      socket.on('error', () => {});
      let said = '';
      socket.on('data', (chunk) => (said += chunk.toString('latin1')));
      if (door === 'imap') {
        socket.write('a STARTTLS\r\n');
        await until('the reply', () => said.includes('a OK '));
      }
      socket.write('this is no handshake\r\n'.repeat(20));
      await once(socket, 'close');
      assert.equal(await counted(door), before + 1, door);
    }
  });

  test('a client that says nothing, or not all of its first message, is closed at every door', async () => {
    const beginnings = [Buffer.alloc(0), Buffer.from('1603010200010001fc0303', 'hex')];
    await Promise.all(
      IMPLICIT.flatMap((door) => beginnings.map((beginning) => ({ door, beginning }))).map(
        async ({ door, beginning }) => {
          const { host, port } = server.listeners[door];
          const socket = connect({ host, port });
          socket.on('error', () => {});
          if (beginning.length > 0) socket.write(beginning);
          socket.resume();
          await once(socket, 'close');
        },
      ),
    );
  });

  test('a session is resumed in whichever thread the next connection lands', async (context) => {
    for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
      const options = { maxVersion, servername: 'localhost' };
      const { host, port } = server.listeners.imaps;
      const first = connectTls({ host, port, rejectUnauthorized: false, ...options });
      const [session] = (await once(first, 'session')) as [Buffer];
      context.after(() => first.destroy());
      // They stay open: sockets go to the thread that has fewer.
      for (let i = 0; i < 6; i++) {
        const again = await secure(context, server, 'imaps', { ...options, session });
        assert.equal(again.isSessionReused(), true, `${maxVersion}, connection ${i}`);
        assert.match(await line(again), /^\* OK /);
      }
    }
  });

  test('certificates come, change, are refused and go while connections stay', async (context) => {
    const standing = await secure(context, server, 'imaps', { servername: 'mail.own.example' });
    assert.match(await line(standing), /^\* OK /);
    const names = async (): Promise<string> => (await certificateOf(context, server, 'mail.own.example')).names;
    assert.doesNotMatch(await names(), /own/);

    put(certs('own'), make(['mail.own.example']));
    process.kill(server.pid, 'SIGHUP');
    await until('the new certificate', async () => (await names()) === 'DNS:mail.own.example');

    // Three files that are bad, one after the other: the old one stays, and it is said once.
    const good = make(['mail.own.example', 'imap.own.example']);
    for (const bad of [
      { chain: good.chain, key: make(['mail.own.example']).key },
      { chain: 'nothing', key: good.key },
      await expired('mail.own.example'),
    ]) {
      put(certs('own'), bad);
      const report = await reload();
      await reload();
      assert.equal(report.refused.length, 1);
      assert.equal(report.refused[0]!.source, certs('own'));
      assert.equal(await names(), 'DNS:mail.own.example');
      const reason = JSON.stringify(report.refused[0]!.reason);
      await until('the reason in the log', () => server.stderr().includes(reason));
      assert.equal(server.stderr().split(reason).length, 2);
    }

    put(certs('own'), good);
    const { served, refused } = await reload();
    assert.deepEqual(refused, []);
    const row = served.find(({ name }) => name === 'imap.own.example');
    assert.deepEqual([row?.source, row?.key, row?.isValid], [certs('own'), 'ec', true]);
    assert.equal(await names(), 'DNS:mail.own.example, DNS:imap.own.example');

    // RSA and ECDSA of one name: each client gets what it takes.
    put(certs('own-rsa'), make(['mail.own.example'], 'rsa'));
    await reload();
    const ask = (sigalgs: string) =>
      certificateOf(context, server, 'mail.own.example', { sigalgs, maxVersion: 'TLSv1.2' });
    assert.equal((await ask('rsa_pss_rsae_sha256:rsa_pkcs1_sha256')).subject, 'CN=rsa');
    assert.equal((await ask('ecdsa_secp256r1_sha256')).subject, 'CN=ec');

    rmSync(certs('own'), { recursive: true });
    rmSync(certs('own-rsa'), { recursive: true });
    await reload();
    assert.doesNotMatch(await names(), /own/);
    assert.match(await line(standing, 'a NOOP\r\n'), /^a OK /);
  });

  test('a virtual mail server is one write: its name in the greeting, its certificate, the next connection sees it', async (context) => {
    const client = await administrator(server);
    context.after(() => client.unbind());
    const ca = readFileSync(join(server.data, 'tls', 'ca.pem'), 'utf8');
    const greeting = async (servername: string, door: Door = 'imaps'): Promise<string> =>
      line(
        await secure(context, server, door, {
          servername,
          ca,
          rejectUnauthorized: servername !== 'mail.other.example',
        }),
      );
    for (const name of ['mail.acme.example', 'mx.acme.example']) {
      await replaceAttribute(client, domainDn('acme.example'), 'waypostServerName', [name]);
      // At once, and verified: the local certificate has the name.
      assert.match(await greeting(name), new RegExp(`\\] ${name} Waypost ready`));
    }
    assert.match(await greeting('mx.acme.example', 'submissions'), /^220 mx\.acme\.example /);
    assert.match(await greeting('mx.acme.example', 'pop3s'), /^\+OK mx\.acme\.example /);
    const submission = await secure(context, server, 'submissions', { servername: 'mx.acme.example', ca });
    await line(submission);
    assert.match(await line(submission, 'EHLO me.example\r\n'), /^250-mx\.acme\.example /);
    // Many at once: none waits for a certificate that was begun before its name was written.
    const domains = Array.from({ length: 12 }, (_, i) => `d${i}.example`);
    await Promise.all(
      domains.map(async (domain) => {
        await addDomain(client, domain, { waypostServerName: `mail.${domain}` });
        assert.match(await greeting(`mail.${domain}`), new RegExp(`\\] mail\\.${domain} Waypost ready`));
      }),
    );
    // The earlier name, and one that no domain has.
    assert.match(await greeting('mail.other.example'), /\] mail\.waypost\.example Waypost ready/);
    await assert.rejects(greeting('mail.acme.example'), /altname|Hostname/i);
    await assert.rejects(addDomain(client, 'two.example', { waypostServerName: 'MX.acme.example' }), (error) => {
      assert.equal((error as { code?: number }).code, 19);
      return true;
    });
    // A certificate of its own comes before the local one.
    put(certs('acme'), make(['*.acme.example']));
    await reload();
    assert.equal((await certificateOf(context, server, 'mx.acme.example')).names, 'DNS:*.acme.example');
    rmSync(certs('acme'), { recursive: true });
    await reload();
    await replaceAttribute(client, domainDn('acme.example'), 'waypostServerName', []);
    await until('the name to go', async () => !(await reload()).served.some(({ name }) => name === 'mx.acme.example'));
  });

  test('a directory named in waypost.toml, an authority of clients, doors that are not opened', async (context) => {
    const folder = mkdtempSync(join(tmpdir(), 'waypost-live-'));
    context.after(() => rmSync(folder, { recursive: true, force: true }));
    put(join(folder, 'live', 'mail.own.example'), make(['mail.own.example']));
    const authority = make(['authority.example']);
    writeFileSync(join(folder, 'clients.pem'), authority.chain);
    const config = `without = ["https", "dns", "pop3s"]\n[tls]\ncertificates = ["${folder}/live", "${folder}/none"]\nclient-ca = "${folder}/clients.pem"\n`;
    await using other = await startWaypost({ config });
    assert.deepEqual(
      (['https', 'dns', 'pop3s', 'imaps', 'http'] as const).map((door) => door in other.listeners),
      [false, false, false, true, true],
    );
    assert.equal((await certificateOf(context, other, 'mail.own.example')).names, 'DNS:mail.own.example');
    const { refused } = await shown(other);
    assert.deepEqual(refused, [{ source: `${folder}/none`, reason: 'cannot be read (ENOENT)' }]);
    const asked = async (door: Door): Promise<boolean> =>
      /Acceptable client certificate CA names/.test(await sClient(other, door));
    assert.deepEqual([await asked('imaps'), await asked('ldaps')], [true, true]);
    // The lock, the store and the certificates are whole after a stop, too.
    assert.equal((await other.stop()).code, 0);
  });

  test('a certificate is used within a minute by itself, and people are told of it in columns', async () => {
    assert.match(await byItself, /BEGIN CERTIFICATE/);
    const launcher = join(import.meta.dirname, '..', 'waypost');
    for (const verb of ['show', 'reload']) {
      const { stdout } = await run(launcher, ['cert', verb, '--data', server.data]);
      assert.match(stdout, /^NAME +KEY +UNTIL +FROM\nmail\.waypost\.example +ec +20\d\d-\d\d-\d\d +local$/m);
    }
  });
});

test('killed at any moment of its first start, the next one serves', async () => {
  const server = await startWaypost();
  try {
    for (let afterMs = 250; afterMs <= 1000; afterMs += 150) {
      rmSync(join(server.data, 'tls'), { recursive: true, force: true });
      await server.interruptedStart(afterMs);
    }
    await server.restart();
    const ca = readFileSync(join(server.data, 'tls', 'ca.pem'), 'utf8');
    const { host, port } = server.listeners.imaps;
    const socket = connectTls({ host, port, ca, servername: 'localhost' });
    await once(socket, 'secureConnect');
    assert.equal(socket.authorized, true);
    socket.destroy();
    assert.ok(!existsSync(join(server.data, 'tls', 'ca.pem.new')));
  } finally {
    await server.stop();
  }
});

test('on a full disk a first start ends with one line and 75', { skip: tmpfsMissing() }, async (context) => {
  const data = join(mkdtempSync(join(tmpdir(), 'waypost-tls-full-')), 'data');
  const folder = join(data, 'tls');
  mkdirSync(folder, { recursive: true });
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=16k', 'tmpfs', folder]);
  context.after(() => {
    execFileSync('umount', [folder]);
    rmSync(join(data, '..'), { recursive: true, force: true });
  });
  // At first no file fits, then a part of them.
  for (const filled of [4, 3, 2]) {
    writeFileSync(join(folder, 'filler'), Buffer.alloc(filled * 4096));
    await assert.rejects(startWaypost({ data }), (error) => {
      assert.ok(error instanceof StartFailure);
      assert.deepEqual([error.exit?.code, error.stderr.trim().split('\n').length], [75, 1], error.stderr);
      assert.match(error.stderr, /^waypost: no space left on /);
      return true;
    });
  }
  rmSync(join(folder, 'filler'));
  const server = await startWaypost({ data });
  assert.equal((await server.stop()).code, 0);
});
