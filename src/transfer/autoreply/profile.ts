// What a user's entry says of answers in their absence.
//
// In      the entry, read when a message is to be answered: a new text or date counts at once
// Out     who answers, when, with which texts; undefined where there is nothing to be said
// RFC 3866 (language tags)

import { createHash } from 'node:crypto';
import { asciiLower } from '../../base/characters.ts';
import { HOUR_MS } from '../../base/duration.ts';
import { ADDRESS_KEYS } from '../../directory/address-attributes.ts';
import { type Entry, textValue, textValues } from '../../directory/entry.ts';
import { generalizedTimeToMs } from '../../directory/scalars.ts';
import { type Address, addressKey, tryParseAddress } from '../../message/address.ts';

const USUAL_HOURS = 168;
/** More than anybody is away. */
const HOURS_MAX = 100 * 366 * 24;

/** By language, `''` for the plain value: keys in lower case. */
export type Texts = ReadonlyMap<string, string>;

export interface AutoreplyProfile {
  /** `mail`, and the name that stands before it. */
  readonly address: Address;
  readonly name: string;
  /** Keys of all addresses of the entry, and of the one by which it was reached: the site postmaster's are in no entry. */
  readonly addresses: ReadonlySet<string>;
  /** Epoch milliseconds; absent: open. */
  readonly start?: number;
  readonly end?: number;
  readonly subjects: Texts;
  readonly texts: Texts;
  /** For senders of the same domain. */
  readonly internalTexts: Texts;
  /** The message goes back with the answer. */
  readonly isEcho: boolean;
  /** Nobody is answered twice in this time. */
  readonly timeOutMs: number;
  /** Of all texts in all languages: another one is answered with anew. RFC 5230 §4.2 */
  readonly hash: Uint8Array;
}

/** `reached`: the address by which it was. */
export function autoreplyProfile(entry: Entry, reached: Address): AutoreplyProfile | undefined {
  const addresses = ADDRESS_KEYS.flatMap((key) => textValues(entry, key))
    .map((text) => tryParseAddress(text.trim()))
    .filter((address) => address !== undefined);
  const [address] = addresses;
  if (address === undefined) return undefined;
  const [subjects, texts, internalTexts] = [
    textsOf(entry, 'mailautoreplysubject'),
    textsOf(entry, 'mailautoreplytext'),
    textsOf(entry, 'mailautoreplytextinternal'),
  ];
  const start = timeOf(entry, 'vacationstartdate');
  const end = timeOf(entry, 'vacationenddate');
  return {
    address,
    name: textValue(entry, 'cn') ?? '',
    addresses: new Set([...addresses, reached].map(addressKey)),
    ...(start === undefined ? {} : { start }),
    ...(end === undefined ? {} : { end }),
    subjects,
    texts,
    internalTexts,
    isEcho: asciiLower(textValue(entry, 'mailautoreplymode')?.trim() ?? '') === 'echo',
    timeOutMs: hoursOf(entry) * HOUR_MS,
    hash: createHash('sha256')
      .update(JSON.stringify([subjects, texts, internalTexts].map((each) => [...each].sort())))
      .digest(),
  };
}

function textsOf(entry: Entry, name: string): Texts {
  const texts = new Map<string, string>();
  for (const [key, { values }] of entry.attributes) {
    if (key !== name && !key.startsWith(`${name};lang-`)) continue;
    const [text] = values;
    if (typeof text === 'string' && text.trim() !== '') texts.set(key.slice(name.length + ';lang-'.length), text);
  }
  return texts;
}

function timeOf(entry: Entry, name: string): number | undefined {
  const text = textValue(entry, name);
  return text === undefined ? undefined : generalizedTimeToMs(text);
}

function hoursOf(entry: Entry): number {
  const hours = Number(textValue(entry, 'mailautoreplytimeout') ?? USUAL_HOURS);
  return Number.isFinite(hours) ? Math.min(Math.max(hours, 1), HOURS_MAX) : USUAL_HOURS;
}
