// Every door asks the same question: each status of user and domain, each access rule, at each way in.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { connect } from 'node:net';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { connect as connectTls } from 'node:tls';
import { Client, ResultCodeError, UnwillingToPerformError } from 'ldapts';
import type { AdminInput } from '../src/admin/operations.ts';
import { STATUS_ADMITS } from '../src/auth/testing.ts';
import { AdminClient } from '../src/cli/client.ts';
import { RawClient } from '../src/protocols/ldap/testing.ts';
import { type Identity, TestAuthority } from './support/certificates.ts';
import {
  ADMINISTRATOR,
  addDomain,
  addUser,
  administrator,
  domainDn,
  PASSWORD,
  replaceAttribute,
  userDn,
} from './support/directory.ts';
import { Lines } from './support/lines.ts';
import { peer } from './support/peers.ts';
import { type LineProtocol, logInByScram, ScramClient } from './support/scram-client.ts';
import { type Door, startWaypost, type Waypost } from './support/server.ts';

const IMPLICIT: ReadonlySet<Door> = new Set(['submissions', 'imaps', 'pop3s'] as const);
const LOGIN = 'ann@acme.example';
const ANN = userDn(LOGIN);
const ACME = domainDn('acme.example');
const PLAIN = Buffer.from(`\0${LOGIN}\0${PASSWORD}`).toString('base64');
const openssl = peer('openssl');
const people = openssl.skip === false ? new TestAuthority() : undefined;
const annsCertificate = people?.issue(LOGIN);

let server: Waypost;
let directory: Client;
before(async () => {
  const tls = people === undefined ? '' : `[tls]\nclient-ca = ${JSON.stringify(people.file)}\n`;
  server = await startWaypost({ config: `${tls}[auth]\nscram = "on"\n` });
  directory = await administrator(server);
  await addDomain(directory, 'acme.example');
  // It may have what a user has.
  await replaceAttribute(directory, ADMINISTRATOR, 'objectClass', ['person', 'extensibleObject']);
  // In the clear: so there are keys for SCRAM.
  await addUser(directory, LOGIN, { userPassword: PASSWORD });
});
after(async () => {
  await directory?.unbind();
  await server?.stop();
});

const authority = () => readFileSync(join(server.data, 'tls/ca.pem'), 'utf8');

/** A connection at a door that carries lines, in TLS where that is spoken from the first byte. */
async function talkAt<T>(door: Door, identity: Identity | undefined, talk: (lines: Lines) => Promise<T>): Promise<T> {
  const { host, port } = server.listeners[door];
  const own = identity === undefined ? {} : { key: identity.key, cert: identity.cert };
  const secure = { host, port, ca: authority(), servername: 'localhost', ...own };
  const lines = new Lines(IMPLICIT.has(door) ? connectTls(secure) : connect({ host, port }));
  try {
    const said = await talk(lines);
    lines.write('QUIT');
    // A maildrop is free again.
    if (door.startsWith('pop3')) while ((await lines.line()) !== '');
    return said;
  } finally {
    lines.close();
  }
}

interface Said {
  readonly reply: RegExp;
  readonly lines: readonly string[];
  readonly identity?: Identity | undefined;
}

/** The reply to the last line; it is the only one that begins so. */
function said(door: Door, { reply, lines, identity }: Said): Promise<string> {
  return talkAt(door, identity, async (talk) => {
    await talk.line();
    for (const line of lines) talk.write(line);
    for (;;) {
      const line = await talk.line();
      assert.notEqual(line, '', 'closed');
      if (reply.test(line)) return line;
    }
  });
}

function saidToScram(door: Door, protocol: LineProtocol): Promise<string> {
  const asked = { protocol, mechanism: 'SCRAM-SHA-256' };
  return talkAt(door, undefined, (lines) => logInByScram(lines, asked, new ScramClient(LOGIN, PASSWORD)));
}

/** The result of a bind. */
async function boundAt(door: 'ldap' | 'ldaps', who: readonly [name: string, password?: string], identity?: Identity) {
  const { host, port } = server.listeners[door];
  const own = identity === undefined ? {} : { key: identity.key, cert: identity.cert };
  const tlsOptions = { ca: authority(), ...own };
  const options = { timeout: 120_000, connectTimeout: 120_000, ...(door === 'ldap' ? {} : { tlsOptions }) };
  const client = new Client({ url: `${door}://${host}:${port}`, ...options });
  try {
    await client.bind(...who);
    return '0';
  } catch (error) {
    if (error instanceof ResultCodeError) return `${error.code} ${error.message}`;
    throw error;
  } finally {
    await client.unbind();
  }
}

