// What a running server says at its HTTP door, and counts there.

import type { ServerAccess } from '../../src/estate/server-child.ts';

type Asked = Pick<ServerAccess, 'listeners'>;

/** By a connection of its own: one that is kept may be one that the server is just closing. */
export async function httpPage(
  { listeners }: Asked,
  path: string,
): Promise<{ readonly status: number; readonly text: string }> {
  const { host, port } = listeners.http;
  const response = await fetch(`http://${host}:${port}${path}`, { headers: { connection: 'close' } });
  return { status: response.status, text: await response.text() };
}

export async function metricsText(server: Asked): Promise<string> {
  return (await httpPage(server, '/metrics')).text;
}

/** Rows that the caches of all threads have read from the routing tables. */
export async function rowsRead(server: Asked): Promise<number> {
  const text = await metricsText(server);
  const found = [...text.matchAll(/^waypost_routing_rows_read_total(?:\{.*\})? (\d+)$/gm)];
  return found.reduce((sum, [, count]) => sum + Number(count), 0);
}
