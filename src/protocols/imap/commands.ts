// Every command we know, by name: the one table. What is not in it is answered with BAD.

import { append } from './commands/append.ts';
import { authenticate } from './commands/authenticate.ts';
import { cancelUpdate } from './commands/cancelupdate.ts';
import { capability } from './commands/capability.ts';
import { check } from './commands/check.ts';
import { close } from './commands/close.ts';
import { compress } from './commands/compress.ts';
import { copy } from './commands/copy.ts';
import { create } from './commands/create.ts';
import { deleteCommand } from './commands/delete.ts';
import { enable } from './commands/enable.ts';
import { esearch } from './commands/esearch.ts';
import { expunge } from './commands/expunge.ts';
import { fetch } from './commands/fetch.ts';
import { genurlauth } from './commands/genurlauth.ts';
import { getacl, listrights, myrights } from './commands/getacl.ts';
import { getmetadata } from './commands/getmetadata.ts';
import { getquota } from './commands/getquota.ts';
import { getquotaroot } from './commands/getquotaroot.ts';
import { id } from './commands/id.ts';
import { idle } from './commands/idle.ts';
import { language } from './commands/language.ts';
import { list } from './commands/list.ts';
import { login } from './commands/login.ts';
import { logout } from './commands/logout.ts';
import { lsub } from './commands/lsub.ts';
import { move } from './commands/move.ts';
import { namespace } from './commands/namespace.ts';
import { noop } from './commands/noop.ts';
import { notify } from './commands/notify.ts';
import { rename } from './commands/rename.ts';
import { replace } from './commands/replace.ts';
import { resetkey } from './commands/resetkey.ts';
import { search } from './commands/search.ts';
import { examine, select } from './commands/select.ts';
import { deleteacl, setacl } from './commands/setacl.ts';
import { setmetadata } from './commands/setmetadata.ts';
import { setquota } from './commands/setquota.ts';
import { sort } from './commands/sort.ts';
import { starttls } from './commands/starttls.ts';
import { status } from './commands/status.ts';
import { store } from './commands/store.ts';
import { subscribe, unsubscribe } from './commands/subscribe.ts';
import { thread } from './commands/thread.ts';
import { uidbatches } from './commands/uidbatches.ts';
import { unauthenticate } from './commands/unauthenticate.ts';
import { unselect } from './commands/unselect.ts';
import { urlfetch } from './commands/urlfetch.ts';
import { type CommandEntry, entry } from './handler.ts';

export const commands: ReadonlyMap<string, CommandEntry> = new Map<string, CommandEntry>([
  ['CAPABILITY', entry(capability)],
  ['NOOP', entry(noop)],
  ['LOGOUT', entry(logout)],
  ['LANGUAGE', entry(language)],
  ['UNAUTHENTICATE', entry(unauthenticate)],
  ['ID', entry(id)],
  ['ENABLE', entry(enable)],
  ['STARTTLS', entry(starttls)],
  ['AUTHENTICATE', entry(authenticate)],
  ['LOGIN', entry(login)],
  ['SELECT', entry(select)],
  ['EXAMINE', entry(examine)],
  ['CREATE', entry(create)],
  ['DELETE', entry(deleteCommand)],
  ['RENAME', entry(rename)],
  ['SUBSCRIBE', entry(subscribe)],
  ['UNSUBSCRIBE', entry(unsubscribe)],
  ['NAMESPACE', entry(namespace)],
  ['LIST', entry(list)],
  ['LSUB', entry(lsub)],
  ['SETACL', entry(setacl)],
  ['DELETEACL', entry(deleteacl)],
  ['GETACL', entry(getacl)],
  ['LISTRIGHTS', entry(listrights)],
  ['MYRIGHTS', entry(myrights)],
  ['STATUS', entry(status)],
  ['GETMETADATA', entry(getmetadata)],
  ['SETMETADATA', entry(setmetadata)],
  ['GETQUOTA', entry(getquota)],
  ['GETQUOTAROOT', entry(getquotaroot)],
  ['SETQUOTA', entry(setquota)],
  ['APPEND', entry(append)],
  ['IDLE', entry(idle)],
  ['NOTIFY', entry(notify)],
  ['COMPRESS', entry(compress)],
  ['CHECK', entry(check)],
  ['CLOSE', entry(close)],
  ['UNSELECT', entry(unselect)],
  ['EXPUNGE', entry(expunge)],
  ['SEARCH', entry(search)],
  ['SORT', entry(sort)],
  ['CANCELUPDATE', entry(cancelUpdate)],
  ['ESEARCH', entry(esearch)],
  ['THREAD', entry(thread)],
  ['FETCH', entry(fetch)],
  ['STORE', entry(store)],
  ['COPY', entry(copy)],
  ['REPLACE', entry(replace)],
  ['MOVE', entry(move)],
  ['UIDBATCHES', entry(uidbatches)],
  ['GENURLAUTH', entry(genurlauth)],
  ['URLFETCH', entry(urlfetch)],
  ['RESETKEY', entry(resetkey)],
]);

/** Those that may stand behind UID. RFC 3501 §6.4.8, RFC 4315 §2.1, RFC 5256 §5, RFC 6851 §3 */
export const uidCommands: ReadonlySet<string> = new Set([
  'SEARCH',
  'SORT',
  'THREAD',
  'REPLACE',
  'FETCH',
  'STORE',
  'COPY',
  'MOVE',
  'EXPUNGE',
]);

/** Those that name messages by sequence numbers where UID does not stand before them. RFC 9586 §3.1 */
export const numberCommands: ReadonlySet<string> = new Set([...uidCommands].filter((name) => name !== 'EXPUNGE'));
