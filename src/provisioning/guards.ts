// What no caller may take away: the entries that the server needs, and the names of domains that mail can be sent to.
//
// In      a change as it is asked for, and the entry as the change made it; in its transaction
// Out     nothing; or unwillingToPerform (namingViolation for a name, constraintViolation for a word), and nothing has happened
// That a domain keeps its people is seen where their rows are compiled: routing/synchronize.ts.
// RFC 5321 §4.5.1 (postmaster)

import { isVerifiable } from '../auth/password.ts';
import type { Transaction } from '../database/operation.ts';
import { judgeAccess } from '../directory/access-rules.ts';
import { ADMINISTRATOR_DN } from '../directory/caller.ts';
import { dcLabelsOf, domainOfDcDn, normalizeDn } from '../directory/dn.ts';
import {
  type AttributeValue,
  type ChangedEntry,
  type DirectoryChange,
  type Entry,
  hasClass,
  textValues,
} from '../directory/entry.ts';
import { directoryFailure } from '../directory/failure.ts';
import { hasDomainClass } from '../directory/mail-domain.ts';
import { changesPassword } from '../directory/scram-values.ts';
import { ofSuffix } from '../directory/suffix.ts';
import { isValidDomain } from '../message/address.ts';
import { admissionOf } from '../routing/admission.ts';
import { ownAdmissionOf, recipientKindOf, sitePostmasterDn } from '../routing/compile.ts';
import { compileChannel } from '../routing/compile-channel.ts';
import { containerDn } from '../routing/containers.ts';

/** The superior of Waypost's own entries, one container a kind. */
export const ownDn = ofSuffix((suffix) => `ou=Waypost,${suffix}`);

const LOOPBACK = ['127.0.0.1', '::1'];
const ADMINISTRATOR = normalizeDn(ADMINISTRATOR_DN);
/** These entries, and those above them, keep their names and their classes. */
const foundations = ofSuffix((suffix): readonly string[] =>
  [suffix, ADMINISTRATOR_DN, ownDn(), sitePostmasterDn(), containerDn('tombstones')].map(normalizeDn),
);

/** Before the change is made: another reason not to do it would hide this one. */
export function checkAsked(change: DirectoryChange): void {
  if (change.kind !== 'delete' && change.kind !== 'rename') return;
  if (foundations().includes(normalizeDn(change.dn))) throw refused('This entry keeps its name and cannot be deleted');
}

export function checkMade(_tx: Transaction, { before, after }: ChangedEntry): void {
  if (after === undefined) return;
  checkDomainName(after);
  checkChannelWords(after);
  if (before === undefined || !foundations().includes(after.normalizedDn)) return;
  const keepsClasses = textValues(before, 'objectclass').every((name) => hasClass(after, name.toLowerCase()));
  if (!keepsClasses || recipientKindOf(before) !== recipientKindOf(after))
    throw refused('This entry keeps its object classes');
  if (after.normalizedDn === ADMINISTRATOR) checkAdministrator(before, after);
}

/** The administrator must stay able to bind: no command repairs that. */
function checkAdministrator(before: Entry, after: Entry): void {
  if (changesPassword(passwordsOf(before), passwordsOf(after)) && !isVerifiable(passwordsOf(after)))
    throw refused('The administrator keeps a password that can be verified');
  if (admits(before) && !admits(after)) throw refused('The administrator can always log in from this machine');
}

/** The values of userPassword. */
export function passwordsOf(entry: Entry): readonly AttributeValue[] {
  return entry.attributes.get('userpassword')?.values ?? [];
}

/** Over LDAP from this machine. */
function admits(entry: Entry): boolean {
  const { refusedBy, userRules = [] } = admissionOf(null, ownAdmissionOf(entry));
  if (refusedBy !== undefined || 'illegal' in userRules) return false;
  return LOOPBACK.every((peer) => judgeAccess(userRules, { service: 'ldap', isImplicit: false, peer }).admits);
}

/** An entry of the DC tree is a mail domain under a name that mail can be sent to. Elsewhere the class means nothing. */
function checkDomainName(entry: Entry): void {
  if (!hasDomainClass(entry)) return;
  const labels = dcLabelsOf(entry.normalizedDn);
  if (labels === undefined) return;
  const domain = domainOfDcDn(entry.normalizedDn);
  if (domain === undefined)
    throw directoryFailure('namingViolation', 'Each dc of a mail domain is one label of its name');
  if (!isValidDomain(domain))
    throw directoryFailure('namingViolation', `${domain} is not a name that mail can be sent to`);
}

/** A word that means nothing, or two that contradict each other, would be found out by the mail that goes astray. */
function checkChannelWords(entry: Entry): void {
  const [problem] = compileChannel(entry)?.problems ?? [];
  if (problem !== undefined) throw directoryFailure('constraintViolation', `${problem.attribute}: ${problem.reason}`);
}

function refused(text: string): Error {
  return directoryFailure('unwillingToPerform', text);
}
