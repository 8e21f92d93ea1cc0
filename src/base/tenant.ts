// A tenant is a whole directory with all that is made from it.

/** The one tenant there is. It stands first in every key that is unique within a directory, because it can't be added later. */
export const TENANT = 1;
