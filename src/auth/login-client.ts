// Who wants to log in, as the door knows it: nothing of what the client claims.

import type { ConnectionRecord } from '../net/connection.ts';

export type LoginDoor = 'smtp' | 'imap' | 'pop3' | 'ldap' | 'http';

export interface LoginClient {
  readonly door: LoginDoor;
  readonly record: ConnectionRecord;
  /** The service that is used through this door: its access rules hold, too, and the tokens that count are its own. */
  readonly service?: LoginDoor;
}
