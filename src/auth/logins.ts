// Logins of one thread: by a password, by a bind, by SASL. A login stays current with the directory (proven-login.ts).
//
// Order   attempt.ts; the revision is read before the account, so that a login that the directory has overtaken is read again
// Errors  as attempt.ts

import { randomBytes } from 'node:crypto';
import type { Clock } from '../base/clock.ts';
import { Failure } from '../base/failure.ts';
import type { PublishedRevision } from '../base/ids.ts';
import type { Caller } from '../directory/caller.ts';
import type { AttributeValue } from '../directory/entry.ts';
import type { AuthorityQuestion, DirectoryAuthority } from '../directory/source/authority.ts';
import { isOver } from '../routing/resolve-asking.ts';
import { attempt, type Claim, type LoginAccount, type LoginAttemptParts, requirePrivacy } from './attempt.ts';
import { LOGIN_LENGTH_MAX } from './bounds.ts';
import type { HashGate } from './hash-gate.ts';
import type { LoginClient } from './login-client.ts';
import type { LoginDirectory, MailLogin } from './login-directory.ts';
import {
  DN_PREFIX,
  type DomainOfServer,
  dnIn,
  loginKey,
  normalizedDn,
  questionAbout,
  withoutPrefix,
} from './login-names.ts';
import type { OpenLogins } from './open-logins.ts';
import { PasswordCheck, type VerifiedPassword } from './password-check.ts';
import { askingOnce, type Proof, type ProvableAccount, proofOf } from './proof.ts';
import { type Proven, provenLogin } from './proven-login.ts';
import type { SaslClaim, SaslExchange } from './sasl/mechanism.ts';
import { findMechanism, mechanisms } from './sasl/mechanisms.ts';
import { saltFor } from './scram-keys.ts';
import type { StandingLogin } from './standing-login.ts';
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
  /** Absent: a name without a domain has none. */
  readonly domainOf?: DomainOfServer;
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

const NONCE_BYTES = 18;
const NO_SECRET = Buffer.alloc(0);

export class Logins {
  readonly #parts: LoginsParts;
  readonly #passwords: PasswordCheck;
  readonly #domainOf: DomainOfServer;

  constructor(parts: LoginsParts) {
    this.#parts = parts;
    this.#passwords = new PasswordCheck(parts.gate, parts.clock, parts.scram?.learn);
    this.#domainOf = parts.domainOf ?? (() => undefined);
  }

