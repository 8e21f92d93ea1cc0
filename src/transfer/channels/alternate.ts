// The order in which the addresses of a host are asked: IPv6 and IPv4 by turns.
//
// In      addresses in the resolver's order; the addresses that mail is to come from, one a family at most
// Out     those that may be asked, each with its source; the families alternate, beginning with that of the first address: where
//         one of them leads nowhere the second attempt goes by the other
// RFC 5321 §5.1, RFC 8305 §4

import { isIP } from 'node:net';

export interface Route {
  readonly address: string;
  /** Undefined: the system chooses. */
  readonly source: string | undefined;
}

export function alternate(addresses: readonly string[], sources: readonly string[]): Route[] {
  const routes = addresses.flatMap((address): Route[] => {
    const source = sources.find((own) => isIP(own) === isIP(address));
    return sources.length > 0 && source === undefined ? [] : [{ address, source }];
  });
  const first = routes.filter(({ address }) => isIP(address) === isIP(routes[0]!.address));
  const second = routes.filter((route) => !first.includes(route));
  const ordered: Route[] = [];
  for (let at = 0; at < Math.max(first.length, second.length); at++)
    ordered.push(...first.slice(at, at + 1), ...second.slice(at, at + 1));
  return ordered;
}
