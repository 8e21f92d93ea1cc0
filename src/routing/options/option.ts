// A delivery option: what one value of mailDeliveryOption does with a message. One file an option beside this one; options.ts
// registers them.
//
// In      the row of an entry that has the option, and the address by which it was reached
// Out     targets; addresses that are followed as recipients of their own
// Never   stops another option of the entry: what cannot be reached is a failure of its own

import type { Entry } from '../../directory/entry.ts';
import type { Address } from '../../message/address.ts';
import type { RouteRequest } from '../route-request.ts';
import type { OptionValues, Problem, RecipientRow, RouteRow } from '../rows.ts';
import type { Target } from '../targets.ts';

export interface Planning {
  readonly row: RecipientRow;
  readonly address: Address;
  /** Of the domain in which the row claims the address; the site postmaster is in none. */
  readonly route: RouteRow | undefined;
  /** It, or this host: whose files and programs are the entry's, where its addresses say nothing. */
  readonly domain: string;
  /** An address of the entry that every host can read. */
  readonly name: string | undefined;
  readonly request: RouteRequest;
  /** By addressKey; undefined: not loaded, and asked for. */
  alias(key: string): RecipientRow | null | undefined;
  /** What gets nothing, where the walk is explained. */
  passedOver(what: string): void;
  target(target: Target): void;
  /** Follows an address that the entry names. `leaving`: what becomes of its targets for other hosts. */
  follow(address: Address, leaving?: (target: Target) => Target): void;
}

export type PlanOption = (planning: Planning) => void;

/** What the row says for the option. Undefined: the option is ignored, and `problems` has why. */
export type CompileOption = (entry: Entry, problems: Problem[]) => OptionValues | undefined;
