// Makes the store of format 2 that the tests of the migration begin with: lists, and what the old program says of them.
//
//     git worktree add /tmp/format-2 63fa11e && (cd /tmp/format-2 && npm ci)
//     node_modules/.bin/node test/migrations/format-2/make.ts /tmp/format-2
//
// In      a checkout of the last program that writes format 2
// Out     store/: its data directory, without lock and sockets; ldap.txt: its answers, asked by answers.ts
// Made once and committed. It is made anew only when it lacks something, and then with all of its answers.

import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Attribute, Change } from 'ldapts';
import { addDomain, addUser, administrator, userDn } from '../../support/directory.ts';
import { startWaypost, type Waypost } from '../../support/server.ts';
import { answers } from '../answers.ts';
import { questions } from './questions.ts';

const program = resolve(process.argv[2] ?? '.');
const here = import.meta.dirname;
const data = join(mkdtempSync(join(tmpdir(), 'waypost-format-2-')), 'data');
const config = 'threads = 1\n[auth]\nscram = "off"\n';

const server = await startWaypost({ program, data, config });
await fillDirectory(server);
const { ldap } = await answers(server, questions);
await server.stop();

rmSync(join(here, 'store'), { recursive: true, force: true });
for (const name of ['store.db', 'segments', 'admin-password'])
  cpSync(join(data, name), join(here, 'store', name), { recursive: true });
writeFileSync(join(here, 'ldap.txt'), ldap);
process.exit(0);

async function fillDirectory(waypost: Waypost): Promise<void> {
  const client = await administrator(waypost);
  await addDomain(client, 'acme.example');
  for (const name of ['p1', 'p7']) await addUser(client, `${name}@acme.example`);
  const list = (cn: string, more: Record<string, string | string[]>) =>
    client.add(`cn=${cn},ou=Groups,dc=acme,dc=example,o=internet`, {
      objectClass: ['groupOfUniqueNames', 'inetMailGroup', 'inetLocalMailRecipient'],
      cn,
      mail: `${cn}@acme.example`,
      ...more,
    });
  const person = (n: number): string => userDn(`p${n}@acme.example`);
  await list('long', { uniqueMember: Array.from({ length: 300 }, (_, n) => person(n)) });
  await list('odd', {
    uniqueMember: ['UID = p7 , OU=People,dc=ACME,dc=example,o=internet', `${person(7)}#'01'B`, 'cn=a\\,b,o=internet'],
    mgrpRFC822MailMember: [' Ann@Far.example', '"a quoted"@far.example', 'no address', 'Ünï@far.example'],
    'mgrpRFC822MailMember;lang-fr': ['ann@far.example', 'anne@far.example'],
    description: ['["uniqueMember",["x"]]', 'ordinary'],
  });
  await list('empty', {});
  await client.add('cn=names,o=internet', {
    objectClass: 'groupOfNames',
    cn: 'names',
    member: [person(1), 'o=internet'],
  });
  const changed = new Attribute({ type: 'uniqueMember', values: [person(300)] });
  await client.modify('cn=long,ou=Groups,dc=acme,dc=example,o=internet', [
    new Change({ operation: 'delete', modification: new Attribute({ type: 'uniqueMember', values: [person(3)] }) }),
    new Change({ operation: 'add', modification: changed }),
  ]);
  await client.unbind();
}
