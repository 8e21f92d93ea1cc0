// What comes and goes while mail comes in: users with statuses and mail hosts, aliases, lists, domains; and how RCPT and MX
// answer for each of their states.

import { Attribute, Change, type Client } from 'ldapts';
import { addDomain, domainDn, userAttributes, userDn } from '../support/directory.ts';

/** A host entry with the probes' address: mail for who lives there would go straight back, and RCPT says so. */
export const PROBES_HOST = 'probes.example';
/** So few that the same addresses come and go, and negative answers are remembered and have to be forgotten. */
const NAMES = 25;

export const TAKEN = '250 2.1.5';
const NO_SUCH_USER = '550 5.1.1';
const FOUND = 'MX mail.waypost.example';

export interface Answers {
  /** How the reply to RCPT begins. */
  readonly rcpt: string;
  /** MX exchanges or the response code, of a thing that is a domain. */
  readonly mx?: string;
}

interface Move {
  readonly to: string;
  readonly by: (client: Client) => Promise<unknown>;
}

/** One thing that changes. */
export interface Thing {
  readonly address: string;
  /** Of a domain: its name. */
  readonly domain?: string;
  /** By state. `gone` is the first one, in `here` it takes messages. */
  readonly answers: Readonly<Record<string, Answers>>;
  /** By state: what may be done in it. */
  readonly moves: Readonly<Record<string, readonly Move[]>>;
  /** All its states, today's last. */
  readonly states: string[];
  /** Where a change that is under way leads. */
  next?: string | undefined;
}

export function answersOf({ answers, states }: Thing): Answers {
  return answers[states.at(-1)!]!;
}

function thing(parts: Pick<Thing, 'address' | 'answers' | 'moves'> & { readonly domain?: string }): Thing {
  return { ...parts, states: ['gone'] };
}

function modify(dn: string, operation: 'add' | 'delete' | 'replace', type: string, values: string[]): Move['by'] {
  const change = new Change({ operation, modification: new Attribute({ type, values }) });
  return (client) => client.modify(dn, change);
}

/** All things of worker `n`, in a domain of its own; `fix` is the user in it who stays. */
export function thingsOf(n: number): Thing[] {
  const home = `home${n}.example`;
  const all: Thing[] = [];
  for (let i = 0; i < NAMES; i++) all.push(userThing(`user${i}@${home}`, i % 2 === 0));
  for (let i = 0; i < 3; i++) {
    const fix = userDn(`fix@${home}`);
    const alias = [`alias${i}@${home}`];
    all.push(
      twoStates({
        address: alias[0]!,
        add: modify(fix, 'add', 'mailAlternateAddress', alias),
        remove: modify(fix, 'delete', 'mailAlternateAddress', alias),
      }),
    );
    const list = `cn=list${i},ou=Groups,${domainDn(home)}`;
    all.push(
      twoStates({
        address: `list${i}@${home}`,
        add: (client) =>
          client.add(list, {
            objectClass: ['groupOfUniqueNames', 'inetMailGroup', 'inetLocalMailRecipient'],
            cn: `list${i}`,
            mail: `list${i}@${home}`,
            uniqueMember: fix,
          }),
        remove: (client) => client.del(list),
      }),
    );
    // One in the zone of the worker's domain, one that is a zone of its own.
    for (const domain of [`sub${i}.${home}`, `zone${n}x${i}.example`])
      all.push(
        twoStates({
          address: `anybody@${domain}`,
          domain,
          refusal: { rcpt: '550 5.7.1', mx: domain.endsWith(home) ? 'NXDOMAIN' : 'REFUSED' },
          add: (client) => addDomain(client, domain, { mailDomainCatchallAddress: `fix@${home}` }),
          remove: (client) => client.del(domainDn(domain)),
        }),
      );
  }
  return all;
}

interface TwoStates {
  readonly address: string;
  readonly domain?: string;
  readonly refusal?: Answers;
  readonly add: Move['by'];
  readonly remove: Move['by'];
}

function twoStates({ address, domain, refusal = { rcpt: NO_SUCH_USER }, add, remove }: TwoStates): Thing {
  return thing({
    address,
    ...(domain === undefined ? {} : { domain }),
    answers: { gone: refusal, here: { rcpt: TAKEN, mx: FOUND } },
    moves: { gone: [{ to: 'here', by: add }], here: [{ to: 'gone', by: remove }] },
  });
}

function userThing(address: string, hasPassword: boolean): Thing {
  // Hashed already, or without a password: the hash would be most of the time.
  const { userPassword, ...withoutPassword } = userAttributes(address);
  const attributes = hasPassword ? { ...withoutPassword, userPassword: userPassword! } : withoutPassword;
  const dn = userDn(address);
  const gone: Move = { to: 'gone', by: (client) => client.del(dn) };
  const replace = (to: string, type: string, values: string[]): Move => ({
    to,
    by: modify(dn, 'replace', type, values),
  });
  const active = replace('here', 'mailUserStatus', []);
  return thing({
    address,
    answers: {
      gone: { rcpt: NO_SUCH_USER },
      here: { rcpt: TAKEN },
      inactive: { rcpt: '450 4.2.1' },
      disabled: { rcpt: '550 5.2.1' },
      elsewhere: { rcpt: '451 4.4.6' },
    },
    moves: {
      gone: [{ to: 'here', by: (client) => client.add(dn, attributes) }],
      here: [
        gone,
        replace('inactive', 'mailUserStatus', ['inactive']),
        replace('disabled', 'mailUserStatus', ['disabled']),
        replace('elsewhere', 'mailHost', [PROBES_HOST]),
      ],
      inactive: [gone, active],
      disabled: [gone, active],
      elsewhere: [gone, replace('here', 'mailHost', [])],
    },
  });
}
