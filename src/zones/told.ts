// What a server tells another one that follows it of its zones, beside the entries: serials, and what stood in a row before.
//
// In      the revision up to which the other one knows it; none, or one that is too long ago: all marks are told
// Out     marks and changes, a page at a time; their octets. Behind the last page whose revision the entries have reached the
//         other server has zone_name and zone_change as they are here
// Limits  PAGE_CHANGES; who lacks more than CHANGES_MAX is told all marks, and no change
// Never   keeps a snapshot between two pages: a change is told as it was, a mark as it is, and again when it moves

import type { Revision } from '../base/ids.ts';
import { valueOfJson } from '../base/json-extent.ts';
import { TENANT } from '../base/tenant.ts';
import type { Reader, Value } from '../database/operation.ts';
import { isKnownSince, type ZoneMove } from './changes.ts';
import { ZONES_VERSION } from './compile.ts';
import { allZoneMarks, type ZoneMark, zoneMarksOf } from './marks.ts';

export type ToldChange = Required<ZoneMove>;

export interface ZonesTold {
  /** The first on a connection. */
  readonly begins?: {
    /** All marks follow, and what was there before is not told. */
    readonly isWhole: boolean;
    /** Of the rows: a server with another one cannot read what stood in them. */
    readonly version: number;
  };
  readonly marks: readonly ZoneMark[];
  /** By revision. */
  readonly changes: readonly ToldChange[];
}

export interface PageWithZones<P> {
  readonly page: P;
  /** To be told behind the page: what its entries move there by themselves is put right. */
  readonly told: ZonesTold | undefined;
  readonly isAtEnd: boolean;
}

const PAGE_CHANGES = 100;
/** Of what stood in the rows; one row may be larger. */
const PAGE_CHARACTERS = 1024 * 1024;
const CHANGES_MAX = 10_000;

const MORE = `SELECT 1 FROM zone_change WHERE tenant = ${TENANT} AND revision > ? LIMIT 1 OFFSET ${CHANGES_MAX}`;
const PAGE = `SELECT revision, path, kind, key, before, entry, is_member FROM zone_change
  WHERE tenant = ${TENANT} AND (revision, path, kind, key) > (?, ?, ?, ?) AND revision <= ?
  ORDER BY revision, path, kind, key LIMIT +?`;

const BEFORE = 4;

/** Where `since` says enough of what the other server has, from there on; else from `from` on, behind all marks. */
export class ZoneNews {
  readonly #reader: Reader;
  readonly isWhole: boolean;
  #place: readonly Value[];

  constructor(reader: Reader, { since, from }: { readonly since: Revision | undefined; readonly from: Revision }) {
    this.#reader = reader;
    this.isWhole = since === undefined || !reader.snapshot(() => isToldSince(reader, since));
    this.#place = placeBehind(this.isWhole ? from : since!);
  }

