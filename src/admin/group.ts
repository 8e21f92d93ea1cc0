// group add, list, show, remove: distribution lists.

import { z } from 'zod';
import { type Entry, memberTotal, textValue } from '../directory/entry.ts';
import type { Changed } from './changed.ts';
import {
  addressInput,
  addWords,
  containerOf,
  dryRun,
  type EntryParts,
  named,
  removal,
  removeInput,
  type ShownEntry,
  show,
  shownOfAddress,
  submitForCommand,
  valuesOf,
} from './entries.ts';
import { domainsOfList, listInput, listOf } from './listed.ts';
import { groupDn, mailAddressOf } from './naming.ts';
import { adminOperation, forDomains } from './operation.ts';

export interface ListedGroup {
  readonly address: string;
  readonly name: string;
  readonly dn: string;
  readonly members: number;
  readonly status: string;
}

function listedGroup(entry: Entry): ListedGroup {
  return {
    address: textValue(entry, 'mail')?.trim() ?? '',
    name: textValue(entry, 'cn') ?? '',
    dn: entry.dn,
    members: memberTotal(entry),
    status: textValue(entry, 'inetmailgroupstatus') ?? 'active',
  };
}

export const groupAdd = (parts: EntryParts) =>
  forDomains(
    adminOperation(
      'group.add',
      z.strictObject({ address: addressInput, member: z.array(addressInput).max(100_000).optional(), dryRun }),
      (input, caller, peer): Promise<Changed> => {
        const mail = mailAddressOf(input.address);
        // An entry that is named twice, perhaps by two addresses, is one member.
        const dns = new Set<string>();
        const addresses = new Set<string>();
        for (const each of input.member ?? []) {
          const member = mailAddressOf(each);
          const row = parts.routing.recipient(member.key);
          // A member that has an entry is stored by its DN, so that a change of its address does not lose it.
          if (row === undefined) addresses.add(member.text);
          else dns.add(row.dn);
        }
        const dn = groupDn(mail, containerOf(parts, mail.domain, 'Groups'));
        const submitted = submitForCommand(
          parts,
          {
            kind: 'add',
            dn,
            attributes: valuesOf({
              objectClass: ['groupOfUniqueNames', 'inetMailGroup', 'inetLocalMailRecipient'],
              cn: [mail.localPart],
              mail: [mail.text],
              uniqueMember: [...dns],
              mgrpRFC822MailMember: [...addresses],
            }),
          },
          { caller, peer, dryRun: input.dryRun },
        );
        return named(submitted, addWords(parts, 'group', mail, dn));
      },
    ),
    ({ address: of }) => [of],
  );

export const groupList = (parts: EntryParts) =>
  forDomains(adminOperation('group.list', listInput, listOf(parts, 'inetMailGroup', listedGroup)), domainsOfList);

export const groupShow = (parts: EntryParts) =>
  forDomains(
    adminOperation(
      'group.show',
      z.strictObject({ address: addressInput }),
      (input, caller): ListedGroup & { entry: ShownEntry } => {
        const entry = shownOfAddress(parts, mailAddressOf(input.address), { kind: 'group', caller });
        return { ...listedGroup(entry), entry: show(parts.reader, entry) };
      },
    ),
    ({ address: of }) => [of],
  );

export const groupRemove = (parts: EntryParts) =>
  forDomains(adminOperation('group.remove', removeInput, removal(parts, 'group')), ({ address: of }) => [of]);
