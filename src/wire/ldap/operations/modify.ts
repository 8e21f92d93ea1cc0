// Modify: changes to the attributes of one entry, all or none, in their order.
//
// RFC 4511 §4.6, RFC 4525 (increment)

import { LDAP_VALUES_MAX } from '../../../base/limits.ts';
import { decodeAttribute, encodeAttribute } from '../attributes.ts';
import { applicationConstructed, type BerReader, type BerWriter, ENUMERATED, SEQUENCE } from '../ber.ts';
import { RequestFailure } from '../request-failure.ts';
import type { AttributeValue } from '../values.ts';

export interface LdapModification {
  readonly operation: 'add' | 'delete' | 'replace' | 'increment';
  readonly attribute: string;
  /** Empty only for delete (all values) and replace (none afterwards). */
  readonly values: readonly AttributeValue[];
}

export interface ModifyRequest {
  readonly kind: 'modify';
  readonly dn: string;
  readonly modifications: readonly LdapModification[];
}

export const MODIFY_REQUEST = applicationConstructed(6);
const OPERATIONS = [
  'add',
  'delete',
  'replace',
  'increment',
] as const satisfies readonly LdapModification['operation'][];

export function decodeModifyRequest(reader: BerReader): ModifyRequest {
  const request = reader.enter(MODIFY_REQUEST);
  const dn = request.text();
  const list = request.enter(SEQUENCE);
  request.skipRest();
  const modifications: LdapModification[] = [];
  while (!list.atEnd) {
    if (modifications.length === LDAP_VALUES_MAX)
      throw new RequestFailure(`at most ${LDAP_VALUES_MAX} modifications`, list.at);
    modifications.push(decodeModification(list));
  }
  return { kind: 'modify', dn, modifications };
}

function decodeModification(list: BerReader): LdapModification {
  const at = list.at;
  const change = list.enter(SEQUENCE);
  const operation = OPERATIONS[change.integer(ENUMERATED)];
  if (operation === undefined) throw new RequestFailure('a modification of 0 to 3', at);
  const { name, values } = decodeAttribute(change);
  change.skipRest();
  if (operation === 'add' && values.length === 0) throw new RequestFailure('a value to add', at);
  if (operation === 'increment' && values.length !== 1) throw new RequestFailure('one value to add to others', at);
  return { operation, attribute: name, values };
}

export function encodeModifyRequest(writer: BerWriter, request: ModifyRequest): void {
  writer.constructed(MODIFY_REQUEST, () => {
    writer.octets(request.dn);
    writer.constructed(SEQUENCE, () => {
      for (const modification of request.modifications)
        writer.constructed(SEQUENCE, () => {
          writer.integer(OPERATIONS.indexOf(modification.operation), ENUMERATED);
          encodeAttribute(writer, { name: modification.attribute, values: modification.values });
        });
    });
  });
}
