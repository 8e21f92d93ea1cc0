// What the two HTTP ports answer: /v1 as the commands do, its refusals row by row, and who may read the metrics.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { z } from 'zod';
import { adminOperation } from '../../admin/operation.ts';
import { Failure } from '../../base/failure.ts';
import { silentLog } from '../../base/log.ts';
import { ADMINISTRATOR_CALLER, type Caller } from '../../directory/caller.ts';
import type { ConnectionRecord } from '../../net/connection.ts';
import { httpApps } from './apps.ts';
import type { HttpEnv } from './bearer.ts';
import type { SubmissionParts } from './submission.ts';

const TOKEN = 'wp_good';
const calls: unknown[] = [];

const operations = [
  adminOperation('user.list', z.object({ domain: z.string().optional() }), (input, caller, peer) => {
    calls.push([input, caller, peer]);
    return [{ address: 'ann@acme.example' }];
  }),
  adminOperation('status', z.object({}), () => undefined),
  adminOperation('user.add', z.object({}), () => Promise.reject(new Failure('exists', 'it exists already'))),
  adminOperation('user.fail', z.object({}), () => Promise.reject(new Error('SELECT secret'))),
];

const users: Readonly<Record<string, Caller | Failure>> = {
  [TOKEN]: ADMINISTRATOR_CALLER,
  wp_ann: { kind: 'entry', uuid: 'u', dn: 'uid=ann' },
  wp_mail: new Failure('denied', 'This token is for other services'),
  wp_fast: new Failure('throttled', 'Later'),
  wp_down: new Failure('unavailable', 'Later'),
};

const onlyAdministrators = (_operation: unknown, _input: unknown, { kind }: Caller): void => {
  if (kind !== 'administrator') throw new Failure('denied', 'this is for administrators of the site');
};

const { plain, secure } = httpApps({
  health: { ready: async () => {}, metrics: async () => ({ type: 'text/plain', text: 'figures 1\n' }) },
  api: {
    operations,
    log: silentLog,
    async authorize(_, token) {
      const found = users[token] ?? new Failure('unauthenticated', 'Authentication failed');
      if (found instanceof Failure) throw found;
      return found;
    },
    admit: onlyAdministrators,
    admitToSite: (caller) => onlyAdministrators(undefined, undefined, caller),
  },
  // Nobody gets as far as that here: test/http-submission.test.ts has the whole of it.
  submission: { log: silentLog } as SubmissionParts,
  mtaStsPolicy: (domain) => (domain === 'acme.example' ? 'version: STSv1\r\n' : undefined),
});

interface Asked {
  readonly method?: string;
  readonly body?: string | Uint8Array<ArrayBuffer> | ReadableStream;
  readonly authorization?: string | undefined;
  readonly coding?: string;
  readonly record?: Partial<ConnectionRecord>;
}

const PEER = '198.51.100.7';

function ask(app: typeof plain, path: string, asked: Asked = {}) {
  const { method = 'POST', body = '{}', authorization, coding, record = {} } = asked;
  const env: HttpEnv['Bindings'] = {
    client: { door: 'http', record: { peerAddress: PEER, isPrivate: true, ...record } as ConnectionRecord },
    whileLogin: (login) => login,
    takesLong() {},
    isLastTry: () => false,
  };
  const headers: Record<string, string> = authorization === undefined ? {} : { authorization };
  if (coding !== undefined) headers['content-encoding'] = coding;
  const init = { method, headers, ...(method === 'GET' ? {} : { body, duplex: 'half' }) };
  return app.request(path, init as RequestInit, env);
}

const v1 = (path: string, asked: Asked = {}) => ask(secure, path, { authorization: `Bearer ${TOKEN}`, ...asked });

async function is(response: Response | Promise<Response>, status: number, kind: string): Promise<Response> {
  const got = await response;
  const body = (await got.json()) as { failure: { kind: string; text: string } };
  assert.deepEqual([got.status, body.failure.kind], [status, kind]);
  assert.equal(typeof body.failure.text, 'string');
  assert.deepEqual([Object.keys(body), Object.keys(body.failure)], [['failure'], ['kind', 'text']]);
  return got;
}

