// What a domain's accounts hold together: the counter against a naive sum, whatever happens to their mailboxes.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { copy } from './copy.ts';
import { expunge } from './expunge.ts';
import type { UidRange } from './mailbox-key.ts';
import { createMailbox, deleteMailbox, findMailbox, renameMailbox } from './mailboxes.ts';
import { assignQuotaRoot, domainQuotaUse } from './quota.ts';
import { TestStore } from './testing.ts';

const DOMAINS = ['one.example', 'two.example'] as const;

type Step =
  | { readonly do: 'append' | 'delete' | 'create'; readonly account: number; readonly box: number }
  | { readonly do: 'expunge' | 'copy' | 'rename'; readonly account: number; readonly box: number }
  | { readonly do: 'assign'; readonly account: number; readonly domain: number };

const account = fc.nat(2);
const box = fc.nat(2);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('append' as const), account, box }) },
  fc.record({ do: fc.constantFrom('expunge' as const, 'copy' as const, 'rename' as const), account, box }),
  fc.record({ do: fc.constantFrom('create' as const, 'delete' as const), account, box }),
  fc.record({ do: fc.constant('assign' as const), account, domain: fc.integer({ min: -1, max: 1 }) }),
);

test('a domain’s counter is the sum of its accounts’ mailboxes, whatever happens to them', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 30 }), async (steps) => {
      const store = new TestStore();
      const { writer, reader } = store.database;
      try {
        const accounts = [await store.account(), await store.account(), await store.account()];
        const domainOf: (string | null)[] = [null, null, null];
        let renamed = 0;
        for (const one of steps) {
          const owner = accounts[one.account]!;
          if (one.do === 'assign') {
            const domain = DOMAINS[one.domain] ?? null;
            domainOf[one.account] = domain;
            await writer.execute(assignQuotaRoot, { accounts: [owner], domain });
            continue;
          }
          const name = one.box === 0 ? 'INBOX' : `box${one.box}`;
          const found = findMailbox(reader, owner, name);
          if (one.do === 'create' && found === undefined) await writer.execute(createMailbox, { owner, name });
          if (found === undefined) continue;
          const key = { reader: owner, owner, mailbox: found.id };
          const all = [[1, 1_000_000]] as unknown as readonly UidRange[];
          if (one.do === 'append') await store.append(owner, name, 'x'.repeat(1 + one.account * 7));
          if (one.do === 'copy') await writer.execute(copy, { ...key, ranges: all, target: 'INBOX' });
          if (one.do === 'expunge')
            await writer.execute(expunge, { owner, mailbox: found.id, ranges: undefined, deletedOnly: false });
          // INBOX stays, and its messages go into the new one.
          if (one.do === 'rename')
            await writer.execute(renameMailbox, { owner, from: name, to: `moved/box${++renamed}` });
          if (one.do === 'delete' && one.box !== 0) await writer.execute(deleteMailbox, { owner, name });
        }
        // The naive judge: every reference that is in a mailbox that is there.
        for (const domain of DOMAINS) {
          const sum = { octets: 0, messages: 0 };
          for (const [index, owner] of accounts.entries())
            if (domainOf[index] === domain)
              for (const row of reader.all(
                `SELECT size FROM mailbox_message AS m WHERE account = ?
                 AND EXISTS (SELECT 1 FROM mailbox WHERE account = m.account AND id = m.mailbox)`,
                owner,
              )) {
                sum.octets += Number(row['size']);
                sum.messages++;
              }
          assert.deepEqual(domainQuotaUse(reader, domain), sum);
        }
        assert.deepEqual(await store.problems(), []);
      } finally {
        await store.close();
      }
    }),
    { numRuns: 40, endOnFailure: true },
  );
});
