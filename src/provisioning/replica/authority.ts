// The provider has the say about everything: what is not here may be there, since a moment.
//
// Sources are asked by the provider, which has their secrets: what one of them says of its people comes back with the rest.

import type { AuthorityQuestion, DirectoryAuthority } from '../../directory/source/authority.ts';
import type { ProviderAccess } from './handing-writer.ts';

/** `sources` asks the provider. */
export function providerAuthority(provider: ProviderAccess, sources: DirectoryAuthority): DirectoryAuthority {
  return {
    isIdle: false,
    over: (domain) => sources.over(domain) ?? 'refusals',
    overEntry: (dn) => sources.overEntry(dn) ?? 'refusals',
    isFresh: (question) => sources.isFresh(question),
    async ask(question, isKnown) {
      if (!isKnown) await provider.upToDate();
      if (!sources.isIdle && isOfSource(question, sources)) await sources.ask(question, isKnown);
    },
    binds: (dn, password) => sources.binds(dn, password),
    // The provider decides, and hands it to the source.
    renew: () => Promise.resolve(),
    forward: () => Promise.resolve(false),
  };
}

function isOfSource(question: AuthorityQuestion, sources: DirectoryAuthority): boolean {
  if ('dn' in question) return sources.overEntry(question.dn) !== undefined;
  const domain = 'uid' in question ? question.domain : question.address.slice(question.address.lastIndexOf('@') + 1);
  return sources.over(domain) !== undefined;
}
