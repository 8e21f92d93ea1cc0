// A limit in a value of mailQuota, mailMsgQuota, mailDomainDiskQuota and mailDomainMsgQuota.

const UNITS: ReadonlyMap<string, number> = new Map([
  ['', 1],
  ['k', 1024],
  ['m', 1024 ** 2],
  ['g', 1024 ** 3],
]);

/** Undefined: none. `text` in lower case. */
export function parseLimit(text: string): number | undefined {
  if (text === '-1' || text === '-2') return Number(text);
  const unit = UNITS.get(text.slice(-1)) ?? 1;
  const digits = unit === 1 ? text : text.slice(0, -1);
  if (digits === '' || [...digits].some((digit) => digit < '0' || digit > '9')) return undefined;
  const limit = Number(digits) * unit;
  return Number.isSafeInteger(limit) ? limit : undefined;
}
