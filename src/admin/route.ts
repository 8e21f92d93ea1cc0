// route: every step from an address to its channel, and the reply that RCPT would get, now or as it would have been. With a
// service also whether its owner may log in there, and which status or rule decides that.
//
// Where a mailbox has a limit, what it is and what of it is used.
//
// Asked as    --from, --authenticated, --size, --door: a message that comes in so; none of them: for this server itself, which may
//             send anywhere
// Answers by  today's tables; those of --revision or --at; or those that a message was accepted by, with its envelope

import { z } from 'zod';
import { type Decision, decide } from '../auth/decision.ts';
import { Failure } from '../base/failure.ts';
import { type AccountId, idOf, type MessageId, parseIdText, type Revision } from '../base/ids.ts';
import type { Reader } from '../database/operation.ts';
import { SERVICE_WORDS, serviceOfWord } from '../directory/access-rules.ts';
import { ANONYMOUS, type Caller, callerOf } from '../directory/caller.ts';
import { revisionAt } from '../directory/change-log.ts';
import { entryById, findEntry } from '../directory/entries.ts';
import { type Address, formatAddress, parseAddress } from '../message/address.ts';
import { arrivalText } from '../provisioning/arrival/explain.ts';
import { tombstoneAt, tombstoneOf } from '../provisioning/tombstones.ts';
import type { RoutingCache } from '../routing/cache.ts';
import { type Explanation, explain } from '../routing/explain.ts';
import { checkPast, pastTables } from '../routing/past.ts';
import { readPosted } from '../routing/posting.ts';
import type { Step } from '../routing/resolution.ts';
import { type Door, type Resolution, type ResolveOptions, type RouteRequest, resolve } from '../routing/resolve.ts';
import { DOORS, INTERNAL_REQUEST, usualDoor } from '../routing/route-request.ts';
import { standingOfUuid } from '../routing/standing.ts';
import { folderAsked } from '../routing/targets.ts';
import { entryOfAccount } from '../store/accounts.ts';
import { domainQuotaUse, type QuotaUse, quotaUse } from '../store/quota.ts';
import { acceptedMessage, messageWithId } from '../transfer/journey.ts';
import { administersOnly } from './audience.ts';
import { addressInput } from './entries.ts';
import { askedAddress } from './naming.ts';
import { adminOperation, forDomains } from './operation.ts';
import { RULE_TEXT_MAX, ruleOfText } from './rule.ts';

export interface RouteExplanation extends Explanation {
  /** That it was asked at; absent for now. */
  readonly revision?: number;
  /** Where it was asked for. */
  readonly login?: {
    readonly service: string;
    readonly peer: string;
    /** `ok`, or what would be answered to the right password. */
    readonly result: Decision['result'] | 'no-account';
    /** The status or rule that decides: `mailAllowedServiceAccess: -imap:*`. */
    readonly by: string;
  };
  /** Mailboxes that have a limit, or whose domain has one, as they are now. Absent when there are none. */
  readonly quotas?: readonly MailboxQuota[];
}

/** A limit that is not set is absent. */
interface LimitAndUse {
  readonly octets?: number;
  readonly messages?: number;
  readonly used: QuotaUse;
}

export interface MailboxQuota extends LimitAndUse {
  readonly recipient: string;
  readonly domain?: LimitAndUse & { readonly name: string };
}

const LOOPBACK = '127.0.0.1';

const input = z.strictObject({
  address: addressInput,
  /** `''` or `<>`: the null reverse-path. */
  from: z.string().max(320).optional(),
  /** An address or a name that logs in. */
  authenticated: z.string().min(1).max(320).optional(),
  size: z.number().int().min(0).optional(),
  door: z.enum(DOORS).optional(),
  revision: z.number().int().min(0).optional(),
  /** ISO 8601. */
  at: z.iso.datetime({ offset: true }).optional(),
  /** `PATTERN TEMPLATE` of a rule that is not there. */
  with: z.string().max(RULE_TEXT_MAX).optional(),
  /** A queue id or a Message-ID. */
  message: z.string().min(1).max(1000).optional(),
  service: z.enum(SERVICE_WORDS).optional(),
  peer: z.union([z.ipv4(), z.ipv6()], 'is no IP address').optional(),
});
type Input = z.infer<typeof input>;

