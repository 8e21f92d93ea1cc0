// PROXY headers of version 2, octet by octet: what a proxy says, and what none says.
//
// In      hex: version, command, family and transport; addresses and ports; values
// Out     the header

/** For 203.0.113.5 over TCP, or for what is given. */
export function v2({ start = '2111', source = sourceOf('203.0.113.5'), values = '' } = {}): Buffer {
  const rest = Buffer.from(source + values, 'hex');
  const length = Buffer.alloc(2);
  length.writeUInt16BE(rest.length);
  return Buffer.concat([Buffer.from(`0d0a0d0a000d0a515549540a${start}`, 'hex'), length, rest]);
}

/** From this IPv4 address and port 56324, to 192.0.2.1 and 25. */
export function sourceOf(address: string): string {
  return `${Buffer.from(address.split('.').map(Number)).toString('hex')}c0000201dc040019`;
}

/** The value that says that the client came by this: `TLSv1.3`. */
export function tlsValue(protocol: string): string {
  const version = Buffer.from(protocol).toString('hex');
  return `20000f0100000000210007${version}`;
}
