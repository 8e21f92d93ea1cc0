// Who asks for a route and by which door the message arrived: what a resolution may depend on beside the address.
//
// Kept with a message that waits in the queue, so that its recipients are resolved again as they were then.

import { Failure } from '../base/failure.ts';
import type { Json, JsonObject } from '../base/json.ts';
import { type Caller, SERVER } from '../directory/caller.ts';
import type { Address } from '../message/address.ts';
import { decodeAddress, encodeAddress } from '../message/envelope.ts';

export const DOORS = ['smtp', 'submission', 'lmtp', 'sendmail', 'api', 'internal'] as const;

/** How a message came in; `internal`: this program has made it. */
export type Door = (typeof DOORS)[number];

export interface RouteRequest {
  /** Undefined for the null reverse-path. */
  readonly sender: Address | undefined;
  readonly caller: Caller;
  /** Foreign domains are allowed. */
  readonly mayRelay: boolean;
  readonly door: Door;
  /** Of the message, where it is known or was announced. */
  readonly sizeBytes?: number;
  /** The client's address, where a host or a program has brought it over the network. */
  readonly peer?: string;
  /** By this channel its login's mail goes to other hosts. */
  readonly channel?: string;
  /** Lists by their entries, which have made this message: it is not made again for them. */
  readonly lists?: readonly number[];
  /** Domains that are not ours yet: mail for them is kept until somebody has said whether they are to be. */
  readonly custody?: readonly string[];
  /** Of such a message, whom the lists that it goes on to ask about. Absent: sender and caller. */
  readonly author?: Author;
}

/** Who has sent the message that a list has made another one of. */
export interface Author {
  readonly sender: Address | undefined;
  readonly caller: Caller;
}

/** By which door a message comes that says nothing of it: from another host, or from who has logged in. */
export function usualDoor(hasLogin: boolean): Door {
  const [ofHosts, ofLogins] = DOORS;
  return hasLogin ? ofLogins : ofHosts;
}

/** What this program asks for itself. */
export const INTERNAL_REQUEST: RouteRequest = { sender: undefined, caller: SERVER, mayRelay: true, door: 'internal' };

/** Whether the sender may relay is not asked again: that was decided when the recipient was accepted. */
export function accepted(request: RouteRequest): RouteRequest {
  return request.mayRelay ? request : { ...request, mayRelay: true };
}

export function encodeRouteRequest(request: RouteRequest): JsonObject {
  const { sender, caller, mayRelay, door, sizeBytes, peer, channel, lists, custody, author } = request;
  return {
    sender: encodeAddress(sender),
    caller: { ...caller },
    mayRelay,
    door,
    ...(sizeBytes === undefined ? {} : { sizeBytes }),
    ...(peer === undefined ? {} : { peer }),
    ...(channel === undefined ? {} : { channel }),
    ...(lists === undefined ? {} : { lists }),
    ...(custody === undefined ? {} : { custody }),
    ...(author === undefined ? {} : { author: { sender: encodeAddress(author.sender), caller: { ...author.caller } } }),
  };
}

/** Throws Failure('invalid') for what encodeRouteRequest does not give. */
export function decodeRouteRequest(json: Json | undefined): RouteRequest {
  const { sender, caller, mayRelay, door, sizeBytes, peer, channel, lists, custody, author } = objectOf(json);
  if (typeof mayRelay !== 'boolean' || !(DOORS as readonly unknown[]).includes(door)) throw notARequest();
  if (sizeBytes !== undefined && typeof sizeBytes !== 'number') throw notARequest();
  if (!isTextOrAbsent(peer) || !isTextOrAbsent(channel)) throw notARequest();
  if (lists !== undefined && !isNumbers(lists)) throw notARequest();
  if (custody !== undefined && !isTexts(custody)) throw notARequest();
  return {
    sender: decodeAddress(sender),
    caller: decodeCaller(caller),
    mayRelay,
    door: door as Door,
    ...(sizeBytes === undefined ? {} : { sizeBytes }),
    ...(peer === undefined ? {} : { peer }),
    ...(channel === undefined ? {} : { channel }),
    ...(lists === undefined ? {} : { lists }),
    ...(custody === undefined ? {} : { custody }),
    ...(author === undefined ? {} : { author: decodeAuthor(author) }),
  };
}

function decodeAuthor(json: Json): Author {
  const { sender, caller } = objectOf(json);
  return { sender: decodeAddress(sender), caller: decodeCaller(caller) };
}

function isTextOrAbsent(json: Json | undefined): json is string | undefined {
  return json === undefined || typeof json === 'string';
}

function isNumbers(json: Json): json is readonly number[] {
  return Array.isArray(json) && json.every((value) => typeof value === 'number');
}

function isTexts(json: Json): json is readonly string[] {
  return Array.isArray(json) && json.every((value) => typeof value === 'string');
}

function decodeCaller(json: Json | undefined): Caller {
  const { kind, uuid, dn } = objectOf(json);
  if (kind === 'anonymous' || kind === 'server') return { kind };
  if (typeof dn !== 'string') throw notARequest();
  if (kind === 'administrator') return { kind, dn };
  if (kind !== 'entry' || typeof uuid !== 'string') throw notARequest();
  return { kind, uuid, dn };
}

function objectOf(json: Json | undefined): JsonObject {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) throw notARequest();
  return json as JsonObject;
}

function notARequest(): Failure {
  return new Failure('invalid', 'This is not a route request');
}