export interface RouteParts {
  readonly routing: RoutingCache;
  readonly reader: Reader;
}

export const route = (parts: RouteParts) =>
  forDomains(
    adminOperation('route', input, async (given, caller): Promise<RouteExplanation> => {
      const { routing } = parts;
      const { service, peer = LOOPBACK } = given;
      const address = askedAddress(given.address);
      const { request, revision } = questionOf(parts, given, caller);
      const only = administersOnly(parts.reader, caller);
      const options: ResolveOptions = {
        explain: true,
        rule: ruleOfText(given.with, routing),
        ...(only === undefined ? {} : { isClosed: (domain: string) => !only.has(domain) }),
      };
      const resolution =
        revision === undefined
          ? await routing.resolve(address, request, options)
          : resolvedAt(parts, { address, request, options }, revision);
      const quotas = revision === undefined ? quotasOf(parts, resolution) : [];
      const explained = explain(resolution, routing.site);
      const explanation = {
        ...explained,
        steps: beforeReply(explained.steps, [
          ...arrivalOf(parts, resolution, revision),
          ...(await foldersOf(parts, { resolution, request, revision })),
        ]),
        ...(revision === undefined ? {} : { revision }),
        ...(quotas.length === 0 ? {} : { quotas }),
      };
      if (service === undefined) return explanation;
      const account = routing.findLogin(explanation.address);
      const decision =
        account === undefined
          ? ({ result: 'no-account', by: 'no user has this address' } as const)
          : decide(account, { ...serviceOfWord(service), peer, isPrivate: true });
      return { ...explanation, login: { service, peer, ...decision } };
    }),
    namesIn,
  );

/** Of another's message, or by a rule that is not there: these are the site's to ask. */
function namesIn({ address, authenticated, message, with: rule }: Input): readonly string[] | undefined {
  if (message !== undefined || rule !== undefined) return undefined;
  return authenticated === undefined ? [address] : [address, authenticated];
}

/** The policy that would decide over the name, if a message brought it. Nothing is looked up. */
function arrivalOf(
  { routing, reader }: RouteParts,
  { isDefaultRoute, address: { domain } }: Resolution,
  revision: Revision | undefined,
): readonly Step[] {
  if (isDefaultRoute !== true) return [];
  const { site } = routing;
  if (revision === undefined) {
    const tables = { settings: routing.settings(), routeOf: (name: string) => routing.route(name) };
    return arrivalSteps(arrivalText(domain, tables, site, (name) => tombstoneOf(reader, name)));
  }
  return reader.snapshot(() => {
    const past = pastTables(reader, revision, site);
    const tables = { settings: past.settings()!, routeOf: (name: string) => past.route(name) };
    return arrivalSteps(arrivalText(domain, tables, site, (name) => tombstoneAt(reader, name, revision)));
  });
}

function arrivalSteps(detail: string | undefined): readonly Step[] {
  return detail === undefined ? [] : [{ step: 'arrival', detail }];
}

/** Whether the folder that a subaddress names takes it: rights are as they are now, and have no history. */
async function foldersOf(
  { reader }: RouteParts,
  { resolution: { targets }, request, revision }: Question & { readonly resolution: Resolution },
): Promise<readonly Step[]> {
  const { caller } = request.author ?? request;
  const steps: Step[] = [];
  for (const target of targets) {
    const folder = folderAsked(target);
    if (folder === undefined || steps.length === QUOTAS_MAX) continue;
    const owner = idOf<AccountId>(target.options['account']);
    const { why } = await readPosted(reader, { owner, folder, caller });
    const of = formatAddress(target.recipient);
    steps.push({
      step: 'subaddress',
      detail: `${of}: ${why}${revision === undefined ? '' : ', by the rights of now'}`,
    });
  }
  return steps;
}

/** Which is the last one. */
function beforeReply(steps: readonly Step[], more: readonly Step[]): readonly Step[] {
  return more.length === 0 ? steps : [...steps.slice(0, -1), ...more, ...steps.slice(-1)];
}

/** More members of a list than people read. */
const QUOTAS_MAX = 100;

