// What the server signs and judges by is shown to nobody: the secret of a name server's entry, the private half of a signing key,
// the token of a policy. Each is given, used, refused, replaced and taken away on the started program, then looked for in all that
// it has written and said.
//
// In      those secrets, by LDAP, in files of LDIF, by command; the log at its most talkative level
// Out     no spelling of them in the log, the audit, any other file, a column of the store but their own entry's, what LDAP answers and
//         refuses, what commands print and operations answer, what goes to name servers and other hosts

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { Attribute, Change, type Client } from 'ldapts';
import { AdminClient } from '../src/cli/client.ts';
import { LineConnection } from '../src/demo/clients/line-connection.ts';
import { SmtpClient } from '../src/demo/clients/smtp-client.ts';
import { RemoteHost } from '../src/estate/remote-host.ts';
import { transferZone } from '../src/net/zone-client.ts';
import { RawClient, searchFor } from '../src/protocols/ldap/testing.ts';
import type { TsigKey } from '../src/wire/dns/tsig.ts';
import { controlOf } from '../src/wire/ldap/controls/codec.ts';
import { syncRequest } from '../src/wire/ldap/controls/sync.ts';
import { addDomain, addUser, administrator, domainDn, PASSWORD, SUFFIX } from './support/directory.ts';
import { signatureCount } from './support/dkim-keys.ts';
import { DnsTestServer } from './support/dns-server.ts';
import { metricsText } from './support/metrics.ts';
import { startWaypost, type Waypost } from './support/server.ts';
import { until } from './support/until.ts';

const US = 'mail.waypost.example';
const launcher = resolve(import.meta.dirname, '../waypost');
const below = (container: string, name: string) => `cn=${name},ou=${container},ou=Waypost,${SUFFIX}`;

interface Secret {
  readonly what: string;
  readonly spellings: readonly string[];
}

/** As octets, in hexadecimal, in either base64 wherever its groups begin. */
function spellingsOf(octets: Buffer): string[] {
  const base64 = [0, 1, 2].map((at) =>
    Buffer.concat([Buffer.alloc(at), octets])
      .toString('base64')
      .slice(4, -4),
  );
  const forUrls = base64.map((text) => text.replaceAll('+', '-').replaceAll('/', '_'));
  return [octets.toString('latin1'), octets.toString('hex'), ...base64, ...forUrls];
}

/** `text` is base64, or words. */
function secretOf(what: string, text: string, isBase64 = true): Secret {
  const octets = isBase64 ? [Buffer.from(text, 'base64')] : [];
  return { what, spellings: [Buffer.from(text), ...octets].flatMap(spellingsOf) };
}

const pemOf = (key: KeyObject): string => key.export({ type: 'pkcs8', format: 'pem' }).toString();

/** Of a key a part that nothing else has: of RSA the private exponent begins behind the seventh line, of 25519 the seed in the first. */
function keySecret(what: string, pem: string): Secret {
  const lines = pem.trim().split('\n').slice(1, -1);
  return secretOf(what, lines.length > 10 ? lines[9]! : lines[0]!.slice(24, 60));
}

const tsigText = (octets = 32): string => randomBytes(octets).toString('base64');
const tokenText = (): string => `token ${randomBytes(20).toString('hex')}`;
const edwards = (): string => pemOf(generateKeyPairSync('ed25519').privateKey);
const rsa = (modulusLength: number): string => pemOf(generateKeyPairSync('rsa', { modulusLength }).privateKey);

