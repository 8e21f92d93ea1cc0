// Values that a request asserts, made ready to be compared: what no rule can evaluate is undefined.
//
// A stored value is compared by its rule as it stands; an asserted one must also have the syntax that the rule asks for,
// else the filter item is neither true nor false.
// RFC 4511 §4.5.1.7, RFC 4517 §4.1

import type { AttributeValue } from './entry.ts';
import { prepareFor } from './matching.ts';
import { type PlainRule, prepareSubstring, type SubstringPlace } from './prepare.ts';
import { MATCHING_RULES, type MatchingRuleName, type SyntaxName } from './schema-data.ts';
import { isValidValue } from './syntaxes.ts';

/** The prepared text; undefined when the rule cannot evaluate the value, or there is no rule. */
export function prepareAssertion(rule: MatchingRuleName | undefined, value: AttributeValue): string | undefined {
  if (rule === undefined || !isAssertable(MATCHING_RULES[rule][1], value)) return undefined;
  return prepareFor(rule, value);
}

/** One part of a substrings assertion, likewise. */
export function prepareAssertedPart(
  rule: MatchingRuleName | undefined,
  part: AttributeValue,
  place: SubstringPlace,
): string | undefined {
  const syntax = rule && SUBSTRING_SYNTAX[rule];
  if (syntax === undefined || !isAssertable(syntax, part)) return undefined;
  return prepareSubstring(rule as PlainRule, part, place);
}

/** What a part is one of: RFC 4517 §3.3.30 leaves that to the attribute. */
const SUBSTRING_SYNTAX: Partial<Record<MatchingRuleName, SyntaxName>> = {
  caseIgnoreSubstringsMatch: 'DirectoryString',
  caseExactSubstringsMatch: 'DirectoryString',
  caseIgnoreIA5SubstringsMatch: 'IA5String',
  caseIgnoreListSubstringsMatch: 'PostalAddress',
  numericStringSubstringsMatch: 'NumericString',
  telephoneNumberSubstringsMatch: 'TelephoneNumber',
};

/** Spaces around an integer or a name of the schema were always forgiven. */
function isAssertable(syntax: SyntaxName, value: AttributeValue): boolean {
  const forgiving = (syntax === 'Integer' || syntax === 'OID') && typeof value === 'string';
  return isValidValue(syntax, forgiving ? value.trim() : value);
}
