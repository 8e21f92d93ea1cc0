// What becomes of a user's mail, in words: for `user show`.
//
// In      the entry
// Out     a line a delivery option, then what else counts for the user's mail
// What an option means is routing's to say; this says what is written

import { asciiLower } from '../base/characters.ts';
import { type Entry, textValue, textValues } from '../directory/entry.ts';
import { generalizedTimeToMs } from '../directory/scalars.ts';

/** By option, in the order in which they are shown. */
const WORDS: Readonly<Record<string, (entry: Entry) => string>> = {
  hold: () => 'is held: nothing is delivered until that changes',
  mailbox: () => 'is kept in the mailbox',
  forward: (entry) => `goes on to ${listed(textValues(entry, 'mailforwardingaddress'))}`,
  autoreply: (entry) => `is answered ${absence(entry)}: ${answers(entry)}`,
  program: (entry) => `is given to ${counted('program', textValues(entry, 'mailprogramdeliveryinfo'))}`,
  file: (entry) => `is written to ${counted('file', textValues(entry, 'maildeliveryfileurl'))}`,
  shared: (entry) => `goes into ${counted('shared mailbox', textValues(entry, 'waypostsharedmailbox'))}`,
};

export function deliveryWords(entry: Entry): string[] {
  const written = textValues(entry, 'maildeliveryoption').map((option) => asciiLower(option.trim()));
  const options = written.length === 0 ? ['mailbox'] : written;
  const shown = options.includes('hold') ? ['hold'] : Object.keys(WORDS).filter((option) => options.includes(option));
  const lines = shown.map((option) => `mail ${WORDS[option]!(entry)}`);
  lines.push(...quotaWords(entry));
  const channel = textValue(entry, 'mailsmtpsubmitchannel');
  if (channel !== undefined) lines.push(`mail to other hosts goes out by the channel ${channel}`);
  if (asciiLower(textValue(entry, 'waypostsubmitstatus')?.trim() ?? '') === 'suspended')
    lines.push('suspended: nothing goes out from this user');
  return lines;
}

/** Nothing where the domain says it. */
function quotaWords(entry: Entry): string[] {
  const limits = [
    [textValue(entry, 'mailquota'), 'octets'],
    [textValue(entry, 'mailmsgquota'), 'messages'],
  ] as const;
  return limits.flatMap(([value, what]) => {
    const text = value === undefined ? '-2' : value.split(';', 1)[0]!.trim();
    if (text === '-2') return [];
    if (text === '-1') return [`the mailbox may hold any number of ${what}`];
    return [text === '0' ? `the mailbox takes no mail: 0 ${what}` : `the mailbox may hold ${text} ${what}`];
  });
}

function absence(entry: Entry): string {
  const from = day(textValue(entry, 'vacationstartdate'));
  const until = day(textValue(entry, 'vacationenddate'));
  const words = [from === '' ? '' : `from ${from}`, until === '' ? '' : `until ${until}`].filter((word) => word !== '');
  return words.length === 0 ? 'at any time' : words.join(' ');
}

function answers(entry: Entry): string {
  const hours = textValue(entry, 'mailautoreplytimeout') ?? '168';
  const text = textValue(entry, 'mailautoreplytext');
  const first = text?.split(/[\r\n$]/, 1)[0];
  return `each sender once in ${hours} hours${first === undefined ? '' : `, "${first}"`}`;
}

function day(time: string | undefined): string {
  const at = time === undefined ? undefined : generalizedTimeToMs(time);
  return at === undefined ? '' : new Date(at).toISOString().slice(0, 16).replace('T', ' ').replace(' 00:00', '');
}

function counted(what: string, values: readonly string[]): string {
  return values.length === 0 ? `no ${what}: none is named` : `the ${what} ${values.join(', ')}`;
}

function listed(values: readonly string[]): string {
  return values.length === 0 ? 'nobody: there is no address' : values.join(', ');
}
