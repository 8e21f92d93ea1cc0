// The directory thread: all connections to other LDAP servers, apart from all that serves.
//
// In      the entries below ou=Sources; calls of the main thread
// Out     what its mirrors write; an answer to each call
// It is started with the first source, see server/directory-thread.ts.

import { parentPort, workerData } from 'node:worker_threads';
import { systemClock } from '../../base/clock.ts';
import type { DirectoryChange } from '../../directory/entry.ts';
import type { HandedQuestion } from '../../directory/source/handed-question.ts';
import { DnsClient } from '../../net/dns-client.ts';
import type { LdapSource } from '../../provisioning/ldap-source.ts';
import { Mirrors } from '../../provisioning/mirror/mirrors.ts';
import { probeSource } from '../../provisioning/mirror/probe.ts';
import { failureText, type SourceFailure } from '../source-calls.ts';
import { type CommonReport, type ThreadData, takeOrders, threadParts } from './parts.ts';

/** What the main thread may ask. */
export type DirectoryCall =
  | { readonly name: 'status' }
  /** Of a source. */
  | { readonly name: 'accept-removals'; readonly source: string }
  | { readonly name: 'probe'; readonly source: LdapSource }
  | SourceCall;

/** What other threads may ask, by way of the main thread. */
export type SourceCall = HandedQuestion | { readonly name: 'forward'; readonly change: DirectoryChange };

/** From the main thread. */
export interface DirectoryOrder {
  readonly kind: 'call';
  readonly request: number;
  readonly call: DirectoryCall;
}
/** To the main thread. */
export type DirectoryReport =
  | CommonReport
  | { readonly kind: 'answer'; readonly request: number; readonly result: unknown }
  | {
      readonly kind: 'refusal';
      readonly request: number;
      readonly failure: SourceFailure;
    };

const parts = threadParts(workerData as ThreadData);
const { database, writer, configuration, log } = parts;
const resolver = new DnsClient({ servers: configuration.resolver });
/** A word of a label has no blank. */
const countQuestion = (source: string): void => parts.counters.add('source', source.replaceAll(' ', '_'));
const mirrors = new Mirrors({ reader: database.reader, writer, clock: systemClock, log, resolver, countQuestion });
const report = (message: DirectoryReport): void => parentPort?.postMessage(message);

async function answer(call: DirectoryCall): Promise<unknown> {
  switch (call.name) {
    case 'status':
      return mirrors.status();
    case 'accept-removals':
      return mirrors.acceptRemovals(call.source);
    case 'probe':
      return probeSource(call.source, { clock: systemClock, resolver });
    case 'ask':
      return mirrors.ask(call.question, call.isKnown);
    case 'forward':
      return mirrors.forward(call.change);
    case 'binds':
      return mirrors.binds(call.dn, call.password);
    default:
      return call satisfies never;
  }
}

async function stop(): Promise<void> {
  await mirrors.stop();
  resolver.close();
  database.close();
  process.exit();
}

writer.onNotification(({ kind }) => {
  if (kind === 'zone-sources') mirrors.read();
});
mirrors.read();
takeOrders({ counters: parts.counters, stop }, ({ request, call }: DirectoryOrder) => {
  answer(call).then(
    (result) => report({ kind: 'answer', request, result }),
    (error: unknown) => report({ kind: 'refusal', request, failure: failureText(error) }),
  );
});
