// The targets that routing makes: which channel takes a recipient, and what that channel needs to know of it.
//
// Out     a target of the channel `store` (here), `smtp` or another one that takes mail to another host, or `hold`
// A channel's name stands in this file, in transfer/channels/ and where channels are registered, and nowhere else.

import type { AccountId, MailboxId } from '../base/ids.ts';
import type { Json, JsonObject } from '../base/json.ts';
import { type Address, formatAddress, tryParseAddress } from '../message/address.ts';
import { encodeQuota, type Quota } from '../store/quota.ts';
import type { ChannelRow } from './compile-channel.ts';
import type { ListPart } from './list-members.ts';
import type { PartOf } from './options/part.ts';
import type { GroupRow } from './rows.ts';

export interface Target {
  /** The name of a channel. */
  readonly channel: string;
  /**
   * Where the channel takes it; `''`: this host. To other hosts: a domain, by its MX; or up to ten hops with commas between
   * them, a host or an address in brackets each, with `:port` behind where it is not the usual one. `hold`: what it waits for.
   */
  readonly destination: string;
  /** The address that led here. */
  readonly recipient: Address;
  /** Equal keys of one message are one delivery. */
  readonly key: string;
  /** What the channel needs beside it; `store`: `account`, and perhaps `folder`, `mailbox` and `flags`. */
  readonly options: JsonObject;
}

/** What is said of a mailbox beside whose it is. */
interface MailboxOptions {
  readonly quota?: Quota | undefined;
  /** The subaddress that it was reached by: the folder of this name, where the sender may post there (posting.ts). */
  readonly folder?: string | undefined;
}

/** An account's mailbox: INBOX, where no folder is asked for. Who is reached by several addresses gets it once, where the first one says. */
export function mailboxTarget(
  recipient: Address,
  account: AccountId,
  { quota, folder }: MailboxOptions = NOTHING,
): Target {
  const options: Record<string, Json> = { account };
  if (quota !== undefined) options['quota'] = encodeQuota(quota);
  if (folder !== undefined) options['folder'] = folder;
  return { channel: 'store', destination: '', recipient, key: `store ${account}`, options };
}

const NOTHING: MailboxOptions = {};

/** Of a target of the channel `store`. */
export function folderAsked({ options: { account, folder } }: Target): string | undefined {
  return account !== undefined && typeof folder === 'string' ? folder : undefined;
}

/** Of one that asks for a folder: it is this mailbox. Undefined: INBOX. */
export function inFolder(target: Target, mailbox: MailboxId | undefined): Target {
  const { folder: _, ...options } = target.options;
  return { ...target, options: mailbox === undefined ? options : { ...options, mailbox } };
}

/**
 * A recipient who is ours, and is resolved again when the delivery is tried: nothing can be said of the account now. `part`: of its
 * delivery options only that one.
 */
export function unresolvedTarget(recipient: Address, part?: PartOf): Target {
  const key = `store ${formatAddress(recipient)}`;
  return { channel: 'store', destination: '', recipient, key, options: part === undefined ? {} : optionsOfPart(part) };
}

/** See options/part.ts. */
function optionsOfPart({ aloneOf, ...part }: PartOf): JsonObject {
  return aloneOf === undefined ? { ...part } : { account: aloneOf };
}

/** Somebody's mailbox here, as far as is known now. */
export function isMailbox({ channel }: Target): boolean {
  return OF_MAILBOXES.has(channel);
}

const OF_MAILBOXES: ReadonlySet<string> = new Set(['store']);

/** Other hosts: those of a domain by its MX, `acme.example`, or named ones, `[mail2.example]`, `[a.example],[192.0.2.1]:2525`. */
export function hopTarget(recipient: Address, destination: string, channel = 'smtp'): Target {
  const key = `${channel} ${destination} ${formatAddress(recipient)}`;
  return { channel, destination, recipient, key, options: {} };
}