  /** Names of the mechanisms that this client may use now, the best first. */
  mechanisms({ record }: LoginClient): readonly string[] {
    if (!record.isPrivate) return [];
    const offer = { record, offersScram: this.#parts.scram?.isOffered() ?? false };
    return mechanisms.filter((each) => each.isOffered(offer)).map(({ name }) => name);
  }

  /** By any address of the account and its password. */
  async login(client: LoginClient, name: string, password: Buffer): Promise<StandingLogin<MailLogin>> {
    const key = this.#keyOf(client, name);
    return this.#mailLogin(
      await this.#tried({
        ...{ client, mechanism: PASSWORD, name, key, secret: password, question: this.#questionOf(client, name) },
        find: () => this.#find(client, name),
        proofFor: this.#byPassword(client, key, password),
      }),
    );
  }

  /** A simple bind; the caller has refused an empty name or password. Throws `invalidDnSyntax` for what is no DN. */
  async bind(client: LoginClient, dn: string, given: AttributeValue): Promise<StandingLogin<Caller>> {
    // Before the DN is looked at.
    requirePrivacy(client);
    const password = typeof given === 'string' ? Buffer.from(given, 'utf8') : given;
    const name = `${DN_PREFIX}${dn}`;
    const key = this.#keyOf(client, name);
    return this.#boundLogin(
      await this.#tried({
        ...{ client, mechanism: PASSWORD, name: dn, key, secret: password, question: this.#questionOf(client, name) },
        find: () => this.#parts.directory.findEntry(dn),
        proofFor: this.#byPassword(client, key, password),
      }),
    );
  }

  /**
   * By a token alone, for one request. An unknown one counts for the client, since it names no account; `denied` for one
   * of other services.
   */
  async bearer(client: LoginClient, token: string): Promise<Caller> {
    return (await this.#byToken(client, token)).caller;
  }

  /** The same, for a service of mail. */
  async bearerLogin(client: LoginClient, token: string): Promise<StandingLogin<MailLogin>> {
    const { directory, revision, clock } = this.#parts;
    const readAt = revision();
    const account = await this.#byToken(client, token);
    const secret = Buffer.from(token, 'utf8');
    const proof = proofOf({ passwords: this.#passwords, clock }, { client, name: '', account, secret });
    return this.#mailLogin({ client, readAt, proof, ...account, mail: directory.now(account.uuid)?.mail });
  }

  /** By the word of a peer that is believed: there is no proof, but the account must be let in. */
  async vouched(client: LoginClient, name: string): Promise<StandingLogin<MailLogin>> {
    const key = this.#keyOf(client, name);
    return this.#mailLogin(
      await this.#tried({
        ...{ client, mechanism: VOUCHED, name, key, secret: undefined, question: this.#questionOf(client, name) },
        find: () => this.#find(client, name),
        proofFor: (account) => ({
          isRight: () => account !== undefined,
          stands: () => true,
          outlivesPassword: true,
        }),
      }),
    );
  }

  /** Throws `not-private`, and `unsupported` for a mechanism that is not offered. */
  sasl(client: LoginClient, mechanism: string): SaslExchange<MailLogin> {
    return this.#begin(client, mechanism, (proven) => this.#mailLogin(proven));
  }

  saslBind(client: LoginClient, mechanism: string): SaslExchange<Caller> {
    return this.#begin(client, mechanism, (proven) => this.#boundLogin(proven));
  }

  /** Whom an identity of SASL (`dn:...`, `u:...`, an address) stands for, by the word of who may act for others. */
  callerNamed(client: LoginClient, name: string): Caller | undefined {
    return this.#findForSasl(client, name)?.caller;
  }

  async #byToken(client: LoginClient, token: string) {
    const { directory, clock } = this.#parts;
    const secret = Buffer.from(token, 'utf8');
    const hash = hashOfToken(secret);
    const holder = isToken(secret) ? directory.findToken(hash) : undefined;
    const found = tokenWith(holder, hash);
    // One that has expired is nobody's.
    const account = found === undefined || isExpired(found, clock.now()) ? undefined : holder;
    const isRight = () => account !== undefined;
    const isForAnother = found !== undefined && !opensDoor(found, client);
    const claim = { client, mechanism: BEARER, name: undefined, account, secret, isRight, isForAnother };
    return attempt(this.#parts, claim);
  }

  /** Of one login: what refuses its password there is asked once. */
  #byPassword(client: LoginClient, key: string, secret: Uint8Array): (account: ProvableAccount | undefined) => Proof {
    const { clock } = this.#parts;
    const authority = askingOnce(this.#parts.authority);
    return (account) =>
      proofOf({ passwords: this.#passwords, clock, authority }, { client, name: key, account, secret });
  }

  #begin<T>(
    client: LoginClient,
    name: string,
    standingOf: (proven: Proven & SaslAccount) => StandingLogin<T>,
  ): SaslExchange<T> {
    requirePrivacy(client);
    const { scram } = this.#parts;
    const mechanism = findMechanism(name);
    const isOffered = (each: string): boolean => this.mechanisms(client).includes(each);
    if (mechanism === undefined || !isOffered(mechanism.name))
      throw new Failure('unsupported', 'Mechanism not supported');
    const logIn = async (claim: SaslClaim) => standingOf(await this.#bySasl(client, claim));
    return mechanism.begin({
      client,
      find: (each) => ({ account: this.#findForSasl(client, each), name: this.#keyOf(client, each) }),
      logIn,
      byPassword: (given) => {
        const proofFor = this.#byPassword(client, this.#keyOf(client, given.name), given.secret);
        return logIn({ ...given, proofFor });
      },
      isOffered,
      channelBinding: (type) => channelBinding(client, type),
      saltFor: (each) => saltFor(scram?.secret ?? NO_SECRET, each),
      nonce: () => randomBytes(NONCE_BYTES).toString('base64'),
    });
  }

  async #bySasl(client: LoginClient, claim: SaslClaim): Promise<Proven & SaslAccount> {
    const { mechanism, name, authzid, secret } = claim;
    const key = this.#keyOf(client, name);
    const isSelf = (account: SaslAccount | undefined): boolean =>
      authzid === '' || this.#findForSasl(client, authzid)?.uuid === account?.uuid;
    const isShared = (account: SaslAccount | undefined): boolean =>
      account?.mail !== undefined && this.#sharedBy(client, authzid, account.mail) !== undefined;
    const proven = await this.#tried({
      ...{ client, mechanism, name, key, secret, question: this.#questionOf(client, name) },
      find: () => this.#findForSasl(client, name),
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
  async #tried<A extends LoginAccount>({ find, proofFor, question, ...claimed }: Tried<A>) {
    const { revision, authority } = this.#parts;
    let readAt = revision();
    const account = find();
    let proof = proofFor(account);
    const isRight = () => proof.isRight();
    const askAnew = async (asked: AuthorityQuestion) => {
      await authority!.ask(asked, false);
      readAt = revision();
      const now = find();
      proof = proofFor(now);
      return { account: now, isRight };
    };
    const anew = question && (() => askAnew(question));
    const isStale =
      question !== undefined && isOver(authority!, question) === 'everything' && !authority!.isFresh(question);
    const proven = await attempt(this.#parts, { ...claimed, account, isRight, anew, isStale });
    return { client: claimed.client, ...proven, readAt, proof };
  }

  /** What an authority is asked about this name; undefined where our tables alone decide. */
  #questionOf(client: LoginClient, name: string): AuthorityQuestion | undefined {
    const { authority } = this.#parts;
    if (authority === undefined || authority.isIdle) return undefined;
    const question = questionAbout(client, name, this.#domainOf);
    return question && isOver(authority, question) && question;
  }

  /** Folders cannot be shared yet: whoever reads a shared mailbox logs in to it. */
  #sharedBy({ door }: LoginClient, address: string, member: MailLogin): MailLogin | undefined {
    return door === 'imap' ? this.#parts.directory.shared(address, member) : undefined;
  }

  #find({ record }: LoginClient, name: string) {
    const { directory } = this.#parts;
    return name.length > LOGIN_LENGTH_MAX ? undefined : directory.find(name, this.#domainOf(record));
  }

  #findForSasl(client: LoginClient, name: string): SaslAccount | undefined {
    const dn = dnIn(client, name);
    if (dn !== undefined) {
      const found = normalizedDn(dn) === undefined ? undefined : this.#parts.directory.findEntry(dn);
      return found && { ...found, mail: undefined };
    }
    const found = this.#find(client, withoutPrefix(client, name));
    return found && { ...found, caller: found.mail.caller };
  }

  #keyOf(client: LoginClient, name: string): string {
    return loginKey(client, name, this.#domainOf);
  }

  #boundLogin({ caller, ...proven }: Proven & { readonly caller: Caller }): StandingLogin<Caller> {
    return provenLogin(this.#parts, proven, { first: caller, pick: (now) => now.caller });
  }

  #mailLogin({ mail, ...proven }: Proven & { readonly mail: MailLogin | undefined }): StandingLogin<MailLogin> {
    const { client, sharedBy: group } = proven;
    // Without an address of its own the statuses of another domain count: routing/standing.ts knows which.
    const first = mail !== undefined && mail.addresses.length > 0 && group === undefined ? mail : undefined;
    const ofGroup = (member: MailLogin | undefined) => member && this.#sharedBy(client, group!, member);
    return provenLogin(this.#parts, proven, {
      first,
      pick: ({ mail: now }) => (group === undefined ? now : ofGroup(now)),
    });
  }
}

function channelBinding({ door, record: { tls } }: LoginClient, type: string): Buffer | undefined {
  if (type === 'tls-exporter' || type === 'tls-server-end-point') return tls?.channelBinding(type);
  // OpenLDAP's client calls what it binds to `ldap`, and writes the registered name in front of it.
  const endPoint = door === 'ldap' && type === 'ldap' ? tls?.channelBinding('tls-server-end-point') : undefined;
  return endPoint && Buffer.concat([Buffer.from('tls-server-end-point:'), endPoint]);
}
