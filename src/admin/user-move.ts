// user move: another address, in this domain or in another one, in one commit. The mailbox stays.
//
// In      the address now, the address to be
// Out     the entry below the other domain's base, `mail` is the new address. Addresses that route there stay, the old one among
//         them where both domains have one base; those that would route no more go
// Errors  not-found, exists

import { z } from 'zod';
import { asciiLower } from '../base/characters.ts';
import { ADDRESS_KEYS } from '../directory/address-attributes.ts';
import { escapeDnValue, parentOf, parseDn, type Rdn } from '../directory/dn.ts';
import { type DirectoryChange, type Entry, type Modification, textValues } from '../directory/entry.ts';
import { addressKey, tryParseAddress } from '../message/address.ts';
import { submitChange } from '../provisioning/submit.ts';
import { readState } from '../routing/generation.ts';
import { readBase } from '../routing/tables.ts';
import { type Changed, changedOf } from './changed.ts';
import {
  addressInput,
  addWords,
  baseOf,
  containerOf,
  dryRun,
  type EntryParts,
  entryOfAddress,
  named,
} from './entries.ts';
import { type MailAddress, mailAddressOf } from './naming.ts';
import { adminOperation, forDomains } from './operation.ts';

export const userMove = (parts: EntryParts) =>
  forDomains(
    adminOperation(
      'user.move',
      z.strictObject({ address: addressInput, to: addressInput, dryRun }),
      (input, caller, peer): Promise<Changed> => {
        const from = mailAddressOf(input.address);
        const to = mailAddressOf(input.to);
        const entry = entryOfAddress(parts, from, 'user');
        const rename = renameTo(parts, entry, to);
        const dn = nameAfter(entry, rename);
        const modify: DirectoryChange = { kind: 'modify', dn, modifications: addressesOf(parts, entry, to) };
        const changes = rename === undefined ? [modify] : [rename, modify];
        const submitted = submitChange(parts, { changes, caller, peer, dryRun: input.dryRun ?? false });
        return named(
          submitted.then((summary) => changedOf(summary, input.dryRun ?? false)),
          addWords(parts, 'user', to, dn),
        );
      },
    ),
    ({ address: of, to }) => [of, to],
  );

type Rename = Extract<DirectoryChange, { kind: 'rename' }>;

/** Undefined where the entry stands well: below the base of the new address's domain, under a name that still says whose it is. */
function renameTo(parts: EntryParts, entry: Entry, { localPart, domain }: MailAddress): Rename | undefined {
  const dn = parseDn(entry.dn);
  const base = parseDn(baseOf(parts, domain));
  const { generation } = readState(parts.reader);
  const stays = readBase(parts.reader, generation, entry.normalizedDn) === base.normalized;
  const newRdn = `uid=${escapeDnValue(asciiLower(localPart))}`;
  const own = dn.rdns[0]!;
  const rdn = isUid(own) && own.normalized !== parseDn(newRdn).normalized ? newRdn : own.text;
  if (stays && rdn === own.text) return undefined;
  const newSuperior = stays ? undefined : containerOf(parts, domain, 'People');
  return { kind: 'rename', dn: entry.dn, newRdn: rdn, deleteOldRdn: true, newSuperior };
}

function isUid({ avas }: Rdn): boolean {
  return avas.length === 1 && avas[0]!.type?.key === 'uid';
}

function nameAfter({ dn }: Entry, rename: Rename | undefined): string {
  if (rename === undefined) return dn;
  return `${rename.newRdn},${rename.newSuperior ?? parentOf(parseDn(dn))!.text}`;
}

function addressesOf(parts: EntryParts, entry: Entry, to: MailAddress): Modification[] {
  const base = baseOf(parts, to.domain);
  const kept = (values: readonly string[]): string[] => {
    const found = new Map<string, string>();
    for (const value of values) {
      const address = tryParseAddress(value.trim());
      if (address === undefined || parts.routing.route(address.domain)?.base !== base) continue;
      if (addressKey(address) !== to.key) found.set(addressKey(address), value);
    }
    return [...found.values()];
  };
  const [mail, alternate, equivalent] = ADDRESS_KEYS.map((key) => textValues(entry, key));
  return [
    { operation: 'replace', attribute: 'mail', values: [to.text] },
    {
      operation: 'replace',
      attribute: 'mailAlternateAddress',
      values: kept([...alternate!, ...mail!]),
    },
    ...(equivalent!.length === 0
      ? []
      : [{ operation: 'replace' as const, attribute: 'mailEquivalentAddress', values: kept(equivalent!) }]),
  ];
}
