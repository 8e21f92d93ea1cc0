// ManageDsaIT: aliases and referrals are entries as others are. RFC 3296 §3

import { bareControl } from './codec.ts';

export const manageDsaIt = bareControl('2.16.840.1.113730.3.4.2');
