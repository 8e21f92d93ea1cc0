// What `cn=Subschema` holds: the schema as clients read it.
//
// RFC 4512 §4.1 §4.2

import type { Attribute } from './entry.ts';
import type { AttributeType, ObjectClass, Schema } from './schema.ts';
import { MATCHING_RULES, SYNTAXES } from './schema-data.ts';

/** Without operational attributes. */
export function subschemaAttributes(schema: Schema): readonly Attribute[] {
  return [
    { name: 'objectClass', values: ['top', 'subentry', 'subschema', 'extensibleObject'] },
    { name: 'cn', values: ['Subschema'] },
    { name: 'ldapSyntaxes', values: Object.values(SYNTAXES).map(([oid, text]) => `( ${oid} DESC '${text}' )`) },
    {
      name: 'matchingRules',
      values: Object.entries(MATCHING_RULES).map(
        ([name, [oid, syntax]]) => `( ${oid} NAME '${name}' SYNTAX ${SYNTAXES[syntax][0]} )`,
      ),
    },
    { name: 'attributeTypes', values: schema.attributeTypes.map((type) => attributeTypeDefinition(type)) },
    { name: 'objectClasses', values: schema.objectClasses.map(objectClassDefinition) },
  ];
}

/** RFC 4512 §4.1.2; the rules are written out, also where a supertype would give them. */
export function attributeTypeDefinition(type: AttributeType, { withoutUsage = false } = {}): string {
  const parts = [`( ${type.oid} NAME ${quotedNames(type.names)}`];
  if (type.supertype !== undefined) parts.push(`SUP ${type.supertype.name}`);
  if (type.equality !== undefined) parts.push(`EQUALITY ${type.equality}`);
  if (type.ordering !== undefined) parts.push(`ORDERING ${type.ordering}`);
  if (type.substrings !== undefined) parts.push(`SUBSTR ${type.substrings}`);
  parts.push(`SYNTAX ${SYNTAXES[type.syntax][0]}`);
  if (type.singleValued) parts.push('SINGLE-VALUE');
  if (type.isMade && !withoutUsage) parts.push('NO-USER-MODIFICATION');
  if (type.usage !== 'userApplications' && !withoutUsage) parts.push(`USAGE ${type.usage}`);
  return `${parts.join(' ')} )`;
}

/** RFC 4512 §4.1.1 */
export function objectClassDefinition(objectClass: ObjectClass): string {
  const parts = [`( ${objectClass.oid} NAME '${objectClass.name}'`];
  if (objectClass.superclass !== undefined) parts.push(`SUP ${objectClass.superclass.name}`);
  parts.push(objectClass.kind);
  if (objectClass.must.length > 0) parts.push(`MUST ${oids(objectClass.must)}`);
  if (objectClass.may.length > 0) parts.push(`MAY ${oids(objectClass.may)}`);
  return `${parts.join(' ')} )`;
}

function quotedNames(names: readonly string[]): string {
  return names.length === 1 ? `'${names[0]}'` : `( ${names.map((name) => `'${name}'`).join(' ')} )`;
}

function oids(names: readonly string[]): string {
  return names.length === 1 ? names[0]! : `( ${names.join(' $ ')} )`;
}
