// A message by one request: POST /v1/messages over HTTPS, for programs that send mail and speak no SMTP.
//
// In      JSON that says what the message is (message-input.ts), whatever its media type is called; or the message itself as
//         message/rfc822 with ?from=&to=. By a password (Basic) or a token of scope `smtp` (Bearer)
// Out     202 with the id, the Message-ID and a reply for each recipient, once the message is committed; 422 with the replies where
//         nobody gets it, and then nothing is kept
// Order   not from a page of another site -> login -> method -> Idempotency-Key -> whose sender -> body -> what came before under the key -> how many abroad -> commit
// Again   the same Idempotency-Key, of the same login within KEY_MS: the same answer and no second message; for another request 409
// Errors  400 names what is wrong; 401 403 405 409 413 415; 429 with Retry-After; 503 where there is no space, or nothing is to be found out
// Limits  a message of `message-size`, as message/rfc822 never in memory; JSON_BYTES of JSON, which is in memory whole and is parsed in
//         one go: JSON_HELD_BYTES of all requests together, REQUESTS_OF_LOGIN at once
// Never   sends for a page of another site: a browser that knows the password adds it to whatever form such a page submits
// RFC 6409 §6.1 §8, RFC 6454 §7 (Origin), RFC 7617 §2 (Basic), RFC 6750 §2.1, Fetch Metadata §2.3 (Sec-Fetch-Site)

import { createHash, type Hash } from 'node:crypto';
import { type Context, Hono, type MiddlewareHandler } from 'hono';
import type { MailLogin } from '../../auth/login-directory.ts';
import type { Logins } from '../../auth/logins.ts';
import type { StandingLogin } from '../../auth/standing-login.ts';
import { isAll, VCHAR } from '../../base/characters.ts';
import type { Clock } from '../../base/clock.ts';
import { DAY_MS } from '../../base/duration.ts';
import { asFailure, Failure } from '../../base/failure.ts';
import { idText, type MessageId } from '../../base/ids.ts';
import type { Limits } from '../../base/limits.ts';
import type { Log } from '../../base/log.ts';
import { isAccepted } from '../../base/reply.ts';
import { LOGIN_IS_OVER } from '../../directory/caller.ts';
import { type Address, formatAddress, formatAddressLiteral } from '../../message/address.ts';
import { formatSender } from '../../message/envelope.ts';
import type { ConnectionRecord } from '../../net/connection.ts';
import type { RoutingCache } from '../../routing/cache.ts';
import { isOwnAddress } from '../../routing/own-address.ts';
import type { RouteRequest } from '../../routing/resolve.ts';
import { Intake, type Intakes, type Preamble, type TakenMessage } from '../../store/intake.ts';
import type { Once } from '../../transfer/accept-once.ts';
import { preambleOf } from '../../transfer/preamble.ts';
import { mayLeave, type Signer } from '../../transfer/sign/signer.ts';
import { refusalOf, type Submission, type Submitted } from '../../transfer/submit.ts';
import type { SubmittedOnce } from '../../transfer/submit-once.ts';
import { credentialsIn } from './authorization.ts';
import type { HttpEnv } from './bearer.ts';
import { uncoded } from './content-coding.ts';
import { failureResponse, refusal } from './errors.ts';
import { LineEnds } from './line-ends.ts';
import { type MessageInput, messageOfJson, messageOfQuery } from './message-input.ts';

export interface SubmissionParts {
  readonly logins: Pick<Logins, 'login' | 'bearerLogin'>;
  readonly routing: RoutingCache;
  readonly intakes: Intakes;
  readonly signer: Signer;
  readonly nextId: () => MessageId;
  readonly submit: (submission: Submission) => Promise<Submitted>;
  /** Undefined: under this name another message was accepted. */
  readonly submitOnce: (submission: Submission, once: Once) => Promise<SubmittedOnce | undefined>;
  readonly submittedBefore: (
    once: Once,
    recipients: MessageInput['recipients'],
  ) => SubmittedOnce | 'different' | undefined;
  readonly hostname: (record: ConnectionRecord) => string;
  readonly limits: Limits;
  readonly clock: Clock;
  readonly log: Log;
  /** A recipient in a domain that is not ours, for this account; false where it has had all of this hour. */
  readonly maySendAbroad: (login: MailLogin) => boolean;
}

