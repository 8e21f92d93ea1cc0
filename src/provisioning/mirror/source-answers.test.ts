// A source against a server of the test's own: what is made of its referrals and its silence, and what the status says of it.

import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { scriptedLdap } from '../../../test/support/scripted-ldap.ts';
import { until } from '../../../test/support/until.ts';
import { systemClock } from '../../base/clock.ts';
import { type Log, silentLog } from '../../base/log.ts';
import { encodeResponse, type LdapResponse } from '../../wire/ldap/message.ts';
import type { SearchRequest } from '../../wire/ldap/operations/search.ts';
import { result } from '../../wire/ldap/result.ts';
import { sourceOfChange } from '../ldap-source.ts';
import { add, openTestDirectory, type TestDirectory } from '../testing.ts';
import { SourceMirror } from './source-mirror.ts';
import { SourceQuestions } from './source-questions.ts';

const ANN: LdapResponse = {
  kind: 'searchEntry',
  dn: 'uid=ann,dc=corp',
  attributes: Object.entries({
    ...{ objectClass: 'inetOrgPerson', uid: 'ann', cn: 'ann', sn: 'ann', mail: 'ann@corp.example' },
    ...{ entryUUID: '6f6c1a52-0000-4000-8000-000000000001', modifyTimestamp: '20261120120000Z' },
  }).map(([name, value]) => ({ name, values: [value] })),
};
const ELSEWHERE: LdapResponse = { kind: 'searchReference', uris: ['ldap://other.example/dc=corp'] };

interface Started {
  readonly directory: TestDirectory;
  readonly url: string;
  /** Searches. */
  asked: number;
}

/** Each search is answered with these; undefined: the connection is closed. */
async function start(
  context: TestContext,
  answer: (search: SearchRequest) => readonly LdapResponse[] | undefined,
): Promise<Started> {
  const directory = await openTestDirectory();
  const { server, url } = await scriptedLdap((socket, { messageId, operation }) => {
    if (operation.kind !== 'search') return;
    started.asked++;
    const answers = answer(operation);
    if (answers === undefined) socket.destroy();
    else
      for (const each of [...answers, { kind: 'searchDone', result: result('success') } as const])
        socket.write(encodeResponse({ messageId, operation: each, controls: [] }));
  });
  const started: Started = { directory, url, asked: 0 };
  context.after(() => {
    server.close();
    return directory.close();
  });
  return started;
}

function partsOf({ directory: { reader, writer }, url }: Started, log: Log = silentLog) {
  const values = { waypostUrl: url, waypostBase: 'dc=corp', waypostSourceDomain: 'corp.example', waypostPoll: '1s' };
  const dn = 'cn=corp,ou=Sources,ou=Waypost,o=internet';
  const source = sourceOfChange(add(dn, { objectClass: 'waypostLdapSource', ...values }));
  return [{ reader, writer, clock: systemClock, log, resolver: undefined }, source] as const;
}

test('nobody found, and a referral: whoever is meant may be at the other server', async (context) => {
  let answers: readonly LdapResponse[] = [];
  const questions = new SourceQuestions(...partsOf(await start(context, () => answers)));
  const ask = () => questions.ask({ address: 'ann@corp.example' }, false);
  await ask();
  answers = [ELSEWHERE];
  await assert.rejects(ask(), { kind: 'unavailable', message: 'corp: the search leads to another server' });
  assert.equal(questions.status().state, 'retrying');
  answers = [ANN, ELSEWHERE];
  await ask();
  assert.equal(questions.status().state, 'current');
  await questions.stop();
});

test('a source that stays away for one reason is one line in the log; the status counts what it was asked', async (context) => {
  const lines: string[] = [];
  const warn = (_event: string, fields: object = {}): void => void lines.push(JSON.stringify(fields));
  let isThere = false;
  const started = await start(context, () => (isThere ? [] : undefined));
  const mirror = new SourceMirror(...partsOf(started, { ...silentLog, warn }));
  await until('it is tried a third time', () => started.asked === 3);
  assert.equal(lines.length, 1, lines.join('\n'));
  assert.notEqual(mirror.status().lastError, null);
  isThere = true;
  await until('it is there', () => mirror.status().state === 'current');
  const { searches, lastError } = mirror.status();
  assert.deepEqual([searches, lastError], [started.asked, null]);
  await mirror.stop();
});

test('who has changed is here by the next poll, without a look at all that is there', async (context) => {
  const answers: LdapResponse[] = [];
  const wholes: number[] = [];
  const started = await start(context, ({ attributes }) => {
    if (attributes.includes('entryCSN') && !attributes.includes('*')) wholes.push(answers.length);
    return answers;
  });
  const mirror = new SourceMirror(...partsOf(started));
  await until('it is there', () => mirror.status().state === 'current');
  answers.push(ANN);
  await until('she is here', () => mirror.status().entries === 1);
  assert.deepEqual(mirror.status().refused, []);
  assert.deepEqual(wholes, [0]);
  await mirror.stop();
});
