// Entries as operations give them out, and adding and removing them. Shared by domain, user and group.

import { z } from 'zod';
import type { DirectoryResultName } from '../base/directory-result.ts';
import { Failure } from '../base/failure.ts';
import type { Revision } from '../base/ids.ts';
import type { Reader } from '../database/operation.ts';
import { sightOf } from '../directory/access/sight.ts';
import type { Caller } from '../directory/caller.ts';
import { findEntry } from '../directory/entries.ts';
import { type AttributeValue, type DirectoryChange, type Entry, memberTotal } from '../directory/entry.ts';
import { changeRecord } from '../directory/ldif-text.ts';
import { readMemberValues, withMembers } from '../directory/member-values.ts';
import { schema } from '../directory/schema.ts';
import { withoutSecrets } from '../directory/secrets.ts';
import { type ProvisioningParts, submitChange } from '../provisioning/submit.ts';
import type { RoutingCache } from '../routing/cache.ts';
import { type Changed, changedOf } from './changed.ts';
import { type MailAddress, mailAddressOf } from './naming.ts';

export interface EntryParts extends ProvisioningParts {
  readonly reader: Reader;
  readonly routing: RoutingCache;
}

/** What an entry says, without its passwords. */
export interface ShownEntry {
  readonly dn: string;
  readonly uuid: string;
  readonly revision: Revision;
  readonly attributes: Readonly<Record<string, readonly string[]>>;
  /** Members that are not among them. Absent where there are none. */
  readonly more?: number;
}

/** Rows of a list; a list that is longer says so by its length. */
export const LIST_MAX = 10_000;
const MEMBERS_SHOWN = 1000;

export const dryRun = z.boolean().optional();

/** Of a list its first members: a hundred thousand are for LDAP, which gives them in pages. */
export function show(reader: Reader, entry: Entry): ShownEntry {
  const counts = entry.memberCounts;
  const first = counts === undefined ? [] : readMemberValues(reader, entry.id, 0, MEMBERS_SHOWN);
  const members = first.filter(({ attribute }) => counts!.has(attribute));
  const whole = withMembers(withoutSecrets(entry), members);
  const more = memberTotal(entry) - members.length;
  const attributes: Record<string, readonly string[]> = Object.create(null);
  for (const { name, values } of whole.attributes.values()) {
    attributes[name] = values.map((value) =>
      typeof value === 'string' ? value : `base64:${Buffer.from(value).toString('base64')}`,
    );
  }
  const shown = { dn: entry.dn, uuid: entry.uuid, revision: entry.revision, attributes };
  return more > 0 ? { ...shown, more } : shown;
}

/** The caller of a change, and whether it is a dry run. */
export interface Asked {
  readonly caller: Caller;
  readonly peer: string;
  readonly dryRun: boolean | undefined;
}

export async function submitForCommand(
  parts: EntryParts,
  change: DirectoryChange,
  { caller, peer, dryRun = false }: Asked,
): Promise<Changed> {
  try {
    return changedOf(await submitChange(parts, { changes: [change], caller, peer, dryRun }), dryRun);
  } catch (error) {
    throw isElsewhere(error)
      ? new Failure('denied', `${error.message}\n\n${changeRecord(withHiddenSecrets(change))}`)
      : error;
  }
}

/** A mirrored entry is changed at its source: who has a command at hand is told what to do there. */
function isElsewhere(error: unknown): error is Failure {
  return error instanceof Failure && error.kind === 'denied' && error.ldap?.name === 'referral';
}

function withHiddenSecrets(change: DirectoryChange): DirectoryChange {
  const shown = (name: string, values: readonly AttributeValue[]) =>
    schema().description(name)?.type.isSecret === true ? values.map(() => '...') : values;
  if (change.kind === 'add')
    return {
      ...change,
      attributes: change.attributes.map(({ name, values }) => ({ name, values: shown(name, values) })),
    };
  if (change.kind !== 'modify') return change;
  const modifications = change.modifications.map((each) => ({ ...each, values: shown(each.attribute, each.values) }));
  return { ...change, modifications };
}

