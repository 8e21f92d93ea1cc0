// Which client an address belongs to, for what is counted a client: an IPv4 address, or the /64 that one IPv6 host has for
// itself and may change within at will. RFC 4291 §2.5.4, RFC 8981

const GROUPS_OF_64 = 4;
const GROUPS = 8;

/** `192.0.2.1`, `2001:db8:0:1::/64`; '' for a Unix socket. Takes what the kernel or a PROXY header says. */
export function clientOf(address: string): string {
  if (!address.includes(':')) return address;
  const [left = '', right] = address.split('::');
  const groups = left === '' ? [] : left.split(':');
  if (right !== undefined) {
    const tail = right === '' ? 0 : right.split(':').length + (right.includes('.') ? 1 : 0);
    while (groups.length < GROUPS - tail && groups.length < GROUPS_OF_64) groups.push('0');
    if (groups.length < GROUPS_OF_64) groups.push(...right.split(':'));
  }
  const network = groups.slice(0, GROUPS_OF_64).map((group) => Number.parseInt(group, 16).toString(16));
  return `${network.join(':')}::/64`;
}

/** `127.0.0.0/8`, `::1`. */
export function isLoopbackAddress(address: string): boolean {
  return address === '::1' || address.startsWith('127.');
}

/** A client on this machine: over loopback or a Unix socket. What a proxy passes on comes from elsewhere. */
export function isThisMachine(record: { readonly peerAddress: string; readonly proxyAddress?: string }): boolean {
  const { peerAddress, proxyAddress } = record;
  return proxyAddress === undefined && (peerAddress === '' || isLoopbackAddress(peerAddress));
}
