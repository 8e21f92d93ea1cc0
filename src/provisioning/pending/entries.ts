// Domains that wait for a word: `associatedDomain=NAME` below `ou=Pending`, one entry each.
//
// In      what messages for the name have shown, a policy's name and its action
// Out     the entry, read and written
// States  seen (made) -> seen again -> approved, refused, or gone: PENDING_MS unseen, or among more than PENDING_MAX the one
//         that was seen longest ago
// Limits  PENDING_MAX entries; one is written at most once in WRITTEN_AGAIN_MS

import { DAY_MS } from '../../base/duration.ts';
import type { Json, JsonObject } from '../../base/json.ts';
import { operation, type Reader, type Transaction } from '../../database/operation.ts';
import { type ApplyOptions, applyChange } from '../../directory/apply-change.ts';
import { children, childrenIn, countChildrenIn, findEntry, findEntryIn, getEntryIn } from '../../directory/entries.ts';
import { type Entry, textValue } from '../../directory/entry.ts';
import { formatGeneralizedTime, generalizedTimeToMs } from '../../directory/scalars.ts';
import { containerDn } from '../../routing/containers.ts';
import { stateIn } from '../../routing/generation.ts';
import { routeIn } from '../../routing/tables.ts';
import { isWithinLimits } from '../arrival/make.ts';
import { tombstoneOfIn } from '../tombstones.ts';

export const PENDING_MAX = 1000;
export const WRITTEN_AGAIN_MS = 60_000;
const PENDING_MS = 7 * DAY_MS;

/** What a policy does with a name that is not ours yet, and that somebody has to see first. */
export type PendingAction = 'propose' | 'approve';

export interface PendingDomain {
  readonly domain: string;
  readonly action: PendingAction;
  /** The policy's name. */
  readonly policy: string;
  /** Epoch ms. */
  readonly firstSeen: number;
  readonly lastSeen: number;
  readonly seen: number;
  /** As waypostDomainEvidence has it: JSON. */
  readonly evidence: string;
}

export interface SeenArguments
  extends Pick<PendingDomain, 'domain' | 'action' | 'policy' | 'evidence' | 'seen' | 'lastSeen'> {
  readonly now: number;
  /** New names are counted with those that it brings: clientOf. */
  readonly peer: string;
}

export interface Seen {
  readonly firstSeen: number;
  /** It may be written again then, epoch ms. */
  readonly againAt: number;
  /** False: somebody has written it less than WRITTEN_AGAIN_MS ago. */
  readonly isWritten: boolean;
}

/** `gone`: a name that is ours or refused by now. */
type SeeResult = Seen | 'gone' | 'too-many';

export const seePending = operation('provisioning.see-pending', async (tx, args: SeenArguments): Promise<SeeResult> => {
  const { domain, now } = args;
  const entry = await findEntryIn(tx, pendingDn(domain));
  const known = entry && pendingOf(entry);
  if (known !== undefined && Math.abs(now - entry!.modifiedAt) < WRITTEN_AGAIN_MS)
    return { firstSeen: known.firstSeen, againAt: entry!.modifiedAt + WRITTEN_AGAIN_MS, isWritten: false };
  const { generation } = await stateIn(tx);
  if ((await routeIn(tx, generation, domain)) !== null || (await tombstoneOfIn(tx, domain)) !== undefined)
    return 'gone';
  if (known === undefined) {
    if (!(await isWithinLimits(tx, args))) return 'too-many';
    await add(tx, domain, now);
  }
  const firstSeen = known?.firstSeen ?? args.lastSeen;
  await write(tx, { ...args, firstSeen, seen: (known?.seen ?? 0) + args.seen });
  return { firstSeen, againAt: now + WRITTEN_AGAIN_MS, isWritten: true };
});