test('no secret is in anything that the server writes or says', { timeout: 300_000 }, async (context) => {
  const resolver = await DnsTestServer.start('127.0.0.2');
  const nameServer = await DnsTestServer.start('127.0.0.3');
  const sink = await RemoteHost.start();
  const server = await startWaypost({
    env: { WAYPOST_LOG: 'debug' },
    config: `resolver = ["${resolver.server}"]\n[next-hop]\n"remote.example" = "${sink.nextHop}"\n`,
  });
  const ldap = await administrator(server);
  context.after(async () => {
    await ldap.unbind();
    await server.stop();
    await sink.close();
    await Promise.all([resolver.close(), nameServer.close()]);
  });
  const said = new Map<string, string>();
  const hear = (where: string, text: string) => said.set(where, `${said.get(where) ?? ''}${text}\n`);

  await addDomain(ldap, 'acme.example');
  await addUser(ldap, 'ann@acme.example');

  // Refused, each with a secret that is in nothing but the request.
  const refused: Secret[] = [];
  const none = (what: string, text: string, isBase64 = true): string => {
    refused.push(secretOf(what, text, isBase64));
    return text;
  };
  const noKey = (what: string, pem: string): string => {
    refused.push(keySecret(what, pem));
    return pem;
  };
  const secondary = { objectClass: 'waypostNameServer', waypostNameServerRole: 'secondary' };
  const ns = { ...secondary, waypostNameServerAddress: '127.0.0.9', waypostTsigName: 'key.example' };
  const key = { objectClass: 'waypostDkimKey', waypostKeyType: 'rsa' };
  const policy = { objectClass: 'waypostDomainPolicy', waypostPolicyAction: 'auto' };
  const bad: readonly (readonly [container: string, values: Record<string, string>])[] = [
    ['Hosts', { ...ns, waypostTsigSecret: none('a short TSIG secret', tsigText(12)) }],
    ['Hosts', { ...ns, waypostTsigSecret: `%${none('a TSIG secret with a sign before it', tsigText())}` }],
    [
      'Hosts',
      {
        ...ns,
        waypostTsigSecret: none('a TSIG secret of another algorithm', tsigText()),
        waypostTsigAlgorithm: 'hmac-md5',
      },
    ],
    [
      'Hosts',
      {
        ...secondary,
        waypostNameServerAddress: 'x',
        waypostTsigSecret: none('a TSIG secret without a name', tsigText()),
      },
    ],
    ['Keys', { ...key, waypostKeySecret: noKey('a short key', rsa(1024)) }],
    ['Keys', { ...key, waypostKeySecret: noKey('a key of another type', edwards()) }],
    ['Keys', { ...key, waypostKeySecret: noKey('a broken key', edwards()).replace('BEGIN', 'BEGUN') }],
    ['Keys', { ...key, waypostKeyType: noKey('a key in the place of its type', edwards()) }],
    [
      'Policies',
      {
        ...policy,
        waypostPolicyOrder: 'x',
        waypostMatchToken: none('a token beside what is none', tokenText(), false),
      },
    ],
    [
      'Policies',
      { ...policy, sn: 'x', waypostMatchToken: none('a token beside a foreign attribute', tokenText(), false) },
    ],
  ];
  let number = 0;
  for (const [container, values] of bad) {
    const dn = below(container, `bad${++number}`);
    await assert.rejects(ldap.add(dn, values), (error: Error) => {
      hear('refusals of LDAP', error.message);
      return true;
    });
    const file = join(server.data, '..', `bad${number}.ldif`);
    const lines = Object.entries(values).map(([name, value]) => `${name}:: ${Buffer.from(value).toString('base64')}`);
    writeFileSync(file, `dn: ${dn}\n${lines.join('\n')}\n`);
    for (const words of [
      ['import', file, '--json'],
      ['import', file, '--dry-run'],
      ['diff', file],
    ])
      if (number % 4 === 1 || words[0] === 'diff')
        hear(`directory ${words[0]}`, await printed(server, 'directory', ...words));
  }
  hear(
    'dkim import',
    await printedOf(
      server,
      noKey('a key that is imported and none', rsa(1024)),
      'dkim',
      'import',
      'acme.example',
      'none',
      '--json',
    ),
  );

  // Given, and used.
  const texts = { one: tsigText(), two: tsigText(), pem: edwards(), token: tokenText() };
  const imported = rsa(2048);
  const endpoint = `127.0.0.3:${nameServer.port}`;
  nameServer.script('isp.example', 'SOA', {
    records: [
      { type: 'SOA', mname: 'ns.isp.example', rname: 'x', serial: 1, refresh: 1, retry: 1, expire: 1, minimum: 1 },
    ],
  });
  const tsig = (name: string, of: string): Record<string, string> => ({ waypostTsigName: name, waypostTsigSecret: of });
  await ldap.add(below('Hosts', 'one'), {
    ...secondary,
    waypostNameServerAddress: ['127.0.0.1:5399', endpoint],
    ...tsig('one.example', texts.one),
  });
  await ldap.add(below('Hosts', 'two'), {
    objectClass: 'waypostNameServer',
    waypostNameServerRole: 'primary',
    waypostNameServerAddress: endpoint,
    waypostZone: 'isp.example',
    ...tsig('two.example', texts.two),
  });
  await ldap.add(below('Keys', 'given'), {
    ...{ objectClass: 'waypostDkimKey', waypostKeyType: 'ed25519' },
    ...{ waypostKeyDomain: 'acme.example', waypostKeySecret: texts.pem },
  });
  hear('dkim import', await printedOf(server, imported, 'dkim', 'import', 'acme.example', 'imported', '--json'));
  await ldap.add(below('Policies', 'given'), {
    ...policy,
    waypostMatchDomain: '*.acme.example',
    waypostMatchToken: texts.token,
    mailDomainCatchallAddress: 'ann@acme.example',
  });
  await addDomain(ldap, 'x.isp.example');
  await use('first', texts.one);

  // Others in their place; what they are compared with, asserted and looked for by.
  const gone = [
    secretOf('the first TSIG secret of a secondary', texts.one),
    keySecret('the first key', texts.pem),
    secretOf('the first token', texts.token, false),
  ];
  const later = { one: tsigText(), pem: edwards(), token: tokenText() };
  const places: readonly (readonly [dn: string, type: string, before: string, after: string])[] = [
    [below('Hosts', 'one'), 'waypostTsigSecret', texts.one, later.one],
    [below('Keys', 'given'), 'waypostKeySecret', texts.pem, later.pem],
    [below('Policies', 'given'), 'waypostMatchToken', texts.token, later.token],
  ];
  for (const [dn, type, before, after] of places) {
    for (const filter of [`(${type}=${before})`, `(${type}=*)`, `(${type}>=${before.slice(0, 12)})`]) {
      const found = await ldap.search(SUFFIX, { filter: filter.replaceAll('\n', '\\0a') }).catch((error: Error) => {
        hear('refusals of LDAP', error.message);
        return { searchEntries: [] };
      });
      assert.deepEqual(found.searchEntries, [], filter);
    }
    hear('compare', String(await ldap.compare(dn, type, before).catch((error: Error) => error.message)));
    const replaced = (type: string, ...values: string[]) =>
      new Change({ operation: 'replace', modification: new Attribute({ type, values }) });
    await assert.rejects(ldap.modify(dn, replaced(type, before, after)), (error: Error) => {
      hear('refusals of LDAP', error.message);
      return true;
    });
    // The public half is made of it, where none is there.
    await ldap.modify(dn, [
      replaced(type, after),
      ...(type === 'waypostKeySecret' ? [replaced('waypostKeyPublic')] : []),
    ]);
  }
  await use('second', later.one);
  gone.push(secretOf('the TSIG secret of an entry that is gone', texts.two));
  await ldap.del(domainDn('x.isp.example'));
  await ldap.del(below('Hosts', 'two'));

  // All that can be asked for.
  const admin = new AdminClient(server.data);
  const given = below('Keys', 'given');
  const answers = {
    status: await admin.call('status', {}),
    'sync.status': await admin.call('sync.status', {}),
    'host.list': await admin.call('host.list', {}),
    'dkim.list': await admin.call('dkim.list', {}),
    'domain.list': await admin.call('domain.list', {}),
    'domain.show': await admin.call('domain.show', { domain: 'acme.example' }),
    'domain.pending': await admin.call('domain.pending', {}),
    'domain.token': await admin.call('domain.token', { policy: 'given', domain: 'y.acme.example' }),
    'dns.records': await admin.call('dns.records', { domain: 'acme.example' }),
    'dns.publish': await admin.call('dns.publish', {}),
    route: await admin.call('route', { address: 'x@y.acme.example' }),
    trace: await admin.call('trace', { what: 'x@remote.example' }),
    'audit.list': await admin.call('audit.list', {}),
    'directory.access': await admin.call('directory.access', { as: 'cn=Directory Manager', on: given }),
    'directory.check': await admin.call('directory.check', {}),
    'directory.export': await admin.call('directory.export', { passwords: true }),
    'directory.changes': await admin.call('directory.changes', { since: 0, passwords: true }),
    'directory.search': await admin.call('directory.search', {
      filter: '(objectClass=*)',
      attributes: ['*', '+', ...places.map(([, type]) => type)],
    }),
  };
  for (const [name, answer] of Object.entries(answers)) hear(name, JSON.stringify(answer));
  for (const words of [
    ['dkim', 'list', '--json'],
    ['directory', 'show', given, '--json'],
    ['directory', 'export', '--passwords'],
    ['dns', 'records', 'acme.example', '--json'],
  ])
    hear(words.join(' '), await printed(server, ...words));
  await everyEntry(
    ldap,
    places.map(([, type]) => type),
    hear,
  );
  hear('the feed', await feedOf(server));
  hear('metrics', await metricsText(server));
  hear('messages to other hosts', sink.messages.map(({ data }) => data).join('\n'));
  await until('the audit has the last change', () =>
    filesOf(server).some(([, text]) => text.includes(`"${below('Hosts', 'two')}"`)),
  );
  for (const [name, text] of filesOf(server)) hear(name, text);
  hear('the log', server.stderr());

  const kept = [
    { ...secretOf('the TSIG secret of a secondary', later.one), dn: below('Hosts', 'one') },
    { ...keySecret('the key that LDAP gave', later.pem), dn: given },
    { ...keySecret('the key of a command', imported), dn: below('Keys', 'imported') },
    { ...secretOf('the token', later.token, false), dn: below('Policies', 'given') },
    ...ownKeys(server).map(({ dn, pem }) => ({ ...keySecret(`the key of the first start ${dn}`, pem), dn })),
  ];
  assert.equal(kept.length, 6);
  for (const { what, spellings, dn } of kept)
    assert.deepEqual(placesIn(server, spellings), [`dit.attributes of ${dn}`], what);
  for (const { what, spellings } of [...refused, ...gone]) assert.deepEqual(placesIn(server, spellings), [], what);
  for (const { what, spellings } of [...refused, ...gone, ...kept])
    for (const [where, text] of said) {
      // Lines of LDIF are folded.
      const whole = `${text}\n${text.replaceAll(/\r?\n /g, '')}`;
      for (const spelling of spellings) assert.ok(!whole.includes(spelling), `${what} in ${where}`);
    }

  /** What each is there for: a transfer and a NOTIFY, an update, signed mail, a domain. */
  async function use(label: string, secret: string): Promise<void> {
    const signed: TsigKey = { name: 'one.example', algorithm: 'hmac-sha256', secret: Buffer.from(secret, 'base64') };
    const at = { address: '127.0.0.1', port: server.listeners.dns.port };
    let records = 0;
    await transferZone({ ...at, key: signed }, 'acme.example', () => records++);
    assert.ok(records > 0);
    const forged = { ...signed, secret: Buffer.from('another secret of as many octets') };
    await assert.rejects(transferZone({ ...at, key: forged }, 'acme.example', () => {}));
    hear('refusals of a command', await printed(server, 'dns', 'publish', 'x.isp.example', '--json'));
    const client = await SmtpClient.open(server.listeners.submission, {
      login: 'ann@acme.example',
      password: PASSWORD,
    });
    const head = `From: ann@acme.example\r\nTo: x@remote.example\r\nSubject: ${label}\r\n\r\n`;
    await client.send('ann@acme.example', ['x@remote.example'], Buffer.from(`${head}text\r\n`));
    await client.quit();
    const came = () => sink.messages.find(({ data }) => data.includes(`Subject: ${label}`));
    await until('it is there', () => came() !== undefined);
    assert.equal(signatureCount(came()!.data), 2);
    const name = `${label}.acme.example`;
    const shown = await new AdminClient(server.data).call('domain.token', { policy: 'given', domain: name });
    resolver.mx(name, [10, US]);
    resolver.script(`_waypost.${name}`, 'TXT', { records: [{ type: 'TXT', strings: [shown.text] }] });
    hear('domain.token', JSON.stringify(shown));
    assert.match(await rcpt(`x@${name}`), /^250 /);
  }

  async function rcpt(address: string): Promise<string> {
    const { host, port } = server.listeners.smtp;
    const connection = await LineConnection.open(host, port);
    connection.write('HELO client.example\r\nMAIL FROM:<>\r\n');
    for (let i = 0; i < 3; i++) await connection.line();
    connection.write(`RCPT TO:<${address}>\r\n`);
    const reply = await connection.line();
    connection.destroy();
    hear('replies', reply);
    return reply;
  }
});

