// The audit of the whole process, kept by the main thread: it gets lines from every thread, and follows the change log.
//
// In      lines of logins, from threads in batches; operations of the administrator; the published revision
// Out     audit/*.jsonl in the data directory
// Never   makes a login or an operation wait, or fail

import type { AdminOperation } from '../admin/operation.ts';
import { AuditFiles } from '../audit/audit-files.ts';
import { auditChanges } from '../audit/changes.ts';
import type { AuditLine } from '../audit/line.ts';
import type { AttemptedLogin, LoginResult } from '../auth/attempt.ts';
import { LOGIN_LENGTH_MAX } from '../auth/bounds.ts';
import { systemClock } from '../base/clock.ts';
import { MINUTE_MS } from '../base/duration.ts';
import { asFailure, type FailureKind } from '../base/failure.ts';
import type { Log } from '../base/log.ts';
import type { TokenBuckets } from '../base/token-buckets.ts';
import type { Reader } from '../database/operation.ts';
import type { SharedState } from '../database/shared.ts';
import { authorOf } from '../directory/caller.ts';
import { clientOf } from '../net/client-of.ts';
import type { AnyAdminOperation } from '../protocols/http/admin.ts';
import type { Configuration } from './configuration.ts';
import { auditPath } from './paths.ts';
import type { Supervisor } from './supervisor.ts';

/** A line of a thread waits so long for others. */
const GATHER_MS = 100;

/** From a thread that has doors. */
export interface AuditReport {
  readonly kind: 'audit';
  readonly lines: readonly AuditLine[];
}

/** In a thread: gathers the lines of logins. */
export class LoginLines {
  readonly #buckets: TokenBuckets;
  readonly #send: (lines: readonly AuditLine[]) => void;
  #lines: AuditLine[] = [];

  /** `buckets` are those of the process: of throttled logins there is one line a client and minute. */
  constructor(buckets: TokenBuckets, send: (lines: readonly AuditLine[]) => void) {
    this.#buckets = buckets;
    this.#send = send;
  }

  note({ client: { door, record }, mechanism, name, account, result }: AttemptedLogin): void {
    const client = clientOf(record.peerAddress);
    if (result === 'throttled' && !this.#buckets.isFirst('audit', client, systemClock.monotonic(), MINUTE_MS)) return;
    if (this.#lines.length === 0) setTimeout(() => this.flush(), GATHER_MS).unref();
    this.#lines.push({
      at: new Date(systemClock.now()).toISOString(),
      event: 'login',
      door,
      peer: record.peerAddress,
      proxy: record.proxyAddress,
      tls: record.tls?.protocol,
      mechanism,
      login: name.slice(0, LOGIN_LENGTH_MAX),
      account,
      result,
    });
  }

  flush(): void {
    if (this.#lines.length > 0) this.#send(this.#lines);
    this.#lines = [];
  }
}

export interface AuditKeeperParts {
  readonly configuration: Configuration;
  readonly log: Log;
  readonly reader: Reader;
  readonly shared: SharedState;
  readonly supervisor: Supervisor;
}

export interface Audit {
  append(lines: readonly AuditLine[]): void;
  /** Called when no thread sends lines any more, and while the store is open. */
  stop(): Promise<void>;
}

/** Called before the first thread starts that has doors. */
export function keepAudit({ configuration, log, reader, shared, supervisor }: AuditKeeperParts): Audit {
  const directory = auditPath(configuration.data);
  const { keepMs } = configuration.audit;
  const files = new AuditFiles({ directory, keepMs, log, clock: systemClock });
  supervisor.onReport((_, report) => {
    if (report.kind === 'audit') files.append((report as AuditReport).lines);
  });
  const stopped = Promise.withResolvers<void>();
  let isStopped = false;
  const changed = (): Promise<void> => Promise.race([shared.nextRevision(), stopped.promise]);
  const changes = auditChanges(
    { directory, files, keepMs, reader, clock: systemClock, changed, stopped: stopped.promise },
    () => isStopped,
  ).catch((error: unknown) => log.error('audit.changes', { detail: asFailure(error).detail ?? String(error) }));
  return {
    append: (lines) => files.append(lines),
    async stop() {
      isStopped = true;
      stopped.resolve();
      await changes;
      await files.close();
    },
  };
}

const RESULTS: Readonly<Partial<Record<FailureKind, LoginResult>>> = { denied: 'access', 'read-only': 'access' };

/** The operation, with a line for each time that it has run. */
export function audited(operation: AnyAdminOperation, append: Audit['append']): AnyAdminOperation {
  const run: AdminOperation<unknown, unknown>['run'] = async (input, caller, peer) => {
    let result: LoginResult = 'ok';
    try {
      return await operation.run(input, caller, peer);
    } catch (error) {
      result = RESULTS[asFailure(error).kind] ?? 'error';
      throw error;
    } finally {
      append([
        {
          at: new Date(systemClock.now()).toISOString(),
          event: 'admin',
          door: peer === '' ? 'admin' : 'http',
          peer: peer === '' ? undefined : peer,
          caller: authorOf(caller),
          target: [operation.name, ...named(input)].join(' '),
          result,
        },
      ]);
    }
  };
  return { ...operation, run };
}

/** What operations call that which they are about. Nothing else of an input is written down: it may hold a password. */
const NAMES = ['address', 'domain', 'account', 'dn', 'name', 'id', 'folder', 'identifier', 'rights'] as const;

function named(input: unknown): string[] {
  const fields = input as Readonly<Record<string, unknown>>;
  return NAMES.flatMap((name) => {
    const value = fields[name];
    return typeof value === 'string' || typeof value === 'number' ? [String(value)] : [];
  });
}
