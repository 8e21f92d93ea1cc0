// The patterns that a domain is looked for under, in order, and what of the domain each of them names.
//
//     sc.cs.siroe.edu   *.cs.siroe.edu   .cs.siroe.edu   *.*.siroe.edu   .siroe.edu   *.*.*.edu   .edu   *.*.*.*   .
//     [192.0.2.7]   [192.0.2.]   [192.0.]   [192.]   []   .
//
// In      a domain as an address has it: lower case, A-labels, or a literal
// Limits  twice as many as it has labels, and one

import { ANY, INITIAL } from './pattern.ts';

export interface Probe {
  readonly pattern: string;
  /** Of a name: what the pattern names, with its dot, `''` under `.` and `$*`. Of a literal that is not named whole: its beginning, without the bracket. */
  readonly matched: string;
  /** What stands left of it. Under `.` and `$*` all of it. */
  readonly unmatched: string;
  /** Of a literal: what follows the beginning, without the bracket. */
  readonly rest: string;
}

/** What comes before all else. */
export function initialProbe(domain: string): Probe {
  return { pattern: INITIAL, matched: '', unmatched: domain, rest: literalText(domain) };
}

export function probesOf(domain: string): Probe[] {
  const probes = [{ pattern: domain, matched: domain, unmatched: '', rest: '' }];
  if (domain.startsWith('[')) literalProbes(domain, probes);
  else nameProbes(domain, probes);
  probes.push({ pattern: ANY, matched: '', unmatched: domain, rest: literalText(domain) });
  return probes;
}

function nameProbes(domain: string, probes: Probe[]): void {
  let wild = '*';
  for (let dot = domain.indexOf('.'); dot >= 0; dot = domain.indexOf('.', dot + 1)) {
    const matched = domain.slice(dot);
    const unmatched = domain.slice(0, dot);
    probes.push({ pattern: `${wild}${matched}`, matched, unmatched, rest: '' });
    probes.push({ pattern: matched, matched, unmatched, rest: '' });
    wild += '.*';
  }
  probes.push({ pattern: wild, matched: '', unmatched: domain, rest: '' });
}

function literalProbes(domain: string, probes: Probe[]): void {
  const text = literalText(domain);
  if (!text.includes(':'))
    for (let dot = text.lastIndexOf('.'); dot > 0; dot = text.lastIndexOf('.', dot - 1)) {
      const matched = text.slice(0, dot + 1);
      probes.push({ pattern: `[${matched}]`, matched, unmatched: '', rest: text.slice(dot + 1) });
    }
  probes.push({ pattern: '[]', matched: '', unmatched: '', rest: text });
}

/** Without its brackets; `''` for a name. */
function literalText(domain: string): string {
  return domain.startsWith('[') ? domain.slice(1, -1) : '';
}
