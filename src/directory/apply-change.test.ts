import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Failure } from '../base/failure.ts';
import type { ApplyOptions } from './apply-change.ts';
import { entriesWith, findEntry, getEntry } from './entries.ts';
import { type DirectoryChange, type Modification, textValues } from './entry.ts';
import { loggedChanges, openTestDirectory, type TestDirectory } from './testing.ts';

let directory: TestDirectory;
before(async () => {
  directory = await openTestDirectory();
});
after(() => directory.close());

/** The LDAP result name of what is refused, 'success' when nothing is. */
async function resultOf(change: Promise<unknown>): Promise<string> {
  try {
    await change;
    return 'success';
  } catch (error) {
    assert.ok(error instanceof Failure, String(error));
    return error.ldap?.name ?? error.kind;
  }
}

const person = (uid: string, more: Record<string, string | readonly string[]> = {}) =>
  directory.add(`uid=${uid},o=internet`, { objectClass: 'inetOrgPerson', uid, cn: uid, sn: uid, ...more });

const modify = (uid: string, ...modifications: Modification[]) =>
  directory.apply({ kind: 'modify', dn: `uid=${uid},o=internet`, modifications });

const rename = (dn: string, newRdn: string, more: Partial<DirectoryChange> = {}, options: Partial<ApplyOptions> = {}) =>
  directory.apply(
    { kind: 'rename', dn, newRdn, deleteOldRdn: true, newSuperior: undefined, ...more } as DirectoryChange,
    options,
  );

const remove = (dn: string) => directory.apply({ kind: 'delete', dn });
const values = (uid: string, name: string) => textValues(getEntry(directory.reader, `uid=${uid},o=internet`), name);

