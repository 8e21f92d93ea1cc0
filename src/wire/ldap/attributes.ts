// Attributes with their values, as they stand in add, modify and search entries.
//
// Limits  LIST_MEMBERS_MAX values of one attribute (the directory takes fewer of most), LDAP_VALUES_MAX attributes
// RFC 4511 §4.1.7

import { LDAP_VALUES_MAX, LIST_MEMBERS_MAX } from '../../base/limits.ts';
import { type BerReader, type BerWriter, SEQUENCE, SET } from './ber.ts';
import { RequestFailure } from './request-failure.ts';
import type { AttributeValue } from './values.ts';

/** PartialAttribute; an Attribute proper has one value at least. */
export interface LdapAttribute {
  /** A description as written: a name or OID, perhaps with options. */
  readonly name: string;
  readonly values: readonly AttributeValue[];
}

export function decodeAttribute(reader: BerReader): LdapAttribute {
  const element = reader.enter(SEQUENCE);
  const name = element.text();
  const set = element.enter(SET);
  element.skipRest();
  const values: AttributeValue[] = [];
  while (!set.atEnd) {
    if (values.length === LIST_MEMBERS_MAX)
      throw new RequestFailure(`at most ${LIST_MEMBERS_MAX} values of an attribute`, set.at);
    values.push(set.value());
  }
  return { name, values };
}

export function encodeAttribute(writer: BerWriter, attribute: LdapAttribute): void {
  writer.constructed(SEQUENCE, () => {
    writer.octets(attribute.name);
    writer.constructed(SET, () => {
      for (const value of attribute.values) writer.octets(value);
    });
  });
}

export function decodeAttributes(reader: BerReader): LdapAttribute[] {
  const list = reader.enter(SEQUENCE);
  const attributes: LdapAttribute[] = [];
  while (!list.atEnd) {
    if (attributes.length === LDAP_VALUES_MAX)
      throw new RequestFailure(`at most ${LDAP_VALUES_MAX} attributes`, list.at);
    attributes.push(decodeAttribute(list));
  }
  return attributes;
}

export function encodeAttributes(writer: BerWriter, attributes: readonly LdapAttribute[]): void {
  writer.constructed(SEQUENCE, () => {
    for (const attribute of attributes) encodeAttribute(writer, attribute);
  });
}
