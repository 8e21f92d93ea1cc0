// Which values an attribute of a syntax may hold.
//
// Never  changes a value: what is stored is what was given
// RFC 4517 §3.3

import { ALNUM, characterClass, isAll } from '../base/characters.ts';
import { isCsn } from './csn.ts';
import { parseDn } from './dn.ts';
import type { AttributeValue } from './entry.ts';
import { nameEnd } from './matching.ts';
import { isAscii } from './prepare.ts';
import { parseGeneralizedTime, parseInteger, UUID_TEXT } from './scalars.ts';
import type { SyntaxName } from './schema-data.ts';

const PRINTABLE = new Uint8Array(ALNUM);
for (const c of "'()+,-./:? =") PRINTABLE[c.charCodeAt(0)] = 1;
/** RFC 4517 §3.3.31 says PrintableString; real numbers have these too. */
const TELEPHONE = new Uint8Array(PRINTABLE);
for (const c of '#*_;@') TELEPHONE[c.charCodeAt(0)] = 1;
const NUMERIC = characterClass([0x30, 0x39], ' ');
const OBJECT_IDENTIFIER = /^([a-zA-Z][a-zA-Z0-9-]{0,127}|[0-2](\.(0|[1-9][0-9]{0,60})){1,60})$/;
const BIT_STRING = /^'[01]*'B$/;

export function isValidValue(syntax: SyntaxName, value: AttributeValue): boolean {
  switch (syntax) {
    case 'OctetString':
      return true;
    case 'JPEG':
    case 'Fax':
    case 'Certificate':
      return value.length > 0;
    default:
      return typeof value === 'string' && isValidText(syntax, value);
  }
}

function isValidText(syntax: SyntaxName, value: string): boolean {
  switch (syntax) {
    case 'IA5String':
      return isAscii(value);
    case 'PrintableString':
      return value !== '' && isAll(value, PRINTABLE);
    case 'CountryString':
      return value.length === 2 && isAll(value, PRINTABLE);
    case 'NumericString':
      return value !== '' && isAll(value, NUMERIC);
    case 'TelephoneNumber':
      return value !== '' && isAll(value, TELEPHONE);
    case 'FacsimileTelephoneNumber':
      return value.split('$').every((part) => part !== '' && isAll(part, TELEPHONE));
    case 'Integer':
      return parseInteger(value) === value;
    case 'Boolean':
      return value === 'TRUE' || value === 'FALSE';
    case 'GeneralizedTime':
      return parseGeneralizedTime(value) !== undefined;
    case 'UUID':
      return UUID_TEXT.test(value);
    case 'CSN':
      return isCsn(value);
    case 'OID':
      return OBJECT_IDENTIFIER.test(value);
    case 'BitString':
      return BIT_STRING.test(value);
    case 'DN':
      return isDn(value);
    case 'NameAndOptionalUID':
      return isDn(value.slice(0, nameEnd(value)));
    default:
      // DirectoryString, PostalAddress and the descriptions of the subschema: some text. RFC 4517 §3.3.6
      return value !== '';
  }
}

function isDn(text: string): boolean {
  try {
    parseDn(text);
    return true;
  } catch {
    return false;
  }
}
