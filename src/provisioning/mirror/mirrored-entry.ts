// An entry of a source as the mirror keeps it: its attributes, its times, and what mail sees in it.
//
// In      an entry as the source's server gives it, with what READ asks for; the source's settings
// Out     a MirroredEntry; undefined for one without a UUID, or outside of the source's base. An attribute whose name is none is
//         left out: it would be lines of its own in LDIF
// Rules   schema `inetorgperson`: a person with a mail address is a user, a group of names a list; `sun`: classes as ours have
//         them. A filter of the source's decides in their place

import { asciiLower } from '../../base/characters.ts';
import { isAttributeName } from '../../directory/attribute-name.ts';
import { isAtOrBelow, parseDn } from '../../directory/dn.ts';
import type { Attribute, Entry } from '../../directory/entry.ts';
import { hasClass } from '../../directory/entry.ts';
import { type MailView, mailViewText } from '../../directory/mail-view.ts';
import { compileFilter, type Matcher, OUTSIDE } from '../../directory/match.ts';
import type { MirroredEntry } from '../../directory/mirrored-change.ts';
import { generalizedTimeToMs } from '../../directory/scalars.ts';
import { schema } from '../../directory/schema.ts';
import { parseFilter } from '../../wire/ldap/filter-text.ts';
import type { SearchEntry } from '../../wire/ldap/operations/search.ts';
import type { LdapSource } from '../ldap-source.ts';

const OPERATIONAL = ['entryUUID', 'entryCSN', 'createTimestamp', 'modifyTimestamp', 'creatorsName', 'modifiersName'];

/** What a search of a source asks for. */
export const READ: readonly string[] = ['*', ...OPERATIONAL];

const PERSONS = ['inetorgperson', 'organizationalperson', 'person'];
const GROUPS = ['groupofnames', 'groupofuniquenames'];

/** A source's settings, ready for many entries. */
export class EntryMap {
  readonly #base: ReturnType<typeof parseDn>;
  readonly #attributes: MailView['attributes'];
  readonly #isSun: boolean;
  readonly #isUser: Matcher | undefined;
  readonly #isGroup: Matcher | undefined;

  constructor(source: LdapSource) {
    this.#base = parseDn(source.base);
    this.#attributes = source.attributes;
    this.#isSun = source.schema === 'sun';
    this.#isUser = source.userFilter === undefined ? undefined : compileFilter(parseFilter(source.userFilter));
    this.#isGroup = source.groupFilter === undefined ? undefined : compileFilter(parseFilter(source.groupFilter));
  }

  /** `now` stands for times that the source does not tell. */
  take({ dn: text, attributes: given }: SearchEntry, now: number, known?: string): MirroredEntry | undefined {
    const operational = new Map<string, string>();
    const attributes: Attribute[] = [];
    for (const attribute of given) {
      const key = asciiLower(attribute.name);
      if (!isAttributeName(key)) continue;
      if (!OPERATIONAL_KEYS.has(key)) attributes.push(attribute);
      else if (typeof attribute.values[0] === 'string') operational.set(key, attribute.values[0]);
    }
    const uuid = known ?? operational.get('entryuuid');
    const dn = parseDn(text);
    if (uuid === undefined || !isAtOrBelow(dn, this.#base)) return undefined;
    const at = (key: string): number => generalizedTimeToMs(operational.get(key) ?? '') ?? now;
    const csn = operational.get('entrycsn');
    const createdBy = operational.get('creatorsname');
    const modifiedBy = operational.get('modifiersname');
    return {
      dn: text,
      uuid,
      createdAt: at('createtimestamp'),
      modifiedAt: at('modifytimestamp'),
      ...(csn === undefined ? {} : { csn }),
      ...(createdBy === undefined ? {} : { createdBy }),
      ...(modifiedBy === undefined ? {} : { modifiedBy }),
      mailAs: mailViewText({ kind: this.#kindOf(entryOf(dn, uuid, attributes)), attributes: this.#attributes }),
      attributes,
    };
  }

  /** The same as an entry that stands nowhere. */
  entry(given: SearchEntry, now: number): Entry | undefined {
    const mirrored = this.take(given, now);
    if (mirrored === undefined) return undefined;
    const { mailAs = '' } = mirrored;
    const entry = entryOf(parseDn(mirrored.dn), mirrored.uuid, mirrored.attributes);
    return mailAs === '' ? entry : { ...entry, mailAs };
  }

  #kindOf(entry: Entry): MailView['kind'] {
    const isUser = this.#isUser?.(entry, OUTSIDE);
    const isGroup = this.#isGroup?.(entry, OUTSIDE);
    if (isGroup === true) return 'list';
    if (isUser === true) return 'user';
    const has = (classes: readonly string[]): boolean => classes.some((name) => hasClass(entry, name));
    if (this.#isSun) {
      const isOurs = has(['inetmailgroup']) ? this.#isGroup : has(['inetmailuser']) ? this.#isUser : undefined;
      return isOurs === undefined ? undefined : 'nobody';
    }
    if (this.#isGroup === undefined && has(GROUPS)) return 'list';
    return this.#isUser === undefined && has(PERSONS) && this.#hasMail(entry) ? 'user' : undefined;
  }

  #hasMail({ attributes }: Entry): boolean {
    const theirs = this.#attributes.find(([ours]) => asciiLower(ours) === 'mail')?.[1] ?? 'mail';
    return attributes.has(schema().description(theirs)?.key ?? asciiLower(theirs));
  }
}

const OPERATIONAL_KEYS = new Set(OPERATIONAL.map(asciiLower));

/** As filters look at it. */
function entryOf(dn: ReturnType<typeof parseDn>, uuid: string, attributes: readonly Attribute[]): Entry {
  const byKey = attributes.map((attribute): [string, Attribute] => [
    schema().description(attribute.name)?.key ?? asciiLower(attribute.name),
    attribute,
  ]);
  return {
    ...{ id: 0, parent: undefined, dn: dn.text, normalizedDn: dn.normalized, uuid, revision: 0 as Entry['revision'] },
    ...{ createdAt: 0, modifiedAt: 0, attributes: new Map(byKey) },
  };
}
