// Compare: yes or no, or why that can't be said.
//
// RFC 4511 §4.10

import { type Sight, sightOf } from '../../../directory/access/sight.ts';
import { type Dn, parseDn } from '../../../directory/dn.ts';
import { findEntry, noSuchObject } from '../../../directory/entries.ts';
import type { Entry } from '../../../directory/entry.ts';
import { compareValue, hasAttribute } from '../../../directory/match.ts';
import { matchContext } from '../../../directory/match-context.ts';
import { schema } from '../../../directory/schema.ts';
import type { CompareRequest } from '../../../wire/ldap/operations/compare.ts';
import { type LdapResult, result } from '../../../wire/ldap/result.ts';
import type { LdapConversation, LdapHandler } from '../conversation.ts';
import { specialEntry } from '../special-entries.ts';

export const compare: LdapHandler<CompareRequest> = async (request, _operation, session) => ({
  result: compared(request, session),
});

function compared({ dn, attribute, value }: CompareRequest, session: LdapConversation): LdapResult {
  const name = parseDn(dn);
  const description = schema().description(attribute);
  const special = specialEntry(name, session);
  const sight =
    special === undefined ? sightOf(session.door.reader, session.caller, session.record.isPrivate) : undefined;
  const entry = special ?? visibleEntry(session, sight!, name);
  if (description === undefined) return result('undefinedAttributeType', 'The schema does not know the attribute');
  const context = matchContext(session.door.reader);
  // What may not be compared is not there.
  if (sight?.mayCompare(entry, description.type.key) === false)
    return result('noSuchAttribute', 'The entry has no such attribute');
  if (!hasAttribute(entry, attribute, context)) return result('noSuchAttribute', 'The entry has no such attribute');
  const equal = compareValue(entry, attribute, value, context);
  if (equal !== undefined) return result(equal ? 'compareTrue' : 'compareFalse');
  if (description.type.equality === undefined) return result('inappropriateMatching', 'It has no equality rule');
  return result('invalidAttributeSyntax', 'The value does not fit the attribute');
}

/** Whole, but for what is hidden from everybody: it may be compared, and not read. */
function visibleEntry({ door }: LdapConversation, sight: Sight, name: Dn): Entry {
  const entry = findEntry(door.reader, name);
  if (entry === undefined || sight.shown(entry) === undefined) throw noSuchObject(undefined);
  return sight.bare(entry);
}
