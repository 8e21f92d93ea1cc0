// The answer itself: a whole message, made from the user's entry and the message that it answers.
//
// In      what the entry says, the message's header, its bytes where they go back (mode `echo`)
// Out     the answer's bytes; undefined where the user has no text for this sender
// Limits  ECHO_MAX of the message go back, else its header alone; REFERENCES_MAX
// Never   lets what a stranger wrote begin a field or a part of its own
// RFC 3834 §3, RFC 5322 §3.6.4, RFC 2046 §5.1 §5.2.1

import { type Address, addressKey, formatAddress } from '../../message/address.ts';
import { parseAddressList } from '../../message/addresses.ts';
import { formatMailDate } from '../../message/date.ts';
import { decodeWords } from '../../message/decode.ts';
import { encodedWords, formatPhrase } from '../../message/encoded-words.ts';
import { formatPath } from '../../message/envelope.ts';
import { findValue, type Header } from '../../message/header.ts';
import { parseMessageId, parseReferences } from '../../message/message-id.ts';
import { encodeQuotedPrintable } from '../../message/quoted-printable.ts';
import { visible } from '../../message/trace.ts';
import { type PutIn, writeText } from '../template.ts';
import type { AutoreplyProfile, Texts } from './profile.ts';
import { chooseText, dateText, languagesOf } from './text.ts';

/** Octets of a message that go back whole. */
export const ECHO_MAX = 100 * 1024;
const SUBJECT_MAX = 500;
/** The first of a thread, and the nearest. */
const REFERENCES_MAX = 20;
const REFERENCE_LENGTH = 250;

export interface Answered {
  /** Whom the answer goes to. */
  readonly sender: Address;
  readonly header: Header;
  /** Of the message, for mode `echo`: all of it, or where it is longer than ECHO_MAX its header. */
  readonly bytes?: Buffer;
}

export interface ComposeParts {
  readonly hostname: string;
  /** Unique on this host. */
  readonly id: string;
  readonly at: number;
}

export function composeAnswer(
  profile: AutoreplyProfile,
  { sender, header, bytes }: Answered,
  { hostname, id, at }: ComposeParts,
): Buffer | undefined {
  const languages = languagesOf(findValue(header, 'accept-language'), findValue(header, 'content-language'));
  const template = textFor(profile, sender, languages);
  if (template === undefined && !profile.isEcho) return undefined;
  const putIn = putInOf(profile, { sender, header });
  const written = chooseText(profile.subjects, languages);
  const subject =
    written === undefined ? `Auto: ${putIn.SUBJECT}` : writeText(written, putIn).replaceAll('\n', ' ').trim();
  const text = Buffer.from(template === undefined ? '' : `${writeText(template, putIn).trimEnd()}\n`);
  const fields = lines(
    `From: ${fromText(profile)}`,
    `To: ${visible(formatPath(sender))}`,
    `Subject: ${fieldText(subject.slice(0, SUBJECT_MAX))}`,
    `Date: ${formatMailDate(at)}`,
    `Message-ID: <${visible(id)}@${visible(hostname)}>`,
    ...threadFields(header),
    'Auto-Submitted: auto-replied',
    'MIME-Version: 1.0',
  );
  return profile.isEcho && bytes !== undefined
    ? withEcho(fields, textPart(text), { bytes, id })
    : Buffer.from(`${fields}${textPart(text)}`, 'latin1');
}

/** Who is of the same domain may be told more. */
function textFor({ address, texts, internalTexts }: AutoreplyProfile, sender: Address, languages: readonly string[]) {
  const choose = (of: Texts): string | undefined => chooseText(of, languages);
  return (sender.domain === address.domain ? choose(internalTexts) : undefined) ?? choose(texts);
}

function putInOf({ start, end }: AutoreplyProfile, { sender, header }: Answered): PutIn {
  const [from] = parseAddressList(findValue(header, 'from') ?? '', 1);
  const [name, , localPart, host] = from ?? [null, null, null, null];
  const address = localPart === null || host === null ? formatAddress(sender) : decodeWords(`${localPart}@${host}`);
  return {
    SUBJECT: decodeWords(findValue(header, 'subject') ?? ''),
    FROM: name === null || name === '' ? address : `${decodeWords(name)} <${address}>`,
    START: dateText(start),
    END: dateText(end),
  };
}

function fromText({ name, address }: AutoreplyProfile): string {
  const path = visible(formatPath(address));
  const phrase = name === '' ? '' : formatPhrase(oneLine(name));
  return phrase === '' || addressKey(address) === name ? path : `${phrase} ${path}`;
}

/** Of Subject: what would be read as an encoded word becomes one. */
function fieldText(text: string): string {
  const line = oneLine(text);
  return line === visible(line) && !line.includes('=?') ? line : encodedWords(line);
}

function oneLine(text: string): string {
  let line = '';
  for (const character of text) line += character < ' ' || character === '\x7f' ? ' ' : character;
  return line.toWellFormed().trim();
}

function threadFields(header: Header): string[] {
  const id = parseMessageId(findValue(header, 'message-id') ?? '');
  const earlier = parseReferences(findValue(header, 'references') ?? findValue(header, 'in-reply-to') ?? '');
  const all = [...earlier, ...(id === undefined ? [] : [id])].filter(isPlainId);
  if (all.length > REFERENCES_MAX) all.splice(1, all.length - REFERENCES_MAX);
  const fields: string[] = [];
  if (id !== undefined && isPlainId(id)) fields.push(`In-Reply-To: <${id}>`);
  if (all.length > 0) fields.push(`References: ${all.map((each) => `<${each}>`).join('\r\n ')}`);
  return fields;
}

function isPlainId(id: string): boolean {
  return id.length <= REFERENCE_LENGTH && id === visible(id) && !/[\s<>]/.test(id);
}

/** Content-Type with its body. */
function textPart(text: Buffer): string {
  const body = text.toString('latin1').replaceAll('\n', '\r\n');
  const isPlain = body.split('\r\n').every((line) => line.length <= 900 && line === visible(line));
  return isPlain
    ? `Content-Type: text/plain; charset=us-ascii\r\n\r\n${body}`
    : `Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n${encodeQuotedPrintable(Buffer.from(body, 'latin1')).toString('latin1')}`;
}

function withEcho(fields: string, text: string, echo: { readonly bytes: Buffer; readonly id: string }): Buffer {
  const { bytes, id } = echo;
  const isWhole = bytes.length <= ECHO_MAX;
  let boundary = `=_${visible(id)}`;
  while (bytes.includes(boundary)) boundary += '_';
  const eightBit = bytes.some((octet) => octet > 0x7f) ? 'Content-Transfer-Encoding: 8bit\r\n' : '';
  const type = isWhole ? 'message/rfc822' : 'text/rfc822-headers';
  return Buffer.concat([
    Buffer.from(
      `${fields}Content-Type: multipart/mixed; boundary="${boundary}"\r\n\r\n--${boundary}\r\n${text}\r\n` +
        `--${boundary}\r\nContent-Type: ${type}\r\n${eightBit}\r\n`,
      'latin1',
    ),
    bytes,
    Buffer.from(`\r\n--${boundary}--\r\n`, 'latin1'),
  ]);
}

function lines(...list: readonly string[]): string {
  return list.map((line) => `${line}\r\n`).join('');
}
