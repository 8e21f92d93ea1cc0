// The provider has the say about everything: what is not here may be there, since a moment.
//
// Sources are the provider's to ask. Who is of a source and is not here may be there, and the provider does not know of him yet:
// nothing is refused for good

import { Failure } from '../../base/failure.ts';
import type { AuthorityQuestion, DirectoryAuthority } from '../../directory/source/authority.ts';
import type { ProviderAccess } from './handing-writer.ts';

type Sources = Pick<DirectoryAuthority, 'isIdle' | 'over' | 'overEntry'>;

export function providerAuthority(provider: ProviderAccess, sources: Sources): DirectoryAuthority {
  return {
    isIdle: false,
    over: () => 'refusals',
    overEntry: () => 'refusals',
    isFresh: () => false,
    async ask(question, isKnown) {
      await provider.upToDate();
      if (!isKnown && !sources.isIdle && isOfSource(question, sources)) throw silent();
    },
    binds: () => Promise.reject(silent()),
    // The provider hands it to the source.
    forward: () => Promise.resolve(false),
  };
}

function isOfSource(question: AuthorityQuestion, sources: Sources): boolean {
  if ('dn' in question) return sources.overEntry(question.dn) !== undefined;
  const domain = 'uid' in question ? question.domain : question.address.slice(question.address.lastIndexOf('@') + 1);
  return sources.over(domain) !== undefined;
}

function silent(): Failure {
  return new Failure('unavailable', 'The source of this entry is asked by another server, try again later');
}
