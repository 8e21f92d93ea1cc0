// The demo's IMAP client: logs in and reads the last message of the INBOX.

import { Conversation, type Endpoint } from './conversation.ts';

/** The message as it was stored; throws when there is none. */
export async function readLast(
  endpoint: Endpoint,
  login: string,
  password: string,
  signal: AbortSignal,
): Promise<string> {
  const conversation = await Conversation.open(endpoint, signal);
  try {
    await conversation.line();
    await command(conversation, 'a', `LOGIN "${login}" "${password}"`);
    await command(conversation, 'b', 'SELECT INBOX');
    const message = await command(conversation, 'c', 'FETCH * BODY[]');
    await command(conversation, 'd', 'LOGOUT');
    return message;
  } finally {
    conversation.end();
  }
}

/** The literals that came before the tagged OK. */
async function command(conversation: Conversation, tag: string, text: string): Promise<string> {
  conversation.say(`${tag} ${text}\r\n`);
  let literals = '';
  for (;;) {
    const line = await conversation.line();
    const size = /\{(\d+)\}$/.exec(line)?.[1];
    if (size !== undefined) literals += (await conversation.block(Number(size))).toString('latin1');
    else if (line.startsWith(`${tag} OK`)) return literals;
    else if (line.startsWith(`${tag} `)) throw new Error(`${text.split(' ')[0]}: ${line.slice(2)}`);
  }
}
