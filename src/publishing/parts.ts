// The updates that a plan is sent in: one, where it fits into a message, else several, each of which leaves the records correct.
//
// In      the units of a plan, in their order; how large a message may be
// Out     updates: what goes before what comes, addresses before the exchanges that they are of; what is ours when each is done
// States  of a set that is too large for one update by itself: each part finds the set as the part before has left it, takes so
//         many away and adds so many, so that the set is never empty that is not to be
// Limits  a message of MESSAGE_BYTES, SIGNATURE_BYTES of it left for a signature
// Errors  `too-large`: what must change together fits into no message
// RFC 2136 §2, RFC 8945 §4.2

import { Failure } from '../base/failure.ts';
import type { ResourceRecord } from '../wire/dns/rdata.ts';
import { encodeUpdate, type Prerequisite, type RecordChange } from '../wire/dns/update.ts';
import type { PublishedRecord } from '../zones/published.ts';
import { dataText, exactKey, isAddress, type PlanUnit, publishedRecord, type UpdatePlan } from './plan.ts';

const MESSAGE_BYTES = 0xffff;
/** Two names of 255 octets, a code of 64, and what stands around them. */
const SIGNATURE_BYTES = 700;

export interface UpdatePart {
  readonly prerequisites: readonly Prerequisite[];
  readonly changes: readonly RecordChange[];
  readonly added: readonly PublishedRecord[];
  readonly removed: number;
  /** Ours, when it is done. */
  readonly after: readonly PublishedRecord[];
}

/** Computed one after another: each is encoded to see whether it fits. */
export function* updateParts(
  { units, before }: UpdatePlan,
  zone: string,
  limit = MESSAGE_BYTES - SIGNATURE_BYTES,
): Generator<UpdatePart, void> {
  let ours = before;
  const left = [...units];
  while (left.length > 0) {
    const count = mostThatFit(left, zone, limit);
    if (count === 0) left.splice(0, 1, ...divided(left[0]!, zone, limit));
    else {
      const part = partOf(left.splice(0, count), ours);
      ours = part.after;
      yield part;
    }
  }
}

function mostThatFit(units: readonly PlanUnit[], zone: string, limit: number): number {
  if (fits(units, zone, limit)) return units.length;
  let [most, tooMany] = [0, units.length];
  while (tooMany - most > 1) {
    const count = (most + tooMany) >> 1;
    if (fits(units.slice(0, count), zone, limit)) most = count;
    else tooMany = count;
  }
  return most;
}

function fits(units: readonly PlanUnit[], zone: string, limit: number): boolean {
  try {
    return encodeUpdate({ id: 0, zone, ...messageOf(units) }).length <= limit;
  } catch (error) {
    if (error instanceof Failure && error.kind === 'too-large') return false;
    throw error;
  }
}

function messageOf(units: readonly PlanUnit[]): Pick<UpdatePart, 'prerequisites' | 'changes'> {
  const changes = units.flatMap((unit) => unit.changes);
  const added = changes.flatMap((change) => ('add' in change ? change : []));
  return {
    prerequisites: units.flatMap((unit) => unit.prerequisites),
    changes: [
      ...changes.filter((change) => 'remove' in change),
      // Some servers take no MX whose host has no address in the zone.
      ...added.filter(({ add }) => isAddress(add)),
      ...added.filter(({ add }) => !isAddress(add)),
    ],
  };
}

function partOf(units: readonly PlanUnit[], ours: readonly PublishedRecord[]): UpdatePart {
  const gone = new Set(units.flatMap(({ goes }) => goes.map(publishedKey)));
  const message = messageOf(units);
  const added = units.flatMap((unit) => unit.added);
  return {
    ...message,
    added,
    removed: message.changes.length - added.length,
    after: [...ours.filter((each) => !gone.has(publishedKey(each))), ...units.flatMap(({ comes }) => comes)],
  };
}

/** One set whose update is too large, as several: a record that goes with one that comes, the same one with its new TTL first of all. */
function divided(unit: PlanUnit, zone: string, limit: number): PlanUnit[] {
  const [prerequisite] = unit.prerequisites;
  const tooLarge = new Failure('too-large', 'What must change together is too large for an update');
  if (unit.prerequisites.length !== 1 || prerequisite === undefined || unit.changes.length < 2) throw tooLarge;
  let found: readonly ResourceRecord[] = 'set' in prerequisite ? prerequisite.set : [];
  const steps = stepsOf(unit.changes);
  const units: PlanUnit[] = [];
  for (let at = 0; at < steps.length; ) {
    const now: Prerequisite = found.length === 0 && 'noSet' in prerequisite ? prerequisite : { set: found };
    const piece = (count: number): PlanUnit => pieceOf(unit, steps.slice(at, at + count).flat(), now);
    let count = steps.length - at;
    while (count > 0 && !fits([piece(count)], zone, limit)) count = count === 1 ? 0 : (count + 1) >> 1;
    if (count === 0) throw tooLarge;
    const done = piece(count);
    units.push(done);
    found = changed(found, done.changes);
    at += count;
  }
  return units;
}

function stepsOf(changes: readonly RecordChange[]): readonly (readonly RecordChange[])[] {
  const removed = changes.flatMap((change) => ('remove' in change ? change : []));
  const added = changes.flatMap((change) => ('add' in change ? change : []));
  const isAgain = new Set(removed.map(({ remove }) => dataText(remove)));
  const again = added.filter(({ add }) => isAgain.has(dataText(add)));
  const comesAgain = new Map(again.map((change) => [dataText(change.add), change]));
  const goes = removed.filter(({ remove }) => !comesAgain.has(dataText(remove)));
  const comes = added.filter(({ add }) => !comesAgain.has(dataText(add)));
  const pairs = removed.flatMap((change) => {
    const same = comesAgain.get(dataText(change.remove));
    return same === undefined ? [] : [[change, same]];
  });
  const most = Math.max(goes.length, comes.length);
  const others = Array.from({ length: most }, (_, at) => [...goes.slice(at, at + 1), ...comes.slice(at, at + 1)]);
  return [...pairs, ...others];
}

function pieceOf(unit: PlanUnit, steps: readonly RecordChange[], prerequisite: Prerequisite): PlanUnit {
  const removed = steps.flatMap((change) => ('remove' in change ? change : []));
  const added = steps.flatMap((change) => ('add' in change ? change : []));
  const goes = new Set(removed.map(({ remove }) => publishedKey(publishedRecord(remove))));
  const comes = new Set(added.map(({ add }) => publishedKey(publishedRecord(add))));
  return {
    prerequisites: [prerequisite],
    changes: [...removed, ...added],
    goes: unit.goes.filter((each) => goes.has(publishedKey(each))),
    comes: unit.comes.filter((each) => comes.has(publishedKey(each))),
    added: added.map(({ add }) => publishedRecord(add)),
  };
}

function changed(found: readonly ResourceRecord[], changes: readonly RecordChange[]): readonly ResourceRecord[] {
  const gone = new Set(changes.flatMap((change) => ('remove' in change ? exactKey(change.remove) : [])));
  const come = changes.flatMap((change) => ('add' in change ? change.add : []));
  return [...found.filter((record) => !gone.has(exactKey(record))), ...come];
}

export function publishedKey({ name, type, data }: PublishedRecord): string {
  return `${name} ${type} ${data}`;
}
