// mailbox acl show, set, remove: who else may do what in a folder; as SETACL and GETACL, by the administrator.

import { z } from 'zod';
import { Failure } from '../base/failure.ts';
import { changedLine, textOfIdentity } from '../routing/identifier.ts';
import { type Parties, partiesOf } from '../routing/identities.ts';
import { aclOf } from '../routing/mailbox-rights.ts';
import { setAcl } from '../store/acl.ts';
import { changedRights, MAILBOX_RIGHTS, parseRights, type RightsChange } from '../store/rights.ts';
import { addressInput, dryRun, type EntryParts } from './entries.ts';
import { folderInput, type OwnedFolder, ownedFolder } from './folder.ts';
import { adminOperation, forDomains } from './operation.ts';

/** One line of a folder's list. */
export interface AclLine {
  /** An address or `anyone`, `-` before it where it takes away; null: its entry has no address now. */
  readonly identifier: string | null;
  readonly rights: string;
}

export interface AclChanged extends AclLine {
  readonly dryRun: boolean;
  /** What its line had before. */
  readonly before: string;
}

const place = { address: addressInput, folder: folderInput };
const identifier = z.string().min(1).max(321);

export const mailboxAclShow = (parts: EntryParts) =>
  forDomains(
    adminOperation('mailbox.acl.show', z.strictObject(place), (input): AclLine[] => {
      const parties = partiesOf(parts.reader);
      const { party, key } = ownedFolder(parts.reader, parties, input);
      // A list is not its mailbox's owner by name: its members are.
      const own: AclLine[] = party.isList ? [] : [{ identifier: party.address ?? null, rights: MAILBOX_RIGHTS }];
      const others = aclOf(parts.reader, party, key).map((row) => ({
        identifier: textOfIdentity(parties, row) ?? null,
        rights: row.rights,
      }));
      return [...own, ...others];
    }),
    ({ address }) => [address],
  );

export const mailboxAclSet = (parts: EntryParts) =>
  adminOperation(
    'mailbox.acl.set',
    z.strictObject({ ...place, identifier, rights: z.string().max(40), dryRun }),
    (input): Promise<AclChanged> => {
      const sign = input.rights[0];
      const change = sign === '+' ? 'add' : sign === '-' ? 'remove' : 'replace';
      const letters = change === 'replace' ? input.rights : input.rights.slice(1);
      const rights = parseRights(letters);
      if (rights === undefined)
        throw new Failure(
          'invalid',
          `${letters} are no rights: they are letters of ${MAILBOX_RIGHTS}, c for kx and d for te`,
        );
      return changeLine(parts, input, { change, rights });
    },
  );

export const mailboxAclRemove = (parts: EntryParts) =>
  adminOperation(
    'mailbox.acl.remove',
    z.strictObject({ ...place, identifier, dryRun }),
    (input): Promise<AclChanged> => {
      const { now } = lineOf(parts.reader, partiesOf(parts.reader), input);
      if (now === '')
        throw new Failure('not-found', `${input.identifier} has no line in the list of rights of ${input.folder}`);
      return changeLine(parts, input, { change: 'replace', rights: '' });
    },
  );

interface LineInput {
  readonly address: string;
  readonly folder: string;
  readonly identifier: string;
  readonly dryRun?: boolean | undefined;
}

/** What the line of an identifier has now, '' where there is none. */
function lineOf(reader: EntryParts['reader'], parties: Parties, input: LineInput) {
  const owned: OwnedFolder = ownedFolder(reader, parties, input);
  const line = changedLine(parties, owned.key.owner, input.identifier);
  const row = aclOf(reader, owned.party, owned.key).find(
    ({ identity, negative }) => identity === line.identity && negative === line.negative,
  );
  return { key: owned.key, line, now: row?.rights ?? '' };
}

async function changeLine(
  { reader, writer }: EntryParts,
  input: LineInput,
  { change, rights }: { readonly change: RightsChange; readonly rights: string },
): Promise<AclChanged> {
  const parties = partiesOf(reader);
  const { key, line, now: before } = lineOf(reader, parties, input);
  const isDryRun = input.dryRun === true;
  if (!isDryRun) await writer.execute(setAcl, { ...key, ...line, change, rights });
  const after = isDryRun ? changedRights(before, change, rights) : lineOf(reader, parties, input).now;
  return {
    dryRun: isDryRun,
    identifier: textOfIdentity(parties, { ...line, rights: '' }) ?? null,
    before,
    rights: after,
  };
}
