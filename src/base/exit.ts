// Exit codes, those of sysexits(3) beside 0 and 1. One table for every verb.

import { Failure, type FailureKind } from './failure.ts';

export const EXIT = {
  done: 0,
  /** Not found, exists already, differs, routes to nothing. */
  no: 1,
  usage: 64,
  badData: 65,
  /** No server runs. */
  unavailable: 69,
  internal: 70,
  ioError: 74,
  tryAgain: 75,
  denied: 77,
  configuration: 78,
} as const;

const EXIT_OF_FAILURE = {
  syntax: EXIT.badData,
  invalid: EXIT.badData,
  'not-found': EXIT.no,
  exists: EXIT.no,
  'not-empty': EXIT.no,
  denied: EXIT.denied,
  unauthenticated: EXIT.denied,
  'not-private': EXIT.denied,
  throttled: EXIT.tryAgain,
  'read-only': EXIT.denied,
  'too-large': EXIT.badData,
  'too-many': EXIT.tryAgain,
  'over-quota': EXIT.tryAgain,
  conflict: EXIT.tryAgain,
  unsupported: EXIT.usage,
  full: EXIT.tryAgain,
  damaged: EXIT.ioError,
  unavailable: EXIT.tryAgain,
} as const satisfies Record<FailureKind, number>;

export function exitCode(kind: FailureKind): number {
  return EXIT_OF_FAILURE[kind];
}

/** A configuration that is broken: EXIT.configuration, whatever is wrong with it. */
export class ConfigurationFailure extends Failure {}
