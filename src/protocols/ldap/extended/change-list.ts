// Change list: LDIF change records in one commit. Its answer says what was done, as that of `directory.change` does.
//
// In      LDIF; from another server of this directory also for whom it is, the Directory Manager too, and with what only
//         servers write. Without a name it is that server's own
// Limits  CHANGES_MAX records, SERVER_CHANGES_MAX of another server, and what a message may have
// Aliases and referrals are entries here: who sends a list knows the tree.

import { changedOf } from '../../../admin/changed.ts';
import { Failure } from '../../../base/failure.ts';
import { SERVER_CHANGES_MAX } from '../../../base/limits.ts';
import { isServer } from '../../../directory/access/is-server.ts';
import { SERVER } from '../../../directory/caller.ts';
import { parseLdif } from '../../../directory/ldif.ts';
import type { ExtendedRequest } from '../../../wire/ldap/operations/extended.ts';
import { result } from '../../../wire/ldap/result.ts';
import { decodeValue } from '../../../wire/ldap/values.ts';
import type { LdapHandler } from '../conversation.ts';

const CHANGES_MAX = 1000;

export const changeList: LdapHandler<ExtendedRequest> = async ({ value }, operation, session) => {
  const text = decodeValue(Buffer.from(value ?? new Uint8Array()));
  if (typeof text !== 'string') return { result: result('protocolError', 'The value is LDIF in UTF-8') };
  try {
    const bound = session.login?.now();
    const isOfServer = bound !== undefined && isServer(session.door.reader, bound);
    const changes = parseLdif(text, isOfServer ? SERVER_CHANGES_MAX : CHANGES_MAX);
    if (changes.length === 0) return { result: result('protocolError', 'There is no change') };
    const caller = operation.asked.proxied === undefined ? SERVER : operation.caller;
    const summary = await (isOfServer ? session.takeOver(caller, changes) : session.change(operation, ...changes));
    return { result: result('success'), value: Buffer.from(JSON.stringify(changedOf(summary, false)), 'utf8') };
  } catch (error) {
    if (error instanceof Failure && error.kind === 'syntax' && error.ldap === undefined)
      return { result: result('protocolError', error.message) };
    throw error;
  }
};
