// What one update of a primary is to change: the difference between what a domain wants and what stands there, without a touch
// on what others have written.
//
// In      the sets as they were read at the primary; what is wanted; what of it we have written
// Out     units, each with its prerequisites (each set exactly as it was read, or none) and its changes; conflicts; what is ours
//         before and behind each. A unit is a set, or a name that gets or loses an alias: what must change together
// Order   of units: addresses, other records, what says how mail is judged by them, what only goes, addresses that only go: whoever
//         looks between two of them finds no exchange without its address and no policy without what it asks for
// Ours    is what we have written and nothing else: an equal value that was there counts, stays, and is not ours
// Conflicts  where something is wanted: another value in a set; for TXT one of the same kind (`v=spf1`, `v=DMARC1`); an alias at
//         the name, other records beside a wanted alias. They are left out, or replaced where that was asked for
// TTL     what joins a set of others takes theirs: a set has one TTL, and a server would give all of it ours
// Never   names SOA or NS; deletes a set or a name: single records, with the data that was read
// RFC 2136 §2.4 §2.5 §3.4.2, RFC 2181 §5.2

import { asciiLower } from '../base/characters.ts';
import type { RecordType } from '../wire/dns/codes.ts';
import type { Rdata, ResourceRecord } from '../wire/dns/rdata.ts';
import { rdataText } from '../wire/dns/text.ts';
import type { Prerequisite, RecordChange } from '../wire/dns/update.ts';
import type { PublishedRecord } from '../zones/published.ts';
import { versionTag } from '../zones/site-records.ts';

export interface RecordSet {
  readonly name: string;
  readonly type: RecordType;
}

/** A set at the primary. */
export interface FoundSet {
  readonly records: readonly ResourceRecord[];
  /** What stands in the way: the alias at the name, or, of a wanted alias, what other types it has. */
  readonly beside: readonly ResourceRecord[];
}

export interface Conflict {
  readonly name: string;
  readonly type: RecordType;
  readonly wanted: readonly string[];
  readonly found: readonly string[];
}

export interface PlanInput {
  /** By setKey; each set of `setsToRead`. */
  readonly found: ReadonlyMap<string, FoundSet>;
  readonly wanted: readonly ResourceRecord[];
  readonly published: readonly PublishedRecord[];
  /** Conflicts are replaced. */
  readonly isForced: boolean;
}

export interface UpdatePlan {
  /** In the order in which they may be done one after another. None: nothing is to be sent. */
  readonly units: readonly PlanUnit[];
  readonly conflicts: readonly Conflict[];
  /** Ours, as long as nothing is done. */
  readonly before: readonly PublishedRecord[];
}

/** What changes together, or not at all. */
export interface PlanUnit {
  readonly prerequisites: readonly Prerequisite[];
  /** What goes before what comes. */
  readonly changes: readonly RecordChange[];
  /** Ours no more when it is done, and ours from then on. */
  readonly goes: readonly PublishedRecord[];
  readonly comes: readonly PublishedRecord[];
  /** What its changes add, whosever it was. */
  readonly added: readonly PublishedRecord[];
}

const TEXT_BYTES = 255;
/** Records that say how mail is judged by the others. */
const JUDGES = ['_dmarc.', '_mta-sts.'];

export function setKey({ name, type }: RecordSet): string {
  return `${asciiLower(name)} ${type}`;
}

/** Data in the one spelling in which equal ones are equal: names in lower case, texts however they are cut. */
export function dataText(rdata: Rdata): string {
  if (rdata.type !== 'TXT') return asciiLower(rdataText(rdata));
  const text = rdata.strings.join('');
  const count = Math.max(1, Math.ceil(text.length / TEXT_BYTES));
  const strings = Array.from({ length: count }, (_, i) => text.slice(i * TEXT_BYTES, (i + 1) * TEXT_BYTES));
  return rdataText({ type: 'TXT', strings });
}

export function publishedRecord(record: ResourceRecord): PublishedRecord {
  return { name: asciiLower(record.name), type: record.type, data: dataText(record) };
}

