import assert from 'node:assert/strict';
import { describe, it, test } from 'node:test';
import fc from 'fast-check';
import { fuzzCases, mutatedText } from '../../../test/support/nearly-right.ts';
import { asFailure, Failure } from '../../base/failure.ts';
import { type AccountId, idOf, type PublishedRevision } from '../../base/ids.ts';
import type { ConnectionRecord } from '../../net/connection.ts';
import type { Line } from '../../wire/framer.ts';
import { StandingLogin } from '../standing-login.ts';
import { tableLogins } from '../testing.ts';
import { exchangeLines } from './lines.ts';
import type { SaslClaim, SaslParts } from './mechanism.ts';
import { findMechanism, mechanisms } from './mechanisms.ts';

const logins = tableLogins(new Map([['ann@acme.example', { account: idOf<AccountId>(1), password: 'sécret' }]]));
const record = { peerAddress: '192.0.2.1', isPrivate: true } as ConnectionRecord;
const b64 = (text: string | Buffer) => Buffer.from(text).toString('base64');

/** What the client sees, and what comes of it. */
async function said(mechanism: string, initial: string | undefined, ...lines: string[]): Promise<string[]> {
  const told: string[] = [];
  try {
    const login = await exchangeLines(logins.sasl({ door: 'imap', record }, mechanism), initial, {
      challenge: (text) => told.push(`+ ${Buffer.from(text, 'base64')}`),
      line: async () => lineOf(lines.shift()),
    });
    return [...told, login === undefined ? 'gone' : `${login.now()?.addresses}`];
  } catch (error) {
    return [...told, `${asFailure(error).kind} ${asFailure(error).message}`];
  }
}

function lineOf(text: string | undefined): Line | undefined {
  return text === undefined ? undefined : ({ kind: 'line', text } as Line);
}

const MALFORMED = 'syntax The authentication response is malformed';

describe('PLAIN', () => {
  it('takes the initial response, or asks with an empty challenge', async () => {
    assert.deepEqual(await said('PLAIN', b64('\0ann@acme.example\0sécret')), ['ann@acme.example']);
    assert.deepEqual(await said('plain', undefined, b64('\0Ann@ACME.example\0sécret')), ['+ ', 'ann@acme.example']);
  });

  it('passes over blanks around a response; blanks alone are no initial response', async () => {
    const right = b64('\0ann@acme.example\0sécret');
    assert.deepEqual(await said('PLAIN', ` ${right}`), ['ann@acme.example']);
    assert.deepEqual(await said('PLAIN', `${right}  `), ['ann@acme.example']);
    assert.deepEqual(await said('PLAIN', '', `${right} `), ['+ ', 'ann@acme.example']);
    assert.deepEqual(await said('PLAIN', ' ', ' * '), ['+ ', 'syntax Authentication cancelled']);
  });

  it('takes an authorization identity only when it is the same', async () => {
    const same = b64('ann@acme.example\0ann@acme.example\0sécret');
    assert.deepEqual(await said('PLAIN', same), ['ann@acme.example']);
    const other = await said('PLAIN', b64('root\0ann@acme.example\0sécret'));
    assert.deepEqual(other, ['unauthenticated Authentication failed']);
  });

  const malformed = ['=', 'a', 'YQ', 'YQ=', 'YR==', 'YQ==\0', ' YQ==', 'AGEAYg==\r', b64('a'), b64('a\0b')];
  // The name in the place of whom it wants to act for is none.
  malformed.push(b64('ann@acme.example\0\0sécret'));
  malformed.push(b64('\0\0b'), b64('\0a\0'), b64('\0a\0b\0c'), b64(`\0${'a'.repeat(256)}\0b`));
  malformed.push(b64(`\0a\0${'b'.repeat(1025)}`), b64(Buffer.from([0, 0xff, 0, 0x61])), 'A'.repeat(20_000));
  for (const response of malformed)
    it(`refuses ${JSON.stringify(response.slice(0, 20))}`, async () => {
      assert.deepEqual(await said('PLAIN', response), [MALFORMED]);
    });
});

