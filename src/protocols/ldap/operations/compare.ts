// Compare: yes or no, or why that can't be said.
//
// RFC 4511 §4.10, RFC 4528 §3, RFC 3296 §5.5

import { checkSearch, visibleTo } from '../../../directory/caller.ts';
import { type Dn, parseDn } from '../../../directory/dn.ts';
import { noSuchObject } from '../../../directory/entries.ts';
import type { Entry } from '../../../directory/entry.ts';
import { compareValue, compileFilter, hasAttribute } from '../../../directory/match.ts';
import { matchContext } from '../../../directory/match-context.ts';
import { schema } from '../../../directory/schema.ts';
import { findBase } from '../../../directory/search-base.ts';
import type { CompareRequest } from '../../../wire/ldap/operations/compare.ts';
import { type LdapResult, result } from '../../../wire/ldap/result.ts';
import type { LdapConversation, LdapHandler, LdapOperation } from '../conversation.ts';
import { specialEntry } from '../special-entries.ts';

export const compare: LdapHandler<CompareRequest> = async (request, operation, session) => ({
  result: compared(request, operation, session),
});

function compared(
  { dn, attribute, value }: CompareRequest,
  operation: LdapOperation,
  session: LdapConversation,
): LdapResult {
  const name = parseDn(dn);
  const description = schema().description(attribute);
  const entry = specialEntry(name, session) ?? visibleEntry(operation, session, name);
  const { assertion } = operation.asked;
  if (assertion !== undefined && compileFilter(assertion.value)(entry, matchContext(session.door.reader)) !== true)
    return result('assertionFailed', 'The entry does not match the assertion');
  if (description === undefined) return result('undefinedAttributeType', 'The schema does not know the attribute');
  const context = matchContext(session.door.reader);
  if (!hasAttribute(entry, attribute, context)) return result('noSuchAttribute', 'The entry has no such attribute');
  const equal = compareValue(entry, attribute, value, context);
  if (equal !== undefined) return result(equal ? 'compareTrue' : 'compareFalse');
  if (description.type.equality === undefined) return result('inappropriateMatching', 'It has no equality rule');
  return result('invalidAttributeSyntax', 'The value does not fit the attribute');
}

function visibleEntry({ caller, asked }: LdapOperation, { door }: LdapConversation, name: Dn): Entry {
  checkSearch(caller, name);
  const asEntry = asked.manageDsaIt !== undefined;
  const entry = visibleTo(caller, findBase(door.reader, name, { scope: undefined, finds: false, asEntry }));
  if (entry === undefined) throw noSuchObject(undefined);
  return entry;
}
