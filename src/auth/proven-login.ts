// An account whose proof was right, as a login that stays current with the directory.
//
// In      who has proven to be whom, by what; the directory, and where sessions wait for the end of their logins
// Out     a StandingLogin of what the session needs: it ends with the account, with a status that keeps it out, with what it was
//         opened by, and at a new password unless a token has opened it
// Errors  `unavailable` where a status says that it may be tried again

import type { PublishedRevision } from '../base/ids.ts';
import type { Admissions } from '../routing/admission.ts';
import { decideLogin, loginRefusal } from './decision.ts';
import type { LoginClient } from './login-client.ts';
import type { LoginDirectory, LoginNow } from './login-directory.ts';
import type { OpenLogins } from './open-logins.ts';
import type { Proof } from './proof.ts';
import { StandingLogin } from './standing-login.ts';

export interface Proven {
  readonly client: LoginClient;
  /** The revision before the account was read. */
  readonly readAt: PublishedRevision;
  readonly uuid: string;
  readonly admissions: Admissions;
  readonly proof: Proof;
  /** The address of the group whose mailbox is asked for in place of the account's own. */
  readonly sharedBy?: string | undefined;
}

export interface ProvenLoginParts {
  readonly directory: Pick<LoginDirectory, 'now'>;
  readonly revision: () => PublishedRevision;
  readonly open: Pick<OpenLogins, 'watch'>;
}

/** `first`: what it is worth as it was read; undefined: it is read again. `pick`: what of an account the session needs. */
export function provenLogin<T>(
  { directory, revision, open }: ProvenLoginParts,
  proven: Proven,
  { first, pick }: { readonly first: T | undefined; readonly pick: (now: LoginNow) => T | undefined },
): StandingLogin<T> {
  const { uuid, readAt, proof } = proven;
  let { admissions } = proven;
  return new StandingLogin<T>({
    revision,
    read() {
      const now = standing(directory, proven);
      if (now !== undefined) ({ admissions } = now);
      return now && pick(now);
    },
    first: first === undefined ? undefined : { revision: readAt, value: first },
    msLeft: proof.msLeft,
    watch(login, over) {
      const watched = {
        ...{ id: login.id, uuid, readAt, msLeft: proof.msLeft },
        domains: () => admissions.flatMap(({ domain }) => domain ?? []),
        isOver: () => login.now() === undefined,
        passwordChanged: () => void (proof.outlivesPassword !== true && login.end()),
        end: () => login.end(),
        ...(proven.sharedBy === undefined ? {} : { isShared: true as const }),
      };
      return open.watch(watched, over);
    },
  });
}

/** What the account is now; undefined when it may log in no more, or what it was opened with is gone. */
function standing(directory: ProvenLoginParts['directory'], { client, uuid, proof }: Proven): LoginNow | undefined {
  const now = directory.now(uuid);
  if (now === undefined || !proof.stands(now)) return undefined;
  const refusal = loginRefusal(decideLogin(now.admissions, client), uuid);
  if (refusal?.kind === 'unavailable') throw refusal;
  return refusal === undefined ? now : undefined;
}