describe('LOGIN', () => {
  it('asks for the name, then for the password', async () => {
    const asked = ['+ Username:', '+ Password:', 'ann@acme.example'];
    assert.deepEqual(await said('LOGIN', undefined, b64('ann@acme.example'), b64('sécret')), asked);
  });

  it('takes the name as the initial response', async () => {
    assert.deepEqual(await said('LOGIN', b64('ann@acme.example'), b64('sécret')), ['+ Password:', 'ann@acme.example']);
  });

  it('ends when the client gives up, or is gone', async () => {
    assert.deepEqual(await said('LOGIN', undefined, '*'), ['+ Username:', 'syntax Authentication cancelled']);
    assert.deepEqual(await said('LOGIN', undefined), ['+ Username:', 'gone']);
  });

  it('refuses an empty name and an empty password', async () => {
    assert.deepEqual(await said('LOGIN', '='), [MALFORMED]);
    assert.deepEqual(await said('LOGIN', b64('ann'), ''), ['+ Password:', MALFORMED]);
  });
});

describe('a SASL exchange', () => {
  it('knows its mechanisms in any case', () => {
    assert.equal(findMechanism('plain')?.name, 'PLAIN');
    assert.equal(findMechanism('CRAM-MD5'), undefined);
    assert.equal(findMechanism('__proto__'), undefined);
  });

  it('answers any lines with a step or a failure', async () => {
    const line = fc.oneof(fc.string({ unit: 'binary' }), fc.base64String());
    const lines = fc.array(line, { maxLength: 3 });
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom('PLAIN', 'LOGIN'),
        fc.option(line, { nil: undefined }),
        lines,
        async (...told) => {
          const last = (await said(told[0], told[1], ...told[2])).at(-1)!;
          assert.match(last, /^(gone|syntax|unauthenticated)/);
        },
      ),
    );
  });
});

/** What a login needs of a client, as far as an exchange has it; whoever it is is let in. */
function claims(told: Omit<SaslClaim, 'proofFor'>[]): SaslParts<string> {
  const letIn = async (claim: Omit<SaslClaim, 'proofFor'>) => {
    told.push(claim);
    const revision = idOf<PublishedRevision>(0);
    return new StandingLogin({ revision: () => revision, read: () => claim.name });
  };
  const tls = { clientAddress: 'ann@acme.example' };
  return {
    client: { door: 'imap', record: { ...record, tls } as ConnectionRecord },
    find: (name) => ({ account: undefined, name }),
    logIn: letIn,
    byPassword: letIn,
    isOffered: () => true,
    channelBinding: () => undefined,
    saltFor: () => Buffer.alloc(16),
    nonce: () => 'ours',
  };
}

test('any lines end an exchange with who is meant, or in a failure of syntax, whatever the mechanism', async () => {
  const lines = [
    b64('\0ann@acme.example\0sécret'),
    b64('ann\0ann\0b'),
    b64('ann@acme.example'),
    '',
    '=',
    '*',
    ' YQ== ',
  ];
  lines.push(
    b64('n,,n=ann@acme.example,r=theirs'),
    b64(`c=biws,r=theirsours,p=${b64(Buffer.alloc(32))}`),
    b64('\0a\0'),
  );
  const line = mutatedText(lines);
  // Without a signature to give: the last step of SCRAM is another test's.
  const names = mechanisms.map(({ name }) => name).filter((name) => !name.startsWith('SCRAM'));
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...names),
      fc.option(line, { nil: undefined }),
      fc.tuple(line, line),
      async (name, initial, given) => {
        const told: Omit<SaslClaim, 'proofFor'>[] = [];
        const sent = [initial ?? '', ...given].map((text) => text.trim());
        const next: (string | undefined)[] = [...given];
        try {
          const login = await exchangeLines(findMechanism(name)!.begin(claims(told)), initial, {
            challenge: () => {},
            line: async () => lineOf(next.shift()),
          });
          if (login === undefined) return;
        } catch (error) {
          assert.ok(error instanceof Failure && error.kind === 'syntax', String(error));
          return;
        }
        const [claim, more] = told;
        assert.ok(claim !== undefined && more === undefined);
        if (name === 'EXTERNAL') return;
        const secret = claim.secret!.toString('latin1');
        assert.ok(claim.name !== '' && secret !== '' && !`${claim.name}${claim.authzid}${secret}`.includes('\0'));
        const utf8 = (text: string) => Buffer.from(text).toString('latin1');
        const parts =
          name === 'PLAIN' ? [[utf8(claim.authzid), utf8(claim.name), secret].join('\0')] : [utf8(claim.name), secret];
        for (const part of parts) assert.ok(sent.includes(b64(Buffer.from(part, 'latin1'))), part);
      },
    ),
    fuzzCases(1000),
  );
});
