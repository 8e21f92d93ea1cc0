// What a program says of a message that it submits, to its envelope and its bytes.
//
// In      the JSON of POST /v1/messages, or the query beside a message/rfc822 body
// Out     sender and recipients, each once; what they want to be told; what the message is made of, or the message itself
// Errors  Failure('syntax') that names the key: an unknown one, a value of another form, CR, LF or NUL in a field
// Limits  as many recipients as SMTP takes; FIELDS_MAX, FILES_MAX, PART_FIELD_MAX; values, json.ts
// `raw` is a message already: what a message is made of has no place beside it

import { z } from 'zod';
import { Failure } from '../../base/failure.ts';
import { type Address, addressKey, isBeyondAscii, tryParseAddress } from '../../message/address.ts';
import { composeMessage, decodedBase64, type NamedAddress } from '../../message/compose.ts';
import type { MailParameters, Recipient } from '../../message/envelope.ts';
import { parseMailParameters, parseRcptParameters } from '../../wire/smtp/parameters.ts';
import { encodeXtext } from '../../wire/smtp/xtext.ts';
import { jsonOf } from './json.ts';

const FIELDS_MAX = 200;
const FILES_MAX = 500;
/** What stands in the header of one part. */
const PART_FIELD_MAX = 1000;

export interface MessageInput {
  /** Undefined for the null reverse-path. */
  readonly sender: Address | undefined;
  readonly recipients: readonly Recipient[];
  readonly parameters: MailParameters;
  /** The author that the message names; undefined where it comes as it is. */
  readonly author: Address | undefined;
}

export interface JsonMessage extends MessageInput {
  /** Lines with CRLF where it was composed; as they came where it is raw. */
  readonly pieces: readonly Buffer[];
}

export interface InputScope {
  /** Epoch milliseconds. */
  readonly now: number;
  readonly recipientsMax: number;
}

const oneOrMore = z.union([z.string(), z.array(z.string())]);
const file = z.strictObject({
  filename: z.string().optional(),
  contentType: z.string().optional(),
  content: z.string(),
  cid: z.string().optional(),
});
const schema = z.strictObject({
  from: z.string().optional(),
  to: oneOrMore.optional(),
  cc: oneOrMore.optional(),
  bcc: oneOrMore.optional(),
  subject: z.string().optional(),
  text: z.string().optional(),
  html: z.string().optional(),
  headers: z.record(z.string(), oneOrMore).optional(),
  attachments: z.array(file).max(FILES_MAX).optional(),
  raw: z.string().optional(),
  envelope: z.strictObject({ from: z.string().optional(), to: oneOrMore.optional() }).optional(),
  dsn: z
    .strictObject({ notify: oneOrMore.optional(), ret: z.string().optional(), envid: z.string().optional() })
    .optional(),
  holdUntil: z.string().optional(),
});
type Given = z.infer<typeof schema>;

/** Keys that say what a message is made of. */
const COMPOSING = ['cc', 'bcc', 'subject', 'text', 'html', 'headers', 'attachments'] as const;

export function messageOfJson(octets: Uint8Array, scope: InputScope): JsonMessage {
  const given = parsed(octets);
  const { raw, envelope, dsn = {}, holdUntil } = given;
  for (const [key, value] of Object.entries(dsn)) for (const each of many(value)) fieldText(each, `dsn.${key}`);
  const asked = parseRcptParameters(
    words({ notify: dsn.notify === undefined ? undefined : many(dsn.notify).join(',') }),
  );
  const { body: _, ...parameters } = parseMailParameters(
    words({
      ret: dsn.ret,
      envid: dsn.envid === undefined ? undefined : encodeXtext(dsn.envid),
      holduntil: holdUntil,
    }),
    { now: scope.now, isAuthor: true },
  );
  if (raw !== undefined) {
    for (const key of COMPOSING)
      if (given[key] !== undefined)
        throw new Failure('syntax', `${key} has no place beside raw, which is a message already`);
    const { from = given.from, to = given.to } = envelope ?? {};
    const path = {
      sender: senderOf(from, 'from'),
      recipients: recipientsOf(addressesOf(to, 'to'), asked, scope),
    };
    return { ...enveloped(path, parameters), author: undefined, pieces: [decodedBase64(raw, 'raw')] };
  }
  if (given.from === undefined) throw new Failure('syntax', 'from is missing');
  const author = mailboxOf(given.from, 'from');
  const [to, cc, bcc] = (['to', 'cc', 'bcc'] as const).map((key) =>
    many(given[key]).map((each) => mailboxOf(each, key)),
  );
  const addressed = [...to!, ...cc!, ...bcc!].map(({ address }) => address);
  const path = {
    sender: envelope?.from === undefined ? author.address : senderOf(envelope.from, 'envelope.from'),
    recipients: recipientsOf(
      envelope?.to === undefined ? addressed : addressesOf(envelope.to, 'envelope.to'),
      asked,
      scope,
    ),
  };
  const pieces = composeMessage({
    from: author,
    to: to!,
    cc: cc!,
    subject: given.subject === undefined ? undefined : fieldText(given.subject, 'subject'),
    text: given.text,
    html: given.html,
    fields: fieldsOf(given),
    files: filesOf(given),
  });
  // A header that names such an address is UTF-8.
  const isUtf8 = [author, ...to!, ...cc!].some(({ address }) => isBeyondAscii(address));
  return { ...enveloped(path, isUtf8 ? { ...parameters, isUtf8 } : parameters), author: author.address, pieces };
}

