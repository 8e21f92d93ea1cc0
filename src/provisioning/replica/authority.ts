// The provider has the say about everything: what is not here may be there, since a moment.
//
// Sources are asked by the provider, which has their secrets: what one of them says of its people comes back with the rest.

import type { DirectoryAuthority } from '../../directory/source/authority.ts';
import { isOver } from '../../routing/resolve-asking.ts';
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
      if (!sources.isIdle && isOver(sources, question) !== undefined) await sources.ask(question, isKnown);
    },
    binds: (dn, password) => sources.binds(dn, password),
    // The provider decides, and hands it to the source.
    renew: () => Promise.resolve(),
    forward: () => Promise.resolve(false),
  };
}