/** The DN below which the entries of a mail domain are. Throws `not-found`. */
export function baseOf(parts: EntryParts, domain: string): string {
  const route = parts.routing.route(domain);
  if (route?.aliasOf !== undefined)
    throw new Failure('invalid', `${domain} is an alias of ${route.aliasOf || 'nothing'}: its people are there`);
  if (route !== undefined) return route.base;
  throw new Failure('not-found', `${domain} is not a mail domain here: waypost domain add ${domain}`);
}

/** Where people or lists of a mail domain are put: in its container, else directly below its base. Throws `not-found`. */
export function containerOf(parts: EntryParts, domain: string, container: 'People' | 'Groups'): string {
  const base = baseOf(parts, domain);
  const entry = findEntry(parts.reader, `ou=${container},${base}`) ?? findEntry(parts.reader, base);
  return entry?.dn ?? base;
}

/** Texts that replace the directory's own, by its result. */
export type Words = Partial<Record<DirectoryResultName, string | (() => string)>>;

/** The directory's failures by the name that was asked for, not by DN. What has no words here keeps its own. */
export async function named<T>(submitted: Promise<T>, words: Words): Promise<T> {
  try {
    return await submitted;
  } catch (error) {
    const result = error instanceof Failure ? error.ldap : undefined;
    const text = result && words[result.name];
    if (text === undefined) throw error;
    throw new Failure((error as Failure).kind, typeof text === 'string' ? text : text(), { cause: error });
  }
}

/** Why this entry cannot be added: it is there, or its name is another's, or there is nothing to stand below. */
export function addWords(parts: EntryParts, kind: 'user' | 'group', { key, text }: MailAddress, dn: string): Words {
  const word = { user: 'user', group: 'list' }[kind];
  return {
    entryAlreadyExists: () =>
      parts.routing.recipient(key)?.kind === kind
        ? `the ${word} ${text} exists already`
        : `${dn} exists already, and ${text} is no address of a ${word} there`,
    noSuchObject: `there is no entry that ${dn} can stand below`,
  };
}

/** The user or group entry that claims this address. Throws `not-found`. */
export function entryOfAddress(parts: EntryParts, { key, text }: MailAddress, kind: 'user' | 'group'): Entry {
  const row = parts.routing.recipient(key);
  const entry = row?.kind === kind ? findEntry(parts.reader, row.dn) : undefined;
  if (entry === undefined) throw new Failure('not-found', `no ${kind} has the address ${text}`);
  return entry;
}

/** The same, as the caller may see it. Throws `not-found` where that is not at all. */
export function shownOfAddress(
  parts: EntryParts,
  address: MailAddress,
  { kind, caller }: { readonly kind: 'user' | 'group'; readonly caller: Caller },
): Entry {
  const shown = sightOf(parts.reader, caller, false).shown(entryOfAddress(parts, address, kind));
  if (shown === undefined) throw new Failure('not-found', `no ${kind} has the address ${address.text}`);
  return shown;
}

export const addressInput = z.string().min(1).max(320);
export const removeInput = z.strictObject({ address: addressInput, dryRun });

/** What `user remove` and `group remove` run. */
export function removal(parts: EntryParts, kind: 'user' | 'group') {
  return async (input: z.infer<typeof removeInput>, caller: Caller, peer: string): Promise<Changed> => {
    const { dn } = entryOfAddress(parts, mailAddressOf(input.address), kind);
    return submitForCommand(parts, { kind: 'delete', dn }, { caller, peer, dryRun: input.dryRun });
  };
}

export function valuesOf(values: Readonly<Record<string, readonly string[]>>): { name: string; values: string[] }[] {
  return Object.entries(values)
    .filter(([, list]) => list.length > 0)
    .map(([name, list]) => ({ name, values: [...list] }));
}
