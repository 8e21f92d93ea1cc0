// Each kind of request, and who carries it out.

import type { LdapRequest } from '../../wire/ldap/message.ts';
import type { LdapHandler } from './conversation.ts';
import { add } from './operations/add.ts';
import { bind } from './operations/bind.ts';
import { compare } from './operations/compare.ts';
import { deleteEntry } from './operations/delete.ts';
import { extended } from './operations/extended.ts';
import { modify } from './operations/modify.ts';
import { modifyDn } from './operations/modify-dn.ts';
import { search } from './operations/search.ts';

/** Requests that have a response. */
export type AnsweredRequest = Exclude<LdapRequest, { readonly kind: 'unbind' | 'abandon' }>;
export type AnsweredKind = AnsweredRequest['kind'];

export type LdapHandlers = {
  readonly [kind in AnsweredKind]: LdapHandler<Extract<AnsweredRequest, { readonly kind: kind }>>;
};

export const handlers: LdapHandlers = { add, bind, compare, delete: deleteEntry, extended, modify, modifyDn, search };
