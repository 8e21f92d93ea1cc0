// What the store of format 2 is asked, by the old program when it was made and by today's program in the test: its lists.

import type { Questions } from '../answers.ts';

const LONG = 'cn=long,ou=Groups,dc=acme,dc=example,o=internet';

export const questions: Questions = {
  before: '',
  password: '',
  accounts: [],
  routes: [],
  traces: [],
  names: [],
  searches: [
    { base: 'o=internet', scope: 'sub', filter: '(objectClass=*)' },
    { base: LONG, scope: 'base', filter: '(objectClass=*)' },
    { base: 'o=internet', scope: 'sub', filter: '(uniqueMember=UID = P7,ou=people,dc=acme,dc=example,o=internet)' },
    { base: 'o=internet', scope: 'sub', filter: "(uniqueMember=uid=p7,ou=people,dc=acme,dc=example,o=internet#'01'B)" },
    { base: 'o=internet', scope: 'sub', filter: '(member=uid=p1,ou=People,dc=acme,dc=example,o=internet)' },
    { base: 'o=internet', scope: 'sub', filter: '(mgrpRFC822MailMember=ANN@far.example)' },
    { base: 'o=internet', scope: 'sub', filter: '(mgrpRFC822MailMember=*quoted*)' },
    { base: 'o=internet', scope: 'sub', filter: '(&(objectClass=inetMailGroup)(!(uniqueMember=*)))' },
  ],
};
