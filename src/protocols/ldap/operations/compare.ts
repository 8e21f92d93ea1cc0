// Compare: yes or no, or why that can't be said.
//
// RFC 4511 §4.10, RFC 4528 §3, RFC 3296 §5.5

import { type Sight, sightOf } from '../../../directory/access/sight.ts';
import { type Dn, parseDn } from '../../../directory/dn.ts';
import { noSuchObject } from '../../../directory/entries.ts';
import type { Entry } from '../../../directory/entry.ts';
import { compareValue, compileFilter, hasAttribute } from '../../../directory/match.ts';
import { matchContext } from '../../../directory/match-context.ts';
import { schema } from '../../../directory/schema.ts';
import { seenBase } from '../../../directory/search-base.ts';
import { effortOf, effortOfAnybody } from '../../../directory/search-limits.ts';
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
  const { reader } = session.door;
  const special = specialEntry(name, session);
  const sight = special === undefined ? sightOf(reader, operation.caller, session.record.isPrivate) : undefined;
  const entry = special ?? visibleEntry(operation, session, { sight: sight!, name });
  const context = matchContext(reader, sight === undefined ? effortOfAnybody() : effortOf(sight.caller));
  const { assertion } = operation.asked;
  const asked = sight?.maySearch === undefined ? context : { ...context, maySearch: sight.maySearch };
  if (assertion !== undefined && compileFilter(assertion.value)(entry, asked) !== true)
    return result('assertionFailed', 'The entry does not match the assertion');
  if (description === undefined) return result('undefinedAttributeType', 'The schema does not know the attribute');
  // What may not be compared is not there; a supertype stands for those of its subtypes that may be.
  const compares =
    sight === undefined ? context : { ...context, maySearch: (of: Entry, key: string) => sight.mayCompare(of, key) };
  if (!hasAttribute(entry, attribute, compares)) return result('noSuchAttribute', 'The entry has no such attribute');
  const equal = compareValue(entry, attribute, value, compares);
  if (equal !== undefined) return result(equal ? 'compareTrue' : 'compareFalse');
  if (description.type.equality === undefined) return result('inappropriateMatching', 'It has no equality rule');
  return result('invalidAttributeSyntax', 'The value does not fit the attribute');
}

/** Whole, but for what is hidden from everybody: it may be compared, and not read. */
function visibleEntry(
  { asked }: LdapOperation,
  { door }: LdapConversation,
  { sight, name }: { readonly sight: Sight; readonly name: Dn },
): Entry {
  const asEntry = asked.manageDsaIt !== undefined;
  const entry = seenBase(door.reader, name, { scope: undefined, finds: false, asEntry, sight });
  if (sight.shown(entry) === undefined) throw noSuchObject(undefined);
  return sight.bare(entry);
}
