// Who decides over a domain in place of our tables: a source that its people come from, or the server that this one follows.
//
// In      what our tables do not know, or would refuse for good
// Out     once it is answered the tables say what the authority says: the caller looks once more
// Order   a question is answered by what is found out after it was put. Nothing that is not there is remembered
// Errors  Failure 'unavailable' where the authority is silent; perhaps with the reply that SMTP gives
//
// A permanent refusal, at RCPT or login, rests on an answer, never on a silence.

import type { DirectoryChange } from '../entry.ts';

/** Why a domain is asked about. */
export type AuthorityOver =
  /** What is not known, and what would be refused for good. */
  | 'refusals'
  /** Whatever was not asked lately, too: only what was asked for is here. */
  | 'everything';

export type AuthorityQuestion =
  /** A key of the alias table. */
  | { readonly address: string }
  /** Of a list's member, of who binds; normalized. */
  | { readonly dn: string }
  /** Who logs in by a name without a domain. */
  | { readonly uid: string; readonly domain: string }
  /** In which groups one of these is, right in them: normalized DNs, and keys of the alias table. */
  | { readonly groupsOf: readonly string[]; readonly at: GroupPlaces };

/** Whose groups are meant: those of the directories that decide over one of these. */
export interface GroupPlaces {
  /** Normalized. */
  readonly dns: readonly string[];
  readonly domains: readonly string[];
}

export interface DirectoryAuthority {
  /** It has no say at all now. */
  readonly isIdle: boolean;
  /** Undefined: our tables alone decide. `''` stands for what is in no domain. */
  over(domain: string): AuthorityOver | undefined;
  /** Whether the entries of this name, normalized, are decided there. */
  overEntry(dn: string): AuthorityOver | undefined;
  /** Whether it was found so lately that it need not be asked now. */
  isFresh(question: AuthorityQuestion): boolean;
  /** Resolves when the tables say what was found. `isKnown`: somebody is found here, and is not refused. */
  ask(question: AuthorityQuestion, isKnown: boolean): Promise<void>;
  /** Whether it lets this entry bind with this password: for entries whose hash it does not show. */
  binds(dn: string, password: Uint8Array): Promise<boolean>;
  /**
   * Before it is decided whether this caller, by his DN, may make a change that would go there: what the decision rests on is
   * here as it is there.
   */
  renew(change: DirectoryChange, caller: string | undefined): Promise<void>;
  /**
   * Makes the change there, by the authority's own login; resolves when the tables say so. False: it takes none from here, or
   * it is not its entry. Throws what the authority has against it.
   */
  forward(change: DirectoryChange): Promise<boolean>;
}
