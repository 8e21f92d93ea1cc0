// What the SMTP door needs of the rest of the program; the same for every connection of a thread.

import type { MailLogin } from '../../auth/login-directory.ts';
import type { Logins } from '../../auth/logins.ts';
import type { Clock } from '../../base/clock.ts';
import type { MessageId } from '../../base/ids.ts';
import type { Limits } from '../../base/limits.ts';
import type { Log } from '../../base/log.ts';
import type { Reply } from '../../base/reply.ts';
import type { Awaitable } from '../../database/operation.ts';
import type { Address } from '../../message/address.ts';
import type { ConnectionRecord } from '../../net/connection.ts';
import type { TlsServer } from '../../net/tls.ts';
import type { RoutingCache } from '../../routing/cache.ts';
import type { RouteRequest } from '../../routing/route-request.ts';
import type { Target } from '../../routing/targets.ts';
import type { Intakes } from '../../store/intake.ts';
import type { Signer } from '../../transfer/sign/signer.ts';
import type { Submission, Submitted } from '../../transfer/submit.ts';

/** The result of the arrival of a domain that is not defined. See provisioning/arrival/arrivals.ts. */
export type Arrival =
  | { readonly result: 'arrived' } // it is ours now: resolve again
  /** No domain of ours: the reply to who may not relay. */
  | { readonly result: 'foreign'; readonly reply: Reply }
  /** For everybody. */
  | { readonly result: 'refused'; readonly reply: Reply }
  /** Taken, and kept until this name is a domain of ours. */
  | { readonly result: 'custody'; readonly waitsFor: string };

export interface SmtpDoor {
  /** What greeting and hello call this server: by SNI a virtual server's name, else this host's. */
  readonly hostname: (record: ConnectionRecord) => string;
  /** For STARTTLS; undefined where it is not offered. */
  readonly tls: TlsServer | undefined;
  readonly limits: Limits;
  readonly clock: Clock;
  readonly log: Log;
  readonly nextId: () => MessageId;
  readonly routing: RoutingCache;
  readonly intakes: Intakes;
  readonly signer: Signer;
  readonly submit: (submission: Submission) => Promise<Submitted>;
  readonly logins: Pick<Logins, 'mechanisms' | 'sasl' | 'vouched'>;
  /** A peer that may say for which client it speaks. */
  readonly speaksForOthers: (record: ConnectionRecord) => boolean;
  /** One more connection of this client, and how it is said that it has closed; undefined: it has too many. */
  readonly admit: (record: ConnectionRecord) => (() => void) | undefined;
  /** Undefined where no message may bring a domain. */
  readonly arrive: ((address: Address, request: RouteRequest, peer: string) => Awaitable<Arrival>) | undefined;
  /** A recipient in a domain that is not ours, for this account; false where it has had all of this hour. */
  readonly maySendAbroad: (login: MailLogin) => boolean;
  /** Whether one of these targets can take so many octets; undefined: nothing was announced. */
  readonly hasRoom: (targets: readonly Target[], octets: number | undefined) => boolean;
  /** Whether one more message of so many octets can be kept for a domain that is not ours yet. */
  readonly hasCustodyRoom: (domain: string, octets: number) => boolean;
  /** One more recipient is refused to this peer; false where its client has been refused too many. */
  readonly mayRefuse: (peer: string) => boolean;
  /** One more reply of this code, for the metrics. */
  readonly countReply: (listener: string, code: number) => void;
}
