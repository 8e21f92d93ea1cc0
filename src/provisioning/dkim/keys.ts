// The life of signing keys: made, rotated, retired, removed.
//
// In      new private keys, made outside the writer; the time
// Out     entries below `ou=Keys`
// States  new -> signing -> retired -> gone. A new key signs for a domain once its record was seen there; when nowhere its predecessor
//         alone is seen it takes that one's place, whose record stays KEEP_MS. What has no predecessor of its own (the first pair of a
//         domain, beside the site's) stays new for KEEP_MS: until then the site's records stay, too
// Names   rYYYYMMDD and eYYYYMMDD; where one is taken, b, c .. behind it

import { DAY_MS } from '../../base/duration.ts';
import { Failure } from '../../base/failure.ts';
import { operation, type Transaction } from '../../database/operation.ts';
import { type Caller, SERVER } from '../../directory/caller.ts';
import { childrenIn, getEntryIn } from '../../directory/entries.ts';
import { type DirectoryChange, type Entry, textValue } from '../../directory/entry.ts';
import type { KeyType } from '../../message/dkim/sign.ts';
import { containerDn, nameIn } from '../../routing/containers.ts';
import { authorityIn } from '../../zones/authority.ts';
import { isObservedIn, isObservedLikeIn } from '../../zones/keys.ts';
import { applyAll, type ChangeSummary } from '../change.ts';
import type { ChangeSite } from '../write-options.ts';

const KEEP_MS = 7 * DAY_MS;
const KEYS_READ = 10_000;
/** Of one kind on one day. */
const NAMES_A_DAY = 26;

export interface NewKey {
  readonly type: KeyType;
  readonly pem: string;
  /** Undefined: by the day. */
  readonly selector?: string;
}

export interface AddKeysArguments {
  readonly keys: readonly NewKey[];
  /** Undefined: of every domain. */
  readonly domain: string | undefined;
  readonly caller: Caller;
  readonly now: number;
  readonly dryRun?: boolean;
}

interface Key {
  readonly entry: Entry;
  readonly selector: string;
  readonly type: string;
  readonly domain: string | undefined;
  readonly state: string;
}

/** A pair for every domain, where there is no key at all: the first start, and that of a store that is older than keys. */
const firstKeysOperation = (site: ChangeSite) =>
  operation('provisioning.first-keys', async (tx, { keys, now }: Pick<AddKeysArguments, 'keys' | 'now'>) => {
    if ((await allKeys(tx)).length > 0) return;
    const adds = keys.map((key) => addOf(key, nameOf(key, now, new Set()), { domain: undefined, state: 'signing' }));
    await applyAll(tx, adds, SERVER, { now, site });
  });

export function keyOperations(site: ChangeSite) {
  return [
    firstKeysOperation(site),
    operation('provisioning.add-keys', async (tx, args: AddKeysArguments): Promise<ChangeSummary> => {
      const { keys, domain, caller, now, dryRun } = args;
      const known = await allKeys(tx);
      const taken = new Set(known.map(({ selector }) => selector));
      const hasPredecessor = known.some((key) => key.state !== 'retired' && (key.domain ?? domain) === domain);
      const adds = keys.map((key) => {
        const selector = nameOf(key, now, taken);
        taken.add(selector);
        return addOf(key, selector, { domain, state: hasPredecessor ? 'new' : 'signing' });
      });
      const added = await applyAll(tx, adds, caller, { now, site });
      const moved = await promote(tx, { now, site });
      const summary = { ...added, revision: tx.revision, entries: [...added.entries, ...moved.entries] };
      return dryRun === true ? tx.rollbackWith(summary) : summary;
    }),
    operation('provisioning.tend-keys', async (tx, now: number): Promise<number> => {
      const { entries } = await promote(tx, { now, site });
      const old = (await allKeys(tx)).filter(
        ({ state, entry }) => state === 'retired' && entry.modifiedAt <= now - KEEP_MS,
      );
      const gone = old.map(({ entry }) => ({ kind: 'delete', dn: entry.dn }) as const);
      await applyAll(tx, gone, SERVER, { now, site });
      return entries.length + gone.length;
    }),
  ] as const;
}