/** `?from=ann@acme.example&to=bob@acme.example&to=...` */
export function messageOfQuery(query: Readonly<Record<string, string[]>>, scope: InputScope): MessageInput {
  for (const key of Object.keys(query))
    if (key !== 'from' && key !== 'to') throw new Failure('syntax', `unknown parameter ${shown(key)}`);
  const { from: [from, ...more] = [], to = [] } = query;
  if (more.length > 0) throw new Failure('syntax', 'from stands there twice');
  const path = {
    sender: senderOf(from, 'from'),
    recipients: recipientsOf(addressesOf(to, 'to'), {}, scope),
  };
  return { ...enveloped(path, {}), author: undefined };
}

function parsed(octets: Uint8Array): Given {
  const json = jsonOf(octets);
  if (json === undefined) throw new Failure('syntax', 'the body is not JSON in UTF-8');
  const result = schema.safeParse(json.value);
  if (result.success) return result.data;
  const { path, message } = result.error.issues[0]!;
  const where = path.length === 0 ? '' : `${shown(path.join('.'))}: `;
  throw new Failure('syntax', `${where}${shown(message)}`);
}

/** What others wrote, as one line of an answer shows it. */
function shown(text: string): string {
  return text.slice(0, 200).replace(/[\x00-\x1f\x7f]/g, '?');
}

function enveloped(
  { sender, recipients }: Pick<MessageInput, 'sender' | 'recipients'>,
  parameters: MailParameters,
): Omit<MessageInput, 'author'> {
  const all = sender === undefined ? recipients : [{ address: sender }, ...recipients];
  const isUtf8 = all.some(({ address }) => isBeyondAscii(address));
  return { sender, recipients, parameters: isUtf8 ? { ...parameters, isUtf8 } : parameters };
}

function recipientsOf(
  addresses: readonly Address[],
  asked: Omit<Recipient, 'address'>,
  { recipientsMax }: InputScope,
): Recipient[] {
  // Whoever is named twice gets it once, and is answered for once.
  const once = new Map<string, Recipient>();
  for (const address of addresses) {
    const name = addressKey(address);
    if (!once.has(name)) once.set(name, { address, ...asked });
  }
  if (once.size === 0) throw new Failure('syntax', 'to is missing: there is no recipient');
  if (once.size > recipientsMax) throw new Failure('syntax', `more than ${recipientsMax} recipients`);
  return [...once.values()];
}

function many(value: string | readonly string[] | undefined): readonly string[] {
  return value === undefined ? [] : typeof value === 'string' ? [value] : value;
}

function words(given: Readonly<Record<string, string | undefined>>): ReadonlyMap<string, string> {
  return new Map(Object.entries(given).filter((entry): entry is [string, string] => entry[1] !== undefined));
}

/** No line break begins a field of its own, no other control character is carried. */
function fieldText(text: string, key: string): string {
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if ((code < 0x20 && code !== 0x09) || code === 0x7f)
      throw new Failure('syntax', `${shown(key)} has a line break or another control character`);
  }
  return text;
}

function shortText(text: string, key: string): string {
  if (text.length > PART_FIELD_MAX) throw new Failure('syntax', `${key} is longer than ${PART_FIELD_MAX} characters`);
  return fieldText(text, key);
}

function addressOf(text: string, key: string): Address {
  const address = tryParseAddress(fieldText(text, key));
  if (address === undefined || address.domain === '')
    throw new Failure('syntax', `${key}: ${shown(text)} is no address`);
  return address;
}

function addressesOf(value: string | readonly string[] | undefined, key: string): Address[] {
  return many(value).map((text) => addressOf(text, key));
}

/** Empty is the null reverse-path; absent is an error. */
function senderOf(text: string | undefined, key: string): Address | undefined {
  if (text === undefined) throw new Failure('syntax', `${key} is missing`);
  return text === '' ? undefined : addressOf(text, key);
}

/** `ann@acme.example` or `Ann Example <ann@acme.example>`. */
function mailboxOf(text: string, key: string): NamedAddress {
  const written = fieldText(text, key).trim();
  if (!written.endsWith('>')) return { name: '', address: addressOf(written, key) };
  const open = written.lastIndexOf('<');
  const name = written.slice(0, Math.max(0, open)).trim();
  const isQuoted = name.length > 1 && name.startsWith('"') && name.endsWith('"');
  return {
    name: isQuoted ? name.slice(1, -1).replace(/\\(.)/g, '$1') : name,
    address: addressOf(written.slice(open + 1, -1), key),
  };
}

function fieldsOf({ headers = {} }: Given): [name: string, value: string][] {
  const fields = Object.entries(headers).flatMap(([name, values]) =>
    many(values).map((value): [string, string] => [fieldText(name, 'headers'), fieldText(value, `headers.${name}`)]),
  );
  if (fields.length > FIELDS_MAX) throw new Failure('syntax', `more than ${FIELDS_MAX} headers`);
  return fields;
}

function filesOf({ attachments = [] }: Given) {
  return attachments.map(({ filename, contentType = 'application/octet-stream', content, cid }) => ({
    filename: filename === undefined ? undefined : shortText(filename, 'attachments.filename'),
    contentType: shortText(contentType, 'attachments.contentType'),
    content,
    cid: cid === undefined ? undefined : shortText(cid, 'attachments.cid'),
  }));
}