/** The sets that are to be read: all that is wanted, and all that may have to go. */
export function setsToRead(
  wanted: readonly ResourceRecord[],
  published: readonly PublishedRecord[],
): readonly RecordSet[] {
  const sets = new Map<string, RecordSet>();
  for (const { name, type } of [...wanted, ...(published as readonly RecordSet[])])
    sets.set(setKey({ name, type }), { name: asciiLower(name), type });
  return [...sets.values()];
}

export function planUpdate({ found, wanted, published, isForced }: PlanInput): UpdatePlan {
  const wantedOf = Map.groupBy(wanted, setKey);
  const publishedOf = Map.groupBy(published, (each) => setKey(each as RecordSet));
  const dataOf = (key: string): ReadonlySet<string> => new Set(publishedOf.get(key)?.map(({ data }) => data));
  const plans = setsToRead(wanted, published).map((set) => {
    const key = setKey(set);
    const plan = planSet(set, {
      ...(found.get(key) ?? { records: [], beside: [] }),
      wanted: wantedOf.get(key) ?? [],
      ours: dataOf(key),
      isOurs: (record) => dataOf(setKey(record)).has(dataText(record)),
      isForced,
    });
    return { ...plan, set };
  });
  const isMoving = ({ remove, add }: SetPlan): boolean => remove.length > 0 || add.length > 0;
  const aliases = new Set(
    plans
      .filter(({ remove, add }) => [...remove, ...add].some(({ type }) => type === 'CNAME'))
      .map(({ set }) => set.name),
  );
  const together = Map.groupBy(plans.filter(isMoving), ({ set }) => (aliases.has(set.name) ? set.name : setKey(set)));
  const units = [...together.values()].map(unitOf).sort((one, other) => one.turn - other.turn);
  return {
    units: units.map(({ unit }) => unit),
    conflicts: plans.flatMap(({ conflict }) => conflict ?? []),
    before: plans.flatMap(({ before }) => before),
  };
}

function unitOf(plans: readonly SetPlan[]): { readonly unit: PlanUnit; readonly turn: number } {
  const removed = unique(plans.flatMap(({ remove }) => remove));
  const added = plans.flatMap(({ add }) => add);
  const unit = {
    prerequisites: oneASet(plans.flatMap(({ prerequisites }) => prerequisites)),
    changes: [...removed.map((remove): RecordChange => ({ remove })), ...added.map((add): RecordChange => ({ add }))],
    goes: plans.flatMap(({ goes }) => goes),
    comes: plans.flatMap(({ comes }) => comes),
    added: added.map(publishedRecord),
  };
  return { unit, turn: turnOf(removed, added) };
}

function turnOf(removed: readonly ResourceRecord[], added: readonly ResourceRecord[]): number {
  if (added.length === 0) return removed.every(isAddress) ? 4 : 3;
  if (added.some(isAddress)) return 0;
  return added.some(({ name }) => JUDGES.some((label) => name.startsWith(label))) ? 2 : 1;
}

interface SetInput extends FoundSet {
  readonly wanted: readonly ResourceRecord[];
  /** Data of this set that we have written. */
  readonly ours: ReadonlySet<string>;
  readonly isOurs: (record: ResourceRecord) => boolean;
  readonly isForced: boolean;
}

interface SetPlan {
  readonly prerequisites: readonly Prerequisite[];
  readonly remove: readonly ResourceRecord[];
  readonly add: readonly ResourceRecord[];
  readonly conflict?: Conflict;
  /** Ours that stand there, and of them those that go; what is ours besides, when it is done. */
  readonly before: readonly PublishedRecord[];
  readonly goes: readonly PublishedRecord[];
  readonly comes: readonly PublishedRecord[];
}

