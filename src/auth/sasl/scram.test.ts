// SCRAM's server against RFC 7677's example, a client written from RFC 5802 alone, and clients that cheat.

import assert from 'node:assert/strict';
import { createHash, createHmac, pbkdf2Sync } from 'node:crypto';
import { describe, it } from 'node:test';
import { systemClock } from '../../base/clock.ts';
import { asFailure } from '../../base/failure.ts';
import { type AccountId, idOf, type PublishedRevision } from '../../base/ids.ts';
import type { ConnectionRecord } from '../../net/connection.ts';
import { HashGate } from '../hash-gate.ts';
import type { LoginDirectory } from '../login-directory.ts';
import { Logins } from '../logins.ts';
import { makeKeys, newSalting } from '../scram-keys.ts';
import { freely, OPEN } from '../testing.ts';
import type { SaslExchange, SaslParts } from './mechanism.ts';
import { scram } from './scram.ts';

const gate = new HashGate({ slots: 1 });
const salting = newSalting();
const keysOf = async (password: string) => (await makeKeys(Buffer.from(password), gate, salting))!;
const pencil = await keysOf('pencil');
const second = await keysOf('second');

/** Ann under two addresses, Bob without keys. What Ann has may be changed. */
function setUp(offered = true) {
  const state = { anns: [pencil, '{SSHA}x', second] };
  const account = (name: string, number: number, passwords: readonly string[]) => {
    const caller = { kind: 'entry', uuid: name, dn: `uid=${name}` } as const;
    const login = {
      account: idOf<AccountId>(number),
      entry: number,
      dn: caller.dn,
      addresses: [`${name}@acme.example`],
    };
    const mail = { ...login, ...OPEN, caller };
    return { uuid: name, label: name, passwords, tokens: [], admissions: [OPEN] as const, mail };
  };
  const directory: LoginDirectory = {
    find(name) {
      const address = name.toLowerCase();
      if (address === 'ann@acme.example' || address === 'a,=n@acme.example') return account('ann', 1, state.anns);
      return address === 'bob@acme.example' ? account('bob', 2, ['{SSHA}x']) : undefined;
    },
    findEntry: () => undefined,
    shared: () => undefined,
    findToken: () => undefined,
    now: () => undefined,
  };
  const logins = new Logins({
    directory,
    revision: () => idOf<PublishedRevision>(0),
    gate,
    clock: systemClock,
    scram: { isOffered: () => offered, secret: Buffer.from('of this server'), learn: () => {} },
    ...freely(),
  });
  return { state, logins };
}

const BINDINGS: Readonly<Record<string, Buffer>> = {
  'tls-exporter': Buffer.from('exported'),
  'tls-server-end-point': Buffer.from('certificate'),
};

/** Each login comes from another address: guessing is not what is tried here. */
let peers = 0;

function clientOver(channel: 'none' | 'tls') {
  const tls = { protocol: 'TLSv1.3', canBind: true, channelBinding: (type: string) => BINDINGS[type] };
  const peerAddress = `192.0.2.${++peers}`;
  const record = { peerAddress, isPrivate: true, tls: channel === 'tls' ? tls : undefined };
  return { door: 'imap' as const, record: record as unknown as ConnectionRecord };
}

/** What a client says, and how it may stray from it. */
interface Script {
  readonly header?: string;
  readonly user?: string;
  readonly password?: string;
  readonly nonce?: string;
  /** What it signs for the nonce that the server has told. */
  readonly signedNonce?: (nonce: string) => string;
  /** In the place of the channel's. */
  readonly binding?: Buffer;
  readonly first?: (message: string) => string;
  readonly final?: (message: string) => string;
  readonly between?: () => void;
}

