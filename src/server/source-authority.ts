// Who has the say about domains of a source, as a thread asks it: the directory thread, by way of the main thread.
//
// In      the entries below ou=Sources, read again after each commit that changes one
// Out     answers; what was found lately by a source of which only what was asked for is here
// Limits  FRESH_MAX questions are remembered to have been answered; of NESTING_MAX levels of groups, GROUPS_ASKED_MAX of one, is asked
//         what they are in
// Without such a source nothing of it is ever asked, and the way of all mail is what it was

import type { WriterClient } from '../database/client.ts';
import type { Reader } from '../database/operation.ts';
import { groupsOf, NESTING_MAX } from '../directory/access/groups.ts';
import { look } from '../directory/access/look.ts';
import { groupsOfRules } from '../directory/access/plan.ts';
import { type Dn, isAtOrBelow, parentOf, parseDn } from '../directory/dn.ts';
import type { DirectoryChange } from '../directory/entry.ts';
import { directoryFailure } from '../directory/failure.ts';
import type { AuthorityOver, AuthorityQuestion, DirectoryAuthority } from '../directory/source/authority.ts';
import type { LdapSource } from '../provisioning/ldap-source.ts';
import { ldapSources } from '../provisioning/mirror/mirrors.ts';
import type { SourceCall } from './threads/directory-sources.ts';

const FRESH_MAX = 100_000;
const GROUPS_ASKED_MAX = 1000;

export interface SourceAuthorityParts {
  readonly reader: Reader;
  readonly writer: Pick<WriterClient, 'onNotification'>;
  /** Rejects 'unavailable' where nobody answers. */
  readonly call: (call: SourceCall) => Promise<unknown>;
}

interface Known {
  readonly domains: ReadonlyMap<string, AuthorityOver>;
  readonly bases: readonly { readonly base: Dn; readonly over: AuthorityOver; readonly isForwarding: boolean }[];
}

export class SourceAuthority implements DirectoryAuthority {
  readonly #parts: SourceAuthorityParts;
  /** Until when, by the monotonic clock. The oldest first. */
  readonly #fresh = new Map<string, number>();
  #sources: Known | undefined;

  constructor(parts: SourceAuthorityParts) {
    this.#parts = parts;
    parts.writer.onNotification(({ kind }) => {
      if (kind !== 'zone-sources') return;
      this.#sources = undefined;
      this.#fresh.clear();
    });
  }

  get isIdle(): boolean {
    return this.#known().bases.length === 0;
  }

  over(domain: string): AuthorityOver | undefined {
    return this.#known().domains.get(domain);
  }

  overEntry(dn: string): AuthorityOver | undefined {
    const name = parseDn(dn);
    for (const { base, over } of this.#known().bases) if (isAtOrBelow(name, base)) return over;
    return undefined;
  }

  isFresh(question: AuthorityQuestion): boolean {
    const until = this.#fresh.get(JSON.stringify(question));
    return until !== undefined && until > performance.now();
  }

  async ask(question: AuthorityQuestion, isKnown: boolean): Promise<void> {
    const began = performance.now();
    const forMs = (await this.#parts.call({ name: 'ask', question, isKnown })) as number | undefined;
    const key = JSON.stringify(question);
    this.#fresh.delete(key);
    if (forMs === undefined) return;
    this.#fresh.set(key, began + forMs);
    if (this.#fresh.size > FRESH_MAX) this.#fresh.delete(this.#fresh.keys().next().value!);
  }

  async binds(dn: string, password: Uint8Array): Promise<boolean> {
    return (await this.#parts.call({ name: 'binds', dn, password })) === true;
  }

  async renew(change: DirectoryChange, caller: string | undefined): Promise<void> {
    if (!this.#takes(change)) return;
    const dn = parseDn(change.dn);
    const above = change.kind === 'add' ? [parentOf(dn)] : [dn];
    const to = change.kind === 'rename' && change.newSuperior !== undefined ? [parseDn(change.newSuperior)] : [];
    const names = [...above, ...to, ...(caller === undefined ? [] : [parseDn(caller)])];
    const asked = new Set(names.flatMap((name) => name?.normalized ?? []).filter((name) => this.overEntry(name)));
    await Promise.all([...asked].map((name) => this.ask({ dn: name }, false)));
    if (caller !== undefined) await this.#renewGroups(parseDn(caller).normalized, dn);
  }

  /** Those that he is in, and those that these are in: a rule may name any, of one source one that is the other's. */
  async #renewGroups(caller: string, changed: Dn): Promise<void> {
    const { reader } = this.#parts;
    const places = [parseDn(caller), changed, ...[...groupsOfRules(reader)].map(parseDn)];
    const bases = new Set(places.flatMap((place) => this.#baseOver(place)?.normalized ?? []));
    const asked = new Set<string>();
    for (let level = 0; level < NESTING_MAX; level++) {
      const names = [caller, ...look(reader, groupsOf(caller))].filter((name) => !asked.has(name));
      if (bases.size === 0 || names.length === 0) return;
      if (names.length > GROUPS_ASKED_MAX)
        throw directoryFailure(
          'adminLimitExceeded',
          `In more than ${GROUPS_ASKED_MAX} groups: they cannot be asked for`,
        );
      await this.ask({ groupsOf: names, at: { dns: [...bases], domains: [] } }, false);
      for (const name of names) asked.add(name);
    }
  }

  #baseOver(dn: Dn): Dn | undefined {
    return this.#known().bases.find(({ base }) => isAtOrBelow(dn, base))?.base;
  }

  async forward(change: DirectoryChange): Promise<boolean> {
    const takes = this.#takes(change);
    if (takes) await this.#parts.call({ name: 'forward', change });
    return takes;
  }

  #takes({ dn: text }: DirectoryChange): boolean {
    const { bases } = this.#known();
    if (!bases.some(({ isForwarding }) => isForwarding)) return false;
    const dn = parseDn(text);
    return bases.some(({ base, isForwarding }) => isForwarding && isAtOrBelow(dn, base));
  }

  #known(): Known {
    this.#sources ??= knownOf(ldapSources(this.#parts.reader));
    return this.#sources;
  }
}

function knownOf(sources: readonly LdapSource[]): Known {
  const overOf = ({ hold }: LdapSource): AuthorityOver => (hold === 'cache' ? 'everything' : 'refusals');
  return {
    domains: new Map(
      sources.flatMap((source) => source.domains.map((domain): [string, AuthorityOver] => [domain, overOf(source)])),
    ),
    bases: sources.map((source) => ({
      base: parseDn(source.base),
      over: overOf(source),
      isForwarding: source.write === 'forward',
    })),
  };
}
