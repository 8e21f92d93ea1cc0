// The other servers of the directory, as this one knows them: whom it follows, and who follows it.
//
// In      the replica; reports of protocol threads, at which a server has begun to follow or has left
// Out     what status, sync status and the metrics say of them
// A thread that dies takes the connections with it that it had.

import type { FollowerStatus, OtherServersStatus } from '../admin/status.ts';
import type { Clock } from '../base/clock.ts';
import type { ProviderStatus } from '../provisioning/replica/replica.ts';
import type { ServingThread, Supervisor } from './supervisor.ts';

/** To the main thread. */
export interface FollowerReport {
  readonly kind: 'follower';
  /** Of its entry. */
  readonly name: string;
  readonly isFollowing: boolean;
}

interface Parts {
  readonly clock: Clock;
  readonly supervisor: Supervisor;
  /** Undefined: this server has a directory of its own. */
  readonly replica: { readonly status: ProviderStatus } | undefined;
}

interface Follower {
  readonly since: number;
  /** Feeds that are open, by the thread that has them. */
  readonly feeds: Map<ServingThread, number>;
}

export class OtherServers implements OtherServersStatus {
  readonly #parts: Parts;
  readonly #followers = new Map<string, Follower>();

  constructor(parts: Parts) {
    this.#parts = parts;
    parts.supervisor.onReport((thread, report) => {
      if (report.kind === 'follower') this.#heard(thread, report as FollowerReport);
    });
    parts.supervisor.onExit((thread) => {
      for (const [name, { feeds }] of this.#followers) {
        feeds.delete(thread);
        if (feeds.size === 0) this.#followers.delete(name);
      }
    });
  }

  get provider(): ProviderStatus | undefined {
    return this.#parts.replica?.status;
  }

  get followers(): readonly FollowerStatus[] {
    return [...this.#followers].map(([hostname, { since }]) => ({ hostname, since: new Date(since).toISOString() }));
  }

  #heard(thread: ServingThread, { name, isFollowing }: FollowerReport): void {
    const known = this.#followers.get(name);
    if (isFollowing) {
      const follower = known ?? { since: this.#parts.clock.now(), feeds: new Map() };
      follower.feeds.set(thread, (follower.feeds.get(thread) ?? 0) + 1);
      this.#followers.set(name, follower);
      return;
    }
    if (known === undefined) return;
    const left = (known.feeds.get(thread) ?? 0) - 1;
    if (left > 0) known.feeds.set(thread, left);
    else known.feeds.delete(thread);
    if (known.feeds.size === 0) this.#followers.delete(name);
  }
}
