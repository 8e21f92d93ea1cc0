// What a zone means for the directory: which domain entries are made, changed and removed, and which are left alone.
//
// In      the mail domains of a zone (zone-mail.ts); the directory as it is
// Out     the changes, made in slices through the door of all others; what was done, and what was kept and why
// Rules   only entries that carry the zone's mark are changed or removed, and removed only when nothing lies below; a name that
//         another entry has, or that is an associatedDomain of one, is kept as it is
// States  plan (reads alone) -> slice after slice. Each slice says again what the plan has seen, so that an entry that was
//         taken over meanwhile is kept; a crash leaves whole slices, and a second run finishes
// Limits  SLICE domains a transaction; NAMED_MAX names in the answer
// A dry run ends with the plan.

import { asciiLower } from '../base/characters.ts';
import { Failure } from '../base/failure.ts';
import type { Reader } from '../database/operation.ts';
import { SERVER } from '../directory/caller.ts';
import { dcDnOfDomain, domainOfDcDn } from '../directory/dn.ts';
import { children, entriesWith, findEntry, hasChildren } from '../directory/entries.ts';
import { type DirectoryChange, type Entry, type Modification, textValue } from '../directory/entry.ts';
import { mailDomainOf } from '../directory/mail-domain.ts';
import { readRouteOfDirectory } from '../routing/associated-domains.ts';
import { takeOver } from './generated.ts';
import { type ProvisioningParts, submitChange } from './submit.ts';
import type { ZoneRoute } from './zone-mail.ts';
import { sourceMark } from './zone-source.ts';

const SLICE = 200;
/** Entries that are read in one turn of the event loop. */
const PAGE = 200;
const NAMED_MAX = 1000;

export type ZoneChange = 'made' | 'changed' | 'removed' | 'kept';

export interface ZoneOutcome {
  readonly zone: string;
  readonly dryRun: boolean;
  readonly made: number;
  readonly changed: number;
  readonly removed: number;
  readonly kept: number;
  /** The first thousand of them by name. */
  readonly domains: readonly {
    readonly domain: string;
    readonly change: ZoneChange;
    readonly route?: ZoneRoute;
    /** Of one that was kept. */
    readonly why?: string;
  }[];
}

export interface ZoneChangeParts extends ProvisioningParts {
  readonly reader: Reader;
}

export interface ZoneContents {
  readonly zone: string;
  readonly domains: Iterable<readonly [domain: string, route: ZoneRoute]>;
  readonly dryRun: boolean;
  /** Asked between slices; throws when the server stops. */
  readonly goesOn: () => void;
}

/** One domain's part of the plan. */
interface Step {
  readonly domain: string;
  readonly change: Exclude<ZoneChange, 'kept'>;
  readonly route?: ZoneRoute;
  /** Made together or not at all. */
  readonly changes: readonly DirectoryChange[];
}

export async function applyZone(parts: ZoneChangeParts, contents: ZoneContents): Promise<ZoneOutcome> {
  const { zone, dryRun } = contents;
  const run = new Run(zone);
  for await (const step of plan(parts.reader, contents, run)) {
    if (dryRun) run.done(step);
    else if (run.wait(step) === SLICE) await makeSlice(parts, contents, run);
  }
  if (!dryRun) await makeSlice(parts, contents, run);
  return run.outcome(dryRun);
}

/** What has been done so far, and what waits for its slice. */
class Run {
  readonly #zone: string;
  readonly #counts = { made: 0, changed: 0, removed: 0, kept: 0 };
  readonly #named: ZoneOutcome['domains'][number][] = [];
  #waiting: Step[] = [];

  constructor(zone: string) {
    this.#zone = zone;
  }

  /** How many wait now. */
  wait(step: Step): number {
    return this.#waiting.push(step);
  }

  slice(): readonly Step[] {
    const steps = this.#waiting;
    this.#waiting = [];
    return steps;
  }

  done({ domain, change, route }: Step): void {
    this.#note({ domain, change, ...(route === undefined ? {} : { route }) });
  }

  keep(domain: string, why: string): void {
    this.#note({ domain, change: 'kept', why });
  }

  #note(named: ZoneOutcome['domains'][number]): void {
    this.#counts[named.change]++;
    if (this.#named.length < NAMED_MAX) this.#named.push(named);
  }

