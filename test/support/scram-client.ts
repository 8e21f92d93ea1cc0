// SCRAM-SHA-256 as a client speaks it, written from RFC 5802 and RFC 7677 alone, and a login by it at the doors that carry lines.
//
// In      a name and a password; a header and what binds it to the channel, for -PLUS
// Out     the client's messages and what the server must say at the end, in base64

import assert from 'node:assert/strict';
import { createHash, createHmac, pbkdf2Sync } from 'node:crypto';
import type { Lines } from './lines.ts';

const NONCE = 'rOprNGfwEbeRWgbNEkqO';

export interface ChannelBinding {
  /** `tls-exporter` */
  readonly type: string;
  readonly octets: Buffer;
}

export class ScramClient {
  readonly first: string;
  /** What the server says at the end, known behind `last`. */
  verifier = '';
  readonly #bare: string;
  readonly #password: string;
  readonly #channel: string;

  constructor(user: string, password: string, binding?: ChannelBinding) {
    const header = binding === undefined ? 'n,,' : `p=${binding.type},,`;
    this.#bare = `n=${user},r=${NONCE}`;
    this.#password = password;
    this.#channel = Buffer.concat([Buffer.from(header), binding?.octets ?? Buffer.alloc(0)]).toString('base64');
    this.first = base64(header + this.#bare);
  }

  /** The answer to the server's challenge. RFC 5802 §3 */
  last(challenge: string): string {
    const text = Buffer.from(challenge, 'base64').toString();
    const [, nonce, salt, iterations] = /^r=(.+),s=(.+),i=(\d+)$/.exec(text)!;
    const salted = pbkdf2Sync(this.#password, Buffer.from(salt!, 'base64'), Number(iterations), 32, 'sha256');
    const clientKey = mac(salted, 'Client Key');
    const withoutProof = `c=${this.#channel},r=${nonce}`;
    const message = `${this.#bare},${text},${withoutProof}`;
    const signature = mac(createHash('sha256').update(clientKey).digest(), message);
    this.verifier = base64(`v=${mac(mac(salted, 'Server Key'), message).toString('base64')}`);
    const proof = Buffer.from(clientKey.map((octet, at) => octet ^ signature[at]!)).toString('base64');
    return base64(`${withoutProof},p=${proof}`);
  }
}

function mac(key: Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64');
}

export type LineProtocol = 'smtp' | 'imap' | 'pop3';

/** From the greeting to the reply to the client's last, empty line; or a refusal that comes before. Each step is checked. */
export async function logInByScram(
  lines: Lines,
  { protocol, mechanism }: { readonly protocol: LineProtocol; readonly mechanism: string },
  client: ScramClient,
): Promise<string> {
  const say = (text: string): Promise<string> => {
    lines.write(text);
    return lines.line();
  };
  await lines.line();
  if (protocol === 'smtp') await lines.command('EHLO client.example', '250 ');
  const challenge = await say(`${protocol === 'imap' ? 'a AUTHENTICATE' : 'AUTH'} ${mechanism} ${client.first}`);
  if (!CHALLENGE.test(challenge)) return challenge;
  const final = await say(client.last(challenge.replace(CHALLENGE, '')));
  if (!CHALLENGE.test(final)) return final;
  assert.equal(final.replace(CHALLENGE, ''), client.verifier);
  return say('');
}

const CHALLENGE = /^(334|\+) /;
