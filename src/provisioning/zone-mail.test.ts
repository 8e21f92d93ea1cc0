import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ZoneMail } from './zone-mail.ts';

const ZONE = 'corp.example';

function domains(
  records: readonly (readonly [name: string, preference: number, exchange: string])[],
  cuts: string[] = [],
) {
  const mail = new ZoneMail(ZONE, ['Mail.acme.example', 'old.acme.example']);
  for (const name of cuts) mail.note({ name, type: 'NS', target: 'ns.example' });
  for (const [name, preference, exchange] of records) mail.note({ name, type: 'MX', preference, exchange });
  return Object.fromEntries(mail.domains());
}

test('best, not best, not ours', () => {
  const records = [
    ['Corp.example', 10, 'MAIL.acme.example'],
    ['corp.example', 20, 'backup.example'],
    ['far.corp.example', 20, 'old.acme.example'],
    ['far.corp.example', 10, 'mx.far.example'],
    ['both.corp.example', 10, 'mx.far.example'],
    ['both.corp.example', 10, 'mail.acme.example'],
    ['twice.corp.example', 30, 'mail.acme.example'],
    ['twice.corp.example', 20, 'mx.far.example'],
    ['twice.corp.example', 10, 'old.acme.example'],
    ['foreign.corp.example', 10, 'mx.far.example'],
    ['null.corp.example', 0, '.'],
  ] as const;
  assert.deepEqual(domains(records), {
    'corp.example': 'local',
    'far.corp.example': 'mx',
    'both.corp.example': 'local',
    'twice.corp.example': 'local',
  });
});

test('no wildcard, nothing outside the zone, nothing below a delegation, no name without mail', () => {
  const names = ['*.corp.example', 'xcorp.example', 'example', 'a.b.corp.example', 'b.corp.example', '_a.corp.example'];
  const records = names.map((name) => [name, 10, 'mail.acme.example'] as const);
  assert.deepEqual(domains(records, ['corp.example', 'B.corp.example', 'other.example']), {});
});

test('the order of the records means nothing', () => {
  const record = fc.tuple(
    fc.constantFrom('corp.example', 'a.corp.example'),
    fc.nat(3),
    fc.constantFrom('mail.acme.example', 'old.acme.example', 'mx.far.example'),
  );
  fc.assert(
    fc.property(fc.array(record), (records) => {
      const best = (name: string, isOurs: (exchange: string) => boolean) =>
        Math.min(
          ...records.filter(([owner, , exchange]) => owner === name && isOurs(exchange)).map(([, each]) => each),
        );
      const expected: Record<string, string> = {};
      for (const name of ['corp.example', 'a.corp.example']) {
        const ours = best(name, (exchange) => exchange !== 'mx.far.example');
        if (ours !== Number.POSITIVE_INFINITY) expected[name] = ours <= best(name, () => true) ? 'local' : 'mx';
      }
      assert.deepEqual(domains(records), expected);
    }),
  );
});