async function boundByScram(): Promise<string> {
  using client = await RawClient.open(server.listeners.ldap.port);
  const scram = new ScramClient(LOGIN, PASSWORD);
  const step = async (text: string) => {
    const credentials = Buffer.from(text, 'base64');
    const authentication = { method: 'sasl', mechanism: 'SCRAM-SHA-256', credentials } as const;
    client.request({ kind: 'bind', version: 3, name: '', authentication });
    const { operation } = (await client.response())!;
    assert.ok(operation.kind === 'bindResponse');
    const { result, serverCredentials } = operation;
    return { code: result.resultCode, said: Buffer.from(serverCredentials ?? '').toString('base64') };
  };
  const { code, said: challenge } = await step(scram.first);
  assert.equal(code, 14);
  return String((await step(scram.last(challenge))).code);
}

interface WayIn {
  readonly service: 'smtp' | 'imap' | 'pop' | 'ldap';
  /** TLS from the first byte. */
  readonly isImplicit?: boolean;
  readonly try: () => Promise<string>;
}

const SAYS = {
  smtp: { ok: /^235 /, refused: /^525 5\.7\.13 / },
  imap: { ok: /^a OK/, refused: /^a NO \[NOPERM\]/ },
  pop: { ok: /^\+OK/, refused: /^-ERR \[AUTH\]/ },
  ldap: { ok: /^0$/, refused: /^50\b/ },
} as const satisfies Record<WayIn['service'], object>;

const smtpAuth = (response: string, identity?: Identity): Said => ({
  reply: /^(235|[45]..) /,
  lines: ['EHLO x', `AUTH ${response}`],
  identity,
});
const imapCommand = (command: string, ...lines: readonly string[]): Said => ({
  reply: /^a /,
  lines: [`a ${command}`, ...lines],
});
const pop3Pass: Said = { reply: /^(\+OK .*octets|-ERR)/, lines: [`USER ${LOGIN}`, `PASS ${PASSWORD}`] };
const pop3Auth = (response: string, identity?: Identity): Said => ({
  reply: /^(\+OK|-ERR)/,
  lines: [`AUTH ${response}`],
  identity,
});

const byCertificate = (identity: Identity): Readonly<Record<string, WayIn>> => ({
  'SMTP EXTERNAL over submissions': {
    service: 'smtp',
    isImplicit: true,
    try: () => said('submissions', smtpAuth('EXTERNAL =', identity)),
  },
  'IMAP EXTERNAL over imaps': {
    service: 'imap',
    isImplicit: true,
    try: () => said('imaps', { ...imapCommand('AUTHENTICATE EXTERNAL ='), identity }),
  },
  'POP3 EXTERNAL over pop3s': {
    service: 'pop',
    isImplicit: true,
    try: () => said('pop3s', pop3Auth('EXTERNAL =', identity)),
  },
  'LDAP EXTERNAL over ldaps': {
    service: 'ldap',
    isImplicit: true,
    try: () => boundAt('ldaps', ['EXTERNAL'], identity),
  },
});

const ways: Readonly<Record<string, WayIn>> = {
  'SMTP AUTH': { service: 'smtp', try: () => said('submission', smtpAuth(`PLAIN ${PLAIN}`)) },
  'SMTP SCRAM': { service: 'smtp', try: () => saidToScram('submission', 'smtp') },
  'IMAP LOGIN': { service: 'imap', try: () => said('imap', imapCommand(`LOGIN ${LOGIN} ${PASSWORD}`)) },
  'IMAP AUTHENTICATE': { service: 'imap', try: () => said('imap', imapCommand('AUTHENTICATE PLAIN', PLAIN)) },
  'IMAP SCRAM': { service: 'imap', try: () => saidToScram('imap', 'imap') },
  'POP3 PASS': { service: 'pop', try: () => said('pop3', pop3Pass) },
  'POP3 AUTH': { service: 'pop', try: () => said('pop3', pop3Auth(`PLAIN ${PLAIN}`)) },
  'POP3 SCRAM': { service: 'pop', try: () => saidToScram('pop3', 'pop3') },
  'LDAP bind': { service: 'ldap', try: () => boundAt('ldap', [ANN, PASSWORD]) },
  'LDAP SCRAM': { service: 'ldap', try: boundByScram },
  'SMTP AUTH over submissions': {
    service: 'smtp',
    isImplicit: true,
    try: () => said('submissions', smtpAuth(`PLAIN ${PLAIN}`)),
  },
  'IMAP LOGIN over imaps': {
    service: 'imap',
    isImplicit: true,
    try: () => said('imaps', imapCommand(`LOGIN ${LOGIN} ${PASSWORD}`)),
  },
  'POP3 PASS over pop3s': { service: 'pop', isImplicit: true, try: () => said('pop3s', pop3Pass) },
  'LDAP bind over ldaps': { service: 'ldap', isImplicit: true, try: () => boundAt('ldaps', [ANN, PASSWORD]) },
  ...(annsCertificate === undefined ? {} : byCertificate(annsCertificate)),
};

