// Which host has the mailbox of an entry: this one, or another.
//
// In      the entry's mailHost, undefined where it names none; what this host is called
// Out     the name of the other host; undefined for this one

export interface Here {
  /** This host: its name, then its former names; lower case. */
  readonly hostnames: readonly string[];
  /** The host of who names none. Absent: this one. */
  readonly defaultHost?: string | undefined;
}

export function hostElsewhere(mailHost: string | undefined, { hostnames, defaultHost }: Here): string | undefined {
  const host = mailHost ?? defaultHost;
  return host === undefined || hostnames.includes(host) ? undefined : host;
}
