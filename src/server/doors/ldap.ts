// The LDAP door of one thread, put together.

import type { HashGate } from '../../auth/hash-gate.ts';
import type { Logins } from '../../auth/logins.ts';
import { systemClock } from '../../base/clock.ts';
import type { DirectoryAuthority } from '../../directory/source/authority.ts';
import type { HandedAnswer, HandedQuestion } from '../../directory/source/handed-question.ts';
import type { TlsServer } from '../../net/tls.ts';
import type { LdapDoor } from '../../protocols/ldap/door.ts';
import { LongWork } from '../../protocols/ldap/long-work.ts';
import { submitterInOrder } from '../../provisioning/submit.ts';
import type { ThreadParts } from '../threads/parts.ts';
import { VERSION } from '../version.ts';

export interface LdapDoorParts extends ThreadParts {
  readonly logins: Logins;
  readonly gate: HashGate;
  readonly authority: DirectoryAuthority;
  readonly tls: TlsServer;
  readonly hostname: string;
  readonly askSource: (question: HandedQuestion) => Promise<unknown>;
  readonly followed: LdapDoor['followed'];
}

export function ldapDoor(parts: LdapDoorParts): LdapDoor {
  const { writer, gate, shared, authority } = parts;
  const makesKeys = parts.configuration.auth.scram !== 'off';
  return {
    reader: parts.database.reader,
    clock: systemClock,
    log: parts.log,
    limits: parts.configuration.limits,
    longWork: new LongWork(),
    hostname: parts.hostname,
    version: VERSION,
    tls: parts.tls,
    nextRevision: () => shared.nextRevision(),
    logins: parts.logins,
    submitInOrder: () => submitterInOrder({ writer, gate, makesKeys, clock: systemClock, others: authority }),
    async askSource(question) {
      const result = (await parts.askSource(question)) as HandedAnswer['result'];
      return { result, revision: parts.database.reader.revision() };
    },
    followed: parts.followed,
    countResult: (operation, result) => parts.counters.add('ldap', `${operation} ${result}`),
  };
}