describe('add', () => {
  it('keeps spelling, publishes names, adds superclasses and a random UUID', async () => {
    const { after: entry, revision } = await directory.apply(
      {
        kind: 'add',
        dn: 'UID=Ann, O=Internet',
        attributes: [
          { name: 'OBJECTCLASS', values: ['INETORGPERSON', 'INETLOCALMAILRECIPIENT'] },
          { name: 'userid', values: ['Ann'] },
          { name: '2.5.4.3', values: ['Ann B'] },
          { name: 'surname', values: ['B'] },
          { name: 'mailLocalAddress', values: ['a@acme.example'] },
          { name: 'jpegPhoto', values: [new Uint8Array([0xff, 0xd8])] },
        ],
      },
      { author: 'cn=Directory Manager', now: 1000 },
    );
    const found = getEntry(directory.reader, 'uid=ann,o=internet');
    assert.deepEqual(found, entry);
    assert.equal(found.dn, 'uid=Ann,o=internet');
    assert.equal(found.normalizedDn, 'uid=ann,o=internet');
    assert.deepEqual(
      [...found.attributes.keys()],
      ['objectclass', 'uid', 'cn', 'sn', 'mailalternateaddress', 'jpegphoto'],
    );
    assert.deepEqual([...textValues(found, 'objectclass')].sort(), [
      'inetLocalMailRecipient',
      'inetOrgPerson',
      'organizationalPerson',
      'person',
      'top',
    ]);
    assert.deepEqual(found.attributes.get('jpegphoto')?.values, [new Uint8Array([0xff, 0xd8])]);
    assert.equal(found.createdBy, 'cn=Directory Manager');
    assert.equal(found.createdAt, 1000);
    assert.equal(found.revision, revision);
    assert.match(found.uuid, /^[0-9a-f-]{36}$/);
  });

  it('names the nearest superior when one is missing', async () => {
    await directory.add('ou=there,o=internet', { objectClass: 'organizationalUnit', ou: 'there' });
    await assert.rejects(
      directory.add('cn=x,ou=missing,ou=there,o=internet', { objectClass: 'device', cn: 'x' }),
      (error) =>
        error instanceof Failure && error.ldap?.matchedDn === 'ou=there,o=internet' && error.kind === 'not-found',
    );
  });

  it('takes the values of the name, where the client leaves them out', async () => {
    await directory.add('cn=noattr+sn=b+dc=c,o=internet', { objectClass: ['person', 'dcObject'], cn: 'other' });
    const found = getEntry(directory.reader, 'cn=noattr+sn=b+dc=c,o=internet');
    assert.deepEqual(textValues(found, 'cn'), ['other', 'noattr']);
    assert.deepEqual(textValues(found, 'sn'), ['b']);
    assert.deepEqual(textValues(found, 'dc'), ['c']);
    assert.equal(entriesWith(directory.reader, 'cn', 'noattr', 10).length, 1, 'and they are indexed');
    await directory.add('uid=Same,o=internet', { objectClass: 'inetOrgPerson', uid: 'SAME', cn: 'x', sn: 'x' });
    assert.deepEqual(textValues(getEntry(directory.reader, 'uid=same,o=internet'), 'uid'), ['SAME']);
  });

  it('writes names as RFC 4514 has them: types as published, values in their case, superiors as they are', async () => {
    await directory.add(' OU = D2 , O = INTERNET', { objectClass: 'organizationalUnit' });
    await directory.add('UserID = Kid + 2.5.4.3=\\4bid\\2c Jr ,ou=d2, o=internet', {
      objectClass: 'inetOrgPerson',
      sn: 'x',
      seeAlso: 'UID = kid , ou = D2',
    });
    const found = getEntry(directory.reader, 'cn=kid\\, jr+uid=kid,ou=d2,o=internet');
    assert.equal(found.dn, 'uid=Kid+cn=Kid\\, Jr,ou=D2,o=internet');
    assert.deepEqual(textValues(found, 'seealso'), ['UID = kid , ou = D2'], 'values are kept as given');
    const { after: renamed } = await rename(found.dn, ' CommonName = Big  Kid ', { newSuperior: 'O=Internet' });
    assert.equal(renamed!.dn, 'cn=Big  Kid,o=internet');
  });

  it('refuses a name that only its text makes too long: it could not be read again', async () => {
    // Octets that are no text take two letters in the request and three in the name.
    const octets = (count: number) => `audio=#0482${count.toString(16).padStart(4, '0')}${'ff'.repeat(count)}`;
    await directory.add(`${octets(2000)},o=internet`, { objectClass: 'inetOrgPerson', cn: 'x', sn: 'x' });
    const below = (count: number) =>
      directory.add(`${octets(count)},${octets(2000)},o=internet`, { objectClass: 'inetOrgPerson', cn: 'x', sn: 'x' });
    assert.equal(await resultOf(below(700)), 'success');
    assert.equal(await resultOf(below(800)), 'invalidDnSyntax');
  });

  const refused: [result: string, what: string, dn: string, attributes: Record<string, string | string[]>][] = [
    ['noSuchObject', 'a second root', 'cn=x,o=elsewhere', { objectClass: 'device', cn: 'x' }],
    ['entryAlreadyExists', 'a name that is taken', 'o=internet', { objectClass: 'organization', o: 'internet' }],
    [
      'namingViolation',
      'another value than that of its name where there is only one',
      'dc=x,o=internet',
      { objectClass: 'domain', dc: 'y' },
    ],
    ['invalidAttributeSyntax', 'a name that is no value', 'dc=ä,o=internet', { objectClass: 'device', cn: 'x' }],
    [
      'namingViolation',
      'an attribute twice in its name',
      'cn=x+cn=y,o=internet',
      { objectClass: 'device', cn: ['x', 'y'] },
    ],
    [
      'undefinedAttributeType',
      'an unknown attribute',
      'cn=x,o=internet',
      { objectClass: 'device', cn: 'x', shoe: '42' },
    ],
    [
      'undefinedAttributeType',
      'an unknown attribute in its name',
      'shoe=x,o=internet',
      { objectClass: 'device', cn: 'x' },
    ],
    ['undefinedAttributeType', '__proto__', 'cn=x,o=internet', { objectClass: 'device', cn: 'x', constructor: 'x' }],
    ['objectClassViolation', 'no class', 'cn=x,o=internet', { cn: 'x' }],
    ['invalidAttributeSyntax', 'an unknown class', 'cn=x,o=internet', { objectClass: ['device', 'shoe'], cn: 'x' }],
    ['invalidAttributeSyntax', 'no value', 'cn=x,o=internet', { objectClass: 'device', cn: 'x', sn: [] }],
    ['invalidAttributeSyntax', 'an empty text', 'cn=x,o=internet', { objectClass: 'device', cn: 'x', sn: '' }],
    [
      'invalidAttributeSyntax',
      'a host that is not ASCII',
      'cn=x,o=internet',
      { objectClass: 'device', cn: 'x', mailHost: 'ä.b' },
    ],
    ['invalidAttributeSyntax', 'a DN that is none', 'cn=x,o=internet', { objectClass: 'device', cn: 'x', owner: 'x' }],
    [
      'invalidAttributeSyntax',
      'access rules that do not parse',
      'cn=x,o=internet',
      { objectClass: ['device', 'inetMailUser'], cn: 'x', mailAllowedServiceAccess: '+imap:.acme.example' },
    ],
    ['attributeOrValueExists', 'a value twice', 'cn=x,o=internet', { objectClass: 'device', cn: ['x', ' X '] }],
    [
      'constraintViolation',
      'two values of one',
      'cn=x,o=internet',
      { objectClass: 'device', cn: 'x', mailHost: ['a', 'b'] },
    ],
    ['constraintViolation', 'a made attribute', 'cn=x,o=internet', { objectClass: 'device', cn: 'x', entryUUID: 'x' }],
    ['invalidDnSyntax', 'no DN', 'x', { objectClass: 'device', cn: 'x' }],
    ['unwillingToPerform', 'the subschema', 'cn=Subschema', { objectClass: 'device', cn: 'Subschema' }],
    ['unwillingToPerform', 'the root', '', { objectClass: 'device' }],
  ];
  for (const [result, what, dn, attributes] of refused) {
    it(`refuses ${what}: ${result}`, async () => {
      assert.equal(await resultOf(directory.add(dn, attributes)), result);
      if (dn === 'cn=x,o=internet') assert.equal(findEntry(directory.reader, dn), undefined);
    });
  }

  it('refuses a root that the server did not ask for', async () => {
    const attributes = [
      { name: 'objectClass', values: ['organization'] },
      { name: 'o', values: ['b'] },
    ];
    assert.equal(await resultOf(directory.apply({ kind: 'add', dn: 'o=b', attributes })), 'noSuchObject');
  });
});

