// Signs what accounts and programs here send, once, before it is stored; and again what had to be converted on its way out.
//
// In      a message as it will be sent; who has made it
// Out     DKIM-Signature fields, one for each kind of key; `''` where there is nobody to sign for, which the log says
// Never   signs with a key whose record nobody can see yet, nor what stays here
// RFC 6376 §5, §3.6.1; RFC 5598

import type { Clock } from '../../base/clock.ts';
import { idText } from '../../base/ids.ts';
import type { Log } from '../../base/log.ts';
import type { Address } from '../../message/address.ts';
import { RelaxedBody } from '../../message/dkim/canonical.ts';
import { signedFields } from '../../message/dkim/headers.ts';
import { type SigningKey, signatureFields } from '../../message/dkim/sign.ts';
import { fieldValue, type Header, type HeaderField, parseHeader } from '../../message/header.ts';
import type { RoutingCache } from '../../routing/cache.ts';
import { INTERNAL_REQUEST } from '../../routing/route-request.ts';
import { isMailbox, type Target } from '../../routing/targets.ts';
import type { Sign, Unsigned } from '../../store/intake.ts';
import { type Maker, type OwnNames, signingDomain } from './identity.ts';

export interface SigningKeys extends OwnNames {
  /** Those that sign for the domain now: at most one of a kind. */
  keysFor(domain: string): readonly SigningKey[];
  /** A key of ours of this name, whether or not it signs now. */
  isKey(domain: string, selector: string): boolean;
}

export interface SignerParts {
  readonly keys: SigningKeys;
  readonly routing: Pick<RoutingCache, 'resolve'>;
  readonly log: Log;
  readonly clock: Clock;
}

/** Others have their turn between two pieces of a body. */
const PIECE_BYTES = 256 * 1024;

export class Signer {
  readonly #parts: SignerParts;

  constructor(parts: SignerParts) {
    this.#parts = parts;
  }

  /** For a message that leaves this host. */
  signs(maker: Maker): Sign {
    return (message) => this.#sign(message, maker);
  }

  /** Undefined where all these are mailboxes here: nobody asks there who has signed it. */
  async signsTo(maker: Maker, recipients: readonly Address[]): Promise<Sign | undefined> {
    for (const address of recipients)
      if (mayLeave(await this.#parts.routing.resolve(address, INTERNAL_REQUEST, { verify: true })))
        return this.signs(maker);
    return undefined;
  }

  async #sign(message: Unsigned, maker: Maker): Promise<string> {
    const { keys, log } = this.#parts;
    const named = signingDomain(message.header, maker, keys);
    const signed = 'unsigned' in named ? named : await this.#signature(message, named.domain);
    if (typeof signed === 'string') return signed;
    log.info('dkim.unsigned', { queue: idText(message.id), reason: signed.unsigned });
    return '';
  }

  async #signature(
    { header, body }: Pick<Unsigned, 'header' | 'body'>,
    domain: string,
  ): Promise<string | { readonly unsigned: string }> {
    const { keys, clock } = this.#parts;
    const own = keys.keysFor(domain);
    if (own.length === 0) return { unsigned: `no key of ${domain} can be seen in DNS` };
    // What others take for the header's end is not where ours is.
    if (!header.hasEmptyLine && body.length > 0) return { unsigned: 'the header is too long' };
    const fields = signedFields(header);
    if (fields === undefined) return { unsigned: 'there are too many fields' };
    const bodyHash = await hashOf(body);
    return signatureFields({ fields, bodyHash, domain, atSeconds: Math.floor(clock.now() / 1000) }, own);
  }

  /** What it has become on its way out, in the name in which it was signed when it came; as it is where it was not. */
  async signAnew(bytes: Buffer): Promise<Buffer> {
    const { rest, domain } = this.#withoutOwn(bytes);
    if (domain === undefined) return bytes;
    const header = parseHeader(rest);
    const signature = await this.#signature({ header, body: rest.subarray(header.end) }, domain);
    if (typeof signature === 'string') return Buffer.concat([Buffer.from(signature, 'latin1'), rest]);
    this.#parts.log.info('dkim.unsigned', { domain, reason: signature.unsigned });
    return rest;
  }

  /** For what will be altered: our signatures would be of something else then. */
  withoutOwn(bytes: Buffer): Buffer {
    return this.#withoutOwn(bytes).rest;
  }

  #withoutOwn(bytes: Buffer): { readonly rest: Buffer; readonly domain?: string } {
    const ours = this.#ownSignatures(parseHeader(bytes));
    if (ours[0] === undefined) return { rest: bytes };
    const pieces: Buffer[] = [];
    let at = 0;
    for (const { field } of ours) {
      pieces.push(bytes.subarray(at, field.start));
      at = field.end;
    }
    return { rest: Buffer.concat([...pieces, bytes.subarray(at)]), domain: ours[0].domain };
  }

  /** Above the first Received, which is ours: what stands below it somebody else may have written. */
  #ownSignatures(header: Header): { readonly field: HeaderField; readonly domain: string }[] {
    const ours: { field: HeaderField; domain: string }[] = [];
    for (const field of header.fields) {
      if (field.name === 'received') break;
      if (field.name !== 'dkim-signature') continue;
      const value = fieldValue(header, field);
      const [domain, selector] = [tag(value, 'd'), tag(value, 's')];
      if (domain !== undefined && selector !== undefined && this.#parts.keys.isKey(domain, selector))
        ours.push({ field, domain });
    }
    return ours;
  }
}

/** Of what has been found out about a recipient: it may be for another host, of a list one member has been looked at. */
export function mayLeave({ targets = [], isOfList }: { targets?: readonly Target[]; isOfList?: boolean }): boolean {
  return isOfList === true || targets.length === 0 || !targets.every(isMailbox);
}

function tag(value: string, name: string): string | undefined {
  for (const each of value.split(';')) {
    const [found, text] = each.split('=', 2);
    if (found?.trim() === name) return text?.trim();
  }
  return undefined;
}

async function hashOf(body: Buffer): Promise<Buffer> {
  const hash = new RelaxedBody();
  for (let at = 0; at < body.length; at += PIECE_BYTES) {
    if (at > 0) await new Promise((turn) => setImmediate(turn));
    hash.push(body.subarray(at, at + PIECE_BYTES));
  }
  return hash.digest();
}
