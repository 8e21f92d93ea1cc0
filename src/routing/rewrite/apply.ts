// One rule applied to one address under one of its probes.
//
// In      the rule's template, the address, the probe; the door, and which domains have entries
// Out     the address that comes of it and where it goes; or the words of a refusal; or why the rule fails, and probing goes on
// Limits  FILLED_CHARACTERS of what a template makes: a thousand rules that fail are tried for one recipient
// Never   reads the local part but for its `+`

import { asciiLower } from '../../base/characters.ts';
import { LOCAL_PART_BYTES } from '../../base/limits.ts';
import { type Address, formatAddress, tryParseDomain } from '../../message/address.ts';
import { formatHops, parseDestination } from '../destination.ts';
import type { Door } from '../route-request.ts';
import type { Probe } from './probe.ts';
import { isControl, type Piece, type Template, type TemplateControl } from './template.ts';

export interface Conditions {
  readonly door: Door;
  /** Undefined: not known yet, and asked for. */
  readonly hasDomainEntry: (domain: string) => boolean | undefined;
}

export type Applied =
  | { readonly result: 'failed'; readonly why: string }
  /** Whether it holds depends on a row that is not loaded. */
  | { readonly result: 'unknown' }
  | { readonly result: 'refused'; readonly text: string | undefined }
  | {
      readonly result: 'applied';
      readonly address: Address;
      /** Undefined: the address begins anew. */
      readonly channel: string | undefined;
      readonly hop: string | undefined;
      /** What is said if this leads nowhere. */
      readonly text: string | undefined;
    };

export function applyRule(template: Template, address: Address, probe: Probe, conditions: Conditions): Applied {
  const { controls, address: made, text } = template;
  const held = controls.length === 0 ? true : holds(controls, probe, conditions);
  if (held === undefined) return { result: 'unknown' };
  if (held !== true) return failed(held);
  if (made === undefined) return { result: 'refused', text };
  const filled = new Filling(address, probe);
  const localPart = filled.text(made.user);
  const domainText = filled.text(made.domain);
  const hopText = made.hop === undefined ? undefined : asciiLower(filled.text(made.hop));
  if (filled.missing !== undefined) return failed(filled.missing);
  const problem = localPartProblem(localPart);
  if (problem !== undefined) return failed(problem);
  const domain = tryParseDomain(domainText);
  if (domain === undefined) return failed(`${domainText} is no domain`);
  const hop = hopText === undefined ? undefined : hopOf(hopText);
  if (hop === undefined && hopText !== undefined)
    return failed(hopText === '' ? 'the next hop is empty' : `${hopText} is no next hop`);
  const isSame = localPart === address.localPart && domain === address.domain;
  return {
    result: 'applied',
    address: isSame ? address : { localPart, domain },
    channel: made.channel?.name,
    hop,
    text,
  };
}

function failed(why: string): Applied {
  return { result: 'failed', why };
}

/** For people. */
export function appliedText(applied: Exclude<Applied, { result: 'unknown' }>): string {
  switch (applied.result) {
    case 'failed':
      return applied.why;
    case 'refused':
      return applied.text === undefined ? 'refused' : `refused: ${applied.text}`;
    default:
      return `becomes ${formatAddress(applied.address)}`;
  }
}

/** A row is asked for although another control may fail: all that is missing is found in one go. */
function holds(controls: readonly TemplateControl[], probe: Probe, conditions: Conditions): true | string | undefined {
  let isUnknown = false;
  /** Doors of `$M`: one is enough. */
  const doors: Door[] = [];
  for (const control of controls) {
    if (control.kind === 'door') {
      if (control.is) doors.push(control.door);
      else if (control.door === conditions.door) return `the message came in by ${control.door}`;
    } else if (control.kind === 'domain') {
      const name = new Filling(undefined, probe).text(control.name);
      const has = hasEntry(name, conditions);
      if (has === undefined) isUnknown = true;
      else if (has !== control.is) return has ? `${name} has a domain entry` : `${name} has no domain entry`;
    }
  }
  if (doors.length > 0 && !doors.includes(conditions.door))
    return `the message did not come in by ${doors.join(' or ')}`;
  return isUnknown ? undefined : true;
}

/** A name may begin with the dot of `$D`. */
function hasEntry(name: string, conditions: Conditions): boolean | undefined {
  const domain = tryParseDomain(name.startsWith('.') ? name.slice(1) : name);
  return domain === undefined ? false : conditions.hasDomainEntry(domain);
}

/** A domain, or hosts that are named; in the spelling of destinations. */
function hopOf(text: string): string | undefined {
  const destination = parseDestination(text);
  if (destination === undefined) return undefined;
  return 'hops' in destination ? formatHops(destination.hops) : tryParseDomain(destination.domain);
}

function localPartProblem(localPart: string): string | undefined {
  if (localPart === '') return 'the local part is empty';
  return localPart.length > LOCAL_PART_BYTES
    ? `the local part has more than ${LOCAL_PART_BYTES} characters`
    : undefined;
}

/** More than a domain has, or ten hops. */
const FILLED_CHARACTERS = 4000;

/** Pieces of a template with what an address and a probe give for them. */
class Filling {
  readonly #address: Address | undefined;
  readonly #probe: Probe;
  readonly #labels: { matched?: readonly string[]; unmatched?: readonly string[] } = {};
  /** The first thing that there is not. */
  missing: string | undefined;

  constructor(address: Address | undefined, probe: Probe) {
    this.#address = address;
    this.#probe = probe;
  }

  text(pieces: readonly Piece[]): string {
    let text = '';
    for (const piece of pieces) {
      if (text.length > FILLED_CHARACTERS) break;
      if (!isControl(piece)) text += this.#value(piece);
    }
    return text;
  }

  #value(piece: Exclude<Piece, TemplateControl>): string {
    switch (piece.kind) {
      case 'text':
        return piece.text;
      case 'user':
        return userPart(this.#address?.localPart ?? '', piece.part);
      case 'matched':
        return this.#probe.matched;
      case 'unmatched':
        return this.#probe.unmatched;
      case 'rest':
        return this.#probe.rest;
      case 'label': {
        this.#labels[piece.of] ??= labelsOf(this.#probe, piece.of);
        const labels = this.#labels[piece.of]!;
        const label = labels.at(piece.from === 'left' ? piece.at : -1 - piece.at);
        if (label === undefined) this.missing ??= `there is no ${piece.of} label ${piece.at} from the ${piece.from}`;
        return label ?? '';
      }
      default:
        return piece satisfies never;
    }
  }
}

function userPart(localPart: string, part: 'all' | 'base' | 'subaddress'): string {
  const plus = localPart.indexOf('+');
  if (part === 'all') return localPart;
  // What begins with `+` has no name in front of it.
  if (plus <= 0) return part === 'base' ? localPart : '';
  return part === 'base' ? localPart.slice(0, plus) : localPart.slice(plus + 1);
}

/** An address literal has none. */
function labelsOf({ pattern, matched, unmatched }: Probe, of: 'unmatched' | 'matched'): readonly string[] {
  if (pattern.startsWith('[')) return [];
  const text = of === 'unmatched' ? unmatched : matched;
  if (text === '' || text.startsWith('[')) return [];
  return (text.startsWith('.') ? text.slice(1) : text).split('.');
}