  /** To be told first. */
  *begin(upTo: Revision): Generator<ZonesTold> {
    yield {
      begins: { isWhole: this.isWhole, version: ZONES_VERSION },
      marks: zoneMarksOf(this.#reader, ['']),
      changes: [],
    };
    if (!this.isWhole) return;
    for (const marks of allZoneMarks(this.#reader)) yield { marks: marks.filter(isUpTo(upTo)), changes: [] };
  }

  /** A page of the entries, and where it ends all of them, what has moved in the zones by then, of the same snapshot. */
  beside<P extends { readonly isAtEnd: boolean }>(next: () => P, upTo: () => Revision): PageWithZones<P> {
    return this.#reader.snapshot(() => {
      const page = next();
      const zones = page.isAtEnd ? this.#next(upTo()) : undefined;
      return { page, told: zones?.told, isAtEnd: page.isAtEnd && zones?.isAtEnd !== false };
    });
  }

  /** Undefined: nothing more. */
  #next(upTo: Revision): { readonly told: ZonesTold; readonly isAtEnd: boolean } | undefined {
    const found = this.#reader.arrays(PAGE, ...this.#place, upTo, PAGE_CHANGES);
    const rows = found.slice(0, countWithin(found));
    if (rows.length === 0) return undefined;
    this.#place = rows.at(-1)!.slice(0, 4);
    const changes = rows.map(changeOf);
    // A zone that comes or goes moves the catalog, whose mark stands with those of the settings.
    const moved = changes.flatMap(({ path, isMember }) => (isMember ? [path, ''] : path));
    const marks = zoneMarksOf(this.#reader, moved).filter(isUpTo(upTo));
    return { told: { marks, changes }, isAtEnd: found.length < PAGE_CHANGES && rows.length === found.length };
  }
}

/** So many of the rows make a page. */
function countWithin(rows: readonly (readonly Value[])[]): number {
  let characters = 0;
  const over = rows.findIndex((row) => (characters += String(row[BEFORE] ?? '').length) > PAGE_CHARACTERS);
  return over === -1 ? rows.length : Math.max(1, over);
}

/** Before all of the next revision. */
function placeBehind(revision: Revision): readonly Value[] {
  return [revision + 1, '', '', ''];
}

function isToldSince(reader: Reader, revision: Revision): boolean {
  return isKnownSince(reader, revision) && reader.arrays(MORE, revision).length === 0;
}

/** A change that no entry tells of, such as rows of another compiler, is told with the next one that does. */
function isUpTo(revision: Revision): (mark: ZoneMark) => boolean {
  return ({ changed, changedBelow }) => Math.max(changed, changedBelow) <= revision;
}

function changeOf([revision, path, kind, key, before, entry, isMember]: readonly unknown[]): ToldChange {
  return { revision, path, kind, key, before, entry, isMember: isMember === 1 } as ToldChange;
}

export function encodeZonesTold({ begins, marks, changes }: ZonesTold): Uint8Array {
  const rows = {
    ...(begins === undefined ? {} : { begins }),
    marks: marks.map(({ path, changed, changedBelow }) => [path, changed, changedBelow]),
    changes: changes.map((each) => [
      ...[each.revision, each.path, each.kind, each.key, each.before, each.entry, Number(each.isMember)],
    ]),
  };
  return Buffer.from(JSON.stringify(rows));
}

interface ToldRows {
  readonly begins?: { readonly isWhole?: unknown; readonly version?: unknown };
  readonly marks: readonly (readonly unknown[])[];
  readonly changes: readonly (readonly unknown[])[];
}

/** Undefined for octets that are none of it. */
export function parseZonesTold(octets: Uint8Array): ZonesTold | undefined {
  try {
    const { begins, marks, changes } = valueOfJson(octets) as ToldRows;
    const told = {
      ...(begins === undefined
        ? {}
        : { begins: { isWhole: begins.isWhole === true, version: Number(begins.version) } }),
      marks: marks.map(([path, changed, changedBelow]) => ({ path, changed, changedBelow }) as ZoneMark),
      changes: changes.map(changeOf),
    };
    return told.marks.every(isMark) && told.changes.every(isChange) ? told : undefined;
  } catch {
    return undefined;
  }
}

function isMark({ path, changed, changedBelow }: ZoneMark): boolean {
  const isPath = path === null || typeof path === 'string';
  return isPath && Number.isSafeInteger(changed) && Number.isSafeInteger(changedBelow);
}

const KINDS: readonly unknown[] = ['name', 'key', 'setting'] satisfies readonly ToldChange['kind'][];

function isChange({ revision, path, kind, key, before, entry }: ToldChange): boolean {
  const areTexts = typeof path === 'string' && typeof key === 'string';
  return areTexts && Number.isSafeInteger(revision) && KINDS.includes(kind) && isText(before) && isText(entry);
}

function isText(value: unknown): boolean {
  return value === null || typeof value === 'string';
}
