// group add, list, show, remove: distribution lists.

import { z } from 'zod';
import { dcDnOfDomain, SUFFIX } from '../directory/dn.ts';
import { type Entry, textValue, textValues } from '../directory/entry.ts';
import {
  type Changed,
  dryRun,
  type EntryParts,
  entriesOfClass,
  entryOfAddress,
  type ShownEntry,
  show,
  submit,
  valuesOf,
} from './entries.ts';
import { domainOf, groupDn, mailAddressOf } from './naming.ts';
import { adminOperation } from './operation.ts';

const address = z.string().min(1).max(320);

export interface ListedGroup {
  readonly address: string;
  readonly name: string;
  readonly dn: string;
  readonly members: number;
  readonly status: string;
}

function listedGroup(entry: Entry): ListedGroup {
  return {
    address: textValue(entry, 'mail') ?? '',
    name: textValue(entry, 'cn') ?? '',
    dn: entry.dn,
    members: textValues(entry, 'uniquemember').length + textValues(entry, 'mgrprfc822mailmember').length,
    status: textValue(entry, 'inetmailgroupstatus') ?? 'active',
  };
}

export const groupAdd = (parts: EntryParts) =>
  adminOperation(
    'group.add',
    z.object({ address, member: z.array(address).max(100_000).optional(), dryRun }),
    (input): Promise<Changed> => {
      const { key, ...mail } = mailAddressOf(input.address);
      const dns: string[] = [];
      const addresses: string[] = [];
      for (const each of input.member ?? []) {
        const member = mailAddressOf(each).key;
        const row = parts.routing.recipient(member);
        // Somebody with an entry is named by it, so that a change of address does not lose the member.
        if (row === undefined) addresses.push(member);
        else dns.push(row.dn);
      }
      return submit(
        parts,
        {
          kind: 'add',
          dn: groupDn(mail),
          attributes: valuesOf({
            objectClass: ['groupOfUniqueNames', 'inetMailGroup', 'inetLocalMailRecipient'],
            cn: [mail.localPart],
            mail: [key],
            uniqueMember: dns,
            mgrpRFC822MailMember: addresses,
          }),
        },
        input.dryRun,
      );
    },
  );

export const groupList = (parts: EntryParts) =>
  adminOperation('group.list', z.object({ domain: z.string().optional() }), async (input): Promise<ListedGroup[]> => {
    const base = input.domain === undefined ? SUFFIX : dcDnOfDomain(domainOf(input.domain));
    return (await entriesOfClass(parts.reader, base, 'inetMailGroup')).map(listedGroup);
  });

export const groupShow = (parts: EntryParts) =>
  adminOperation('group.show', z.object({ address }), (input): ListedGroup & { entry: ShownEntry } => {
    const entry = entryOfAddress(parts, mailAddressOf(input.address).key, 'group');
    return { ...listedGroup(entry), entry: show(entry) };
  });

export const groupRemove = (parts: EntryParts) =>
  adminOperation('group.remove', z.object({ address, dryRun }), async (input): Promise<Changed> => {
    const entry = entryOfAddress(parts, mailAddressOf(input.address).key, 'group');
    return submit(parts, { kind: 'delete', dn: entry.dn }, input.dryRun);
  });
