// An SMTP door for tests: real sessions beside the real directory, store and transfer unit of transfer/testing.ts.

import { type AddressInfo, createServer, type Socket } from 'node:net';
import { tableLogins } from '../../auth/testing.ts';
import { systemClock } from '../../base/clock.ts';
import { defaultLimits, type Limits } from '../../base/limits.ts';
import { silentLog } from '../../base/log.ts';
import { type ConnectionRecord, describeConnection } from '../../net/connection.ts';
import { openTestTls } from '../../net/testing.ts';
import { addDomain, addUser, testSite } from '../../provisioning/testing.ts';
import { TestTransfer } from '../../transfer/testing.ts';
import type { SmtpDoor } from './door.ts';
import { serveSmtp } from './server.ts';
import type { SmtpSession } from './session.ts';

export interface TestSmtp {
  readonly port: number;
  readonly transfer: TestTransfer;
  /** Of its certificate. */
  readonly ca: string;
  readonly sockets: ReadonlyMap<SmtpSession, Socket>;
  close(): Promise<void>;
}

/** There is one user, ann@acme.example; no login succeeds. */
export async function openTestSmtp(
  options: { limits?: Partial<Limits>; record?: Partial<ConnectionRecord>; door?: Partial<SmtpDoor> } = {},
): Promise<TestSmtp> {
  const transfer = await TestTransfer.open();
  const { directory } = transfer;
  const tls = await openTestTls();
  await directory.apply(addDomain('acme.example'), addUser('ann@acme.example'));
  const door: SmtpDoor = {
    hostname: () => testSite.hostnames[0]!,
    tls: tls.server,
    limits: { ...defaultLimits, ...options.limits },
    clock: systemClock,
    log: silentLog,
    nextId: () => transfer.nextId(),
    routing: directory.cache,
    intakes: transfer.intakes,
    signer: transfer.signer,
    submit: (submission) => transfer.submit(submission),
    logins: tableLogins(new Map()),
    speaksForOthers: () => false,
    admit: () => () => {},
    arrive: undefined,
    maySendAbroad: () => true,
    hasRoom: () => true,
    hasCustodyRoom: () => true,
    mayRefuse: () => true,
    countReply() {},
    ...options.door,
  };
  const sockets = new Map<SmtpSession, Socket>();
  const server = createServer({ noDelay: true }, (socket) => {
    const session = serveSmtp(door, socket, { ...describeConnection(socket, 'smtp'), ...options.record });
    sockets.set(session, socket);
    socket.on('close', () => sockets.delete(session));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    transfer,
    ca: tls.ca,
    sockets,
    async close() {
      for (const socket of sockets.values()) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
      await transfer.close();
    },
  };
}
