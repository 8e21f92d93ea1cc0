// Add, delete, modify and modify DN as changes of the directory: what their controls ask goes along, what was read comes back.
//
// RFC 4527 §3, RFC 4528 §3, RFC 3296 §5

import type { DirectoryChange } from '../../directory/entry.ts';
import type { AskedBeside, ReadEntry } from '../../provisioning/asked-change.ts';
import { controlOf } from '../../wire/ldap/controls/codec.ts';
import { postReadResponse, preReadResponse } from '../../wire/ldap/controls/read-entry.ts';
import type { Control } from '../../wire/ldap/controls.ts';
import type { SearchEntry } from '../../wire/ldap/operations/search.ts';
import { result } from '../../wire/ldap/result.ts';
import type { AskedControls } from './controls.ts';
import type { LdapConversation, LdapFinal, LdapOperation } from './conversation.ts';

/** The change's end, after its commit. */
export async function changed(
  change: DirectoryChange,
  operation: LdapOperation,
  session: LdapConversation,
): Promise<LdapFinal> {
  const { reads } = await session.change(operation, { ...change, beside: besideOf(operation.asked) });
  const controls: Control[] = [];
  const { before, after } = reads?.[0] ?? {};
  if (before !== undefined) controls.push(controlOf(preReadResponse, entryOf(before)));
  if (after !== undefined) controls.push(controlOf(postReadResponse, entryOf(after)));
  return { result: result('success'), controls };
}

function besideOf({ assertion, preRead, postRead, subtreeDelete, manageDsaIt }: AskedControls): AskedBeside {
  return {
    ...(assertion === undefined ? {} : { assertion: assertion.value }),
    ...(preRead === undefined ? {} : { preRead: preRead.value }),
    ...(postRead === undefined ? {} : { postRead: postRead.value }),
    ...(subtreeDelete === undefined ? {} : { subtree: true }),
    refers: manageDsaIt === undefined ? 'any' : 'below',
  };
}

function entryOf({ dn, attributes }: ReadEntry): SearchEntry {
  return { kind: 'searchEntry', dn, attributes };
}
