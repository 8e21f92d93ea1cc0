// The tests above a folder: those of the started program that come through it, for a mutant that no test beside its file has killed.
//
// Rule    the doors that the folder's work is seen at, and the pages of it that test/ has by name; cheapest first. Together they take
//         less than a minute, so scenarios of several machines are not among them
// A folder below one, or a file in it, is asked its own list; one that has none, that of the folder.

import type { TestFile } from './test-process.ts';

const sessionsOf = (door: string): TestFile => ({
  file: 'test/sessions.test.ts',
  // The other ways of the same sessions cut what is sent into other pieces.
  pattern: `^${door} .*, as-written`,
});
const ofFolder = (name: string): TestFile => ({ file: `src/${name}.test.ts` });
const scenario = (name: string): TestFile => ({ file: `test/${name}.test.ts` });

const SMTP = [sessionsOf('smtp'), scenario('way-of-a-message'), scenario('http-submission')];
const LDAP = [
  scenario('schema'),
  { ...scenario('sessions/ldap/ldap-sessions'), pattern: '^against waypost, as written' },
];
const DNS = [scenario('sessions/dns/dns-sessions'), scenario('sessions/dns/read-your-writes')];

export const ABOVE: Readonly<Record<string, readonly TestFile[]>> = {
  'routing/route-request.ts': [ofFolder('transfer/mail-text')],
  'routing/tables.ts': [ofFolder('routing/sync-runs')],
  'routing/compile-policy.ts': [ofFolder('provisioning/policy-check'), scenario('domain-policies')],
  routing: ['routes', 'rewrite-rules', 'forwarding', 'autoreply', 'claims', 'lists'].map(scenario),
  transfer: ['forwarding', 'way-of-a-message', 'lists', 'transfer'].map(scenario),
  'transfer/channels/store.ts': [scenario('quota')],
  'transfer/submit-folder.ts': [scenario('sendmail')],
  provisioning: ['claims', 'domain-policies', 'moves', 'arrival'].map(scenario),
  'provisioning/dkim': [scenario('signing-keys'), scenario('records')],
  'provisioning/mirror': ['openldap-as-the-source', 'sources-that-fail', 'source-asked'].map(scenario),
  'provisioning/replica': [scenario('several-hosts')],
  directory: [ofFolder('protocols/ldap/access'), ...LDAP, scenario('who-may-log-in'), scenario('directory-import')],
  auth: [scenario('who-may-log-in'), sessionsOf('pop3'), sessionsOf('imap')],
  zones: [...DNS, scenario('records')],
  wire: [sessionsOf('smtp'), sessionsOf('imap')],
  'wire/dns': DNS,
  'wire/ldap': LDAP,
  'wire/pop3': [sessionsOf('pop3')],
  'wire/smtp': SMTP,
  'wire/imap': [sessionsOf('imap')],
  protocols: [...SMTP, sessionsOf('imap')],
  'protocols/dns': DNS,
  'protocols/http': [scenario('api'), scenario('http-submission')],
  'protocols/imap': [sessionsOf('imap'), scenario('imap')],
  'protocols/ldap': [...LDAP, scenario('who-may-log-in')],
  'protocols/pop3': [sessionsOf('pop3'), scenario('pop3')],
  'protocols/smtp': [ofFolder('protocols/smtp/fuzz'), ...SMTP],
  'protocols/smtp/commands/xclient.ts': [scenario('xclient')],
};
