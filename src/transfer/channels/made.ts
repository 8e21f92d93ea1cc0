// Which rows of the queue are of a channel that somebody has made: the others are there without an entry.

/** SQL. It stands in an index, so it says the same for ever. */
export const MADE_CHANNEL = "channel NOT IN ('smtp', 'store', 'hold', 'discard', 'reprocess')";