/** The oldest makes room for one more. */
async function add(tx: Transaction, domain: string, now: number): Promise<void> {
  const container = await getEntryIn(tx, containerDn('pending'));
  const tooMany = (await countChildrenIn(tx, container.id)) + 1 - PENDING_MAX;
  if (tooMany > 0) {
    const all = (await allPendingIn(tx)).sort((a, b) => a.lastSeen - b.lastSeen);
    for (const oldest of all.slice(0, tooMany))
      await applyChange(tx, { kind: 'delete', dn: pendingDn(oldest.domain) }, byServer(now));
  }
  const attributes = [
    { name: 'objectClass', values: ['waypostPendingDomain'] },
    { name: 'associatedDomain', values: [domain] },
  ];
  await applyChange(tx, { kind: 'add', dn: pendingDn(domain), attributes }, byServer(now));
}

async function write(tx: Transaction, pending: PendingDomain & { readonly now: number }): Promise<void> {
  const { domain, action, policy, evidence, firstSeen, lastSeen, seen, now } = pending;
  const values = {
    waypostPolicyAction: action,
    waypostPendingPolicy: policy,
    waypostDomainEvidence: evidence,
    waypostFirstSeen: formatGeneralizedTime(firstSeen),
    waypostLastSeen: formatGeneralizedTime(lastSeen),
    waypostSeen: String(seen),
  };
  const modifications = Object.entries(values).map(([attribute, value]) => ({
    operation: 'replace' as const,
    attribute,
    values: value === '' ? [] : [value],
  }));
  await applyChange(tx, { kind: 'modify', dn: pendingDn(domain), modifications }, { ...byServer(now), ofServer: true });
}

function byServer(now: number): ApplyOptions {
  return { author: '', now };
}

/** Gives how many have gone. */
export const forgetPending = operation('provisioning.forget-pending', async (tx, now: number): Promise<number> => {
  const old = (await allPendingIn(tx)).filter(({ lastSeen }) => lastSeen <= now - PENDING_MS);
  for (const { domain } of old) await applyChange(tx, { kind: 'delete', dn: pendingDn(domain) }, byServer(now));
  return old.length;
});

export async function findPendingIn(tx: Transaction, domain: string): Promise<PendingDomain | undefined> {
  const entry = await findEntryIn(tx, pendingDn(domain));
  return entry && pendingOf(entry);
}

async function allPendingIn(tx: Transaction): Promise<PendingDomain[]> {
  const container = await findEntryIn(tx, containerDn('pending'));
  if (container === undefined) return [];
  return (await childrenIn(tx, container.id, 2 * PENDING_MAX)).flatMap((entry) => pendingOf(entry) ?? []);
}

/** By name. */
export function listPending(reader: Reader): PendingDomain[] {
  const container = findEntry(reader, containerDn('pending'));
  const all = container === undefined ? [] : children(reader, container.id, 2 * PENDING_MAX);
  const pending = all.flatMap((entry) => pendingOf(entry) ?? []);
  return pending.sort((a, b) => (a.domain < b.domain ? -1 : 1));
}

/** A valid domain has no character that a DN would escape. */
export function pendingDn(domain: string): string {
  return `associatedDomain=${domain},${containerDn('pending')}`;
}

/** Undefined for an entry of another kind. What an administrator has taken away of it is what the entry itself says. */
function pendingOf(entry: Entry): PendingDomain | undefined {
  const domain = textValue(entry, 'associateddomain');
  if (domain === undefined) return undefined;
  const timeOf = (name: string): number | undefined => generalizedTimeToMs(textValue(entry, name) ?? '');
  const firstSeen = timeOf('waypostfirstseen') ?? entry.createdAt;
  return {
    domain: domain.toLowerCase(),
    action: textValue(entry, 'waypostpolicyaction')?.toLowerCase() === 'propose' ? 'propose' : 'approve',
    policy: textValue(entry, 'waypostpendingpolicy') ?? '',
    firstSeen,
    lastSeen: timeOf('waypostlastseen') ?? firstSeen,
    seen: Number(textValue(entry, 'waypostseen') ?? 0),
    evidence: textValue(entry, 'waypostdomainevidence') ?? '{}',
  };
}

/** Evidence as it is printed; empty where it cannot be read. */
export function evidenceOf({ evidence }: Pick<PendingDomain, 'evidence'>): JsonObject {
  try {
    const json = JSON.parse(evidence) as Json;
    return typeof json === 'object' && json !== null && !Array.isArray(json) ? (json as JsonObject) : {};
  } catch {
    return {};
  }
}