/** Both streams of a command; the exit code is whatever it is. */
function printed(server: Waypost, ...words: readonly string[]): Promise<string> {
  return printedOf(server, '', ...words);
}

async function printedOf({ data }: Waypost, input: string, ...words: readonly string[]): Promise<string> {
  const child = spawn(launcher, [...words, '--data', data]);
  let text = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('latin1').on('data', (part: string) => {
      text += part;
    });
  child.stdin.end(input);
  await once(child, 'close');
  return text;
}

/** All below the data directory but the store itself, which is looked through by columns. */
function filesOf({ data }: Waypost): [name: string, text: string][] {
  return readdirSync(data, { recursive: true, encoding: 'utf8' })
    .filter((name) => !name.startsWith('store.db') && statSync(join(data, name)).isFile())
    .map((name) => [name, readFileSync(join(data, name), 'latin1')]);
}

/** As ldapsearch would ask for all there is, and for each of these by its name. */
async function everyEntry(
  ldap: Client,
  types: readonly string[],
  hear: (where: string, text: string) => void,
): Promise<void> {
  for (const attributes of [['*', '+', ...types], [...types], ['@waypostNameServer', '@waypostDkimKey']])
    hear('search', JSON.stringify((await ldap.search(SUFFIX, { attributes })).searchEntries));
}

