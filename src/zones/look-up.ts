// `lookUp` over the database, for a thread that answers: all that one answer reads is of one state.
//
// In      a name and a type
// Out     the answer. What it walks through is remembered as long as no row there or below changes; hosts, name servers and
//         keys as long as none of them does
// States  of a look-up: what is remembered, and a statement for each name that is not, which tells the revision it is of. Where
//         that is another one than what is remembered is of: what has moved is forgotten, and all is read in one snapshot
// Limits  NAMES_MAX names. How many statements a look-up takes depends on the labels of its name, not on how many names there are

import { Generations } from '../base/generations.ts';
import type { Revision } from '../base/ids.ts';
import { TENANT } from '../base/tenant.ts';
import { REVISION } from '../database/connection.ts';
import type { Reader } from '../database/operation.ts';
import type { RecordType } from '../wire/dns/codes.ts';
import { type ZoneChanges, ZoneFollower } from './changes.ts';
import type { ZoneRow } from './compile.ts';
import type { NameSource, ZoneName } from './name-source.ts';
import { zoneNames } from './names.ts';
import { nameOfPath, pathOf, pathsAbove } from './path.ts';
import { lookUp, type ZoneAnswer } from './records.ts';
import { readZoneSettings, type ZoneKeyRow, type ZoneSettings, type ZoneSite, zoneSettingsMoved } from './settings.ts';

/** A few hundred octets each. */
const NAMES_MAX = 4000;
/** Rows with the same text are one object, from which what is generated is made once (kinds.ts). */
const ROWS_MAX = 1000;

const FIND = `SELECT r.value, n.row, n.below, n.changed, n.changed_below,
    EXISTS (SELECT 1 FROM zone_key k WHERE k.tenant = ${TENANT} AND k.path = n.path)
  FROM (${REVISION}) r LEFT JOIN zone_name n ON n.tenant = ${TENANT} AND n.path = ?`;

const NO_KEYS: readonly ZoneKeyRow[] = [];

/** Throws the reader's failures. */
export function zoneLookUp(reader: Reader, site: ZoneSite): (name: string, type: RecordType) => ZoneAnswer {
  const names = new RememberedNames(reader);
  const settings = rememberedSettings(reader, site);
  let shared = reader.snapshot(settings);
  return (name, type) => {
    const answer = names.isAsBefore(() => lookUp(name, type, { names, settings: shared }));
    if (answer !== undefined) return answer;
    return reader.snapshot(() => {
      names.follow();
      shared = settings();
      return lookUp(name, type, { names, settings: shared });
    });
  };
}

/** What has moved since the last call, for who remembers answers; undefined: too much, forget all. */
export function zoneMoves(reader: Reader): () => ZoneChanges | undefined {
  const follower = new ZoneFollower(reader);
  return () => reader.snapshot(() => follower.follow());
}

interface KnownName {
  /** Undefined: there is none. */
  readonly found: ZoneName | undefined;
  /** Undefined: not asked for yet. */
  keys: readonly ZoneKeyRow[] | undefined;
}

/** All of one state, but for what was read since the revision was last looked at: `isAsBefore` and `follow` see to that. */
class RememberedNames implements NameSource {
  readonly #reader: Reader;
  readonly #names: NameSource;
  readonly #follower: ZoneFollower;
  /** All look-ups walk through the same upper names: each is read once as long as nothing there changes. */
  readonly #known = new Generations<KnownName>(NAMES_MAX);
  readonly #rows = new Map<string, ZoneRow>();
  /** Of what has been read since the last look. */
  #read: Revision | undefined;
  #isMixed = false;

  constructor(reader: Reader) {
    this.#reader = reader;
    this.#names = zoneNames(reader);
    this.#follower = new ZoneFollower(reader);
  }

  find(name: string): ZoneName | undefined {
    return this.#know(name).found;
  }

  keys(domain: string): readonly ZoneKeyRow[] {
    const known = this.#know(domain);
    if (known.keys === undefined) {
      const keys = this.#names.keys(domain);
      // The statement does not tell its revision: one behind it does.
      this.#note(this.#reader.revision());
      if (this.#isMixed) return keys;
      known.keys = keys;
    }
    return known.keys;
  }

  list(apex: string, after: string, limit: number): readonly ZoneName[] {
    return this.#names.list(apex, after, limit);
  }

  /** What `look` gives, where all that it has read is of the state that is remembered. */
  isAsBefore<T>(look: () => T): T | undefined {
    this.#read = undefined;
    this.#isMixed = false;
    const answer = look();
    if (this.#read === undefined) this.#note(this.#reader.revision());
    return this.#isMixed ? undefined : answer;
  }

  /** In a snapshot: forgets what has moved. */
  follow(): void {
    const moved = this.#follower.follow();
    if (moved === undefined) this.#known.clear();
    else for (const path of moved.paths) this.#forget(path);
    this.#isMixed = false;
  }

  #forget(path: string): void {
    // A row says what is at its name, and that something is below the names above it.
    for (const each of [path, ...pathsAbove(path)]) this.#known.forget(nameOfPath(each));
  }

  #know(name: string): KnownName {
    let known = this.#known.find(name);
    if (known === undefined) {
      known = this.#look(name);
      if (!this.#isMixed) this.#known.add(name, known);
    }
    return known;
  }

  #look(name: string): KnownName {
    const [row] = this.#reader.arrays(FIND, pathOf(name));
    this.#note(row![0] as Revision);
    if (row![2] === null) return { found: undefined, keys: undefined };
    const found: ZoneName = {
      name,
      row: this.#row(row![1] as string | null),
      hasBelow: (row![2] as number) > 0,
      changedAt: row![3] as number,
      changedBelowAt: row![4] as number,
    };
    return { found, keys: row![5] === 0 ? NO_KEYS : undefined };
  }

  #note(revision: Revision): void {
    this.#read = revision;
    if (revision !== this.#follower.revision) this.#isMixed = true;
  }

  #row(text: string | null): ZoneRow | undefined {
    if (text === null) return undefined;
    let row = this.#rows.get(text);
    if (row === undefined) {
      if (this.#rows.size >= ROWS_MAX) this.#rows.clear();
      row = JSON.parse(text) as ZoneRow;
      this.#rows.set(text, row);
    }
    return row;
  }
}

/** Read again where one has moved; to be called in the snapshot of what they are used with. */
export function rememberedSettings(reader: Reader, site: ZoneSite): () => ZoneSettings {
  let settings: ZoneSettings | undefined;
  let ofRevision = -1;
  return () => {
    const revision = reader.revision();
    if (settings === undefined || (revision !== ofRevision && zoneSettingsMoved(reader) !== settings.changedAt))
      settings = readZoneSettings(reader, site);
    ofRevision = revision;
    return settings;
  };
}