/** Whoever asks: what this server itself sends has no limit, and yet there is one. */
function quotasOf({ routing, reader }: RouteParts, { targets }: Resolution): MailboxQuota[] {
  const quotas: MailboxQuota[] = [];
  for (const { recipient, options } of targets) {
    if (typeof options['account'] !== 'number' || quotas.length === QUOTAS_MAX) continue;
    const account = idOf<AccountId>(options['account']);
    const uuid = entryOfAccount(reader, account);
    const quota = uuid === undefined ? undefined : standingOfUuid(reader, routing.site, uuid)?.login?.quota;
    if (quota === undefined) continue;
    const { domain, ...own } = quota;
    const ofDomain = domain && { ...domain, used: domainQuotaUse(reader, domain.name) };
    const counted = { ...own, used: quotaUse(reader, account) };
    const of = formatAddress(recipient);
    quotas.push({ recipient: of, ...counted, ...(ofDomain === undefined ? {} : { domain: ofDomain }) });
  }
  return quotas;
}

interface Question {
  readonly request: RouteRequest;
  /** Undefined: now. */
  readonly revision: Revision | undefined;
}

function questionOf(parts: RouteParts, given: Input, caller: Caller): Question {
  const { reader } = parts;
  if ([given.revision, given.at, given.message].filter((each) => each !== undefined).length > 1)
    throw new Failure('invalid', 'give one of revision, time and message');
  if (given.message !== undefined) return questionOfMessage(reader, given.message);
  const { from, authenticated, size, door } = given;
  const isPlain = from === undefined && authenticated === undefined && door === undefined;
  const login = authenticated === undefined ? undefined : loginOf(parts, authenticated);
  const chosen: Door = door ?? (isPlain ? INTERNAL_REQUEST.door : usualDoor(login !== undefined));
  const request: RouteRequest = {
    sender: from === undefined ? undefined : senderOf(from),
    caller: login ?? (isPlain ? caller : ANONYMOUS),
    mayRelay: login !== undefined || chosen === INTERNAL_REQUEST.door,
    door: chosen,
    ...(size === undefined ? {} : { sizeBytes: size }),
    ...(given.peer === undefined ? {} : { peer: given.peer }),
  };
  return { request, revision: revisionOf(reader, given) };
}

function revisionOf(reader: Reader, { revision, at }: Input): Revision | undefined {
  if (revision !== undefined) return idOf<Revision>(revision);
  if (at === undefined) return undefined;
  // Before the first change that the log has, the history does not answer: revision 0 makes that be said.
  return revisionAt(reader, Date.parse(at)) ?? idOf<Revision>(0);
}

function questionOfMessage(reader: Reader, text: string): Question {
  const bare = text.trim().replace(/^<|>$/g, '');
  const id = parseIdText<MessageId>(bare);
  const accepted =
    (id === undefined ? undefined : acceptedMessage(reader, id)) ??
    acceptedMessage(reader, messageWithId(reader, bare) ?? idOf<MessageId>(0));
  if (accepted === undefined) throw new Failure('not-found', `nothing is known of ${text}`);
  const { origin, revision } = accepted;
  const entry = origin.login === undefined ? undefined : findEntry(reader, origin.login);
  const caller = entry === undefined ? ANONYMOUS : callerOf(entry);
  const mayRelay = origin.login !== undefined || origin.door === INTERNAL_REQUEST.door;
  const { door, sizeBytes } = origin;
  return { request: { sender: senderOf(origin.sender), caller, mayRelay, door, sizeBytes }, revision };
}

function loginOf({ routing, reader }: RouteParts, name: string): Caller {
  const login = routing.findLogin(name);
  const entry = login && entryById(reader, login.entry);
  if (entry === undefined) throw new Failure('not-found', `no user logs in as ${name}`);
  return callerOf(entry);
}

function senderOf(text: string): Address | undefined {
  const bare = text.replace(/^<|>$/g, '');
  return bare === '' ? undefined : parseAddress(bare);
}

function resolvedAt(
  { reader, routing }: RouteParts,
  { address, request, options }: { address: Address; request: RouteRequest; options: ResolveOptions },
  revision: Revision,
): Resolution {
  return reader.snapshot(() => {
    checkPast(reader, revision);
    const answer = resolve(address, request, pastTables(reader, revision, routing.site), routing.site, options);
    if ('ask' in answer) throw new Error('the past was loaded and still asked for');
    return answer.resolution;
  });
}
