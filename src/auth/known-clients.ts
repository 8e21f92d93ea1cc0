// The places of an account: clients from which it has logged in. A guesser elsewhere takes nothing from them (guard.ts).
//
// In      an entry's UUID, a client (net/client-of.ts)
// Out     when the account has last logged in from there
// Limits  32 an account, the longest unused goes first; 90 days. Written when it is new or a day old: a login from where
//         the account always logs in writes nothing
// Never   keeps a login out: what cannot be written is written at the next login

import type { Clock } from '../base/clock.ts';
import { DAY_MS } from '../base/duration.ts';
import { TENANT } from '../base/tenant.ts';
import { operation, type Reader, type Writer } from '../database/operation.ts';

const KEEP_MS = 90 * DAY_MS;
const CLIENTS_MAX = 32;
/** Rows of accounts that have gone, a call of forget: the writer must not be held. */
const FORGET_ROWS = 2000;

const SEEN = 'SELECT seen FROM known_client WHERE tenant = ? AND uuid = ? AND client = ?';
const NOTE =
  'INSERT INTO known_client (tenant, uuid, client, seen) VALUES (?, ?, ?, ?) ' +
  'ON CONFLICT (tenant, uuid, client) DO UPDATE SET seen = max(seen, excluded.seen)';
const TOO_MANY =
  'DELETE FROM known_client WHERE tenant = ? AND uuid = ? AND client IN ' +
  '(SELECT client FROM known_client WHERE tenant = ? AND uuid = ? ORDER BY seen DESC, client LIMIT -1 OFFSET +?)';
const FORGET =
  'DELETE FROM known_client WHERE (tenant, uuid, client) IN ' +
  '(SELECT tenant, uuid, client FROM known_client WHERE seen < ? LIMIT +?)';

export interface KnownClient {
  readonly uuid: string;
  readonly client: string;
  /** Wall clock. */
  readonly at: number;
}

export const noteKnownClient = operation('auth.noteKnownClient', async (tx, { uuid, client, at }: KnownClient) => {
  await tx.run(NOTE, TENANT, uuid, client, at);
  await tx.run(TOO_MANY, TENANT, uuid, TENANT, uuid, CLIENTS_MAX);
});

/** Takes away some that are too old. Returns how many: fewer than 2000 means that all are. */
export const forgetClients = operation('auth.forgetClients', async (tx, now: number) => {
  return tx.run(FORGET, now - KEEP_MS, FORGET_ROWS);
});

/** `fresh`: known, and written less than a day ago. */
export type Place = 'unknown' | 'known' | 'fresh';

export interface KnownClients {
  look(uuid: string, client: string): Place;
  /** The account has logged in from there. Resolves when that is written, or could not be. */
  note(uuid: string, client: string): Promise<void>;
}

export interface KnownClientsParts {
  readonly reader: Reader;
  readonly writer: Writer;
  readonly clock: Pick<Clock, 'now'>;
}

export function createKnownClients({ reader, writer, clock }: KnownClientsParts): KnownClients {
  return {
    look(uuid, client) {
      const seen = reader.arrays(SEEN, TENANT, uuid, client)[0]?.[0];
      const age = seen === undefined ? Number.POSITIVE_INFINITY : clock.now() - Number(seen);
      return age < DAY_MS ? 'fresh' : age < KEEP_MS ? 'known' : 'unknown';
    },
    async note(uuid, client) {
      await writer.execute(noteKnownClient, { uuid, client, at: clock.now() }).catch(() => {});
    },
  };
}
