// What a running server counts, as /metrics says it.

import type { ServerAccess } from '../../src/estate/server-child.ts';

/** Rows that the caches of all threads have read from the routing tables. */
export async function rowsRead({ listeners }: Pick<ServerAccess, 'listeners'>): Promise<number> {
  const { host, port } = listeners.http;
  const text = await (await fetch(`http://${host}:${port}/metrics`)).text();
  const found = [...text.matchAll(/^waypost_routing_rows_read_total(?:\{.*\})? (\d+)$/gm)];
  return found.reduce((sum, [, count]) => sum + Number(count), 0);
}
