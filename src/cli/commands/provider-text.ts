// The server that is followed, in a line: for status and sync status.

import type { ProviderStatus } from '../../provisioning/replica/replica.ts';
import { printable } from '../output.ts';

export function providerText({ url, state, since, csn, lagMs, lastError }: ProviderStatus): string {
  const connected = state === 'retrying' ? `not connected since ${since}` : `connected since ${since}`;
  const lag = lagMs === null ? '' : `, at most ${Math.ceil(lagMs / 1000)} s behind`;
  const error = lastError === null ? '' : `  (${printable(lastError)})`;
  return `${url}: ${state}, ${connected}, all up to ${csn ?? 'nothing'} is here${lag}${error}`;
}