test('an operation answers what its command prints with --json, and knows who asks from where', async () => {
  calls.length = 0;
  const answer = await v1('/v1/user/list', { body: '{"domain":"acme.example"}' });
  assert.equal(answer.status, 200);
  assert.equal(answer.headers.get('content-type'), 'application/json');
  assert.equal(await answer.text(), `${JSON.stringify([{ address: 'ann@acme.example' }], null, 2)}\n`);
  assert.deepEqual(calls, [[{ domain: 'acme.example' }, ADMINISTRATOR_CALLER, PEER]]);
  assert.equal(await (await v1('/v1/status')).text(), 'null\n');
});

test('the scheme is known in any case, and blanks round the token are none of it', async () => {
  for (const authorization of [`bearer ${TOKEN}`, `BEARER   ${TOKEN}  `])
    assert.equal((await v1('/v1/status', { authorization })).status, 200);
});

test('no token, or one that is no good: 401, and how to show one', async () => {
  const none = [undefined, '', 'Bearer', 'Bearer ', TOKEN, `Basic ${TOKEN}`, `Bearer${TOKEN}`];
  for (const authorization of none) {
    const got = await is(v1('/v1/user/list', { authorization }), 401, 'unauthenticated');
    assert.equal(got.headers.get('www-authenticate'), 'Bearer realm="waypost"');
  }
  for (const authorization of ['Bearer wp_bad', `Bearer ${TOKEN}x`, `Bearer ${TOKEN}, Bearer ${TOKEN}`]) {
    const got = await is(v1('/v1/user/list', { authorization }), 401, 'unauthenticated');
    assert.equal(got.headers.get('www-authenticate'), 'Bearer realm="waypost", error="invalid_token"');
  }
  await is(v1(`/v1/user/list?access_token=${TOKEN}`, { authorization: undefined }), 401, 'unauthenticated');
});

test('a stranger learns nothing of what there is: 401 for every path, method and body', async () => {
  for (const path of ['/v1/user/list', '/v1/no/such', '/v1/', '/v1'])
    for (const method of ['POST', 'GET', 'DELETE'])
      await is(v1(path, { method, body: 'x', authorization: undefined }), 401, 'unauthenticated');
});

test('a good token of another scope or another account: 403', async () => {
  const got = await is(v1('/v1/user/list', { authorization: 'Bearer wp_mail' }), 403, 'denied');
  assert.match(got.headers.get('www-authenticate')!, /error="insufficient_scope", scope="api"/);
  await is(v1('/v1/user/list', { authorization: 'Bearer wp_ann' }), 403, 'denied');
});

test('throttled: 429 with Retry-After; not to be found out: 503', async () => {
  const got = await is(v1('/v1/user/list', { authorization: 'Bearer wp_fast' }), 429, 'throttled');
  assert.match(got.headers.get('retry-after')!, /^[1-9]\d*$/);
  await is(v1('/v1/user/list', { authorization: 'Bearer wp_down' }), 503, 'unavailable');
});

for (const path of [
  '/v1',
  '/v1/',
  '/v1/user',
  '/v1/user/',
  '/v1/user/list/',
  '/v1/user.list',
  '/v1/User/List',
  '/v1/a/b',
])
  test(`unknown path ${path}: 404`, async () => void (await is(v1(path), 404, 'not-found')));

test('another method: 405 that names the right one', async () => {
  for (const method of ['GET', 'PUT', 'DELETE', 'PATCH', 'OPTIONS']) {
    const got = await is(v1('/v1/user/list', { method }), 405, 'unsupported');
    assert.equal(got.headers.get('allow'), 'POST');
  }
});

for (const body of [
  '',
  ' ',
  '{',
  '{"a":}',
  "{'a':1}",
  'undefined',
  '\u00ff',
  '{}{}',
  '{"domain":"\\ud83d.example"}',
  '{"\\uDCEE":1}',
  new Uint8Array([0xff, 0xfe]),
  Buffer.from('{"domain":"gr\xfcn"}', 'latin1'),
])
  test(`no JSON: ${JSON.stringify(body)} is 400`, async () => {
    await is(v1('/v1/user/list', { body }), 400, 'syntax');
  });

