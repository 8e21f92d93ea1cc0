// What SMTP says of a name that a message could bring. RFC 3463

import type { Reply } from '../../base/reply.ts';

export const arrivalReplies = {
  noEvidence: { code: 451, enhanced: '4.4.3', text: 'The MX record of the domain cannot be looked up now' },
  tooMany: { code: 451, enhanced: '4.7.1', text: 'Too many new domains, try again later' },
  elsewhere: { code: 451, enhanced: '4.3.2', text: 'New domains are made at another server, try again later' },
  full: { code: 452, enhanced: '4.3.1', text: 'Insufficient system storage, try again later' },
} as const satisfies Record<string, Reply>;
