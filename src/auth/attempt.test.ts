import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Failure } from '../base/failure.ts';
import { parseAccessRules } from '../directory/access-rules.ts';
import type { ConnectionRecord } from '../net/connection.ts';
import type { Admission } from '../routing/admission.ts';
import type { Access } from '../routing/rows.ts';
import { type AttemptedLogin, attempt, type Claim, type LoginAccount } from './attempt.ts';
import type { LoginGuard } from './guard.ts';
import { OPEN } from './testing.ts';

interface Told {
  readonly account?: LoginAccount | undefined;
  readonly isPrivate?: boolean;
  readonly isRight?: () => boolean | Promise<boolean>;
  readonly begin?: LoginGuard['begin'];
  readonly anew?: Claim<LoginAccount>['anew'];
}

const ann: LoginAccount = { uuid: 'u1', label: 'ann@acme.example', passwords: [], admissions: [OPEN] };

function rulesOf(value: string): Access {
  const parsed = parseAccessRules(value);
  assert.ok('rules' in parsed);
  return parsed.rules;
}

/** What came of it, what the guard was told, and what the audit got. */
async function tried(told: Told): Promise<{ result: string; guard: string[]; audit: AttemptedLogin['result'][] }> {
  const guard: string[] = [];
  const audit: AttemptedLogin['result'][] = [];
  const begin: LoginGuard['begin'] = async (peer, name, uuid) => {
    guard.push(`begin ${peer} ${name} ${uuid}`);
    return {
      right: () => void guard.push('right'),
      letIn: () => void guard.push('let in'),
      wrong: async (secret) => void guard.push(`wrong ${secret}`),
      undecided: () => void guard.push('undecided'),
    };
  };
  const record = { peerAddress: '192.0.2.1', isPrivate: told.isPrivate ?? true } as ConnectionRecord;
  const result = await attempt(
    { guard: { begin: told.begin ?? begin }, audit: (line) => audit.push(line.result) },
    {
      client: { door: 'imap', record },
      mechanism: 'PLAIN',
      name: 'ann',
      account: 'account' in told ? told.account : ann,
      isRight: told.isRight ?? (() => true),
      anew: told.anew,
      secret: Buffer.from('secret'),
    },
  ).then(
    ({ uuid }) => uuid,
    (error: unknown) => (error instanceof Failure ? `${error.kind}: ${error.message}` : String(error)),
  );
  return { result, guard, audit };
}

describe('an attempt to log in', () => {
  it('gives the account when its proof is right', async () => {
    assert.deepEqual(await tried({}), {
      result: 'u1',
      guard: ['begin 192.0.2.1 ann u1', 'right', 'let in'],
      audit: ['ok'],
    });
  });

  it('says the same of a wrong proof and of an unknown name, whose proof is looked at too', async () => {
    const result = 'unauthenticated: Authentication failed';
    const wrong = await tried({ isRight: async () => false });
    assert.deepEqual(wrong, { result, guard: ['begin 192.0.2.1 ann u1', 'wrong secret'], audit: ['wrong'] });
    for (const right of [true, false]) {
      let looked = 0;
      const isRight = () => ++looked > 0 && right;
      const unknown = await tried({ account: undefined, isRight });
      const guard = ['begin 192.0.2.1 ann undefined', 'wrong secret'];
      assert.deepEqual([unknown, looked], [{ result, guard, audit: ['wrong'] }, 1]);
    }
  });

  it('says that an account may not log in only to a client that has its password', async () => {
    const refusals: [admission: Partial<Admission>, result: string, audit: string][] = [
      [{ refusedBy: 'mailUserStatus: inactive' }, 'denied: This account may not log in', 'status'],
      [{ userRules: rulesOf('-imap:*') }, 'denied: This account may not log in here', 'access'],
      [{ domainRules: rulesOf('+pop:*') }, 'denied: This account may not log in here', 'access'],
      [{ userRules: { illegal: 'x' } }, 'unavailable: The access rules of this account cannot be read', 'error'],
    ];
    for (const [admission, result, audit] of refusals) {
      const account = { ...ann, admissions: [{ ...OPEN, ...admission }] } as const;
      const right = await tried({ account });
      assert.deepEqual([right.result, right.audit, right.guard.at(-1)], [result, [audit], 'right']);
      const wrong = await tried({ account, isRight: () => false });
      assert.deepEqual([wrong.result, wrong.audit], ['unauthenticated: Authentication failed', ['wrong']]);
    }
  });

  it('looks at nothing where a third party can listen', async () => {
    const isRight = () => assert.fail('looked at');
    const open = await tried({ isPrivate: false, isRight });
    assert.deepEqual(open, { result: 'not-private: Encryption is required to log in', guard: [], audit: [] });
  });

  it('looks at nothing when the guard says no', async () => {
    const isRight = () => assert.fail('looked at');
    const begin = () => Promise.reject(new Failure('throttled', 'Later'));
    assert.deepEqual(await tried({ begin, isRight }), { result: 'throttled: Later', guard: [], audit: ['throttled'] });
  });

  it('passes on that it could not find out', async () => {
    const isRight = () => Promise.reject(new Failure('unavailable', 'x'));
    const failed = await tried({ isRight });
    const guard = ['begin 192.0.2.1 ann u1', 'undecided'];
    assert.deepEqual(failed, { result: 'unavailable: x', guard, audit: ['error'] });
  });

  it('counts a guess that was wrong here, where who has the say is silent', async () => {
    const anew = () => Promise.reject(new Failure('unavailable', 'silent'));
    const wrong = await tried({ isRight: () => false, anew });
    const result = 'unavailable: silent';
    assert.deepEqual(wrong, { result, guard: ['begin 192.0.2.1 ann u1', 'wrong secret'], audit: ['error'] });
    const account = { ...ann, admissions: [{ ...OPEN, refusedBy: 'mailUserStatus: inactive' }] } as const;
    const right = await tried({ account, anew });
    assert.deepEqual(right, { result, guard: ['begin 192.0.2.1 ann u1', 'undecided'], audit: ['error'] });
  });
});
