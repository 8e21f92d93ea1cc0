// Connections of OpenLDAP's tools, recorded on their way to one server and said again to another, in other packets.
//
// A tool decides itself when it sends what, so its octets are recorded by a proxy between it and a server. What it said on
// each connection is then replayed, connection after connection, to a server that began with a copy of the same data:
//
// Ways    one-packet: all that the tool said up to its unbind is one write; the unbind follows when as many messages have
//         come as the tool got. In the same packet it would abandon the operations before it: RFC 4511 §4.3
//         half-closed: each request when the one before it is answered, as the tool did it, and the client's half-close
//         directly behind the last one, in place of the unbind. The server has to answer that one too, and then to close
//         octets: the same, each octet a write of its own, in a packet of its own as far as the kernel lets us
//         exchanged: as half-closed, over TLS by StartTLS, which has to come before the first bind
// Out     messages that came, by message ID, those of one ID in their order: the order across IDs is the server's to choose
//         (RFC 4511 §3.1). What differs by nature is masked: entryUUID, time stamps, password hashes with their salt, and
//         what the root DSE offers with TLS or without it is left out
// Limits  15 s for an answer
// Never   knows what an answer should be: it is what the tool got, which the file's lines have judged

import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { LdapFramer } from '../../../src/wire/ldap/framer.ts';
import {
  decodeRequest,
  decodeResponse,
  encodeRequest,
  type LdapMessage,
  type LdapResponse,
} from '../../../src/wire/ldap/message.ts';
import { START_TLS } from '../../../src/wire/ldap/operations/extended.ts';

export type ReplayWay = 'one-packet' | 'half-closed' | 'octets' | 'exchanged';

/** One connection of a tool: what each side said. */
export interface Recorded {
  readonly requests: readonly Buffer[];
  readonly responses: readonly Buffer[];
}

export interface Recorder {
  readonly port: number;
  /** Connections that have ended since the last call, oldest first. */
  take(): Promise<readonly Recorded[]>;
  close(): void;
}

const ANSWER_MS = 120_000;
const OFFERS = new Set(['supportedExtension', 'supportedSASLMechanisms']);
const MASKED = new Set(['entryuuid', 'createtimestamp', 'modifytimestamp', 'userpassword']);

/** A port before this one that keeps what passes. */
export async function record(host: string, port: number): Promise<Recorder> {
  let recorded: Promise<Recorded>[] = [];
  const server = createServer({ noDelay: true, allowHalfOpen: true }, (client) => {
    const upstream = connect({ host, port, noDelay: true, allowHalfOpen: true });
    const requests = messagesOf(client);
    const responses = messagesOf(upstream);
    for (const socket of [client, upstream]) socket.on('error', () => {});
    client.pipe(upstream);
    upstream.pipe(client);
    // A tool goes away without waiting for the server to close.
    client.on('close', () => upstream.end());
    recorded.push(once(upstream, 'close').then(() => ({ requests, responses })));
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  return {
    port: (server.address() as AddressInfo).port,
    take() {
      const ended = Promise.all(recorded);
      recorded = [];
      return ended;
    },
    close: () => void server.close(),
  };
}

/** What the server answers when it is all said again in this way, up to the end of the connection. */
export async function replay(
  { requests, responses }: Recorded,
  { host, port, ca }: { readonly host: string; readonly port: number; readonly ca: string },
  way: ReplayWay,
): Promise<readonly Buffer[]> {
  const raw = connect({ host, port, noDelay: true, allowHalfOpen: true });
  const socket = way === 'exchanged' ? await secured(raw, ca) : raw;
  const got = messagesOf(socket);
  const closed = once(socket, 'close');
  if (raw.connecting) await once(raw, 'connect');
  const said = requests.filter((request) => decodeRequest(request).operation.kind !== 'unbind');
  if (way === 'one-packet') {
    socket.write(Buffer.concat(said));
    await untilCame(socket, () => got.length >= responses.length);
    socket.end(Buffer.concat(requests.slice(said.length)));
  } else {
    for (const [i, request] of said.entries()) {
      const isLast = i === said.length - 1;
      await say(socket, request, { inOctets: way === 'octets', isLast });
      if (!isLast) await untilCame(socket, () => got.some((bytes) => isEndOf(bytes, request)));
    }
    // Nothing at all was asked.
    if (said.length === 0) socket.end();
  }
  await untilCame(socket, () => socket.readableEnded);
  socket.end();
  await closed;
  return got;
}

async function say(
  socket: Socket,
  request: Buffer,
  { inOctets, isLast }: { readonly inOctets: boolean; readonly isLast: boolean },
): Promise<void> {
  if (inOctets)
    for (const octet of request) {
      socket.write(Buffer.of(octet));
      await new Promise((turn) => setImmediate(turn));
    }
  else socket.write(request);
  if (isLast) socket.end();
}

async function secured(raw: Socket, ca: string): Promise<Socket> {
  const operation = { kind: 'extended', name: START_TLS, value: undefined } as const;
  raw.write(encodeRequest({ messageId: 1, operation, controls: [] }));
  await once(raw, 'data');
  raw.removeAllListeners('data');
  const socket = connectTls({ socket: raw, servername: 'localhost', ca });
  await once(socket, 'secureConnect');
  socket.allowHalfOpen = true;
  return socket;
}

/** In a form that two servers which do the same agree in. */
export function comparable(responses: readonly Buffer[]): Record<string, unknown[]> {
  const byId: Record<string, unknown[]> = {};
  for (const bytes of responses) {
    const { messageId, operation, controls } = decodeResponse(bytes);
    (byId[messageId] ??= []).push({ operation: masked(operation), controls });
  }
  return byId;
}

function masked(operation: LdapResponse): LdapResponse {
  if (operation.kind !== 'searchEntry') return operation;
  return {
    ...operation,
    attributes: operation.attributes
      .filter(({ name }) => !OFFERS.has(name))
      .map((attribute) =>
        MASKED.has(attribute.name.toLowerCase())
          ? { ...attribute, values: attribute.values.map(() => 'masked') }
          : attribute,
      ),
  };
}

/** Grows while the socket gives more. */
function messagesOf(socket: Socket): Buffer[] {
  const messages: Buffer[] = [];
  const framer = new LdapFramer(Number.MAX_SAFE_INTEGER);
  socket.on('data', (chunk: Buffer) => {
    framer.push(chunk);
    for (let next = framer.next(); next !== undefined; next = framer.next()) messages.push(next);
  });
  return messages;
}

/** Whether this is the response that ends the operation. */
function isEndOf(response: Buffer, request: Buffer): boolean {
  const { messageId, operation }: LdapMessage<LdapResponse> = decodeResponse(response);
  return messageId === decodeRequest(request).messageId && 'result' in operation;
}

/** Or until the connection has ended: what is missing then shows in the comparison. */
function untilCame(socket: Socket, hasCome: () => boolean): Promise<void> {
  return new Promise((came, failed) => {
    const look = (): void => {
      if (!hasCome() && !socket.readableEnded && !socket.destroyed) return;
      clearTimeout(late);
      for (const event of ['data', 'end', 'close']) socket.off(event, look);
      came();
    };
    const late = setTimeout(() => failed(new Error(`no answer, and no end, in ${ANSWER_MS} ms`)), ANSWER_MS);
    for (const event of ['data', 'end', 'close']) socket.on(event, look);
    look();
  });
}
