// NOTIFY: which events the client wants to hear of, at all times; what is told is in notifications.ts. RFC 5465 §3

import { type NotifyCommand, notifyEvents, parseNotify } from '../../../wire/imap/commands/notify.ts';
import { type CommandDefinition, LOGGED_IN } from '../handler.ts';
import { Notifications } from '../notifications.ts';
import { no, ok } from '../reply.ts';

export const notify: CommandDefinition<NotifyCommand> = {
  states: LOGGED_IN,
  parse: parseNotify,
  async run(command, session) {
    if (command.hasUnknown) return no('Not all of these events can be told', `BADEVENT (${notifyEvents.join(' ')})`);
    session.notifications?.close();
    session.notifications = undefined;
    // What has happened until now is told, whatever is wanted from now on. RFC 5465 §3.1
    await session.reportChanges({ expunges: true });
    await Notifications.set(session, command);
    return ok('NOTIFY completed');
  },
};
