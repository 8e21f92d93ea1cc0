// Bounds that a site may change (`[limits]` in waypost.toml), and those that several units keep, each with its reason. A bound
// that one file alone keeps stands in that file.

/** Bounds that a site may change. Sizes in bytes, times in milliseconds. */
export interface Limits {
  /** A message as sent; RFC 5321 §4.5.3.1.7 asks for 64 KiB at least. Advertised as SIZE. */
  readonly messageSizeBytes: number;
  /** RCPT TO a message; RFC 5321 §4.5.3.1.8 asks for 100 at least. */
  readonly recipientsMax: number;
  /** Commands in error before the connection is closed. */
  readonly badCommandsMax: number;
  /** How long a client may be silent: SMTP (RFC 5321 §4.5.3.2.7: five minutes), and LDAP without a login. */
  readonly commandTimeoutMs: number;
  /** From connect to a successful login (IMAP, POP3), or to the first complete command (SMTP, LDAP). */
  readonly loginTimeoutMs: number;
  /** A session with a login: IMAP, IDLE included (RFC 3501 §5.4: thirty minutes at least), and LDAP; POP3 below. */
  readonly idleTimeoutMs: number;
  /** Open connections of all doors in one thread. */
  readonly connectionsMax: number;
  /** Open connections of one client, all doors and threads together. */
  readonly connectionsPerPeerMax: number;
  /** Of these, at port 25. */
  readonly smtpConnectionsPerPeerMax: number;
  /** Queue rows being worked on at once. */
  readonly deliveriesMax: number;
  /** Messages that one IMAP command looks at (`[imap] message-limit`); undefined: any number. Advertised as MESSAGELIMIT. RFC 9738 */
  readonly imapMessagesMax: number | undefined;
}

export const defaultLimits: Limits = {
  messageSizeBytes: 50 * 1024 * 1024,
  recipientsMax: 1000,
  badCommandsMax: 20,
  commandTimeoutMs: 300_000,
  loginTimeoutMs: 60_000,
  idleTimeoutMs: 1_800_000,
  connectionsMax: 10_000,
  connectionsPerPeerMax: 2_000,
  smtpConnectionsPerPeerMax: 50,
  deliveriesMax: 50,
  imapMessagesMax: undefined,
};

