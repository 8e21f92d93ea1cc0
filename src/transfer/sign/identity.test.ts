import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseHeader } from '../../message/header.ts';
import { type Maker, signingDomain } from './identity.ts';

const OURS = new Set(['acme.example', 'other.example', 'mail.host.example', 'xn--mnchen-3ya.example']);
const names = { hostname: 'mail.host.example', isOurs: (domain: string) => OURS.has(domain) };

const ann: Maker = { kind: 'account', addresses: ['ann@acme.example', 'info@xn--mnchen-3ya.example'] };
const root: Maker = { kind: 'local', isRoot: true };
const user: Maker = { kind: 'local', isRoot: false };
const list = (submitter?: readonly string[]): Maker => ({ kind: 'list', submitter });

for (const [maker, from, expected] of [
  [ann, 'From: ann@acme.example', 'acme.example'],
  [ann, 'From: "eve@other.example" <x@ACME.example>', 'acme.example'],
  [ann, 'From: a@acme.example, b@acme.example', 'acme.example'],
  [ann, 'From: People: a@acme.example, b@acme.example;', 'acme.example'],
  [ann, 'From: info@m\xc3\xbcnchen.example', 'xn--mnchen-3ya.example'],
  [ann, 'From: eve@other.example', /no address in other\.example/],
  [ann, 'From: a@acme.example, eve@other.example', /several domains/],
  [ann, 'From: a@acme.example, eve', /several domains/],
  [ann, 'From: ann@elsewhere.example', /not ours/],
  [ann, 'From: ann@sub.acme.example', /not ours/],
  [ann, 'From: ann@[192.0.2.1]', /no domain/],
  [ann, 'From: nobody', /no domain/],
  [ann, 'From:', /no domain/],
  [ann, 'Sender: ann@acme.example', /no From/],
  [ann, 'From: ann@acme.example\r\nFrom: ann@acme.example', /more than one From/],
  [ann, `From: ${'a@acme.example, '.repeat(1000)}eve@other.example`, /too many/],
  [{ kind: 'own' }, 'From: postmaster@mail.host.example', 'mail.host.example'],
  [{ kind: 'own' }, 'From: x@elsewhere.example', /not ours/],
  [root, 'From: cron@other.example', 'other.example'],
  [user, 'From: cron@other.example', /local user/],
  [user, 'From: cron@mail.host.example', 'mail.host.example'],
  [list(['ann@acme.example']), 'From: ann@acme.example', 'acme.example'],
  [list(['ann@acme.example']), 'From: eve@other.example', /no address/],
  [list(), 'From: ann@acme.example', /no account here/],
] as const)
  test(`${maker.kind}: ${from.slice(0, 60)}`, () => {
    const said = signingDomain(parseHeader(Buffer.from(`${from}\r\n\r\n`, 'latin1')), maker, names);
    if (typeof expected === 'string') assert.deepEqual(said, { domain: expected });
    else assert.match('unsigned' in said ? said.unsigned : said.domain, expected);
  });
