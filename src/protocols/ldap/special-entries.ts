// The two entries that are not in the tree: what the server says of itself, and its schema. Every caller may read them.
//
// RFC 4512 §4.2 §5.1, RFC 3045 (vendorName), RFC 3674 (supportedFeatures)

import { asciiLower } from '../../base/characters.ts';
import { idOf, type Revision } from '../../base/ids.ts';
import { ADMINISTRATOR_DN } from '../../directory/caller.ts';
import type { Dn } from '../../directory/dn.ts';
import { rootNames } from '../../directory/entries.ts';
import type { Attribute, Entry } from '../../directory/entry.ts';
import { type Schema, SUBSCHEMA_DN, schema } from '../../directory/schema.ts';
import { isSubschema } from '../../directory/site-schema.ts';
import { subschemaAttributes } from '../../directory/subschema.ts';
import { SUPPORTED_CONTROLS } from './controls.ts';
import type { LdapConversation } from './conversation.ts';
import { extensionsOf } from './operations/extended.ts';

/** RFC 4525 increment; RFC 3673 `+`; RFC 4529 `@class`; RFC 4526 `(&)` and `(|)`; RFC 3866 language tags. */
const FEATURES = [
  '1.3.6.1.1.14',
  '1.3.6.1.4.1.4203.1.5.1',
  '1.3.6.1.4.1.4203.1.5.2',
  '1.3.6.1.4.1.4203.1.5.3',
  '1.3.6.1.4.1.4203.1.5.4',
] as const;

/** The root DSE for the empty name, the subschema for its own; undefined for every other name. */
export function specialEntry(dn: Dn, session: LdapConversation): Entry | undefined {
  if (dn.rdns.length === 0) return special('', rootDseAttributes(session));
  if (isSubschema(dn)) return subschemaEntry(schema());
  return undefined;
}

let subschema: { readonly of: Schema; readonly entry: Entry } | undefined;

/** Made once for each schema. */
function subschemaEntry(of: Schema): Entry {
  if (subschema?.of !== of) subschema = { of, entry: special(SUBSCHEMA_DN, subschemaAttributes(of)) };
  return subschema.entry;
}

function rootDseAttributes(session: LdapConversation): readonly Attribute[] {
  const { door, record } = session;
  const { hostname, version, logins, reader } = door;
  const suffixes = rootNames(reader).filter((dn) => dn !== ADMINISTRATOR_DN);
  // Attributes without a value do not exist.
  const mechanisms = logins.mechanisms({ door: 'ldap', record });
  return [
    { name: 'objectClass', values: ['top', 'extensibleObject'] },
    { name: 'namingContexts', values: suffixes },
    // As Microsoft's directory has it: a server that follows this one learns its name.
    { name: 'dnsHostName', values: [hostname] },
    { name: 'subschemaSubentry', values: [SUBSCHEMA_DN] },
    { name: 'supportedLDAPVersion', values: ['3'] },
    ...(mechanisms.length > 0 ? [{ name: 'supportedSASLMechanisms', values: mechanisms }] : []),
    { name: 'supportedControl', values: SUPPORTED_CONTROLS },
    { name: 'supportedExtension', values: extensionsOf(session) },
    { name: 'supportedFeatures', values: FEATURES },
    { name: 'vendorName', values: ['Waypost'] },
    { name: 'vendorVersion', values: [version] },
  ];
}

function special(dn: string, attributes: readonly Attribute[]): Entry {
  return {
    id: 0,
    parent: undefined,
    dn,
    normalizedDn: asciiLower(dn),
    uuid: '',
    revision: idOf<Revision>(0),
    attributes: new Map(attributes.map((attribute) => [asciiLower(attribute.name), attribute])),
    createdAt: 0,
    modifiedAt: 0,
  };
}