/** Runs a login as RFC 5802 §3 has it. The server's signature is checked. */
async function converse(exchange: SaslExchange<unknown>, script: Script = {}): Promise<string> {
  const { header = 'n,,', user = 'ann@acme.example', password = 'pencil', nonce = 'fyko+d2lbbFgONRv9qkxdawL' } = script;
  const stray = (message: string, change: Script['first']) => Buffer.from((change ?? ((text) => text))(message));
  try {
    const bare = `n=${user},r=${nonce}`;
    const asked = await exchange.respond(stray(header + bare, script.first));
    assert.ok(asked.kind === 'challenge');
    const challenge = asked.octets.toString();
    const [, serverNonce, salt, iterations] = /^r=([^,]+),s=([^,]+),i=(\d+)$/.exec(challenge)!;
    script.between?.();
    const salted = pbkdf2Sync(password, Buffer.from(salt!, 'base64'), Number(iterations), 32, 'sha256');
    const clientKey = hmac(salted, 'Client Key');
    const channel = Buffer.concat([Buffer.from(header), script.binding ?? Buffer.alloc(0)]).toString('base64');
    const signedNonce = (script.signedNonce ?? ((told) => told))(serverNonce!);
    const withoutProof = `c=${channel},r=${signedNonce}`;
    const message = `${bare},${challenge},${withoutProof}`;
    const signature = hmac(createHash('sha256').update(clientKey).digest(), message);
    const proof = clientKey.map((octet, at) => octet ^ signature[at]!);
    const last = `${withoutProof},p=${Buffer.from(proof).toString('base64')}`;
    const answer = await exchange.respond(stray(last, script.final));
    assert.ok(answer.kind === 'success');
    assert.equal(answer.octets!.toString(), `v=${hmac(hmac(salted, 'Server Key'), message).toString('base64')}`);
    return 'ok';
  } catch (error) {
    if (error instanceof assert.AssertionError) throw error;
    return asFailure(error).kind;
  }
}

const escaped = (special: string) => (special === '=' ? '=3D' : '=2C');

function hmac(key: Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}

const begin = (logins: Logins, mechanism = 'SCRAM-SHA-256', channel: 'none' | 'tls' = 'none') =>
  logins.sasl(clientOver(channel), mechanism);

