// Ask the source: who follows this server has it ask a source for an entry, or try a password there.
//
// In      a question, of another server of this directory over a private connection
// Out     the answer, with the revision at which what was found is here; or why there is none, which is no failure of the operation

import { asFailure } from '../../../base/failure.ts';
import { isServer } from '../../../directory/access/is-server.ts';
import { encodeAnswer, parseQuestion } from '../../../directory/source/handed-question.ts';
import type { ExtendedRequest } from '../../../wire/ldap/operations/extended.ts';
import { result } from '../../../wire/ldap/result.ts';
import type { LdapHandler } from '../conversation.ts';

export const askSource: LdapHandler<ExtendedRequest> = async ({ value }, _operation, { login, record, door }) => {
  const bound = login?.now();
  if (bound === undefined || !isServer(door.reader, bound))
    return { result: result('insufficientAccessRights', 'Only another server of this directory may ask for that') };
  if (!record.isPrivate) return { result: result('confidentialityRequired', 'Ask that over TLS') };
  const question = questionIn(value ?? new Uint8Array());
  if (question === undefined) return { result: result('protocolError', 'The value is no question about a source') };
  const answer = await door.askSource(question).catch(asFailure);
  return { result: result('success'), value: encodeAnswer(answer) };
};

function questionIn(value: Uint8Array): ReturnType<typeof parseQuestion> | undefined {
  try {
    return parseQuestion(value);
  } catch {
    return undefined;
  }
}
