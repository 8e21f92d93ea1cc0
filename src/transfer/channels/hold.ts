// The hold channel: what is here waits for a change of a row of the routing tables. Nobody works on its rows; release.ts sends
// them elsewhere.

export const holdChannel = { name: 'hold', isLocal: false } as const;
