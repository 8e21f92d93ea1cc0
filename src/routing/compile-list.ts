// What a list's entry says beside its members: the URLs that find members, and who may send to it. Part of compile.ts.
//
// In      one entry
// Out     urls and rules of its row; what cannot be used is named as a problem
// Limits  VALUES_MAX values of one attribute: more of a rule cannot be obeyed, so that the list waits for a smaller one
// Values  of broadcasters and moderators: a DN, `ldap:///...`, `mailto:address`, an address; of domains: `*` is any text

import { asciiLower } from '../base/characters.ts';
import { DOMAIN_BYTES } from '../base/limits.ts';
import { type Entry, textValue, textValues } from '../directory/entry.ts';
import { type LdapUrl, parseLdapUrl } from '../directory/ldap-url.ts';
import { type ListParty, partyOf } from '../directory/list-party.ts';
import { compileListTexts, ownKeys } from './list-texts.ts';
import { replyTextOf } from './replies.ts';
import type { ListRules, ListTexts, Problem } from './rows.ts';

const VALUES_MAX = 1000;
const URLS_MAX = 100;
const SIZE_MAX = Number.MAX_SAFE_INTEGER;

interface CompiledList {
  readonly urls: readonly LdapUrl[];
  /** Undefined where everybody may send. */
  readonly rules: ListRules | undefined;
  readonly texts: ListTexts | undefined;
  /** Rules that this program cannot obey. */
  readonly unsupported: readonly string[];
}

export function compileList(entry: Entry, problems: Problem[]): CompiledList {
  const compiling = new Compiling(entry, problems);
  const texts = compileListTexts(entry, problems);
  const urls = compiling.urls();
  const rules = compiling.rules();
  return { urls, rules, texts, unsupported: compiling.unsupported };
}

class Compiling {
  readonly #entry: Entry;
  readonly #problems: Problem[];
  readonly unsupported: string[] = [];

  constructor(entry: Entry, problems: Problem[]) {
    this.#entry = entry;
    this.#problems = problems;
  }

  urls(): LdapUrl[] {
    const urls: LdapUrl[] = [];
    for (const attribute of ['memberURL', 'mgrpDeliverTo']) {
      for (const value of textValues(this.#entry, asciiLower(attribute))) {
        const parsed = parseLdapUrl(value.trim());
        if ('problem' in parsed) this.#problem(attribute, value, parsed.problem);
        else if (urls.length === URLS_MAX) this.#problem(attribute, value, `is one more than ${URLS_MAX} URLs`);
        else urls.push(parsed.url);
      }
    }
    return urls;
  }

  rules(): ListRules | undefined {
    const moderators = this.#moderators();
    const found: ListRules = {
      ...this.#policy(),
      ...given('allowedBroadcasters', this.#parties('mgrpAllowedBroadcaster')),
      ...given('disallowedBroadcasters', this.#parties('mgrpDisallowedBroadcaster')),
      ...given('allowedDomains', this.#domains('mgrpAllowedDomain')),
      ...given('disallowedDomains', this.#domains('mgrpDisallowedDomain')),
      ...given('sizeMax', this.#sizeMax()),
      ...given('moderators', moderators),
      ...given('toModerator', this.#toModerator(moderators !== undefined)),
    };
    if (Object.keys(found).length === 0) return undefined;
    return { ...found, ...given('rejectText', this.#rejectText()) };
  }

  /** One who is the list itself would be asked about his own question. */
  #moderators(): ListParty[] | undefined {
    const attribute = 'mgrpModerator';
    const keys = ownKeys(this.#entry);
    return this.#parties(attribute)?.filter((party) => {
      if ('url' in party) return true;
      const name = 'dn' in party ? party.dn : party.address;
      const isItself = 'dn' in party ? name === this.#entry.normalizedDn : keys.has(name);
      if (isItself) this.#problem(attribute, name, 'is the list itself');
      return !isItself;
    });
  }

  #policy(): Pick<ListRules, 'authenticated' | 'either'> {
    const attribute = 'mgrpBroadcasterPolicy';
    const policy: { authenticated?: true; either?: true } = {};
    const values = textValues(this.#entry, asciiLower(attribute));
    if (values.length > VALUES_MAX) this.#problem(attribute, values[VALUES_MAX]!, `is one more than ${VALUES_MAX}`);
    for (const value of values.slice(0, VALUES_MAX)) {
      for (const word of value.split(/[\s,]+/)) {
        switch (asciiLower(word)) {
          case 'smtp_auth_required':
          case 'auth_req':
            policy.authenticated = true;
            break;
          case 'or':
            policy.either = true;
            break;
          case 'and':
          case 'no_requirements':
          case '':
            break;
          case 'password_required':
          case 'passwd_required':
          case 'passwd_req':
            // Decided when the message is there: list-texts.ts.
            break;
          default:
            this.#problem(attribute, value, `has a word that is none of SMTP_AUTH_REQUIRED, AUTH_REQ, OR, AND`);
        }
      }
    }
    return policy;
  }

  #parties(attribute: string): ListParty[] | undefined {
    return this.#values(attribute)?.flatMap((value) => {
      const party = partyOf(value.trim());
      if (typeof party !== 'string') return [party];
      this.#problem(attribute, value, party);
      return [];
    });
  }

  #domains(attribute: string): string[] | undefined {
    return this.#values(attribute)?.flatMap((value) => {
      const pattern = asciiLower(value.trim());
      if (pattern !== '' && pattern.length <= DOMAIN_BYTES) return [pattern];
      this.#problem(attribute, value, 'is no domain and no pattern of domains');
      return [];
    });
  }

  /** Undefined where the attribute is not there. */
  #values(attribute: string): readonly string[] | undefined {
    const values = textValues(this.#entry, asciiLower(attribute));
    if (values.length <= VALUES_MAX) return values.length === 0 ? undefined : values;
    const name = `${attribute}: more than ${VALUES_MAX} values`;
    this.#cannotObey(name);
    this.#problem(attribute, values[0]!, `is one of more than ${VALUES_MAX} values; name a list instead`);
    return [];
  }

  #sizeMax(): number | undefined {
    const attribute = 'mgrpMsgMaxSize';
    const value = textValue(this.#entry, asciiLower(attribute))?.trim();
    if (value === undefined) return undefined;
    const size = Number(value);
    if (value !== '' && size > 0 && size <= SIZE_MAX && Number.isInteger(size)) return size;
    this.#problem(attribute, value, 'is no number of octets');
    return undefined;
  }

  #toModerator(hasModerators: boolean): true | undefined {
    const attribute = 'mgrpMsgRejectAction';
    const value = textValue(this.#entry, asciiLower(attribute))?.trim();
    if (value === undefined || asciiLower(value) === 'reply') return undefined;
    const isKnown = asciiLower(value) === 'tomoderator';
    if (isKnown && hasModerators) return true;
    const reason = isKnown ? 'mgrpModerator is missing: acts as reply' : 'is none of reply, toModerator';
    this.#problem(attribute, value, reason);
    return undefined;
  }

  #rejectText(): string | undefined {
    const text = textValue(this.#entry, 'mgrpmsgrejecttext') ?? textValue(this.#entry, 'mailrejecttext');
    return replyTextOf(text);
  }

  #problem(attribute: string, value: string, reason: string): void {
    this.#problems.push({ attribute, value, reason });
  }

  #cannotObey(name: string): void {
    if (!this.unsupported.includes(name)) this.unsupported.push(name);
  }
}

function given<K extends string, V>(key: K, value: V | undefined): { readonly [k in K]?: V } {
  return value === undefined ? {} : ({ [key]: value } as { readonly [k in K]: V });
}
