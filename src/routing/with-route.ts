// The routing tables as they would be with one domain more.
//
// In      tables as far as they are loaded, the row of a domain that is not there
// Out     the same tables with that row in its place
// Never   writes: so it can be known what a domain would say to a recipient before there is one

import type { RoutingTables } from './resolution.ts';
import type { RouteRow } from './rows.ts';

export function withRoute(tables: RoutingTables, row: RouteRow): RoutingTables {
  return {
    route: (domain) => (domain === row.domain ? row : tables.route(domain)),
    alias: (key) => tables.alias(key),
    recipient: (dn) => tables.recipient(dn),
    settings: () => tables.settings(),
    members: (list, after, limit) => tables.members(list, after, limit),
    memberCount: (list) => tables.memberCount(list),
    foundByUrl: (list, limit) => tables.foundByUrl(list, limit),
    listsWith: (member) => tables.listsWith(member),
    dynamicListsOver: (dn) => tables.dynamicListsOver(dn),
    matches: (dn, url) => tables.matches(dn, url),
    isTheirs: (domain) => tables.isTheirs(domain),
  };
}
