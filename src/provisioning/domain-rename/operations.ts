// A domain gets another name: the writer's side. The old name goes on as long as it has its entry.
//
// In      the names; where the last slice ended
// Out     begun: a node of the new name with the old one's base and settings, marked with `waypostRenamedFrom`. Slices: each
//         account and list has its addresses under both names, `mail` under the new one. Ended: domains that are other names of
//         the old one are of the new one, and the mark goes
// Rules   as long as the mark stands, whoever has no address under the new name yet is found by the old one (routing/compile.ts).
//         An address that somebody else has under the new name stays with him: the entry keeps its old ones and is named
// Limits  SLICE entries a transaction, ALIASES_MAX alias domains
// Errors  not-found where the old name is no mail domain here; exists where the new one is something already

import { asciiLower } from '../../base/characters.ts';
import { Failure } from '../../base/failure.ts';
import { type Operation, operation, type Transaction } from '../../database/operation.ts';
import { type Caller, SERVER } from '../../directory/caller.ts';
import { dcDnOfDomain, parseDn } from '../../directory/dn.ts';
import { entriesBelowIn, entriesWithIn, findEntryIn } from '../../directory/entries.ts';
import {
  type Attribute,
  type DirectoryChange,
  type Entry,
  hasClass,
  type Modification,
  textValue,
  textValues,
} from '../../directory/entry.ts';
import { mailDomainOf } from '../../directory/mail-domain.ts';
import { schema, typeKeyOf } from '../../directory/schema.ts';
import { addressKey, formatAddress, tryParseAddress } from '../../message/address.ts';
import { compileDomain } from '../../routing/compile.ts';
import { stateIn } from '../../routing/generation.ts';
import { aliasIn, recipientIn } from '../../routing/tables.ts';
import { applyAll, type ChangeSummary } from '../change.ts';
import { ANY_SITE, type ChangeSite } from '../write-options.ts';

/** People and lists of one transaction. */
export const SLICE = 500;
const ALIASES_MAX = 500;
export const RENAMED_FROM = 'waypostRenamedFrom';
const RENAMED_KEY = asciiLower(RENAMED_FROM);

/** What is of the old name alone. */
const OWN_KEYS = [
  'dc',
  'objectclass',
  'associateddomain',
  'waypostsource',
  'waypostservername',
  'inetdomainbasedn',
  'aci',
  'nsrecord',
  'soarecord',
];

interface Names {
  readonly from: string;
  readonly to: string;
  readonly now: number;
}

export interface RenameSlice {
  /** Entries that have been changed. */
  readonly entries: number;
  /** DNs of those that could not. */
  readonly kept: readonly string[];
  /** Where the next slice begins; undefined: there is none. */
  readonly last: string | undefined;
  /** The domain is not being renamed any more. */
  readonly isOver?: boolean;
}

export interface SliceArguments extends Names {
  readonly after: string | undefined;
  readonly limit: number;
  /** The entries are left as they are. */
  readonly skips?: boolean;
  /** Nothing is changed: what would be is said, also where the rename has not begun. */
  readonly isRehearsal?: boolean;
}

interface BeginArguments extends Names {
  readonly caller: Caller;
  readonly isRehearsal?: boolean;
}

export function domainRenameOperations(site: ChangeSite) {
  return [
    operation('provisioning.begin-rename', (tx, args: BeginArguments) => begin(tx, args, site)),
    operation('provisioning.rename-slice', (tx, args: SliceArguments) => slice(tx, args, site)),
    operation('provisioning.end-rename', (tx, args: Names) => end(tx, args, site)),
    leaveNodeOperation(site),
  ] as const;
}

async function begin(
  tx: Transaction,
  { from, to, now, caller, isRehearsal }: BeginArguments,
  site: ChangeSite,
): Promise<null> {
  const old = await findEntryIn(tx, dcDnOfDomain(from));
  const row = old && compileDomain(old);
  if (old === undefined || row === undefined || row.isWithoutMail === true)
    throw new Failure('not-found', `${from} is not a mail domain here`);
  if (row.aliasOf !== undefined) throw new Failure('invalid', `${from} is an alias of ${row.aliasOf || 'nothing'}`);
  if (from === to) throw new Failure('invalid', `${to} is the name that it has`);
  const dn = dcDnOfDomain(to);
  const there = await findEntryIn(tx, dn);
  if (there !== undefined && textValue(there, RENAMED_KEY) === from) return null;
  if (there !== undefined && mailDomainOf(there) !== undefined) throw new Failure('exists', `${to} exists already`);
  const attributes = settingsOf(old, from, to);
  await applyAll(tx, [{ kind: 'add', dn, attributes }], caller, { now, site });
  const mark: Modification = { operation: 'replace', attribute: RENAMED_FROM, values: [from] };
  await applyAll(tx, [{ kind: 'modify', dn, modifications: [mark] }], caller, { now, site, ofServer: true });
  return isRehearsal === true ? tx.rollbackWith(null) : null;
}

