// What a list does to a message before it goes to the members: another sender, fields, texts, a password.
//
// In      the entry of a list
// Out     what its row says of that, undefined where it does nothing; what cannot be used is named as a problem
// Limits  VALUES_MAX fields of each kind, TEXT_MAX octets of a text
// Never   the password itself: rows are shown to people

import { asciiLower, characterClass } from '../base/characters.ts';
import { ADDRESS_KEYS } from '../directory/address-attributes.ts';
import { type Entry, textValue, textValues } from '../directory/entry.ts';
import { addressKey, formatAddress, tryParseAddress } from '../message/address.ts';
import type { ListTexts, Problem } from './rows.ts';

const VALUES_MAX = 50;
const TEXT_MAX = 16 * 1024;
const FIELD_NAME = characterClass([0x21, 0x39], [0x3b, 0x7e]);
/** They are not a list's to take away: by them mail is traced, read and proved. */
const KEPT = /^(received|return-path|mime-version|content-.*|dkim-signature|arc-.*|authentication-results)$/;

export function compileListTexts(entry: Entry, problems: Problem[]): ListTexts | undefined {
  const texts: ListTexts = {
    ...given('errorsTo', errorsTo(entry, problems)),
    ...given('add', added(entry, problems)),
    ...given('remove', removed(entry, problems)),
    ...given('prefix', text(entry, 'mgrpMsgPrefixText', problems)),
    ...given('suffix', text(entry, 'mgrpMsgSuffixText', problems)),
    ...(wantsPassword(entry, problems) ? { password: true } : {}),
  };
  return Object.keys(texts).length === 0 ? undefined : texts;
}

function given<K extends string, V>(key: K, value: V | undefined): { readonly [k in K]?: V } {
  return value === undefined ? {} : ({ [key]: value } as { readonly [k in K]: V });
}

/** Keys of the addresses that a user or a list says are its own. */
export function ownKeys(entry: Entry): ReadonlySet<string> {
  const own = ADDRESS_KEYS.flatMap((key) => textValues(entry, key).map((value) => tryParseAddress(value.trim())));
  return new Set(own.flatMap((address) => (address === undefined ? [] : [addressKey(address)])));
}

/** `/`: the sender stays. */
function errorsTo(entry: Entry, problems: Problem[]): string | undefined {
  const attribute = 'mgrpErrorsTo';
  const value = textValue(entry, asciiLower(attribute))?.trim();
  if (value === undefined || value === '/') return undefined;
  const written = asciiLower(value.slice(0, 7)) === 'mailto:' ? value.slice(7) : value;
  const address = tryParseAddress(written);
  // Each failure would be one more message to the list.
  const isItself = address !== undefined && ownKeys(entry).has(addressKey(address));
  if (address !== undefined && !isItself) return formatAddress(address);
  problems.push({ attribute, value, reason: isItself ? 'is the list itself' : 'is not an address' });
  return undefined;
}

function added(entry: Entry, problems: Problem[]): string[] | undefined {
  const attribute = 'mgrpAddHeader';
  const fields: string[] = [];
  for (const value of firstValues(entry, attribute, problems)) {
    const colon = value.indexOf(':');
    if (colon > 0 && isFieldName(value.slice(0, colon)) && isFieldValue(value.slice(colon + 1))) fields.push(value);
    else problems.push({ attribute, value, reason: 'is not a header field on one line, in ASCII' });
  }
  return fields.length === 0 ? undefined : fields;
}

function removed(entry: Entry, problems: Problem[]): string[] | undefined {
  const attribute = 'mgrpRemoveHeader';
  const names: string[] = [];
  for (const value of firstValues(entry, attribute, problems)) {
    const name = asciiLower(value.trim().replace(/:$/, ''));
    if (!isFieldName(name)) problems.push({ attribute, value, reason: 'is not the name of a header field' });
    else if (KEPT.test(name)) problems.push({ attribute, value, reason: 'stays: mail is traced or read by it' });
    else names.push(name);
  }
  return names.length === 0 ? undefined : names;
}

function firstValues(entry: Entry, attribute: string, problems: Problem[]): readonly string[] {
  const values = textValues(entry, asciiLower(attribute));
  if (values.length > VALUES_MAX)
    problems.push({ attribute, value: values[VALUES_MAX]!, reason: `is one more than ${VALUES_MAX}` });
  return values.slice(0, VALUES_MAX);
}

function text(entry: Entry, attribute: string, problems: Problem[]): string | undefined {
  const value = textValue(entry, asciiLower(attribute));
  if (value === undefined || value.trim() === '') return undefined;
  if (Buffer.byteLength(value) <= TEXT_MAX) return value;
  problems.push({ attribute, value: value.slice(0, 100), reason: `has more than ${TEXT_MAX} octets` });
  return undefined;
}

const PASSWORD_WORDS: ReadonlySet<string> = new Set(['password_required', 'passwd_required', 'passwd_req']);

function wantsPassword(entry: Entry, problems: Problem[]): boolean {
  const attribute = 'mgrpBroadcasterPolicy';
  const asking = textValues(entry, asciiLower(attribute)).find((value) =>
    value.split(/[\s,]+/).some((word) => PASSWORD_WORDS.has(asciiLower(word))),
  );
  if (asking === undefined) return false;
  if (!textValues(entry, 'mgrpauthpassword').some((value) => value !== ''))
    problems.push({ attribute, value: asking, reason: 'mgrpAuthPassword is missing: no message has the password' });
  return true;
}

function isFieldName(name: string): boolean {
  if (name === '' || name.length > 70) return false;
  for (let at = 0; at < name.length; at++) if (FIELD_NAME[name.charCodeAt(at)] !== 1) return false;
  return true;
}

function isFieldValue(value: string): boolean {
  if (value.length > 900) return false;
  for (let at = 0; at < value.length; at++) {
    const code = value.charCodeAt(at);
    if (code !== 0x09 && (code < 0x20 || code > 0x7e)) return false;
  }
  return true;
}
