// Access rules: which services an entry may be logged in to, and from where. Values of mailAllowedServiceAccess and
// mailDomainAllowedServiceAccess, as Sun's messaging servers have them.
//
//   value    = rule *("$" rule)
//   rule     = ("+" / "-") list ":" list            services, clients
//   list     = item *("," item) ["EXCEPT" list]     a EXCEPT b EXCEPT c is a EXCEPT (b EXCEPT c)
//   service  = imap imaps pop pops smtp smtps http ldap ldaps smime ALL *
//   client   = an address, net/bits, net/mask, ALL *
//
// In      the value; then a service and the address of a client
// Out     the rules as rows keep them; then whether they admit, and the rule that decided
// Order   allow rules first: a match admits; then deny rules: a match refuses; no match admits, unless there are allow rules
//         and no deny rule
// Limits  LENGTH_MAX characters
// Never   asks reverse DNS: host names, .domain, LOCAL, KNOWN, UNKNOWN and DNSSPOOFER do not parse. Letter case and blanks
//         round an item mean nothing

import { asciiLower } from '../base/characters.ts';
import { addressBits, networkBits } from '../net/ip-network.ts';

/** `a EXCEPT b EXCEPT c`, one array each. */
type Exceptions = readonly (readonly string[])[];

export interface AccessRule {
  readonly allows: boolean;
  /** As it was written. */
  readonly text: string;
  /** Words in lower case; `*` is all. */
  readonly services: Exceptions;
  /** What the bits of each client's address begin with; '' is all. */
  readonly clients: Exceptions;
}

export type ParsedAccess = { readonly rules: readonly AccessRule[] } | { readonly problem: string };

/** Services that somebody logs in to. */
export type AccessService = 'imap' | 'pop' | 'smtp' | 'http' | 'ldap';

export interface AccessQuestion {
  readonly service: AccessService;
  /** TLS from the first byte: `imaps` means this alone, `imap` both. */
  readonly isImplicit: boolean;
  /** '' for a client without one: only `*` means it. */
  readonly peer: string;
}

export interface AccessAnswer {
  readonly admits: boolean;
  /** Undefined where none matched. */
  readonly rule: AccessRule | undefined;
}

/** Words for services that somebody logs in to; that with s is TLS from the first byte. */
export const SERVICE_WORDS = ['imap', 'imaps', 'pop', 'pops', 'smtp', 'smtps', 'http', 'ldap', 'ldaps'] as const;

export function serviceOfWord(word: (typeof SERVICE_WORDS)[number]): Omit<AccessQuestion, 'peer'> {
  const isImplicit = word.endsWith('s');
  return { service: (isImplicit ? word.slice(0, -1) : word) as AccessService, isImplicit };
}

const LENGTH_MAX = 8192;
const SERVICES: readonly string[] = [...SERVICE_WORDS, 'smime'];
const SHOWN_MAX = 60;

/** A problem says the column, which counts characters from 1. */
export function parseAccessRules(value: string): ParsedAccess {
  if (value.length > LENGTH_MAX) return { problem: `column ${LENGTH_MAX + 1}: the value is too long` };
  try {
    return { rules: new RuleParser(value).rules() };
  } catch (error) {
    if (error instanceof BadRule) return { problem: error.message };
    throw error;
  }
}

export function judgeAccess(rules: readonly AccessRule[], question: AccessQuestion): AccessAnswer {
  const matches = matcherOf(question);
  const allowing = rules.find((rule) => rule.allows && matches(rule));
  if (allowing !== undefined) return { admits: true, rule: allowing };
  const denying = rules.find((rule) => !rule.allows && matches(rule));
  if (denying !== undefined) return { admits: false, rule: denying };
  return { admits: rules.length === 0 || rules.some((rule) => !rule.allows), rule: undefined };
}

