// What the store of format 4 holds, and the configuration that it was written under.

export const ANN = 'ann@acme.example';
export const LATER = 'rex@remote.example';
export const KEPT = 'kim@remote.example';

export const config = (hop: string): string =>
  `threads = 1\n[auth]\nscram = "off"\n[queue]\nretry = ["1h"]\n[next-hop]\n"remote.example" = "${hop}"\n`;
