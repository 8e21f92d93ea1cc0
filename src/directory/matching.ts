// Equality of attribute values by the type's matching rule, the rules that compare names included.
//
// RFC 4517 §4.2

import { normalizeDn } from './dn.ts';
import type { AttributeValue } from './entry.ts';
import { prepare } from './prepare.ts';
import { type AttributeType, schema } from './schema.ts';
import type { MatchingRuleName } from './schema-data.ts';

/** The text in which equal values are equal; undefined when the value is none of the rule's. */
export function prepareFor(rule: MatchingRuleName, value: AttributeValue): string | undefined {
  if (rule === 'distinguishedNameMatch') return typeof value === 'string' ? preparedDn(value) : undefined;
  if (rule === 'uniqueMemberMatch') return typeof value === 'string' ? preparedNameAndUid(value) : undefined;
  return prepare(rule, value);
}

/** For values of an entry. A type without an equality rule compares octets, so that its values can still be deleted. */
export function equalityKey(type: AttributeType, value: AttributeValue): string {
  const key = type.equality === undefined ? undefined : prepareFor(type.equality, value);
  // A value that its own rule cannot read may be stored, from before the schema had the rule: it equals itself.
  return key ?? prepare('octetStringMatch', value)!;
}

function preparedDn(text: string): string | undefined {
  const simple = simpleDn(text);
  if (simple !== undefined) return simple;
  try {
    return normalizeDn(text);
  } catch {
    return undefined;
  }
}

/** RFC 4517 §3.3.21: a DN, perhaps with `#'0101'B` behind it. */
function preparedNameAndUid(text: string): string | undefined {
  const at = nameEnd(text);
  const dn = preparedDn(text.slice(0, at));
  return dn === undefined ? undefined : `${dn}${text.slice(at)}`;
}

/** Where the DN of a Name And Optional UID ends. */
export function nameEnd(text: string): number {
  if (!text.endsWith("'B")) return text.length;
  const at = text.lastIndexOf('#');
  return at >= 0 && /^#'[01]*'B$/.test(text.slice(at)) ? at : text.length;
}

/** Members of groups are names by the ten thousand, nearly all of letters and digits: those need no parser. */
function simpleDn(text: string): string | undefined {
  let at = 0;
  let result = '';
  while (at < text.length) {
    const comma = text.indexOf(',', at);
    const end = comma < 0 ? text.length : comma;
    const equals = text.indexOf('=', at);
    if (equals < 0 || equals >= end - 1 || end === text.length - 1) return undefined;
    const type = schema().attributeType(text.slice(at, equals));
    if (type?.equality !== 'caseIgnoreMatch' && type?.equality !== 'caseIgnoreIA5Match') return undefined;
    for (let i = equals + 1; i < end; i++) if (!isSimple(text.charCodeAt(i))) return undefined;
    result += `${result === '' ? '' : ','}${type.key}=${text.slice(equals + 1, end).toLowerCase()}`;
    at = end + 1;
  }
  return result === '' ? undefined : result;
}

function isSimple(code: number): boolean {
  return (
    (code >= 0x61 && code <= 0x7a) ||
    (code >= 0x30 && code <= 0x39) ||
    (code >= 0x41 && code <= 0x5a) ||
    code === 0x2e || // .
    code === 0x2d || // -
    code === 0x40 || // @
    code === 0x5f // _
  );
}