test('a body that is compressed is not read: 415', async () => {
  const got = await is(v1('/v1/user/list', { coding: 'gzip' }), 415, 'unsupported');
  assert.equal(got.headers.get('accept-encoding'), 'identity');
  await is(v1('/v1/user/list', { body: '{', coding: 'identity' }), 400, 'syntax');
});

for (const body of ['null', '1', '[]', '"x"', '{"domain":1}'])
  test(`JSON of another form: ${body} is 422`, async () => {
    await is(v1('/v1/user/list', { body }), 422, 'invalid');
  });

test('a body of a mebibyte goes, one octet more is 413, whether its length is said or not', async () => {
  const MIB = 1024 * 1024;
  const padded = (bytes: number) => `{}${' '.repeat(bytes - 2)}`;
  const streamed = (text: string) => new Blob([text]).stream();
  assert.equal((await v1('/v1/status', { body: padded(MIB) })).status, 200);
  assert.equal((await v1('/v1/status', { body: streamed(padded(MIB)) })).status, 200);
  await is(v1('/v1/status', { body: padded(MIB + 1) }), 413, 'too-large');
  await is(v1('/v1/status', { body: streamed(padded(MIB + 1)) }), 413, 'too-large');
});

test("an operation's failure has the status of its kind; a fault says nothing of the inside", async () => {
  await is(v1('/v1/user/add'), 409, 'exists');
  const fault = await v1('/v1/user/fail');
  assert.equal(fault.status, 503);
  assert.doesNotMatch(await fault.text(), /SELECT/);
});

test('on port 80 the operations are refused, whatever token comes', async () => {
  for (const path of ['/v1', '/v1/user/list', '/v1/no/such'])
    await is(
      ask(plain, path, { authorization: `Bearer ${TOKEN}`, record: { peerAddress: '127.0.0.1' } }),
      403,
      'denied',
    );
});

test('metrics: on 80 for this machine and for nothing a proxy passes on; on 443 with a token', async () => {
  const GET = { method: 'GET' };
  for (const peerAddress of ['127.0.0.1', '127.9.9.9', '::1'])
    assert.equal(await (await ask(plain, '/metrics', { ...GET, record: { peerAddress } })).text(), 'figures 1\n');
  await is(ask(plain, '/metrics', GET), 403, 'denied');
  await is(ask(plain, '/metrics', { ...GET, authorization: `Bearer ${TOKEN}` }), 403, 'denied');
  const proxied = { peerAddress: '127.0.0.1', proxyAddress: '192.0.2.1' };
  await is(ask(plain, '/metrics', { ...GET, record: proxied }), 403, 'denied');
  assert.equal(await (await v1('/metrics', GET)).text(), 'figures 1\n');
  await is(ask(secure, '/metrics', { ...GET, record: { peerAddress: '127.0.0.1' } }), 401, 'unauthenticated');
  await is(v1('/metrics', { ...GET, authorization: 'Bearer wp_mail' }), 403, 'denied');
  for (const app of [plain, secure])
    for (const path of ['/healthz', '/readyz']) assert.equal((await ask(app, path, GET)).status, 200);
});

test('an MTA-STS policy: by HTTPS, of the domain in Host, for anybody', async () => {
  const asked = (app: typeof plain, host: string) =>
    app.fetch(new Request('https://any/.well-known/mta-sts.txt', { headers: { Host: host } }), {
      client: { door: 'http', record: { peerAddress: PEER } },
    } as HttpEnv['Bindings']);
  const good = await asked(secure, 'MTA-STS.Acme.example:1443');
  assert.deepEqual(
    [good.status, await good.text(), good.headers.get('Content-Type')],
    [200, 'version: STSv1\r\n', 'text/plain; charset=utf-8'],
  );
  for (const host of ['acme.example', 'mta-sts.other.example', 'mta-sts.', ''])
    assert.equal((await asked(secure, host)).status, 404);
  assert.equal((await asked(plain, 'mta-sts.acme.example')).status, 404);
});
