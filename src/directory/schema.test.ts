// The schema: whole, unambiguous, and a value that nothing changes.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ClassDefinition, TypeDefinition } from './definitions.ts';
import { selectFrom, selectionOf } from './operational.ts';
import { Schema, schema } from './schema.ts';
import { ATTRIBUTE_ROWS, OBJECT_CLASS_ROWS } from './schema-data.ts';
import { subschemaAttributes } from './subschema.ts';

describe('the schema', () => {
  it('has every name that its classes use', () => {
    for (const [, name, , superclass, must = '', may = ''] of OBJECT_CLASS_ROWS) {
      if (superclass !== '') assert.ok(schema().objectClass(superclass), superclass);
      for (const attribute of `${must} ${may}`.split(' ')) {
        if (attribute !== '') assert.ok(schema().attributeType(attribute), `${name}: ${attribute}`);
      }
    }
  });

  it('has every type once, its supertype above it, with syntax and rules inherited', () => {
    for (const [oid, names] of ATTRIBUTE_ROWS) {
      for (const name of names.split(' ')) assert.equal(schema().attributeType(name)?.oid, oid);
    }
    assert.equal(schema().attributeType('cn')?.equality, 'caseIgnoreMatch');
    assert.equal(schema().attributeType('member')?.syntax, 'DN');
    assert.equal(schema().attributeType('mailLocalAddress'), schema().attributeType('2.16.840.1.113730.3.1.13'));
    for (const name of ['__proto__', 'constructor', 'toString', ''])
      assert.equal(schema().attributeType(name), undefined);
  });

  it('knows languages and binary transfer as options', () => {
    assert.equal(schema().description('CN;lang-EN;LANG-de')?.name, 'cn;lang-de;lang-en');
    assert.equal(schema().description('userCertificate')?.name, 'userCertificate;binary');
    assert.equal(schema().description('usercertificate;BINARY')?.key, 'usercertificate');
    for (const text of ['cn;binary', 'cn;', 'cn;x', 'mail;lang-en', 'entryUUID;lang-en', `cn${';lang-a'.repeat(9)}`]) {
      assert.equal(schema().description(text), undefined, text);
    }
  });

  it('publishes descriptions', () => {
    const published = new Map(subschemaAttributes(schema()).map(({ name, values }) => [name, values as string[]]));
    const has = (name: string, description: string) =>
      assert.ok(published.get(name)?.includes(description), description);
    has(
      'attributeTypes',
      "( 2.5.4.3 NAME ( 'cn' 'commonName' ) SUP name EQUALITY caseIgnoreMatch SUBSTR caseIgnoreSubstringsMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 )",
    );
    has(
      'objectClasses',
      "( 2.16.840.1.113730.3.2.129 NAME 'inetDomain' SUP top AUXILIARY MAY ( inetDomainBaseDN $ inetDomainStatus $ inetCanonicalDomainName ) )",
    );
    has('matchingRules', "( 2.5.13.2 NAME 'caseIgnoreMatch' SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 )");
    has('ldapSyntaxes', "( 1.3.6.1.4.1.1466.115.121.1.15 DESC 'Directory String' )");
    const attributes = new Map(
      subschemaAttributes(schema()).map((attribute) => [attribute.name.toLowerCase(), attribute]),
    );
    assert.deepEqual(
      selectFrom(attributes, selectionOf([])).map(({ name }) => name),
      ['objectClass', 'cn'],
    );
    assert.equal(selectFrom(attributes, selectionOf(['+'])).length, 4);
  });

  it('is a value: another schema is another value, and a supertype of the one knows nothing of the other', () => {
    const other = new Schema(schema().revision + 1, {
      attributes: [...ATTRIBUTE_ROWS, ['1.2.3', 'nickName', '<name']],
      classes: [...OBJECT_CLASS_ROWS, ['1.2.4', 'friend', 'AUXILIARY', 'top', '', 'nickName']],
    });
    assert.equal(other.attributeType('NICKNAME')?.equality, 'caseIgnoreMatch');
    assert.ok(other.attributeType('name')?.keys.includes('nickname'));
    assert.equal(other.objectClass('friend')?.superclass, other.objectClass('top'));
    assert.equal(schema().attributeType('nickName'), undefined);
    assert.equal(schema().attributeType('name')?.keys.includes('nickname'), false);
    assert.equal(schema().description('nickName'), undefined);
    assert.equal(other.description('nickName')?.name, 'nickName');
    assert.equal(schema().objectClass('friend'), undefined);
    assert.notEqual(other.revision, schema().revision);
  });

  it("takes a site's definitions in any order: each builds on one of another, by its name or its number", () => {
    const type = (oid: string, name: string, superior: string | undefined, syntax?: string): TypeDefinition => ({
      ...{ oid, names: [name], superior, syntax, singleValued: false, isOperational: false },
      ...{ equality: undefined, ordering: undefined, substrings: undefined },
    });
    const kind = (oid: string, name: string, superior: string): ClassDefinition => ({
      ...{ oid, names: [name], superiors: [superior], kind: 'AUXILIARY', must: [], may: ['size'] },
    });
    const site = {
      types: [
        type('1.2.3.3', 'innerSize', '1.2.3.2'),
        type('1.2.3.2', 'shoeSize', 'SIZE'),
        type('1.2.3.1', 'size', undefined, '1.3.6.1.4.1.1466.115.121.1.15'),
      ],
      classes: [kind('1.2.4.2', 'shod', 'DRESSED'), kind('1.2.4.1', 'dressed', 'top')],
    };
    const made = Schema.withSite(2, site);
    assert.deepEqual(made.attributeType('size')?.keys, ['size', 'shoesize', 'innersize']);
    assert.equal(made.objectClass('shod')?.superclass, made.objectClass('dressed'));
  });

  it('refuses a name that two definitions claim', () => {
    const twice = () =>
      new Schema(2, { attributes: [...ATTRIBUTE_ROWS, ['1.2.3', 'COMMONNAME', 'text']], classes: OBJECT_CLASS_ROWS });
    assert.throws(twice, /the schema has commonname twice/);
  });
});
