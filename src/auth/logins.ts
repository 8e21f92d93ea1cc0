// Logins of one thread: by a password, by a bind, by SASL. A login stays current with the directory (standing-login.ts).
//
// Order   attempt.ts; the revision is read before the account, so that a login that the directory has overtaken is read again
// Errors  as attempt.ts

import { randomBytes } from 'node:crypto';
import type { Clock } from '../base/clock.ts';
import { Failure } from '../base/failure.ts';
import type { PublishedRevision } from '../base/ids.ts';
import type { Caller } from '../directory/caller.ts';
import { normalizeDn } from '../directory/dn.ts';
import type { AttributeValue } from '../directory/entry.ts';
import type { AuthorityQuestion, DirectoryAuthority } from '../directory/source/authority.ts';
import { addressKey, tryParseAddress } from '../message/address.ts';
import type { ConnectionRecord } from '../net/connection.ts';
import type { Admissions } from '../routing/admission.ts';
import { isOver } from '../routing/resolve-asking.ts';
import { attempt, type Claim, type LoginAccount, type LoginAttemptParts, requirePrivacy } from './attempt.ts';
import { LOGIN_LENGTH_MAX } from './bounds.ts';
import { decideLogin, loginRefusal } from './decision.ts';
import type { HashGate } from './hash-gate.ts';
import type { LoginClient } from './login-client.ts';
import type { LoginDirectory, LoginNow, MailLogin } from './login-directory.ts';
import type { OpenLogins } from './open-logins.ts';
import { PasswordCheck, type VerifiedPassword } from './password-check.ts';
import { askingOnce, type Proof, type ProvableAccount, proofOf } from './proof.ts';
import type { SaslClaim, SaslExchange } from './sasl/mechanism.ts';
import { findMechanism, mechanisms } from './sasl/mechanisms.ts';
import { saltFor } from './scram-keys.ts';
import { StandingLogin } from './standing-login.ts';
import { hashOfToken, isToken } from './token.ts';
import { isExpired, opensDoor, tokenWith } from './token-check.ts';

export interface LoginsParts extends LoginAttemptParts {
  readonly directory: LoginDirectory;
  /** The committed directory revision, published before any acknowledgement. Only its changes matter. */
  readonly revision: () => PublishedRevision;
  readonly gate: HashGate;
  readonly clock: Clock;
  /** None: SCRAM is not offered. */
  readonly scram?: LoginsScram;
  /** The domain of a name without one; undefined: none. */
  readonly domainOf?: (record: ConnectionRecord) => string | undefined;
  /** Who has the say about accounts that are not ours; absent: nobody. */
  readonly authority?: DirectoryAuthority | undefined;
  /** Where sessions wait for the end of their logins. */
  readonly open: Pick<OpenLogins, 'watch'>;
}

export interface LoginsScram {
  readonly isOffered: () => boolean;
  /** What the salts of names without keys are made with. */
  readonly secret: Uint8Array;
  readonly learn: VerifiedPassword;
}

export interface Logins {
  /** Names of the mechanisms that this client may use now, the best first. */
  mechanisms(client: LoginClient): readonly string[];
  /** By any address of the account and its password. */
  login(client: LoginClient, name: string, password: Buffer): Promise<StandingLogin<MailLogin>>;
  /** A simple bind; the caller has refused an empty name or password. Throws `invalidDnSyntax` for what is no DN. */
  bind(client: LoginClient, dn: string, password: AttributeValue): Promise<StandingLogin<Caller>>;
  /**
   * By a token alone, for one request. An unknown one counts for the client, since it names no account; `denied` for one
   * of other services.
   */
  bearer(client: LoginClient, token: string): Promise<Caller>;
  /** The same, for a service of mail. */
  bearerLogin(client: LoginClient, token: string): Promise<StandingLogin<MailLogin>>;
  /** Throws `not-private`, and `unsupported` for a mechanism that is not offered. */
  sasl(client: LoginClient, mechanism: string): SaslExchange<MailLogin>;
  /** By the word of a peer that is believed: there is no proof, but the account must be let in. */
  vouched(client: LoginClient, name: string): Promise<StandingLogin<MailLogin>>;
  saslBind(client: LoginClient, mechanism: string): SaslExchange<Caller>;
  /** Whom an identity of SASL (`dn:...`, `u:...`, an address) stands for, by the word of who may act for others. */
  callerNamed(client: LoginClient, name: string): Caller | undefined;
}

