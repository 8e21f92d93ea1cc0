// POST /v1/messages as a program elsewhere uses it: curl over HTTPS, a message to people here and at another host.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import type { ClientRequest } from 'node:http';
import { request } from 'node:https';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { AdminClient } from '../src/cli/client.ts';
import { ImapClient } from '../src/demo/clients/imap-client.ts';
import { RemoteHost } from '../src/estate/remote-host.ts';
import { administrator, replaceAttribute, userDn } from './support/directory.ts';
import { kills } from './support/kills.ts';
import { peer } from './support/peers.ts';
import { startWaypost, type Waypost } from './support/server.ts';
import { until } from './support/until.ts';

const { skip } = peer('curl');
const SIZE_MAX = 200_000;

interface Answer {
  readonly id: string;
  readonly messageId: string;
  readonly recipients: readonly { readonly address: string; readonly code: number; readonly enhanced: string }[];
}

describe('POST /v1/messages', { skip, concurrency: false }, () => {
  let server: Waypost;
  let sink: RemoteHost;
  let admin: AdminClient;
  before(async () => {
    sink = await RemoteHost.start();
    server = await startWaypost({
      config: `[limits]\nmessage-size = ${SIZE_MAX}\n[next-hop]\n"remote.example" = "${sink.nextHop}"\n`,
    });
    admin = new AdminClient(server.data);
    await admin.call('domain.add', { domain: 'acme.example' });
    for (const name of ['ann', 'bob', 'eve'])
      await admin.call('user.add', { address: `${name}@acme.example`, password: 'secret' });
  });
  after(async () => {
    await server?.stop();
    await sink?.close();
  });

  interface Sent {
    readonly auth?: readonly string[];
    readonly more?: readonly string[];
    readonly query?: string;
  }
  let requests = 0;
  const ANN = ['-u', 'ann@acme.example:secret'];

  async function post(body: string | Buffer, { auth = ANN, more = [], query = '' }: Sent = {}) {
    // More than one may be on their way.
    const file = join(server.data, `request-${++requests}`);
    writeFileSync(file, body);
    const args = ['-sS', '--max-time', '180', '--cacert', join(server.data, 'tls', 'ca.pem'), '-w', '\n%{http_code}'];
    const url = `https://localhost:${server.listeners.https.port}/v1/messages${query}`;
    const stdout = await new Promise<string>((resolve, reject) =>
      execFile('curl', [...args, ...auth, ...more, '--data-binary', `@${file}`, url], (error, out) =>
        error === null ? resolve(out) : reject(error),
      ),
    );
    const end = stdout.lastIndexOf('\n');
    return { status: Number(stdout.slice(end + 1)), text: stdout.slice(0, end) };
  }
  const send = (message: object, sent: Sent = {}) =>
    post(JSON.stringify({ from: 'ann@acme.example', ...message }), sent);

  async function inbox(login: string): Promise<string[]> {
    const client = await ImapClient.login(server.listeners.imap, login, 'secret');
    const messages = await client.fetchAll();
    await client.logout();
    return messages.map(({ body }) => body.toString('latin1'));
  }

  test('it is composed, delivered and relayed; each recipient has a reply, bcc shows nobody', async () => {
    const got = await send({
      from: 'Ann Ähm <ann@acme.example>',
      to: ['bob@acme.example'],
      cc: 'Rex <rex@remote.example>',
      bcc: ['eve@acme.example', 'bob@acme.example', 'nobody@acme.example'],
      subject: 'Grüße',
      text: 'Hi\n.\n',
      html: '<p>Hi <img src="cid:dot"></p>',
      headers: { 'X-Tag': ['a', 'b'], 'Reply-To': 'Änn <ann@acme.example>' },
      attachments: [
        {
          filename: 'ä.txt',
          contentType: 'text/plain; charset=utf-8',
          content: Buffer.from('file').toString('base64'),
        },
        { contentType: 'image/png', content: 'AAAA', cid: 'dot' },
      ],
    });
    assert.equal(got.status, 202, got.text);
    const { id, messageId, recipients } = JSON.parse(got.text) as Answer;
    assert.deepEqual(
      recipients.map(({ address, code, enhanced }) => `${address} ${code} ${enhanced}`),
      [
        'bob@acme.example 250 2.1.5',
        'rex@remote.example 250 2.1.5',
        'eve@acme.example 250 2.1.5',
        'nobody@acme.example 550 5.1.1',
      ],
    );
    await until('it is relayed', () => sink.messages.length === 1);
    const { data } = sink.messages[0]!;
    assert.match(
      data,
      new RegExp(
        `^DKIM-Signature: [\\s\\S]*\r\nReceived: from \\[127\\.0\\.0\\.1\\][\\s\\S]*with HTTP[\\s\\S]* id ${id};`,
      ),
    );
    assert.ok(data.includes(`Message-ID: ${messageId}\r\n`));
    assert.match(data, /^Date: /m);
    assert.match(data, /^From: =\?utf-8\?B\?[^?]+\?= <ann@acme\.example>\r\nTo: bob@acme\.example\r\nCc: Rex <rex@/m);
    assert.match(data, /^Subject: =\?utf-8\?B\?R3LDvMOfZQ==\?=\r\n/m);
    assert.match(data, /^X-Tag: a\r\nX-Tag: b\r\nReply-To: =\?utf-8/m);
    assert.match(
      data,
      /multipart\/mixed;[\s\S]*multipart\/alternative;[\s\S]*text\/plain[\s\S]*multipart\/related;[\s\S]*text\/html/,
    );
    assert.match(data, /filename\*=utf-8''%C3%A4\.txt\r\nContent-Transfer-Encoding: base64\r\n\r\nZmlsZQ==\r\n/);
    assert.match(data, /Content-ID: <dot>/);
    assert.doesNotMatch(data, /^bcc:|eve@/im);
    const [copy] = await inbox('eve@acme.example');
    assert.match(copy ?? '', /^Return-Path: <ann@acme\.example>\r\n/);
    const line = new RegExp(`"queue":"${id}".*"event":"http.submit"`);
    await until('the log says so', () => line.test(server.stderr()));
  });

  test('the same key again: the same answer and one message, also after kill -9; another body: 409', async () => {
    const before = (await inbox('bob@acme.example')).length;
    const more = ['-H', 'Idempotency-Key: order-7'];
    const message = { to: 'bob@acme.example', subject: 'once', text: 'x' };
    const first = await send(message, { more });
    assert.equal(first.status, 202);
    await server.kill9();
    await server.restart();
    assert.deepEqual(await send(message, { more }), first);
    assert.equal((await send({ ...message, text: 'y' }, { more })).status, 409);
    assert.equal((await inbox('bob@acme.example')).length, before + 1);
    const together = await Promise.all(
      [1, 2, 3, 4].map(() => send(message, { more: ['-H', 'Idempotency-Key: order-9'] })),
    );
    for (const answer of together) assert.deepEqual(answer, together[0]);
    assert.equal((await inbox('bob@acme.example')).length, before + 2);
    // Another login has keys of its own.
    const eve = { ...message, from: 'eve@acme.example' };
    assert.equal((await send(eve, { more, auth: ['-u', 'eve@acme.example:secret'] })).status, 202);
    // What nobody gets is not kept, and neither is its key.
    const nobody = { to: 'nobody@acme.example', text: 'x' };
    const refused = await send(nobody, { more: ['-H', 'Idempotency-Key: order-8'] });
    assert.equal(refused.status, 422);
    assert.match(refused.text, /"code": 550/);
    await admin.call('user.add', { address: 'nobody@acme.example', password: 'secret' });
    assert.equal((await send(nobody, { more: ['-H', 'Idempotency-Key: order-8'] })).status, 202);
  });

  test('a kill at any moment, and the client that tries again: one message', async () => {
    const before = (await inbox('bob@acme.example')).length;
    const rounds = kills(1);
    for (let round = 0; round < rounds; round++) {
      const more = ['-H', `Idempotency-Key: kill-${round}`];
      const message = { to: 'bob@acme.example', text: `kill ${round}` };
      const first = send(message, { more }).catch(() => undefined);
      await new Promise((turn) => setTimeout(turn, 80 + 40 * round));
      await server.kill9();
      await first;
      await server.restart();
      assert.equal((await send(message, { more })).status, 202);
    }
    assert.equal((await inbox('bob@acme.example')).length, before + rounds);
  });

  test('a message as it is, its lines with LF: sent so with CRLF, Bcc left out', async () => {
    sink.messages.length = 0;
    const raw = 'From: ann@acme.example\nBcc: eve@acme.example\nMessage-ID: <mine@acme.example>\n\nbody\n';
    const query = '?from=ann@acme.example&to=rex@remote.example&to=bob@acme.example';
    const more = ['-H', 'Content-Type: message/rfc822'];
    assert.equal((await post(raw, { query: query.replace('from=ann', 'from=eve%2Bann'), more })).status, 403);
    const got = await post(raw, { query: query.replace('from=ann', 'from=ann%2Bx'), more });
    assert.equal(got.status, 202, got.text);
    assert.equal((JSON.parse(got.text) as Answer).messageId, '<mine@acme.example>');
    await until('it is relayed', () => sink.messages.length === 1);
    assert.match(
      sink.messages[0]!.data,
      /\r\nFrom: ann@acme\.example\r\nMessage-ID: <mine@acme\.example>\r\n\r\nbody\r\n$/,
    );
    const encoded = Buffer.from(raw).toString('base64');
    const json = await send({ raw: encoded, envelope: { from: '', to: 'bob@acme.example' } });
    assert.equal(json.status, 202, json.text);
    assert.equal((await send({ raw: encoded, to: 'bob@acme.example', subject: 'no' })).status, 400);
  });

  test('reports and a later time are asked for as at the door', async () => {
    const dsn = { notify: ['success', 'failure'], envid: 'q 1', ret: 'hdrs' };
    const holdUntil = new Date(Date.now() + 3_600_000).toISOString();
    const got = await send({ to: 'bob@acme.example', subject: 'later', text: 'x', dsn, holdUntil });
    assert.equal(got.status, 202, got.text);
    const rows = await admin.call('queue.list', {});
    assert.match(JSON.stringify(rows), new RegExp((JSON.parse(got.text) as Answer).id));
  });

  test('by a token of scope smtp, and no other', async () => {
    const tokenOf = async (scope: 'smtp' | 'imap' | 'ldap') =>
      (await admin.call('token.add', { account: 'ann@acme.example', name: scope, scopes: [scope] })).token!;
    const bearer = (token: string) => ['-H', `Authorization: Bearer ${token}`];
    const message = { to: 'bob@acme.example', text: 'x' };
    const smtp = await tokenOf('smtp');
    assert.equal((await send(message, { auth: bearer(smtp) })).status, 202);
    assert.equal((await send(message, { auth: ['-u', `ann@acme.example:${smtp}`] })).status, 202);
    for (const scope of ['imap', 'ldap'] as const)
      assert.equal((await send(message, { auth: bearer(await tokenOf(scope)) })).status, 403);
    assert.equal((await send(message, { auth: bearer('wp_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa') })).status, 401);
    assert.equal((await send(message, { auth: [] })).status, 401);
    assert.equal((await send(message, { auth: ['-u', 'ann@acme.example:wrong'] })).status, 401);
  });

  test('a browser sends nothing for a page of another site, whatever password it adds', async () => {
    const before = (await inbox('bob@acme.example')).length;
    const own = `https://localhost:${server.listeners.https.port}`;
    const tried: readonly (readonly [string, number])[] = [
      ['Sec-Fetch-Site: cross-site', 403],
      ['Sec-Fetch-Site: same-site', 403],
      ['Origin: https://evil.example', 403],
      ['Origin: null', 403],
      [`Origin: ${own.replace('https:', 'http:')}`, 403],
      ['Origin: https://localhost', 403],
      ['Sec-Fetch-Site: same-origin', 202],
      ['Sec-Fetch-Site: none', 202],
      [`Origin: ${own}`, 202],
    ];
    for (const [field, status] of tried) {
      const got = await send({ to: 'bob@acme.example', text: field }, { more: ['-H', field] });
      assert.equal(got.status, status, `${field}: ${got.text}`);
    }
    assert.equal((await inbox('bob@acme.example')).length, before + 3);
  });

  test('JSON ends at 8 MiB, and the answer says what takes more', async () => {
    const config = (messageSize: number) => `[limits]\nmessage-size = ${messageSize}\n`;
    const small = server;
    server = await startWaypost({ config: config(20_000_000) });
    try {
      const other = new AdminClient(server.data);
      await other.call('domain.add', { domain: 'acme.example' });
      await other.call('user.add', { address: 'ann@acme.example', password: 'secret' });
      const text = `${'x'.repeat(70)}\n`.repeat(130_000);
      const json = await send({ to: 'ann@acme.example', text });
      assert.equal(json.status, 413, json.text);
      assert.match(json.text, /message\/rfc822/);
      const query = '?from=ann@acme.example&to=ann@acme.example';
      const whole = await post(`Subject: large\n\n${text}`, { query, more: ['-H', 'Content-Type: message/rfc822'] });
      assert.equal(whole.status, 202, whole.text);
    } finally {
      await server.stop();
      server = small;
    }
  });

  test('one login has five requests at once, and others have theirs', async () => {
    const message = { to: 'bob@acme.example', text: 'x' };
    let wanted = 5;
    const open = new Set<ClientRequest>();
    // One that is refused, or has had its time, is begun again: a message that asks meanwhile is one of the five.
    const hold = (): void => {
      if (open.size >= wanted) return;
      const one = request({
        host: 'localhost',
        port: server.listeners.https.port,
        path: '/v1/messages',
        method: 'POST',
        ca: readFileSync(join(server.data, 'tls', 'ca.pem')),
        auth: 'ann@acme.example:secret',
        agent: false,
      });
      one.on('error', () => {});
      one.on('close', () => {
        open.delete(one);
        setTimeout(hold, 20);
      });
      one.write('{');
      open.add(one);
    };
    for (let n = 0; n < 5; n++) hold();
    try {
      await until('the sixth is refused', async () => (await send(message)).status === 429);
      wanted = 4;
      for (const one of [...open].slice(wanted)) one.destroy();
      await until('a fifth is taken', async () => (await send(message)).status === 202);
      wanted = 5;
      hold();
      await until('the sixth is refused again', async () => (await send(message)).status === 429);
      const eve = { ...message, from: 'eve@acme.example' };
      assert.equal((await send(eve, { auth: ['-u', 'eve@acme.example:secret'] })).status, 202);
    } finally {
      wanted = 0;
      for (const one of open) one.destroy();
    }
    await until('they are over', async () => (await send(message)).status === 202);
  });

  test('what it refuses', async () => {
    const to = 'bob@acme.example';
    const bad: readonly (readonly [object, number])[] = [
      [{ to, unknown: 1 }, 400],
      [{ to, attachments: [{ content: 'AAAA', name: 'x' }] }, 400],
      [{ to, subject: 'a\r\nBcc: eve@acme.example' }, 400],
      [{ to, subject: 'a\nb' }, 400],
      [{ to: 'bob@acme.example\r\nX: y' }, 400],
      [{ to, headers: { 'X-A': 'b\rc' } }, 400],
      [{ to, headers: { 'X-A: y\r\nX-B': 'b' } }, 400],
      [{ to, headers: { Bcc: 'eve@acme.example' } }, 400],
      [{ to, attachments: [{ content: 'AAAA', filename: 'a\nb' }] }, 400],
      [{ to, attachments: [{ content: 'AAA!' }] }, 400],
      [{ to, attachments: [{ content: 'AAAA', contentType: 'text' }] }, 400],
      [{ to, dsn: { notify: ['NEVER', 'SUCCESS'] } }, 400],
      [{ to, dsn: { envid: 'x'.repeat(101) } }, 400],
      [{ to, holdUntil: '2099-01-01T00:00:00Z' }, 400],
      [{ to: [] }, 400],
      [{ to: 'no address' }, 400],
      [{ to, from: 'bob@acme.example' }, 403],
      [{ to, envelope: { from: 'eve@acme.example' } }, 403],
      [{ to, text: 'x'.repeat(SIZE_MAX) }, 413],
      [{ to, text: 'x'.repeat(3 * SIZE_MAX + 1024 * 1024) }, 413],
    ];
    const before = (await inbox(to)).length;
    for (const [message, status] of bad) {
      const got = await send(message);
      assert.equal(got.status, status, `${JSON.stringify(message).slice(0, 200)}: ${got.text}`);
    }
    for (const body of ['', '{', '[]', 'null', '"x"']) assert.equal((await post(body)).status, 400, body);
    const whole = { more: ['-H', 'Content-Type: message/rfc822'], query: `?from=ann@acme.example&to=${to}` };
    for (const body of ['Subject: a\rb\r\n\r\n', 'Subject: \0\r\n\r\n', ''])
      assert.equal((await post(body, whole)).status, 400, JSON.stringify(body));
    assert.equal((await post(Buffer.alloc(SIZE_MAX + 1, 'x\n'), whole)).status, 413);
    // As it came it would be a message, of octets that are no text.
    const coded = [...whole.more, '-H', 'Content-Encoding: deflate'];
    assert.equal((await post('Subject: a\r\n\r\n', { ...whole, more: coded })).status, 415);
    assert.equal(
      (await post(Buffer.from(`{"from":"ann@acme.example","to":"${to}","subject":"Gr\xfc"}`, 'latin1'))).status,
      400,
    );
    assert.equal((await post('x', { ...whole, query: `${whole.query}&cc=x` })).status, 400);
    assert.equal((await send({ to }, { more: ['-H', 'Idempotency-Key: a b'] })).status, 400);
    assert.equal((await send({ to }, { more: ['-X', 'PUT'] })).status, 405);
    assert.equal((await inbox(to)).length, before);
  });

  test('access rules of http and of smtp both hold; too many abroad: 429', async () => {
    const eve = { from: 'eve@acme.example', to: ['bob@acme.example'], text: 'x' };
    const auth = ['-u', 'eve@acme.example:secret'];
    const directory = await administrator(server);
    const set = (attribute: string, ...values: string[]) =>
      replaceAttribute(directory, userDn('eve@acme.example'), attribute, values);
    try {
      for (const [rule, status] of [
        ['+imap:*', 403],
        ['+http:*', 403],
        ['+smtp:*', 403],
        ['+smtp,http:*', 202],
      ] as const) {
        await set('mailAllowedServiceAccess', rule);
        assert.equal((await send(eve, { auth })).status, status, rule);
      }
      await set('waypostRecipientsPerHour', '2');
      const abroad = (count: number) => Array.from({ length: count }, (_, index) => `r${index}@remote.example`);
      assert.equal((await send({ ...eve, to: abroad(2) }, { auth })).status, 202);
      const late = await send({ ...eve, to: abroad(1) }, { auth, more: ['-i'] });
      assert.equal(late.status, 429);
      assert.match(late.text, /^retry-after: \d+/im);
      assert.equal((await send(eve, { auth })).status, 202);
      await set('waypostSubmitStatus', 'suspended');
      assert.equal((await send(eve, { auth })).status, 403);
    } finally {
      await directory.unbind();
    }
  });
});
