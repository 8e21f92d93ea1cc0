// Whom the messages in the queue of the store of format 3 are for, and the configuration that it was written under.

export const ANN = 'ann@acme.example';
export const HELD = 'bob@held.example';
export const WAITING = 'rex@remote.example';
export const FAILED = 'nobody@remote.example';

export const config = (hop: string): string =>
  `threads = 1\n[auth]\nscram = "off"\n[queue]\nretry = ["1h"]\n[next-hop]\n"remote.example" = "${hop}"\n`;