describe('modify', () => {
  before(() =>
    person('mod', {
      objectClass: ['inetOrgPerson', 'inetMailUser', 'mailDomain'],
      mail: 'Mod@acme.example',
      description: ['one', 'two'],
    }),
  );

  it('adds, deletes and replaces in order', async () => {
    await modify(
      'mod',
      { operation: 'add', attribute: 'description', values: ['three'] },
      { operation: 'delete', attribute: 'description', values: ['ONE'] },
      { operation: 'replace', attribute: 'title', values: ['x'] },
      { operation: 'replace', attribute: 'title', values: [] },
      { operation: 'replace', attribute: 'l', values: [] },
      { operation: 'replace', attribute: 'mail', values: ['new@acme.example'] },
    );
    assert.deepEqual(values('mod', 'description'), ['two', 'three']);
    assert.deepEqual(values('mod', 'title'), []);
    assert.deepEqual(entriesWith(directory.reader, 'mail', 'mod@acme.example', 10), []);
    assert.deepEqual(
      entriesWith(directory.reader, 'mail', 'NEW@acme.example', 10).map(({ dn }) => dn),
      ['uid=mod,o=internet'],
    );
  });

  it('says where an access rule does not parse', async () => {
    for (const attribute of ['mailAllowedServiceAccess', 'MAILDOMAINALLOWEDSERVICEACCESS']) {
      const values = ['+imap:192.0.2.0/24$-pop:LOCAL'];
      await assert.rejects(modify('mod', { operation: 'replace', attribute, values }), (error) => {
        assert.ok(error instanceof Failure);
        assert.equal(error.ldap?.name, 'invalidAttributeSyntax');
        assert.match(
          error.message,
          /^mail(Domain)?AllowedServiceAccess: .* is not legal; column 25: an address, .* is expected, "LOCAL" stands here$/,
        );
        return true;
      });
    }
    const rules = ['+imap:192.0.2.0/24$-pop:*'];
    await modify('mod', { operation: 'replace', attribute: 'mailAllowedServiceAccess', values: rules });
    assert.deepEqual(values('mod', 'mailallowedserviceaccess'), rules);
  });

  const refused: [result: string, what: string, modification: Modification][] = [
    ['attributeOrValueExists', 'a value that is there', { operation: 'add', attribute: 'sn', values: ['MOD'] }],
    ['noSuchAttribute', 'deleting what is not there', { operation: 'delete', attribute: 'title', values: [] }],
    ['noSuchAttribute', 'deleting a value that is not there', { operation: 'delete', attribute: 'sn', values: ['x'] }],
    ['notAllowedOnRdn', 'deleting the name', { operation: 'delete', attribute: 'uid', values: ['mod'] }],
    ['notAllowedOnRdn', 'replacing the name', { operation: 'replace', attribute: 'uid', values: ['other'] }],
    ['objectClassViolation', 'deleting all classes', { operation: 'delete', attribute: 'objectClass', values: [] }],
    [
      'constraintViolation',
      'a second single value',
      { operation: 'replace', attribute: 'displayName', values: ['a', 'b'] },
    ],
    ['constraintViolation', 'writing a time', { operation: 'replace', attribute: 'modifyTimestamp', values: ['x'] }],
    ['undefinedAttributeType', 'an unknown attribute', { operation: 'replace', attribute: 'shoe', values: [] }],
    ['undefinedAttributeType', 'an unknown option', { operation: 'add', attribute: 'cn;x-y', values: ['a'] }],
    [
      'undefinedAttributeType',
      'a language of an address',
      { operation: 'add', attribute: 'mail;lang-en', values: ['a'] },
    ],
    ['invalidAttributeSyntax', 'adding nothing', { operation: 'add', attribute: 'title', values: [] }],
  ];
  for (const [result, what, modification] of refused) {
    it(`refuses ${what} (${result}) and does nothing of the rest`, async () => {
      const first: Modification = { operation: 'replace', attribute: 'title', values: ['half'] };
      assert.equal(await resultOf(modify('mod', modification, first)), result);
      assert.deepEqual(values('mod', 'title'), []);
    });
  }

  it('allows two values of a single-valued attribute on the way', async () => {
    await modify('mod', { operation: 'replace', attribute: 'displayName', values: ['a'] });
    const steps: Modification[] = [
      { operation: 'add', attribute: 'displayName', values: ['b'] },
      { operation: 'delete', attribute: 'displayName', values: ['a'] },
    ];
    await modify('mod', ...steps);
    assert.deepEqual(values('mod', 'displayname'), ['b']);
  });

  it('keeps languages apart and the index right', async () => {
    await modify(
      'mod',
      { operation: 'add', attribute: 'cn;lang-fr', values: ['mod'] },
      { operation: 'add', attribute: 'CN;LANG-DE', values: ['Modus'] },
    );
    const found = () => entriesWith(directory.reader, 'cn', 'MODUS', 10).length;
    assert.equal(found(), 1);
    await modify('mod', { operation: 'delete', attribute: 'cn;lang-fr', values: [] });
    assert.equal(entriesWith(directory.reader, 'cn', 'mod', 10).length, 1);
    await modify('mod', { operation: 'delete', attribute: 'cn;lang-de', values: [] });
    assert.equal(found(), 0);
  });

  it('changes only the spelling of a value', async () => {
    await modify('mod', { operation: 'replace', attribute: 'sn', values: ['MOD'] });
    assert.deepEqual(values('mod', 'sn'), ['MOD']);
    assert.equal(entriesWith(directory.reader, 'sn', 'mod', 10).length, 1);
  });

  it('of what is not there says so', async () => {
    assert.equal(await resultOf(modify('nobody')), 'noSuchObject');
  });
});

