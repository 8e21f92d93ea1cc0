// user add, list, show, remove. What becomes of a user's mail: user-set.ts, user-suspend.ts.

import { z } from 'zod';
import { type Entry, textValue } from '../directory/entry.ts';
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
import { mailAddressOf, userDn } from './naming.ts';
import { adminOperation, forDomains, forSelf } from './operation.ts';
import { deliveryWords } from './words.ts';

export interface ListedUser {
  readonly address: string;
  readonly name: string;
  readonly dn: string;
  readonly status: string;
}

export interface ShownUser extends ListedUser {
  /** What becomes of mail, in words. */
  readonly delivery: readonly string[];
  readonly entry: ShownEntry;
}

function listedUser(entry: Entry): ListedUser {
  return {
    address: textValue(entry, 'mail')?.trim() ?? '',
    name: textValue(entry, 'cn') ?? '',
    dn: entry.dn,
    status: textValue(entry, 'mailuserstatus') ?? textValue(entry, 'inetuserstatus') ?? 'active',
  };
}

export const userAdd = (parts: EntryParts) =>
  forDomains(
    adminOperation(
      'user.add',
      z.strictObject({
        address: addressInput,
        name: z.string().max(200).optional(),
        /** Undefined sets none: the user cannot log in until there is one. */
        password: z.string().min(1).max(1024).optional(),
        alias: z.array(addressInput).max(1000).optional(),
        dryRun,
      }),
      (input, caller, peer): Promise<Changed> => {
        const mail = mailAddressOf(input.address);
        const name = input.name ?? mail.localPart;
        // An address that is given twice is one address.
        const aliases = new Set((input.alias ?? []).map((each) => mailAddressOf(each).text));
        aliases.delete(mail.text);
        const dn = userDn(mail, containerOf(parts, mail.domain, 'People'));
        const submitted = submitForCommand(
          parts,
          {
            kind: 'add',
            dn,
            attributes: valuesOf({
              objectClass: ['inetOrgPerson', 'inetUser', 'inetMailUser', 'inetLocalMailRecipient'],
              uid: [mail.localPart],
              cn: [name],
              sn: [name.trim().split(' ').at(-1) || name],
              mail: [mail.text],
              mailAlternateAddress: [...aliases],
              userPassword: input.password === undefined ? [] : [input.password],
            }),
          },
          { caller, peer, dryRun: input.dryRun },
        );
        return named(submitted, addWords(parts, 'user', mail, dn));
      },
    ),
    ({ address: of, alias = [] }) => [of, ...alias],
  );

export const userList = (parts: EntryParts) =>
  forDomains(adminOperation('user.list', listInput, listOf(parts, 'inetMailUser', listedUser)), domainsOfList);

export const userShow = (parts: EntryParts) =>
  forSelf(
    adminOperation('user.show', z.strictObject({ address: addressInput }), (input, caller): ShownUser => {
      const entry = shownOfAddress(parts, mailAddressOf(input.address), { kind: 'user', caller });
      return { ...listedUser(entry), delivery: deliveryWords(entry), entry: show(parts.reader, entry) };
    }),
    ({ address: of }) => [of],
  );

/** The mail stays in the store until it is collected; the address is free at once. */
export const userRemove = (parts: EntryParts) =>
  forDomains(adminOperation('user.remove', removeInput, removal(parts, 'user')), ({ address: of }) => [of]);