const MESSAGES_PATH = '/v1/messages';
const KEY_MS = DAY_MS;
const KEY_LENGTH_MAX = 255;
/** Beside the base64 of the largest message. */
const JSON_MORE_BYTES = 1024 * 1024;
/** Others wait while it is parsed. */
const JSON_BYTES = 8 * 1024 * 1024;
/** In memory for each octet of JSON: as it came, as text, parsed, decoded, composed. */
const JSON_COST = 6;
const JSON_HELD_BYTES = 256 * 1024 * 1024;
/** So many of the largest leave room for another login's. */
const REQUESTS_OF_LOGIN = 5;
/** So much has to come before a slow client gets more time. */
const PROGRESS_BYTES = 1024 * 1024;
const REALMS = 'Basic realm="waypost", charset="UTF-8", Bearer realm="waypost"';

interface SubmissionEnv {
  readonly Bindings: HttpEnv['Bindings'];
  // Hono's own writes it.
  Variables: { login: StandingLogin<MailLogin> };
}

export function submissionApp(parts: SubmissionParts): Hono<SubmissionEnv> {
  const app = new Hono<SubmissionEnv>();
  app.use(MESSAGES_PATH, (context, next) =>
    isOfAnotherSite(context)
      ? Promise.resolve(refusal(context, 'denied', 'this is not for pages of other sites'))
      : next(),
  );
  app.use(MESSAGES_PATH, loggedIn(parts), uncoded);
  const held = { bytes: 0 };
  /** Login -> requests under way. */
  const running = new Map<string, number>();
  app.post(MESSAGES_PATH, async (context) => {
    const owner = ownerOf(context.var.login.now()?.caller);
    const mine = running.get(owner) ?? 0;
    try {
      if (mine >= REQUESTS_OF_LOGIN)
        throw new Failure('throttled', `A login has ${REQUESTS_OF_LOGIN} requests at once, try again later`);
      running.set(owner, mine + 1);
      try {
        return await new SubmissionRequest(parts, context, held).answer();
      } finally {
        const left = running.get(owner)! - 1;
        if (left === 0) running.delete(owner);
        else running.set(owner, left);
      }
    } catch (error) {
      return refused(context, error, parts.log);
    }
  });
  app.all(MESSAGES_PATH, (context) => {
    context.header('Allow', 'POST');
    return refusal(context, 'unsupported', 'POST is the method', 405);
  });
  return app;
}

/** Undefined: the login is over, which the request says. */
function ownerOf(caller: MailLogin['caller'] | undefined): string {
  return caller?.kind === 'entry' ? caller.uuid : (caller?.kind ?? '');
}

/** Only browsers say it; a program says neither field. */
function isOfAnotherSite({ req }: Context): boolean {
  const site = req.header('Sec-Fetch-Site');
  if (site !== undefined && site !== 'same-origin' && site !== 'none') return true;
  const origin = req.header('Origin');
  return origin !== undefined && origin !== originOf(req.header('Host'));
}

/** As a browser writes it: without the port where it is 443. */
function originOf(host = ''): string | undefined {
  const text = `https://${host}`;
  return URL.canParse(text) ? new URL(text).origin : undefined;
}

/** Who sends, for what follows; or 401 with the ways to say it. */
function loggedIn({ logins, log }: SubmissionParts): MiddlewareHandler<SubmissionEnv> {
  return async (context, next) => {
    const { client: connection, whileLogin, isLastTry } = context.env;
    const client = { ...connection, service: 'smtp' } as const;
    const given = credentialsIn(context.req.header('Authorization'));
    if (given === undefined) {
      context.header('WWW-Authenticate', REALMS);
      return refusal(context, 'unauthenticated', 'a login is needed: Basic, or Bearer with a token of scope smtp');
    }
    try {
      const login = await whileLogin(
        'token' in given ? logins.bearerLogin(client, given.token) : logins.login(client, given.name, given.password),
      );
      if (login.now() === undefined) throw new Failure('denied', 'This account has no address to send from');
      context.set('login', login);
    } catch (error) {
      if (asFailure(error).kind === 'unauthenticated') {
        context.header('WWW-Authenticate', REALMS);
        if (isLastTry()) context.header('Connection', 'close');
      }
      return refused(context, error, log);
    }
    return next();
  };
}

