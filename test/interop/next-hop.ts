// Where a foreign server sends all that is not its own.

export interface NextHop {
  readonly port: number;
  readonly protocol: 'smtp' | 'lmtp';
}

/** What it delivers itself. */
export const PEER_DOMAIN = 'peer.example';
