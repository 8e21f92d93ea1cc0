// Whether a message is to be answered in its reader's absence.
//
// In      the envelope's sender, the header, what the reader's entry says, the time
// Out     undefined: yes; or why not, in words for `trace`
// Never   answers what a program has sent, what came by a list, or what is not written to the reader: two servers that
//         answered each other would do so for ever. Whether this sender has been answered lately is replied.ts's to say
// RFC 3834 §2, RFC 5230 §4.5 §4.6

import { asciiLower } from '../../base/characters.ts';
import { HEADER_ADDRESSES_MAX } from '../../base/limits.ts';
import { type Address, addressKey, tryParseDomain, withoutSubaddress } from '../../message/address.ts';
import { type HeaderAddress, parseAddressList } from '../../message/addresses.ts';
import { fieldValue, type Header } from '../../message/header.ts';
import type { AutoreplyProfile } from './profile.ts';

export interface AskedMessage {
  /** Undefined for the null reverse-path. */
  readonly sender: Address | undefined;
  readonly header: Header;
  /** Wall clock. */
  readonly now: number;
  /** The domain whose people a domain's are: of an alias of a domain another one, else itself. */
  readonly peopleOf: (domain: string) => string;
}

export function whyNoReply(
  profile: AutoreplyProfile,
  { sender, header, now, peopleOf }: AskedMessage,
): string | undefined {
  if (profile.start !== undefined && now < profile.start) return 'the absence has not begun';
  if (profile.end !== undefined && now > profile.end) return 'the absence is over';
  if (sender === undefined) return 'the message has no sender';
  if (isOwn(profile, sender)) return 'the message is from this user';
  if (isOfProgram(asciiLower(sender.localPart))) return 'the sender is no person';
  const program = programField(header);
  if (program !== undefined) return `the message says ${program}`;
  return isNamed(profile, header, peopleOf) ? undefined : 'no address of this user is in To, Cc or Bcc';
}

function isOwn({ addresses }: AutoreplyProfile, address: Address): boolean {
  if (addresses.has(addressKey(address))) return true;
  const plain = withoutSubaddress(address);
  return plain !== undefined && addresses.has(addressKey(plain));
}

const PROGRAMS = new Set([
  'mailer-daemon',
  'listserv',
  'majordomo',
  'postmaster',
  'bounce',
  'bounces',
  ...['noreply', 'no-reply', 'no_reply', 'donotreply', 'do-not-reply', 'do_not_reply'],
]);

function isOfProgram(localPart: string): boolean {
  // `bounces+ann=acme.example`: which of its messages that is.
  const plus = localPart.indexOf('+');
  return (
    PROGRAMS.has(plus < 0 ? localPart : localPart.slice(0, plus)) ||
    localPart.endsWith('-bounces') ||
    localPart.startsWith('owner-') ||
    localPart.endsWith('-owner') ||
    localPart.endsWith('-request') ||
    // Of mail that was sent on once, or again: its sender has another name at each who sends it on, and would be answered for each.
    localPart.startsWith('srs0=') ||
    localPart.startsWith('srs1=')
  );
}

const PRECEDENCES = new Set(['bulk', 'list', 'junk']);
const SUPPRESSIONS = new Set(['all', 'oof', 'autoreply']);

/** The first field that says that a program has sent this, or that no answer is wanted: `Precedence: bulk`. */
function programField(header: Header): string | undefined {
  for (const field of header.fields) {
    const { name } = field;
    if (name.startsWith('list-')) return 'List-';
    if (name === 'auto-submitted') {
      const word = firstWord(fieldValue(header, field));
      if (word !== 'no') return `Auto-Submitted: ${word}`;
    }
    if (name === 'precedence') {
      const word = firstWord(fieldValue(header, field));
      if (PRECEDENCES.has(word)) return `Precedence: ${word}`;
    }
    if (name === 'x-auto-response-suppress') {
      const words = asciiLower(fieldValue(header, field)).split(',', SUPPRESSIONS_READ);
      const word = words.map((each) => each.trim()).find((each) => SUPPRESSIONS.has(each));
      if (word !== undefined) return `X-Auto-Response-Suppress: ${word}`;
    }
  }
  return undefined;
}

/** The field has six words. */
const SUPPRESSIONS_READ = 50;
const WORD_MAX = 40;

/** In lower case, without parameters and comments. */
function firstWord(value: string): string {
  const end = value.search(/[;,(\s]/);
  return asciiLower((end < 0 ? value : value.slice(0, end)).slice(0, WORD_MAX));
}

const TO_FIELDS = new Set(['to', 'cc', 'bcc', 'resent-to', 'resent-cc', 'resent-bcc']);

function isNamed(profile: AutoreplyProfile, header: Header, peopleOf: AskedMessage['peopleOf']): boolean {
  let left = HEADER_ADDRESSES_MAX;
  for (const field of header.fields) {
    if (!TO_FIELDS.has(field.name) || left === 0) continue;
    const list = parseAddressList(fieldValue(header, field), left);
    left -= list.length;
    if (list.some((written) => isReader(profile, written, peopleOf))) return true;
  }
  return false;
}

function isReader(
  profile: AutoreplyProfile,
  [, , localPart, host]: HeaderAddress,
  peopleOf: AskedMessage['peopleOf'],
): boolean {
  const domain = localPart === null || host === null ? undefined : tryParseDomain(host);
  if (domain === undefined) return false;
  return (
    isOwn(profile, { localPart: localPart!, domain }) ||
    isOwn(profile, { localPart: localPart!, domain: peopleOf(domain) })
  );
}
