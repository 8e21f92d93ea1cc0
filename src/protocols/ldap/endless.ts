// Searches that never end by themselves: how many there may be.
//
// In      a search that is to follow what changes
// Out     why it may not; undefined: it is counted until its signal, or until `release` is called
// Limits  one a connection, and CALLER_MAX a caller and thread; anonymous ones are counted by address. Servers of this directory
//         have no limit

import { type LdapResult, result } from '../../wire/ldap/result.ts';
import type { LdapConversation } from './conversation.ts';
import type { LdapDoor } from './door.ts';
import type { AskedSearch } from './search-turns.ts';

const CALLER_MAX = 10;

/** By caller, the connections that have one. */
const endless = new WeakMap<LdapDoor, Map<string, Set<LdapConversation>>>();

interface Counted {
  readonly refused?: LdapResult;
  release(): void;
}

export function countEndless({ operation, session, sight }: AskedSearch): Counted {
  const release = (): void => {};
  if (sight.caller?.isServer === true) return { release };
  const { caller, signal } = operation;
  const key = caller.kind === 'anonymous' ? session.record.peerAddress : 'uuid' in caller ? caller.uuid : caller.kind;
  const ofDoor = endless.get(session.door) ?? new Map<string, Set<LdapConversation>>();
  endless.set(session.door, ofDoor);
  const ofCaller = ofDoor.get(key) ?? new Set();
  if (ofCaller.has(session))
    return { release, refused: result('adminLimitExceeded', 'This connection follows something already') };
  if (ofCaller.size >= CALLER_MAX)
    return { release, refused: result('busy', `You follow something on ${CALLER_MAX} connections already`) };
  ofDoor.set(key, ofCaller.add(session));
  let isCounted = true;
  const end = (): void => {
    if (!isCounted) return;
    isCounted = false;
    ofCaller.delete(session);
    if (ofCaller.size === 0) ofDoor.delete(key);
  };
  // At once: the next one may be in the same packet.
  signal.addEventListener('abort', end, { once: true });
  if (signal.aborted) end();
  return { release: end };
}
