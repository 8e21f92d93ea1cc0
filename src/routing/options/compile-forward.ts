// What the delivery option `forward` needs: mailForwardingAddress, where mail goes on to.
//
// Out     the addresses as SMTP writes them; none is left: the option is ignored
// Limits  FORWARDS_MAX addresses
// Never   a program, a file or a list that is included: `|cmd`, `/var/mail/ann`, `:include:` are no addresses
// An address of the entry itself would go round in a circle

import { type Entry, textValues } from '../../directory/entry.ts';
import { addressKey, formatAddress, tryParseAddress, withoutSubaddress } from '../../message/address.ts';
import { ownKeys } from '../list-texts.ts';
import type { Problem } from '../rows.ts';
import type { CompileOption } from './option.ts';

const FORWARDS_MAX = 50;
const ATTRIBUTE = 'mailForwardingAddress';

export const compileForward: CompileOption = (entry, problems) => {
  const forward = addressesOf(entry, problems);
  if (forward.length > 0) return { forward };
  problems.push({ attribute: 'mailDeliveryOption', value: 'forward', reason: `${ATTRIBUTE} names nobody` });
  return undefined;
};

function addressesOf(entry: Entry, problems: Problem[]): string[] {
  const own = ownKeys(entry);
  const addresses = new Map<string, string>();
  for (const value of textValues(entry, 'mailforwardingaddress')) {
    const address = isNoAddress(value.trim()) ? undefined : tryParseAddress(value.trim());
    const reason = address === undefined ? 'is not an address' : undefined;
    const isOwn = address !== undefined && own.has(addressKey(withoutSubaddress(address) ?? address));
    if (reason !== undefined) problems.push({ attribute: ATTRIBUTE, value, reason });
    else if (isOwn) problems.push({ attribute: ATTRIBUTE, value, reason: 'is an address of this entry' });
    else if (addresses.size === FORWARDS_MAX)
      problems.push({ attribute: ATTRIBUTE, value, reason: `is one of more than ${FORWARDS_MAX}` });
    else addresses.set(addressKey(address!), formatAddress(address!));
  }
  return [...addresses.values()];
}

/** `|vacation ann@acme.example` and `/home/ann@acme.example` have the letters of an address, and mean none. */
function isNoAddress(text: string): boolean {
  return text === '' || '|/:~'.includes(text.charAt(0));
}
