// What a change may leave behind: new breaches are refused, old ones stay.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Failure } from '../base/failure.ts';
import { operation } from '../database/operation.ts';
import { getEntry } from './entries.ts';
import type { Modification } from './entry.ts';
import { openTestDirectory, type TestDirectory } from './testing.ts';
import { unfitEntries } from './unfit-entries.ts';

let directory: TestDirectory;
before(async () => {
  directory = await openTestDirectory();
});
after(() => directory.close());

const DN = 'uid=old,o=internet';

/** As an older program has left it. */
const store = operation('test.store', async (tx, attributes: readonly [string, readonly string[]][]) => {
  await tx.run('UPDATE dit SET attributes = ? WHERE dn = ?', JSON.stringify(attributes), DN);
});

async function resultOf(...modifications: readonly Modification[]): Promise<string> {
  try {
    await directory.apply({ kind: 'modify', dn: DN, modifications });
    return 'success';
  } catch (error) {
    assert.ok(error instanceof Failure, String(error));
    return `${error.ldap?.name}: ${error.message}`;
  }
}

const replace = (attribute: string, ...values: string[]): Modification => ({ operation: 'replace', attribute, values });

describe('an entry that does not fit', () => {
  before(async () => {
    await directory.add(DN, { objectClass: 'inetOrgPerson', uid: 'old', cn: 'old', sn: 'old' });
    await directory.writer.execute(store, [
      ['objectClass', ['top', 'person', 'device', 'inetUser']],
      ['uid', ['old']],
      ['cn', ['old']],
      ['mailQuota', ['much']],
      ['inetUserStatus', ['asleep']],
    ]);
  });

  test('is named, each breach by its attribute', async () => {
    const { entries, unfit, named } = await unfitEntries(directory.reader);
    assert.deepEqual([entries, unfit, named[0]!.dn], [2, 1, DN]);
    assert.deepEqual(
      named[0]!.problems.map(({ attribute }) => attribute),
      ['objectClass', 'sn', 'mailQuota', 'mailQuota', 'inetUserStatus'],
    );
  });

  test('may change, as long as no new breach comes', async () => {
    assert.equal(await resultOf(replace('description', 'x')), 'success');
    assert.equal(await resultOf(replace('inetUserStatus', 'asleep'), replace('mailQuota', 'much')), 'success');
    assert.match(
      await resultOf(replace('inetUserStatus', 'dozing')),
      /^invalidAttributeSyntax: inetUserStatus: dozing .*active/,
    );
    assert.match(await resultOf(replace('mailHost', 'a.example')), /^objectClassViolation: .*mailHost/);
    assert.match(await resultOf(replace('cn')), /^objectClassViolation: .*needs the attribute cn/);
  });

  test('is forgotten when it is mended, and a mended breach does not come back', async () => {
    assert.equal(
      await resultOf(
        replace('objectClass', 'person', 'inetUser'),
        replace('sn', 'old'),
        replace('mailQuota'),
        replace('inetUserStatus', 'Active'),
      ),
      'success',
    );
    assert.equal((await unfitEntries(directory.reader)).unfit, 0);
    assert.match(
      await resultOf(replace('objectClass', 'person', 'device', 'inetUser')),
      /^objectClassViolation: .*two/,
    );
    assert.match(
      await resultOf(replace('objectClass', 'organizationalPerson', 'inetUser')),
      /^objectClassModsProhibited/,
    );
    assert.match(await resultOf(replace('sn')), /^objectClassViolation/);
    assert.deepEqual([...getEntry(directory.reader, DN).attributes.get('inetuserstatus')!.values], ['Active']);
  });
});

test('values are judged by what they are for: addresses, hosts, whom a list asks, words', async () => {
  await directory.add('cn=judged,o=internet', {
    objectClass: ['groupOfUniqueNames', 'inetMailGroup', 'inetMailGroupManagement', 'inetLocalMailRecipient'],
    cn: 'judged',
  });
  const judged: readonly (readonly [attribute: string, legal: readonly string[], illegal: readonly string[]])[] = [
    ['mgrpRFC822MailMember', ['ann@far.example', '"a b"@[192.0.2.1]'], ['ann', '@far.example', 'a b@c']],
    ['mailHost', ['mx1.example', '192.0.2.1', '[2001:db8::1]', '[IPv6:2001:db8::1]'], ['-mx', 'mx 1', 'mx1:25', '[mx']],
    [
      'mgrpModerator',
      ['ann@far.example', 'mailto:ann@far.example', 'cn=a', 'ldap:///o=a??sub?(cn=*)'],
      ['ann', 'ldap:x'],
    ],
    ['mgrpAllowedBroadcaster', ['uid=ann,o=internet'], ['nobody']],
    // Nobody would be disallowed, and nobody a member. One that is broken is named where lists are compiled.
    ['mgrpDisallowedBroadcaster', ['ldap:///o=a??sub?(l=x)'], ['ldap:///o=a??sub?(employeeState=gone)']],
    [
      'memberURL',
      ['ldap:///o=a??sub?(memberOf=cn=x)', 'ldap:///o=a??sub?(broken'],
      ['ldap:///o=a??sub?(!(noSuchType=x))', 'ldap:///o=a??sub?(jpegPhoto=*a*)'],
    ],
    // What a list makes of a message would say what the secret is.
    ['mgrpDeliverTo', ['ldap:///o=a??sub?(cn=x)'], ['ldap:///o=a??sub?(&(cn=x)(!(userPassword:2.5.13.18:=x)))']],
    ['mgrpModerator', ['cn=a'], ['ldap:///o=a??sub?(waypostKeySecret=x)']],
    ['mgmanHidden', ['true', 'FALSE'], ['maybe', 'anyone']],
    ['mgmanMemberVisibility', ['anyone', 'All', 'true', 'none'], ['owner']],
    ['mgmanJoinability', ['all'], ['some']],
  ];
  for (const [attribute, legal, illegal] of judged) {
    const change = (value: string): Promise<unknown> =>
      directory.apply({
        kind: 'modify',
        dn: 'cn=judged,o=internet',
        modifications: [{ operation: 'replace', attribute, values: [value] }],
      });
    for (const value of legal) await change(value);
    for (const value of illegal)
      await assert.rejects(change(value), (error: Failure) => {
        assert.equal(error.ldap?.name, 'invalidAttributeSyntax', `${attribute}: ${value}`);
        assert.match(error.message, /legal (is|are)/);
        return true;
      });
  }
});

test('a list whose member by address is none is named, as an older program has left it', async () => {
  const DN2 = 'cn=members,o=internet';
  await directory.add(DN2, {
    objectClass: ['groupOfUniqueNames', 'inetMailGroup', 'inetLocalMailRecipient'],
    cn: 'members',
    mgrpRFC822MailMember: ['ann@far.example'],
  });
  await directory.writer.execute(spoil, 'nobody at all');
  const { named } = await unfitEntries(directory.reader);
  const found = named.find(({ dn }) => dn === DN2);
  assert.match(found?.problems[0]?.reason ?? '', /^mgrpRFC822MailMember: nobody at all is not legal/);
});

const spoil = operation('test.spoil', async (tx, value: string) => {
  await tx.run("UPDATE dit_value SET value = ?, key = ?, target = '' WHERE value = ?", value, value, 'ann@far.example');
});
