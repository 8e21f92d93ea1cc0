// What a source would bring, before it is added: its server is asked, and nothing is kept.
//
// In      the source's settings
// Out     the server, how it would be followed, how many users and lists it has, what of them cannot be read, some users as mail
//         would see them
// Errors  those of a connection: `unavailable`, `unauthenticated`; `denied` for a search that is refused
// Limits  ENTRIES_MAX entries are looked at, PROBE_MS; what is beyond is said

import type { Clock } from '../../base/clock.ts';
import { Failure } from '../../base/failure.ts';
import { type AccountId, idOf } from '../../base/ids.ts';
import type { Entry } from '../../directory/entry.ts';
import { textValue } from '../../directory/entry.ts';
import { LdapConnection, type LdapServers } from '../../directory/source/connection.ts';
import { EVERYTHING, readAll } from '../../directory/source/poll.ts';
import { formatAddress } from '../../message/address.ts';
import { compileRecipient, recipientKindOf } from '../../routing/compile.ts';
import { addressOfKey, type RecipientRow } from '../../routing/rows.ts';
import { pagedResults } from '../../wire/ldap/controls/paged-results.ts';
import { syncRequest } from '../../wire/ldap/controls/sync.ts';
import type { SearchEntry } from '../../wire/ldap/operations/search.ts';
import type { LdapSource } from '../ldap-source.ts';
import { EntryMap, READ } from './mirrored-entry.ts';
import { serversOf } from './source-mirror.ts';

export interface ProbedUser {
  readonly dn: string;
  readonly name: string | null;
  /** `mail` first. Those that are in no domain of the source do not count. */
  readonly addresses: readonly string[];
  readonly login: 'by its hash' | 'by a bind there';
  readonly problems: readonly string[];
}

export interface SourceProbe {
  readonly source: string;
  readonly url: string;
  /** What the server calls itself; null where it does not say. */
  readonly server: string | null;
  readonly by: 'syncrepl' | 'polling';
  readonly entries: number;
  readonly users: number;
  readonly lists: number;
  /** There are more entries than were looked at. */
  readonly isCut: boolean;
  /** What cannot be read, and what follows from it. */
  readonly unreadable: readonly string[];
  readonly examples: readonly ProbedUser[];
}

const ENTRIES_MAX = 100_000;
const PROBE_MS = 40_000;
const EXAMPLES = 5;
/** Addresses that several entries have. */
const NAMED_MAX = 3;
const ROOT = ['supportedControl', 'vendorName', 'vendorVersion', 'objectClass', '+'];

export async function probeSource(
  source: LdapSource,
  { clock, resolver }: { readonly clock: Clock; readonly resolver: LdapServers['resolver'] },
): Promise<SourceProbe> {
  const connection = await LdapConnection.open(serversOf(source, resolver)).catch(withAdvice);
  try {
    const root = await first(connection, { baseObject: '', scope: 'base', filter: EVERYTHING, attributes: ROOT });
    const controls = valuesOf(root, 'supportedcontrol');
    const seen = new Seen(source);
    const until = clock.monotonic() + PROBE_MS;
    let isCut = false;
    const asked = { baseObject: source.base, filter: EVERYTHING, attributes: READ };
    for await (const entry of readAll(connection, asked, controls.includes(pagedResults.type))) {
      isCut = seen.entries === ENTRIES_MAX || clock.monotonic() > until;
      if (isCut) break;
      seen.note(entry, clock.now());
    }
    return {
      source: source.name,
      url: connection.url,
      server: serverName(root),
      by: controls.includes(syncRequest.type) ? 'syncrepl' : 'polling',
      ...{ entries: seen.entries, users: seen.users, lists: seen.lists, isCut },
      unreadable: seen.unreadable(),
      examples: seen.examples,
    };
  } catch (error) {
    return withAdvice(error);
  } finally {
    connection.close();
  }
}

/** Throws it; what is refused to us, with what says who we are there. */
function withAdvice(error: unknown): never {
  const isRefused = error instanceof Failure && (error.kind === 'denied' || error.kind === 'unauthenticated');
  if (!isRefused) throw error;
  throw new Failure(error.kind, `${error.message}: see waypostLogin and waypostSecret`, { cause: error });
}

class Seen {
  readonly #source: LdapSource;
  readonly #map: EntryMap;
  readonly examples: ProbedUser[] = [];
  entries = 0;
  users = 0;
  lists = 0;
  #withoutUuid = 0;
  #withoutTime = 0;
  #withoutHash = 0;
  readonly #addresses = new Set<string>();
  readonly #contested = new Set<string>();

  constructor(source: LdapSource) {
    this.#source = source;
    this.#map = new EntryMap(source);
  }

  note(given: SearchEntry, now: number): void {
    this.entries++;
    if (valuesOf(given, 'entryuuid').length === 0) this.#withoutUuid++;
    if (valuesOf(given, 'modifytimestamp').length === 0) this.#withoutTime++;
    const entry = this.#map.entry(given, now);
    const kind = entry && recipientKindOf(entry);
    if (entry === undefined || kind === undefined) return;
    const row = compileRecipient(entry, { domains: this.#source.domains, account: idOf<AccountId>(0) });
    for (const key of row?.addresses ?? []) {
      if (this.#addresses.has(key)) this.#contested.add(key);
      this.#addresses.add(key);
    }
    if (kind === 'group') {
      this.lists++;
      return;
    }
    this.users++;
    if (!entry.attributes.has('userpassword')) this.#withoutHash++;
    if (this.examples.length < EXAMPLES) this.examples.push(this.#example(entry, row));
  }

  #example(entry: Entry, row: RecipientRow | undefined): ProbedUser {
    return {
      dn: entry.dn,
      name: textValue(entry, 'cn') ?? null,
      addresses: (row?.addresses ?? []).map((key) => formatAddress(addressOfKey(key))),
      login: entry.attributes.has('userpassword') ? 'by its hash' : 'by a bind there',
      problems: (row?.problems ?? []).map(({ attribute, value, reason }) => `${attribute}: ${value} ${reason}`),
    };
  }

  unreadable(): string[] {
    const said = (count: number, of: number, text: string): string[] =>
      count === 0 ? [] : [`${text}: ${count} of ${of}`];
    const contested = [...this.#contested].slice(0, NAMED_MAX).map((key) => formatAddress(addressOfKey(key)));
    const text = `addresses of several entries, which lead to none of them, such as ${contested.join(', ')}`;
    return [
      ...said(this.#contested.size, this.#addresses.size, text),
      ...said(this.#withoutUuid, this.entries, 'entryUUID, without which an entry is left out'),
      ...said(this.#withoutTime, this.entries, 'modifyTimestamp, without which a poll sees no change'),
      ...said(this.#withoutHash, this.users, 'userPassword, so that logins ask your server each time'),
    ];
  }
}

async function first(
  connection: LdapConnection,
  asked: Parameters<typeof readAll>[1],
): Promise<SearchEntry | undefined> {
  for await (const entry of readAll(connection, asked, false)) return entry;
  return undefined;
}

function serverName(root: SearchEntry | undefined): string | null {
  const named = [...valuesOf(root, 'vendorname'), ...valuesOf(root, 'vendorversion')];
  if (named.length > 0) return named.join(' ');
  return valuesOf(root, 'objectclass').some((value) => value === 'OpenLDAProotDSE') ? 'OpenLDAP' : null;
}

function valuesOf(entry: SearchEntry | undefined, key: string): string[] {
  const values = entry?.attributes.find(({ name }) => name.toLowerCase() === key)?.values ?? [];
  return values.filter((value) => typeof value === 'string');
}