function planSet(set: RecordSet, input: SetInput): SetPlan {
  const { records, ours, isOurs, isForced } = input;
  const isThere = new Set(records.map(dataText));
  const mine = records.filter((record) => ours.has(dataText(record)));
  const before = mine.map(publishedRecord);
  const foreign = foreignOf(input);
  const inTheWay = input.wanted.length === 0 ? [] : input.beside.filter((record) => !isOurs(record));
  const isConflict = foreign.length > 0 || inTheWay.length > 0;
  const conflict: Conflict | undefined = isConflict
    ? {
        ...set,
        wanted: input.wanted.map(dataText),
        found: [...foreign, ...inTheWay].map((record) =>
          record.type === set.type ? dataText(record) : `${record.type} ${dataText(record)}`,
        ),
      }
    : undefined;
  const isLeft = conflict !== undefined && !isForced;
  if (isLeft && (set.type !== 'TXT' || inTheWay.length > 0))
    return { prerequisites: [], remove: [], add: [], conflict, before, goes: [], comes: [] };
  // Of texts only those of the kind that is in conflict are left as they are.
  const leftTags = new Set(isLeft ? foreign.map(tagOf) : []);
  const isKept = (record: ResourceRecord): boolean => leftTags.has(tagOf(record));
  const wanted = input.wanted.filter((record) => !isKept(record));
  const isWanted = new Set(wanted.map(dataText));
  const goes = mine.filter((record) => !isWanted.has(dataText(record)) && !isKept(record));
  const comes = wanted.filter((record) => !isThere.has(dataText(record)));
  const old = oldTtl(input, wanted);
  const replaced = isForced ? [...foreign, ...inTheWay] : [];
  const remove = [...goes, ...replaced, ...old];
  const theirs = records.find((record) => !ours.has(dataText(record)) && !replaced.includes(record));
  const ttlOf = (record: ResourceRecord): ResourceRecord => ({ ...record, ttl: theirs?.ttl ?? record.ttl });
  const add = [
    ...comes.map(ttlOf),
    ...wanted.filter((record) => old.some((one) => dataText(one) === dataText(record))),
  ];
  const done = { before, goes: goes.map(publishedRecord), comes: comes.map(publishedRecord) };
  const left = isLeft ? { conflict: conflict! } : {};
  if (remove.length === 0 && add.length === 0) return { prerequisites: [], remove, add, ...done, ...left };
  const asRead: Prerequisite = records.length === 0 ? { noSet: set } : { set: records };
  return { prerequisites: [asRead, ...setsIn(isForced ? inTheWay : [])], remove, add, ...done, ...left };
}

/** What others have written where something is wanted, as far as the two cannot stand beside one another. */
function foreignOf({ records, wanted, ours }: SetInput): readonly ResourceRecord[] {
  if (wanted.length === 0) return [];
  const isWanted = new Set(wanted.map(dataText));
  const foreign = records.filter((record) => !ours.has(dataText(record)) && !isWanted.has(dataText(record)));
  if (wanted[0]!.type !== 'TXT') return foreign;
  const tags = new Set(wanted.map(tagOf));
  return foreign.filter((record) => tagOf(record) !== undefined && tags.has(tagOf(record)));
}

/** `v=spf1`; undefined for what is no text, or one of no kind. */
function tagOf(record: ResourceRecord): string | undefined {
  return record.type === 'TXT' ? versionTag(record.strings) : undefined;
}

/** Of a set that is ours alone: the records whose TTL is not the one that is wanted now. */
function oldTtl({ records, ours }: SetInput, wanted: readonly ResourceRecord[]): readonly ResourceRecord[] {
  if (records.some((record) => !ours.has(dataText(record)))) return [];
  const ttls = new Map(wanted.map((record) => [dataText(record), record.ttl]));
  return records.filter((record) => (ttls.get(dataText(record)) ?? record.ttl) !== record.ttl);
}

function setsIn(records: readonly ResourceRecord[]): readonly Prerequisite[] {
  const keys = new Set(records.map(setKey));
  return [...keys].map((key) => ({ set: records.filter((record) => setKey(record) === key) }));
}

/** An alias stands in the way of each type of its name. */
function oneASet(prerequisites: readonly Prerequisite[]): readonly Prerequisite[] {
  const keyOf = (each: Prerequisite) => setKey('set' in each ? each.set[0]! : each.noSet);
  return [...new Map(prerequisites.map((each) => [keyOf(each), each])).values()];
}

function unique(records: readonly ResourceRecord[]): readonly ResourceRecord[] {
  return [...new Map(records.map((record) => [exactKey(record), record])).values()];
}

/** Texts that are cut otherwise are two records. */
export function exactKey(record: ResourceRecord): string {
  return `${setKey(record)} ${rdataText(record)}`;
}

export function isAddress({ type }: ResourceRecord): boolean {
  return type === 'A' || type === 'AAAA';
}
