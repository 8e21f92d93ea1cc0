// Compiles the names that DNS serves anew, where another version of compile.ts made them.
//
// States  entries (each domain's row) -> names (rows that no entry gives go) -> counts of what lies below -> the version;
//         a crash begins anew. Only what differs is written, so a zone that is as it was keeps its serial; the serial of one
//         that differs rises, because each slice with a difference is one more revision.
// Limits  SLICE entries or names in one transaction

import { asciiLower } from '../base/characters.ts';
import type { Revision } from '../base/ids.ts';
import { TENANT } from '../base/tenant.ts';
import { type Derived, setDerivedVersion } from '../database/derived.ts';
import { type Operation, operation, type Transaction, type Writer } from '../database/operation.ts';
import { dcDnOfDomain, escapeDnValue } from '../directory/dn.ts';
import { childrenIn, entriesWithIn, findEntryIn } from '../directory/entries.ts';
import { hasClass } from '../directory/entry.ts';
import { ofSuffix } from '../directory/suffix.ts';
import { noteBelow } from './below.ts';
import { type CompiledDomain, compileZoneName, ZONES_VERSION } from './compile.ts';
import { setRow } from './names.ts';
import { nameOfPath, pathOf, pathsAbove, subtreeOf } from './path.ts';
import { compileZoneSetting, setSetting, type ZoneSettingRow } from './settings.ts';

const SLICE = 200;
const NAME = 'zones';
/** The classes by which entries that say something to DNS are found. */
const NAME_CLASSES = [
  'mailDomain',
  'inetDomainAlias',
  'inetDomain',
  'waypostDomain',
  'dNSDomain',
  'dNSDomain2',
] as const;
/** The entries below these are few. */
const settingContainers = ofSuffix((suffix) => ['Hosts', 'Keys'].map((ou) => `ou=${ou},ou=Waypost,${suffix}`));

/** The names as this version of compile.ts gives them. */
export function zoneTable(version = ZONES_VERSION): Derived {
  return {
    name: NAME,
    version,
    async rebuild(writer, progress) {
      const domains = await writer.execute(countDomains, null);
      let done = 0;
      for (const objectClass of NAME_CLASSES) {
        for (let after: number | undefined = 0; after !== undefined; ) {
          const slice: EntrySlice = await writer.execute(compileEntries, { objectClass, after });
          done += slice.entries;
          after = slice.last;
          progress(done, Math.max(done, domains));
        }
      }
      await throughNames(writer, removeOthers);
      for (const container of settingContainers())
        for (let after: number | undefined = 0; after !== undefined; )
          after = await writer.execute(compileSettings, { container, after });
      await throughNames(writer, removeSettings);
      await throughNames(writer, countBelow);
      await writer.execute(finish, version);
    },
  };
}

async function throughNames(writer: Writer, slice: Operation<string, string | undefined>): Promise<void> {
  for (let after: string | undefined = ''; after !== undefined; ) after = await writer.execute(slice, after);
}

/** How many there are so far, for the progress. */
const countDomains = operation('zones.count-domains', async (tx, _args: null): Promise<number> => {
  const row = await tx.get('SELECT count(*) AS n FROM zone_name WHERE tenant = ? AND row IS NOT NULL', TENANT);
  return Number(row?.['n']);
});

interface EntrySlice {
  readonly entries: number;
  /** The id of the last entry, undefined when there are no more. */
  readonly last: number | undefined;
}

const compileEntries = operation(
  'zones.compile-entries',
  async (tx, { objectClass, after }: { objectClass: string; after: number }): Promise<EntrySlice> => {
    const revision = oneMoreRevision(tx);
    const entries = await entriesWithIn(tx, 'objectClass', objectClass, SLICE, after);
    for (const entry of entries) {
      const compiled = compileZoneName(entry);
      if (compiled === undefined) continue;
      const path = pathOf(compiled.name);
      for (const above of pathsAbove(path)) await addName(tx, above);
      await change(tx, path, compiled, revision);
    }
    // An entry of several of the classes counts once.
    const first = entries.filter(
      (entry) => NAME_CLASSES.find((name) => hasClass(entry, asciiLower(name))) === objectClass,
    );
    return { entries: first.length, last: entries.length < SLICE ? undefined : entries.at(-1)?.id };
  },
);

const removeOthers = operation('zones.remove-others', async (tx, after: string): Promise<string | undefined> => {
  const revision = oneMoreRevision(tx);
  const paths = await pathsAfter(tx, after);
  for (const path of paths) {
    const name = nameOfPath(path);
    const entry = await findEntryIn(tx, dcDnOfDomain(name));
    if (entry === undefined || compileZoneName(entry)?.name !== name) await change(tx, path, undefined, revision);
  }
  return paths.length < SLICE ? undefined : paths.at(-1);
});

interface ContainerSlice {
  readonly container: string;
  readonly after: number;
}

