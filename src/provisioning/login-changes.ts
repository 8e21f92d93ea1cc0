// Which changes of the directory may end logins that are open: sessions learn of them from the commit (auth/open-logins.ts).
//
// In      an entry before and after a change; the session that made it
// Out     notifications of the entry, of the domain that it is, and of groups: their members may read a mailbox (routing/shared-mailbox.ts)
// Never   decides: it names more than what ends, and nothing where no attribute that counts for logins has changed

import { asciiLower } from '../base/characters.ts';
import type { Transaction } from '../database/operation.ts';
import { type ChangedEntry, type Entry, hasClass, textValue } from '../directory/entry.ts';
import { mailDomainOf } from '../directory/mail-domain.ts';
import { changesPassword } from '../directory/scram-values.ts';
import { TOKEN_KEY } from '../directory/token.ts';
import { passwordsOf } from './guards.ts';

const SUBMIT_STATUS = 'waypostsubmitstatus';

/** What decides whether the entry is let in; its addresses say of which domain it is. */
const OF_ENTRY = [
  'objectclass',
  'inetuserstatus',
  'mailuserstatus',
  'inetmailgroupstatus',
  'mailallowedserviceaccess',
  'mailhost',
  TOKEN_KEY,
  'mail',
  'mailalternateaddress',
  SUBMIT_STATUS,
];
const OF_DOMAIN = [
  'objectclass',
  'inetdomainstatus',
  'maildomainstatus',
  'maildomainallowedserviceaccess',
  'inetdomainbasedn',
];

const OF_GROUP = [
  'objectclass',
  'maildeliveryoption',
  'inetmailgroupstatus',
  'mailhost',
  'mail',
  'mailalternateaddress',
  'mailequivalentaddress',
];

export interface LoginChangeOptions {
  readonly session: string | undefined;
  /** Passwords are hashed otherwise, and none is another. */
  readonly samePassword: boolean;
}

export function noteLoginChanges(
  tx: Transaction,
  changed: ChangedEntry,
  { session, samePassword }: LoginChangeOptions,
): void {
  const { before, after, revision } = changed;
  // Nobody is logged in as an entry that has just been made.
  if (before === undefined) return;
  const isGroup = hasClass(before, 'inetmailgroup');
  if (
    changed.movesMembers ||
    (isGroup && (hasMoved(before, after) || OF_GROUP.some((key) => differs(before, after, key))))
  )
    tx.afterCommit({ kind: 'group' });
  const isPassword =
    !samePassword &&
    after !== undefined &&
    differs(before, after, 'userpassword') &&
    changesPassword(passwordsOf(before), passwordsOf(after));
  if (isPassword || hasMoved(before, after) || OF_ENTRY.some((key) => differs(before, after, key))) {
    const by = session === undefined ? {} : { session };
    const submits = submissionChange(before, after);
    const change = submits === undefined ? by : { ...by, submits };
    tx.afterCommit({ kind: 'login', uuid: before.uuid, revision, isPassword, ...change });
  }
  const domain = mailDomainOf(before);
  if (domain === undefined) return;
  if (hasMoved(before, after) || OF_DOMAIN.some((key) => differs(before, after, key)))
    tx.afterCommit({ kind: 'domain', domain });
}

function submissionChange(before: Entry, after: Entry | undefined): 'suspended' | 'again' | undefined {
  // What is held for an entry that is gone waits for nobody.
  const is = after !== undefined && isSuspended(after);
  if (isSuspended(before) === is) return undefined;
  return is ? 'suspended' : 'again';
}

/** As routing/compile-submission.ts reads it. */
function isSuspended(entry: Entry): boolean {
  const status = textValue(entry, SUBMIT_STATUS);
  return status !== undefined && asciiLower(status.trim()) !== 'active';
}

function hasMoved(before: Entry, after: Entry | undefined): boolean {
  return before.normalizedDn !== after?.normalizedDn;
}

/** A change leaves the attributes that it does not name as they are: the same object. */
function differs(before: Entry, after: Entry | undefined, key: string): boolean {
  const [was, is] = [before.attributes.get(key), after?.attributes.get(key)];
  return was !== is && JSON.stringify(was?.values) !== JSON.stringify(is?.values);
}
