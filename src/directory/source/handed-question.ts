// A question about a source's people, as a server that follows another one has that one ask it: JSON, both ways.
//
// In      octets of another server
// Out     what is asked; what was found out, or why it was not
// Errors  a SyntaxFailure for octets that are no such question, or no such answer

import { SyntaxFailure } from '../../base/cursor.ts';
import { Failure, type FailureKind, failureKinds } from '../../base/failure.ts';
import type { Revision } from '../../base/ids.ts';
import { valueOfJson } from '../../base/json-extent.ts';
import type { Reply } from '../../base/reply.ts';
import type { AuthorityQuestion, GroupPlaces } from './authority.ts';

export type HandedQuestion =
  /** See DirectoryAuthority. */
  | { readonly name: 'ask'; readonly question: AuthorityQuestion; readonly isKnown: boolean }
  | { readonly name: 'binds'; readonly dn: string; readonly password: Uint8Array };

export interface HandedAnswer {
  /** What was found is in the directory at this one. */
  readonly revision: Revision;
  /** Of `ask`: for how many milliseconds it need not be asked again. Of `binds`: whether it is let in. */
  readonly result: number | boolean | undefined;
}

export function encodeQuestion(asked: HandedQuestion): Uint8Array {
  const plain = asked.name === 'ask' ? asked : { ...asked, password: Buffer.from(asked.password).toString('base64') };
  return Buffer.from(JSON.stringify(plain), 'utf8');
}

export function parseQuestion(octets: Uint8Array): HandedQuestion {
  const { name, question, isKnown, dn, password } = objectIn(octets);
  if (name === 'ask' && typeof isKnown === 'boolean') return { name, question: questionIn(question), isKnown };
  if (name === 'binds' && typeof dn === 'string' && typeof password === 'string')
    return { name, dn, password: Buffer.from(password, 'base64') };
  throw new SyntaxFailure('a question about an entry of a source', 0);
}

function questionIn(value: unknown): AuthorityQuestion {
  const { address, dn, uid, domain, groupsOf, at } = (value ?? {}) as Record<string, unknown>;
  if (typeof address === 'string') return { address };
  if (typeof dn === 'string') return { dn };
  if (typeof uid === 'string' && typeof domain === 'string') return { uid, domain };
  const { dns, domains } = (at ?? {}) as Partial<Record<keyof GroupPlaces, unknown>>;
  if (areTexts(groupsOf) && areTexts(dns) && areTexts(domains)) return { groupsOf, at: { dns, domains } };
  throw new SyntaxFailure('an address, a DN, a name in a domain, or whose groups', 0);
}

function areTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((each) => typeof each === 'string');
}

export function encodeAnswer(answer: HandedAnswer | Failure): Uint8Array {
  const { kind, message, reply } = answer as Failure;
  const plain = answer instanceof Failure ? { failure: { kind, message, reply } } : answer;
  return Buffer.from(JSON.stringify(plain), 'utf8');
}

/** Throws the failure that the other server has met. */
export function parseAnswer(octets: Uint8Array): HandedAnswer {
  const { revision, result, failure } = objectIn(octets);
  if (failure !== undefined) throw failureIn(failure);
  if (!Number.isSafeInteger(revision)) throw new SyntaxFailure('an answer with its revision', 0);
  return { revision: revision as Revision, result: result as HandedAnswer['result'] };
}

function failureIn(value: unknown): Failure {
  const { kind, message, reply } = value as { kind?: FailureKind; message?: unknown; reply?: Reply };
  const known = failureKinds.find((each) => each === kind) ?? 'unavailable';
  return new Failure(known, String(message), reply === undefined ? {} : { reply });
}

function objectIn(octets: Uint8Array): Record<string, unknown> {
  try {
    const value = valueOfJson(octets);
    if (typeof value === 'object' && value !== null) return value as Record<string, unknown>;
  } catch {
    // As for any other text that is none.
  }
  throw new SyntaxFailure('a JSON object', 0);
}