const compileSettings = operation(
  'zones.compile-settings',
  async (tx, { container, after }: ContainerSlice): Promise<number | undefined> => {
    const revision = oneMoreRevision(tx);
    const above = await findEntryIn(tx, container);
    if (above === undefined) return undefined;
    const entries = await childrenIn(tx, above.id, SLICE, after);
    for (const entry of entries) {
      const row = compileZoneSetting(entry);
      if (row !== undefined) await changeSetting(tx, row, row, revision);
    }
    return entries.length < SLICE ? undefined : entries.at(-1)?.id;
  },
);

/** Rows of entries that are gone, or that give another row. */
const removeSettings = operation('zones.remove-settings', async (tx, _after: string): Promise<undefined> => {
  const revision = oneMoreRevision(tx);
  const rows = await tx.arrays(
    `SELECT row FROM zone_setting WHERE tenant = ?1 AND kind IN ('host', 'nameserver', 'key')
     UNION ALL SELECT row FROM zone_key WHERE tenant = ?1`,
    TENANT,
  );
  for (const [text] of rows) {
    const row = JSON.parse(text as string) as ZoneSettingRow;
    const dn = row.kind === 'host' ? `cn=${escapeDnValue(row.key)},${settingContainers()[0]}` : row.dn;
    const entry = await findEntryIn(tx, dn);
    const is = entry && compileZoneSetting(entry);
    if (is?.kind !== row.kind || is.key !== row.key || JSON.stringify(is) !== text)
      await changeSetting(tx, row, undefined, revision);
  }
  return undefined;
});

const countBelow = operation('zones.count-below', async (tx, after: string): Promise<string | undefined> => {
  const revision = oneMoreRevision(tx);
  const paths = await pathsAfter(tx, after);
  for (const path of paths) {
    const { to } = subtreeOf(path);
    const counted = await tx.get(
      `SELECT below, (SELECT count(*) FROM zone_name
         WHERE tenant = ?1 AND path > ?2 AND path < ?3 AND row IS NOT NULL) AS now
       FROM zone_name WHERE tenant = ?1 AND path = ?2`,
      TENANT,
      path,
      to,
    );
    if (counted?.['below'] === counted?.['now']) continue;
    await tx.run(
      'UPDATE zone_name SET below = ?, changed_below = ? WHERE tenant = ? AND path = ?',
      counted!['now']!,
      await revision(),
      TENANT,
      path,
    );
    await noteBelow(tx, path, { more: 0, revision: await revision() });
  }
  return paths.length < SLICE ? undefined : paths.at(-1);
});

const finish = operation('zones.finish-rebuild', (tx, version: number) => setDerivedVersion(tx, NAME, version));

/** What the writer runs for `zoneTable`. */
export const zoneOperations = [
  countDomains,
  compileEntries,
  removeOthers,
  compileSettings,
  removeSettings,
  countBelow,
  finish,
] as const;

/** A revision for this slice, taken when something differs. */
function oneMoreRevision(tx: Transaction): () => Promise<Revision> {
  let revision: Revision | undefined;
  return async () => {
    revision ??= await tx.nextRevision();
    return revision;
  };
}

async function change(
  tx: Transaction,
  path: string,
  is: CompiledDomain | undefined,
  revision: () => Promise<Revision>,
): Promise<void> {
  const [found] = await tx.arrays('SELECT row, entry FROM zone_name WHERE tenant = ? AND path = ?', TENANT, path);
  const [row = null, entry = null] = found ?? [];
  if (row !== (is === undefined ? null : JSON.stringify(is.row)) || entry !== (is?.entry ?? null))
    await setRow(tx, path, is, await revision());
}

async function changeSetting(
  tx: Transaction,
  at: ZoneSettingRow,
  row: ZoneSettingRow | undefined,
  revision: () => Promise<Revision>,
): Promise<void> {
  if (await isAsCompiled(tx, at, row)) return;
  await setSetting(tx, at, row, await revision());
}

async function isAsCompiled(tx: Transaction, at: ZoneSettingRow, row: ZoneSettingRow | undefined): Promise<boolean> {
  const [found] =
    at.kind === 'key' && at.domain !== undefined
      ? await tx.arrays(
          'SELECT row FROM zone_key WHERE tenant = ? AND path = ? AND selector = ?',
          TENANT,
          pathOf(at.domain),
          at.key,
        )
      : await tx.arrays(
          'SELECT row FROM zone_setting WHERE tenant = ? AND kind = ? AND key = ?',
          TENANT,
          at.kind,
          at.key,
        );
  return (found?.[0] ?? null) === (row === undefined ? null : JSON.stringify(row));
}

/** A name above a domain that has no row; countBelow completes it. */
async function addName(tx: Transaction, path: string): Promise<void> {
  await tx.run(
    'INSERT OR IGNORE INTO zone_name (tenant, path, row, below, changed, changed_below) VALUES (?, ?, NULL, 0, 0, 0)',
    TENANT,
    path,
  );
}

async function pathsAfter(tx: Transaction, after: string): Promise<string[]> {
  const rows = await tx.arrays(
    'SELECT path FROM zone_name WHERE tenant = ? AND path > ? ORDER BY path LIMIT +?',
    TENANT,
    after,
    SLICE,
  );
  return rows.map(([path]) => path as string);
}
