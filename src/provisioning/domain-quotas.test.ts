// Who counts for a domain with a limit: those who are there when it gets one, those who come later, nobody once it has none.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { until } from '../../test/support/until.ts';
import { silentLog } from '../base/log.ts';
import { DomainQuotas } from './domain-quotas.ts';
import { addDomain, addUser, domainDn, openTestDirectory, replace } from './testing.ts';

test('a domain with a limit counts who is in it, and who comes later; without one, nobody', async (context) => {
  const directory = await openTestDirectory();
  const { reader, writer } = directory;
  const quotas = new DomainQuotas({ reader, writer, log: silentLog });
  context.after(async () => {
    await quotas.stop();
    directory.close();
  });
  const counted = (): string[] =>
    reader
      .arrays(
        `SELECT dit.dn FROM mailbox JOIN account ON account.id = mailbox.account JOIN dit ON dit.uuid = account.uuid
         WHERE mailbox.quota_root IS NOT NULL ORDER BY dit.dn`,
      )
      .map(([dn]) => String(dn).split(',')[0]!);
  const follows = (names: readonly string[]): Promise<void> => {
    quotas.wake();
    return until(`counted are ${names.join()}`, () => counted().join() === names.join());
  };
  await directory.apply(addDomain('acme.example'), addDomain('b.example'), addUser('ann@acme.example'));
  quotas.start();
  await directory.apply(replace(domainDn('acme.example'), { mailDomainMsgQuota: '5' }));
  await follows(['uid=ann']);
  await directory.apply(addUser('bob@acme.example'), addUser('cid@b.example'));
  await follows(['uid=ann', 'uid=bob']);
  await directory.apply(replace(domainDn('acme.example'), { mailDomainMsgQuota: [] }));
  await follows([]);
  assert.deepEqual(counted(), []);
});
