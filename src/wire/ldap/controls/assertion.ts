// Assertion: the operation is carried out if its entry matches this filter. RFC 4528

import { decodeFilter, encodeFilter, type Filter } from '../filter.ts';
import { berControl } from './codec.ts';

export const assertion = berControl<Filter>('1.3.6.1.1.12', decodeFilter, encodeFilter);