/** SMTP command line with CRLF; RFC 5321 §4.5.3.1.4 says 512, extensions add to it, RFC 4954 §4 needs 12288 for AUTH. */
export const SMTP_LINE_BYTES = 2048;
export const SMTP_AUTH_LINE_BYTES = 12_288;
/** Recipients of a message that a local program hands in. */
export const SENDMAIL_RECIPIENTS_MAX = 1000;
/** A session whose login is over has so long to end what it does, and to say so. */
export const LOGIN_END_MS = 1000;
/** IMAP command line without literals; RFC 7162 §4 recommends 8192 at least, clients send long UID sets. */
export const IMAP_LINE_BYTES = 65_536;
/** Literals of a command other than APPEND's message, and all of a command together. */
export const IMAP_LITERAL_BYTES = 65_536;
export const IMAP_COMMAND_BYTES = 262_144;
/** Nested parentheses in one IMAP command (SEARCH, STORE); deeper is BAD. */
export const IMAP_NESTING_MAX = 50;
/** Ranges of one sequence set, items of one FETCH, keys of one SEARCH: more than any client sends, few enough to hold. */
export const IMAP_SET_RANGES_MAX = 20_000;
export const IMAP_FETCH_ITEMS_MAX = 256;
export const IMAP_SEARCH_KEYS_MAX = 1000;
/** Messages that SORT and THREAD put into order at once. */
export const IMAP_SORT_MESSAGES_MAX = 100_000;
/** Wrong passwords on one connection before it is closed: who guesses has to connect again, and people do not mistype so often. */
export const FAILED_LOGINS_MAX = 5;
/** POP3 command line; RFC 2449 §4 says 255 octets. */
export const POP3_LINE_BYTES = 512;
/** A silent POP3 session holds its maildrop: `idleTimeoutMs`, but at most this. RFC 1939 §3: ten minutes at least. */
export const POP3_IDLE_TIMEOUT_MS = 600_000;
/** One LDAP message of who has an entry. A jpegPhoto fits; more is a protocol error. */
export const LDAP_MESSAGE_BYTES = 2 * 1024 * 1024;
/** One LDAP message of the administrator: a list comes with its members, as LDIF has it. */
export const LDAP_ADMINISTRATOR_MESSAGE_BYTES = 16 * 1024 * 1024;
/** One LDAP message of another server of this directory: what was sent to it, as LDIF, in which octets may be a third more. */
export const LDAP_SERVER_MESSAGE_BYTES = 24 * 1024 * 1024;
/** One LDAP message of the server that is followed: a list of some million members comes whole. */
export const LDAP_PROVIDER_MESSAGE_BYTES = 256 * 1024 * 1024;
/** Changes of one commit that another server of this directory hands on: a subtree that is deleted comes entry by entry. */
export const SERVER_CHANGES_MAX = 10_000;
/** One LDAP message of another server whose entries are taken over: a group comes with all its members. */
export const LDAP_SOURCE_MESSAGE_BYTES = 10 * 1024 * 1024;
/** Nested filters; slapd stops at 1000, no client needs 20. */
export const LDAP_FILTER_NESTING_MAX = 100;
/** One LDAP message before a bind: ten thousand unauthenticated connections must not hold as many large messages. */
export const LDAP_ANONYMOUS_MESSAGE_BYTES = 64 * 1024;
/** Parts of one filter, those between two stars too: each is looked at for each candidate. Programs that look up a list send a thousand at a time. */
export const LDAP_FILTER_PARTS_MAX = 10_000;
/** Octets of one filter: each name and value in it is made ready to be compared, which takes much longer than to read it. */
export const LDAP_FILTER_BYTES_MAX = 512 * 1024;
/** Controls of one message. */
export const LDAP_CONTROLS_MAX = 50;
/** Operations of one connection that wait or run; beyond it nothing more is read until one has ended. */
export const LDAP_OPERATIONS_MAX = 50;
/** After so long a search, or one connection's many requests, give others their turn. */
export const LDAP_TURN_MS = 8;
/** A master file that a command brings; larger zones come by transfer. */
export const ZONE_FILE_BYTES = 10 * 1024 * 1024;
/** Values of one attribute, and attributes of one entry. */
export const LDAP_VALUES_MAX = 100_000;
/** Members of one list, and their characters all together: a change of all of them is in memory at once. */
export const LIST_MEMBERS_MAX = 1_000_000;
export const LIST_MEMBERS_LENGTH_MAX = 128 * 1024 * 1024;
/** Local part and domain of an address. RFC 5321 §4.5.3.1.1 says 64, and asks to take more: bounces of lists are longer. */
export const LOCAL_PART_BYTES = 255;
export const DOMAIN_BYTES = 255;
/** Header section of a message that is parsed for header values and structure; beyond it the rest is body to us. */
export const HEADER_BYTES = 256 * 1024;
/** MIME parts of one message and their depth; beyond that a part is opaque text, still stored and fetchable. */
export const MIME_PARTS_MAX = 1000;
export const MIME_DEPTH_MAX = 100;
/** Parameters of one Content-Type or Content-Disposition; CVE-2026-27859 was about their number. */
export const MIME_PARAMETERS_MAX = 100;
/** Lines beginning with `--` that are looked at in one message, ten times fewer if all look like a boundary; then all is opaque text. */
export const MIME_DELIMITERS_MAX = 1_000_000;
/** Text of header fields that one message's stored structure may hold; beyond it a part has none. */
export const MIME_STRUCTURE_BYTES = 256 * 1024;
/** Addresses of one header field that are stored beside the message, and message ids of one References field. */
export const HEADER_ADDRESSES_MAX = 1000;
export const HEADER_REFERENCES_MAX = 100;
/** A message that is converted for a host that takes less, and all of them that are on their way: their bytes are in memory. */
export const CONVERTED_MAX = 64 * 1024 * 1024;
export const CONVERTED_HELD = 128 * 1024 * 1024;
/** Received fields that mean a loop. RFC 5321 §6.3. */
export const RECEIVED_MAX = 100;
/** A message larger than this, or one that would take a thread over its bound, is written to a segment file of its own. */
export const MESSAGE_BUFFER_BYTES = 1024 * 1024;
export const THREAD_BUFFER_BYTES = 64 * 1024 * 1024;
/** A shared segment is closed at this size, so that space can come back in pieces. */
export const SEGMENT_BYTES = 64 * 1024 * 1024;
/** One transaction of the writer: this many operations, or this long. */
export const BATCH_OPERATIONS = 500;
export const BATCH_MS = 5;
/** Bytes that wait for the writer from all threads; beyond it new work gets "try again". */
export const WRITER_QUEUE_BYTES = 64 * 1024 * 1024;
/** More local recipients than this become queue rows of the `store` channel. */
export const LOCAL_RECIPIENTS_IN_ACCEPT = 500;
/** Messages of one operation of the store that may be cut (STORE, EXPUNGE): some milliseconds of the writer. */
export const STORE_SLICE_MESSAGES = 2000;
/** Messages that one operation of the store copies or moves: some tenths of a second in which no other operation is run. */
export const COPY_MESSAGES_MAX = 100_000;
/** Messages of a mailbox beyond which COPY and APPEND are refused; a delivery never is. Larger than any known mailbox. */
export const MAILBOX_MESSAGES_MAX = 1_000_000;
/** A list in a list in a list. */
export const GROUP_DEPTH_MAX = 20;
/** Members, those of lists in a list too, that are looked at before the message to it is accepted. */
export const LIST_MEMBERS_IN_ACCEPT = 500;
/** Output waiting for a client that does not read; beyond it the connection is closed. */
export const OUTPUT_BUFFER_BYTES = 8 * 1024 * 1024;
/** A DN as text, its RDNs, and the values in one RDN. The deepest real trees have about ten levels. */
export const DN_LENGTH_MAX = 8192;
export const DN_RDNS_MAX = 100;
export const RDN_VALUES_MAX = 16;
/** One entry of the directory as it is kept, without the members of a list: a photograph, and all that is written about somebody. */
export const ENTRY_LENGTH_MAX = 16 * 1024 * 1024;
