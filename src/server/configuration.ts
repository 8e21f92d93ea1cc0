// The configuration as one frozen value: what must be known before the directory can be read.

import type { Limits } from '../base/limits.ts';
import type { LogLevel } from '../base/log.ts';

export interface Configuration {
  /** Lower case, with a dot. */
  readonly hostname: string;
  /** Absolute path of the data directory. */
  readonly data: string;
  /** Addresses that every listener binds. */
  readonly listen: readonly string[];
  /** Added to every standard port; `auto`: each listener takes a free one. */
  readonly portOffset: number | 'auto';
  /** `address` or `address:port`; empty for the system's. */
  readonly resolver: readonly string[];
  /** Public addresses of this host, for A and AAAA; empty: the concrete listener addresses. */
  readonly address: readonly string[];
  readonly provision: { readonly fromMx: 'off' | 'auto' };
  /** Domain -> `[host]:port` or `host:port`, instead of its MX. */
  readonly nextHop: ReadonlyMap<string, string>;
  readonly queue: { readonly retryMs: readonly number[]; readonly expireMs: number };
  readonly limits: Limits;
  readonly log: LogLevel;
  /** Protocol threads. */
  readonly threads: number;
  /** `o=internet` */
  readonly suffix: string;
}
