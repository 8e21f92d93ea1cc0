// A name that nobody has is counted as one, however it is spelled, as a name that somebody has is: see guard.ts, Never.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { asFailure } from '../base/failure.ts';
import { type AccountId, idOf } from '../base/ids.ts';
import type { ConnectionRecord } from '../net/connection.ts';
import type { LoginDoor } from './login-client.ts';
import type { Logins } from './logins.ts';
import { tableLogins } from './testing.ts';

const table = new Map([['ann@acme.example', { account: idOf<AccountId>(1), password: 'secret' }]]);
/** More than one client may try at one name. */
const TRIES = 10;

type Try = (logins: Logins, client: { door: LoginDoor; record: ConnectionRecord }, secret: Buffer) => Promise<unknown>;

let peers = 0;

/** What the next try as `second` hears, behind as many as there may be as `first`. */
async function heard(door: LoginDoor, first: Try, second: Try): Promise<string> {
  const logins = tableLogins(table);
  const client = { door, record: { peerAddress: `192.0.2.${++peers}`, isPrivate: true } as ConnectionRecord };
  const kind = (tried: Promise<unknown>) => tried.then(String, (error: unknown) => asFailure(error).kind);
  for (let i = 0; i < TRIES; i++)
    assert.equal(await kind(first(logins, client, Buffer.from(`guess ${peers} ${i}`))), 'unauthenticated');
  return kind(second(logins, client, Buffer.from(`guess ${peers}`)));
}

const byName =
  (name: string): Try =>
  (logins, client, secret) =>
    logins.login(client, name, secret);
const byDn =
  (dn: string): Try =>
  (logins, client, secret) =>
    logins.bind(client, dn, secret);
const bySasl =
  (name: string): Try =>
  (logins, client, secret) =>
    logins.saslBind(client, 'PLAIN').respond(Buffer.from(`\0${name}\0${secret}`));

describe('spellings of a name', () => {
  it('are counted as one, known or not', async () => {
    for (const who of ['ann', 'nobody']) {
      const quoted = byName(`"${who}"@ACME.example`);
      if (who === 'nobody') assert.equal(await heard('imap', byName(`${who}@acme.example`), quoted), 'throttled');
      const prefixed = bySasl(`u:${who}@acme.example`);
      assert.equal(await heard('ldap', bySasl(`${who}@acme.example`), prefixed), 'throttled', who);
    }
    const dns: [string, string] = ['uid=nobody,o=internet', 'UID=nobody, o=Internet'];
    assert.equal(await heard('ldap', byDn(dns[0]), byDn(dns[1])), 'throttled');
    assert.equal(await heard('ldap', byDn(dns[0]), bySasl(`dn:${dns[1]}`)), 'throttled');
  });

  it('are others where the names are', async () => {
    assert.equal(await heard('imap', byName('nobody@acme.example'), byName('no.body@acme.example')), 'unauthenticated');
  });
});
