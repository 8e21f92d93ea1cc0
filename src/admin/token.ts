// token add, list, remove: passwords for programs. An account's for its mail programs; the Directory Manager's for `/v1`.

import { z } from 'zod';
import { hashOfToken, newToken } from '../auth/token.ts';
import { DURATION_TEXT, DURATION_WORDS, durationMs } from '../base/duration.ts';
import { Failure } from '../base/failure.ts';
import type { Revision } from '../base/ids.ts';
import { ADMINISTRATOR_DN, isAdministrator } from '../directory/caller.ts';
import { entriesWithTokens, findEntry } from '../directory/entries.ts';
import { type Entry, textValue } from '../directory/entry.ts';
import { isTokenName, type StoredToken, TOKEN_SCOPES, type TokenScope, tokensOf } from '../directory/token.ts';
import type { ChangeSummary } from '../provisioning/change.ts';
import { addToken, removeToken } from '../provisioning/token.ts';
import { type Changed, changedOf } from './changed.ts';
import { dryRun, type EntryParts, entryOfAddress, LIST_MAX } from './entries.ts';
import { mailAddressOf } from './naming.ts';
import { adminOperation } from './operation.ts';

/** An address; undefined: the Directory Manager. */
const account = z.string().min(1).max(320).optional();
const name = z.string().refine(isTokenName, 'a name of 1 to 64 characters without $');

/** What is known of a token: not the token itself. */
export interface ListedToken {
  /** An address; a DN where the entry has none. */
  readonly account: string;
  readonly name: string;
  readonly scopes: readonly TokenScope[];
  /** ISO 8601. */
  readonly createdAt: string;
  /** Null: never. */
  readonly expiresAt: string | null;
}

export interface AddedToken extends ListedToken {
  readonly dryRun: boolean;
  readonly revision: Revision;
  /** Said here and nowhere again; null in a dry run. */
  readonly token: string | null;
}

const PAGE = 500;

export const tokenAdd = (parts: EntryParts) =>
  adminOperation(
    'token.add',
    z.strictObject({
      account,
      name,
      scopes: z.array(z.enum(TOKEN_SCOPES)).min(1).max(TOKEN_SCOPES.length),
      /** From now on; undefined: it never expires. */
      expires: z.string().regex(DURATION_TEXT, DURATION_WORDS).optional(),
      dryRun,
    }),
    async (input, caller): Promise<AddedToken> => {
      const scopes = TOKEN_SCOPES.filter((scope) => input.scopes.includes(scope));
      const entry = holderOf(parts, input.account);
      checkScopes(entry, scopes);
      const now = parts.clock.now();
      const secret = newToken();
      const token: StoredToken = {
        name: input.name,
        scopes,
        createdAt: wholeSecond(now),
        expiresAt: input.expires === undefined ? undefined : wholeSecond(now + lifetime(input.expires)),
        hash: hashOfToken(secret),
      };
      const isDry = input.dryRun === true;
      const { uuid } = entry;
      const { revision } = await parts.writer.execute(addToken, { uuid, token, caller, now, dryRun: isDry });
      return { ...listedToken(entry, token), dryRun: isDry, revision, token: isDry ? null : secret };
    },
  );

/** All tokens, or an account's. */
export const tokenList = (parts: EntryParts) =>
  adminOperation('token.list', z.strictObject({ account }), async (input): Promise<ListedToken[]> => {
    if (input.account !== undefined) return listedTokens(holderOf(parts, input.account));
    const list: ListedToken[] = [];
    for (let page: Entry[] | undefined; page?.length !== 0 && list.length < LIST_MAX; ) {
      page = entriesWithTokens(parts.reader, PAGE, page?.at(-1)?.id);
      list.push(...page.flatMap(listedTokens));
      await new Promise((resolve) => setImmediate(resolve));
    }
    return list.slice(0, LIST_MAX);
  });

/** Sessions that were opened with it end. */
export const tokenRemove = (parts: EntryParts) =>
  adminOperation('token.remove', z.strictObject({ account, name, dryRun }), async (input, caller): Promise<Changed> => {
    const { uuid } = holderOf(parts, input.account);
    const { name: named, dryRun: isDry = false } = input;
    const summary: ChangeSummary = await parts.writer.execute(removeToken, {
      uuid,
      name: named,
      caller,
      now: parts.clock.now(),
      dryRun: isDry,
    });
    return changedOf(summary, isDry);
  });

function holderOf(parts: EntryParts, address: string | undefined): Entry {
  if (address !== undefined) return entryOfAddress(parts, mailAddressOf(address), 'user');
  const entry = findEntry(parts.reader, ADMINISTRATOR_DN);
  if (entry === undefined) throw new Failure('not-found', `there is no entry ${ADMINISTRATOR_DN}`);
  return entry;
}

function checkScopes(entry: Entry, scopes: readonly TokenScope[]): void {
  if (!isAdministrator(entry)) return;
  const ofMail = scopes.find((scope) => scope !== 'api' && scope !== 'ldap');
  if (ofMail !== undefined)
    throw new Failure('invalid', `the Directory Manager has no mail: a token for ${ofMail} needs an account`);
}

function lifetime(text: string): number {
  const ms = durationMs(text);
  if (ms === 0) throw new Failure('invalid', `a token that expires in ${text} is worth nothing`);
  return ms;
}

function wholeSecond(at: number): number {
  return at - (at % 1000);
}

function listedTokens(entry: Entry): ListedToken[] {
  return tokensOf(entry).map((token) => listedToken(entry, token));
}

function listedToken(entry: Entry, { name: own, scopes, createdAt, expiresAt }: StoredToken): ListedToken {
  return {
    account: textValue(entry, 'mail')?.trim() ?? entry.dn,
    name: own,
    scopes,
    createdAt: new Date(createdAt).toISOString(),
    expiresAt: expiresAt === undefined ? null : new Date(expiresAt).toISOString(),
  };
}
