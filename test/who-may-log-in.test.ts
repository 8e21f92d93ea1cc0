// Every door asks the same question: each status of user and domain, each access rule, at each way in.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Client, ResultCodeError } from 'ldapts';
import { AdminClient } from '../src/cli/client.ts';
import { LineConnection } from '../src/demo/clients/line-connection.ts';
import {
  ADMINISTRATOR,
  administrator,
  domainDn,
  PASSWORD,
  populate,
  replaceAttribute,
  userDn,
} from './support/directory.ts';
import { type Door, startWaypost, type Waypost } from './support/server.ts';

const IMPLICIT: ReadonlySet<Door> = new Set(['submissions', 'imaps', 'pop3s'] as const);
const LOGIN = 'ann@acme.example';
const ANN = userDn(LOGIN);
const ACME = domainDn('acme.example');
const PLAIN = Buffer.from(`\0${LOGIN}\0${PASSWORD}`).toString('base64');

let server: Waypost;
let directory: Client;
before(async () => {
  server = await startWaypost();
  await populate(server, 'acme.example', ['ann']);
  directory = await administrator(server);
});
after(async () => {
  await directory?.unbind();
  await server?.stop();
});

/** The reply to the last line; it is the only one that begins so. QUIT comes last, so that a maildrop is free again. */
async function said(door: Door, reply: RegExp, ...lines: readonly string[]): Promise<string> {
  const { host, port } = server.listeners[door];
  const ca = readFileSync(join(server.data, 'tls/ca.pem'), 'utf8');
  const plain = await LineConnection.open(host, port);
  const connection = IMPLICIT.has(door) ? await plain.secured({ servername: 'localhost', ca }) : plain;
  try {
    await connection.line();
    for (const line of lines) connection.write(`${line}\r\n`);
    for (;;) {
      const line = await connection.line();
      if (!reply.test(line)) continue;
      connection.write('QUIT\r\n');
      if (door.startsWith('pop3')) while ((await connection.line().catch(() => undefined)) !== undefined);
      return line;
    }
  } finally {
    connection.destroy();
  }
}

interface WayIn {
  readonly service: string;
  /** TLS from the first byte. */
  readonly isImplicit?: boolean;
  readonly try: () => Promise<string>;
  readonly ok: RegExp;
  readonly refused: RegExp;
}

const ways: Readonly<Record<string, WayIn>> = {
  'SMTP AUTH': {
    service: 'smtp',
    try: () => said('submission', /^(235|[45]..) /, 'EHLO x', `AUTH PLAIN ${PLAIN}`),
    ok: /^235 /,
    refused: /^525 5\.7\.13 /,
  },
  'IMAP LOGIN': {
    service: 'imap',
    try: () => said('imap', /^a /, `a LOGIN ${LOGIN} ${PASSWORD}`),
    ok: /^a OK/,
    refused: /^a NO \[NOPERM\]/,
  },
  'IMAP AUTHENTICATE': {
    service: 'imap',
    try: () => said('imap', /^a /, 'a AUTHENTICATE PLAIN', PLAIN),
    ok: /^a OK/,
    refused: /^a NO \[NOPERM\]/,
  },
  'POP3 PASS': {
    service: 'pop',
    try: () => said('pop3', /^(\+OK .*octets|-ERR)/, `USER ${LOGIN}`, `PASS ${PASSWORD}`),
    ok: /^\+OK/,
    refused: /^-ERR \[AUTH\]/,
  },
  'POP3 AUTH': {
    service: 'pop',
    try: () => said('pop3', /^(\+OK|-ERR)/, `AUTH PLAIN ${PLAIN}`),
    ok: /^\+OK/,
    refused: /^-ERR \[AUTH\]/,
  },
  'SMTP AUTH over submissions': {
    service: 'smtp',
    isImplicit: true,
    try: () => said('submissions', /^(235|[45]..) /, 'EHLO x', `AUTH PLAIN ${PLAIN}`),
    ok: /^235 /,
    refused: /^525 5\.7\.13 /,
  },
  'IMAP LOGIN over imaps': {
    service: 'imap',
    isImplicit: true,
    try: () => said('imaps', /^a /, `a LOGIN ${LOGIN} ${PASSWORD}`),
    ok: /^a OK/,
    refused: /^a NO \[NOPERM\]/,
  },
  'POP3 PASS over pop3s': {
    service: 'pop',
    isImplicit: true,
    try: () => said('pop3s', /^(\+OK .*octets|-ERR)/, `USER ${LOGIN}`, `PASS ${PASSWORD}`),
    ok: /^\+OK/,
    refused: /^-ERR \[AUTH\]/,
  },
  'LDAP bind': {
    service: 'ldap',
    async try() {
      const { host, port } = server.listeners.ldap;
      const client = new Client({ url: `ldap://${host}:${port}`, timeout: 15_000, connectTimeout: 15_000 });
      try {
        await client.bind(ANN, PASSWORD);
        return 'success';
      } catch (error) {
        if (error instanceof ResultCodeError) return `${error.code} ${error.message}`;
        throw error;
      } finally {
        await client.unbind();
      }
    },
    ok: /^success$/,
    refused: /^50 /,
  },
};

async function expectAt(admits: (service: string, isImplicit: boolean) => boolean, what: string): Promise<void> {
  for (const [name, way] of Object.entries(ways))
    assert.match(
      await way.try(),
      admits(way.service, way.isImplicit === true) ? way.ok : way.refused,
      `${name}, ${what}`,
    );
}

const STATUSES: Readonly<Record<string, boolean>> = {
  active: true,
  overquota: true,
  inactive: false,
  disabled: false,
  deleted: false,
  removed: false,
  hold: false,
};

for (const [dn, attribute] of [
  [ANN, 'mailUserStatus'],
  [ACME, 'mailDomainStatus'],
] as const)
  for (const [status, admits] of Object.entries(STATUSES))
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

test('an access rule of the Directory Manager keeps its tokens from /v1: 403', async () => {
  const { token } = await new AdminClient(server.data).call('token.add', { name: 'ops', scopes: ['api'] });
  const ca = readFileSync(join(server.data, 'tls/ca.pem'));
  const { host, port } = server.listeners.https;
  const statusOf = async (): Promise<number | undefined> => {
    const headers = { authorization: `Bearer ${token}` };
    const asked = request({ host, port, path: '/v1/user/list', method: 'POST', ca, servername: 'localhost', headers });
    asked.end('{}');
    const [answer] = (await once(asked, 'response')) as [IncomingMessage];
    answer.resume();
    return answer.statusCode;
  };
  const rule = (values: string[]) => replaceAttribute(directory, ADMINISTRATOR, 'mailAllowedServiceAccess', values);
  assert.equal(await statusOf(), 200);
  await rule(['-http:*']);
  assert.equal(await statusOf(), 403);
  await rule(['-http:192.0.2.0/24']);
  assert.equal(await statusOf(), 200);
  await rule([]);
});
