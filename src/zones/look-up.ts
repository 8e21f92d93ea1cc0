// `lookUp` over the database, for a thread that answers: all that one answer reads is of one state.
//
// In      a name and a type
// Out     the answer. What it walks through is remembered as long as no row there or below changes; hosts, name servers and
//         keys as long as none of them does
// Limits  NAMES_MAX names

import type { Revision } from '../base/ids.ts';
import type { Reader } from '../database/operation.ts';
import type { RecordType } from '../wire/dns/codes.ts';
import { changedSince, type ZoneChanges } from './changes.ts';
import type { NameSource, ZoneName } from './name-source.ts';
import { zoneNames } from './names.ts';
import { nameOfPath, pathsAbove } from './path.ts';
import { lookUp, type ZoneAnswer } from './records.ts';
import { readZoneSettings, type ZoneSettings, type ZoneSite, zoneSettingsMoved } from './settings.ts';

/** A few hundred octets each. */
const NAMES_MAX = 2000;

/** Throws the reader's failures. */
export function zoneLookUp(reader: Reader, site: ZoneSite): (name: string, type: RecordType) => ZoneAnswer {
  const names = zoneNames(reader);
  const settings = rememberedSettings(reader, site);
  // All look-ups walk through the same upper names: each is read once as long as nothing there changes.
  const known = new Map<string, ZoneName | undefined>();
  let ofRevision: Revision = reader.revision();
  const remembering: NameSource = {
    ...names,
    find(name) {
      if (known.has(name)) return known.get(name);
      const found = names.find(name);
      known.set(name, found);
      return found;
    },
  };
  return (name, type) =>
    reader.snapshot(() => {
      // Read in the same snapshot as the names, so that names of two states are never mixed.
      const revision = reader.revision();
      if (known.size > NAMES_MAX) known.clear();
      else if (revision !== ofRevision) forgetMoved(known, changedSince(reader, ofRevision));
      ofRevision = revision;
      return lookUp(name, type, { names: remembering, settings: settings() });
    });
}

/** What has moved since the last call, for who remembers answers; undefined: too much, forget all. */
export function zoneMoves(reader: Reader): () => ZoneChanges | undefined {
  let ofRevision: Revision = reader.revision();
  return () =>
    reader.snapshot(() => {
      const moved = changedSince(reader, ofRevision);
      ofRevision = reader.revision();
      return moved;
    });
}

/** A row says what is at its name, and that something is below the names above it. */
function forgetMoved(known: Map<string, ZoneName | undefined>, changes: ZoneChanges | undefined): void {
  if (changes === undefined) known.clear();
  for (const path of changes?.paths ?? [])
    for (const each of [path, ...pathsAbove(path)]) known.delete(nameOfPath(each));
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