function settingsOf(old: Entry, from: string, to: string): Attribute[] {
  const copied = [...old.attributes].filter(([key, { values }]) => {
    const type = schema().attributeType(typeKeyOf(key));
    if (type === undefined || type.isMade || OWN_KEYS.includes(type.key)) return false;
    return type.key !== 'inetcanonicaldomainname' || values.every((value) => asciiLower(String(value)) !== from);
  });
  return [
    { name: 'objectClass', values: old.attributes.get('objectclass')!.values },
    { name: 'dc', values: [to.split('.')[0]!] },
    { name: 'inetDomainBaseDN', values: [textValue(old, 'inetdomainbasedn') ?? old.dn] },
    ...copied.map(([, attribute]) => attribute),
  ];
}

async function slice(
  tx: Transaction,
  { from, to, now, after, limit, skips, isRehearsal }: SliceArguments,
  site: ChangeSite,
): Promise<RenameSlice> {
  const domain = await findEntryIn(tx, dcDnOfDomain(isRehearsal === true ? from : to));
  const base = domain && compileDomain(domain)?.base;
  if (domain === undefined || !base || (isRehearsal !== true && textValue(domain, RENAMED_KEY) !== from))
    return { entries: 0, kept: [], last: undefined, isOver: true };
  const { entries, last } = await entriesBelowIn(tx, parseDn(base), after, limit);
  if (skips === true) return { entries: 0, kept: entries.map(({ dn }) => dn), last };
  const { generation } = await stateIn(tx);
  const changes: DirectoryChange[] = [];
  const kept: string[] = [];
  for (const entry of entries) {
    const row = await recipientIn(tx, generation, entry.normalizedDn);
    // Who has none there belongs to another domain.
    if (!row?.addresses.some((key) => key.endsWith(`@${from}`))) continue;
    const modifications = renamed(entry, from, to);
    if (modifications.length === 0) continue;
    const isTaken = await isAnothers(tx, generation, entry, modifications);
    if (isTaken) kept.push(entry.dn);
    else changes.push({ kind: 'modify', dn: entry.dn, modifications });
  }
  if (changes.length > 0 && isRehearsal !== true) await applyAll(tx, changes, SERVER, { now, site });
  return { entries: changes.length, kept, last };
}

/** None where all has been done. */
function renamed(entry: Entry, from: string, to: string): Modification[] {
  const twinOf = (value: string): string | undefined => {
    const address = tryParseAddress(value.trim());
    if (address?.domain !== from) return undefined;
    const twin = formatAddress({ localPart: address.localPart, domain: to });
    return tryParseAddress(twin) === undefined ? undefined : twin;
  };
  const mail = textValues(entry, 'mail');
  const old = mail.filter((value) => twinOf(value) !== undefined);
  const alternate = withTwins([...textValues(entry, 'mailalternateaddress'), ...old], twinOf, mail);
  const equivalent = withTwins(textValues(entry, 'mailequivalentaddress'), twinOf, []);
  const modifications: Modification[] = [];
  const replace = (attribute: string, values: readonly string[]): void => {
    const was = textValues(entry, asciiLower(attribute));
    if (JSON.stringify(values) !== JSON.stringify(was)) modifications.push({ operation: 'replace', attribute, values });
  };
  replace('mail', unique(mail.map((value) => twinOf(value) ?? value)));
  replace('mailAlternateAddress', alternate);
  replace('mailEquivalentAddress', equivalent);
  if (alternate.length > 0 && modifications.length > 0 && !hasClass(entry, 'inetlocalmailrecipient'))
    modifications.unshift({ operation: 'add', attribute: 'objectClass', values: ['inetLocalMailRecipient'] });
  return modifications;
}