function refused(context: Context, error: unknown, log: Log): Response {
  const failure = asFailure(error);
  // A store without space is a server that cannot now: a client that sends mail tries again.
  const shown =
    failure.kind === 'full'
      ? new Failure('unavailable', failure.message, failure.detail === undefined ? {} : { detail: failure.detail })
      : failure;
  return failureResponse(context, shown, log, 'messages');
}

class SubmissionRequest {
  readonly #parts: SubmissionParts;
  readonly #context: Context<SubmissionEnv>;
  /** Of all requests whose JSON is in memory. */
  readonly #held: { bytes: number };
  readonly #hash: Hash;
  readonly #at: number;

  constructor(parts: SubmissionParts, context: Context<SubmissionEnv>, held: { bytes: number }) {
    this.#parts = parts;
    this.#context = context;
    this.#held = held;
    this.#at = parts.clock.now();
    this.#hash = createHash('sha256');
  }

  async answer(): Promise<Response> {
    const { env, req } = this.#context;
    env.takesLong();
    const key = keyOf(req.header('Idempotency-Key'));
    const { pathname, search } = new URL(req.url);
    const isWhole = mediaTypeOf(req.header('Content-Type')) === 'message/rfc822';
    this.#hash.update(`POST ${pathname}${search} ${isWhole ? 'message' : 'json'}\n`);
    return isWhole ? this.#message(key) : this.#json(search, key);
  }

  /** Nothing of it is in memory but what its intake buffers. */
  async #message(key: string | undefined): Promise<Response> {
    const { limits, nextId } = this.#parts;
    const input = messageOfQuery(this.#context.req.queries(), { now: this.#at, recipientsMax: limits.recipientsMax });
    this.#checkAuthor(input);
    const intake = this.#intake(input, nextId());
    try {
      const lines = new LineEnds();
      for await (const chunk of this.#body(limits.messageSizeBytes)) await this.#write(intake, lines.push(chunk));
      await this.#write(intake, lines.end());
      if (intake.length === 0) throw new Failure('syntax', 'there is no message in the body');
      return await this.#submit(input, intake, key);
    } catch (error) {
      intake.abandon();
      throw error;
    }
  }

  async #json(search: string, key: string | undefined): Promise<Response> {
    const { limits, nextId } = this.#parts;
    if (search !== '') throw new Failure('syntax', 'parameters are for a body of message/rfc822');
    const most = Math.min(Math.ceil((limits.messageSizeBytes * 4) / 3) + JSON_MORE_BYTES, JSON_BYTES);
    let mine = 0;
    let intake: Intake | undefined;
    try {
      const chunks: Buffer[] = [];
      for await (const chunk of this.#body(most, ' of JSON; send a larger message as message/rfc822')) {
        if (this.#held.bytes + chunk.length * JSON_COST > JSON_HELD_BYTES)
          throw new Failure('full', 'Too many messages at once, try again later');
        this.#held.bytes += chunk.length * JSON_COST;
        mine += chunk.length;
        chunks.push(chunk);
      }
      const input = messageOfJson(Buffer.concat(chunks, mine), {
        now: this.#at,
        recipientsMax: limits.recipientsMax,
      });
      this.#checkAuthor(input);
      intake = this.#intake(input, nextId());
      const lines = new LineEnds();
      for (const piece of input.pieces) await this.#write(intake, lines.push(piece));
      await this.#write(intake, lines.end());
      return await this.#submit(input, intake, key);
    } catch (error) {
      intake?.abandon();
      throw error;
    } finally {
      this.#held.bytes -= mine * JSON_COST;
    }
  }

  /** What the client sends, no more than `most` octets of it. */
  async *#body(most: number, what = ''): AsyncGenerator<Buffer, void, undefined> {
    const { env, req } = this.#context;
    const tooLarge = (): Failure =>
      new Failure('too-large', `The request is too large, the limit is ${most} bytes${what}`);
    if (Number(req.header('Content-Length') ?? 0) > most) throw tooLarge();
    let length = 0;
    let progress = 0;
    const { body } = req.raw;
    if (body === null) return;
    const reader = body.getReader();
    for (;;) {
      const { done, value } = await reader.read().catch((): never => {
        throw new Failure('syntax', 'the body broke off');
      });
      if (done) return;
      length += value.length;
      if (length > most) throw tooLarge();
      if (length - progress > PROGRESS_BYTES) {
        progress = length;
        env.takesLong();
      }
      this.#hash.update(value);
      yield Buffer.from(value.buffer, value.byteOffset, value.byteLength);
    }
  }