/** An account whose proof was right. */
interface Proven {
  readonly client: LoginClient;
  /** The revision before the account was read. */
  readonly readAt: PublishedRevision;
  readonly uuid: string;
  readonly admissions: Admissions;
  readonly proof: Proof;
  /** The address of the group whose mailbox is asked for in place of the account's own. */
  readonly sharedBy?: string | undefined;
}

/** Where the protocol has a command of its own for a name and a password. */
const PASSWORD = 'password';
/** Who stands for the client says who it is. */
const VOUCHED = 'XCLIENT';
/** RFC 6750 §2.1 */
const BEARER = 'bearer';

interface Tried<A extends LoginAccount> extends Omit<Claim<A>, 'account' | 'isRight' | 'anew'> {
  readonly find: () => A | undefined;
  readonly proofFor: (account: A | undefined) => Proof;
  readonly question: AuthorityQuestion | undefined;
}

/** An account as SASL finds it; without mail only where LDAP names it by its DN. */
type SaslAccount = LoginAccount & ProvableAccount & { readonly caller: Caller; readonly mail: MailLogin | undefined };

const DN_PREFIX = 'dn:';
const NAME_PREFIX = 'u:';
const NONCE_BYTES = 18;
const NO_SECRET = Buffer.alloc(0);

export function createLogins(parts: LoginsParts): Logins {
  const { directory, revision, clock, scram, open, authority } = parts;
  const passwords = new PasswordCheck(parts.gate, clock, scram?.learn);
  const domainOf = parts.domainOf ?? (() => undefined);

  function find({ record }: LoginClient, name: string) {
    return name.length > LOGIN_LENGTH_MAX ? undefined : directory.find(name, domainOf(record));
  }

  const logins: Logins = {
    mechanisms({ record }) {
      if (!record.isPrivate) return [];
      const offer = { record, offersScram: scram?.isOffered() ?? false };
      return mechanisms.filter((each) => each.isOffered(offer)).map(({ name }) => name);
    },
    async login(client, name, password) {
      const key = keyOf(client, name);
      const there = askingOnce(authority);
      return mailLogin(
        await tried({
          ...{ client, mechanism: PASSWORD, name, key, secret: password, question: questionOf(client, name) },
          find: () => find(client, name),
          proofFor: (account) =>
            proofOf({ passwords, clock, authority: there }, { client, name: key, account, secret: password }),
        }),
      );
    },
    async bind(client, dn, given) {
      // Before the DN is looked at.
      requirePrivacy(client);
      const password = typeof given === 'string' ? Buffer.from(given, 'utf8') : given;
      const name = `${DN_PREFIX}${dn}`;
      const key = keyOf(client, name);
      const there = askingOnce(authority);
      return boundLogin(
        await tried({
          ...{ client, mechanism: PASSWORD, name: dn, key, secret: password, question: questionOf(client, name) },
          find: () => directory.findEntry(dn),
          proofFor: (account) =>
            proofOf({ passwords, clock, authority: there }, { client, name: key, account, secret: password }),
        }),
      );
    },
    async bearer(client, token) {
      return (await byToken(client, token)).caller;
    },
    async bearerLogin(client, token) {
      const readAt = revision();
      const account = await byToken(client, token);
      const proof = proofOf({ passwords, clock }, { client, name: '', account, secret: Buffer.from(token, 'utf8') });
      return mailLogin({ client, readAt, proof, ...account, mail: directory.now(account.uuid)?.mail });
    },
    async vouched(client, name) {
      const key = keyOf(client, name);
      return mailLogin(
        await tried({
          ...{ client, mechanism: VOUCHED, name, key, secret: undefined, question: questionOf(client, name) },
          find: () => find(client, name),
          proofFor: (account) => ({
            isRight: () => account !== undefined,
            stands: () => true,
            outlivesPassword: true,
          }),
        }),
      );
    },
    sasl: (client, mechanism) => begin(client, mechanism, mailLogin),
    saslBind: (client, mechanism) => begin(client, mechanism, boundLogin),
    callerNamed: (client, name) => findForSasl(client, name)?.caller,
  };

  async function byToken(client: LoginClient, token: string) {
    const secret = Buffer.from(token, 'utf8');
    const hash = hashOfToken(secret);
    const holder = isToken(secret) ? directory.findToken(hash) : undefined;
    const found = tokenWith(holder, hash);
    // One that has expired is nobody's.
    const account = found === undefined || isExpired(found, clock.now()) ? undefined : holder;
    const isRight = () => account !== undefined;
    const isForAnother = found !== undefined && !opensDoor(found, client);
    const claim = { client, mechanism: BEARER, name: undefined, account, secret, isRight, isForAnother };
    return attempt(parts, claim);
  }

  function begin<T>(
    client: LoginClient,
    name: string,
    standingOf: (proven: Proven & SaslAccount) => StandingLogin<T>,
  ): SaslExchange<T> {
    requirePrivacy(client);
    const mechanism = findMechanism(name);
    const isOffered = (each: string): boolean => logins.mechanisms(client).includes(each);
    if (mechanism === undefined || !isOffered(mechanism.name))
      throw new Failure('unsupported', 'Mechanism not supported');
    const logIn = async (claim: SaslClaim) => standingOf(await bySasl(client, claim));
    return mechanism.begin({
      client,
      find: (each) => ({ account: findForSasl(client, each), name: keyOf(client, each) }),
      logIn,
      byPassword(given) {
        const there = askingOnce(authority);
        return logIn({
          ...given,
          proofFor: (account, key) =>
            proofOf({ passwords, clock, authority: there }, { client, name: key, account, secret: given.secret }),
        });
      },
      isOffered,
      channelBinding: (type) => channelBinding(client, type),
      saltFor: (each) => saltFor(scram?.secret ?? NO_SECRET, each),
      nonce: () => randomBytes(NONCE_BYTES).toString('base64'),
    });
  }

  async function bySasl(client: LoginClient, claim: SaslClaim): Promise<Proven & SaslAccount> {
    const { mechanism, name, authzid, secret } = claim;
    const key = keyOf(client, name);
    const isSelf = (account: SaslAccount | undefined): boolean =>
      authzid === '' || findForSasl(client, authzid)?.uuid === account?.uuid;
    const isShared = (account: SaslAccount | undefined): boolean =>
      account?.mail !== undefined && sharedBy(client, authzid, account.mail) !== undefined;
    const proven = await tried({
      ...{ client, mechanism, name, key, secret, question: questionOf(client, name) },
      find: () => findForSasl(client, name),
      proofFor: (account) => {
        const proof = claim.proofFor(account, key);
        const isRight = async () => (await proof.isRight()) && (isSelf(account) || isShared(account));
        return { ...proof, isRight };
      },
    });
    return { ...proven, ...(isSelf(proven) ? {} : { sharedBy: authzid }) };
  }

  /**
   * With the account that is found; where another has the say, once more after that one was asked: before a no, and where only
   * what was asked for is here, unless it was lately, before a yes.
   */
  async function tried<A extends LoginAccount>({ find: look, proofFor, question, ...claimed }: Tried<A>) {
    let readAt = revision();
    const account = look();
    let proof = proofFor(account);
    const isRight = () => proof.isRight();
    const askAnew = async (asked: AuthorityQuestion) => {
      await authority!.ask(asked, false);
      readAt = revision();
      const now = look();
      proof = proofFor(now);
      return { account: now, isRight };
    };
    const anew = question && (() => askAnew(question));
    const isStale =
      question !== undefined && isOver(authority!, question) === 'everything' && !authority!.isFresh(question);
    const proven = await attempt(parts, { ...claimed, account, isRight, anew, isStale });
    return { client: claimed.client, ...proven, readAt, proof };
  }

  /** What an authority is asked about this name; undefined where our tables alone decide. */
  function questionOf(client: LoginClient, name: string): AuthorityQuestion | undefined {
    if (authority === undefined || authority.isIdle || name.length > LOGIN_LENGTH_MAX) return undefined;
    const question = askedFor(client, name);
    return question && isOver(authority, question) && question;
  }

  function askedFor(client: LoginClient, name: string): AuthorityQuestion | undefined {
    const dn = dnIn(client, name);
    if (dn !== undefined) {
      const found = normalized(dn);
      return found === undefined ? undefined : { dn: found };
    }
    const domain = domainOf(client.record);
    const plain = withoutPrefix(client, name);
    if (domain !== undefined && !plain.includes('@')) return { uid: plain, domain };
    const address = tryParseAddress(plain);
    return address && { address: addressKey(address) };
  }

  /** Folders cannot be shared yet: whoever reads a shared mailbox logs in to it. */
  function sharedBy({ door }: LoginClient, address: string, member: MailLogin): MailLogin | undefined {
    return door === 'imap' ? directory.shared(address, member) : undefined;
  }

  /** RFC 4513 §5.2.1.8: over LDAP `dn:` stands before a DN, and `u:` may stand before a name. */
  function findForSasl(client: LoginClient, name: string): SaslAccount | undefined {
    const dn = dnIn(client, name);
    if (dn !== undefined) {
      const found = normalized(dn) === undefined ? undefined : directory.findEntry(dn);
      return found && { ...found, mail: undefined };
    }
    const found = find(client, withoutPrefix(client, name));
    return found && { ...found, caller: found.mail.caller };
  }

  /**
   * One text for all spellings that find the same account. What a name is counted by, and the salt of one without keys, would
   * else tell a known name from an unknown one.
   */
  function keyOf(client: LoginClient, name: string): string {
    if (name.length > LOGIN_LENGTH_MAX) return name;
    const dn = dnIn(client, name);
    if (dn !== undefined) return `${DN_PREFIX}${normalized(dn) ?? dn}`;
    const full = withDomain(withoutPrefix(client, name), domainOf(client.record));
    const address = tryParseAddress(full);
    return address === undefined ? full : addressKey(address);
  }

  /** What the account is now; undefined when it may log in no more, or what it was opened with is gone. */
  function standing({ client, uuid, proof }: Proven): LoginNow | undefined {
    const now = directory.now(uuid);
    if (now === undefined || !proof.stands(now)) return undefined;
    const refusal = loginRefusal(decideLogin(now.admissions, client));
    if (refusal?.kind === 'unavailable') throw refusal;
    return refusal === undefined ? now : undefined;
  }

  function standingLogin<T>(
    proven: Proven,
    first: T | undefined,
    pick: (now: LoginNow) => T | undefined,
  ): StandingLogin<T> {
    const { uuid, readAt, proof } = proven;
    let { admissions } = proven;
    return new StandingLogin<T>({
      revision,
      read() {
        const now = standing(proven);
        if (now !== undefined) ({ admissions } = now);
        return now && pick(now);
      },
      first: first === undefined ? undefined : { revision: readAt, value: first },
      msLeft: proof.msLeft,
      watch(login, over) {
        const domains = () => admissions.flatMap(({ domain }) => domain ?? []);
        const isOver = () => login.now() === undefined;
        const passwordChanged = () => void (proof.outlivesPassword !== true && login.end());
        const watched = {
          id: login.id,
          uuid,
          readAt,
          domains,
          isOver,
          passwordChanged,
          end: () => login.end(),
          ...(proven.sharedBy === undefined ? {} : { isShared: true as const }),
          msLeft: proof.msLeft,
        };
        return open.watch(watched, over);
      },
    });
  }

  function boundLogin({ caller, ...proven }: Proven & { readonly caller: Caller }): StandingLogin<Caller> {
    return standingLogin(proven, caller, (now) => now.caller);
  }

  function mailLogin({ mail, ...proven }: Proven & { readonly mail: MailLogin | undefined }): StandingLogin<MailLogin> {
    // Without an address of its own the statuses of another domain count: routing/standing.ts knows which.
    const group = proven.sharedBy;
    const first = mail !== undefined && mail.addresses.length > 0 && group === undefined ? mail : undefined;
    return standingLogin(proven, first, ({ mail: now }) =>
      group === undefined ? now : now && sharedBy(proven.client, group, now),
    );
  }

  return logins;
}

function channelBinding({ door, record: { tls } }: LoginClient, type: string): Buffer | undefined {
  if (type === 'tls-exporter' || type === 'tls-server-end-point') return tls?.channelBinding(type);
  // OpenLDAP's client calls what it binds to `ldap`, and writes the registered name in front of it.
  const endPoint = door === 'ldap' && type === 'ldap' ? tls?.channelBinding('tls-server-end-point') : undefined;
  return endPoint && Buffer.concat([Buffer.from('tls-server-end-point:'), endPoint]);
}

function withDomain(name: string, domain: string | undefined): string {
  return domain === undefined || name.includes('@') ? name : `${name}@${domain}`;
}

function dnIn({ door }: LoginClient, name: string): string | undefined {
  return door === 'ldap' && name.startsWith(DN_PREFIX) ? name.slice(DN_PREFIX.length) : undefined;
}

function withoutPrefix({ door }: LoginClient, name: string): string {
  return door === 'ldap' && name.startsWith(NAME_PREFIX) ? name.slice(NAME_PREFIX.length) : name;
}

/** Undefined for what is no DN. */
function normalized(dn: string): string | undefined {
  try {
    return normalizeDn(dn);
  } catch {
    return undefined;
  }
}
