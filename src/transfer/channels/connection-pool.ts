// Connections to other hosts that stay open between two messages.
//
// In      a connection whose last outcome is committed, and what it is good for
// Out     one that a delivery may use in place of a new one; the last given first
// States  in use by one delivery -> idle here -> in use again | QUIT
// Limits  IDLE_MS, longer while rows of its destination are due; AGE_MS; IDLE_MAX of them; as many transactions as the host allows
// Never   gives out one whose last outcome is not committed: a kill repeats one delivery a connection at most
// RFC 5321 §4.5.4.1, RFC 9422 §3 (MAILMAX)

import type { SmtpConnection } from './smtp-connection.ts';

const IDLE_MS = 2000;
const AGE_MS = 300_000;
const IDLE_MAX = 200;

export interface PoolKey {
  readonly protocol: string;
  readonly host: string;
  readonly address: string;
  readonly port: number;
  readonly source: string | undefined;
  readonly tls: string;
  /** Who is logged in; `''`: nobody. */
  readonly login: string;
}

interface Idle {
  readonly connection: SmtpConnection;
  readonly isMoreDue: () => boolean;
  /** Monotonic. */
  until: number;
}

export class ConnectionPool {
  readonly #quitMs: number;
  /** By key, the one given last at the end. */
  readonly #idle = new Map<string, Idle[]>();
  #count = 0;
  #timer: NodeJS.Timeout | undefined;
  #isStopped = false;

  constructor(quitMs: number) {
    this.#quitMs = quitMs;
  }

  has(key: PoolKey): boolean {
    return this.#idle.has(textOf(key));
  }

  take(key: PoolKey): SmtpConnection | undefined {
    const text = textOf(key);
    const idle = this.#idle.get(text);
    for (let last = idle?.pop(); idle !== undefined && last !== undefined; last = idle.pop()) {
      this.#count--;
      if (idle.length === 0) this.#idle.delete(text);
      const { connection } = last;
      if (!connection.isLost && ageOf(connection) < AGE_MS) return connection;
      connection.quit(this.#quitMs);
    }
    return undefined;
  }

  /** Its outcome is committed. `isMoreDue`: whether rows wait that it may be good for. */
  give(key: PoolKey, connection: SmtpConnection, isMoreDue: () => boolean): void {
    if (connection.isLost) return;
    const { mailMax } = connection.offered?.limits ?? {};
    const isUsedUp = mailMax !== undefined && connection.transactions >= mailMax;
    if (this.#isStopped || isUsedUp || ageOf(connection) >= AGE_MS || this.#count >= IDLE_MAX) {
      connection.quit(this.#quitMs);
      return;
    }
    const text = textOf(key);
    const idle = { connection, isMoreDue, until: performance.now() + IDLE_MS };
    const others = this.#idle.get(text);
    if (others === undefined) this.#idle.set(text, [idle]);
    else others.push(idle);
    this.#count++;
    this.#timer ??= setTimeout(() => this.#sweep(), IDLE_MS);
  }

  #sweep(): void {
    this.#timer = undefined;
    const now = performance.now();
    let next = Number.POSITIVE_INFINITY;
    for (const [text, all] of this.#idle) {
      const kept = all.filter((idle) => this.#isKept(idle, now));
      this.#count -= all.length - kept.length;
      if (kept.length === 0) this.#idle.delete(text);
      else this.#idle.set(text, kept);
      for (const { until } of kept) next = Math.min(next, until);
    }
    if (this.#count > 0) this.#timer = setTimeout(() => this.#sweep(), Math.max(10, next - now));
  }

  #isKept(idle: Idle, now: number): boolean {
    const { connection, isMoreDue } = idle;
    if (connection.isLost) return false;
    if (idle.until <= now && isMoreDue()) idle.until = now + IDLE_MS;
    const isKept = idle.until > now && ageOf(connection) < AGE_MS;
    if (!isKept) connection.quit(this.#quitMs);
    return isKept;
  }

  /** Says QUIT on all of them, and keeps none from now on. */
  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    for (const idle of this.#idle.values()) for (const { connection } of idle) connection.quit(this.#quitMs);
    this.#idle.clear();
    this.#count = 0;
  }
}

function ageOf({ openedAt }: SmtpConnection): number {
  return performance.now() - openedAt;
}

function textOf({ protocol, host, address, port, source = '', tls, login }: PoolKey): string {
  return `${protocol} ${host} ${address} ${port} ${source} ${tls} ${login}`;
}
