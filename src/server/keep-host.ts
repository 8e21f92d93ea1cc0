// This host's entry kept true while the server runs: its addresses and what listens, as other hosts and DNS are to see it.
//
// In      the configuration, the doors that are open, the interfaces
// Out     the entry, written where it says otherwise; looked at again every LOOK_MS, since interfaces come and go
// Facts   addresses: those of the configuration, else the listeners', a wildcard standing for what the interfaces have but
//         loopback

import { keepHost } from '../provisioning/keep-host.ts';
import { addressesFor, isWildcard } from './interfaces.ts';
import type { MainParts } from './main-parts.ts';

const LOOK_MS = 30_000;
/** Those that others find by DNS. */
const SERVICES = ['dns', 'https', 'imap', 'imaps', 'pop3', 'pop3s', 'smtp', 'submission', 'submissions'] as const;

/** `listeners`: each door's address and port. Resolves when the entry is true, or cannot be made so; the function ends the looks. */
export async function keepOwnHost(
  { configuration, hostnames, writer, clock, log }: MainParts,
  listeners: Readonly<Record<string, string>>,
): Promise<() => void> {
  const services = SERVICES.flatMap((name) => {
    const endpoint = listeners[name];
    return endpoint === undefined ? [] : [`${name} ${endpoint.slice(endpoint.lastIndexOf(':') + 1)}`];
  });
  let known: string | undefined;
  const look = async (): Promise<void> => {
    const addresses = ownAddresses(configuration.address, configuration.listen);
    if (addresses.join() === known) return;
    await writer.execute(keepHost, { hostname: hostnames[0]!, addresses, services, now: clock.now() });
    known = addresses.join();
    if (addresses.length === 0) log.warn('dns.no-address', { hostname: hostnames[0] });
  };
  // What the directory has at our name is no reason not to serve mail.
  const lookSafely = () =>
    look().catch((error: unknown) => log.warn('dns.no-address', { hostname: hostnames[0], error: String(error) }));
  await lookSafely();
  const timer = setInterval(lookSafely, LOOK_MS);
  timer.unref();
  return () => clearInterval(timer);
}

function ownAddresses(configured: readonly string[], listen: readonly string[]): readonly string[] {
  if (configured.length > 0) return configured;
  const found = listen.flatMap((address) =>
    isWildcard(address)
      ? addressesFor(address, address === '::').filter((each) => !each.startsWith('127.') && each !== '::1')
      : [address],
  );
  return [...new Set(found)].filter((address) => !address.includes('%'));
}
