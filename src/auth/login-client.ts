// Who wants to log in, as the door knows it: nothing of what the client claims.

import type { ConnectionRecord } from '../net/connection.ts';

export type LoginDoor = 'smtp' | 'imap' | 'pop3' | 'ldap' | 'http';

export interface LoginClient {
  readonly door: LoginDoor;
  readonly record: ConnectionRecord;
}