  async #write(intake: Intake, bytes: Buffer): Promise<void> {
    if (bytes.length === 0) return;
    const { messageSizeBytes } = this.#parts.limits;
    if (intake.length + bytes.length > messageSizeBytes)
      throw new Failure('too-large', `The message is too large, the limit is ${messageSizeBytes} bytes`);
    await intake.write(bytes);
  }

  get #now(): MailLogin {
    const now = this.#context.var.login.now();
    if (now === undefined) throw new Failure('unauthenticated', LOGIN_IS_OVER);
    return now;
  }

  /** An author may use any of the account's addresses, and no other's. */
  #checkAuthor({ sender, author }: MessageInput): void {
    const { addresses, isSuspended } = this.#now;
    if (isSuspended === true) throw new Failure('denied', 'This account may not send mail now, ask your postmaster');
    const isOwn = (address: Address | undefined): boolean =>
      address === undefined || isOwnAddress(this.#parts.routing, addresses, address);
    if (!isOwn(sender)) throw new Failure('denied', 'The sender is not one of your addresses');
    if (!isOwn(author)) throw new Failure('denied', 'from is not one of your addresses');
  }

  #intake(input: MessageInput, id: MessageId): Intake {
    return new Intake(this.#parts.intakes, id, (head) => this.#preamble(head, { input, id }), { mayBeSigned: true });
  }

  #preamble(head: Buffer, { input, id }: { readonly input: MessageInput; readonly id: MessageId }): Preamble {
    const { record } = this.#context.env.client;
    const [only, ...others] = input.recipients;
    const { isUtf8 } = input.parameters;
    return preambleOf(head, {
      sender: formatSender(input.sender),
      isSubmission: true,
      trace: {
        helloName: formatAddressLiteral(record.peerAddress),
        peerAddress: record.peerAddress,
        hostname: this.#parts.hostname(record),
        protocol: 'HTTP',
        tls: record.tls,
        id: idText(id),
        recipient: others.length === 0 ? formatAddress(only!.address) : undefined,
        at: this.#at,
        ...(isUtf8 === undefined ? {} : { isUtf8 }),
      },
    });
  }

  /** The bytes are there: what came before under the key is answered as then. */
  async #submit(input: MessageInput, intake: Intake, key: string | undefined): Promise<Response> {
    const { submittedBefore, clock } = this.#parts;
    const request = this.#request(input);
    const once: Once | undefined = key === undefined ? undefined : this.#once(key);
    const known = once && submittedBefore(once, input.recipients);
    if (known !== undefined) {
      intake.abandon();
      return this.#answered(known === 'different' ? undefined : known);
    }
    const leaves = await this.#countAbroad(input, request);
    const { addresses } = this.#now;
    const sign = leaves ? this.#parts.signer.signs({ kind: 'account', addresses }) : undefined;
    const taken = await intake.finish(clock.now(), 'crlf', sign);
    try {
      return await this.#commit({ input, request, intake, taken }, once);
    } finally {
      taken.pending.settle();
    }
  }

  #request({ sender }: MessageInput): RouteRequest {
    const { caller, submitChannel } = this.#now;
    return {
      sender,
      caller,
      mayRelay: true,
      door: 'api',
      peer: this.#context.env.client.record.peerAddress,
      ...(submitChannel === undefined ? {} : { channel: submitChannel }),
    };
  }

  #once(key: string): Once {
    return {
      kind: 'http',
      owner: ownerOf(this.#now.caller),
      key,
      hash: this.#hash.digest(),
      forgetBefore: this.#at - KEY_MS,
    };
  }

  /** True where one of the recipients is more than a mailbox here. */
  async #countAbroad({ recipients }: MessageInput, request: RouteRequest): Promise<boolean> {
    const { routing, maySendAbroad } = this.#parts;
    let leaves = false;
    for (const { address } of recipients) {
      const resolution = await routing.resolve(address, request, { verify: true });
      leaves ||= mayLeave(resolution);
      const { relay, reply } = resolution;
      if (relay && isAccepted(reply) && !maySendAbroad(this.#now))
        throw new Failure('throttled', 'Too many recipients in other domains this hour, try again later');
    }
    return leaves;
  }

  async #commit(
    {
      input,
      request,
      intake,
      taken,
    }: {
      readonly input: MessageInput;
      readonly request: RouteRequest;
      readonly intake: Intake;
      readonly taken: TakenMessage;
    },
    once: Once | undefined,
  ): Promise<Response> {
    const { submit, submitOnce } = this.#parts;
    const { sender, recipients, parameters } = input;
    // It may have taken minutes to come.
    const { caller } = this.#now;
    this.#checkAuthor(input);
    const submission: Submission = {
      envelope: { sender, recipients, body: taken.parsed.isEightBit ? '8BITMIME' : '7BIT', ...parameters },
      message: taken,
      caller,
      mayRelay: true,
      door: request.door,
      peer: request.peer,
      ...(request.channel === undefined ? {} : { channel: request.channel }),
      sizeBytes: intake.length,
      refused: 'return',
    };
    const { messageId } = taken.parsed;
    const submitted: SubmittedOnce | undefined =
      once === undefined
        ? { ...(await submit(submission)), messageId, isKnown: false }
        : await submitOnce(submission, once);
    const isKept = submitted !== undefined && !submitted.isKnown && refusalOf(submitted.results) === undefined;
    if (isKept) this.#log(submitted, { input, taken });
    else intake.abandon();
    return this.#answered(submitted);
  }

  #log(
    { id, delivered, queued }: Submitted,
    { input, taken }: { readonly input: MessageInput; readonly taken: TakenMessage },
  ): void {
    this.#parts.log.info('http.submit', {
      queue: id,
      peer: this.#context.env.client.record.peerAddress,
      sender: formatSender(input.sender),
      size: taken.row.blob.length,
      delivered,
      queued,
    });
  }

  #answered(submitted: SubmittedOnce | undefined): Response {
    if (submitted === undefined)
      return refusal(this.#context, 'conflict', 'This Idempotency-Key was another request’s');
    const { id, messageId, results } = submitted;
    const answer = {
      id,
      messageId: messageId === undefined ? null : `<${messageId}>`,
      recipients: results.map(({ recipient, reply: { code, enhanced, text } }) => ({
        address: formatAddress(recipient.address),
        code,
        enhanced,
        text,
      })),
    };
    return this.#context.body(`${JSON.stringify(answer, null, 2)}\n`, refusalOf(results) === undefined ? 202 : 422, {
      'Content-Type': 'application/json',
    });
  }
}

function keyOf(header: string | undefined): string | undefined {
  if (header === undefined) return undefined;
  if (header === '' || header.length > KEY_LENGTH_MAX || !isAll(header, VCHAR))
    throw new Failure('syntax', `Idempotency-Key is 1 to ${KEY_LENGTH_MAX} visible characters`);
  return header;
}

function mediaTypeOf(header = ''): string {
  return header.split(';', 1)[0]!.trim().toLowerCase();
}