async function expectAt(admits: (service: string, isImplicit: boolean) => boolean, what: string): Promise<void> {
  for (const [name, { service, isImplicit = false, try: attempt }] of Object.entries(ways)) {
    const { ok, refused } = SAYS[service];
    assert.match(await attempt(), admits(service, isImplicit) ? ok : refused, `${name}, ${what}`);
  }
}

for (const [dn, attribute] of [
  [ANN, 'mailUserStatus'],
  [ACME, 'mailDomainStatus'],
] as const)
  for (const [status, admits] of Object.entries(STATUS_ADMITS))
    test(`${attribute}: ${status}`, async () => {
      await replaceAttribute(directory, dn, attribute, [status]);
      await expectAt(() => admits, `${attribute}: ${status}`);
      await replaceAttribute(directory, dn, attribute, []);
    });

for (const [dn, attribute] of [
  [ANN, 'mailAllowedServiceAccess'],
  [ACME, 'mailDomainAllowedServiceAccess'],
] as const)
  for (const [rules, admits] of [
    ['-imap:*', (service: string) => service !== 'imap'],
    ['+imap,smtp:127.0.0.0/8$+pop:198.51.100.7', (service: string) => service === 'imap' || service === 'smtp'],
    ['+ALL EXCEPT ldap:ALL', (service: string) => service !== 'ldap'],
    ['+imaps,smtps,pops,ldaps:*', (_: string, isImplicit: boolean) => isImplicit],
    ['-imaps:*', (service: string, isImplicit: boolean) => service !== 'imap' || !isImplicit],
    ['-ALL:192.0.2.0/24', () => true],
  ] as const)
    test(`${attribute}: ${rules}`, async () => {
      await replaceAttribute(directory, dn, attribute, [rules]);
      await expectAt(admits, `${attribute}: ${rules}`);
      await replaceAttribute(directory, dn, attribute, []);
    });

/** What /v1 says to a token. */
async function statusOf(token: string | null): Promise<number | undefined> {
  const { host, port } = server.listeners.https;
  const headers = { authorization: `Bearer ${token}` };
  const ca = authority();
  const asked = request({ host, port, path: '/v1/user/list', method: 'POST', ca, servername: 'localhost', headers });
  asked.end('{}');
  const [answer] = (await once(asked, 'response')) as [IncomingMessage];
  answer.resume();
  return answer.statusCode;
}

async function newToken(input: AdminInput<'token.add'>): Promise<string | null> {
  return (await new AdminClient(server.data).call('token.add', input)).token;
}

test('an access rule of the Directory Manager keeps its tokens from /v1: 403', async () => {
  const token = await newToken({ name: 'ops', scopes: ['api'] });
  const rule = (values: string[]) => replaceAttribute(directory, ADMINISTRATOR, 'mailAllowedServiceAccess', values);
  assert.equal(await statusOf(token), 200);
  await rule(['-http:*']);
  assert.equal(await statusOf(token), 403);
  await rule(['-http:192.0.2.0/24']);
  assert.equal(await statusOf(token), 200);
  await rule([]);
});

// Its tokens alone open /v1. A status that would refuse it is refused itself, so each that it can have lets it in.
for (const [attribute, statuses] of [
  ['mailUserStatus', Object.keys(STATUS_ADMITS)],
  ['inetUserStatus', ['active', 'inactive', 'deleted', 'removed']],
] as const)
  test(`the Directory Manager's tokens at /v1, by its ${attribute}`, async () => {
    const token = await newToken({ name: attribute, scopes: ['api'] });
    for (const status of statuses) {
      const written = replaceAttribute(directory, ADMINISTRATOR, attribute, [status]);
      if (STATUS_ADMITS[status]) await written;
      else await assert.rejects(written, UnwillingToPerformError, status);
      assert.equal(await statusOf(token), 200, status);
      await replaceAttribute(directory, ADMINISTRATOR, attribute, []);
    }
  });

test("a user's token at /v1, by the user's status: 403, as its scopes are for other services", async () => {
  const token = await newToken({ account: LOGIN, name: 'phone', scopes: ['imap', 'ldap'] });
  for (const status of Object.keys(STATUS_ADMITS)) {
    await replaceAttribute(directory, ANN, 'mailUserStatus', [status]);
    assert.equal(await statusOf(token), 403, status);
  }
  await replaceAttribute(directory, ANN, 'mailUserStatus', []);
});
