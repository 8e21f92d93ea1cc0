// What a foreign zone says of mail that is ours: which of its names have this host among their exchanges, and how near.
//
// In      the zone's records, in any order; the names of this host
// Out     the mail domains: `local` where a best exchange is this host, `mx` where it is one, but others are nearer
// Never   a wildcard, a name outside the zone or below one of its delegations, a name that no mail domain can have
// RFC 5321 §5.1, RFC 1034 §4.2.1 (delegations), RFC 4592 §2.1 (wildcards)

import { asciiLower } from '../base/characters.ts';
import { isValidDomain } from '../message/address.ts';
import { isSubdomain, parentName } from '../wire/dns/name.ts';
import type { Rdata } from '../wire/dns/rdata.ts';

export type ZoneRoute = 'local' | 'mx';

interface Preferences {
  best: number;
  /** Of this host; above all others while it is not among them. */
  ours: number;
}

const NONE = 0x10000;

export class ZoneMail {
  readonly #zone: string;
  readonly #hostnames: ReadonlySet<string>;
  readonly #names = new Map<string, Preferences>();
  readonly #delegations = new Set<string>();

  /** In lower case. */
  constructor(zone: string, hostnames: readonly string[]) {
    this.#zone = zone;
    this.#hostnames = new Set(hostnames.map(asciiLower));
  }

  note(record: Rdata & { readonly name: string }): void {
    const name = asciiLower(record.name);
    if (record.type === 'NS' && name !== this.#zone) this.#delegations.add(name);
    if (record.type !== 'MX') return;
    if (!isValidDomain(name) || !isSubdomain(name, this.#zone)) return;
    const known = this.#names.get(name);
    const preferences = known ?? { best: NONE, ours: NONE };
    if (known === undefined) this.#names.set(name, preferences);
    preferences.best = Math.min(preferences.best, record.preference);
    if (this.#hostnames.has(asciiLower(record.exchange)))
      preferences.ours = Math.min(preferences.ours, record.preference);
  }

  /** When all records have come. */
  *domains(): Generator<readonly [domain: string, route: ZoneRoute]> {
    for (const [name, { best, ours }] of this.#names) {
      if (ours === NONE || this.#isDelegated(name)) continue;
      yield [name, ours === best ? 'local' : 'mx'];
    }
  }

  #isDelegated(name: string): boolean {
    if (this.#delegations.size === 0) return false;
    for (let at: string | undefined = name; at !== undefined && at !== this.#zone; at = parentName(at))
      if (this.#delegations.has(at)) return true;
    return false;
  }
}
