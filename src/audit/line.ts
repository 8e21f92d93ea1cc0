// One line of the audit: who did what, from where, and what came of it. What an event has nothing of is left out.

import type { LoginResult } from '../auth/attempt.ts';

export type AuditEvent = 'login' | 'change' | 'admin';

export interface AuditLine {
  /** ISO 8601, UTC. */
  readonly at: string;
  readonly event: AuditEvent;
  /** Of a login its protocol; of an operation of the administrator `admin` for the socket, `http` for `/v1`. */
  readonly door?: string | undefined;
  readonly peer?: string | undefined;
  /** The proxy that has passed the connection on. */
  readonly proxy?: string | undefined;
  /** `TLSv1.3` */
  readonly tls?: string | undefined;
  readonly mechanism?: string | undefined;
  /** The name as the client wrote it. */
  readonly login?: string | undefined;
  /** The account that has this name: its first address, or its DN. */
  readonly account?: string | undefined;
  /** The author of a change, the caller of an operation. */
  readonly caller?: string | undefined;
  /** The entry that was changed; the operation, with what it names. */
  readonly target?: string | undefined;
  /** Of the directory: which change it was. */
  readonly revision?: number | undefined;
  readonly result: LoginResult;
}

/** A line of text with its end. Keys always stand in the same order. */
export function formatAuditLine(line: AuditLine): string {
  const { at, event, door, peer, proxy, tls, mechanism, login, account, caller, target, revision, result } = line;
  const all = { at, event, door, peer, proxy, tls, mechanism, login, account, caller, target, revision, result };
  return `${JSON.stringify(all)}\n`;
}

/** Undefined for what is no whole line: a disk has lost its end, or somebody has written into the file. */
export function parseAuditLine(text: string): AuditLine | undefined {
  try {
    const value: unknown = JSON.parse(text);
    const line = value as AuditLine;
    return typeof line?.at === 'string' && typeof line.event === 'string' && typeof line.result === 'string'
      ? line
      : undefined;
  } catch {
    return undefined;
  }
}
