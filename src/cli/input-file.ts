// A file that a command is given, and cannot read.
//
// In      its name, and what the system says
// Out     `denied` where this user may not read it; else `invalid`

import { Failure } from '../base/failure.ts';
import { errorCode } from '../net/listen.ts';

export function unreadable(file: string, error: unknown): Failure {
  const code = errorCode(error);
  if (code === 'EACCES' || code === 'EPERM')
    return new Failure('denied', `${file} may not be read by this user: run the command as one who may`);
  const why = error instanceof Error ? error.message : code;
  return new Failure('invalid', `${file} cannot be read: ${why}`, { cause: error });
}
