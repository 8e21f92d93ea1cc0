// A resolution for people and programs: what `waypost route` prints.

import type { Reply } from '../base/reply.ts';
import type { Resolution, Site, Step, Target } from './resolve.ts';

export interface Explanation {
  readonly address: string;
  readonly steps: readonly Step[];
  /** `nexthop` of the store is this host. */
  readonly targets: readonly {
    readonly channel: Target['channel'];
    readonly nexthop: string;
    readonly recipient: string;
  }[];
  /** Members of a list that get nothing now. Absent when there are none. */
  readonly failures?: readonly { readonly recipient: string; readonly reply: string }[];
  /** `250 2.1.5 Recipient ok` */
  readonly reply: string;
}

export function formatReply(reply: Reply): string {
  return `${reply.code} ${reply.enhanced} ${reply.text}`;
}

/** The resolution must have been made with `explain`. */
export function explain(resolution: Resolution, site: Site): Explanation {
  const failures = resolution.failures.map(({ recipient, reply }) => ({ recipient, reply: formatReply(reply) }));
  return {
    address: resolution.address,
    steps: resolution.steps,
    targets: resolution.targets.map((target) => ({
      channel: target.channel,
      nexthop: target.channel === 'store' ? (site.hostnames[0] ?? '') : target.nexthop,
      recipient: target.recipient,
    })),
    ...(failures.length === 0 ? {} : { failures }),
    reply: formatReply(resolution.reply),
  };
}

/** The steps as lines, the names in one column; no line break at the end. */
export function formatSteps(resolution: Resolution): string {
  const width = Math.max(...resolution.steps.map(({ step }) => step.length));
  const lines = resolution.steps.map(({ step, detail }) => `${step.padEnd(width)}  ${detail}`);
  return [resolution.address, ...lines].join('\n');
}
