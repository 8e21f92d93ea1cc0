// SCRAM-SHA-256 and SCRAM-SHA-256-PLUS: each side proves that it knows the password, and neither says it.
//
// In      the client's first and last message; the keys behind the name (scram-keys.ts)
// Out     salt and nonce, then our signature with the login
// States  first -> last -> over
// Errors  `syntax` for what does not parse; all else is a failed login, whatever is wrong with it
// Never   says whether the name exists: an unknown one, and one without keys, has a salt that only this server can make, and a
//         proof that is never right; takes `y`, "you cannot bind to a channel", where -PLUS was offered: somebody has taken
//         it out of the list
// RFC 5802, RFC 7677, RFC 5929 §4, RFC 9266

import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { AttributeValue } from '../../directory/entry.ts';
import { keysOf, newSalting, type Salting, type ScramKeys } from '../scram-keys.ts';
import { malformed } from './credentials.ts';
import type { SaslExchange, SaslMechanism, SaslParts } from './mechanism.ts';
import {
  type ClientFinal,
  type ClientFirst,
  readClientFinal,
  readClientFirst,
  writeServerFinal,
  writeServerFirst,
} from './scram-messages.ts';

const SCRAM = 'SCRAM-SHA-256';
const SCRAM_PLUS = 'SCRAM-SHA-256-PLUS';

export const scram: SaslMechanism = {
  name: SCRAM,
  isOffered: ({ offersScram }) => offersScram,
  begin: (parts) => scramExchange(parts, SCRAM),
};

export const scramPlus: SaslMechanism = {
  name: SCRAM_PLUS,
  isOffered: ({ offersScram, record }) => offersScram && record.tls?.canBind === true,
  begin: (parts) => scramExchange(parts, SCRAM_PLUS),
};

/** What the server has said, and all that it needs to judge the answer. */
interface Challenge {
  readonly first: ClientFirst;
  readonly salting: Salting;
  readonly nonce: string;
  readonly text: string;
  /** What the last message has to say of the channel, in base64; undefined: nothing would be right. */
  readonly binding: string | undefined;
}

function scramExchange<T>(parts: SaslParts<T>, mechanism: typeof SCRAM | typeof SCRAM_PLUS): SaslExchange<T> {
  let challenge: Challenge | undefined;
  return {
    async respond(response) {
      if (response === undefined) return { kind: 'challenge', octets: Buffer.alloc(0) };
      if (challenge === undefined) {
        challenge = challengeFor(readClientFirst(response), parts, mechanism);
        return { kind: 'challenge', octets: Buffer.from(challenge.text) };
      }
      const asked = challenge;
      const final = readClientFinal(response);
      let signature: Buffer | undefined;
      const login = await parts.logIn({
        mechanism,
        name: asked.first.name,
        authzid: asked.first.authzid,
        secret: undefined,
        proofFor: (account) => ({
          isRight() {
            signature = signatureFor(account?.passwords ?? [], asked, final);
            return signature !== undefined;
          },
          stands: () => true,
        }),
      });
      return { kind: 'success', octets: writeServerFinal(signature!), login };
    },
  };
}

function challengeFor<T>(first: ClientFirst, parts: SaslParts<T>, mechanism: string): Challenge {
  if (first.name === '') throw malformed();
  const { name, account } = parts.find(first.name);
  const salting: Salting = keysOf(account?.passwords ?? [])[0] ?? { ...newSalting(), salt: parts.saltFor(name) };
  const nonce = first.nonce + parts.nonce();
  const text = writeServerFirst(nonce, salting.salt, salting.iterations);
  return { first, salting, nonce, text, binding: bindingFor(first, parts, mechanism) };
}

function bindingFor<T>({ flag, bindingType, header }: ClientFirst, parts: SaslParts<T>, mechanism: string) {
  // Cyrus SASL binds to the channel under the name without -PLUS too: what is bound is bound.
  if (bindingType !== undefined) {
    const channel = parts.channelBinding(bindingType);
    return channel && Buffer.concat([Buffer.from(header), channel]).toString('base64');
  }
  const isDowngraded = flag === 'y' && parts.isOffered(SCRAM_PLUS);
  return mechanism === SCRAM_PLUS || isDowngraded ? undefined : Buffer.from(header).toString('base64');
}

/** Undefined unless the last message proves one of the passwords, over this channel, in this exchange. */
function signatureFor(
  stored: readonly AttributeValue[],
  { first, salting, nonce, text, binding }: Challenge,
  final: ClientFinal,
): Buffer | undefined {
  const message = `${first.bare},${text},${final.withoutProof}`;
  const isOfThisExchange = final.nonce === nonce && final.binding === binding;
  let found: ScramKeys | undefined;
  // The keys may be others than when the salt was told: they count as they are now.
  for (const keys of keysOf(stored))
    if (keys.iterations === salting.iterations && keys.salt.equals(salting.salt) && isProof(keys, message, final.proof))
      found ??= keys;
  return isOfThisExchange && found !== undefined ? hmac(found.serverKey, message) : undefined;
}

function isProof({ storedKey }: ScramKeys, message: string, proof: Buffer): boolean {
  const clientKey = hmac(storedKey, message).map((octet, at) => octet ^ proof[at]!);
  return timingSafeEqual(createHash('sha256').update(clientKey).digest(), storedKey);
}

function hmac(key: Buffer, message: string): Buffer {
  return createHmac('sha256', key).update(message).digest();
}
