// The first suffix of the directory, which holds the DC tree and `ou=Waypost`: a text that each thread knows from its start on.
//
// In      the DN that the store was made with
// Out     that DN, and what is made of it once
// Never   changes while a store is open: `suffixProblem` of provisioning/suffixes.ts says why a start is refused

export const DEFAULT_SUFFIX = 'o=internet';

let current = DEFAULT_SUFFIX;

export function firstSuffix(): string {
  return current;
}

/** From now on this thread's directory has this one; what is returned ends that. */
export function useSuffix(dn: string): () => void {
  const before = current;
  current = dn;
  return () => {
    current = before;
  };
}

/** What is made of the first suffix: made anew only where that is another. */
export function ofSuffix<T>(make: (suffix: string) => T): () => T {
  let made: { readonly of: string; readonly value: T } | undefined;
  return () => {
    if (made?.of !== current) made = { of: current, value: make(current) };
    return made.value;
  };
}
