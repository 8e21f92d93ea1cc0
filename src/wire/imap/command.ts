// Every IMAP command as one union; UID FETCH, UID STORE and so on carry UIDs in their set.

import type { AclCommand } from './commands/acl.ts';
import type { AppendCommand } from './commands/append.ts';
import type { AuthenticateCommand } from './commands/authenticate.ts';
import type { CancelUpdateCommand } from './commands/cancelupdate.ts';
import type { CompressCommand } from './commands/compress.ts';
import type { CopyCommand } from './commands/copy.ts';
import type { CreateCommand } from './commands/create.ts';
import type { EnableCommand } from './commands/enable.ts';
import type { EsearchCommand } from './commands/esearch.ts';
import type { ExpungeCommand } from './commands/expunge.ts';
import type { FetchCommand } from './commands/fetch.ts';
import type { IdCommand } from './commands/id.ts';
import type { LanguageCommand } from './commands/language.ts';
import type { ListCommand, LsubCommand } from './commands/list.ts';
import type { LoginCommand } from './commands/login.ts';
import type { MailboxCommand } from './commands/mailbox.ts';
import type { MetadataCommand } from './commands/metadata.ts';
import type { NotifyCommand } from './commands/notify.ts';
import type { QuotaCommand } from './commands/quota.ts';
import type { RenameCommand } from './commands/rename.ts';
import type { ReplaceCommand } from './commands/replace.ts';
import type { SearchCommand } from './commands/search.ts';
import type { SelectCommand } from './commands/select.ts';
import type { SimpleCommand } from './commands/simple.ts';
import type { SortCommand } from './commands/sort.ts';
import type { StatusCommand } from './commands/status.ts';
import type { StoreCommand } from './commands/store.ts';
import type { ThreadCommand } from './commands/thread.ts';
import type { UidBatchesCommand } from './commands/uidbatches.ts';
import type { GenUrlAuthCommand, ResetKeyCommand, UrlFetchCommand } from './commands/urlauth.ts';

export type ImapCommand =
  | SimpleCommand
  | AclCommand
  | IdCommand
  | EnableCommand
  | LoginCommand
  | AuthenticateCommand
  | MailboxCommand
  | NotifyCommand
  | SelectCommand
  | RenameCommand
  | CompressCommand
  | CreateCommand
  | ReplaceCommand
  | LanguageCommand
  | QuotaCommand
  | MetadataCommand
  | ListCommand
  | LsubCommand
  | StatusCommand
  | AppendCommand
  | SearchCommand
  | CancelUpdateCommand
  | EsearchCommand
  | SortCommand
  | ThreadCommand
  | FetchCommand
  | StoreCommand
  | CopyCommand
  | ExpungeCommand
  | UidBatchesCommand
  | GenUrlAuthCommand
  | UrlFetchCommand
  | ResetKeyCommand;
