// The schema as a file that OpenLDAP's slapd includes: what its core, cosine and inetorgperson schemas lack.
//
// Out     `attributetype` and `objectclass` lines, each type below what it builds on
// USAGE and NO-USER-MODIFICATION are left out: slapd takes no operational type from a file, and a consumer that meets an
// attribute which it does not know begins its refresh again for ever

import type { Schema } from './schema.ts';
import { attributeTypeDefinition, objectClassDefinition } from './subschema.ts';

/** What slapd has built in or in those three files: OIDs, and arcs, which end with a dot, where it has all of ours. */
const KNOWN = [
  ...['0.9.2342.19200300.100.', '1.3.6.1.4.1.1466.', '1.3.6.1.4.1.250.', '1.3.6.1.4.1.4203.'],
  ...['2.5.4.', '2.5.6.', '2.5.17.', '2.5.18.', '2.5.20.', '2.5.21.'],
  ...['1.3.6.1.1.3.1', '1.3.6.1.1.4', '1.3.6.1.1.5', '1.3.6.1.1.16.4', '1.3.6.1.1.20'],
  ...['1.3.6.1.1.1.1.0', '1.3.6.1.1.1.1.1', '2.16.840.1.113730.3.2.2', '2.16.840.1.113730.3.2.6'],
  ...[1, 2, 3, 4, 34, 39, 40, 216, 241].map((number) => `2.16.840.1.113730.3.1.${number}`),
];

export function openLdapSchema(schema: Schema): string {
  const options = { withoutUsage: true };
  const lines = [
    '# The schema of this Waypost, beside core.schema, cosine.schema and inetorgperson.schema.',
    ...schema.attributeTypes
      .filter(({ oid }) => !isKnown(oid))
      .map((type) => `attributetype ${attributeTypeDefinition(type, options)}`),
    ...schema.objectClasses
      .filter(({ oid }) => !isKnown(oid))
      .map((each) => `objectclass ${objectClassDefinition(each)}`),
  ];
  return `${lines.join('\n')}\n`;
}

function isKnown(oid: string): boolean {
  return KNOWN.some((known) => (known.endsWith('.') ? oid.startsWith(known) : oid === known));
}
