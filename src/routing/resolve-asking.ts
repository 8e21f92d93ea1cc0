// A resolution that our tables do not settle alone: the authority is asked, then it is resolved once more.
//
// In      how it is resolved; who has the say
// Out     the resolution, at once where nothing has to be asked; where the authority is silent, temporary replies in place of
//         refusals, and what the tables say of who is found
// Limits  ROUNDS_MAX times: what is found may lead to others that are asked for. All questions of a round at once
// Never   asks the same twice for one resolution

import { asFailure } from '../base/failure.ts';
import type { Reply } from '../base/reply.ts';
import type { Awaitable } from '../database/operation.ts';
import type {
  AuthorityOver,
  AuthorityQuestion,
  DirectoryAuthority,
  GroupPlaces,
} from '../directory/source/authority.ts';
import { replies } from './replies.ts';
import type { Consulted, Resolution, ResolveOptions } from './resolution.ts';

/** A list in a list in a list, whose members are asked for each time. */
const ROUNDS_MAX = 8;

type Resolver = (isUnsure: NonNullable<ResolveOptions['isUnsure']>) => Resolution;

export function resolveAsking(authority: DirectoryAuthority, resolve: Resolver): Awaitable<Resolution> {
  const resolution = resolve(() => undefined);
  const questions = unsettled(authority, resolution);
  return questions.length === 0 ? resolution : asking(authority, resolve, questions);
}

async function asking(
  authority: DirectoryAuthority,
  resolve: Resolver,
  first: readonly Consulted[],
): Promise<Resolution> {
  /** By the question: what is said where it was not answered. */
  const asked = new Map<string, Reply | undefined>();
  let questions = first;
  for (let round = 1; ; round++) {
    const failures = await Promise.all(questions.map((each) => failureOf(authority, each)));
    for (const [index, { question }] of questions.entries()) asked.set(keyOf(question), failures[index]);
    const isLast = round === ROUNDS_MAX;
    const resolution = resolve((question) => {
      const key = keyOf(question);
      return isLast && !asked.has(key) && isOver(authority, question) ? replies.sourceSilent : asked.get(key);
    });
    questions = unsettled(authority, resolution).filter(({ question }) => !asked.has(keyOf(question)));
    if (questions.length === 0 || isLast) return resolution;
  }
}

/** What has to be asked: where all that is asked for lately is here, who is found too. */
function unsettled(authority: DirectoryAuthority, { consulted = [] }: Resolution): readonly Consulted[] {
  return consulted.filter((each) => isUnsettled(authority, each));
}

function isUnsettled(authority: DirectoryAuthority, { question, isKnown }: Consulted): boolean {
  const asking = isOver(authority, question);
  if (asking === undefined) return false;
  return !isKnown || (asking === 'everything' && !authority.isFresh(question));
}

/** Undefined: our tables alone decide over it. */
export function isOver(authority: DirectoryAuthority, question: AuthorityQuestion): AuthorityOver | undefined {
  if ('uid' in question) return authority.over(question.domain);
  if ('dn' in question) return authority.overEntry(question.dn);
  if ('groupsOf' in question) return overGroups(authority, question.at);
  return authority.over(question.address.slice(question.address.lastIndexOf('@') + 1));
}

/** As the one of them has it that is asked most. */
function overGroups(authority: DirectoryAuthority, { dns, domains }: GroupPlaces): AuthorityOver | undefined {
  const overs = [...dns.map((dn) => authority.overEntry(dn)), ...domains.map((domain) => authority.over(domain))];
  return overs.find((over) => over === 'everything') ?? overs.find((over) => over !== undefined);
}

/** Undefined: it was answered. */
async function failureOf(authority: DirectoryAuthority, { question, isKnown }: Consulted): Promise<Reply | undefined> {
  try {
    await authority.ask(question, isKnown);
    return undefined;
  } catch (error) {
    return asFailure(error).reply ?? replies.sourceSilent;
  }
}

function keyOf(question: AuthorityQuestion): string {
  if ('uid' in question) return `uid ${question.uid} ${question.domain}`;
  if ('groupsOf' in question) return `groups ${JSON.stringify(question)}`;
  return 'dn' in question ? `dn ${question.dn}` : question.address;
}
