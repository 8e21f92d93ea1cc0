// A mirrored entry as mail sees it: the classes and attributes that our compiler reads, made of those that its source has.
//
// In      an entry; `mailAs` says how, decided when it was taken over: `user mail=email`, `list`, ` uid=login`, `user?`
// Out     the entry itself where nothing says so; else one with a class of ours, and attributes under our names
// Never   stored, shown by LDAP or searched: there the entry is what it is at its source
// Rules   `user` and `list` bring inetMailUser and inetMailGroup; their first `mail` is the primary address, others alternate.
//         `nobody` takes the classes of mail away. `OURS=THEIRS`: ours is what theirs is, or nothing. `?` behind the first word: only its
//         name has been asked for, others may have its addresses too

import { asciiLower } from '../base/characters.ts';
import type { Attribute, AttributeValue, Entry } from './entry.ts';

/** How mail sees an entry. */
export interface MailView {
  /** Undefined: as its own classes say. */
  readonly kind: 'user' | 'list' | 'nobody' | undefined;
  readonly attributes: readonly (readonly [ours: string, theirs: string])[];
}

export function mailViewText({ kind, attributes }: MailView): string {
  if (kind === undefined && attributes.length === 0) return '';
  return [kind ?? '', ...attributes.map(([ours, theirs]) => `${ours}=${theirs}`)].join(' ');
}

/** Of the same entry, found by its name alone. */
export function byNameText(mailAs: string): string {
  const blank = mailAs.indexOf(' ');
  return blank < 0 ? `${mailAs}?` : `${mailAs.slice(0, blank)}?${mailAs.slice(blank)}`;
}

/** Whether others have its addresses too was not asked. */
export function isByName({ mailAs }: Entry): boolean {
  return mailAs !== undefined && kindOf(mailAs).endsWith('?');
}

function kindOf(mailAs: string): string {
  const blank = mailAs.indexOf(' ');
  return blank < 0 ? mailAs : mailAs.slice(0, blank);
}

const MAIL_CLASSES = ['inetmailuser', 'inetmailgroup', 'inetlocalmailrecipient'];
const CLASS_OF = { user: 'inetMailUser', list: 'inetMailGroup' } as const;

export function mailView<E extends Entry>(entry: E): E {
  if (entry.mailAs === undefined) return entry;
  const [word = '', ...pairs] = entry.mailAs.split(' ');
  const kind = word.endsWith('?') ? word.slice(0, -1) : word;
  const attributes = new Map(entry.attributes);
  for (const pair of pairs) {
    const at = pair.indexOf('=');
    const ours = pair.slice(0, at);
    const values = entry.attributes.get(asciiLower(pair.slice(at + 1)))?.values;
    if (values === undefined) attributes.delete(asciiLower(ours));
    else attributes.set(asciiLower(ours), { name: ours, values });
  }
  if (kind === 'user' || kind === 'list') {
    append(attributes, 'objectClass', [CLASS_OF[kind]]);
    const [first, ...others] = attributes.get('mail')?.values ?? [];
    if (first !== undefined) attributes.set('mail', { name: 'mail', values: [first] });
    if (others.length > 0) append(attributes, 'mailAlternateAddress', others);
  }
  const classes = attributes.get('objectclass');
  if (kind === 'nobody' && classes !== undefined)
    attributes.set('objectclass', { ...classes, values: classes.values.filter((value) => !isMailClass(value)) });
  return { ...entry, attributes };
}

function isMailClass(value: AttributeValue): boolean {
  return typeof value === 'string' && MAIL_CLASSES.includes(asciiLower(value));
}

function append(attributes: Map<string, Attribute>, name: string, values: Attribute['values']): void {
  const key = asciiLower(name);
  attributes.set(key, { name, values: [...(attributes.get(key)?.values ?? []), ...values] });
}
