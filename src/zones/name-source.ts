// What is asked of the names that the directory gives to DNS: one name, or those of a zone in their order.

import type { ZoneRow } from './compile.ts';
import type { ZoneKeyRow } from './settings.ts';

/** What the directory says about one name. */
export interface ZoneName {
  readonly name: string;
  /** Undefined while no entry says anything of this name. */
  readonly row: ZoneRow | undefined;
  /** A row lies below. */
  readonly hasBelow: boolean;
  /** The revision at which `row` was last added, changed or removed; 0 when there never was one. */
  readonly changedAt: number;
  /** The same of the rows below, as far as they are in the zone of this apex; of a name that is no apex it says nothing. */
  readonly changedBelowAt: number;
}

/** Names in lower case, as wire/dns/name.ts writes them. */
export interface NameSource {
  /** Undefined for a name that never had a row and never had one below it. */
  find(name: string): ZoneName | undefined;
  /**
   * The names at and below `apex` in the order of RFC 4034 §6.1: those with a row, and those without data that have one below
   * (empty non-terminals). At most `limit` of those behind `after`; the first ones for ''. Names of other zones below are
   * among them; the host's own name and those above it are not.
   */
  list(apex: string, after: string, limit: number): readonly ZoneName[];
  /** The keys of this domain alone. */
  keys(domain: string): readonly ZoneKeyRow[];
}