describe('rename', () => {
  it('gives the entry the new value and takes the old one', async () => {
    await person('old');
    const uuid = getEntry(directory.reader, 'uid=old,o=internet').uuid;
    await rename('uid=old,o=internet', 'uid=New');
    assert.equal(findEntry(directory.reader, 'uid=old,o=internet'), undefined);
    assert.equal(getEntry(directory.reader, 'uid=new,o=internet').uuid, uuid);
    assert.deepEqual(values('new', 'uid'), ['New']);
    assert.deepEqual(entriesWith(directory.reader, 'uid', 'old', 10), []);
  });

  it('keeps the old value when asked, and moves', async () => {
    await directory.add('ou=to,o=internet', { objectClass: 'organizationalUnit', ou: 'to' });
    await person('stays');
    await rename('uid=stays,o=internet', 'uid=moved', { deleteOldRdn: false, newSuperior: 'OU=To,o=internet' });
    const entry = getEntry(directory.reader, 'uid=moved,ou=to,o=internet');
    assert.equal(entry.dn, 'uid=moved,ou=to,o=internet');
    assert.deepEqual(textValues(entry, 'uid'), ['stays', 'moved']);
  });

  it('may change the spelling alone', async () => {
    await person('case');
    await rename('uid=case,o=internet', 'uid=CASE');
    assert.equal(getEntry(directory.reader, 'uid=case,o=internet').dn, 'uid=CASE,o=internet');
    assert.deepEqual(values('case', 'uid'), ['CASE']);
  });

  it('refuses names that are taken, superiors that are missing, and roots', async () => {
    await person('a1');
    await person('a2');
    assert.equal(await resultOf(rename('uid=a1,o=internet', 'uid=A2')), 'entryAlreadyExists');
    assert.equal(await resultOf(rename('uid=a1,o=internet', 'uid=a3', { newSuperior: 'o=x' })), 'noSuchObject');
    assert.equal(await resultOf(rename('uid=nobody,o=internet', 'uid=a3')), 'noSuchObject');
    assert.equal(await resultOf(rename('uid=a1,o=internet', 'shoe=a3')), 'undefinedAttributeType');
    assert.equal(await resultOf(rename('uid=a1,o=internet', 'uid=a3,o=internet')), 'invalidDnSyntax');
    assert.equal(await resultOf(rename('o=internet', 'o=x')), 'unwillingToPerform');
    assert.equal(
      await resultOf(rename('uid=a1,o=internet', 'uid=a1', { newSuperior: 'uid=a1,o=internet' })),
      'unwillingToPerform',
    );
  });
});