/** `alone`: of a user who has a mailbox and nothing else. Kept until a row changes: `route acme.example`, or `entry` and a normalized DN. Then the recipient is resolved again. */
export function holdTarget(recipient: Address, waitsFor: string, alone?: AccountId): Target {
  const target = hopTarget(recipient, waitsFor, 'hold');
  return alone === undefined ? target : { ...target, options: { account: alone } };
}

/** Kept until its domain is ours, or is refused: somebody has been asked about it. */
export function custodyTarget(recipient: Address): Target {
  return { ...holdTarget(recipient, destinationOfRoute(recipient.domain)), options: { heldBy: 'custody' } };
}

const OF_ROUTE = 'route ';

export function destinationOfRoute(domain: string): string {
  return `${OF_ROUTE}${domain}`;
}

/** The domain whose row a held target waits for. */
export function routeWaitedFor(destination: string): string | undefined {
  return destination.startsWith(OF_ROUTE) ? destination.slice(OF_ROUTE.length) : undefined;
}

/** Whatever channel keeps it: what it waits for is words, other destinations are names. */
export function waits({ channel, destination }: Target): boolean {
  return !ON_THIS_HOST.has(channel) && destination.includes(' ');
}

/** What a rewrite rule says that names a channel: the address begins anew, the directory decides over it, the channel takes it. */
export function meaningInRule({ channelKind }: ChannelRow): 'anew' | 'directory' | 'channel' {
  // To be resolved again is what happens at once.
  if (channelKind === 'reprocess') return 'anew';
  return channelKind === 'store' ? 'directory' : 'channel';
}

/** Its destinations are hosts. */
export function takesToHosts({ channelKind }: ChannelRow): boolean {
  return channelKind === 'smtp' || channelKind === 'lmtp';
}

/** `waitsFor`: of a channel that holds mail. */
export function ruleTarget(
  { key, channelKind, daemon }: ChannelRow,
  recipient: Address,
  { hop, waitsFor }: { readonly hop: string | undefined; readonly waitsFor: string },
): Target {
  if (channelKind === 'hold') return hopTarget(recipient, waitsFor, key);
  // Dropped here.
  if (channelKind === 'discard') return hopTarget(recipient, '', key);
  return hopTarget(recipient, hop ?? daemon ?? recipient.domain, key);
}

/** Of this host, by a channel that is paused: it waits in the queue. */
export function pausedTarget(target: Target): Target {
  return { ...target, options: { ...target.options, isPaused: true } };
}

export function isPaused({ options }: Target): boolean {
  return options['isPaused'] === true;
}

/**
 * Of a target that is not for this address itself: what to resolve again, once the tables have moved, so as to come here or
 * to where it goes by then. Here, too: it may have to wait for a channel that is paused, or for its turn. A list is read anew
 * by itself.
 */
export function withOrigin(target: Target, origin: Address): Target {
  if (origin === target.recipient || listOfTarget(target) !== undefined) return target;
  return { ...target, options: { ...target.options, from: formatAddress(origin) } };
}

/**
 * What an entry of this host sends on, in place of the way that it goes: the message is marked first. `by` forwards, `to` is what
 * the entry names.
 */
export function forwardTarget(
  { recipient, key }: Pick<Target, 'recipient' | 'key'>,
  options: { readonly by: string; readonly to: string; readonly heldBy?: string },
): Target {
  return { channel: 'forward', destination: '', recipient, key, options };
}

/** An answer of a user who is away. */
export function autoreplyTarget(
  recipient: Address,
  options: { readonly entry: number; readonly account: AccountId; readonly by: string; readonly heldBy?: string },
): Target {
  return { channel: 'autoreply', destination: '', recipient, key: `autoreply ${options.account}`, options };
}

/** Undefined: the recipient itself. */
export function originOf({ from }: JsonObject): Address | undefined {
  return typeof from === 'string' ? tryParseAddress(from) : undefined;
}

