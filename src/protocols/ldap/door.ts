// What the LDAP door needs of the rest of the program; the same for every connection of a thread.

import type { Logins } from '../../auth/logins.ts';
import type { Clock } from '../../base/clock.ts';
import type { Limits } from '../../base/limits.ts';
import type { Log } from '../../base/log.ts';
import type { Reader } from '../../database/operation.ts';
import type { HandedAnswer, HandedQuestion } from '../../directory/source/handed-question.ts';
import type { TlsServer } from '../../net/tls.ts';
import type { ChangeSummary } from '../../provisioning/change.ts';
import type { ChangeRequest } from '../../provisioning/submit.ts';
import type { RequestKind } from '../../wire/ldap/message.ts';
import type { LdapResultName } from '../../wire/ldap/result-codes.ts';
import type { LongWork } from './long-work.ts';

export interface LdapDoor {
  readonly reader: Reader;
  readonly clock: Clock;
  readonly log: Log;
  readonly limits: Limits;
  /** Of all connections. */
  readonly longWork: LongWork;
  /** Of this server. */
  readonly hostname: string;
  /** Of the program, for vendorVersion. */
  readonly version: string;
  /** For STARTTLS; undefined where it is not offered. */
  readonly tls: TlsServer | undefined;
  /** Resolves when another revision of the directory than that of now is published. */
  readonly nextRevision: () => Promise<void>;
  readonly logins: Pick<Logins, 'mechanisms' | 'bind' | 'saslBind' | 'callerNamed'>;
  /**
   * provisioning's, one for each connection: posts changes in the order of the calls, and resolves after the commit that
   * holds the change and all that follows from it.
   */
  readonly submitInOrder: () => (request: ChangeRequest) => Promise<ChangeSummary>;
  /** For another server: resolves when what was found is here. */
  readonly askSource: (question: HandedQuestion) => Promise<HandedAnswer>;
  /** Another server of the directory, by its host name, has begun to follow this one, or follows it no more. */
  readonly followed: (name: string, isFollowing: boolean) => void;
  /** One more result, for the metrics. */
  readonly countResult: (operation: RequestKind, result: LdapResultName) => void;
}
