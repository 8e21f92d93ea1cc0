// A POP3 door for tests: real sessions beside the real IMAP door and store of imap/testing.ts, with maildrop locks by a set.

import { type AddressInfo, createServer, type Socket } from 'node:net';
import type { Target } from '../../../test/sessions/runner/run.ts';
import type { AccountId } from '../../base/ids.ts';
import type { Limits } from '../../base/limits.ts';
import { operation } from '../../database/operation.ts';
import { describeConnection } from '../../net/connection.ts';
import { maskConnection, masked } from '../../net/testing.ts';
import { INBOX } from '../../store/accounts.ts';
import { openTestImap, type TestImap } from '../imap/testing.ts';
import type { Pop3Door } from './door.ts';
import { servePop3 } from './server.ts';
import type { Pop3Session } from './session.ts';

export interface TestPop3 {
  readonly host: string;
  readonly port: number;
  readonly imap: TestImap;
  /** Maildrops that a session has. */
  readonly locked: ReadonlySet<number>;
  /** `ok` and `err`, in the order of the replies. */
  readonly replies: readonly string[];
  readonly sessions: ReadonlySet<Pop3Session>;
  /** See the runner of session files. */
  readonly exchange: NonNullable<Target['exchange']>;
  close(): Promise<void>;
}

export async function openTestPop3(options: { limits?: Partial<Limits>; isPrivate?: boolean } = {}): Promise<TestPop3> {
  const imap = await openTestImap();
  const { hostname, tls, log, limits, reader, writer, blobs, logins } = imap.door;
  const locked = new Set<number>();
  const replies: string[] = [];
  const door: Pop3Door = {
    ...{ hostname, tls, log, reader, writer, blobs, logins },
    limits: { ...limits, ...options.limits },
    keepsAll: () => true,
    async lockMaildrop(account) {
      if (locked.has(account)) return undefined;
      locked.add(account);
      return async () => {
        locked.delete(account);
      };
    },
    countReply: (_listener, status) => replies.push(status),
  };
  const sockets = new Set<Socket>();
  const sessions = new Set<Pop3Session>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    const record = describeConnection(socket, 'pop3');
    const session = servePop3(door, socket, { ...record, isPrivate: options.isPrivate ?? record.isPrivate });
    sessions.add(session);
    socket.on('close', () => sessions.delete(session));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    host: '127.0.0.1',
    port: (server.address() as AddressInfo).port,
    imap,
    locked,
    replies,
    sessions,
    async exchange({ port, octets }) {
      const socket = [...sockets].find(({ remotePort }) => remotePort === port);
      const session = [...sessions].find(({ record }) => record.peerPort === port);
      if (socket === undefined || session === undefined) return imap.exchange({ port, octets });
      return { change: masked, fromOctet: await maskConnection(session.connection, socket, octets) };
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
      await imap.close();
    },
  };
}

export interface FillArguments {
  readonly account: AccountId;
  /** Ascending. */
  readonly messages: readonly { readonly uid: number; readonly size: number }[];
}

/** Rows of messages without bytes, for what is only counted and listed. */
export const fillInbox = operation('test.fillInbox', async (tx, { account, messages }: FillArguments) => {
  for (const { uid, size } of messages) {
    const message = await tx.get(
      `INSERT INTO message (segment, offset, length, hash, codec, received, trace_bytes, header, structure, parser, refs)
       VALUES (0, 0, ?, x'', 0, 0, 0, '', '', 0, 1) RETURNING id`,
      size,
    );
    await tx.run(
      `INSERT INTO mailbox_message (account, mailbox, uid, message, flags, modseq, touched, internal_date, saved, size)
       VALUES (?, ?, ?, ?, 0, 1, 0, 0, 0, ?)`,
      account,
      INBOX,
      uid,
      message!['id']!,
      size,
    );
  }
  const last = messages.at(-1)?.uid ?? 0;
  await tx.run(
    'UPDATE mailbox SET uidnext = ?, messages = ?, unseen = ? WHERE account = ? AND id = ?',
    last + 1,
    messages.length,
    messages.length,
    account,
    INBOX,
  );
});
