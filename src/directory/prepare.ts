// Values prepared for comparing: two values are equal by a rule exactly when their prepared texts are the same.
//
// Never  knows DNs: matching.ts adds the rules that compare them
// RFC 4517 §4.2, RFC 4518 §2

import { asciiLower } from '../base/characters.ts';
import { isCsn } from './csn.ts';
import type { AttributeValue } from './entry.ts';
import { parseGeneralizedTime, parseInteger, UUID_TEXT } from './scalars.ts';
import { schema } from './schema.ts';
import type { MatchingRuleName } from './schema-data.ts';

export type PlainRule = Exclude<MatchingRuleName, 'distinguishedNameMatch' | 'uniqueMemberMatch'>;

/** Where a substring stands: at its open ends a space is a space, not padding. RFC 4518 §2.6.1 */
export type SubstringPlace = 'initial' | 'any' | 'final';

/** The prepared text; undefined when the value cannot be one of this rule's. */
export function prepare(rule: PlainRule, value: AttributeValue): string | undefined {
  if (rule === 'octetStringMatch' || rule === 'octetStringOrderingMatch') return octets(value);
  if (typeof value !== 'string') return undefined;
  switch (rule) {
    case 'caseIgnoreMatch':
    case 'caseIgnoreOrderingMatch':
    case 'caseIgnoreSubstringsMatch':
      return prepareText(value, true);
    case 'caseExactMatch':
    case 'caseExactOrderingMatch':
    case 'caseExactSubstringsMatch':
      return prepareText(value, false);
    case 'caseIgnoreIA5Match':
    case 'caseIgnoreIA5SubstringsMatch':
      return isAscii(value) ? prepareText(value, true) : undefined;
    case 'caseExactIA5Match':
      return isAscii(value) ? prepareText(value, false) : undefined;
    case 'caseIgnoreListMatch':
    case 'caseIgnoreListSubstringsMatch':
      return value
        .split('$')
        .map((line) => prepareText(line, true))
        .join('$');
    case 'numericStringMatch':
    case 'numericStringOrderingMatch':
    case 'numericStringSubstringsMatch':
      return value.replaceAll(' ', '');
    case 'telephoneNumberMatch':
    case 'telephoneNumberSubstringsMatch':
      return asciiLower(value.replaceAll(' ', '').replaceAll('-', ''));
    case 'integerMatch':
    case 'integerOrderingMatch':
    case 'integerFirstComponentMatch':
      return parseInteger(value);
    case 'booleanMatch':
      return value === 'TRUE' || value === 'FALSE' ? value : undefined;
    case 'generalizedTimeMatch':
    case 'generalizedTimeOrderingMatch':
      return parseGeneralizedTime(value);
    case 'UUIDMatch':
    case 'UUIDOrderingMatch':
      return UUID_TEXT.test(value) ? value.toLowerCase() : undefined;
    case 'CSNMatch':
    case 'CSNOrderingMatch':
      return isCsn(value) ? value : undefined;
    case 'objectIdentifierMatch':
      return objectIdentifier(value);
    case 'objectIdentifierFirstComponentMatch':
      return objectIdentifier(value.startsWith('(') ? (value.split(' ', 3)[1] ?? '') : value);
    case 'bitStringMatch':
      return value;
    default:
      return rule satisfies never;
  }
}

/** A part of a substrings assertion; undefined when it cannot be a part of a value. */
export function prepareSubstring(rule: PlainRule, part: AttributeValue, place: SubstringPlace): string | undefined {
  if (typeof part !== 'string') return undefined;
  const ignoresSpaces = rule === 'numericStringSubstringsMatch' || rule === 'telephoneNumberSubstringsMatch';
  if (ignoresSpaces) return prepare(rule, part);
  const open = place === 'any' ? ['x', 'x'] : place === 'initial' ? ['', 'x'] : ['x', ''];
  // Between two letters nothing is trimmed; the letters go away again.
  const prepared = prepare(rule, `${open[0]}${part}${open[1]}`);
  return prepared?.slice(open[0]!.length, prepared.length - open[1]!.length);
}

/** Less than, equal or greater, for prepared texts of an ordering rule. */
export function compareOrder(rule: MatchingRuleName, a: string, b: string): number {
  if (rule === 'integerOrderingMatch') {
    const [x, y] = [BigInt(a), BigInt(b)];
    return x < y ? -1 : x > y ? 1 : 0;
  }
  return a < b ? -1 : a > b ? 1 : 0;
}

/** RFC 4518 §2: map, normalize, fold the case where asked, and take away what spaces do not mean. */
function prepareText(text: string, foldCase: boolean): string {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code < 0x20 || code >= 0x7f) return prepareUnicode(text, foldCase);
  }
  return squeeze(foldCase ? asciiLower(text) : text);
}

// §2.2: these mean nothing, and the others are a space.
const TO_NOTHING =
  /[\u0000-\u0008\u000e-\u001f\u007f-\u0084\u0086-\u009f\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2063\u206a-\u206f\ufeff\ufff9-\ufffc]|\u034f|\u1806|[\u180b-\u180e]|[\ufe00-\ufe0f]/gu;
const TO_SPACE = /[\u0009-\u000d\u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]/gu;

function prepareUnicode(text: string, foldCase: boolean): string {
  let mapped = text.replace(TO_NOTHING, '').replace(TO_SPACE, ' ').normalize('NFKC');
  if (foldCase) mapped = mapped.toLowerCase().replaceAll('ς', 'σ').normalize('NFKC');
  return squeeze(mapped);
}

/** §2.6.1: no space at the ends, one where there were several. */
function squeeze(text: string): string {
  const trimmed = text.charCodeAt(0) === 0x20 || text.charCodeAt(text.length - 1) === 0x20 ? text.trim() : text;
  return trimmed.includes('  ') ? trimmed.replace(/ {2,}/g, ' ') : trimmed;
}

export function isAscii(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 0x7f) return false;
  return true;
}

/** A name and its OID are the same identifier. A name that the schema does not have cannot be compared. */
function objectIdentifier(text: string): string | undefined {
  const trimmed = text.trim();
  const known = schema();
  const defined = known.objectClass(trimmed) ?? known.attributeType(trimmed) ?? known.matchingRule(trimmed);
  return defined?.oid ?? (startsWithDigit(trimmed) ? trimmed : undefined);
}

function startsWithDigit(text: string): boolean {
  const first = text.charCodeAt(0);
  return first >= 0x30 && first <= 0x39;
}

function octets(value: AttributeValue): string {
  if (typeof value === 'string' && isAscii(value)) return value;
  return Buffer.from(typeof value === 'string' ? Buffer.from(value, 'utf8') : value).toString('latin1');
}