/** The values, then those of the new name that are missing; what `mail` will have is none of them. */
function withTwins(
  values: readonly string[],
  twinOf: (value: string) => string | undefined,
  mail: readonly string[],
): string[] {
  const own = new Set(mail.map((value) => keyOf(twinOf(value) ?? value)));
  return unique(
    [...values, ...values.flatMap((value) => twinOf(value) ?? [])].filter((value) => !own.has(keyOf(value))),
  );
}

function unique(values: readonly string[]): string[] {
  return [...new Map([...values].reverse().map((value) => [keyOf(value), value])).values()].reverse();
}

function keyOf(value: string): string {
  const address = tryParseAddress(value.trim());
  return address === undefined ? value : addressKey(address);
}

async function isAnothers(
  tx: Transaction,
  generation: number,
  entry: Entry,
  modifications: readonly Modification[],
): Promise<boolean> {
  for (const value of modifications.flatMap(({ attribute, values }) => (attribute === 'objectClass' ? [] : values))) {
    const holder = await aliasIn(tx, generation, keyOf(String(value)));
    if (holder !== null && holder.entry !== entry.id) return true;
  }
  return false;
}

/** Whether that was all. */
async function end(tx: Transaction, { from, to, now }: Names, site: ChangeSite): Promise<boolean> {
  const [old, domain] = [await findEntryIn(tx, dcDnOfDomain(from)), await findEntryIn(tx, dcDnOfDomain(to))];
  if (domain === undefined || textValue(domain, RENAMED_KEY) !== from) return true;
  const options = { now, site, ofServer: true };
  const pointing = await entriesWithIn(tx, 'aliasedObjectName', dcDnOfDomain(from), ALIASES_MAX);
  const aliases = pointing.filter((entry) => compileDomain(entry)?.aliasOf === from);
  if (aliases.length > 0) {
    const changes = aliases.map(({ dn }) => modifyOf(dn, 'replace', 'aliasedObjectName', [domain.dn]));
    await applyAll(tx, changes, SERVER, options);
    return false;
  }
  const names = old === undefined ? [] : textValues(old, 'associateddomain').filter((name) => asciiLower(name) !== to);
  const changes = [modifyOf(domain.dn, 'replace', RENAMED_FROM, [])];
  if (old?.attributes.has('associateddomain') === true)
    changes.unshift(modifyOf(old.dn, 'delete', 'associatedDomain', []));
  if (names.length > 0) changes.push(modifyOf(domain.dn, 'add', 'associatedDomain', names));
  await applyAll(tx, changes, SERVER, options);
  return true;
}

function modifyOf(
  dn: string,
  kind: Modification['operation'],
  attribute: string,
  values: readonly string[],
): DirectoryChange {
  return { kind: 'modify', dn, modifications: [{ operation: kind, attribute, values }] };
}

export interface LeaveNodeArguments {
  readonly domain: string;
  readonly caller: Caller;
  readonly now: number;
  readonly dryRun?: boolean;
}

const DOMAIN_CLASSES = ['inetdomain', 'maildomain', 'inetdomainalias', 'waypostdomain'];
const NODE_KEYS = ['objectclass', 'dc', 'description', 'aci'];

/** The entry is a domain no more, and stays as a node for those below it: they have addresses of another domain. */
function leaveNodeOperation(site: ChangeSite): Operation<LeaveNodeArguments, ChangeSummary> {
  return operation('provisioning.leave-node', async (tx, { domain, caller, now, dryRun }): Promise<ChangeSummary> => {
    const entry = await findEntryIn(tx, dcDnOfDomain(domain));
    if (entry === undefined) throw new Failure('not-found', `${domain} has no entry`);
    const classes = textValues(entry, 'objectclass').filter((name) => !DOMAIN_CLASSES.includes(asciiLower(name)));
    const modifications: Modification[] = [{ operation: 'replace', attribute: 'objectClass', values: classes }];
    for (const [key, { name }] of entry.attributes)
      if (!NODE_KEYS.includes(typeKeyOf(key)))
        modifications.push({ operation: 'replace', attribute: name, values: [] });
    const change: DirectoryChange = { kind: 'modify', dn: entry.dn, modifications };
    const summary = await applyAll(tx, [change], caller, { now, site, ofServer: true });
    return dryRun === true ? tx.rollbackWith(summary) : summary;
  });
}

/** For who posts them. */
export const [beginRename, renameSlice, endRename, leaveNode] = domainRenameOperations(ANY_SITE);