function matcherOf({ service, isImplicit, peer }: AccessQuestion): (rule: AccessRule) => boolean {
  const bits = addressBits(peer) ?? '';
  const isService = (word: string): boolean =>
    word === '*' || word === service || (isImplicit && word === `${service}s`);
  const isClient = (prefix: string): boolean => bits.startsWith(prefix);
  return (rule) => isAmong(rule.services, isService) && isAmong(rule.clients, isClient);
}

/** In the first list, but not in the second, unless in the third, ...: what counts is how many in a row it is in. */
function isAmong(lists: Exceptions, isItem: (item: string) => boolean): boolean {
  const missing = lists.findIndex((list) => !list.some(isItem));
  return (missing < 0 ? lists.length : missing) % 2 === 1;
}

class BadRule extends Error {}

class RuleParser {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  rules(): AccessRule[] {
    const rules = [this.#rule()];
    while (this.#takes('$')) rules.push(this.#rule());
    if (this.#at < this.#text.length) throw this.#expected('"$" or the end');
    return rules;
  }

  #rule(): AccessRule {
    this.#skipBlanks();
    const start = this.#at;
    const allows = this.#takes('+');
    if (!allows && !this.#takes('-')) throw this.#expected('"+" or "-"');
    const services = this.#list(serviceOf, '$,:');
    if (!this.#takes(':')) throw this.#expected('":" and the clients');
    const clients = this.#list(clientOf, '$,');
    return { allows, text: this.#text.slice(start, this.#at).trimEnd(), services, clients };
  }

  #list(read: (word: string) => string | { readonly problem: string }, border: string): Exceptions {
    const lists: string[][] = [];
    do {
      const list: string[] = [];
      do list.push(this.#item(read, border));
      while (this.#takes(','));
      lists.push(list);
    } while (this.#takesExcept(border));
    return lists;
  }

  #item(read: (word: string) => string | { readonly problem: string }, border: string): string {
    this.#skipBlanks();
    const start = this.#at;
    const word = this.#word(border);
    const item = read(asciiLower(word));
    if (typeof item === 'string') return item;
    this.#at = start;
    throw this.#expected(item.problem, word);
  }

  #takesExcept(border: string): boolean {
    this.#skipBlanks();
    const start = this.#at;
    if (asciiLower(this.#word(border)) === 'except') return true;
    this.#at = start;
    return false;
  }

  /** Up to a blank, a character of `border`, or the end. */
  #word(border: string): string {
    const start = this.#at;
    while (this.#at < this.#text.length && !isBlank(this.#text, this.#at) && !border.includes(this.#text[this.#at]!))
      this.#at++;
    return this.#text.slice(start, this.#at);
  }

  #takes(character: string): boolean {
    this.#skipBlanks();
    if (this.#text[this.#at] !== character) return false;
    this.#at++;
    return true;
  }

  #skipBlanks(): void {
    while (isBlank(this.#text, this.#at)) this.#at++;
  }

  #expected(what: string, found = this.#text.slice(this.#at, this.#at + 1)): BadRule {
    const shown = found.length > SHOWN_MAX ? `${found.slice(0, SHOWN_MAX)}...` : found;
    const stands = shown === '' ? 'nothing stands here' : `"${shown.replace(/[^\x20-\x7e]/g, '?')}" stands here`;
    return new BadRule(`column ${this.#at + 1}: ${what} is expected, ${stands}`);
  }
}

function isBlank(text: string, at: number): boolean {
  return text[at] === ' ' || text[at] === '\t';
}

function serviceOf(word: string): string | { readonly problem: string } {
  if (word === '*' || word === 'all') return '*';
  return SERVICES.includes(word) ? word : { problem: `a service (${SERVICES.join(', ')}, ALL or *)` };
}

function clientOf(word: string): string | { readonly problem: string } {
  if (word === '*' || word === 'all') return '';
  return networkBits(word) ?? { problem: 'an address, net/bits, net/mask, ALL or * (no host name)' };
}
