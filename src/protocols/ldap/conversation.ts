// What a request's handler gets: the operation that it carries out, and the conversation that this is part of.

import type { SaslExchange } from '../../auth/sasl/mechanism.ts';
import type { StandingLogin } from '../../auth/standing-login.ts';
import type { Caller } from '../../directory/caller.ts';
import type { ConnectionRecord } from '../../net/connection.ts';
import type { AskedChange } from '../../provisioning/asked-change.ts';
import type { ChangeSummary } from '../../provisioning/change.ts';
import type { Control } from '../../wire/ldap/controls.ts';
import type { LdapResponse } from '../../wire/ldap/message.ts';
import type { LdapResult } from '../../wire/ldap/result.ts';
import type { AskedControls } from './controls.ts';
import type { LdapDoor } from './door.ts';
import type { Pages } from './pages.ts';

/** Carries a request out, and says how it ended. Throws whatever it fails with. */
export type LdapHandler<R> = (request: R, operation: LdapOperation, session: LdapConversation) => Promise<LdapFinal>;

/** One request under way. */
export interface LdapOperation {
  readonly messageId: number;
  /** What its controls ask. */
  readonly asked: AskedControls;
  /** Who asks for it: who has bound, or whom the request names in its place. */
  readonly caller: Caller;
  /** Its response is not wanted any more: reading may stop, and nothing more is sent. A write goes on to its commit. */
  readonly signal: AbortSignal;
  /** Whether the signal has come: for who asks now and does not wait for it. */
  readonly isAborted: boolean;
  /**
   * A response that does not end the operation: an entry, a reference, an intermediate one. Resolves when there is room for
   * another, at the speed of the client.
   */
  send(response: LdapResponse, controls?: readonly Control[]): Promise<void>;
}

/** The end of an operation; the session makes it the response of the request's kind. */
export interface LdapFinal {
  readonly result: LdapResult;
  readonly controls?: readonly Control[];
  /** Of a bind. */
  readonly serverCredentials?: Uint8Array;
  /** What happens behind the response: the handshake of StartTLS, or the end of the connection. */
  readonly next?: 'tls' | 'end';
  /** Of an extended operation. */
  readonly name?: string;
  readonly value?: Uint8Array;
}

/** RFC 3909 §2.3 */
export type CancelOutcome = 'canceled' | 'noSuchOperation' | 'tooLate' | 'cannotCancel';

export interface PendingBind {
  readonly mechanism: string;
  readonly exchange: SaslExchange<Caller>;
}

export interface LdapConversation {
  readonly door: LdapDoor;
  readonly record: ConnectionRecord;
  /** Octets that have come behind the request that is carried out alone. */
  readonly waitingBytes: number;
  /** Undefined for anonymous. Bind changes it, and StartTLS. */
  login: StandingLogin<Caller> | undefined;
  /** A SASL bind that goes on with the next bind request. */
  sasl: PendingBind | undefined;
  /** Searches that wait for the client to ask for their next page. */
  readonly pages: Pages;
  /** Posts changes behind those that were asked for before. Resolves after their commit, or rejects with their Failure. */
  change(operation: LdapOperation, ...changes: readonly AskedChange[]): Promise<ChangeSummary>;
  /** The same for another server of this directory, which has bound: `caller` has asked there. */
  takeOver(caller: Caller, changes: readonly AskedChange[]): Promise<ChangeSummary>;
  /** Ends an operation of this connection that only reads; that has `canceled` as its result. */
  cancel(messageId: number): CancelOutcome;
  /** For what takes long: resolves when other connections, and the other operations of this one, have had their turn. */
  turn(): Promise<void>;
  /** For what is large: behind the other large things of this connection, when what was said before is on its way. */
  oneAtATime(give: () => Promise<void>): Promise<void>;
  /** For an operation that never ends by itself: what has to wait for its end aborts its signal instead. */
  neverEnds(operation: LdapOperation): void;
}
