// What the store of format 1 is asked, by the old program when it was made and by today's program in the test.

import type { Questions } from '../answers.ts';

/** Where mail for the two other hosts goes. */
export function config(away: string, silent: string): string {
  return `threads = 1\n[next-hop]\n"away.example" = "${away}"\n"silent.example" = "${silent}"\n`;
}

export function questions(before: string): Questions {
  return {
    before,
    password: 'secret',
    accounts: [
      // Her INBOX gets the reports of what has failed, a little after each start.
      { login: 'alice@acme.example', hasSettledInbox: false },
      ...['bob', 'carol', 'dora', 'kid', 'jane'].map((name) => ({
        login: `${name}@acme.example`,
        hasSettledInbox: true,
      })),
    ],
    routes: [
      'alice@acme.example',
      'KID@acme.example',
      'oid@acme.example',
      'jane@acme.example',
      'rick@firm.example',
      'strasse@firm.example',
      '"a b"@acme.example',
      'other@sales.acme.example',
      'anybody@sales.acme.example',
      'team@acme.example',
      'closed@acme.example',
      'temp@acme.example',
      'moved@acme.example',
      'erik@acme.example',
      'nobody@acme.example',
      'nobody@off.example',
      'nobody@gone.example',
      'postmaster',
      'somebody@away.example',
    ],
    traces: [
      'to-bob@fixture.example',
      'to-later@fixture.example',
      'to-never@fixture.example',
      'to-Team@fixture.example',
      'to-hang-1@fixture.example',
      'to-hang-2@fixture.example',
      'to-hang-4@fixture.example',
      'never@away.example',
    ],
    names: [
      ...['acme.example', 'sales.acme.example', 'gone.example', 'firm.example', 'off.example'].flatMap((name) => [
        [name, 'SOA'] as const,
        [name, 'MX'] as const,
      ]),
      ['acme.example', 'NS'],
      ['mail.acme.example', 'A'],
      ['nobody.acme.example', 'A'],
      ['below.gone.example', 'MX'],
      ['example', 'SOA'],
      ['away.example', 'MX'],
    ],
    searches: [
      { base: '', scope: 'base', filter: '(objectClass=*)' },
      { base: 'o=internet', scope: 'sub', filter: '(objectClass=*)' },
      { base: 'uid=kid,ou=People,dc=acme,dc=example,o=internet', scope: 'base', filter: '(objectClass=*)' },
      { base: 'o=internet', scope: 'sub', filter: '(mail=sp@acme.example)' },
      { base: 'o=internet', scope: 'sub', filter: '(cn=doe, jane)' },
      { base: 'o=internet', scope: 'sub', filter: '(uniqueMember=uid=kid,ou=people,dc=acme,dc=example,o=internet)' },
      { base: 'o=internet', scope: 'sub', filter: '(&(objectClass=inetMailUser)(mailUserStatus=hold))' },
    ],
  };
}
