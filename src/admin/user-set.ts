// user set: what becomes of a user's mail, as attributes of the entry. An LDAP client may write the same.
//
// In      where mail goes on to, when the user is away, with which answer, how much the mailbox may hold
// Out     one modification of the entry; what is not named stays as it is
// A day is one of UTC: `from` begins with it, `until` ends with it

import { z } from 'zod';
import { asciiLower } from '../base/characters.ts';
import { DAY_MS } from '../base/duration.ts';
import { Failure } from '../base/failure.ts';
import { type Entry, hasClass, type Modification, textValues } from '../directory/entry.ts';
import { parseLimit } from '../directory/quota-value.ts';
import { formatGeneralizedTime } from '../directory/scalars.ts';
import type { Changed } from './changed.ts';
import { addressInput, dryRun, type EntryParts, entryOfAddress, submitForCommand } from './entries.ts';
import { mailAddressOf } from './naming.ts';
import { adminOperation, forSelf } from './operation.ts';

const FORWARDS_MAX = 50;
/** A text for people to read. */
const TEXT_MAX = 64 * 1024;
const DAY = /^\d{4}-\d\d-\d\d$/;

/** `2026-12-20`, or a time with its zone. */
const time = z.union(
  [z.iso.date(), z.iso.datetime({ offset: true })],
  'is neither a day such as 2026-12-20 nor a time',
);

function limit(words: string) {
  return z
    .string()
    .max(20)
    .refine((text) => parseLimit(asciiLower(text)) !== undefined, words)
    .optional();
}

const input = z.strictObject({
  address: addressInput,
  /** Where mail goes on to; none: nowhere. */
  forward: z.array(addressInput).max(FORWARDS_MAX).optional(),
  /** False: the user is here. Of the two times one that is not given is open. */
  vacation: z
    .union([
      z.literal(false),
      z.strictObject({
        from: time.optional(),
        until: time.optional(),
        text: z.string().min(1).max(TEXT_MAX).optional(),
      }),
    ])
    .optional(),
  /** Octets, as mailQuota has it. */
  quota: limit('is no size such as 2G, nor -1 (no limit) or -2 (what the domain says)'),
  /** Messages, as mailMsgQuota has it. */
  messageQuota: limit('is no number such as 5000, nor -1 (no limit) or -2 (what the domain says)'),
  dryRun,
});
type Input = z.infer<typeof input>;

export const userSet = (parts: EntryParts) =>
  forSelf(
    adminOperation('user.set', input, async (given, caller, peer): Promise<Changed> => {
      const entry = entryOfAddress(parts, mailAddressOf(given.address), 'user');
      const modifications = [...new Setting(entry, given).modifications()];
      if (modifications.length === 0) throw new Failure('invalid', 'say what to set: waypost user set --help');
      return submitForCommand(
        parts,
        { kind: 'modify', dn: entry.dn, modifications },
        { caller, peer, dryRun: given.dryRun },
      );
    }),
    ({ address: of }) => [of],
  );

class Setting {
  readonly #entry: Entry;
  readonly #given: Input;
  readonly #options: Set<string>;

  constructor(entry: Entry, given: Input) {
    this.#entry = entry;
    this.#given = given;
    const options = textValues(entry, 'maildeliveryoption').map((option) => asciiLower(option.trim()));
    this.#options = new Set(options.length === 0 ? ['mailbox'] : options);
  }

  *modifications(): Generator<Modification> {
    const { forward, vacation, quota, messageQuota } = this.#given;
    const before = [...this.#options];
    if (forward !== undefined) yield* this.#forward(forward);
    if (vacation === false) yield* this.#here();
    else if (vacation !== undefined) yield* this.#away(vacation);
    if (quota !== undefined) yield replace('mailQuota', [quota]);
    if (messageQuota !== undefined) yield replace('mailMsgQuota', [messageQuota]);
    // Mail that nothing is said of goes to the mailbox.
    if (this.#options.size === 0) this.#options.add('mailbox');
    const options = [...this.#options];
    if (options.join() !== before.join()) yield replace('mailDeliveryOption', options);
  }

  *#forward(addresses: readonly string[]): Generator<Modification> {
    yield replace('mailForwardingAddress', [...new Set(addresses.map((each) => mailAddressOf(each).text))]);
    this.#act('forward', addresses.length > 0);
  }

  *#here(): Generator<Modification> {
    yield replace('vacationStartDate', []);
    yield replace('vacationEndDate', []);
    this.#act('autoreply', false);
  }

  *#away({ from, until, text }: Exclude<Input['vacation'], false | undefined>): Generator<Modification> {
    if (text === undefined && !this.#hasText())
      throw new Failure('invalid', 'what should senders read? Give --vacation-text');
    const start = from === undefined ? undefined : startOf(from);
    const end = until === undefined ? undefined : endOf(until);
    if (start !== undefined && end !== undefined && end < start)
      throw new Failure('invalid', `the vacation ends before it begins: ${from} to ${until}`);
    if (start !== undefined || end !== undefined) {
      if (!hasClass(this.#entry, 'userpresenceprofile'))
        yield { operation: 'add', attribute: 'objectClass', values: ['userPresenceProfile'] };
      yield replace('vacationStartDate', start === undefined ? [] : [formatGeneralizedTime(start)]);
      yield replace('vacationEndDate', end === undefined ? [] : [formatGeneralizedTime(end)]);
    }
    if (text !== undefined) yield replace('mailAutoReplyText', [text]);
    this.#act('autoreply', true);
  }

  #hasText(): boolean {
    return [...this.#entry.attributes.keys()].some((key) => key.startsWith('mailautoreplytext'));
  }

  #act(option: string, isOn: boolean): void {
    if (isOn) this.#options.add(option);
    else this.#options.delete(option);
  }
}

function replace(attribute: string, values: readonly string[]): Modification {
  return { operation: 'replace', attribute, values };
}

function startOf(text: string): number {
  return Date.parse(text);
}

function endOf(text: string): number {
  return DAY.test(text) ? Date.parse(text) + DAY_MS - 1000 : Date.parse(text);
}