describe('SCRAM-SHA-256', () => {
  it("says what RFC 7677's example says", async () => {
    const keys = await makeKeys(Buffer.from('pencil'), gate, {
      iterations: 4096,
      salt: Buffer.from('W22ZaJ0SNY7soEsUEjb6gQ==', 'base64'),
    });
    const account = { uuid: 'user', label: 'user', passwords: [keys!], tokens: [] };
    const seen: string[] = [];
    const parts = {
      find: (name: string) => ({ account, name }),
      isOffered: () => false,
      nonce: () => '%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0',
      async logIn({ name, proofFor }) {
        seen.push(`${name} ${await proofFor(account, name).isRight()}`);
        return 'in' as never;
      },
    } satisfies Partial<SaslParts<never>> as unknown as SaslParts<never>;
    const exchange = scram.begin(parts);
    const first = await exchange.respond(Buffer.from('n,,n=user,r=rOprNGfwEbeRWgbNEkqO'));
    assert.equal(
      first.octets?.toString(),
      'r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096',
    );
    const last = await exchange.respond(
      Buffer.from(
        'c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=',
      ),
    );
    assert.deepEqual(seen, ['user true']);
    assert.equal(last.octets?.toString(), 'v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=');
  });

  it('logs in by any name and any password of the account, with or without an initial response', async () => {
    const { logins } = setUp();
    assert.equal(await converse(begin(logins)), 'ok');
    assert.equal(await converse(begin(logins), { user: 'A=2C=3DN@acme.example' }), 'ok');
    assert.equal(await converse(begin(logins), { password: 'second' }), 'ok');
    assert.equal(await converse(begin(logins), { header: 'y,,' }), 'ok');
    assert.equal(await converse(begin(logins), { header: 'n,a=,' }), 'ok');
    const exchange = begin(logins);
    assert.deepEqual(await exchange.respond(undefined), { kind: 'challenge', octets: Buffer.alloc(0) });
    assert.equal(await converse(exchange), 'ok');
  });

  it('acts for another address of the account, and for nobody else', async () => {
    const { logins } = setUp();
    assert.equal(await converse(begin(logins), { header: 'n,a=a=2C=3Dn@acme.example,' }), 'ok');
    for (const authzid of ['bob@acme.example', 'nobody@acme.example'])
      assert.equal(await converse(begin(logins), { header: `n,a=${authzid},` }), 'unauthenticated');
  });

  it('refuses a wrong password, an unknown name and an account without keys alike', async () => {
    const { logins } = setUp();
    assert.equal(await converse(begin(logins), { password: 'Pencil' }), 'unauthenticated');
    assert.equal(await converse(begin(logins), { user: 'bob@acme.example' }), 'unauthenticated');
    assert.equal(await converse(begin(logins), { user: 'nobody@acme.example' }), 'unauthenticated');
  });

  it('tells an unknown name the same salt each time, and another name another', async () => {
    const { logins } = setUp();
    const saltOf = async (user: string) => {
      const { octets } = await begin(logins).respond(Buffer.from(`n,,n=${user},r=x`));
      return octets!.toString().split(',').slice(1).join();
    };
    assert.match(await saltOf('nobody@acme.example'), /^s=[A-Za-z0-9+/]{22}==,i=65536$/);
    assert.equal(await saltOf('nobody@acme.example'), await saltOf('Nobody@ACME.example'));
    assert.equal(await saltOf('nobody@acme.example'), await saltOf('"nobody"@acme.example'));
    assert.notEqual(await saltOf('nobody@acme.example'), await saltOf('bob@acme.example'));
    assert.equal(await saltOf('ann@acme.example'), await saltOf('a=2C=3Dn@acme.example'));
  });

  it('tells it over LDAP too, where prefixes stand before names', async () => {
    const { logins } = setUp();
    const saltOf = async (user: string) => {
      const exchange = logins.saslBind({ ...clientOver('none'), door: 'ldap' }, 'SCRAM-SHA-256');
      const { octets } = await exchange.respond(Buffer.from(`n,,n=${user.replace(/[=,]/g, escaped)},r=x`));
      return octets!.toString().split(',')[1];
    };
    assert.equal(await saltOf('nobody@acme.example'), await saltOf('u:nobody@acme.example'));
    assert.equal(await saltOf('dn:uid=nobody,o=internet'), await saltOf('dn:UID=nobody, o=Internet'));
    assert.notEqual(await saltOf('dn:uid=nobody,o=internet'), await saltOf('dn:uid=somebody,o=internet'));
  });

  const cheats: [what: string, kind: string, script: Script][] = [
    ['another nonce', 'unauthenticated', { final: (text) => text.replace(/r=([^,]+)/, 'r=$1x') }],
    ['another nonce that it has signed', 'unauthenticated', { signedNonce: (nonce) => `${nonce}x` }],
    ['its own nonce alone', 'unauthenticated', { signedNonce: () => 'fyko+d2lbbFgONRv9qkxdawL' }],
    ['another binding', 'unauthenticated', { final: (text) => text.replace('c=biws', 'c=eSws') }],
    ['a binding that is no base64', 'unauthenticated', { final: (text) => text.replace('c=biws', 'c=@@@') }],
    ['a binding where none is agreed', 'unauthenticated', { binding: Buffer.from('exported') }],
    ['`p` without -PLUS', 'unauthenticated', { header: 'p=tls-exporter,,', binding: Buffer.from('exported') }],
    ['an extension that must be known', 'syntax', { first: (text) => text.replace('n,,', 'n,,m=x,') }],
    ['the same behind the nonce', 'syntax', { first: (text) => `${text},m=x` }],
    ['a megabyte', 'syntax', { user: 'a'.repeat(1 << 20) }],
    ['a megabyte at the end', 'syntax', { final: (text) => text.replace(',p=', `,x=${'a'.repeat(1 << 20)},p=`) }],
    ['no name', 'syntax', { user: '' }],
    ['a name of 256 octets', 'syntax', { user: 'a'.repeat(256) }],
    ['a name with a bad escape', 'syntax', { user: 'ann=2c' }],
    ['a name with NUL', 'syntax', { user: 'ann\0' }],
    ['no nonce', 'syntax', { nonce: '' }],
    ['a nonce beyond ASCII', 'syntax', { nonce: 'é' }],
    ['no header', 'syntax', { header: '' }],
    ['an unknown flag', 'syntax', { header: 'x,,' }],
    ['something else as the authzid', 'syntax', { header: 'n,b=x,' }],
    ['no proof', 'syntax', { final: (text) => text.replace(/,p=.*/, '') }],
    ['an empty proof', 'syntax', { final: (text) => text.replace(/,p=.*/, ',p=') }],
    ['a short proof', 'syntax', { final: (text) => text.replace(/,p=.*/, ',p=AAAA') }],
    ['something behind the proof', 'syntax', { final: (text) => `${text},x=1` }],
    ['nothing', 'syntax', { first: () => '' }],
  ];
  for (const [what, kind, script] of cheats)
    it(`takes no ${what}`, async () => assert.equal(await converse(begin(setUp().logins), script), kind));

  it('takes a last message once: in another exchange it is worth nothing', async () => {
    const { logins } = setUp();
    let told = '';
    assert.equal(await converse(begin(logins), { final: (text) => (told = text) }), 'ok');
    assert.equal(await converse(begin(logins), { final: () => told }), 'unauthenticated');
  });

  it('refuses a password that is taken away between the first message and the last', async () => {
    const { logins, state } = setUp();
    const between = () => void (state.anns = [second]);
    assert.equal(await converse(begin(logins), { between }), 'unauthenticated');
    assert.equal(await converse(begin(logins), { password: 'second' }), 'ok');
  });

  it('is there only where it is offered', () => {
    const { logins } = setUp(false);
    assert.deepEqual(logins.mechanisms(clientOver('tls')), ['PLAIN', 'LOGIN']);
    assert.throws(() => begin(logins), { kind: 'unsupported' });
  });
});

