// A resolution for people and programs: what `waypost route` prints.

import type { Reply } from '../base/reply.ts';
import { formatAddress } from '../message/address.ts';
import type { Resolution, Site, Step } from './resolution.ts';

export interface Explanation {
  readonly address: string;
  readonly steps: readonly Step[];
  /** `nexthop`: the destination; for what is delivered here, this host. */
  readonly targets: readonly {
    readonly channel: string;
    readonly nexthop: string;
    readonly recipient: string;
  }[];
  /** Members of a list that get nothing now. Absent when there are none. */
  readonly failures?: readonly { readonly recipient: string; readonly reply: string }[];
  /** `250 2.1.5 Recipient ok` */
  readonly reply: string;
}

function formatReply(reply: Reply): string {
  return `${reply.code} ${reply.enhanced} ${reply.text}`;
}

/** The resolution must have been made with `explain`. */
export function explain(resolution: Resolution, site: Site): Explanation {
  const failures = resolution.failures.map(({ recipient, reply }) => ({
    recipient: formatAddress(recipient),
    reply: formatReply(reply),
  }));
  return {
    address: formatAddress(resolution.address),
    steps: resolution.steps,
    targets: resolution.targets.map(({ channel, destination, recipient }) => ({
      channel,
      nexthop: destination === '' ? (site.hostnames[0] ?? '') : destination,
      recipient: formatAddress(recipient),
    })),
    ...(failures.length === 0 ? {} : { failures }),
    reply: formatReply(resolution.reply),
  };
}
