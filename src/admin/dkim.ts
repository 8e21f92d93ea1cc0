// dkim list, rotate, import: the keys that sign mail, and the records that others verify it by. A private key is never said.

import { z } from 'zod';
import { asciiLower } from '../base/characters.ts';
import { Failure } from '../base/failure.ts';
import { children, findEntry } from '../directory/entries.ts';
import type { Entry } from '../directory/entry.ts';
import { keyRecord, makePrivateKey, PEM_BYTES, pemOf, publicOf, readPrivateKey } from '../message/dkim/key.ts';
import type { KeyType } from '../message/dkim/sign.ts';
import { isSelector, SELECTOR_FORM } from '../provisioning/dkim/key-check.ts';
import { type AddKeysArguments, addKeys } from '../provisioning/dkim/keys.ts';
import { containerDn } from '../routing/containers.ts';
import { compileZoneSetting } from '../zones/settings.ts';
import { type Changed, changedOf } from './changed.ts';
import { dryRun, type EntryParts, LIST_MAX } from './entries.ts';
import { domainOf } from './naming.ts';
import { adminOperation } from './operation.ts';

const domain = z.string().min(1).max(255);

export interface ListedKey {
  readonly selector: string;
  /** Null: of every domain that has none of its own. */
  readonly domain: string | null;
  readonly type: KeyType;
  readonly state: 'new' | 'signing' | 'retired';
  /** Of `SELECTOR._domainkey`. */
  readonly record: string;
}

export const dkimList = ({ reader }: Pick<EntryParts, 'reader'>) =>
  adminOperation('dkim.list', z.strictObject({}), (): ListedKey[] => {
    const container = findEntry(reader, containerDn('keys'));
    return container === undefined ? [] : children(reader, container.id, LIST_MAX).flatMap(listed);
  });

function listed(entry: Entry): ListedKey[] {
  const row = compileZoneSetting(entry);
  if (row?.kind !== 'key') return [];
  return [{ selector: row.key, domain: row.domain ?? null, type: row.type, state: row.state, record: keyRecord(row) }];
}

/** A new pair, for every domain or for one; it signs once its records are seen. */
export const dkimRotate = (parts: EntryParts) =>
  adminOperation(
    'dkim.rotate',
    z.strictObject({ domain: domain.optional(), dryRun }),
    async (input, caller): Promise<Changed> => {
      const own = input.domain === undefined ? undefined : ownDomain(parts, input.domain);
      const types: readonly KeyType[] = ['rsa', 'ed25519'];
      const keys = await Promise.all(types.map(async (type) => ({ type, pem: pemOf(await makePrivateKey(type)) })));
      return added(parts, { keys, domain: own, caller, dryRun: input.dryRun });
    },
  );

/** A key that was made elsewhere, as PEM. */
export const dkimImport = (parts: EntryParts) =>
  adminOperation(
    'dkim.import',
    z.strictObject({ domain, selector: z.string().max(63), key: z.string().max(PEM_BYTES), dryRun }),
    async (input, caller): Promise<Changed> => {
      const selector = asciiLower(input.selector);
      if (!isSelector(selector)) throw new Failure('invalid', `${selector} is no selector: ${SELECTOR_FORM}`);
      const key = readPrivateKey(input.key);
      const keys = [{ type: publicOf(key).type, pem: pemOf(key), selector }];
      return added(parts, { keys, domain: ownDomain(parts, input.domain), caller, dryRun: input.dryRun });
    },
  );

function ownDomain({ routing }: EntryParts, text: string): string {
  const own = domainOf(text);
  if (routing.route(own) === undefined) throw new Failure('not-found', `${own} is no mail domain here`);
  return own;
}

async function added(
  { writer, clock }: EntryParts,
  {
    dryRun: isDry = false,
    ...args
  }: Omit<AddKeysArguments, 'now' | 'dryRun'> & { readonly dryRun: boolean | undefined },
): Promise<Changed> {
  return changedOf(await writer.execute(addKeys, { ...args, now: clock.now(), dryRun: isDry }), isDry);
}