/** What a server that follows by RFC 4533 gets of the administrator, octet by octet. */
async function feedOf(server: Waypost): Promise<string> {
  const client = await RawClient.open(server.listeners.ldap.port);
  let text = '';
  client.socket.on('data', (octets: Buffer) => {
    text += octets.toString('latin1');
  });
  assert.equal(await client.bind(server.ldap.bindDn, server.ldap.password), 0);
  const wanted = { mode: 'refreshOnly', cookie: undefined, reloadHint: false } as const;
  client.request(searchFor(SUFFIX, { scope: 'sub', attributes: ['*', '+'] }), [controlOf(syncRequest, wanted, true)]);
  assert.equal((await client.result())?.code, 0);
  client.socket.destroy();
  return text;
}

/** The keys that the first start has made. */
function ownKeys({ data }: Waypost): { readonly dn: string; readonly pem: string }[] {
  using store = new DatabaseSync(join(data, 'store.db'), { readOnly: true });
  const rows = store.prepare("SELECT dn, attributes FROM dit WHERE dn LIKE 'cn=_20%,ou=Keys,%'").all();
  return rows.map(({ dn, attributes }) => ({
    dn: String(dn),
    pem: /-----BEGIN PRIVATE KEY-----[^-]*-----END PRIVATE KEY-----/
      .exec(String(attributes))![0]
      .replaceAll('\\n', '\n'),
  }));
}

/** Columns of the store in which any of these stands, with the entry's name where the table has one. */
function placesIn({ data }: Waypost, spellings: readonly string[]): string[] {
  using store = new DatabaseSync(join(data, 'store.db'), { readOnly: true });
  const places: string[] = [];
  for (const { name } of store.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").all())
    for (const row of store.prepare(`SELECT * FROM "${name}"`).iterate())
      for (const [column, value] of Object.entries(row)) {
        const text = value instanceof Uint8Array ? Buffer.from(value).toString('latin1') : String(value);
        if (spellings.some((spelling) => text.includes(spelling)))
          places.push(`${name}.${column}${'dn' in row ? ` of ${row['dn']}` : ''}`);
      }
  return places;
}

test('its memory is written to no file, and nobody else gets into the program', async (context) => {
  const server = await startWaypost();
  context.after(() => server.stop());
  if (process.platform === 'linux')
    assert.match(readFileSync(`/proc/${server.pid}/limits`, 'utf8'), /^Max core file size +0 +0 /m);
  process.kill(server.pid, 'SIGUSR1');
  const ldap = await administrator(server);
  await addDomain(ldap, 'acme.example');
  await ldap.unbind();
  assert.doesNotMatch(server.stderr(), /Debugger|inspector/);
});