  outcome(dryRun: boolean): ZoneOutcome {
    return { zone: this.#zone, dryRun, ...this.#counts, domains: this.#named };
  }
}

async function makeSlice(parts: ZoneChangeParts, { goesOn }: ZoneContents, run: Run): Promise<void> {
  const steps = run.slice();
  if (steps.length === 0) return;
  goesOn();
  try {
    await make(parts, steps);
    for (const step of steps) run.done(step);
  } catch (error) {
    if (isTemporary(error)) throw error;
    // One of them does not go, and all were undone: each by itself says which.
    for (const step of steps) {
      goesOn();
      await makeOne(parts, step, run);
    }
  }
}

async function makeOne(parts: ZoneChangeParts, step: Step, run: Run): Promise<void> {
  try {
    await make(parts, [step]);
    run.done(step);
  } catch (error) {
    if (isTemporary(error)) throw error;
    run.keep(step.domain, (error as Failure).message);
  }
}

async function make(parts: ZoneChangeParts, steps: readonly Step[]): Promise<void> {
  await submitChange(parts, { changes: steps.flatMap(({ changes }) => changes), caller: SERVER, peer: '' });
}

/** Says nothing about the change. */
function isTemporary(error: unknown): boolean {
  return !(error instanceof Failure) || error.kind === 'unavailable' || error.kind === 'full';
}

/** The steps in an order in which they can be made; what is kept by the plan goes into `run`. */
async function* plan(reader: Reader, contents: ZoneContents, run: Run): AsyncGenerator<Step> {
  const { zone } = contents;
  const mark = sourceMark(zone);
  const wanted = new Set<string>();
  for (const [domain, route] of contents.domains) {
    wanted.add(domain);
    if (wanted.size % PAGE === 0) await turn();
    const step = stepFor(reader, { domain, route, mark });
    if (typeof step === 'string') run.keep(domain, step);
    else if (step !== undefined) yield step;
  }
  yield* planRemovals(reader, mark, wanted, run);
}

/** Undefined: the entry is as it should be. Text: why it is kept. */
function stepFor(
  reader: Reader,
  { domain, route, mark }: { readonly domain: string; readonly route: ZoneRoute; readonly mark: string },
): Step | string | undefined {
  const entry = findEntry(reader, dcDnOfDomain(domain));
  const attributes = domainAttributes(domain, route, mark);
  if (entry === undefined || takeOver(entry, attributes) !== undefined) {
    // An entry of its own would win over the name that another domain's people have.
    const aliasOf = readRouteOfDirectory(reader, domain)?.aliasOf;
    if (aliasOf !== undefined) return `it is an associatedDomain of ${aliasOf}`;
    return { domain, route, change: 'made', changes: [{ kind: 'add', dn: dcDnOfDomain(domain), attributes }] };
  }
  if (!carries(entry, mark)) {
    const source = textValue(entry, 'waypostsource');
    return source === undefined ? 'this entry was not made from the zone' : `this entry follows ${source}`;
  }
  const is = textValue(entry, 'waypostroute');
  const should = route === 'mx' ? 'mx' : undefined;
  if ((is === undefined ? undefined : asciiLower(is)) === should) return undefined;
  const routeNow: Modification = {
    operation: 'replace',
    attribute: 'waypostRoute',
    values: should === undefined ? [] : [should],
  };
  return { domain, route, change: 'changed', changes: [still(entry, mark, [routeNow])] };
}

function domainAttributes(domain: string, route: ZoneRoute, mark: string) {
  return [
    { name: 'objectClass', values: ['domain', 'inetDomain', 'mailDomain', 'waypostDomain'] },
    { name: 'dc', values: [domain.slice(0, `${domain}.`.indexOf('.'))] },
    { name: 'waypostSource', values: [mark] },
    ...(route === 'mx' ? [{ name: 'waypostRoute', values: ['mx'] }] : []),
  ];
}

function carries(entry: Entry, mark: string): boolean {
  const source = textValue(entry, 'waypostsource');
  return source !== undefined && asciiLower(source) === mark;
}

/** The change fails where the entry does not carry the mark any more: a value that is not there cannot be taken away. */
function still(entry: Entry, mark: string, modifications: readonly Modification[]): DirectoryChange {
  const again: Modification[] = [
    { operation: 'delete', attribute: 'waypostSource', values: [mark] },
    { operation: 'add', attribute: 'waypostSource', values: [mark] },
  ];
  return { kind: 'modify', dn: entry.dn, modifications: [...again, ...modifications] };
}

async function* planRemovals(
  reader: Reader,
  mark: string,
  wanted: ReadonlySet<string>,
  run: Run,
): AsyncGenerator<Step> {
  const dropped: string[] = [];
  for (let after = 0; ; ) {
    const page = entriesWith(reader, 'waypostSource', mark, PAGE, after);
    for (const entry of page) {
      const domain = domainOfDcDn(entry.normalizedDn);
      if (domain !== undefined && carries(entry, mark) && !wanted.has(domain)) dropped.push(domain);
    }
    if (page.length < PAGE) break;
    after = page.at(-1)!.id;
    await turn();
  }
  const needed = await aboveWanted(new Set(dropped), wanted);
  // What lies below goes first.
  dropped.sort((a, b) => b.split('.').length - a.split('.').length);
  const going = new Set<number>();
  for (const [n, domain] of dropped.entries()) {
    if (n % PAGE === 0) await turn();
    const entry = findEntry(reader, dcDnOfDomain(domain));
    if (entry === undefined) continue;
    if (needed.has(domain) || !isBare(reader, entry, going)) {
      run.keep(domain, 'the zone has dropped it, and entries lie below');
      continue;
    }
    going.add(entry.id);
    yield {
      domain,
      change: 'removed',
      changes: [still(entry, mark, []), { kind: 'delete', dn: entry.dn }],
    };
  }
}

/** Those of `dropped` that have a wanted domain below, which may be made in this very run. */
async function aboveWanted(dropped: ReadonlySet<string>, wanted: ReadonlySet<string>): Promise<ReadonlySet<string>> {
  const above = new Set<string>();
  if (dropped.size === 0) return above;
  let count = 0;
  for (const name of wanted) {
    if (++count % PAGE === 0) await turn();
    for (let dot = name.indexOf('.'); dot >= 0; dot = name.indexOf('.', dot + 1)) {
      const ancestor = name.slice(dot + 1);
      if (dropped.has(ancestor)) above.add(ancestor);
    }
  }
  return above;
}

/** Nothing lies below but empty containers that go along, and domains that go before. */
function isBare(reader: Reader, entry: Entry, going: ReadonlySet<number>): boolean {
  const isDomain = mailDomainOf(entry) !== undefined;
  for (let after = 0; ; ) {
    const page = children(reader, entry.id, PAGE, after);
    for (const child of page) {
      const isContainer = isDomain && child.generated === true && child.normalizedDn.startsWith('ou=');
      if (!going.has(child.id) && !(isContainer && !hasChildren(reader, child.id))) return false;
    }
    if (page.length < PAGE) return true;
    after = page.at(-1)!.id;
  }
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
