// Zone marks, our own: a server that follows another one asks to be told when names have moved, beside the entries.
//
// The name of the intermediate responses that tell it, too; their value is zones/marks.ts's.

import { bareControl } from './codec.ts';

export const ZONE_MARKS = '2.25.260029475078379629835353372611245454843.3.3';

export const zoneMarks = bareControl(ZONE_MARKS);