describe('SCRAM-SHA-256-PLUS', () => {
  const PLUS = 'SCRAM-SHA-256-PLUS';
  const over = (script: Script, mechanism = PLUS) => converse(begin(setUp().logins, mechanism, 'tls'), script);

  it('is offered over TLS, before all others', () => {
    const { logins } = setUp();
    assert.deepEqual(logins.mechanisms(clientOver('tls')), [PLUS, 'SCRAM-SHA-256', 'PLAIN', 'LOGIN']);
    assert.deepEqual(logins.mechanisms(clientOver('none')), ['SCRAM-SHA-256', 'PLAIN', 'LOGIN']);
    assert.throws(() => begin(logins, PLUS), { kind: 'unsupported' });
  });

  it('logs in over the channel that both have', async () => {
    for (const [type, binding] of Object.entries(BINDINGS))
      assert.equal(await over({ header: `p=${type},,`, binding }), 'ok', type);
  });

  it('takes no other channel, no type that it does not have, and no client that binds to none', async () => {
    const other = Buffer.from('of somebody between');
    assert.equal(await over({ header: 'p=tls-exporter,,', binding: other }), 'unauthenticated');
    assert.equal(await over({ header: 'p=tls-exporter,,' }), 'unauthenticated');
    assert.equal(
      await over({ header: 'p=tls-server-end-point,,', binding: BINDINGS['tls-exporter']! }),
      'unauthenticated',
    );
    assert.equal(await over({ header: 'p=tls-unique,,', binding: other }), 'unauthenticated');
    assert.equal(await over({ header: 'p=,,' }), 'syntax');
    assert.equal(await over({ header: 'n,,' }), 'unauthenticated');
    assert.equal(await over({ header: 'y,,' }), 'unauthenticated');
  });

  it('is not to be taken out of the list: a client that saw none of it is refused without it too', async () => {
    assert.equal(await over({ header: 'y,,' }, 'SCRAM-SHA-256'), 'unauthenticated');
    assert.equal(await over({ header: 'n,,' }, 'SCRAM-SHA-256'), 'ok');
  });

  it('is judged alike where the client names the mechanism without it, as Cyrus SASL does', async () => {
    const header = 'p=tls-exporter,,';
    assert.equal(await over({ header, binding: BINDINGS['tls-exporter']! }, 'SCRAM-SHA-256'), 'ok');
    assert.equal(await over({ header, binding: Buffer.from('x') }, 'SCRAM-SHA-256'), 'unauthenticated');
  });
});