/** Programs and files have destinations of this host. */
const ON_THIS_HOST: ReadonlySet<string> = new Set(['program', 'file']);

/** What is sent on, and by whom, is said of such a target alone. */
export function leavesThisHost({ channel, destination }: Target): boolean {
  return destination !== '' && !ON_THIS_HOST.has(channel);
}

/** What a program or a file of an entry has beside its name. */
interface Own {
  /** Of the entry. */
  readonly domain: string;
  /** Who gets the report of a failure in the sender's place. */
  readonly reportTo: Address | undefined;
}

/** A program by its name: each entry has its own run. */
export function programTarget(
  recipient: Address,
  { uuid, domain, reportTo, program }: Own & { readonly uuid: string; readonly program: string },
): Target {
  const key = `program ${program} ${uuid}`;
  return { channel: 'program', destination: program, recipient, key, options: { domain, ...reported(reportTo) } };
}

/** A file by its path: entries that share it get one copy. */
export function fileTarget(recipient: Address, { domain, reportTo, file }: Own & { readonly file: string }): Target {
  const path = `${domain}/${file}`;
  return { channel: 'file', destination: path, recipient, key: `file ${path}`, options: reported(reportTo) };
}

function reported(reportTo: Address | undefined): JsonObject {
  return reportTo === undefined ? {} : { reportTo: formatAddress(reportTo) };
}

/** A list that is expanded by the transfer thread, after the message has been accepted. */
export function listTarget(recipient: Address, { entry, dn }: GroupRow, part: ListPart): Target {
  const options = { list: dn, entry, ...(part === 'members' ? {} : { part }) };
  return { channel: 'reprocess', destination: '', recipient, key: `list ${entry}`, options };
}

/**
 * A list that does something to a message before that goes to its members, or asks its moderators about it: done by the transfer
 * thread, which makes a message of it that the list then takes as it is.
 */
export function derivedTarget(
  recipient: Address,
  { entry }: GroupRow,
  part: ListPart,
  lists?: readonly number[],
): Target {
  const made = lists === undefined ? {} : { lists };
  const options = { derive: entry, ...made, ...(part === 'members' ? {} : { part }) };
  return { channel: 'list', destination: '', recipient, key: `list ${entry}`, options };
}

/** A moderator's word about a message that waits for it. */
export function verdictTarget(recipient: Address, verdict: { row: number; verb: string; moderator: string }): Target {
  const options = { ...verdict };
  return { channel: 'list', destination: '', recipient, key: `verdict ${verdict.row} ${verdict.verb}`, options };
}

/** A list's `part` is not a delivery option. */
export function isLeftToModerators({ part }: JsonObject): boolean {
  return part === 'moderators';
}

/** What listTarget says. */
export interface ListOfTarget {
  /** The entry's id: a list that is renamed is still the same. */
  readonly entry: number;
  readonly part: ListPart;
}

/** Undefined for a target that stands for no list. */
export function listOfTarget({ options }: Target): ListOfTarget | undefined {
  const { list, entry, part } = options;
  return list === undefined ? undefined : { entry: Number(entry), part: part === 'moderators' ? part : 'members' };
}

/** For people: `store, account 7`, `smtp to remote.example`, `forward to x@remote.example by ann@acme.example`. The recipient that was asked for is left out. */
export function targetText({ channel, destination, options }: Target): string {
  if (destination !== '') return `${channel} to ${destination}`;
  // Whether the folder takes it is not known here.
  const { from: _, quota: __, part: ___, of: ____, folder: _____, by, to, heldBy, ...others } = options;
  const held = heldBy === undefined ? '' : `, held: ${heldBy}`;
  // Whose it is says more than the numbers of the entry and of the account.
  if (by !== undefined) return `${channel}${to === undefined ? '' : ` to ${to}`} by ${by}${held}`;
  return [channel, ...Object.entries(others).map(([name, value]) => `${name} ${value}`)].join(', ') + held;
}