/** For who posts them. */
export const [firstKeys, addKeys, tendKeys] = keyOperations({ hostname: 'localhost', mode: 'embedded' });

async function allKeys(tx: Transaction): Promise<Key[]> {
  const container = await getEntryIn(tx, containerDn('keys'));
  const entries = await childrenIn(tx, container.id, KEYS_READ);
  return entries.flatMap((entry) => {
    const selector = nameIn('keys', entry);
    const type = textValue(entry, 'waypostkeytype')?.toLowerCase();
    if (selector === undefined || type === undefined) return [];
    const state = textValue(entry, 'waypostkeystate')?.toLowerCase() ?? 'signing';
    return [{ entry, selector, type, domain: textValue(entry, 'waypostkeydomain')?.toLowerCase(), state }];
  });
}

function nameOf({ type, selector }: NewKey, now: number, taken: ReadonlySet<string>): string {
  if (selector !== undefined) return selector;
  const day = `${type === 'rsa' ? 'r' : 'e'}${new Date(now).toISOString().slice(0, 10).replaceAll('-', '')}`;
  for (let at = 0; at < NAMES_A_DAY; at++) {
    const name = at === 0 ? day : `${day}${String.fromCharCode(0x61 + at)}`;
    if (!taken.has(name)) return name;
  }
  throw new Failure('too-many', `there are ${NAMES_A_DAY} keys of today`);
}

function addOf(
  { type, pem }: NewKey,
  selector: string,
  { domain, state }: { readonly domain: string | undefined; readonly state: string },
): DirectoryChange {
  const attributes = {
    objectClass: 'waypostDkimKey',
    cn: selector,
    waypostKeyType: type,
    waypostKeySecret: pem,
    waypostKeyState: state,
    ...(domain === undefined ? {} : { waypostKeyDomain: domain }),
  };
  return {
    kind: 'add',
    dn: `cn=${selector},${containerDn('keys')}`,
    attributes: Object.entries(attributes).map(([name, value]) => ({ name, values: [value] })),
  };
}

/** New keys that are seen wherever their predecessors are take their place. */
async function promote(
  tx: Transaction,
  { now, site }: { readonly now: number; readonly site: ChangeSite },
): Promise<Pick<ChangeSummary, 'entries'>> {
  const usable = (await allKeys(tx)).filter(({ state }) => state !== 'retired');
  const changes: DirectoryChange[] = [];
  // The newest first.
  const fresh = usable.filter(({ state }) => state === 'new').sort((a, b) => b.entry.id - a.entry.id);
  const done = new Set<Key>();
  for (const key of fresh) {
    if (done.has(key)) continue;
    const before = usable.filter(
      (other) =>
        other !== key && other.type === key.type && other.domain === key.domain && other.entry.id < key.entry.id,
    );
    if (!(await isSeenEverywhere(tx, key, before, { now, site }))) continue;
    changes.push(stateOf(key, 'signing'), ...before.map((other) => stateOf(other, 'retired')));
    for (const other of before) done.add(other);
  }
  return applyAll(tx, changes, SERVER, { now, site });
}

async function isSeenEverywhere(
  tx: Transaction,
  { selector, domain, entry }: Key,
  before: readonly Key[],
  { now, site }: { readonly now: number; readonly site: ChangeSite },
): Promise<boolean> {
  if (domain !== undefined) {
    const isOurs = (await authorityIn(tx, domain, site)).authority === 'ours';
    if (!isOurs && !(await isObservedIn(tx, selector, domain))) return false;
    return before.length > 0 || entry.createdAt <= now - KEEP_MS;
  }
  return isObservedLikeIn(
    tx,
    selector,
    before.map((other) => other.selector),
  );
}

function stateOf({ entry }: Key, state: string): DirectoryChange {
  const modification = { operation: 'replace', attribute: 'waypostKeyState', values: [state] } as const;
  return { kind: 'modify', dn: entry.dn, modifications: [modification] };
}