describe('delete', () => {
  it('takes a leaf with its index, and nothing else', async () => {
    await person('gone', { mail: 'gone@acme.example' });
    assert.equal(await resultOf(remove('ou=to,o=internet')), 'notAllowedOnNonLeaf');
    assert.equal(await resultOf(remove('o=internet')), 'unwillingToPerform');
    const { before: entry } = await remove('uid=gone,o=internet');
    assert.deepEqual(directory.reader.arrays('SELECT * FROM dit_index WHERE entry = ?', entry!.id), []);
    assert.equal(await resultOf(remove('uid=gone,o=internet')), 'noSuchObject');
  });
});

describe('the index', () => {
  it('keeps the shared row of values that begin alike', async () => {
    const [a, b] = [`${'x'.repeat(200)}a`, `${'x'.repeat(200)}b`];
    await person('long', { ou: [a, b] });
    await modify('long', { operation: 'delete', attribute: 'ou', values: [a] });
    assert.equal(entriesWith(directory.reader, 'ou', b, 10).length, 1);
    await modify('long', { operation: 'delete', attribute: 'ou', values: [b] });
    assert.equal(entriesWith(directory.reader, 'ou', b, 10).length, 0);
  });
});

describe('the change log', () => {
  it('holds the values added and removed, without passwords, and its time never goes back', async () => {
    const { revision } = await directory.apply(
      {
        kind: 'add',
        dn: 'cn=logged,o=internet',
        attributes: [
          { name: 'objectClass', values: ['inetOrgPerson'] },
          { name: 'cn', values: ['logged'] },
          { name: 'sn', values: ['logged'] },
          { name: 'userPassword', values: ['{SSHA}secret'] },
        ],
      },
      { author: 'cn=Directory Manager', now: 5000 },
    );
    await directory.apply(
      {
        kind: 'modify',
        dn: 'cn=logged,o=internet',
        modifications: [{ operation: 'add', attribute: 'jpegPhoto', values: [new Uint8Array([0xff])] }],
      },
      { now: 4000 },
    );
    await rename('cn=logged,o=internet', 'cn=moved');
    await remove('cn=moved,o=internet');
    const changes = loggedChanges(directory.reader, revision - 1);
    assert.deepEqual(
      changes.map(({ kind, at, dn, newDn }) => [kind, at, dn, newDn]),
      [
        ['add', 5000, 'cn=logged,o=internet', undefined],
        ['modify', 5000, 'cn=logged,o=internet', undefined],
        ['rename', 5000, 'cn=logged,o=internet', 'cn=moved,o=internet'],
        ['delete', 5000, 'cn=moved,o=internet', undefined],
      ],
    );
    assert.equal(changes[0]!.author, 'cn=Directory Manager');
    assert.deepEqual(changes[1]!.attributes, [{ name: 'jpegPhoto', removed: [], added: [new Uint8Array([0xff])] }]);
    assert.deepEqual(changes[2]!.attributes, [{ name: 'cn', removed: ['logged'], added: ['moved'] }]);
    assert.ok(changes[3]!.attributes.some(({ name, removed }) => name === 'userPassword' && removed.length === 0));
    assert.equal(JSON.stringify(directory.reader.all('SELECT change FROM dit_change')).includes('secret'), false);
  });
});
